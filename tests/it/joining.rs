//! Many who join a room at once are put in together, and each is answered for themselves.

use futures_util::future::join_all;
use switchboard::error::{Error, Result};
use switchboard::ids::{ApiTokenId, RoomId, UserId};
use switchboard::rooms::members;
use switchboard::users::{Person, Role, Via};
use tokio::task::JoinHandle;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};
use crate::support::work::until;

const PEOPLE: i64 = 70;
/// The person of a number, and their token.
const FIRST: i64 = 100;

/// Seventy who came by a token of theirs.
async fn people(site: &Site) -> Vec<Person> {
    let numbers = format!(
        "with recursive n (i) as (select cast({FIRST} as bigint) union all select i + 1 from n where i < {})",
        FIRST + PEOPLE - 1
    );
    site.sql(&format!(
        "insert into users (id, username, username_folded, email, email_folded, password_hash, created_at, updated_at)
         {numbers} select i, 'p' || i, 'p' || i, 'p' || i, 'p' || i, '', 0, 0 from n"
    ))
    .await;
    site.sql(&format!(
        "insert into api_tokens (id, user_id, name, token_hash, created_at) {numbers} select i, i, 'Bot', 'h' || i, 0 from n"
    ))
    .await;
    let person = |id| Person {
        id: UserId(id),
        username: format!("p{id}"),
        role: Role::User,
        via: Via::Token(ApiTokenId(id)),
        signed_in_at: None,
        confirmed_at: None,
        avatar: None,
        held_back: false,
        language: None,
    };
    (FIRST..FIRST + PEOPLE).map(person).collect()
}

type Joined = JoinHandle<Result<bool>>;

/// Those who wait to be put into `room`.
fn joining(site: &Site, people: &[Person], room: i64) -> Vec<Joined> {
    let join = |person: &Person| {
        let (app, person) = (site.app.clone(), person.clone());
        tokio::spawn(async move { members::join(&app, &person, RoomId(room)).await })
    };
    people.iter().map(join).collect()
}

async fn answers(joining: Vec<Joined>) -> Vec<Result<bool>> {
    join_all(joining).await.into_iter().map(|joined| joined.unwrap()).collect()
}

both! {
    async fn those_who_join_at_once_are_put_in_together_and_counted_once(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let [hall, yard] = [ann.public_room("Hall").await, ann.public_room("Yard").await];
        ann.say(hall, "Before they came").await;
        let people = people(&site).await;
        let turn = site.app.writer.turn().await;
        let mut waiting = joining(&site, &people, hall);
        waiting.extend(joining(&site, &people[..2], yard));
        // Two sockets of one person.
        waiting.extend(joining(&site, &people[..1], hall));
        until(|| site.app.joining.count() == 73).await;
        drop(turn);
        let answers = answers(waiting).await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(true))).count(), 72);
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(false))).count(), 1, "in by the other socket");
        let number = async |sql: &str| site.number(&format!("select cast({sql} as bigint) from memberships where user_id >= {FIRST}")).await;
        assert_eq!(number("count(distinct joined_at)").await, 1, "in one transaction");
        assert_eq!(number(&format!("sum(case when room_id = {hall} then last_read_seq else 0 end)")).await, PEOPLE, "what was said before is read");
        assert_eq!(number("sum(case when role = 'member' and not notify_all and not muted then 0 else 1 end)").await, 0);
        assert_eq!(site.number("select cast(sum(member_count * id) as bigint) from rooms").await, 71 * hall + 3 * yard);
        assert_eq!(site.number("select count(*) from memberships").await, 74);
    }
}

both! {
    async fn who_may_not_join_is_told_so_and_keeps_nobody_else_out(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let [hall, gone] = [ann.public_room("Hall").await, ann.public_room("Gone").await];
        let bob = Visitor::registered(&site, "bob").await;
        let group = ann.group_with("Secret plans", 2).await;
        drop(bob);
        let people = people(&site).await;
        let turn = site.app.writer.turn().await;
        let mut waiting = joining(&site, &people[..5], hall);
        waiting.extend(joining(&site, &people[5..6], gone));
        until(|| site.app.joining.count() == 6).await;
        assert!(matches!(answers(joining(&site, &people[..1], group)).await[..], [Err(Error::NotFound(_))]), "without a wait");
        site.sql(&format!("update api_tokens set revoked_at = 1 where id = {FIRST}")).await;
        site.sql(&format!("update users set is_active = false where id = {}", FIRST + 1)).await;
        site.sql(&format!("delete from users where id = {}", FIRST + 2)).await;
        site.sql(&format!("delete from rooms where id = {gone}")).await;
        drop(turn);
        let answers = answers(waiting).await;
        let [Err(Error::SignedOut), Err(Error::SignedOut), Err(Error::SignedOut), Ok(true), Ok(true), Err(Error::NotFound(_))] = &answers[..] else {
            panic!("{answers:?}")
        };
        assert_eq!(site.number(&format!("select member_count from rooms where id = {hall}")).await, 3);
        assert_eq!(site.number(&format!("select count(*) from memberships where room_id = {hall}")).await, 3);
    }
}

both! {
    async fn what_fails_for_all_who_wait_is_done_for_none_of_them(engine: Engine) {
        let site = Site::new(engine).await;
        let hall = Visitor::registered(&site, "ann").await.public_room("Hall").await;
        let people = people(&site).await;
        // Who is put in stands in the table by then; the room doesn't count them.
        match engine {
            Engine::Sqlite => {
                site.sql("create trigger too_full before update on rooms begin select raise(abort, 'full'); end").await;
            }
            Engine::Postgres => {
                site.sql("create function too_full() returns trigger language plpgsql as 'begin raise exception ''full''; end'").await;
                site.sql("create trigger too_full before update on rooms for each row execute function too_full()").await;
            }
        }
        let refused = answers(joining(&site, &people[..3], hall)).await;
        assert!(refused.iter().all(|answer| answer.is_err()), "{refused:?}");
        assert_eq!(site.number("select count(*) from memberships").await, 1);
        site.sql(match engine { Engine::Sqlite => "drop trigger too_full", Engine::Postgres => "drop trigger too_full on rooms" }).await;
        assert_eq!(site.number("select member_count from rooms").await, 1, "nothing by halves");
        assert!(answers(joining(&site, &people[..3], hall)).await.into_iter().all(|answer| matches!(answer, Ok(true))));
    }
}
