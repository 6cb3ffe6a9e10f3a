//! Codes of authenticator apps (TOTP, RFC 6238): SHA-1, six digits, 30 seconds, one step to either side, as every app
//! knows them. Called by `auth::two_factor`.

use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::clock::Timestamp;
use crate::error::{Error, Result};

pub const DIGITS: usize = 6;
/// Bits that RFC 4226 recommends, in bytes.
const SECRET_BYTES: usize = 20;
/// Pixels of the picture's side, at least.
const SIDE: u32 = 200;

/// A new secret in base32, as it is typed into an app.
pub fn secret() -> String {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    Secret::from(bytes).to_base32()
}

/// The app's side of `secret`, named for the site and the account. Errors: a secret that isn't base32.
pub fn of(secret: &str, site_name: &str, username: &str) -> Result<Totp> {
    let secret = Secret::try_from_base32(secret).map_err(|_| Error::internal("a second factor's secret is damaged"))?;
    // The colon stands between the two in an address of this kind.
    let issuer = site_name.replace(':', " ");
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(DIGITS as u8).with_step_duration(30);
    let builder = builder.with_skew(1).with_secret(secret).with_issuer(Some(issuer)).with_account_name(username);
    builder.build().map_err(|_| Error::internal("a second factor can't be made"))
}

/// The time step whose code `digits` is, near `now`. Cost: 3 HMACs.
pub fn step(secret: &str, digits: &str, now: Timestamp) -> Result<Option<i64>> {
    let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or_default();
    Ok(of(secret, "-", "-")?.check(digits, seconds).and_then(|step| i64::try_from(step).ok()))
}

/// An address as a picture to be scanned: dark on a light ground of its own, without inline style.
pub fn picture(url: &str) -> Result<String> {
    let code = QrCode::new(url).map_err(Error::internal)?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build();
    let svg = svg.trim_start_matches("<?xml version=\"1.0\" standalone=\"yes\"?>");
    let named = format!("<svg role=\"img\" aria-label=\"{}\" ", tr!("QR code for an authenticator app"));
    Ok(svg.replacen("<svg ", &named, 1))
}
