//! Lists of the backoffice: searched, narrowed, sorted, leafed through by key, and kept as bookmarks.

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::both;
use crate::support::office::office;

async fn found(who: &Visitor, list: &str, q: &str) -> Vec<i64> {
    let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
    let mut ids = who.get(&format!("{list}?q={q}")).await.ids();
    ids.sort();
    ids
}

both! {
    async fn a_search_ands_words_keeps_phrases_and_takes_no_letter_for_special(engine: Engine) {
        let (_site, mut ann) = office(engine).await;
        let room = ann.public_room("General").await;
        for text in ["the release is tomorrow", "notes for the RELEASE", "release notes: read them", "50% off_now", "👍 only", "é is École", "a-b_c d"] {
            ann.say(room, text).await;
        }
        let list = "/admin/messages/";
        for (q, ids) in [
            ("release", vec![1, 2, 3]), ("release notes", vec![2, 3]), ("\"release notes\"", vec![3]), ("notes tomorrow", vec![]),
            ("RELEASE TOMORROW", vec![1]), ("\"the release\" tomorrow", vec![1]), ("\"notes", vec![2, 3]), ("rel", vec![]),
            ("50", vec![4]), ("50%", vec![4]), ("%", vec![]), ("_", vec![]), ("off_now", vec![4]), ("👍", vec![]), ("ÉCOLE", vec![6]),
            ("a b c d", vec![7]), ("\"a b c d\"", vec![7]), ("rel\0ease", vec![]), ("release\0", vec![1, 2, 3]), ("release OR tomorrow", vec![]),
            ("NOT release", vec![]), ("release*", vec![1, 2, 3]), ("content:release", vec![]), ("r1", vec![]), ("#r1", vec![]), ("') --", vec![]),
        ] {
            assert_eq!(found(&ann, list, q).await, ids, "{q}");
        }
        for q in ["", "   ", "\"\"", "\"\"\"\"\"", "\" \""] {
            assert_eq!(found(&ann, list, q).await.len(), 7, "“{q}” asks for nothing");
        }
        assert_eq!(found(&ann, list, &"x".repeat(10_000)).await, [0; 0]);
        assert_eq!(found(&ann, list, &"release ".repeat(1250)).await, [1, 2, 3]);
        assert_eq!(found(&ann, list, &"€".repeat(3_000)).await, [0; 0]);
        for (narrowed, ids) in [("room_id=1", vec![1, 2, 3]), ("room_id=2", vec![]), ("sender_id=1&room_id=1", vec![1, 2, 3]), ("sender_id=2", vec![])] {
            let mut listed = ann.get(&format!("/admin/messages/?q=release&{narrowed}")).await.ids();
            listed.sort();
            assert_eq!(listed, ids, "{narrowed}");
        }
        let page = ann.get("/admin/messages/?q=%22release+notes%22").await;
        assert!(page.says("value=\"\"release notes\"\"") && page.text.contains("&#34;release notes&#34;"), "it is kept");
    }
}

both! {
    async fn a_search_goes_by_the_text_as_it_is_after_edits_and_deletions(engine: Engine) {
        let (_site, mut ann) = office(engine).await;
        let room = ann.public_room("General").await;
        ann.say(room, "first words").await;
        ann.say(room, "second words").await;
        ann.fill("/admin/messages/1/", &[("content", "other things")], "_save").await.leads_to();
        assert_eq!(found(&ann, "/admin/messages/", "words").await, [2]);
        assert_eq!(found(&ann, "/admin/messages/", "things").await, [1]);
        ann.post("/admin/messages/2/delete", &[]).await.leads_to();
        assert_eq!(found(&ann, "/admin/messages/", "words").await, [0; 0]);
        let erase = [("action", "erase"), ("ids", "2"), ("confirm", "1"), ("sudo_password", PASSWORD)];
        ann.post("/admin/messages/action", &erase).await.leads_to();
        assert_eq!(ann.get("/admin/messages/").await.ids(), [1]);
        assert_eq!(found(&ann, "/admin/messages/", "things").await, [1], "what was erased took nothing else along");
    }
}

