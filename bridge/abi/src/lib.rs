//! The C ABI of the bridge. `include/cordon_bridge.h` is generated from these files by cbindgen and checked by a test.
//!
//! Conventions (after rustls-ffi):
//! - A function that can fail returns `cordon_status` and takes its outputs last; outputs are written only on success,
//!   but for `error`, which is written only on failure and then owned by the caller (`cordon_error_free`).
//! - `_new` and `_find` give ownership to the caller, `_free` takes it back; NULL is allowed there and does nothing.
//! - A pointer to const is only read. Strings are a pointer and a length, UTF-8, not NUL-terminated.
//! - NULL where it is not allowed is `CORDON_STATUS_INVALID`, never a crash.
//! - No panic crosses: it becomes `CORDON_STATUS_PANIC`. Callbacks must not throw.
//! - Engine, code, linked and function are immutable and may be shared by threads; an instance has one owner at a time.
// What makes a call safe is said once, above, and not of each function.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

/// Of the whole library, and of no one else: it is a static library with Rust inside.
#[global_allocator]
static ALLOCATOR: cordon_memory::Allocator = cordon_memory::Allocator(std::alloc::System);

mod boundary;
mod call;
mod code;
mod lane;
mod network;
mod types;

pub use boundary::*;
pub use call::*;
pub use code::*;
pub use lane::*;
pub use network::*;
pub use types::*;

// The parsers' own C functions are part of the same library.
#[cfg(feature = "formats")]
pub use cordon_formats::*;
