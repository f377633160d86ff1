//! Errors, and the boundary that no panic crosses.

use ::cordon_engine::{Fault, Kind, Outcome};
use cordon_memory::is_short;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a call of the bridge ended. Everything but OK comes with a `cordon_error`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum cordon_status {
    OK = 0,
    INVALID = 1,
    COMPILE = 2,
    LINK = 3,
    NOT_FOUND = 4,
    TRAP = 5,
    BAD_POINTER = 6,
    BAD_STRING = 7,
    HANDLE = 8,
    EXIT = 9,
    TIMEOUT = 10,
    CPU = 11,
    FUEL = 12,
    MEMORY = 13,
    STACK_OVERFLOW = 14,
    LIFT_LIMIT = 15,
    TABLE_FULL = 16,
    INSTANCES = 17,
    BUSY = 18,
    INTERRUPTED = 19,
    POISONED = 20,
    /// The host ended the guest's call; `cordon_error_number` is the host's own code.
    HOST = 21,
    PANIC = 22,
    INTERNAL = 23,
    UNAVAILABLE = 24,
    LIMIT = 25,
    DENIED = 26,
    IO = 27,
}

impl From<Kind> for cordon_status {
    fn from(kind: Kind) -> cordon_status {
        use cordon_status as S;
        match kind {
            Kind::Invalid => S::INVALID,
            Kind::Compile => S::COMPILE,
            Kind::Link => S::LINK,
            Kind::NotFound => S::NOT_FOUND,
            Kind::Trap => S::TRAP,
            Kind::BadPointer => S::BAD_POINTER,
            Kind::BadString => S::BAD_STRING,
            Kind::Handle => S::HANDLE,
            Kind::Exit => S::EXIT,
            Kind::Timeout => S::TIMEOUT,
            Kind::Cpu => S::CPU,
            Kind::Fuel => S::FUEL,
            Kind::Memory => S::MEMORY,
            Kind::StackOverflow => S::STACK_OVERFLOW,
            Kind::LiftLimit => S::LIFT_LIMIT,
            Kind::TableFull => S::TABLE_FULL,
            Kind::Instances => S::INSTANCES,
            Kind::Busy => S::BUSY,
            Kind::Interrupted => S::INTERRUPTED,
            Kind::Poisoned => S::POISONED,
            Kind::Host => S::HOST,
            Kind::Panic => S::PANIC,
            Kind::Internal => S::INTERNAL,
            Kind::Unavailable => S::UNAVAILABLE,
            Kind::Limit => S::LIMIT,
            Kind::Denied => S::DENIED,
            Kind::Io => S::IO,
        }
    }
}

/// What went wrong. Owned by whoever received it.
pub struct cordon_error {
    fault: Fault,
}

/// What was made while memory was short lies in the reserve, and goes.
fn whole<T>(body: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    body().and_then(|value| if is_short() { Err(Fault::memory()) } else { Ok(value) })
}

/// Runs the body of an entry point: a failure is written to `error`, a panic becomes one.
pub(crate) fn boundary<T>(
    error: *mut *mut cordon_error,
    write: impl FnOnce(T),
    body: impl FnOnce() -> Outcome<T>,
) -> cordon_status {
    let (outcome, was_short) = cordon_memory::watch(|| (catch_unwind(AssertUnwindSafe(|| whole(body))), is_short()));
    let fault = match outcome {
        Ok(Ok(value)) => {
            write(value);
            return cordon_status::OK;
        }
        Ok(Err(fault)) if was_short && fault.kind == Kind::Internal => Fault::memory(),
        Ok(Err(fault)) => fault,
        Err(_) if was_short => Fault::memory(),
        Err(panic) => Fault::new(Kind::Panic, format!("the bridge panicked: {}", panic_text(&panic))),
    };
    let status = fault.kind.into();
    // Safety: the caller's out-pointer, or NULL for "not interested".
    if let Some(slot) = unsafe { error.as_mut() } {
        *slot = Box::into_raw(Box::new(cordon_error { fault }));
    }
    status
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_string())
}

pub(crate) fn null(name: &str) -> Fault {
    Fault::new(Kind::Invalid, format!("{name} is NULL"))
}

/// An allocation that fails ends the process from now on: for one that has a limit on its memory in order to end there.
/// Call it before anything else of this library.
#[unsafe(no_mangle)]
pub extern "C" fn cordon_end_when_short_of_memory() {
    cordon_memory::forgo_reserve();
}

/// For entry points that cannot fail: a panic gives `otherwise`.
pub(crate) fn quiet<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

unsafe fn text_of(error: *const cordon_error, len: *mut usize, get: impl Fn(&Fault) -> &str) -> *const c_char {
    // Safety: pointers from this library, or NULL.
    let text = unsafe { error.as_ref() }.map(|e| get(&e.fault)).unwrap_or("");
    if let Some(len) = unsafe { len.as_mut() } {
        *len = text.len();
    }
    text.as_ptr().cast()
}

/// The message; it lives as long as the error. May hold guest text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_error_message(error: *const cordon_error, len: *mut usize) -> *const c_char {
    unsafe { text_of(error, len, |f| &f.message) }
}

/// The guest's frames, one per line, or nothing; it lives as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_error_backtrace(error: *const cordon_error, len: *mut usize) -> *const c_char {
    unsafe { text_of(error, len, |f| &f.backtrace) }
}

/// The guest's exit status (EXIT), the host's own code (HOST), ENOMEM when the process has no memory (MEMORY), else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_error_number(error: *const cordon_error) -> i64 {
    // Safety: a pointer from this library, or NULL.
    unsafe { error.as_ref() }.map_or(0, |e| e.fault.number)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_error_free(error: *mut cordon_error) {
    if !error.is_null() {
        // Safety: made by Box::into_raw in `boundary`, freed once by its owner.
        drop(unsafe { Box::from_raw(error) });
    }
}
