//! Codes for whoever has lost their authenticator: ten, each good once, `xxxxx-xxxxx` of 50 random bits. Called by
//! `auth::two_factor`.
//!
//! Only an HMAC of each is stored, under a key derived from SECRET_KEY: 50 bits are too few for a bare hash, which who
//! stole the database could try out, and a costly hash would make each log-in try ten of them.

use super::keys::Purpose;
use crate::app::App;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::UserId;
use crate::on_db;
use crate::work::Work;

pub const COUNT: usize = 10;
/// Characters without the dash.
pub const LENGTH: usize = 10;
/// Crockford's: without i, l, o and u, which look like others.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Ten new codes for `user` in the place of those they had. Cost: 11 statements.
pub async fn renew(work: &mut Work, user: UserId) -> Result<[String; COUNT]> {
    forget(work, user).await?;
    let codes: [String; COUNT] = std::array::from_fn(|_| random());
    for code in &codes {
        let hash = hash(&work.app, user, code)?;
        on_db!(work, c => sqlx::query("insert into recovery_codes (user_id, code_hash) values ($1, $2)")
            .bind(user).bind(hash).execute(c).await.map(|_| ()))?;
    }
    Ok(codes.map(|code| format!("{}-{}", &code[..LENGTH / 2], &code[LENGTH / 2..])))
}

fn random() -> String {
    let bytes: [u8; LENGTH] = rand::random();
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

fn hash(app: &App, user: UserId, code: &str) -> Result<String> {
    app.keys.mark(Purpose::Recovery, &format!("{user}:{code}"))
}

/// What was typed as it was made: in any case, with or without dash, the letters that look like digits as these.
/// `None` for what can't be one. Cost: O(length).
pub fn parse(typed: &str) -> Option<String> {
    let plain = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    });
    let code: String = plain.take(LENGTH + 1).collect();
    let fits = code.len() == LENGTH && code.bytes().all(|byte| ALPHABET.contains(&byte));
    fits.then_some(code)
}

/// Uses a code up, if `user` has it and didn't use it yet. Of two who use one at once, one does. Cost: 1 statement.
pub async fn take(work: &mut Work, user: UserId, code: &str) -> Result<bool> {
    let (hash, now) = (hash(&work.app, user, code)?, work.now());
    let used = on_db!(work, c => sqlx::query(
        "update recovery_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null")
        .bind(user).bind(hash).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(used == 1)
}

/// How many codes `user` has left. Cost: 1 indexed query.
pub async fn left(conn: &mut Conn, user: UserId) -> Result<i64> {
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "select count(*) from recovery_codes where user_id = $1 and used_at is null").bind(user).fetch_one(c).await)?)
}

/// Deletes the codes of `user`. Cost: 1 statement.
pub async fn forget(work: &mut Work, user: UserId) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query("delete from recovery_codes where user_id = $1")
        .bind(user).execute(c).await.map(|_| ()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_in_any_case_with_or_without_its_dash() {
        let code = random();
        let (left, right) = code.split_at(5);
        for typed in [format!("{left}-{right}"), code.to_uppercase(), format!(" {left} {right} ")] {
            assert_eq!(parse(&typed).as_deref(), Some(code.as_str()));
        }
        assert_eq!(parse("OIL00-00000").as_deref(), Some("0110000000"));
        for other in ["", "123456", "0123456789a", "01234-5678u", "01234-5678é"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
