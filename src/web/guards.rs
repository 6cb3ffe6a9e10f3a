//! Layers that stand in the way of some requests only. Who shows a token has no use for what cookies need, the session and
//! the question which site a request comes from: with the boxes of the functions that stood there before, 8 % of the CPU of
//! a post by the API.

use std::convert::Infallible;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::Response;
use futures_util::future::Either;
use tower::{Layer, Service};

/// Puts `layers` around a service, for all requests but those that are `spared`.
#[derive(Clone)]
pub struct Guards<L> {
    pub layers: L,
    pub spared: fn(&Request) -> bool,
}

#[derive(Clone)]
pub struct Guarded<S, G> {
    open: S,
    guarded: G,
    spared: fn(&Request) -> bool,
}

impl<S: Clone, L: Layer<S>> Layer<S> for Guards<L> {
    type Service = Guarded<S, L::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { open: inner.clone(), guarded: self.layers.layer(inner), spared: self.spared }
    }
}

impl<S, G> Service<Request> for Guarded<S, G>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    G: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, G::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        ready!(self.open.poll_ready(cx))?;
        self.guarded.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match (self.spared)(&request) {
            true => Either::Left(self.open.call(request)),
            false => Either::Right(self.guarded.call(request)),
        }
    }
}
