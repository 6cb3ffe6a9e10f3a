//! The cookie that a browser is known by, beside the session's: read from a request, and put into the answer to a sign-in.
//! What it stands for is in `auth::devices`.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::auth::devices::LIFETIME;
use crate::config::Config;

/// What [`keep`] leaves in an answer's extensions.
#[derive(Clone)]
struct DeviceToken(String);

fn name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-switchboard-device" } else { "switchboard-device" }
}

/// The device's token, as the browser sent it. Not checked in any way.
pub fn device_token(headers: &HeaderMap, config: &Config) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name(config)).map(|(_, value)| value.to_owned())
}

/// The browser is known by `token` from now on: the answer to its sign-in says so.
pub fn keep(response: &mut Response, token: String) {
    response.extensions_mut().insert(DeviceToken(token));
}

/// Writes the cookie that [`keep`] asked for. Called last, so that the session's stands first.
pub(super) fn write(response: &mut Response, config: &Config) {
    let Some(DeviceToken(token)) = response.extensions_mut().remove() else { return };
    let secure = if config.is_https() { "; Secure" } else { "" };
    let cookie =
        format!("{}={token}; HttpOnly; SameSite=Lax{secure}; Path=/; Max-Age={}", name(config), LIFETIME.as_secs());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
