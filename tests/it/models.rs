//! What staff do to each model, through the same acts as its pages: rights to a room, sessions, reports, mails, settings.

use std::collections::BTreeMap;

use serde_json::json;
use switchboard::admin::input::Input;
use switchboard::admin::resource::Resource;
use switchboard::admin::value::{Key, Row, Value};
use switchboard::admin::{self, RESOURCES};
use switchboard::error::{Error, Result};
use switchboard::ids::UserId;
use switchboard::users::Role;
use switchboard::{on_db, settings, users};

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};

const BOB: i64 = 2;
const CAT: i64 = 3;

fn resource(slug: &str) -> &'static Resource {
    admin::find(slug).unwrap()
}

fn input<const N: usize>(values: [(&'static str, Value); N]) -> Input {
    Input(BTreeMap::from(values))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

async fn create<const N: usize>(site: &Site, slug: &str, values: [(&'static str, Value); N]) -> Result<i64> {
    let mut work = site.admin().await;
    let input = input(values);
    let key = (resource(slug).create.unwrap())(&mut work, &input).await?;
    work.commit().await?;
    Ok(key.id())
}

async fn update<const N: usize>(site: &Site, slug: &str, id: i64, values: [(&'static str, Value); N]) -> Result<()> {
    let row = site.row(resource(slug), id).await.unwrap();
    let mut work = site.admin().await;
    let input = input(values);
    (resource(slug).update.unwrap())(&mut work, &row, &input).await?;
    work.commit().await
}

async fn delete(site: &Site, slug: &str, id: i64) -> Result<()> {
    site.delete(resource(slug), id, Role::Admin).await
}

async fn act(site: &Site, slug: &str, action: &str, id: i64) -> Result<()> {
    let mut work = site.work(1, Role::Moderator).await;
    (resource(slug).action(action).unwrap().run)(&mut work, id).await?;
    work.commit().await
}

/// What is said beside `field`; fails when nothing is.
#[track_caller]
fn beside<T>(refused: Result<T>, field: &str) -> String {
    match refused {
        Err(Error::Invalid(errors)) if !errors.of(field).is_empty() => errors.of(field),
        Err(other) => panic!("not refused at {field}: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

async fn three(site: &Site) -> [Visitor; 3] {
    let mut people = Vec::new();
    for name in ["ann", "bob", "cat"] {
        people.push(Visitor::registered(site, name).await);
    }
    people.try_into().ok().unwrap()
}

both! {
    async fn every_column_that_a_model_declares_is_there(engine: Engine) {
        let site = Site::new(engine).await;
        assert_eq!(RESOURCES.len(), 19);
        for resource in RESOURCES.iter().filter(|resource| resource.key == "id") {
            assert!(site.row(resource, -1).await.is_none(), "{}", resource.slug);
            let secrets = resource.secrets.iter().map(|secret| secret.name());
            for secret in secrets {
                site.number(&format!("select count({secret}) from {}", resource.table)).await;
                assert!(resource.column(secret).is_none());
            }
        }
    }
}

both! {
    async fn staff_put_people_into_rooms_and_the_count_stays_true(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob, mut cat] = three(&site).await;
        let room = ann.group_with("Plans", CAT).await;
        let mut bobs = bob.socket("/ws").await;
        bobs.expect("connected").await;
        let (place, person) = (("room_id", Value::Int(room)), ("user_id", Value::Int(BOB)));
        let id = create(&site, "memberships", [place.clone(), person.clone(), ("muted", Value::Flag(true))]).await.unwrap();
        assert_eq!(bobs.expect("room_added").await["room_id"], room);
        assert_eq!(site.number("select member_count from rooms").await, 3);
        assert_eq!(beside(create(&site, "memberships", [place.clone(), person]).await, "user_id"), "This person is in the room already.");
        beside(create(&site, "memberships", [place, ("user_id", Value::Int(77))]).await, "user_id");
        beside(create(&site, "memberships", [("room_id", Value::Int(77)), ("user_id", Value::Int(BOB))]).await, "room_id");

        let row = site.row(resource("memberships"), id).await.unwrap();
        assert!(row.flag("muted"));
        let mut removed = bob.follows(room).await;
        delete(&site, "memberships", id).await.unwrap();
        assert_eq!(removed.close_code().await, 4403);
        assert_eq!(site.number("select member_count from rooms").await, 2);
        site.restore(resource("memberships"), &row).await.unwrap();
        assert!(matches!(site.restore(resource("memberships"), &row).await, Err(Error::Conflict(_))));
        assert_eq!(site.number("select member_count from rooms").await, 3);
        assert!(site.row(resource("memberships"), id).await.unwrap().flag("muted"), "under its id, as it was");

        let direct = cat.post("/rooms/new", &[("kind", "direct"), ("member_ids", "2")]).await.room();
        let put_in = create(&site, "memberships", [("room_id", Value::Int(direct)), ("user_id", Value::Int(1))]).await;
        assert!(matches!(put_in, Err(Error::Conflict(_))), "{put_in:?}");
        let one = site.number(&format!("select min(id) from memberships where room_id = {direct}")).await;
        assert!(matches!(delete(&site, "memberships", one).await, Err(Error::Conflict(_))));
        assert_eq!(site.number(&format!("select member_count from rooms where id = {direct}")).await, 2);
    }
}

both! {
    async fn people_who_come_and_go_while_staff_move_them_are_counted_right(engine: Engine) {
        let site = std::sync::Arc::new(Site::new(engine).await);
        let [mut ann, bob, cat] = three(&site).await;
        let room = ann.public_room("General").await;
        let mut tasks = Vec::new();
        for mut person in [bob, cat] {
            tasks.push(tokio::spawn(async move {
                for n in 0..20 {
                    let act = if n % 2 == 0 { "join" } else { "leave" };
                    let status = person.post(&format!("/rooms/{room}/{act}"), &[]).await.status;
                    assert!([303, 404].contains(&status.as_u16()), "{status}");
                }
            }));
        }
        let staff = site.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..20 {
                let person = Value::Int(BOB + n % 2);
                match create(&staff, "memberships", [("room_id", Value::Int(room)), ("user_id", person)]).await {
                    Ok(_) | Err(Error::Invalid(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
        for task in tasks {
            task.await.unwrap();
        }
        let counted = site.number("select member_count from rooms").await;
        assert_eq!(counted, site.number("select count(*) from memberships").await);
    }
}

both! {
    async fn a_room_keeps_an_owner_whatever_staff_do(engine: Engine) {
        let site = Site::new(engine).await;
        let [_, mut bob, _] = three(&site).await;
        let room = bob.group_with("Plans", CAT).await;
        assert!(beside(update(&site, "memberships", 1, [("role", text("member"))]).await, "role").contains("only owner"));
        update(&site, "memberships", 2, [("role", text("owner"))]).await.unwrap();
        update(&site, "memberships", 1, [("role", text("member"))]).await.unwrap();
        let owners = "select group_concat(user_id) from memberships where role = 'owner'";
        let owners = if site.app.db.engine_name() == "SQLite" { owners.to_owned() } else { owners.replace("group_concat(user_id)", "string_agg(user_id::text, ',')") };
        let owners = async || -> String {
            let mut conn = site.app.db.read().await.unwrap();
            on_db!(conn, c => sqlx::query_scalar(&owners).fetch_one(c).await).unwrap()
        };
        assert_eq!(owners().await, CAT.to_string());
        delete(&site, "memberships", 2).await.unwrap();
        assert_eq!(owners().await, BOB.to_string(), "who was there longest owns it");
        create(&site, "memberships", [("room_id", Value::Int(room)), ("user_id", Value::Int(CAT))]).await.unwrap();
        delete(&site, "users", BOB).await.unwrap();
        assert_eq!(owners().await, CAT.to_string(), "an account that goes leaves its rooms in order");
        assert_eq!(site.number("select member_count from rooms").await, 1);
    }
}

both! {
    async fn staff_make_rename_delete_and_put_back_rooms(engine: Engine) {
        let site = Site::new(engine).await;
        let [ann, bob, _] = three(&site).await;
        let room = create(&site, "rooms", [("kind", text("public")), ("name", text("General")), ("description", text(" Talk "))]).await.unwrap();
        assert_eq!(site.number("select created_by * 100 + member_count from rooms").await, 101);
        assert!(beside(create(&site, "rooms", [("kind", text("direct"))]).await, "kind").contains("the two themselves"));
        beside(create(&site, "rooms", [("kind", text("public")), ("name", text("GENERAL"))]).await, "name");
        beside(create(&site, "rooms", [("kind", text("public")), ("name", text(" "))]).await, "name");
        beside(create(&site, "rooms", [("kind", text("castle"))]).await, "kind");
        beside(update(&site, "rooms", room, [("name", text(""))]).await, "name");
        update(&site, "rooms", room, [("description", text("All of it"))]).await.unwrap();
        let row = site.row(resource("rooms"), room).await.unwrap();
        assert_eq!((row.text("name"), row.text("description")), ("General", "All of it"));

        let (mut follows, mut elsewhere) = (bob.follows(room).await, ann.socket("/ws").await);
        elsewhere.expect("connected").await;
        follows.say("hi", "c1").await;
        let row = site.row(resource("rooms"), room).await.unwrap();
        site.delete(resource("rooms"), room, Role::Moderator).await.unwrap();
        for socket in [&mut follows, &mut elsewhere] {
            assert_eq!(socket.expect("room_deleted").await["message"], "The room General was deleted.");
        }
        site.restore(resource("rooms"), &row).await.unwrap();
        assert!(matches!(site.restore(resource("rooms"), &row).await, Err(Error::Conflict(_))));
        assert_eq!(elsewhere.expect("room_added").await["room_id"], room, "who made it owns it again");
        follows.send(json!({"type": "subscribe", "room_id": room, "after": 0})).await;
        assert_eq!(follows.expect("synced").await["rev"], row.int("last_rev").unwrap());
        let mut anns = ann.follows(room).await;
        anns.say("again", "c2").await;
        assert_eq!(anns.expect("message").await["seq"], row.int("last_seq").unwrap() + 1, "no number is used twice");
        assert_eq!(follows.expect("message").await["content"], "again");
    }
}

both! {
    async fn a_direct_room_keeps_its_names_and_is_not_put_back(engine: Engine) {
        let site = Site::new(engine).await;
        let [_, mut bob, _] = three(&site).await;
        let room = bob.post("/rooms/new", &[("member_ids", "3")]).await.room();
        assert!(matches!(update(&site, "rooms", room, [("name", text("x"))]).await, Err(Error::Conflict(_))));
        let row = site.row(resource("rooms"), room).await.unwrap();
        delete(&site, "rooms", room).await.unwrap();
        assert!(matches!(site.restore(resource("rooms"), &row).await, Err(Error::Conflict(_))));
    }
}

both! {
    async fn a_session_that_staff_end_is_over_at_once(engine: Engine) {
        let site = Site::new(engine).await;
        let [_, bob, _] = three(&site).await;
        let elsewhere = Visitor::logged_in(&site, "bob").await;
        let (mut here, mut there) = (bob.socket("/ws").await, elsewhere.socket("/ws").await);
        here.expect("connected").await;
        there.expect("connected").await;
        let first = site.number("select min(id) from sessions where user_id = 2").await;
        delete(&site, "sessions", first).await.unwrap();
        assert_eq!(here.close_code().await, 4401);
        assert_eq!(bob.get("/chat").await.status, 303);
        there.settled().await;
        assert_eq!(elsewhere.get("/chat").await.status, 200, "the other one stands");
        assert_eq!(site.number("select count(*) from revocations where user_id = 2 and session_id is not null").await, 1, "told to every node");
    }
}

both! {
    async fn tokens_are_revoked_once_and_end(engine: Engine) {
        let site = Site::new(engine).await;
        let [_, bob, _] = three(&site).await;
        for table in ["api_tokens (user_id, name, token_hash, created_at) values (2, 'bot', 'h', 1)",
                      "password_reset_tokens (user_id, token_hash, created_at, expires_at) values (2, 'h', 1, 2)"] {
            site.sql(&format!("insert into {table}")).await;
        }
        let mut socket = bob.socket("/ws").await;
        act(&site, "api-tokens", "revoke", 1).await.unwrap();
        assert!(matches!(act(&site, "api-tokens", "revoke", 1).await, Err(Error::Conflict(_))));
        assert!(matches!(act(&site, "api-tokens", "revoke", 7).await, Err(Error::NotFound(_))));
        assert_eq!(site.number("select count(*) from api_tokens where revoked_at > 0").await, 1);
        delete(&site, "api-tokens", 1).await.unwrap();
        delete(&site, "password-reset-tokens", 1).await.unwrap();
        assert_eq!(site.number("select (select count(*) from api_tokens) + (select count(*) from password_reset_tokens)").await, 0);
        socket.settled().await;
    }
}

both! {
    async fn settings_are_checked_by_key_and_hold_at_once(engine: Engine) {
        let site = Site::new(engine).await;
        let set = async |key: &str, value: &str| {
            let columns = std::sync::Arc::new(Vec::new());
            let row = Row { key: Key::Name(key.to_owned()), columns, values: Vec::new() };
            let mut work = site.admin().await;
            let input = input([("value", text(value))]);
            (resource("settings").update.unwrap())(&mut work, &row, &input).await?;
            work.commit().await
        };
        for (key, value) in [
            ("site_name", "  "), ("site_name", "a\nb"), ("registration", "maybe"), ("room_creation", ""),
            ("direct_chat", "Anyone"), ("staff_two_factor", "on"), ("retention_days", "0"), ("retention_days", "-1"),
            ("retention_days", "1.5"), ("retention_days", "a week"), ("upload_types", ""), ("upload_types", "image"),
            ("upload_types", "image/*, */*"), ("upload_types", "image/png,,text/plain"),
        ] {
            let says = beside(set(key, value).await, "value");
            assert!(!says.is_empty(), "{key}={value}");
        }
        assert!(beside(set("registration", "maybe").await, "value").contains("open, invite, closed"));
        assert!(matches!(set("colour", "red").await, Err(Error::NotFound(_))));
        set("site_name", " The Yard ").await.unwrap();
        assert_eq!(site.app.settings().site_name, "The Yard", "with the commit");
        set("registration", "closed").await.unwrap();
        assert_eq!(Visitor::new(&site).post("/register", &[("username", "ann")]).await.status, 403, "whatever the form holds");
        assert_eq!(site.app.settings().registration, settings::Registration::Closed);
        for (key, value, stored) in [("retention_days", "030", "30"), ("retention_days", "", ""), ("upload_types", "image/*,Text/Plain", "image/*, text/plain"), ("upload_types", "*", "*")] {
            set(key, value).await.unwrap();
            assert_eq!(site.number(&format!("select count(*) from settings where key = '{key}' and value = '{stored}'")).await, 1);
        }
    }
}

both! {
    async fn reports_are_resolved_dismissed_and_their_message_hidden(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, ..] = three(&site).await;
        let room = ann.public_room("General").await;
        ann.say(room, "rude").await;
        beside(create(&site, "reports", [("message_id", Value::Int(9)), ("reason", text("rude"))]).await, "message_id");
        beside(create(&site, "reports", [("message_id", Value::Int(1)), ("reason", text(" "))]).await, "reason");
        for reason in ["rude", "very", "so"] {
            create(&site, "reports", [("message_id", Value::Int(1)), ("reason", text(reason))]).await.unwrap();
        }
        act(&site, "reports", "dismiss", 1).await.unwrap();
        let mut socket = ann.follows(room).await;
        act(&site, "reports", "hide", 2).await.unwrap();
        assert_eq!(socket.expect("message_deleted").await["seq"], 1);
        assert_eq!(site.number("select count(*) from reports where status = 'resolved' and handled_by = 1").await, 2);
        assert_eq!(site.number("select count(*) from reports where status = 'dismissed'").await, 1);
        act(&site, "reports", "hide", 1).await.unwrap();
        assert_eq!(site.number("select count(*) from reports where status = 'resolved'").await, 3, "hidden already: resolved");
        update(&site, "reports", 1, [("status", text("open"))]).await.unwrap();
        assert_eq!(site.number("select count(*) from reports where handled_by is null").await, 1);
        let row = site.row(resource("reports"), 3).await.unwrap();
        delete(&site, "reports", 3).await.unwrap();
        site.restore(resource("reports"), &row).await.unwrap();
        assert_eq!(site.row(resource("reports"), 3).await.unwrap().values, row.values);
    }
}

both! {
    async fn mails_are_composed_and_sent_again(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        for (field, to, subject, body) in [("to", "nobody", "Hi", "x"), ("subject", "a@example.org", " ", "x"), ("text", "a@example.org", "Hi", "")] {
            beside(create(&site, "emails", [("to", text(to)), ("subject", text(subject)), ("text", text(body))]).await, field);
        }
        let id = create(&site, "emails", [("to", text("a@example.org")), ("subject", text("Hi")), ("text", text("one\ntwo"))]).await.unwrap();
        assert!(matches!(act(&site, "emails", "resend", id).await, Err(Error::Conflict(_))), "it waits");
        site.sql("update emails set status = 'failed', attempts = 9, last_error = 'no', next_attempt_at = null").await;
        act(&site, "emails", "resend", id).await.unwrap();
        assert_eq!(site.number("select count(*) from emails where status = 'queued' and attempts = 0 and next_attempt_at > 0 and last_error is null").await, 1);
        delete(&site, "emails", id).await.unwrap();
    }
}

both! {
    async fn a_reaction_that_staff_take_away_is_shown_as_gone(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, ..] = three(&site).await;
        let room = ann.public_room("General").await;
        ann.say(room, "hi").await;
        let mut socket = ann.follows(room).await;
        let values = || [("message_id", Value::Int(1)), ("emoji", text("🎉"))];
        let id = create(&site, "reactions", values()).await.unwrap();
        assert!(matches!(create(&site, "reactions", values()).await, Err(Error::Conflict(_))));
        let frame = socket.expect("reaction").await;
        assert_eq!(frame, json!({"type": "reaction", "message_id": 1, "room_id": room, "rev": 2, "reactions": [{"emoji": "🎉", "count": 1, "user_ids": [1]}]}));
        let row = site.row(resource("reactions"), id).await.unwrap();
        delete(&site, "reactions", id).await.unwrap();
        assert_eq!(socket.expect("reaction").await["reactions"], json!([]));
        site.restore(resource("reactions"), &row).await.unwrap();
        assert_eq!(socket.expect("reaction").await["rev"], 4);
        site.sql("insert into attachments (message_id, filename, content_type, size, sha256, created_at) values (1, 'a.png', 'image/png', 1, 'x', 1)").await;
        delete(&site, "attachments", 1).await.unwrap();
        assert_eq!(socket.expect("message_edited").await["rev"], 5);
    }
}

both! {
    async fn an_interest_that_staff_accept_makes_the_direct_room(engine: Engine) {
        let site = Site::new(engine).await;
        let [_, bob, _] = three(&site).await;
        site.sql("insert into interests (sender_id, recipient_id, created_at) values (2, 3, 1)").await;
        let mut bobs = bob.socket("/ws").await;
        bobs.expect("connected").await;
        beside(update(&site, "interests", 1, [("status", text("maybe"))]).await, "status");
        update(&site, "interests", 1, [("status", text("accepted"))]).await.unwrap();
        assert_eq!(bobs.expect("room_added").await["kind"], "direct");
        assert_eq!(site.number("select count(*) from interests where status = 'accepted' and decided_at > 0").await, 1);
        let row = site.row(resource("interests"), 1).await.unwrap();
        delete(&site, "interests", 1).await.unwrap();
        site.sql("insert into interests (sender_id, recipient_id, created_at) values (2, 3, 1)").await;
        assert!(matches!(site.restore(resource("interests"), &row).await, Err(Error::Conflict(_))), "another is open");
        update(&site, "interests", 2, [("status", text("rejected"))]).await.unwrap();
        site.restore(resource("interests"), &row).await.unwrap();
        site.sql("update interests set sender_id = 3, recipient_id = 2 where id = 2").await;
        beside(update(&site, "interests", 2, [("status", text("pending"))]).await, "status");
        let user = users::by_id(&mut site.app.db.read().await.unwrap(), UserId(CAT)).await.unwrap().unwrap();
        site.disable(&user).await;
        site.sql("delete from rooms").await;
        update(&site, "interests", 1, [("status", text("pending"))]).await.unwrap();
        beside(update(&site, "interests", 1, [("status", text("accepted"))]).await, "status");
    }
}
