//! Pages of rooms that are kept: an unchanged one isn't sent again, and what it shows is never older than what was done.

use std::io::Read;

use crate::support::actors::{Page, Visitor};
use crate::support::app::{Options, Site, both};
use crate::support::process;

/// A reader of one page, with what their browser keeps of it.
struct Reader {
    who: Visitor,
    path: String,
    tag: String,
}

impl Reader {
    /// Ann's room Hall, which Bob has read.
    async fn of_hall(site: &Site) -> (Visitor, Self) {
        let mut ann = Visitor::admin(site, "Ann").await;
        let mut bob = Visitor::registered(site, "Bob").await;
        let room = ann.public_room("Hall").await;
        bob.post(&format!("/rooms/{room}/join"), &[]).await.leads_to();
        ann.say(room, "The first word").await;
        let mut bob = Self { who: bob, path: format!("/chat/rooms/{room}"), tag: String::new() };
        bob.reads().await;
        // What was new on it counts as read by now.
        site.app.writer.flush().await.unwrap();
        bob.reads().await;
        (ann, bob)
    }

    async fn asks(&self) -> Page {
        self.who.get_with(&self.path, &[("if-none-match", &self.tag)]).await
    }

    /// Opens the page until nothing of it is marked as read any more.
    async fn reads(&mut self) {
        loop {
            let page = self.asks().await;
            if page.status == 304 {
                assert_eq!((page.text.as_str(), page.headers["etag"].to_str().unwrap()), ("", self.tag.as_str()));
                return;
            }
            assert_eq!(page.status, 200);
            self.tag = page.headers["etag"].to_str().unwrap().to_owned();
        }
    }

    /// The page isn't what it was, and shows this now.
    async fn sees(&mut self, text: &str) {
        let page = self.asks().await;
        assert_eq!(page.status, 200, "nothing new; wanted {text}");
        assert!(page.text.contains(text), "{text} is missing in {}", page.text);
        self.reads().await;
    }
}

both! {
    async fn where_no_page_is_kept_each_is_made_anew_and_an_unchanged_one_is_not_sent_again_all_the_same(engine: Engine) {
        let site = Site::with(engine, Options { settings: vec![("PAGE_CACHE", "off")], ..Options::default() }).await;
        let (mut ann, mut bob) = Reader::of_hall(&site).await;
        ann.say(1, "A second word").await;
        bob.sees("A second word").await;
        // It counts as read by now.
        site.app.writer.flush().await.unwrap();
        bob.reads().await;
        assert_eq!(bob.asks().await.status, 304);
    }
}

both! {
    /// The first time by the way that waits, then at once where that can be (`db/direct.rs`).
    async fn a_page_is_the_same_whichever_way_it_was_read_and_shut_to_others_either_way(engine: Engine) {
        let site = Site::with(engine, Options { settings: vec![("PAGE_CACHE", "off")], ..Options::default() }).await;
        let mut ann = Visitor::admin(&site, "Ann").await;
        let mut bob = Visitor::registered(&site, "Bob").await;
        let cat = Visitor::registered(&site, "Cat").await;
        let den = ann.group_with("Den \"5'\" é", 2).await;
        let address = format!("/chat/rooms/{den}");
        for words in ["**One**, \"é\" <b> \\n", "/me waves", "three", "four"] {
            ann.say(den, words).await;
        }
        let file = reqwest::multipart::Part::bytes(b"words".to_vec()).file_name("a \"name\".txt");
        let form = reqwest::multipart::Form::new().text("content", "").text("reply_to", "1").part("file", file);
        ann.post_multipart(&address, form).await.leads_to();
        ann.post("/chat/messages/2/react", &[("emoji", "🎉")]).await.leads_to();
        bob.post("/chat/messages/2/react", &[("emoji", "🎉")]).await.leads_to();
        ann.post("/chat/messages/1/pin", &[]).await.leads_to();
        ann.post("/chat/messages/3/delete", &[]).await.leads_to();
        ann.post("/chat/messages/4/edit", &[("content", "for")]).await.leads_to();
        let page = async || {
            let page = ann.get(&address).await;
            let id = page.text.split("name=\"client_id\" value=\"").nth(1).unwrap()[..32].to_owned();
            (page.headers["etag"].to_str().unwrap().to_owned(), page.text.replace(&id, ""))
        };
        let first = page().await;
        for shown in ["<b>Ann</b>", "a &#34;name&#34;.txt", "Ann, Bob", "class=\"quote\"", "This message was deleted", "for</p>"] {
            assert!(first.1.contains(shown), "{shown} is missing in {}", first.1);
        }
        assert_eq!(page().await, first);
        assert_eq!(page().await, first);
        for _ in 0..3 {
            assert_eq!(cat.get(&address).await.status, 404);
            assert_eq!(cat.get("/chat/rooms/999").await.status, 404);
        }
        assert_eq!(page().await, first);
    }
}

