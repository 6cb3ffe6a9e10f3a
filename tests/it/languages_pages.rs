//! The pages in other languages: what a browser asks for, what a person chose, and no word that is left in English.

use crate::accessibility::look_here;
use crate::support::actors::{Page, Visitor};
use crate::support::app::{Engine, Site, both};
use crate::support::browser::Browsers;

/// Ann, who has talked to Bob: all that there is to see of pages is on some of them.
async fn ann_and_bob(site: &Site) -> (Visitor, Visitor) {
    let mut ann = Visitor::admin(site, "Ann").await;
    let mut bob = Visitor::registered(site, "Bob").await;
    Visitor::registered(site, "Cleo").await;
    let room = ann.public_room("Hall").await;
    bob.post(&format!("/rooms/{room}/join"), &[]).await.leads_to();
    ann.say(room, "1 @Bob").await;
    bob.say(room, "2 @Ann").await;
    bob.post("/chat/messages/2/edit", &[("content", "2 @Ann 3")]).await.leads_to();
    bob.post("/chat/messages/1/react", &[("emoji", "🎉")]).await.leads_to();
    ann.post("/settings/api-tokens", &[("name", "Hall")]).await.leads_to();
    ann.post("/people/3/block", &[]).await.leads_to();
    // Last, what no page tells of: the others' would be told in English.
    ann.post("/chat/messages/1/pin", &[]).await.leads_to();
    (ann, bob)
}

/// Ann's pages.
const PAGES: [&str; 19] = [
    "/chat",
    "/chat/rooms/1",
    "/chat/rooms/1?reply=1",
    "/chat/messages/1",
    "/chat/messages/2",
    "/rooms/new",
    "/rooms/new?kind=group",
    "/rooms/new?kind=direct&q=x",
    "/rooms/1/members",
    "/rooms/1/settings",
    "/settings",
    "/people",
    "/people?q=x",
    "/notifications",
    "/search",
    "/search?q=2",
    "/search?q=999&since=1",
    "/help",
    "/nowhere",
];
/// A stranger's.
const OPEN: [&str; 7] = [
    "/login",
    "/register",
    "/password-reset",
    "/password-reset?sent=1",
    "/password-reset/confirm?token=0",
    "/setup?token=0",
    "/nowhere",
];

impl Visitor {
    async fn reads(&self, path: &str, languages: &str) -> Page {
        self.get_with(path, &[("accept-language", languages)]).await
    }
}

/// What of a page has letters and stands outside of ⟦ and ⟧, but for `own` words.
fn unmarked(page: &str, own: &[&str]) -> Vec<String> {
    let (mut found, mut depth) = (Vec::new(), 0);
    let mut look = |text: &str, depth: &mut i32| {
        let outside: String = text
            .chars()
            .filter(|c| {
                *depth += i32::from(*c == '⟦') - i32::from(*c == '⟧');
                *depth == 0 && *c != '⟧'
            })
            .collect();
        let rest = own.iter().fold(outside, |rest, word| rest.replace(word, ""));
        if rest.chars().filter(|c| c.is_alphabetic()).count() > 1 {
            found.push(rest.trim().to_owned());
        }
    };
    for piece in page.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        for name in ["aria-label", "placeholder", "title", "alt"] {
            let value = tag.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split('"').next());
            look(value.unwrap_or_default(), &mut 0);
        }
        if !tag.starts_with("script") {
            look(text, &mut depth);
        }
    }
    found
}

both! {
    async fn a_page_speaks_what_the_browser_asks_for(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, _) = ann_and_bob(&site).await;
        let stranger = Visitor::new(&site);
        let pages = PAGES.iter().map(|path| (&ann, path)).chain(OPEN.iter().map(|path| (&stranger, path)));
        for (who, path) in pages {
            for (asked, html) in [
                ("de-AT, en;q=0.5", "<html lang=\"de\">"),
                ("ar", "<html lang=\"ar\" dir=\"rtl\">"),
                ("fr, ar;q=0.9, de;q=0.1", "<html lang=\"ar\" dir=\"rtl\">"),
                ("fr", "<html lang=\"en\">"),
            ] {
                let page = who.reads(path, asked).await;
                assert!(page.text.starts_with(&format!("<!doctype html>\n{html}\n")), "{path} for {asked}: {}", page.text);
            }
        }
    }
}

both! {
    async fn no_word_of_a_page_is_left_in_english(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, bob) = ann_and_bob(&site).await;
        let own = ["Switchboard", "Ann", "Bob", "Cleo", "Hall", "ann@example.org", "English", "Deutsch", "العربية"];
        // What the page about writing shows is what one types.
        let typed = ["https://example.org", "example.org", "@maria", "@here"];
        let own = [&own[..], &typed[..]].concat();
        for path in PAGES {
            let page = ann.reads(path, "xx").await;
            assert!(page.text.contains('⟦'), "{path}: {}", page.text);
            assert_eq!(unmarked(&page.text, &own), [""; 0], "{path}");
        }
        for path in OPEN {
            assert_eq!(unmarked(&Visitor::new(&site).reads(path, "xx").await.text, &own), [""; 0], "{path}");
        }
        let cleo = Visitor::logged_in(&site, "Cleo").await;
        for path in ["/chat", "/chat/rooms/1", "/notifications", "/rooms/1/settings"] {
            assert_eq!(unmarked(&cleo.reads(path, "xx").await.text, &own), [""; 0], "{path}, looking in");
        }
        assert_eq!(unmarked(&bob.reads("/people", "xx").await.text, &own), [""; 0]);
    }
}

