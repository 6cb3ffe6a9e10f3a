//! Imports of the backoffice: checked first, shown, then all of it or nothing, and only for those who may.

use reqwest::multipart::{Form, Part};

use crate::support::actors::{PASSWORD, Page, Visitor};
use crate::support::app::{Site, both};

const IMPORT: &str = "/admin/users/import";

/// Ann, an administrator whose password was just asked for.
async fn office(site: &Site) -> Visitor {
    let mut ann = Visitor::registered(site, "ann").await;
    site.sql("update users set role = 'admin' where username = 'ann'").await;
    let page = ann.post("/admin/sudo", &[("sudo_password", PASSWORD), ("next", "/admin/users/")]).await;
    assert_eq!(page.leads_to(), "/admin/users/");
    ann
}

/// People `pat1`, `pat2` …, by one statement.
async fn crowd(site: &Site, people: i64) {
    site.sql(&format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {people})
         insert into users (username, username_folded, email, email_folded, password_hash, created_at, updated_at)
         select 'pat' || i, 'pat' || i, 'pat' || i || '@example.org', 'pat' || i || '@example.org', 'hash', 1000000000123456 + i, 0
         from n"
    ))
    .await;
}

async fn upload(ann: &Visitor, name: &str, content: impl Into<Vec<u8>>) -> Page {
    let file = Part::bytes(content.into()).file_name(name.to_owned());
    ann.post_multipart(IMPORT, Form::new().part("file", file).text("text", "")).await
}

/// The page of an upload once nothing runs any more.
async fn settled(ann: &Visitor, path: &str) -> Page {
    for _ in 0..100_000 {
        let page = ann.get(path).await;
        if page.headers.get("refresh").is_none() {
            return page;
        }
        tokio::task::yield_now().await;
    }
    panic!("{path} never ends");
}

/// Uploads and waits for the report; gives its address, too.
async fn checked(ann: &Visitor, name: &str, content: impl Into<Vec<u8>>) -> (String, Page) {
    let page = upload(ann, name, content).await;
    let path = page.leads_to().to_owned();
    assert!(path.starts_with("/admin/users/import/"), "{path}");
    let page = settled(ann, &path).await;
    assert_eq!(page.status, 200);
    (path, page)
}

/// The summary's sentence.
fn summary(page: &Page) -> &str {
    let (_, rest) = page.text.split_once("id=\"summary\" role=\"status\">").expect(&page.text);
    rest.split_once("</p>").unwrap().0
}

/// Confirms and waits for the end.
async fn confirmed(ann: &mut Visitor, path: &str) -> Page {
    assert_eq!(ann.post(path, &[]).await.leads_to(), path);
    settled(ann, path).await
}

async fn names(site: &Site, column: &str) -> i64 {
    site.number(&format!("select count(*) from users where {column}")).await
}

both! {
    async fn an_export_reads_back_as_it_is_in_every_format(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site).await;
        crowd(&site, 1200).await;
        site.sql("update users set first_name = '=1+1', last_name = '''-2', bio = 'a, \"b\"\nc ', last_seen_at = 1000000000999999
                  where id % 2 = 0").await;
        for format in ["csv", "json", "jsonl"] {
            let file = ann.get(&format!("/admin/users/export.{format}")).await.text;
            let (_, page) = checked(&ann, &format!("people.{format}"), file).await;
            assert_eq!(summary(&page), "0 records to make, 0 to change, 1,201 as they are, 0 bad.");
            assert!(page.text.contains("There is nothing to import"));
        }
    }
}

