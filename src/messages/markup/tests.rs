//! The renderer against what people type, and against a corpus of what strangers try.

use std::time::{Duration, Instant};

use super::check::fault;
use super::render;

#[test]
fn markdown_light_becomes_html() {
    assert_eq!(render("**b** *i* `c`"), "<p><strong>b</strong> <em>i</em> <code>c</code></p>");
    assert_eq!(render("one\ntwo"), "<p>one<br>\ntwo</p>");
    assert_eq!(render("> said"), "<blockquote>\n<p>said</p>\n</blockquote>");
    assert_eq!(render("```\n<b>&\n```"), "<pre><code>&lt;b&gt;&amp;\n</code></pre>");
    assert_eq!(render("# big"), "<p><strong>big</strong></p>");
}

#[test]
fn what_looks_like_a_link_definition_is_still_said() {
    assert_eq!(render("[todo]: milk"), "<p>[todo]: milk</p>");
    assert_eq!(render("one\n\n> [12:30]: lunch"), "<p>one</p>\n<blockquote>\n<p>[12:30]: lunch</p>\n</blockquote>");
    assert_eq!(render("```\n[a]: b\n```"), "<pre><code>[a]: b\n</code></pre>");
    for said in
        ["- [todo]: milk", "1. [Ann]: cake\n2. [Ann]: wine", "* > [x]: y", "`ls`\n\n[todo]: milk", "[a\nb]: /url"]
    {
        let html = render(said);
        let words = said.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        words.for_each(|word| assert!(html.contains(word), "{said} gave {html}"));
        assert!(!html.contains('\\'), "{said} gave {html}");
    }
    assert!(render("[docs](http://x.example) see [1]: foo").contains("<a href=\"http://x.example\""));
    assert_eq!(render("a\n\n    [a]: b"), "<p>a</p>\n<pre><code>[a]: b</code></pre>");
    assert!(render(&"[a]: b\n\n".repeat(500)).matches("[a]: b").count() == 500);
}

#[test]
fn names_and_addresses_are_marked() {
    assert_eq!(render("hi @ann."), "<p>hi <span class=\"mention\">@ann</span>.</p>");
    assert_eq!(render("ann@example.org"), "<p>ann@example.org</p>");
    let link = "<a href=\"https://a.example/x?y=1\" rel=\"nofollow noopener noreferrer\">https://a.example/x?y=1</a>";
    assert_eq!(render("(https://a.example/x?y=1)"), format!("<p>({link})</p>"));
    assert!(render("see https://a.example/Foo_(bar)).").contains("href=\"https://a.example/Foo_(bar)\""));
    assert_eq!(render("`@ann`"), "<p><code>@ann</code></p>");
}

#[test]
fn nothing_typed_becomes_markup_of_its_own() {
    for hostile in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](data:text/html,hi)",
        "<a href=\"javascript:alert(1)\">x</a>",
        "[x](<javascript:alert(1)>)",
        "[x](\u{1}javascript:alert(1))",
        "<svg/onload=alert(1)>",
        "**<style>*{display:none}</style>**",
        "@ann\" onclick=\"alert(1)",
    ] {
        let html = render(hostile);
        for bad in
            ["<script", "<img", "<svg", "<style", "<a href=\"javascript", "<a href=\"data", "<span class=\"mention\" "]
        {
            assert!(!html.contains(bad), "{hostile} gave {html}");
        }
    }
}

#[test]
fn a_wall_of_one_sign_is_rendered_as_text() {
    for sign in ["*", "_", "[", "`", ">", "<", "@", "![", "- "] {
        let wall = sign.repeat(4000 / sign.len());
        assert!(render(&wall).len() < 40_000, "{sign}");
    }
}

