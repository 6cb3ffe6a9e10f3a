//! Keys derived from SECRET_KEY, one a purpose (HKDF-SHA-256, RFC 5869), and what is done with them: texts sealed for
//! the database or a cookie (AES-256-GCM), names that tell nothing (HMAC), and the key that signs access tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::hmac;

use crate::config::Secret;
use crate::error::{Error, Result};
use crate::text::hex;

/// What a text is sealed for: sealed for one purpose, it can't be opened for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The secret of a second factor, in the database.
    TwoFactor,
    /// The codes for whoever lost it, in the database.
    Recovery,
    /// What a page shows once, in a cookie.
    Once,
    /// The name of a mail, the same whenever it is sent.
    MessageId,
    /// The private key that pushes are signed with, in the database.
    Push,
    /// The name of what nodes count together, in Redis.
    Throttle,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::TwoFactor => "two-factor",
            Self::Recovery => "recovery",
            Self::Once => "once",
            Self::MessageId => "message-id",
            Self::Push => "push",
            Self::Throttle => "throttle",
        }
    }
}

pub struct Keys(Prk);

impl Keys {
    pub fn new(secret: &Secret) -> Self {
        Self(Salt::new(HKDF_SHA256, b"switchboard").extract(secret.reveal().as_bytes()))
    }

    /// Signs access tokens (HS256).
    pub fn access(&self) -> Result<[u8; 32]> {
        self.derive("access")
    }

    fn derive(&self, name: &str) -> Result<[u8; 32]> {
        let mut key = [0; 32];
        let info = [name.as_bytes()];
        let filled = self.0.expand(&info, HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        filled.map_err(|_| Error::internal("a key can't be derived"))?;
        Ok(key)
    }

    /// What `text` is known by without being kept: worth nothing to who has the database but not the key
    /// (HMAC-SHA-256, hexadecimal digits). Cost: O(length).
    pub fn mark(&self, purpose: Purpose, text: &str) -> Result<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose.name())?);
        Ok(hex(hmac::sign(&key, text.as_bytes())))
    }

    fn cipher(&self, purpose: Purpose) -> Result<LessSafeKey> {
        let key = self.derive(purpose.name())?;
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| Error::internal("a key can't be made"))?;
        Ok(LessSafeKey::new(key))
    }

    /// `text`, readable again by [`Keys::open`] only. A random nonce each time: good for 2³² texts a purpose
    /// (NIST SP 800-38D, 8.3). Cost: O(length).
    pub fn seal(&self, purpose: Purpose, text: &str) -> Result<String> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = text.as_bytes().to_vec();
        self.cipher(purpose)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .map_err(|_| Error::internal("a text can't be sealed"))?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// What was sealed; `None` for what this site's key didn't seal for this purpose. Cost: O(length).
    pub fn open(&self, purpose: Purpose, sealed: &str) -> Result<Option<String>> {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(sealed) else { return Ok(None) };
        let Some((nonce, text)) = bytes.split_first_chunk::<NONCE_LEN>() else { return Ok(None) };
        let mut text = text.to_vec();
        let opened = self.cipher(purpose)?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut text);
        Ok(opened.ok().and_then(|text| String::from_utf8(text.to_vec()).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_for_the_same_purpose_only() {
        let keys = Keys::new(&Secret::new("a secret of thirty-two characters"));
        let sealed = keys.seal(Purpose::TwoFactor, "JBSWY3DP").unwrap();
        assert_eq!(keys.open(Purpose::TwoFactor, &sealed).unwrap().as_deref(), Some("JBSWY3DP"));
        assert_ne!(keys.seal(Purpose::TwoFactor, "JBSWY3DP").unwrap(), sealed);
        let other = Keys::new(&Secret::new("another secret, also long enough."));
        let bent = format!("{}A", &sealed[..sealed.len() - 1]);
        for (keys, purpose, sealed) in [
            (&keys, Purpose::Once, sealed.as_str()),
            (&other, Purpose::TwoFactor, &sealed),
            (&keys, Purpose::TwoFactor, &sealed[..20]),
            (&keys, Purpose::TwoFactor, ""),
            (&keys, Purpose::TwoFactor, "not base64!"),
        ] {
            assert_eq!(keys.open(purpose, sealed).unwrap(), None, "{sealed}");
        }
        assert!(keys.open(Purpose::TwoFactor, &bent).unwrap().is_none() || bent == sealed);
    }
}
