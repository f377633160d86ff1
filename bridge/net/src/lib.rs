//! HTTP and names, on the way out: the one path by which bytes of a guest leave for the network.
//!
//! A request is parsed once and rebuilt from its parts; a `Policy` says whether it may go; its name is resolved; the
//! policy says to which of the addresses; the connection is made to such an address and stays with it. TLS verifies
//! the name that was allowed. Everything has a limit. There are no proxies, no netrc, no cookies, and nothing of the
//! environment but where the system keeps its roots.
//!
//! This crate knows HTTP, TLS and DNS; it knows no plugins, capabilities or policies.
#![cfg_attr(not(feature = "client"), allow(dead_code))]

#[cfg(feature = "client")]
mod alarm;
#[cfg(feature = "client")]
mod body;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod connection;
mod egress;
mod error;
mod policy;
#[cfg(feature = "client")]
mod resolve;
mod target;
#[cfg(feature = "client")]
mod tls;

#[cfg(feature = "client")]
pub use body::ResponseBody;
#[cfg(feature = "client")]
pub use client::Client;
pub use egress::{BoxedBody, Egress, Options, Request, Resolving, Sending, empty};
pub use error::{Error, Outcome};
pub use policy::{Admission, Ask, Limits, Policy, Report, rule};
pub use target::{Named, Target, named};
