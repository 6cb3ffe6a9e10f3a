//! What the server's HTTP runs on: TCP, but for the answer to a socket's handshake, which is held back until the first frame
//! and goes with it. Thousands of sockets that come back after a restart cost one write each instead of two, and wake
//! whoever reads once. Given to axum by `cli/serve.rs`; `live/wire/handshake.rs` says when to hold it back, and takes it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// How the answer to a handshake begins (RFC 9110, section 15.2.2).
const SWITCHING: &[u8] = b"HTTP/1.1 101 ";

/// Where connections come in.
pub struct Door(pub TcpListener);

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    switches: Arc<AtomicBool>,
}

impl Peer {
    /// Its request is answered by a switch of protocols: that answer is held back.
    pub fn switch(&self) {
        self.switches.store(true, Ordering::Release);
    }
}

/// A connection. Once it has switched protocols, nothing more is written on it but by who takes it.
pub struct Transport {
    stream: TcpStream,
    switches: Arc<AtomicBool>,
    held: BytesMut,
}

impl Transport {
    /// The connection itself, and the answer to the handshake, which is still to be written.
    pub fn take(self) -> (TcpStream, Bytes) {
        (self.stream, self.held.freeze())
    }

    /// Whether these bytes are that answer. A file that somebody sent may begin alike.
    fn holds(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(SWITCHING) && self.switches.load(Ordering::Acquire)
    }
}

impl Listener for Door {
    type Io = Transport;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Transport, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Transport { stream, switches: Arc::default(), held: BytesMut::new() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self { address: *stream.remote_addr(), switches: stream.io().switches.clone() }
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.holds(bytes) {
            self.held.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices.first() {
            Some(first) if self.holds(first) => self.poll_write(cx, first),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