both! {
    async fn an_unchanged_page_is_not_sent_again_and_every_change_is_seen_at_once(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, mut bob) = Reader::of_hall(&site).await;
        ann.say(1, "A second word").await;
        bob.sees("A second word").await;
        ann.post("/chat/messages/2/edit", &[("content", "Another word")]).await.leads_to();
        bob.sees("Another word").await;
        ann.post("/chat/messages/2/react", &[("emoji", "🎉")]).await.leads_to();
        bob.sees("title=\"Ann\">🎉 1").await;
        ann.post("/chat/messages/1/pin", &[]).await.leads_to();
        bob.sees("<b>Ann</b> <bdi>The first word</bdi>").await;
        ann.post("/chat/messages/2/delete", &[]).await.leads_to();
        bob.sees("This message was deleted.").await;
        ann.post("/rooms/1/settings", &[("name", "Great hall"), ("description", "")]).await.leads_to();
        bob.sees("<h1>Great hall</h1>").await;
        site.sql("update users set username = 'Anna', username_folded = 'anna' where id = 1").await;
        bob.sees("<span class=\"author\">Anna</span>").await;
    }
}

both! {
    async fn what_happens_elsewhere_is_seen_beside_the_talk(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, mut bob) = Reader::of_hall(&site).await;
        let den = ann.group_with("Den", 2).await;
        bob.sees("<span class=\"name\">Den</span>").await;
        ann.say(den, "Here, too").await;
        bob.sees("<span class=\"count\">1</span><span class=\"away\"> unread</span></span></a></li>").await;
        ann.say(den, "And @Bob, are you there?").await;
        bob.sees("<span class=\"count\">2</span>").await;
        assert!(bob.who.get(&bob.path).await.text.contains("id=\"notices\"><span class=\"count\">"), "a mention counts");
        ann.public_room("Yard").await;
        bob.sees("<span class=\"name\">Yard</span>").await;
        let _socket = ann.follows(1).await;
        bob.sees("<li>Ann</li>").await;
        site.sql("update users set role = 'moderator' where id = 2").await;
        bob.sees("Backoffice").await;
    }
}

both! {
    async fn a_right_that_was_taken_away_is_gone_at_once(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, mut bob) = Reader::of_hall(&site).await;
        let den = ann.group_with("Den", 2).await;
        bob.path = format!("/chat/rooms/{den}");
        bob.reads().await;
        ann.post(&format!("/rooms/{den}/members/2/remove"), &[]).await.leads_to();
        assert_eq!(bob.asks().await.status, 404);

        bob.path = "/chat/rooms/1".into();
        bob.reads().await;
        site.sql("update users set is_active = false where id = 2").await;
        assert_eq!(bob.asks().await.status, 303);
        site.sql("update users set is_active = true where id = 2").await;
        bob.reads().await;
        site.sql("delete from sessions where user_id = 2").await;
        assert_eq!(bob.asks().await.status, 303);
    }
}

both! {
    async fn what_the_command_line_does_is_seen_by_the_next_request(engine: Engine) {
        let site = Site::new(engine).await;
        let (_ann, mut bob) = Reader::of_hall(&site).await;
        bob.reads().await;
        let done = process::run(&site.database, &["user", "disable", "Bob"], "", &[]).await;
        assert!(done.status.success(), "{:?}", process::texts(&done));
        assert_eq!(bob.asks().await.status, 303);
    }
}

both! {
    async fn a_page_is_for_one_session_alone_and_is_asked_for_each_time(engine: Engine) {
        let site = Site::new(engine).await;
        let (_ann, bob) = Reader::of_hall(&site).await;
        let again = Visitor::logged_in(&site, "Bob").await;
        let page = again.get_with(&bob.path, &[("if-none-match", "\"never\"")]).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["cache-control"], "private, no-cache");
        let stranger = Visitor::new(&site).get_with(&bob.path, &[("if-none-match", &bob.tag)]).await;
        assert_eq!((stranger.status.as_u16(), &stranger.headers["cache-control"]), (303, &"no-store".parse().unwrap()));
        let past = bob.who.get(&format!("{}?before=1", bob.path)).await;
        assert!(!past.headers.contains_key("etag"), "only the newest page is kept");
    }
}

both! {
    async fn a_page_compressed_by_parts_is_the_page(engine: Engine) {
        let site = Site::new(engine).await;
        let (_ann, bob) = Reader::of_hall(&site).await;
        let page = bob.who.get(&bob.path).await;
        let squeezed = bob.who.get_with(&bob.path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(squeezed.headers["content-encoding"], "gzip");
        assert_eq!(squeezed.headers["etag"], page.headers["etag"]);
        let mut text = String::new();
        flate2::read::GzDecoder::new(squeezed.body.as_slice()).read_to_string(&mut text).unwrap();
        // Each has an id of its own for what is written in it.
        let bare = |text: &str| {
            let (before, after) = text.split_once("name=\"client_id\" value=\"").unwrap();
            format!("{before}{}", &after[32..])
        };
        assert_eq!(bare(&text), bare(&page.text));
        assert_ne!(text, page.text);
    }
}

both! {
    async fn two_forms_of_one_page_never_swallow_a_message(engine: Engine) {
        let site = Site::with(engine, Options::default()).await;
        let (_ann, mut bob) = Reader::of_hall(&site).await;
        let page = bob.who.get(&bob.path).await.text;
        let id = page.split("name=\"client_id\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert_eq!(id.len(), 32);
        let path = bob.path.clone();
        bob.who.post(&path, &[("content", "One"), ("client_id", &id)]).await.leads_to();
        let other = bob.who.post(&path, &[("content", "Two"), ("client_id", &id)]).await;
        assert_eq!(other.status, 409);
        assert!(other.text.contains(">Two</textarea>"), "what was written is kept");
        let [next, beside] = [bob.who.get(&bob.path).await.text, bob.who.get(&bob.path).await.text];
        assert!(!next.contains(&id) && next != beside, "each has an id of its own");
    }
}