both! {
    async fn elsewhere_a_search_is_the_beginning_of_a_name_or_of_who_is_referred_to(engine: Engine) {
        let (site, ann) = office(engine).await;
        Visitor::registered(&site, "Bob.B_x").await;
        site.furnish().await;
        site.sql("update users set first_name_folded = 'robert', last_name_folded = 'tables 100%' where id = 2").await;
        for (list, q, ids) in [
            ("users", "BOB", vec![2]), ("users", "ob", vec![]), ("users", "rob tab", vec![2]), ("users", "rob ann", vec![]), ("users", "\"tables 100%\"", vec![2]),
            ("users", "bob_b", vec![]), ("users", "bob.b_", vec![2]), ("users", "%", vec![]), ("users", "ann@example", vec![1]), ("users", "😀", vec![]),
            ("users", "a\0nn", vec![]), ("rooms", "pla", vec![1]), ("rooms", "lans", vec![]), ("memberships", "bob", vec![2]), ("memberships", "plans", vec![1, 2]),
            ("memberships", "plans bob", vec![2]), ("interests", "bob ann", vec![1]), ("attachments", "FOX", vec![1]), ("sessions", "bob", vec![2]),
            ("api-tokens", "bob", vec![1]), ("password-reset-tokens", "ann", vec![]), ("emails", "BOB@", vec![1]), ("audit-entries", "plans", vec![1]),
            ("notifications", "ann", vec![1]), ("reactions", "ann", vec![1]), ("reports", "robert", vec![]), ("reports", "ann", vec![1]),
            ("message-edits", "bob", vec![1]), ("message-edits", "ann", vec![]), ("pins", "plans", vec![1]), ("pins", "ann", vec![1]),
        ] {
            assert_eq!(found(&ann, &format!("/admin/{list}/"), q).await, ids, "{list}: {q}");
        }
        assert_eq!(ann.get("/admin/settings/?q=reg").await.keys(), ["registration"]);
        let long = "x".repeat(10_000);
        assert_eq!(found(&ann, "/admin/users/", &long).await, [0; 0]);
    }
}

/// Leafs from the first page to the last by *next* and back by *before*; gives the ids each way, in the list's order.
async fn leafed(who: &Visitor, query: &str, sizes: usize) -> (Vec<i64>, Vec<i64>) {
    let (mut on, mut back) = (Vec::new(), Vec::new());
    let mut page = who.get(&format!("/admin/users/?{query}")).await;
    let mut number = 1;
    loop {
        assert!(page.says(&format!("Page {number}<")), "page {number} says so");
        let ids = page.ids();
        assert!(ids.len() == sizes || page.rel("next").is_none());
        on.extend(ids);
        let Some(next) = page.rel("next") else { break };
        page = who.get(&format!("/admin/users/{next}")).await;
        number += 1;
    }
    loop {
        back.splice(0..0, page.ids());
        let Some(previous) = page.rel("prev") else { break };
        page = who.get(&format!("/admin/users/{previous}")).await;
        number -= 1;
        assert!(page.says(&format!("Page {number}<")), "page {number} says so on the way back");
    }
    assert_eq!(number, 1);
    (on, back)
}

