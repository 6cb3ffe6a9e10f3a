//! Exports of the backoffice: the filtered list as a file, all of it, safe to open, and only for those who may.

use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::Value;
use switchboard::admin::export::{self, Format};
use switchboard::admin::query::Query;
use switchboard::admin::value::Key;
use switchboard::error::Error;
use switchboard::ids::{SessionId, UserId};
use switchboard::users::{Person, Role, Via};

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Site, both};

/// Ann, an administrator whose password was just asked for, and `people` others.
async fn office(site: &Site, people: i64) -> Visitor {
    let mut ann = Visitor::registered(site, "ann").await;
    site.sql("update users set role = 'admin' where username = 'ann'").await;
    if people > 0 {
        site.sql(&crowd(people)).await;
    }
    let page = ann.post("/admin/sudo", &[("sudo_password", PASSWORD), ("next", "/admin/users/")]).await;
    assert_eq!(page.leads_to(), "/admin/users/");
    ann
}

/// People `p1`, `p2` … who joined a millisecond apart, every tenth a moderator.
fn crowd(people: i64) -> String {
    format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {people})
         insert into users (username, username_folded, email, email_folded, password_hash, bio, role, created_at, updated_at)
         select 'p' || i, 'p' || i, 'p' || i || '@example.org', 'p' || i || '@example.org', 'SECRET-HASH',
                'About person ' || i || ', at some length: ' || '{}',
                case when i % 10 = 0 then 'moderator' else 'user' end, 1000000000000000 + i * 1000, 0 from n",
        "x".repeat(300)
    )
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

both! {
    async fn all_rows_leave_in_the_lists_order_with_all_that_is_stored(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 2500).await;
        let page = ann.get("/admin/users/export.csv").await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["content-type"], "text/csv; charset=utf-8");
        assert_eq!(page.headers["cache-control"], "no-store");
        let disposition = page.headers["content-disposition"].to_str().unwrap();
        let today = site.app.clock.now().day();
        assert_eq!(disposition, format!("attachment; filename=\"users-{today}.csv\""));
        let rows: Vec<&str> = page.text.split_terminator("\r\n").collect();
        assert_eq!(rows.len(), 2502, "a header, Ann and 2,500 others");
        assert_eq!(
            rows[0],
            "id,username,email,first_name,last_name,bio,avatar,role,is_active,totp_enabled,last_seen_at,created_at,updated_at"
        );
        let names: Vec<&str> = rows[1..].iter().map(|row| row.split(',').nth(1).unwrap()).collect();
        assert_eq!(names[..3], ["ann", "p2500", "p2499"], "newest first, as the list");
        assert_eq!(names[2500], "p1");
        assert!(rows[2501].contains(",user,true,false,,2001-09-09T01:46:40.001Z,"), "{}", rows[2501]);
        assert!(!page.text.contains("SECRET"), "hashes never leave");
    }
}

both! {
    async fn the_addresss_filters_search_and_order_are_the_files(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 2500).await;
        let query = "role=moderator&q=p1&sort=username";
        let page = ann.get(&format!("/admin/users/export.jsonl?{query}&page=3&per=25")).await;
        assert_eq!(page.headers["content-type"], "application/x-ndjson");
        let people = lines(&page.text);
        let names: Vec<&str> = people.iter().map(|one| one["username"].as_str().unwrap()).collect();
        let mut wanted: Vec<String> =
            (1..=2500).filter(|i| i % 10 == 0).map(|i| format!("p{i}")).filter(|name| name.starts_with("p1")).collect();
        wanted.sort();
        assert_eq!(names, wanted, "whatever page was looked at");
        let list = ann.get(&format!("/admin/users/?{query}")).await;
        assert!(list.text.contains(&format!(">{} people", wanted.len())), "as many as the list says");
    }
}

both! {
    async fn json_is_one_array_and_typed(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 1001).await;
        let page = ann.get("/admin/users/export.json?sort=created_at").await;
        assert_eq!(page.headers["content-type"], "application/json");
        let people: Vec<Value> = serde_json::from_str(&page.text).unwrap();
        assert_eq!(people.len(), 1002);
        let first = &people[0];
        assert_eq!(first["username"], "p1");
        assert!(first["id"].is_i64());
        assert_eq!(first["is_active"], true);
        assert_eq!(first["last_seen_at"], Value::Null);
        assert_eq!(first["created_at"], "2001-09-09T01:46:40.001Z");
        assert!(first.get("password_hash").is_none() && first.get("rooms").is_none());
        let none: Vec<Value> = serde_json::from_str(&ann.get("/admin/users/export.json?q=nobody").await.text).unwrap();
        assert!(none.is_empty());
        assert_eq!(ann.get("/admin/users/export.jsonl?q=nobody").await.text, "");
    }
}