#[test]
fn a_link_says_where_it_leads_unless_its_text_does() {
    let host = |said: &str| {
        let html = render(said);
        let (_, rest) = html.split_once("</a> <span class=\"host\">(")?;
        rest.split_once(")</span>").map(|(host, _)| host.to_owned())
    };
    for (said, leads) in [
        ("[your bank](https://evil.example/login)", "evil.example"),
        ("[https://bank.example](https://evil.example)", "evil.example"),
        ("[https://evil.example.bank.example](https://evil.example)", "evil.example"),
        ("https://bank.example@evil.example/", "evil.example"),
        ("[bank.example](//evil.example)", "evil.example"),
        ("[bank.example](/\\\\evil.example)", "evil.example"),
        ("[x](https:evil.example)", "evil.example"),
        ("https://b\u{430}nk.example", "xn--bnk-6cd.example"),
        ("[bank](http://0x7f.1/)", "127.0.0.1"),
        ("![a picture](https://evil.example/x.png)", "evil.example"),
        ("[`bank.example`](https://evil.example)", "evil.example"),
        ("[write](mailto:eve@evil.example?subject=hi)", "eve@evil.example"),
        ("[**bank**](https://EVIL.example:8443)", "evil.example"),
    ] {
        assert_eq!(host(said).as_deref(), Some(leads), "{said} gave {}", render(said));
    }
    for said in [
        "https://a.example/x",
        "[a.example](https://a.example/y)",
        "[A.example/x](https://a.example/y)",
        "[room](/chat/rooms/3)",
        "[https://a.example:8443/](https://a.example:8443/)",
        "<https://a.example>",
        "[x](javascript:alert(1))",
        "[x](#top)",
    ] {
        assert_eq!(host(said), None, "{said} gave {}", render(said));
    }
    let nested = render("[![inner](https://b.example)](https://a.example)");
    assert_eq!(nested.matches("<a ").count(), 1, "{nested}");
}

#[test]
fn me_is_an_act_of_one_line() {
    assert_eq!(render("/me waves"), "<p class=\"act\">waves</p>");
    assert_eq!(
        render("/me **really** waves at @ann"),
        "<p class=\"act\"><strong>really</strong> waves at <span class=\"mention\">@ann</span></p>"
    );
    assert_eq!(render("/me # > - 1. waves"), "<p class=\"act\"># &gt; - 1. waves</p>");
    assert_eq!(render("/me [todo]: milk"), "<p class=\"act\">[todo]: milk</p>");
    assert_eq!(render("//me waves"), "<p>/me waves</p>");
    assert_eq!(render("/me"), "<p>/me</p>");
    assert_eq!(render("/meow"), "<p>/meow</p>");
    assert_eq!(render("//meow"), "<p>//meow</p>");
    assert_eq!(render("so /me waves"), "<p>so /me waves</p>");
    assert!(!render("/me waves\nand goes").contains("class"));
}

#[test]
fn everyone_here_is_marked_apart() {
    assert_eq!(render("@here: look"), "<p><span class=\"mention here\">@here</span>: look</p>");
    assert_eq!(render("@heretic"), "<p><span class=\"mention\">@heretic</span></p>");
}

#[test]
fn no_direction_leaves_its_stretch_of_text() {
    assert_eq!(render("a\u{202e}b\u{202d}c"), "<p>abc</p>");
    assert_eq!(render("\u{2067}a"), "<p>\u{2067}a\u{2069}</p>");
    assert_eq!(render("\u{2069}\u{202c}a"), "<p>a</p>");
    assert_eq!(render("\u{2067}a\u{2069} b"), "<p>\u{2067}a\u{2069} b</p>");
    assert_eq!(render("[\u{2067}a](https://b.example)").matches("a\u{2069}</a>").count(), 1);
    assert_eq!(render("\u{202b}a\nb"), "<p>\u{202b}a\u{202c}<br>\nb</p>");
    assert_eq!(render("```\n\u{2068}a\nb\n```"), "<pre><code>\u{2068}a\u{2069}\nb\n</code></pre>");
    assert!(render("https://a.example/\u{2066}x").contains("href=\"https://a.example/\""));
}

#[test]
fn marks_do_not_bury_their_neighbours() {
    let html = render(&format!("Z{} and e\u{301}", "\u{317}".repeat(500)));
    assert_eq!((html.matches('\u{317}').count(), html.matches('\u{301}').count()), (8, 1));
}

#[test]
fn emoji_are_left_as_they_are() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}";
    assert_eq!(render(family), format!("<p>{family}</p>"));
    let many = "\u{1f600}".repeat(4000);
    assert_eq!(render(&many), format!("<p>{many}</p>"));
}

#[test]
fn what_is_longer_than_a_message_may_be_is_rendered_at_once_all_the_same() {
    for sign in ["*", "[", "`", ">", "- ", "*_", "[x](", "@a", "<b>", "\u{2067}", "http://"] {
        let wall = sign.repeat(100_000 / sign.len());
        let begun = Instant::now();
        let html = render(&wall);
        assert!(
            begun.elapsed() < Duration::from_secs(2) && html.len() < 8 * wall.len() + 64,
            "{sign}: {:?}",
            begun.elapsed()
        );
        assert_eq!(fault(&wall, &html), None, "{sign}");
    }
}