both! {
    async fn every_row_comes_once_and_in_order_on_the_way_there_and_back(engine: Engine) {
        let (site, ann) = office(engine).await;
        site.people(3000).await;
        let seen = "coalesce(last_seen_at, 0)";
        for (query, order, size) in [
            ("per=200", "created_at desc, id desc".to_owned(), 200),
            ("sort=created_at&per=200", "created_at, id".into(), 200),
            ("sort=-last_seen_at&per=200", format!("{seen} desc, id desc"), 200),
            ("sort=last_seen_at,-username&per=200", format!("{seen}, username_folded desc, id desc"), 200),
            ("sort=-role,last_seen_at,-created_at&per=200", format!("role desc, {seen}, created_at desc, id desc"), 200),
            ("sort=username&per=200", "username_folded, id".into(), 200),
            ("sort=role,-username&per=150", "role, username_folded desc, id desc".into(), 150),
        ] {
            let rows = site.numbers(&format!("select id from users order by {order}")).await;
            let (on, back) = leafed(&ann, query, size).await;
            assert!(on == rows, "{query}");
            assert!(back == rows, "{query}, backwards");
        }
        for (filter, sql) in [
            ("role=moderator", "role = 'moderator'"), ("is_active=false&last_seen_at.empty=true", "not is_active and last_seen_at is null"),
            ("q=first3", "first_name = 'First3'"), ("q=p1&role=user", "username_folded like 'p1%' and role = 'user'"),
            ("q=first3+last2&sort=-username", "first_name = 'First3' and last_name = 'Last2'"),
        ] {
            let by = if filter.contains("sort") { "username_folded desc" } else { "created_at desc, id desc" };
            let rows = site.numbers(&format!("select id from users where {sql} order by {by}")).await;
            let (on, back) = leafed(&ann, &format!("{filter}&per=60"), 60).await;
            assert!(on == rows && back == rows && rows.len() > 25, "{filter}: {} of {}", on.len(), rows.len());
            let total = ann.get(&format!("/admin/users/?{filter}")).await.total().replace(',', "");
            assert_eq!(total, rows.len().to_string(), "{filter}");
        }
    }
}

both! {
    async fn pages_go_by_number_too_and_past_the_end_is_the_last(engine: Engine) {
        let (site, ann) = office(engine).await;
        site.people(119).await;
        let rows = site.numbers("select id from users order by created_at desc, id desc").await;
        assert_eq!(ann.get("/admin/users/?page=2").await.ids(), rows[50..100]);
        assert_eq!(ann.get("/admin/users/?page=2&per=25").await.ids(), rows[25..50]);
        assert_eq!(ann.get("/admin/users/?page=120&per=1").await.ids(), rows[119..]);
        for past in ["page=4", "page=99", "page=9223372036854775807", "page=18446744073709551615", "after=[0,0]", "after=[0,0]&page=7",
                     "after=[-9223372036854775808,-9223372036854775808]&page=18446744073709551614"] {
            let page = ann.get(&format!("/admin/users/?{past}")).await;
            assert_eq!(page.ids(), rows[100..], "{past}");
            assert!(page.rel("next").is_none() && page.says("Page 3<"), "{past}");
            assert_eq!(ann.get(&format!("/admin/users/{}", page.rel("prev").unwrap())).await.ids(), rows[50..100], "{past}");
        }
        for (asked, complaint) in [("page=0", "no number of page"), ("page=-1", "no number of page"), ("page=x", "no number"), ("per=0", "no number of per"), ("per=%00", "no number"), ("page=99999999999999999999", "no number")] {
            let page = ann.get(&format!("/admin/users/?{asked}")).await;
            page.is(200, complaint);
            assert_eq!(page.ids(), rows[..50], "{asked}");
        }
        assert_eq!(ann.get("/admin/users/?per=5000").await.ids(), rows[..120]);
        assert_eq!(ann.get("/admin/users/?page=9&q=nobody-at-all").await.total(), "0");
    }
}