both! {
    async fn no_cell_is_a_formula(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 0).await;
        site.sql("update users set first_name = '=HYPERLINK(\"https://evil.example\")', last_name = '-1', bio = 'a,\"b\"\nc'").await;
        let text = ann.get("/admin/users/export.csv").await.text;
        assert!(text.contains(",\"'=HYPERLINK(\"\"https://evil.example\"\")\",'-1,\"a,\"\"b\"\"\nc\","), "{text}");
        let text = ann.get("/admin/users/export.jsonl").await.text;
        assert!(text.contains("\"last_name\":\"-1\""), "JSON is no spreadsheet: {text}");
    }
}

both! {
    async fn a_slow_reader_holds_no_connection_and_gets_it_piece_by_piece(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 30_000).await;
        let mut slow = Vec::new();
        for _ in 0..20 {
            let mut response = ann.open("/admin/users/export.csv").await;
            assert!(response.headers().get("content-length").is_none(), "nobody knows how long it gets");
            let piece = response.chunk().await.unwrap().unwrap();
            assert!(piece.len() < 1_000_000, "{} bytes at once", piece.len());
            slow.push(response);
        }
        // More are under way than there are connections on either engine, and pages come as ever.
        assert_eq!(ann.get("/admin/users/").await.status, 200);
        let mut pieces = 1;
        let mut response = slow.pop().unwrap();
        while response.chunk().await.unwrap().is_some() {
            pieces += 1;
        }
        assert!(pieces >= 30, "{pieces} pieces of 30,000 rows");
    }
}

both! {
    async fn what_fails_in_the_middle_breaks_the_connection(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 60_000).await;
        let mut response = ann.open("/admin/users/export.csv").await;
        response.chunk().await.unwrap();
        site.sql("alter table users rename to gone").await;
        let end = loop {
            match tokio::time::timeout(Duration::from_secs(20), response.chunk()).await.unwrap() {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(end.is_err(), "half a file must not look like a whole one");
    }
}

both! {
    async fn each_export_is_in_history(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 1).await;
        ann.get("/admin/users/export.csv?role=admin&q=an").await;
        let label = "export.csv?role=admin&q=an";
        let count = format!(
            "select count(*) from audit_entries where action = 'export' and model = 'users' and object_id = ''
             and object_label = '{label}' and changes = '{{}}' and ip = '127.0.0.1'
             and actor_id = (select id from users where username = 'ann')"
        );
        assert_eq!(site.number(&count).await, 1);
        assert_eq!(ann.get("/admin/users/export.csv?role=nonsense").await.status, 400);
        assert_eq!(site.number("select count(*) from audit_entries where action = 'export'").await, 1, "none left");
    }
}

both! {
    async fn people_leave_only_after_the_password_was_asked_again(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        site.sql("update users set role = 'admin'").await;
        let address = "/admin/users/export.csv?q=an&role=admin";
        let page = ann.get(address).await;
        assert_eq!(page.status, 403);
        assert!(page.text.contains("action=\"/admin/sudo\"") && page.text.contains("name=\"next\""), "{}", page.text);
        assert!(page.text.contains("value=\"/admin/users/export.csv?q=an&#38;role=admin\""), "{}", page.text);
        assert!(!page.text.contains("ann@example.org"));
        assert_eq!(site.number("select count(*) from audit_entries").await, 0);
        let wrong = ann.post("/admin/sudo", &[("sudo_password", "wrong"), ("next", address)]).await;
        assert_eq!(wrong.status, 403);
        assert_eq!(ann.get(address).await.status, 403);
        let right = ann.post("/admin/sudo", &[("sudo_password", PASSWORD), ("next", address)]).await;
        assert_eq!(right.leads_to(), address);
        assert!(ann.get(address).await.text.contains("ann@example.org"));
    }
}

both! {
    async fn what_cant_be_asked_exports_nothing(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 0).await;
        for (query, named) in [
            ("password_hash=x", "“password_hash” is secret"),
            ("shoe_size=9", "no field “shoe_size”"),
            ("sort=password_hash", "“password_hash” is secret"),
            ("sort=bio", "can&#39;t be sorted by “bio”"),
            ("bio=x", "can&#39;t be narrowed by “bio”"),
            ("role=king", "“king” isn&#39;t one of"),
            ("created_at=yesterday", "“yesterday” is no date"),
            ("is_active=perhaps", "“perhaps” isn&#39;t true or false"),
        ] {
            for format in ["csv", "json", "jsonl"] {
                let page = ann.get(&format!("/admin/users/export.{format}?{query}")).await;
                assert_eq!(page.status, 400, "{query}");
                assert!(page.text.contains(named), "{query}: {}", page.text);
                assert!(!page.text.contains("ann@example.org"));
            }
        }
        assert_eq!(ann.get("/admin/users/export.xlsx").await.status, 404);
        assert_eq!(ann.get("/admin/unicorns/export.csv").await.status, 404);
    }
}

