//! What whoever sends knows of the way out.

use crate::error::{Error, Outcome};
use crate::policy::Policy;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A body that somebody else makes.
pub type BoxedBody = UnsyncBoxBody<Bytes, Error>;

/// Where requests go: a client of this process, or one that it talks to.
pub trait Egress: Send + Sync {
    fn send(self: Arc<Self>, policy: Arc<dyn Policy>, request: Request) -> Sending;
    /// The addresses of a name in the form of `named`, for who connects by other means; nobody is asked.
    fn resolve(self: Arc<Self>, name: String) -> Resolving;
    /// Whether the name may be looked up, if the other side decides that: then it gives only addresses that may be
    /// used.
    fn may_look_up(&self, name: &str) -> Option<bool> {
        let _ = name;
        None
    }
}

pub type Sending = Pin<Box<dyn Future<Output = Outcome<http::Response<BoxedBody>>> + Send>>;

pub type Resolving = Pin<Box<dyn Future<Output = Outcome<Vec<IpAddr>>> + Send>>;

/// What the operator fixes for one owner of connections.
#[derive(Clone, Debug)]
pub struct Options {
    /// Empty: those of the machine.
    pub dns_servers: Vec<SocketAddr>,
    /// PEM, beside the system's.
    pub extra_roots: Vec<Vec<u8>>,
    pub system_roots: bool,
    pub connections: usize,
    /// How long a connection is kept for another request. Zero: not at all.
    pub keep_alive: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dns_servers: Vec::new(),
            extra_roots: Vec::new(),
            system_roots: true,
            connections: 32,
            keep_alive: Duration::from_secs(15),
        }
    }
}

pub struct Request {
    /// As the sender wrote it.
    pub method: String,
    /// Absolute, as the sender wrote it.
    pub url: String,
    pub headers: HeaderMap,
    pub body: BoxedBody,
    /// The sender's own, within the policy's.
    pub connect: Option<Duration>,
    pub first_byte: Option<Duration>,
    pub idle: Option<Duration>,
}

impl Request {
    pub fn new(method: &str, url: &str) -> Request {
        Request {
            method: method.into(),
            url: url.into(),
            headers: HeaderMap::new(),
            body: empty(),
            connect: None,
            first_byte: None,
            idle: None,
        }
    }
}

pub fn empty() -> BoxedBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