both! {
    async fn what_differs_is_shown_and_then_stored_with_its_history(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = office(&site).await;
        crowd(&site, 3).await;
        let csv = "id,username,first_name,is_active\r\n2,pat1,'=Pat,TRUE\r\n3,pat2,,true\r\n4,pat3,,FALSE\r\n";
        let (path, page) = checked(&ann, "people.csv", csv).await;
        assert_eq!(summary(&page), "0 records to make, 2 to change, 1 as they are, 0 bad.");
        assert!(page.text.contains("<td>First name</td><td>–</td><td>=Pat</td>"), "{}", page.text);
        assert!(page.text.contains("<td>Active</td><td>true</td><td>false</td>"), "{}", page.text);
        assert_eq!(names(&site, "first_name = '=Pat' or not is_active").await, 0, "a dry run stores nothing");
        assert_eq!(site.number("select count(*) from audit_entries").await, 0);
        assert!(page.text.contains("Import 2 records"));
        assert_eq!(confirmed(&mut ann, &path).await.leads_to(), "/admin/users/?done=imported-2");
        assert_eq!(names(&site, "(username = 'pat1' and first_name = '=Pat') or (username = 'pat3' and not is_active)").await, 2);
        let entries = "select count(*) from audit_entries where action = 'import' and model = 'users' and ip = '127.0.0.1'
                       and object_id in ('2', '4') and changes like '%before%'";
        assert_eq!(site.number(entries).await, 2, "one entry a record");
        let again = ann.post(&path, &[]).await;
        assert_eq!(again.leads_to(), path, "sent twice, done once");
        assert_eq!(site.number("select count(*) from audit_entries").await, 2);
        assert!(ann.get("/admin/users/?done=imported-2").await.text.contains("Imported: 2 records"));
    }
}

both! {
    async fn lines_without_an_id_are_made_with_their_passwords(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = office(&site).await;
        let lines = format!(
            "{{\"username\": \"cleo\", \"email\": \"cleo@example.org\", \"password\": \"{PASSWORD}\", \"role\": \"moderator\"}}\n\n\
             {{\"id\": null, \"username\": \"dan\", \"email\": \"dan@example.org\", \"password\": \"{PASSWORD}\", \"is_active\": false}}\n"
        );
        let (path, page) = checked(&ann, "new.jsonl", lines).await;
        assert_eq!(summary(&page), "2 records to make, 0 to change, 0 as they are, 0 bad.");
        assert!(page.text.contains("cleo") && page.text.contains("<td>password</td><td>–</td><td>set</td>"), "{}", page.text);
        assert!(!page.text.contains(PASSWORD), "no password on any page");
        assert_eq!(names(&site, "username = 'cleo'").await, 0);
        assert_eq!(confirmed(&mut ann, &path).await.leads_to(), "/admin/users/?done=imported-2");
        assert_eq!(names(&site, "username = 'cleo' and role = 'moderator' and is_active").await, 1);
        assert_eq!(names(&site, "username = 'dan' and not is_active").await, 1);
        Visitor::logged_in(&site, "cleo").await;
        assert_eq!(site.number(&format!("select count(*) from audit_entries where changes like '%{PASSWORD}%'")).await, 0);
        assert_eq!(site.number("select count(*) from audit_entries where action = 'create'").await, 2);
    }
}

both! {
    async fn every_bad_line_is_told_with_its_reason_and_nothing_is_stored(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = office(&site).await;
        crowd(&site, 3).await;
        let csv = "id,username,email,role,password\n\
                   2,P One,pat1@example.org,user,\n\
                   3,pat2,pat2@example.org,king,\n\
                   77,pat9,pat9@example.org,user,\n\
                   x,pat9,pat9@example.org,user,\n\
                   ,pat1,new@example.org,user,correct horse battery\n\
                   ,new,new@example.org,user,\n\
                   4,\"pat3\nx\",pat3@example.org,user,\n\
                   4,pat3,pat3@example.org,user,,\n\
                   1,ann,ann@example.org,user,\n\
                   2,pat1,pat1@example.org,user,\n\
                   ,good,good@example.org,user,correct horse battery\n";
        let (path, page) = checked(&ann, "people.csv", csv).await;
        assert_eq!(summary(&page), "1 record to make, 0 to change, 0 as they are, 10 bad.");
        for (line, why) in [
            (2, "Username: "),
            (3, "Role: “king” isn&#39;t one of"),
            (4, "There is no person with the id “77”."),
            (5, "There is no person with the id “x”."),
            (6, "Username: "),
            (7, "password: This is needed."),
            (8, "Username: "),
            (10, "This line has 6 cells; the first one has 5."),
            (11, "You can&#39;t change your own role"),
            (12, "id 2 is on line 2 already."),
        ] {
            let row = format!("<th scope=\"row\" class=\"number\">{line}</th><td>{why}");
            assert!(page.text.contains(&row), "line {line}: {}", page.text);
        }
        assert!(!page.text.contains("Import 1 record"), "not while a line is bad");
        let stays = ann.post(&path, &[]).await;
        assert_eq!(stays.leads_to(), path);
        assert_eq!(summary(&settled(&ann, &path).await), summary(&page), "forged, it does nothing");
        assert_eq!(names(&site, "id > 0").await, 4);
        assert_eq!(site.number("select count(*) from audit_entries").await, 0);
    }
}

