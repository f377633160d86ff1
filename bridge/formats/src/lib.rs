//! Formats that are parsed outside C++: JSON Schema, semantic versions, WebAssembly binaries and WIT worlds.
//!
//! The C contract, with ownership in words, is `bridge/include/cordon_formats.h`. Everything that this crate reads
//! is untrusted: sizes, depths and counts are bounded before the work that they would cost.

mod describe;
mod ffi;
mod schema;
mod schema_rules;
mod version;
mod world;

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
    Memory = 12,
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

/// The parser of WIT recurses along chains of definitions. This stack, of which only what is touched is paid for, holds
/// the longest chain that the limits on the text allow.
const PARSER_STACK_BYTES: usize = 256 << 20;

pub(crate) fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
    let gone = |what: &str| Failure::new(Status::Panic, what);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(PARSER_STACK_BYTES).spawn_scoped(scope, work);
        let no_memory = |_| Failure::new(Status::Memory, "there is no memory for the stack of the WIT parser");
        let thread = thread.map_err(no_memory)?;
        thread.join().unwrap_or_else(|_| Err(gone("a fault inside the WIT parser")))
    })
}