both! {
    async fn forged_keys_are_answered_like_any_other_address(engine: Engine) {
        let (site, ann) = office(engine).await;
        site.people(60).await;
        let keys = [
            "", "x", "[]", "[1]", "[1,2,3,4,5,6,7,8]", "[\"a\",\"b\"]", "[\"a\",1]", "[1,\"a\"]", "[null,null]", "[true,false]", "[1.5,2]",
            "[1e400,1]", "[99999999999999999999,1]", "[9223372036854775807,9223372036854775807]", "[-9223372036854775808,-1]", "[\"\\u0000\",1]",
            "[\"a\\u0000b\",1]", "[\"%00\",1]", "[\"\\ud800\",1]", "[[1],1]", "{\"a\":1}", "[\"' or 1=1 --\",1]", "[\"😀\",1]", "[1,1", "\u{0}", "[\"a\",1,1]",
            "[\"user\",0,\"p1\",3]", "[\"user\",0,3]",
        ];
        for sort in ["", "-created_at", "username", "-last_seen_at", "role,-username", "role,last_seen_at,username"] {
            for key in keys {
                let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
                for name in ["after", "before"] {
                    let path = format!("/admin/users/?sort={sort}&{name}={key}&page=2");
                    let page = ann.get(&path).await;
                    assert_eq!(page.status, 200, "{path}");
                    assert!(!page.keys().is_empty(), "{path}");
                }
            }
        }
        for path in ["settings/?sort=key&per=2&after=[1]", "settings/?after=[\"registration\"]", "messages/?q=a&after=[\"x\"]", "settings/?sort=,", "settings/?sort=-key,key"] {
            assert_eq!(ann.get(&format!("/admin/{path}")).await.status, 200, "{path}");
        }
        let mut keys = Vec::new();
        let mut page = ann.get("/admin/settings/?sort=-key&per=3").await;
        loop {
            keys.extend(page.keys());
            let Some(next) = page.rel("next") else { break };
            page = ann.get(&format!("/admin/settings/{next}")).await;
        }
        assert_eq!(keys, ["upload_types", "staff_two_factor", "site_name", "room_creation", "retention_days", "registration", "direct_chat"]);
    }
}

both! {
    async fn rows_deleted_while_leafing_move_no_others(engine: Engine) {
        let (site, ann) = office(engine).await;
        site.people(149).await;
        let rows = site.numbers("select id from users order by username_folded, id").await;
        let first = ann.get("/admin/users/?sort=username").await;
        let next = format!("/admin/users/{}", first.rel("next").unwrap());
        let list = |ids: &[i64]| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        site.sql(&format!("delete from users where id in ({})", list(&rows[40..60]))).await;
        let second = ann.get(&next).await;
        assert_eq!(second.ids(), rows[60..110], "the one it began after is gone, and nothing is left out");
        let back = format!("/admin/users/{}", second.rel("prev").unwrap());
        site.sql(&format!("delete from users where id in ({})", list(&rows[60..150]))).await;
        let page = ann.get(&format!("/admin/users/{}", second.rel("next").unwrap())).await;
        assert_eq!(page.ids(), rows[..40], "the last page there is");
        assert_eq!(ann.get(&back).await.ids(), rows[..40]);
    }
}

both! {
    async fn totals_are_right_and_capped(engine: Engine) {
        let (site, ann) = office(engine).await;
        site.people(10_049).await;
        assert_eq!(ann.get("/admin/users/").await.total(), "10,000+");
        assert_eq!(ann.get("/admin/users/?role=moderator").await.total(), "200");
        assert_eq!(ann.get("/admin/users/?role=user&is_active=true").await.total(), "8,442");
        assert_eq!(ann.get("/admin/users/?q=p&role=user").await.total(), "9,849");
        assert_eq!(ann.get("/admin/users/?page=1000").await.ids().len(), 50);
        site.sql("delete from users where username = 'p1'").await;
        site.sql("delete from users where id in (select id from users where username like 'p9%' order by id limit 49)").await;
        assert_eq!(ann.get("/admin/users/").await.total(), "10,000");
        let (last, number) = (ann.get("/admin/users/?page=201&per=50").await, "Page 200<");
        assert!(last.ids().len() == 50 && last.says(number) && last.rel("next").is_none());
    }
}