both! {
    async fn a_thousand_bad_lines_are_shown_and_all_are_counted(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site).await;
        let mut csv = "id,username\n".to_owned();
        (100..1300).for_each(|id| csv.push_str(&format!("{id},x\n")));
        let (_, page) = checked(&ann, "people.csv", csv).await;
        assert_eq!(summary(&page), "0 records to make, 0 to change, 0 as they are, 1,200 bad.");
        assert!(page.text.contains("The first 1000 of 1,200."));
        assert!(page.text.contains("“1099”") && !page.text.contains("“1100”"));
    }
}

both! {
    async fn what_only_reads_is_left_as_it_is_and_said(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site).await;
        crowd(&site, 2).await;
        let csv = "id,username,created_at,totp_enabled\n2,pat1,1999-01-01T00:00:00Z,false\n3,pat2,2001-09-09T01:46:40.123Z,true\n";
        let (_, page) = checked(&ann, "people.csv", csv).await;
        assert_eq!(summary(&page), "0 records to make, 0 to change, 2 as they are, 0 bad.");
        assert!(page.text.contains("Joined differs in 1 record, first on line 2."), "{}", page.text);
        assert!(page.text.contains("Two-factor differs in 1 record, first on line 3."), "{}", page.text);
    }
}

both! {
    async fn a_file_that_is_none_is_refused_in_a_sentence(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site).await;
        let many = format!("username\n{}", "x\n".repeat(20_001));
        let passwords = format!("username,password\n{}", "x,y\n".repeat(101));
        let cases: [(&str, &[u8], &str); 18] = [
            ("a.csv", b"", "There is nothing in it."),
            ("a.csv", b" \n\n", "There is nothing in it."),
            ("a.csv", b"id,username\n", "There is no record in it."),
            ("a.csv", b"id,username\n1,\xff\n", "isn&#39;t UTF-8"),
            ("a.csv", b"id,username\n1,x\n2,\"open\n3,y\n", "Line 3 has a quoted cell"),
            ("a.csv", b"id,username,id\n1,x,1\n", "The column “id” is there twice."),
            ("a.csv", b"id,shoe_size\n1,9\n", "no field “shoe_size”"),
            ("a.csv", b"id,password_hash\n1,x\n", "“password_hash” is secret"),
            ("a.csv", b"id,rooms\n1,9\n", "“rooms”"),
            ("a.csv", many.as_bytes(), "at most 20,000 records"),
            ("a.csv", passwords.as_bytes(), "at most 100 passwords"),
            ("a.xlsx", b"PK", "“a.xlsx” is no file that can be imported"),
            ("a.json", b"{\"id\": 1}", "Line 1: this is no JSON array of objects"),
            ("a.json", b"[\n{\"id\": 1},\n{\"id\": }]", "Line 3: this is no JSON array of objects"),
            ("a.json", b"[{\"id\": 1, \"id\": 2}]", "with each name once"),
            ("a.json", b"[]", "There is no record in it."),
            ("a.jsonl", b"{\"shoe_size\": 1}", "no field “shoe_size”"),
            ("a.jsonl", b"{\"password_hash\": 1}", "“password_hash” is secret"),
        ];
        for (name, content, why) in cases {
            let page = upload(&ann, name, content).await;
            assert_eq!(page.status, 400, "{why}: {}", page.text);
            assert!(page.text.contains(why), "{why}: {}", page.text);
        }
        let pasted = ann.post_multipart(IMPORT, Form::new().text("text", "id,shoe_size\n1,9\n")).await;
        assert!(pasted.text.contains("1,9\n</textarea>"), "what was typed stays: {}", pasted.text);
        let huge = upload(&ann, "a.csv", vec![b'x'; 17 * 1024 * 1024]).await;
        assert_eq!(huge.status, 413);
        assert_eq!(names(&site, "id > 0").await, 1);
    }
}

