//! The backoffice in the reader's language. The language `xx` shows every word that is looked up between brackets, so what
//! stands outside of them is data or forgotten.

use switchboard::i18n::{self, Language};

use crate::support::actors::{Page, Visitor};
use crate::support::app::{Engine, Site, both};
use crate::support::office::office;

const MARKED: [(&str, &str); 1] = [("accept-language", "xx")];
/// What stands on the pages of [`furnished`] that isn't the program's to say: names, what was typed, formats.
const DATA: &[&str] = &[
    "Switchboard",
    "ann",
    "bob",
    "a",
    "b",
    "Plans",
    "The quick brown fox",
    "Too quick",
    "Of all kinds",
    "Was",
    "Fox.png",
    "Hello?",
    "ann@example.org",
    "bob@example.org",
    "name",
    "kind",
    "description",
    "Your link",
    "SECRETSESSION",
    "New",
    "CSV",
    "JSON Lines",
    "JSON",
    "id",
    "username",
];

/// What a page says outside of brackets that has letters: texts, and the attributes that are read out.
fn unmarked(page: &Page) -> Vec<String> {
    assert_eq!(page.status, 200, "{}", page.text);
    let (mut found, mut text, mut depth) = (Vec::new(), String::new(), 0);
    let mut rest = page.text.split_once("<body").expect("a page").1;
    rest = rest.split_once('>').unwrap().1;
    while let Some(letter) = rest.chars().next() {
        if letter == '<' {
            let (tag, after) = tag(rest);
            if depth == 0 {
                found.push(std::mem::take(&mut text));
                found.extend(read_out(tag));
            }
            let raw = ["<script", "<style"].iter().any(|raw| tag.starts_with(raw));
            rest = if raw { after.split_once("</").unwrap().1 } else { after };
            continue;
        }
        match letter {
            '⟦' => depth += 1,
            '⟧' => depth -= 1,
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
        rest = &rest[letter.len_utf8()..];
    }
    assert_eq!(depth, 0, "brackets are closed");
    found.into_iter().map(|text| text.trim().to_owned()).filter(|text| text.contains(char::is_alphabetic)).collect()
}

/// The tag that `text` begins with, and what follows. In an attribute's quotes a bracket means nothing.
fn tag(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|letter| {
        quoted ^= letter == '"';
        letter == '>' && !quoted
    });
    text.split_at(end.expect("a tag ends") + 1)
}

fn read_out(tag: &str) -> Vec<String> {
    let names = ["aria-label", "title", "placeholder", "alt"];
    let value = |name: &str| Some(tag.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0.to_owned());
    names.into_iter().filter_map(value).filter(|value| !value.contains('⟦')).collect()
}

/// What a page says that is neither looked up nor data.
fn forgotten(page: &Page) -> Vec<String> {
    unmarked(page).into_iter().filter(|text| !DATA.contains(&text.as_str())).collect()
}

/// A site with a row of each model.
async fn furnished(engine: Engine) -> (Site, Visitor) {
    let (site, ann) = office(engine).await;
    Visitor::registered(&site, "bob").await;
    site.furnish().await;
    (site, ann)
}

both! {
    async fn every_word_of_the_backoffice_is_looked_up(engine: Engine) {
        let (_site, ann) = furnished(engine).await;
        let _socket = ann.follows(1).await;
        let mut left = Vec::new();
        for path in [
            "/admin/", "/admin/queue", "/admin/live", "/admin/search?q=fox", "/admin/search?q=nothing", "/admin/search",
            "/admin/users/", "/admin/users/?role=admin&sort=username", "/admin/users/add", "/admin/rooms/1/",
            "/admin/rooms/1/history", "/admin/rooms/1/delete", "/admin/rooms/import", "/admin/memberships/?q=none",
            "/admin/messages/1/delete", "/admin/memberships/?user_id=2", "/admin/reports/", "/admin/interests/",
            "/admin/rooms/?created_at=1970-01", "/admin/memberships/choose?_field=user_id&_q=",
        ] {
            let page = ann.get_with(path, &MARKED).await;
            let texts = forgotten(&page);
            if !texts.is_empty() {
                left.push((path, texts));
            }
        }
        assert!(left.is_empty(), "{left:#?}");
    }
}

