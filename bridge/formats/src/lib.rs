//! Formats that are parsed outside C++: JSON Schema, semantic versions and WebAssembly binaries.
//!
//! The C contract, with ownership in words, is `bridge/include/cordon_formats.h`. Everything that this crate reads
//! is untrusted: sizes, depths and counts are bounded before the work that they would cost.

mod describe;
mod ffi;
mod schema;
mod schema_rules;
mod version;

pub use ffi::*;

/// What went wrong; the numbers are the C contract's.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok = 0,
    NullArgument = 1,
    Panic = 2,
    Text = 3,
    Syntax = 4,
    Invalid = 5,
    Limit = 6,
    Name = 7,
    NotWasm = 8,
    Precompiled = 9,
    Compile = 10,
    CompileLimit = 11,
}

#[derive(Debug)]
pub struct Failure {
    pub status: Status,
    pub message: String,
}

impl Failure {
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Failure { status, message: message.into() }
    }
}

pub type Outcome<T> = Result<T, Failure>;
