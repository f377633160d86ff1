//! Who decides: somebody else. This crate asks, and does as it is told.

use http::{HeaderName, HeaderValue};
use std::net::IpAddr;
use std::time::Duration;

/// A request in the one form in which it is decided and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub method: String,
    /// "http" or "https".
    pub scheme: String,
    /// Lower-case ASCII, without a trailing dot; an IPv6 address in brackets.
    pub host: String,
    pub port: u16,
    /// Normalised, without the query.
    pub path: String,
}

/// Rules of this crate's own, by which it refuses before or after the policy said yes.
pub mod rule {
    pub const URL: &str = "http:url";
    pub const HEADER: &str = "http:header";
    pub const CERTIFICATE: &str = "http:certificate";
    pub const LIMIT: &str = "http:limit";
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connect: Duration,
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// From the first look at the URL to the last byte.
    pub total: Duration,
    pub header_count: usize,
    pub header_bytes: usize,
    pub request_bytes: u64,
    /// As sent: nothing here undoes a content coding, so nothing here grows.
    pub response_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(15),
            idle: Duration::from_secs(15),
            total: Duration::from_secs(120),
            header_count: 100,
            header_bytes: 32 << 10,
            request_bytes: 8 << 20,
            response_bytes: 8 << 20,
        }
    }
}

/// What an allowed request gets.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    pub limits: Limits,
    /// Put over whatever the sender set under these names; never shown to it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether bytes have a rate: then the policy is told of each piece of a body.
    pub has_rate: bool,
}

/// How a request that was admitted ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// 0: there was no answer.
    pub status: u16,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub duration: Duration,
}

/// Answers at once; called on threads of the runtime.
pub trait Policy: Send + Sync {
    /// Whether this request may be sent, to whatever address. `None`: no.
    fn admit(&self, ask: &Ask) -> Option<Admission>;
    /// Those of `found` that a request that was admitted may go to.
    fn addresses(&self, ask: &Ask, found: &[IpAddr]) -> Vec<IpAddr>;
    /// This crate refused by a rule of its own. `target` may be anything that was asked for.
    fn refused(&self, ask: Option<&Ask>, target: &str, rule: &'static str);
    fn done(&self, ask: &Ask, report: &Report);
    /// A piece of a body went by, of a request whose bytes have a rate. How long the next one is to wait.
    fn moved(&self, bytes: u64) -> Duration {
        let _ = bytes;
        Duration::ZERO
    }
}