both! {
    async fn only_who_may_export_does(engine: Engine) {
        let site = Site::new(engine).await;
        let _ann = office(&site, 1).await;
        let visitor = Visitor::new(&site);
        let [bob, mod_] = [Visitor::registered(&site, "bob").await, Visitor::registered(&site, "mod").await];
        site.sql("update users set role = 'moderator' where username = 'mod'").await;
        for format in ["csv", "json", "jsonl"] {
            let path = format!("/admin/users/export.{format}");
            assert!(visitor.get(&path).await.leads_to().starts_with("/login?next="));
            assert_eq!(bob.get(&path).await.status, 403);
            let page = mod_.get(&path).await;
            assert_eq!(page.status, 403, "moderators look at people, and no more");
            assert!(page.text.contains("Your role can&#39;t export these."), "{}", page.text);
        }
        assert_eq!(site.number("select count(*) from audit_entries").await, 0);
    }
}

both! {
    async fn compressed_or_not_it_is_the_same_file(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site, 5000).await;
        let plain = ann.get("/admin/users/export.csv").await;
        assert!(plain.headers.get("content-encoding").is_none());
        let request = reqwest::Client::new().get(site.url("/admin/users/export.csv"));
        let request = request.header("cookie", ann.cookie().unwrap()).header("accept-encoding", "gzip");
        let packed = request.send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        let packed = packed.bytes().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.gz");
        std::fs::write(&path, &packed).unwrap();
        let out = std::process::Command::new("gzip").arg("-dc").arg(&path).output().unwrap();
        assert!(out.status.success() && packed.len() < plain.text.len() / 4);
        assert_eq!(String::from_utf8(out.stdout).unwrap(), plain.text);
    }
}

both! {
    /// As the bulk action calls it, which has no page here.
    async fn of_ticked_rows_only_those_leave_that_the_list_finds(engine: Engine) {
        let site = Site::new(engine).await;
        let _ann = office(&site, 7000).await;
        let users = switchboard::admin::find("users").unwrap();
        let person = Person {
            id: UserId(1),
            username: "ann".into(),
            role: Role::Admin,
            via: Via::Session(SessionId(1)),
            signed_in_at: None, confirmed_at: None,
            held_back: false,
            language: None,
            avatar: None,
        };
        let taken = async |query: &str, keys: Vec<i64>, person: &Person| -> Result<Vec<i64>, Error> {
            let query = Query::parse(users, person, query)?;
            let keys = keys.into_iter().map(Key::Id).collect();
            let pieces = export::stream(&site.app, person, users, &query, Some(keys), Format::JsonLines).await?;
            let pieces: Vec<_> = pieces.try_collect().await?;
            Ok(lines(&String::from_utf8(pieces.concat()).unwrap()).iter().map(|one| one["id"].as_i64().unwrap()).collect())
        };
        assert_eq!(taken("", vec![5, 3, 999_999, 4], &person).await.unwrap(), [5, 4, 3], "in the list's order");
        assert_eq!(taken("role=moderator", vec![10, 11, 12], &person).await.unwrap(), [11], "the tenth is a moderator");
        assert!(taken("", vec![], &person).await.unwrap().is_empty());
        let most: Vec<i64> = (2..=6001).collect();
        assert_eq!(taken("sort=created_at", most.clone(), &person).await.unwrap(), most);
        assert_eq!(taken("sort=username", most, &person).await.unwrap().len(), 6000);
        let moderator = Person { role: Role::Moderator, ..person };
        assert!(matches!(taken("", vec![1], &moderator).await, Err(Error::Forbidden(_))));
    }
}

both! {
    async fn ticked_rows_are_exported_by_those_who_may_and_people_only_with_the_password(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let mut moe = Visitor::of_role(&site, "moe", "moderator").await;
        for room in ["One", "Two", "Three"] {
            ann.public_room(room).await;
        }
        let ticked = [("action", "export"), ("ids", "1"), ("ids", "3")];
        let page = moe.post("/admin/rooms/action", &ticked).await;
        assert!(page.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"rooms-"));
        let names: Vec<&str> = page.text.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
        assert_eq!(names, ["Three", "One"]);
        assert_eq!(moe.post("/admin/users/action", &ticked).await.status, 403);
        let refused = ann.post("/admin/users/action", &ticked).await;
        assert!(refused.status == 403 && !refused.text.contains("moe@example.org"), "{}", refused.text);
        let confirmed = [ticked.as_slice(), &[("sudo_password", PASSWORD)]].concat();
        let page = ann.post("/admin/users/action", &confirmed).await;
        assert!(page.status == 200 && page.text.contains("ann@example.org"), "{}", page.text);
        assert_eq!(site.number("select count(*) from audit_entries where action = 'export'").await, 2);
    }
}
