//! The site's name to push services (VAPID, RFC 8292): a key pair made at the first start and kept in the table `push_keys`,
//! sealed with a key derived from SECRET_KEY. Browsers subscribe to its public half; each push is signed with the other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::SecretKey;
use p256::elliptic_curve::rand_core::OsRng;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::EncodePrivateKey;
use serde::Serialize;
use url::Url;

use crate::auth::keys::{Keys, Purpose};
use crate::clock::Timestamp;
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::on_db;

/// Seconds for which a signature is good; a service takes at most a day.
const LIFETIME: i64 = 12 * 3600;

pub struct SiteKey {
    signing: EncodingKey,
    public: String,
}

/// Who sends, to which service, until when.
#[derive(Serialize)]
struct Claims<'a> {
    aud: String,
    exp: i64,
    sub: &'a str,
}

impl SiteKey {
    /// The site's key; made if there is none. Of several nodes that start at once all get the same. A key that SECRET_KEY
    /// doesn't open any more is replaced, and browsers have to subscribe anew. Cost: 1 query, for a new one 1 write.
    pub async fn load(db: &Db, keys: &Keys, now: Timestamp) -> Result<Self> {
        // Another node may put its own in the place of a lost one first; then that is read.
        for _ in 0..3 {
            let stored = stored(&mut db.read().await?).await?;
            let opened = stored.as_deref().map(|sealed| keys.open(Purpose::Push, sealed)).transpose()?.flatten();
            if let Some(key) = opened.as_deref().and_then(Self::of_text) {
                return Ok(key);
            }
            if stored.is_some() {
                tracing::warn!(
                    "SECRET_KEY doesn't open the key for pushes: a new one is made, and browsers must subscribe anew"
                );
            }
            store(db, keys, stored.as_deref(), now).await?;
        }
        Err(Error::internal("the key for pushes can't be kept"))
    }

    fn of_text(text: &str) -> Option<Self> {
        let secret = SecretKey::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let signing = EncodingKey::from_ec_der(secret.to_pkcs8_der().ok()?.as_bytes());
        Some(Self { signing, public: public(&secret) })
    }

    /// Base64url of the uncompressed point.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// What a push to `endpoint` says of who sends it; `site` is the site's address. Cost: 1 signature.
    pub fn authorization(&self, endpoint: &Url, site: &str, now: Timestamp) -> Result<String> {
        let aud = endpoint.origin().ascii_serialization();
        let claims = Claims { aud, exp: now.0 / 1_000_000 + LIFETIME, sub: site };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.signing);
        Ok(format!("vapid t={}, k={}", token.map_err(Error::internal)?, self.public))
    }
}

fn public(secret: &SecretKey) -> String {
    URL_SAFE_NO_PAD.encode(secret.public_key().to_encoded_point(false).as_bytes())
}

async fn stored(conn: &mut Conn) -> Result<Option<String>> {
    Ok(on_db!(conn, c => sqlx::query_scalar("select sealed from push_keys where id = 1").fetch_optional(c).await)?)
}

/// Keeps a new key, unless somebody else has put one in the place of `before`.
async fn store(db: &Db, keys: &Keys, before: Option<&str>, now: Timestamp) -> Result<()> {
    let secret = SecretKey::random(&mut OsRng);
    let sealed = keys.seal(Purpose::Push, &URL_SAFE_NO_PAD.encode(secret.to_bytes()))?;
    let mut tx = db.write().await?;
    on_db!(tx, c => sqlx::query(
        "insert into push_keys (id, sealed, public_key, created_at) values (1, $1, $2, $3)
         on conflict (id) do update set sealed = excluded.sealed, public_key = excluded.public_key,
                                        created_at = excluded.created_at where push_keys.sealed = $4")
        .bind(sealed).bind(public(&secret)).bind(now).bind(before).execute(c).await.map(|_| ()))?;
    tx.commit().await
}
