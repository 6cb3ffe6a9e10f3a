//! What programs show of themselves, `Authorization: Bearer …`: an access token (a JWT of 15 minutes that names a
//! session) or a personal token. Called by the API's and the socket's doors through [`person`].

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::{api_tokens, random_token, session};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};
use crate::users::Person;

/// How long an access token is good for.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Seconds by which the nodes' clocks may differ.
const LEEWAY: i64 = 5;

/// `role` is for whoever reads the token; here everything is looked up by `sid`.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: SessionId,
    role: String,
    iat: i64,
    exp: i64,
    jti: String,
}

/// An access token of `person`, who is in `session`. Cost: 1 HMAC.
pub fn issue(app: &App, person: &Person, session: SessionId) -> Result<String> {
    let iat = seconds(app);
    let claims = Claims {
        iss: app.config.origin(),
        aud: app.config.origin(),
        sub: person.id.to_string(),
        sid: session,
        role: person.role.as_str().to_owned(),
        iat,
        exp: iat.saturating_add_unsigned(LIFETIME.as_secs()),
        jti: random_token(),
    };
    let key = EncodingKey::from_secret(&app.keys.access()?);
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(Error::internal)
}

fn seconds(app: &App) -> i64 {
    app.clock.now().0 / 1_000_000
}

/// The session that an access token of ours names, and whose it says that is. `None` for what we didn't sign with
/// HS256 (`none` and every other algorithm are refused whatever the header asks for), for another site, or run out.
fn read(app: &App, token: &str) -> Result<Option<(SessionId, UserId)>> {
    let good = match app.access_tokens.0.get(token) {
        Some(good) => Some(good),
        None => verified(app, token)?.inspect(|good| app.access_tokens.0.insert(token.into(), *good)),
    };
    let lasting = good.filter(|good| good.expires.saturating_add(LEEWAY) > seconds(app));
    Ok(lasting.map(|good| (good.session, good.user)))
}

/// Access tokens whose signature was found good: to look again took as long as the rest of a request's way in. What they
/// are worth is asked each time.
pub struct Verified(Cache<Box<str>, Good>);

/// Some 400 bytes each.
const MOST_KEPT: usize = 4096;

#[derive(Clone, Copy)]
struct Good {
    session: SessionId,
    user: UserId,
    /// In seconds since 1970.
    expires: i64,
}

impl Default for Verified {
    fn default() -> Self {
        Self(Cache::new(MOST_KEPT))
    }
}

fn verified(app: &App, token: &str) -> Result<Option<Good>> {
    let mut expected = Validation::new(Algorithm::HS256);
    expected.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    expected.set_issuer(&[app.config.origin()]);
    expected.set_audience(&[app.config.origin()]);
    // By our own clock, each time.
    expected.validate_exp = false;
    let key = DecodingKey::from_secret(&app.keys.access()?);
    let Ok(token) = jsonwebtoken::decode::<Claims>(token, &key, &expected) else { return Ok(None) };
    let Claims { sid: session, sub, exp: expires, .. } = token.claims;
    Ok(sub.parse().ok().map(|user| Good { session, user: UserId(user), expires }))
}

/// Whoever shows this access or personal token. Asks the database each time: an ended session, a disabled account or
/// another role counts at once. Errors: [`Error::SignedOut`]. Cost: 1 HMAC, 1 indexed query; now and then one small
/// write in the background.
pub async fn person(app: &App, token: &str) -> Result<Person> {
    let found = if token.starts_with(api_tokens::PREFIX) {
        api_tokens::person(app, token).await?
    } else {
        match read(app, token)? {
            Some((session, user)) => session::holder(app, session, Some(user)).await?,
            None => None,
        }
    };
    found.ok_or(Error::SignedOut)
}
