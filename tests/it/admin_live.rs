//! The open connections: who sees them, who ends them, and what that does.

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};

/// The ids of the sockets on the page, newest first.
fn sockets(page: &str) -> Vec<String> {
    let after = page.split("/admin/live/").skip(1);
    let ids = after.filter_map(|rest| rest.split_once("/disconnect\"")).map(|(id, _)| id.to_owned());
    ids.filter(|id| id.bytes().all(|b| b.is_ascii_digit())).collect()
}

both! {
    async fn connections_are_shown_with_their_person_and_rooms(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let bob = Visitor::registered(&site, "bob").await;
        assert!(ann.get("/admin/live").await.text.contains("Nobody has the chat open right now."));
        let room = ann.public_room("General").await;
        let _bob = bob.follows(room).await;
        let _ann = ann.follows(room).await;
        let page = ann.get("/admin/live").await.text;
        assert!(page.contains("2 connections") && page.contains("127.0.0.1"), "{page}");
        assert!(page.contains(&format!("href=\"/admin/rooms/{room}/\">General</a>")));
        let (ann_at, bob_at) = (page.find(">ann</a>").unwrap(), page.find(">bob</a>").unwrap());
        assert!(ann_at < bob_at, "newest first");
        let page = ann.get("/admin/live?q=BO").await.text;
        assert!(page.contains("1 connection") && page.contains(">bob</a>") && !page.contains(">ann</a>"));
        for nobody in ["zed", "%00", "%25", "%F0%9F%98%80", &"b".repeat(10_000)] {
            let page = ann.get(&format!("/admin/live?q={nobody}")).await;
            assert_eq!(page.status, 200, "{nobody}");
        }
    }
}

both! {
    async fn moderators_see_no_addresses_and_disconnect_those_below_them_only(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::admin(&site, "ann").await;
        let bob = Visitor::registered(&site, "bob").await;
        let mut mia = Visitor::of_role(&site, "mia", "moderator").await;
        let mut open = bob.socket("/ws").await;
        open.expect("connected").await;
        let page = mia.get("/admin/live").await.text;
        assert!(page.contains(">bob</a>") && !page.contains("127.0.0.1") && !page.contains("log-out"));
        let socket = sockets(&page).remove(0);
        let refused = mia.post(&format!("/admin/live/{socket}/log-out"), &[]).await;
        assert_eq!(refused.status, 403);
        let done = mia.post(&format!("/admin/live/{socket}/disconnect"), &[("q", "bob")]).await;
        assert_eq!(done.leads_to(), "/admin/live?q=bob&done=disconnected");
        assert_eq!(open.close_code().await, 1012);
        assert_eq!(site.number("select count(*) from audit_entries where model = 'users' and action = 'disconnect' and object_id = '2'").await, 1);
        // Closing the socket ends no session.
        let mut again = bob.socket("/ws").await;
        again.expect("connected").await;

        let mut above = ann.socket("/ws").await;
        above.expect("connected").await;
        let page = mia.get("/admin/live?q=ann").await.text;
        assert!(page.contains(">ann</a>") && sockets(&page).is_empty(), "{page}");
        let id = sockets(&ann.get("/admin/live?q=ann").await.text).remove(0);
        assert_eq!(mia.post(&format!("/admin/live/{id}/disconnect"), &[]).await.status, 403);
        assert_eq!(site.app.hub.people_online(), 2);
    }
}

both! {
    async fn logging_out_ends_the_session_and_is_in_history(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let bob = Visitor::registered(&site, "bob").await;
        let mut open = bob.socket("/ws").await;
        open.expect("connected").await;
        let socket = sockets(&ann.get("/admin/live").await.text).remove(0);
        let path = format!("/admin/live/{socket}/log-out");
        assert_eq!(ann.post(&path, &[]).await.leads_to(), "/admin/live?done=logged-out");
        assert_eq!(open.close_code().await, 4401);
        assert!(bob.get("/chat").await.leads_to().starts_with("/login"));
        assert_eq!(site.number("select count(*) from audit_entries where model = 'sessions' and action = 'delete'").await, 1);
        // A second press finds nothing to end.
        assert_eq!(ann.post(&path, &[]).await.leads_to(), "/admin/live?done=gone");
        assert!(ann.get("/admin/live?done=gone").await.text.contains("This connection was gone already."));
        for forged in ["0", "-1", "x", "18446744073709551615"] {
            let page = ann.post(&format!("/admin/live/{forged}/disconnect"), &[]).await;
            assert_eq!(page.leads_to(), "/admin/live?done=gone", "{forged}");
        }
        assert_eq!(site.number("select count(*) from audit_entries").await, 1);
    }
}

both! {
    async fn nobody_logs_out_their_own_session_here(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let mut open = ann.socket("/ws").await;
        open.expect("connected").await;
        let page = ann.get("/admin/live").await.text;
        let socket = sockets(&page).remove(0);
        assert!(!page.contains("log-out"));
        assert_eq!(ann.post(&format!("/admin/live/{socket}/log-out"), &[]).await.status, 409);
        assert_eq!(ann.get("/admin/").await.status, 200);
    }
}