both! {
    async fn counts_beside_choices_follow_everything_else_that_was_asked(engine: Engine) {
        let (site, ann) = office(engine).await;
        site.people(1300).await;
        for (query, sql) in [
            ("is_active=false", "not is_active"), ("q=first3", "first_name = 'First3'"), ("q=first3&is_active=true&role=user", "first_name = 'First3' and is_active"),
            ("last_seen_at.empty=true", "last_seen_at is null"), ("created_at=2020-10", "created_at >= 1601510400000000 and created_at < 1604188800000000"),
            ("role=user&last_seen_at.empty=true", "last_seen_at is null"),
        ] {
            let page = ann.get(&format!("/admin/users/?{query}")).await;
            for (label, role) in [("Administrator", "admin"), ("Moderator", "moderator"), ("User", "user")] {
                let count = site.number(&format!("select count(*) from users where role = '{role}' and {sql}")).await;
                assert_eq!(page.count("Role", label).unwrap(), count.to_string(), "{query}: {label}");
            }
        }
        let all = ann.get("/admin/users/").await;
        assert_eq!((all.count("Role", "User").unwrap().as_str(), all.count("Role", "Moderator").unwrap().as_str()), ("1,000+", "26"));
        assert_eq!(ann.get("/admin/users/?role=user&is_active=true").await.count("Active", "No").unwrap(), site.number("select count(*) from users where role = 'user' and not is_active").await.to_string());
    }
}

both! {
    async fn dates_are_drilled_into_and_ranges_hold_their_ends(engine: Engine) {
        let (site, ann) = office(engine).await;
        site.people(180).await;
        let page = ann.get("/admin/users/").await;
        assert!(page.says("?created_at=2020\"") && !page.says("?created_at=2019\""));
        let year = ann.get("/admin/users/?created_at=2020&role=user").await;
        assert!(year.says("?role=user&created_at=2020-10\"") && !year.says("created_at=2020-08\"") && year.says("Any time"));
        let month = ann.get("/admin/users/?created_at=2020-10").await;
        assert!(month.says("created_at=2020-10-31\"") && month.says("created_at=2020\"") && !month.says("2020-10-32"));
        let times = site.numbers("select created_at from users").await;
        let day = 86_400_000_000;
        let first = 1_601_510_400_000_000;
        let within = |from: i64, to: i64| times.iter().filter(|time| (from..to).contains(*time)).count().to_string();
        for (query, from, to) in [
            ("created_at=2020-10-01", first, first + day), ("created_at=2020-10", first, first + 31 * day),
            ("created_at.from=2020-10-01&created_at.to=2020-10-01", first, first + day), ("created_at.to=2020-09-30", 0, first),
            ("created_at.to=2020-10-02&created_at.from=2020-10-01", first, first + 2 * day), ("created_at.from=2020-10-01T00:00:00Z", first, i64::MAX),
            ("created_at.from=2020-10-02&created_at.to=2020-10-01", 0, 0), ("created_at=2020-10&created_at=2020-11", 0, 0),
        ] {
            assert_eq!(ann.get(&format!("/admin/users/?{query}")).await.total(), within(from, to), "{query}");
        }
        let nulls = site.number("select count(*) from users where last_seen_at is null").await;
        assert_eq!(ann.get("/admin/users/?last_seen_at.empty=true").await.total(), nulls.to_string());
        assert_eq!(ann.get("/admin/users/?last_seen_at.to=2100").await.total(), (181 - nulls).to_string(), "never is in no range");
        for n in 1..=9 {
            site.sql(&format!("insert into rooms (kind, name, name_folded, member_count, last_message_at, created_at, updated_at) values ('group', 'r', 'r', {n}, 1, 1, 1)")).await;
        }
        for (query, total) in [("from=3", "7"), ("to=3", "3"), ("from=2&member_count.to=4", "3"), ("from=5&member_count.to=2", "0"), ("to=-1", "0"), ("from=x", "9")] {
            assert_eq!(ann.get(&format!("/admin/rooms/?member_count.{query}")).await.total(), total, "{query}");
        }
        assert_eq!(ann.get("/admin/rooms/?member_count=4").await.total(), "1");
    }
}