both! {
    async fn what_a_person_chose_is_spoken_whatever_the_browser_asks_for(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, bob) = ann_and_bob(&site).await;
        let done = ann.post_with("/settings/language", &[("language", "de")], &[("accept-language", "ar")]).await;
        assert_eq!(done.leads_to(), "/settings#language");
        let page = ann.reads("/settings", "ar").await;
        assert!(page.text.contains("<html lang=\"de\">") && page.text.contains("<p class=\"notice\" role=\"status\">Deine Sprache ist gespeichert.</p>"));
        assert!(page.text.contains("<option value=\"de\" lang=\"de\" dir=\"auto\" selected>Deutsch</option>"));
        for path in PAGES.iter().filter(|path| !["/nowhere"].contains(path)) {
            assert!(ann.reads(path, "ar").await.text.contains("<html lang=\"de\">"), "{path}");
        }
        assert!(bob.reads("/chat", "ar").await.text.contains("<html lang=\"ar\" dir=\"rtl\">"));
        let back = ann.post_with("/settings/language", &[("language", "")], &[("accept-language", "xx")]).await;
        assert_eq!(back.leads_to(), "/settings#language");
        assert!(ann.reads("/settings", "ar").await.text.contains("⟦Your language is saved.⟧"), "in what is spoken now");
        assert!(ann.reads("/chat", "ar").await.text.contains("<html lang=\"ar\" dir=\"rtl\">"));
    }
}

both! {
    async fn a_language_that_is_not_in_the_list_is_refused(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "Ann").await;
        for language in ["fr", "DE", "xx", "de-AT"] {
            let page = ann.post("/settings/language", &[("language", language)]).await;
            assert_eq!(page.status, 422, "{language}");
            assert!(page.text.contains("id=\"language-error\">Choose one of the languages in the list.<"), "{}", page.text);
        }
        assert_eq!(site.number("select count(*) from users where language <> ''").await, 0);
    }
}

both! {
    async fn a_kept_page_is_nobodys_in_another_language(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, bob) = ann_and_bob(&site).await;
        let path = "/chat/rooms/1";
        bob.reads(path, "xx").await;
        site.app.writer.flush().await.unwrap();
        let marked = bob.reads(path, "xx").await;
        assert!(marked.text.contains("<small class=\"edited\">⟦edited⟧</small>"), "{}", marked.text);
        assert!(marked.text.contains("<script type=\"application/json\" id=\"words\">{"));
        let tag = marked.headers["etag"].to_str().unwrap();
        let kept = bob.get_with(path, &[("accept-language", "xx"), ("if-none-match", tag)]).await;
        assert_eq!(kept.status, 304);
        let english = bob.get_with(path, &[("accept-language", "en"), ("if-none-match", tag)]).await;
        assert_eq!(english.status, 200);
        assert!(!english.text.contains('⟦') && !english.text.contains("id=\"words\""));
        assert!(english.headers["vary"].to_str().unwrap().contains("accept-language"));
        assert!(!ann.get(path).await.text.contains('⟦'), "nor what is said, which all share");
        assert!(bob.reads(path, "xx").await.text.contains("⟦edited⟧"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_arabic_the_pages_are_mirrored_and_axe_finds_nothing() {
    let Some(browsers) = Browsers::start().await else { return };
    let axe = std::fs::read_to_string(std::env::var("AXE_JS").unwrap()).unwrap();
    let site = Site::new(Engine::Sqlite).await;
    ann_and_bob(&site).await;
    site.sql("update users set language = 'ar' where username = 'Ann'").await;
    for width in [1280, 390] {
        let window = browsers.window(&site.url(""), width, false).await;
        window.fill_log_in("Ann").await;
        for (n, path) in PAGES.iter().enumerate() {
            window.go(path).await;
            window.wait("main").await;
            look_here(&window, &axe, &format!("arabic-{n}-{width}")).await;
        }
        window.go("/chat/rooms/1").await;
        window.until_connected().await;
        let said = "document.getElementById('state').textContent === JSON.parse(document.getElementById('words').text).Connected";
        window.until(said).await;
        if width == 1280 {
            let place = |of: &str| format!("document.querySelector('{of}').getBoundingClientRect().left");
            window.until(&format!("{} > {}", place(".sidebar"), place("#log"))).await;
            window.until(&format!("{} > {}", place(".message .avatar"), place(".message .author"))).await;
        }
        window.close().await;
    }
}