both! {
    async fn odd_lines_are_bad_lines_and_no_more(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site).await;
        let big = "x".repeat(10 * 1024 * 1024);
        let csv = format!("id,bio\n1,{big}\n1,a\0b\n");
        let (_, page) = checked(&ann, "a.csv", csv).await;
        assert!(page.text.len() < 50_000, "10 MB don't come back");
        assert!(page.text.contains("<td>This line is longer than 1 MB.") && page.text.contains("<td>Bio: Control char"), "{}", page.text);
        let lines = "[1]\n{\"id\": 1, \"bio\": [1]}\n{\"id\": 1,\n\"x\"\n{\"id\": 1, \"id\": 1}\n";
        let (_, page) = checked(&ann, "a.jsonl", lines).await;
        assert_eq!(summary(&page), "0 records to make, 0 to change, 0 as they are, 5 bad.");
        assert!(page.text.contains("“bio” holds a list or an object"), "{}", page.text);
    }
}

both! {
    async fn a_record_saved_meanwhile_stops_it_and_nothing_is_stored(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = office(&site).await;
        crowd(&site, 2).await;
        let csv = "id,first_name\n2,Pat\n3,Sam\n";
        let (path, _) = checked(&ann, "a.csv", csv).await;
        site.sql("update users set last_name = 'Other' where id = 3").await;
        let page = confirmed(&mut ann, &path).await;
        assert!(page.text.contains("Line 3: Somebody changed this record meanwhile. Nothing was stored."), "{}", page.text);
        assert_eq!(names(&site, "first_name <> ''").await, 0, "the line before it neither");
        assert_eq!(site.number("select count(*) from audit_entries").await, 0);
        let (path, _) = checked(&ann, "a.csv", csv).await;
        site.sql("delete from users where id = 3").await;
        let page = confirmed(&mut ann, &path).await;
        assert!(page.text.contains("Line 3: There is no such record."), "{}", page.text);
        assert_eq!(names(&site, "first_name <> ''").await, 0);
    }
}

both! {
    async fn confirming_asks_for_the_password_again(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        site.sql("update users set role = 'admin'").await;
        crowd(&site, 1).await;
        let (path, _) = checked(&ann, "a.csv", "id,role\n2,moderator\n").await;
        let asked = ann.post(&path, &[]).await;
        assert_eq!(asked.status, 403);
        assert!(asked.text.contains(&format!("action=\"{path}\"")), "{}", asked.text);
        assert_eq!(ann.post(&path, &[("sudo_password", "wrong")]).await.status, 403);
        assert_eq!(names(&site, "role = 'moderator'").await, 0);
        assert_eq!(ann.post(&path, &[("sudo_password", PASSWORD)]).await.leads_to(), path);
        assert_eq!(settled(&ann, &path).await.leads_to(), "/admin/users/?done=imported-1");
        assert_eq!(names(&site, "role = 'moderator'").await, 1);
    }
}

