//! What can go wrong, by kind. The C++ side maps each kind to one stable code.

use std::fmt;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::{I32Exit, ResourceTableError};

/// The kinds of failure that the bridge tells apart.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invalid = 1,
    Compile = 2,
    Link = 3,
    NotFound = 4,
    Trap = 5,
    BadPointer = 6,
    BadString = 7,
    Handle = 8,
    Exit = 9,
    Timeout = 10,
    Cpu = 11,
    Fuel = 12,
    Memory = 13,
    StackOverflow = 14,
    LiftLimit = 15,
    TableFull = 16,
    Instances = 17,
    Busy = 18,
    Interrupted = 19,
    Poisoned = 20,
    Host = 21,
    Panic = 22,
    Internal = 23,
    /// A part that is needed is not there.
    Unavailable = 24,
    /// More than a limit of the host's allows.
    Limit = 25,
    /// Nothing granted it.
    Denied = 26,
    /// The world outside did not answer.
    Io = 27,
}

/// A failure: its kind, one sentence, the guest's frames, and a number (exit status, or the host's own code).
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub message: String,
    pub backtrace: String,
    pub number: i64,
}

impl Fault {
    pub fn new(kind: Kind, message: impl Into<String>) -> Fault {
        Fault { kind, message: message.into(), backtrace: String::new(), number: 0 }
    }

    /// The process's memory, not the guest's.
    pub fn memory() -> Fault {
        Fault::new(Kind::Memory, cordon_memory::TEXT).with_number(i64::from(libc::ENOMEM))
    }

    pub fn with_number(mut self, number: i64) -> Fault {
        self.number = number;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

pub type Outcome<T> = Result<T, Fault>;

/// Sorts an error of the engine into a kind. `stopped` is why our own deadline machinery stopped the guest, if it did;
/// `memory_denied` is whether a growth was refused before, which is then the likeliest cause of a plain trap.
pub fn classify(error: Error, stopped: Option<Kind>, memory_denied: bool) -> Fault {
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
    let mut fault = sort(&error, stopped, memory_denied);
    if fault.backtrace.is_empty() {
        fault.backtrace = backtrace;
    }
    if let Some(said) = error.downcast_ref::<Said>() {
        fault.message = format!("{} ({})", said.0, fault.message);
    }
    fault
}

/// Why a guest says that it failed; wrapped around how it did.
#[derive(Debug)]
pub(crate) struct Said(pub String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn frames(backtrace: &WasmBacktrace) -> String {
    // The engine's own text, less its heading: one frame a line, demangled.
    let text = backtrace.to_string();
    let mut lines = text.lines().map(str::trim_end).filter(|l| !l.starts_with("error while executing"));
    let mut out = String::new();
    for line in lines.by_ref() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(line);
    }
    out
}

fn sort(error: &Error, stopped: Option<Kind>, memory_denied: bool) -> Fault {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    if let Some(kind) = stopped {
        let why = match kind {
            Kind::Cpu => "the call used up its CPU time",
            Kind::Interrupted => "the call was interrupted",
            _ => "the call ran past its deadline",
        };
        return Fault::new(kind, why);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Fault::new(Kind::Exit, format!("the guest ended itself with status {}", exit.0))
            .with_number(i64::from(exit.0));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let kind = match trap {
            Trap::StackOverflow => Kind::StackOverflow,
            Trap::OutOfFuel => Kind::Fuel,
            Trap::Interrupt => Kind::Timeout,
            Trap::InvalidDiscriminant | Trap::InvalidChar => Kind::LiftLimit,
            Trap::StringOutOfBounds | Trap::ListOutOfBounds | Trap::UnalignedPointer => Kind::BadPointer,
            _ if memory_denied => Kind::Memory,
            _ => Kind::Trap,
        };
        let text = trap.to_string();
        let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
        let text = match kind {
            Kind::Memory => format!("the guest trapped after it was refused memory ({text})"),
            Kind::Fuel => "the call used up its fuel".to_string(),
            Kind::StackOverflow => "the guest's stack is exhausted".to_string(),
            _ => text.to_string(),
        };
        return Fault::new(kind, text);
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Fault::new(Kind::Busy, "no free instance in the engine's pool");
    }
    if let Some(table) = error.downcast_ref::<ResourceTableError>() {
        return match table {
            ResourceTableError::Full => Fault::new(Kind::TableFull, "the guest holds too many host resources"),
            other => Fault::new(Kind::Handle, format!("bad resource handle: {other}")),
        };
    }
    if is_memory(error) {
        return Fault::memory();
    }
    by_text(error, memory_denied)
}

fn is_memory(error: &Error) -> bool {
    let refused = error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::OutOfMemory);
    refused
        || error.is::<wasmtime::OutOfMemory>()
        || error.downcast_ref::<rustix::io::Errno>().is_some_and(|e| *e == rustix::io::Errno::NOMEM)
}

/// Wasmtime has no type for these; its words are pinned with its version, and tests hold them.
fn by_text(error: &Error, memory_denied: bool) -> Fault {
    let root = error.root_cause().to_string();
    let full = format!("{error:#}");
    let has = |patterns: &[&str]| patterns.iter().any(|pattern| root.contains(pattern));
    let kind = if has(&["fuel allocated for hostcalls"]) {
        Kind::LiftLimit
    } else if has(&["cannot allocate another handle", "handle limit exceeded", "too many active lends"]) {
        Kind::TableFull
    } else if has(&["resource limit exceeded"]) {
        Kind::Instances
    } else if has(&["exceeds memory limits", "exceeds table limits"]) {
        Kind::Memory
    } else if has(&["out of bounds", "not aligned", "beyond end of memory"]) {
        Kind::BadPointer
    } else if has(&["utf8", "utf-8", "utf16", "surrogate"]) {
        Kind::BadString
    } else if has(&["handle", "resource"]) {
        Kind::Handle
    } else if memory_denied {
        Kind::Memory
    } else {
        Kind::Trap
    };
    // The backtrace is told apart; the context chain without it is the message.
    let message = full.split("error while executing at wasm backtrace").next().unwrap_or(&full);
    let message = message.trim_matches(|c: char| c == ':' || c.is_whitespace());
    // A host function's error has the backtrace around it, so that nothing stands before.
    Fault::new(kind, if message.is_empty() { root.as_str() } else { message })
}
