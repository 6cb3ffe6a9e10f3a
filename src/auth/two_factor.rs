//! Second factors: a code from a program on one's phone, asked for after the password. Called by the page of settings.

use crate::db::Conn;
use crate::error::{Error, Result};
use crate::users::User;
use crate::work::Work;

/// What a person's program is told to make codes of.
pub struct Setup {
    pub secret: String,
    pub otpauth_url: String,
    /// An SVG element of our own making.
    pub qr_svg: String,
}

/// How far somebody's second factor is.
pub enum State {
    Off,
    /// Being set up, and not asked for yet.
    Pending(Setup),
    On {
        /// Recovery codes that weren't used.
        codes_left: i64,
    },
}

const STILL_TO_COME: Error = Error::Conflict("Two-factor sign-in is still to come.");

pub async fn begin(_: &mut Work, _: &User) -> Result<Setup> {
    Err(STILL_TO_COME)
}

pub async fn confirm(_: &mut Work, _: &User, _code: &str) -> Result<Vec<String>> {
    Err(STILL_TO_COME)
}

pub async fn disable(_: &mut Work, _: &User) -> Result<()> {
    Err(STILL_TO_COME)
}

pub async fn state(_: &mut Conn, _: &User) -> Result<State> {
    Ok(State::Off)
}