both! {
    async fn the_help_says_all_but_names_of_settings_in_the_readers_language(engine: Engine) {
        let (_site, ann) = office(engine).await;
        let page = ann.get_with("/admin/help", &MARKED).await;
        let (prose, table) = page.text.split_once("<table").unwrap();
        let (head, rows) = table.split_once("<tbody>").unwrap();
        let prose = Page { text: format!("{prose}<table{head}"), status: page.status, headers: page.headers.clone(), body: Vec::new() };
        assert_eq!(forgotten(&prose), [""; 0]);
        let meanings = rows.split("</tr>").filter(|row| row.contains("<tr>")).collect::<Vec<_>>();
        assert!(meanings.len() > 20 && meanings.iter().all(|row| row.contains("<td>⟦") && row.contains("⟧</td>")), "{meanings:#?}");
    }
}

both! {
    async fn a_list_in_german_is_german_and_its_export_is_as_ever(engine: Engine) {
        let (_site, ann) = furnished(engine).await;
        let german = [("accept-language", "de")];
        let page = ann.get_with("/admin/rooms/", &german).await;
        assert!(page.text.contains("lang=\"de\"") && page.text.contains("<h1>Räume</h1>"), "{}", page.text);
        let made = i18n::said_in(Language::German, || i18n::date_time(switchboard::clock::Timestamp(5_000_000)));
        assert!(page.text.contains(&format!(">{made}</time>")), "{made}: {}", page.text);
        for path in ["/admin/rooms/export.csv", "/admin/rooms/export.jsonl"] {
            assert_eq!(ann.get_with(path, &german).await.text, ann.get(path).await.text, "{path}");
        }
    }
}

both! {
    async fn history_keeps_english_and_is_shown_in_the_readers_language(engine: Engine) {
        let (site, mut ann) = furnished(engine).await;
        let deleted = ann.post_with("/admin/memberships/2/delete", &[("confirm", "1")], &MARKED).await;
        assert_eq!(deleted.leads_to(), "/admin/memberships/?&done=deleted");
        let label = site.text("select object_label from audit_entries where model = 'memberships'").await;
        assert_eq!(label, "bob in Plans");
        let page = ann.get_with("/admin/memberships/2/history", &MARKED).await;
        assert!(page.says("<b>⟦delete⟧</b>") && page.says("⟦Joined⟧"), "{}", page.text);
        let page = ann.get_with("/admin/memberships/", &MARKED).await;
        assert!(page.says("⟦ann in Plans⟧") && page.says("⟦Owner⟧"), "{}", page.text);
        let page = ann.get("/admin/memberships/").await;
        assert!(page.says("ann in Plans") && !page.says("⟦"));
    }
}

both! {
    async fn what_goes_on_by_itself_speaks_the_language_of_whom_it_is_for(engine: Engine) {
        let (_site, mut ann) = furnished(engine).await;
        let text = "id,name,description\n1,Plans,New\n99,None,\n";
        let page = ann.post_with("/admin/rooms/import", &[("text", text)], &MARKED).await;
        let to = page.leads_to().to_owned();
        let page = loop {
            let page = ann.get_with(&to, &MARKED).await;
            if !page.headers.contains_key("refresh") {
                break page;
            }
        };
        assert!(page.says("⟦There is no ⟦room⟧ with the id “99”.⟧"), "{}", page.text);
        assert_eq!(forgotten(&page), [""; 0]);
        let ticked = [("action", "delete"), ("ids", "1"), ("ids", "77"), ("confirm", "1")];
        let page = ann.post_with("/admin/memberships/action", &ticked, &MARKED).await;
        assert_eq!(page.status, 409, "{}", page.text);
        assert!(page.says("⟦There is no such record. It may have been deleted meanwhile.⟧"), "{}", page.text);
    }
}

both! {
    async fn refusals_are_in_the_readers_language(engine: Engine) {
        let (_site, mut ann) = furnished(engine).await;
        for (path, status, said) in [
            ("/admin/rooms/?colour=red", 400, "⟦⟦rooms⟧ have no field “colour”.⟧"),
            ("/admin/users/?password_hash=x", 400, "⟦“password_hash” is secret: it can't be asked for.⟧"),
            ("/admin/nothing/", 404, "⟦There is no such model.⟧"),
            ("/admin/rooms/?created_at=soon", 200, "⟦Made⟧: ⟦“soon” is no date."),
        ] {
            ann.get_with(path, &MARKED).await.is(status, said);
        }
        let form = ann.get("/admin/rooms/add").await.record().with(&[("kind", "square")]);
        let page = ann.post_with("/admin/rooms/add", &form.pairs(), &MARKED).await;
        page.is(422, "⟦“square” isn't one of public, group, direct.⟧");
    }
}
