//! A socket as a browser or a program has it: frames as JSON, waited for by what they say, never by time.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Only a failure waits this long.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Socket(pub WebSocketStream<TcpStream>);

impl Socket {
    /// Errors: the status of a refused handshake.
    pub async fn open(base: &str, path: &str, cookie: Option<&str>, origin: Option<&str>) -> Result<Self, u16> {
        Self::over(TcpSocket::new_v4().unwrap(), base, path, cookie, origin).await
    }

    /// One whose reader's side takes no more than some kilobytes that aren't read.
    pub async fn narrow(base: &str, path: &str, cookie: Option<&str>) -> Result<Self, u16> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        Self::over(socket, base, path, cookie, Some(base)).await
    }

    async fn over(
        socket: TcpSocket,
        base: &str,
        path: &str,
        cookie: Option<&str>,
        origin: Option<&str>,
    ) -> Result<Self, u16> {
        let url = format!("{}{path}", base.replace("http", "ws"));
        let mut request = url.into_client_request().unwrap();
        for (name, value) in [("cookie", cookie), ("origin", origin)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        let stream = socket.connect(base.trim_start_matches("http://").parse().unwrap()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub async fn say(&mut self, content: &str, client_id: &str) {
        self.send(json!({"type": "message", "content": content, "client_id": client_id})).await;
    }

    /// The next frame of any kind; `None` when the socket has closed.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("nothing came");
            match message {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame of type `kind`, passing over others.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> impl Future<Output = Value> {
        let kind = kind.to_owned();
        async move {
            loop {
                match self.next().await {
                    Some(frame) if frame["type"] == kind.as_str() => return frame,
                    Some(_) => {}
                    None => panic!("closed while waiting for {kind}"),
                }
            }
        }
    }

    /// Every frame up to the answer to a ping sent now: what was published before has come, and nothing else will.
    pub async fn settled(&mut self) -> Vec<Value> {
        self.send(json!({"type": "ping"})).await;
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await.expect("the socket closed");
            if frame["type"] == "pong" {
                return frames;
            }
            frames.push(frame);
        }
    }

    /// The code with which the server closes this socket, passing over frames.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("it stayed open") {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("it ended without a code: {other:?}"),
            }
        }
    }
}