/// What strangers try, each alone and next to each other.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "[x](http,tps:?/k.f)",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:x)",
    "[x](data:text/html;base64,PHN2Zz4=)",
    "![x](javascript:alert(1))",
    "<javascript:alert(1)>",
    "<a href=\"javascript:alert(1)\">",
    "\"><svg/onload=alert(1)>",
    "</div></body><h1>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?php",
    "&lt;script&gt;",
    "&#x3c;b&#x3e;",
    "\u{0}<b>\u{0}",
    "<b\u{0}>",
    "[x](\"onmouseover=alert(1))",
    "[x](http://a\" onclick=\"b)",
    "[x](<http://a.example\" x=\"y>)",
    "[a]: javascript:alert(1)\n\n[a]",
    "`<b>`",
    "```html\n<script>\n```",
    "```\" onclick=\"x\nx\n```",
    "~~~\n</code></pre><script>\n~~~",
    "    <b>indented</b>",
    "@ann\"onclick=x",
    "@here<b>",
    "/me <b>waves</b>",
    "//me",
    "\u{202e}gpj.exe",
    "\u{2066}\u{202b}\u{2069}",
    "\u{200b}\u{feff}",
    "Z\u{317}\u{317}\u{317}",
    "\u{1f468}\u{200d}\u{1f469}",
    "**",
    "*_",
    "__",
    "***",
    "_a_*b*",
    "> ",
    ">>>>",
    "- - - -",
    "1. ",
    "9999999999. x",
    "---",
    "# ",
    "======",
    "|a|b|",
    "[[",
    "]]",
    "](",
    "![",
    "[](",
    "()",
    "<>",
    "http://",
    "https://[::1]/",
    "http://a@b@c/",
    "https://\u{430}.example",
    "https://a.example/(x)",
    "www.a.example",
    "mailto:a@b.example",
    "\\",
    "\\<b>",
    "&amp;",
    "\r",
    "\n",
    "\n\n",
    "\t",
    " ",
    "x",
];

#[test]
fn whatever_is_typed_only_what_is_allowed_comes_out() {
    for hostile in HOSTILE {
        assert_eq!(fault(hostile, &render(hostile)), None, "{hostile:?} gave {}", render(hostile));
    }
    // As likely to find anything as a generator with a name, and the same every time.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).map_or(0, |number| number % below)
    };
    for _ in 0..5000 {
        let typed: String = (0..=next(12)).map(|_| HOSTILE[next(HOSTILE.len())]).collect();
        assert_eq!(fault(&typed, &render(&typed)), None, "{typed:?} gave {}", render(&typed));
    }
}

#[test]
fn the_check_itself_finds_faults() {
    for bad in [
        "<script>",
        "<p",
        "<p>",
        "</p>",
        "<p onclick=\"x\"></p>",
        "<a href=\"javascript:x\"></a>",
        "<a href=\" java\tscript:x\"></a>",
        "<a href=\"java&Tab;script:x\"></a>",
        "<p><em></p></em>",
        "<p class=\"big\"></p>",
        "\u{202e}",
        "<p>\u{2067}</p>",
        "a>b",
    ] {
        assert!(fault("a long enough text, so that only the markup counts", bad).is_some(), "{bad}");
    }
}

#[test]
fn only_names_that_are_marked_are_named() {
    let named = |content: &str| super::names(&render(content)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(named("@ann, (@Bob.) and > @cat_9"), ["ann", "Bob", "cat_9"]);
    assert_eq!(named("> **@ann**\n- @bob"), ["ann", "bob"]);
    assert_eq!(named("@here and @ann"), ["here", "ann"]);
    for nobody in [
        "`@ann`",
        "```\n@ann\n```",
        "ann@example.org",
        "[@ann](https://a.example)",
        "@an",
        "<span class=\"mention\">ann</span>",
        "`<span class=\"mention\">@ann</span>`",
    ] {
        assert!(named(nobody).is_empty(), "{nobody}");
    }
    assert_eq!(named("`<span class=\"mention` >@ann"), ["ann"], "once, and not what code pretends");
}
