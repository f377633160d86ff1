//! The engine behind Cordon's C ABI: Wasmtime with the settings, limits and linking that hostile guests make necessary.
//! It knows WebAssembly and WASI; it knows no plugins, capabilities or policies.

pub mod aot;
mod disposal;
pub mod engine;
pub mod extism;
pub mod fault;
mod fiber;
pub mod files;
pub mod fledge;
pub mod http;
pub mod instance;
pub mod lane;
pub mod link;
mod nested;
mod p1;
mod sockets;
mod stdio;
pub mod store;
mod ticker;
mod traced;
mod values;
pub mod way;

pub use engine::{Engine, Options};
pub use fault::{Fault, Kind, Outcome};
pub use instance::Instance;
pub use link::{Code, Function, HostImport, Linked};
pub use values::{Piece, Sink};

/// Wasmtime's full version and ours: part of every compiled artifact, so that old code never outlives a fix.
pub const BUILD: &str = concat!("wasmtime 48.0.8 cordon ", env!("CARGO_PKG_VERSION"));
pub const WASMTIME_VERSION: &str = "48.0.8";