both! {
    async fn an_upload_is_its_persons_own_and_gone_after_a_restart(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = office(&site).await;
        let mut eve = Visitor::registered(&site, "eve").await;
        site.sql("update users set role = 'admin'").await;
        let (path, _) = checked(&ann, "a.csv", "id,first_name\n1,Ann\n").await;
        assert_eq!(eve.get(&path).await.status, 404);
        assert_eq!(eve.post(&path, &[("sudo_password", PASSWORD)]).await.status, 404);
        assert_eq!(eve.post(&format!("{path}/drop"), &[]).await.status, 404);
        assert_eq!(ann.post(&format!("{path}/drop"), &[]).await.leads_to(), IMPORT);
        let page = ann.get(&path).await;
        assert_eq!(page.status, 404);
        assert!(page.text.contains("Upload the file again."), "{}", page.text);
    }
}

both! {
    async fn a_long_file_shows_how_far_it_is(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = office(&site).await;
        crowd(&site, 900).await;
        let mut csv = "id,first_name\n".to_owned();
        (2..=901).for_each(|id| csv.push_str(&format!("{id},Pat {id}\n")));
        let path = upload(&ann, "a.csv", csv).await.leads_to().to_owned();
        let page = ann.get(&path).await;
        if let Some(refresh) = page.headers.get("refresh") {
            assert_eq!(refresh, "1");
            assert!(page.text.contains("<progress") && page.text.contains("of 900 lines"), "{}", page.text);
        }
        let page = settled(&ann, &path).await;
        assert_eq!(summary(&page), "0 records to make, 900 to change, 0 as they are, 0 bad.");
        assert!(page.text.contains("The first 200 of 900 records."));
        assert_eq!(confirmed(&mut ann, &path).await.leads_to(), "/admin/users/?done=imported-900");
        assert_eq!(names(&site, "first_name like 'Pat %'").await, 900);
        assert_eq!(site.number("select count(*) from audit_entries where action = 'import'").await, 900);
    }
}

both! {
    async fn more_changes_than_others_can_wait_for_are_refused_before_any_is_tried(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site).await;
        crowd(&site, 2001).await;
        let file = |last: i64| (2..=last).fold("id,first_name\n".to_owned(), |csv, id| format!("{csv}{id},Pat\n"));
        let path = upload(&ann, "a.csv", file(2002)).await.leads_to().to_owned();
        let page = settled(&ann, &path).await;
        assert!(page.text.contains("This would make or change 2001 records"), "{}", page.text);
        assert!(page.text.contains("Nothing was stored.") && !page.text.contains("Import 2"), "{}", page.text);
    }
}

both! {
    async fn only_who_may_make_and_change_imports(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = office(&site).await;
        let (path, _) = checked(&ann, "a.csv", "id,first_name\n1,Ann\n").await;
        let mut visitor = Visitor::new(&site);
        let [mut bob, mut mod_] = [Visitor::registered(&site, "bob").await, Visitor::registered(&site, "mod").await];
        site.sql("update users set role = 'moderator' where username = 'mod'").await;
        assert!(visitor.get(IMPORT).await.leads_to().starts_with("/login?next="));
        assert!(visitor.post(&path, &[]).await.leads_to().starts_with("/login?next="));
        assert!(upload(&visitor, "a.csv", "id\n1\n").await.leads_to().starts_with("/login?next="));
        for person in [&mut bob, &mut mod_] {
            assert_eq!(person.get(IMPORT).await.status, 403);
            assert_eq!(upload(person, "a.csv", "id\n1\n").await.status, 403);
            assert_eq!(person.get(&path).await.status, 403);
            assert_eq!(person.post(&path, &[]).await.status, 403);
            assert_eq!(person.post(&format!("{path}/drop"), &[]).await.status, 403);
        }
        let form = ann.get(IMPORT).await;
        assert_eq!(form.status, 200);
        assert!(form.text.contains("At most 16 MB and 20,000 records") && form.text.contains("<code>password</code>"));
        assert_eq!(ann.get("/admin/unicorns/import").await.status, 404);
    }
}