both! {
    async fn bookmarks_are_ones_own_and_never_lead_to_a_refusal(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let mut moe = Visitor::of_role(&site, "moe", "moderator").await;
        let kept = ann.post("/admin/users/bookmarks", &[("name", "Quiet <ones>"), ("list", "role=user&sort=-last_seen_at&page=4&after=[1,2]")]).await;
        assert_eq!(kept.leads_to(), "/admin/users/?role=user&sort=-last_seen_at");
        assert!(ann.get("/admin/users/").await.text.contains("Quiet &#60;ones&#62;</a>"));
        assert!(!ann.get("/admin/rooms/").await.says("Quiet") && !moe.get("/admin/users/").await.says("Quiet"));
        ann.post("/admin/users/bookmarks", &[("name", "Quiet <ones>"), ("list", "role=admin")]).await.leads_to();
        assert_eq!(site.number("select count(*) from bookmarks").await, 1);
        for (list, says) in [("password_hash=1", "secret"), ("nope=1", "nope"), ("sort=bio", "bio"), ("avatar=x", "avatar")] {
            ann.post("/admin/users/bookmarks", &[("name", "Bad"), ("list", list)]).await.is(400, says);
        }
        for name in ["", "  ", "a\0b", &"x".repeat(61)] {
            assert_eq!(ann.post("/admin/users/bookmarks", &[("name", name), ("list", "")]).await.status, 422, "{name}");
        }
        moe.post("/admin/users/bookmarks/1/delete", &[]).await.leads_to();
        assert_eq!(site.number("select count(*) from bookmarks").await, 1, "not another's");
        ann.post("/admin/users/bookmarks/1/delete", &[]).await.leads_to();
        ann.post("/admin/users/bookmarks/x/delete", &[]).await.leads_to();
        assert_eq!(site.number("select count(*) from bookmarks").await, 0);
    }
}

both! {
    async fn the_lists_query_goes_along_to_the_form_and_comes_back(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        let list = ann.get("/admin/users/?role=user&q=%22b%22&sort=username").await;
        let kept = "?list=role%3Duser%26q%3D%2522b%2522%26sort%3Dusername";
        assert!(list.says(&format!("/admin/users/2/{kept}\" data-row")), "{}", list.text);
        let path = format!("/admin/users/2/{kept}");
        assert!(ann.get(&path).await.says("/admin/users/?role=user&q=%22b%22&sort=username\">‹ people"));
        let back = "role=user&q=%22b%22&sort=username";
        assert_eq!(ann.fill(&path, &[("bio", "One")], "_save").await.leads_to(), format!("/admin/users/?{back}&done=saved"));
        let on = ann.fill(&path, &[("bio", "Two")], "_continue").await.leads_to().to_owned();
        assert_eq!(on, format!("/admin/users/2/?done=saved&{}", &kept[1..]));
        let on = ann.get(&on).await;
        assert!(on.says("Saved.") && on.record().get("list") == back);
        assert!(ann.get(&format!("/admin/users/?{back}&done=saved")).await.says("Saved."));
        for forged in ["\r\nSet-Cookie: a=b", "//evil.example", "\u{0}", "😀=<b>", "a&done=deleted"] {
            let page = ann.fill("/admin/users/2/", &[("list", forged), ("bio", forged.trim_matches('\0'))], "_save").await;
            if page.status != 422 {
                assert!(page.leads_to().starts_with("/admin/users/?") && !page.leads_to().contains('\n'), "{forged}");
            }
        }
        ann.get("/admin/users/?role=user&nope=1").await.is(400, "people have no field “nope”");
    }
}

both! {
    async fn a_row_that_begins_with_a_reference_is_called_by_its_own_name(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let room = ann.public_room("General").await;
        ann.say(room, "first words").await;
        ann.get("/admin/messages/").await.is(200, "data-row>ann in General #1</a>");
        ann.get("/admin/memberships/").await.is(200, "data-row>ann in General</a>");
        Visitor::registered(&site, "bob").await;
        ann.get("/admin/users/").await.is(200, "data-row>bob</a>");
        assert!(ann.get("/chat").await.text.contains("href=\"/admin/\""));
        assert!(!Visitor::logged_in(&site, "bob").await.get("/chat").await.text.contains("href=\"/admin/\""));
    }
}
