//! A push service and the browsers that subscribe to it, written from the RFCs and not with what the server uses: messages
//! are opened as RFC 8291 says, signatures checked as RFC 8292 does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{PublicKey, SecretKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use switchboard::app::Seams;
use switchboard::push::network::Reach;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::actors::{Page, Visitor};

/// What came to the service.
pub struct Pushed {
    /// The browser's name.
    pub to: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Pushed {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the signature says, once it is checked against this public key.
    pub fn claims(&self, public_key: &str) -> Value {
        let expected = format!(", k={public_key}");
        let token = self.header("authorization").strip_prefix("vapid t=").unwrap().strip_suffix(&expected).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, URL_SAFE_NO_PAD.decode(public_key).unwrap());
        key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).expect("a good signature");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap()).unwrap()
    }
}

#[derive(Clone)]
struct Desk {
    /// What the next pushes are answered with; 201 when there is nothing.
    answers: Arc<Mutex<VecDeque<u16>>>,
    pushed: UnboundedSender<Pushed>,
}

pub struct Service {
    pub url: String,
    desk: Desk,
    pushed: UnboundedReceiver<Pushed>,
}

impl Service {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, pushed) = unbounded_channel();
        let desk = Desk { answers: Arc::default(), pushed: sender };
        let router = Router::new().route("/push/{name}", post(take)).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, desk, pushed }
    }

    /// Whatever comes next is answered so, once each, and may be tried again at once.
    pub fn answer(&self, statuses: &[u16]) {
        self.desk.answers.lock().unwrap().extend(statuses);
    }

    /// The next push; fails when none comes.
    pub async fn next(&mut self) -> Pushed {
        let next = tokio::time::timeout(Duration::from_secs(20), self.pushed.recv()).await;
        next.expect("something is pushed").unwrap()
    }

    /// Whether nothing came that wasn't asked for.
    pub fn is_quiet(&mut self) -> bool {
        self.pushed.try_recv().is_err()
    }
}

async fn take(
    State(desk): State<Desk>,
    Path(to): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let status = desk.answers.lock().unwrap().pop_front().unwrap_or(201);
    desk.pushed.send(Pushed { to, headers, body: body.to_vec() }).unwrap();
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")])
}

/// Where pushes may go on this machine.
pub fn seams() -> Seams {
    Seams { push_reach: Reach::Anywhere, ..Seams::default() }
}

/// A browser that a push service knows by a name.
pub struct Browser {
    pub endpoint: String,
    secret: SecretKey,
    auth: [u8; 16],
}

impl Browser {
    pub fn new(service: &Service, name: &str) -> Self {
        let secret = SecretKey::from_slice(&rand::random::<[u8; 32]>()).unwrap();
        Self { endpoint: format!("{}/push/{name}", service.url), secret, auth: rand::random() }
    }

    fn point(&self) -> Vec<u8> {
        self.secret.public_key().to_encoded_point(false).as_bytes().to_vec()
    }

    pub fn p256dh(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.point())
    }

    pub fn auth(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.auth)
    }

    /// Has whoever uses it told here, as the page of settings does.
    pub async fn subscribe(&self, who: &mut Visitor) -> Page {
        let (p256dh, auth) = (self.p256dh(), self.auth());
        who.post("/settings/push", &[("endpoint", &self.endpoint), ("p256dh", &p256dh), ("auth", &auth)]).await
    }

    /// What a push says, opened with this browser's keys.
    pub fn open(&self, pushed: &Pushed) -> Value {
        assert_eq!(pushed.header("content-encoding"), "aes128gcm");
        assert!(pushed.body.len() <= 4096, "{}", pushed.body.len());
        let (salt, rest) = pushed.body.split_at(16);
        let (size, rest) = rest.split_at(4);
        let (key_id, sealed) = rest[1..].split_at(usize::from(rest[0]));
        assert!(u32::from_be_bytes(size.try_into().unwrap()) as usize >= sealed.len());
        let sender = PublicKey::from_sec1_bytes(key_id).unwrap();
        let shared = p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), sender.as_affine());
        let first = Salt::new(HKDF_SHA256, &self.auth).extract(shared.raw_secret_bytes());
        let material = expanded(&first, &[b"WebPush: info\0", &self.point(), key_id], 32);
        let second = Salt::new(HKDF_SHA256, salt).extract(&material);
        let key = expanded(&second, &[b"Content-Encoding: aes128gcm\0"], 16);
        let nonce = expanded(&second, &[b"Content-Encoding: nonce\0"], 12);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let mut text = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&nonce).unwrap();
        let text = key.open_in_place(nonce, Aad::empty(), &mut text).expect("it is for this browser");
        let end = text.iter().rposition(|byte| *byte != 0).unwrap();
        assert_eq!(text[end], 2, "the last record");
        serde_json::from_slice(&text[..end]).unwrap()
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expanded(key: &Prk, info: &[&[u8]], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    key.expand(info, Length(length)).unwrap().fill(&mut bytes).unwrap();
    bytes
}
