//! Plain structures that cross the ABI.

use ::cordon_engine::store::{Answer, Port, Reply};
use ::cordon_engine::{Fault, Outcome, Piece};
use std::ffi::{c_char, c_void};

use crate::boundary::{null, quiet};
use crate::call::cordon_interrupter;
use crate::code::cordon_code;
use crate::network::cordon_network;

/// A view of UTF-8 text; not NUL-terminated. `data` may be NULL when `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cordon_str {
    pub data: *const c_char,
    pub len: usize,
}

/// A view of bytes. `data` may be NULL when `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cordon_bytes {
    pub data: *const u8,
    pub len: usize,
}

impl cordon_bytes {
    /// Safety: the caller's view must be valid for reads while the borrow lasts.
    pub(crate) unsafe fn get<'a>(self) -> &'a [u8] {
        if self.data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.len) } }
    }
}

impl cordon_str {
    /// Safety: as for bytes.
    pub(crate) unsafe fn get<'a>(self, name: &str) -> Outcome<&'a str> {
        let bytes = unsafe { cordon_bytes { data: self.data.cast(), len: self.len }.get() };
        std::str::from_utf8(bytes)
            .map_err(|_| ::cordon_engine::Fault::new(::cordon_engine::Kind::Invalid, format!("{name} is not UTF-8")))
    }
}

/// Receives bytes: called at most once, before the function that takes it returns. Must not throw.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cordon_writer {
    pub user: *mut c_void,
    pub write: Option<unsafe extern "C" fn(user: *mut c_void, data: *const u8, len: usize)>,
}

impl cordon_writer {
    pub(crate) fn put(&self, bytes: &[u8]) {
        if let Some(write) = self.write {
            // Safety: the caller's own function and pointer.
            unsafe { write(self.user, bytes.as_ptr(), bytes.len()) }
        }
    }
}

/// Receives a call's results: called at most once, on the calling thread, before the function that takes it returns.
/// The pieces together are the wire bytes; they may lie in guest memory and are gone when `take` returns. Must not
/// throw, and must not use the instance. The call can still fail afterwards.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cordon_result_sink {
    pub user: *mut c_void,
    pub take: Option<unsafe extern "C" fn(user: *mut c_void, pieces: *const cordon_bytes, len: usize)>,
}

impl cordon_result_sink {
    pub(crate) fn take(&self, pieces: &[Piece<'_>]) {
        if let Some(take) = self.take {
            // Safety: the caller's own function and pointer; a Piece is laid out as cordon_bytes (call.rs).
            unsafe { take(self.user, pieces.as_ptr().cast(), pieces.len()) }
        }
    }
}

/// A message of a guest to the host. Everything is valid for the duration of the callback only.
#[repr(C)]
pub struct cordon_message {
    pub call_id: u64,
    pub interface_name: cordon_str,
    pub function: cordon_str,
    pub payload: cordon_bytes,
    /// CLOCK_MONOTONIC nanoseconds, or 0 for none.
    pub deadline_ns: i64,
}

/// The host's side. `send` returns 0 and writes the results in the wire format to `reply`, or returns a code of the
/// host's own plus 1 and writes a sentence: then the guest's call ends. Called on the guest's thread or on one of the
/// engine's; must be thread-safe, must not throw.
///
/// `retain` makes a reference of the engine's own out of `user`: `send` gets what it returns, and `release` gets it
/// when neither the instance nor a `send` of a blocking import needs it any more. A call that is stopped does not wait
/// for such a `send`: `release` may come later than the end of the instance, on a thread of the engine. `retain` gives
/// NULL when there is no memory. Without the two, `user` must outlive everything.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cordon_port {
    pub user: *mut c_void,
    pub send: Option<
        unsafe extern "C" fn(user: *mut c_void, message: *const cordon_message, reply: *const cordon_writer) -> u32,
    >,
    /// The same for an import that is deferred: returns at once, and `answer` is the host's, who gives it or lets it
    /// go, from any thread. NULL: `send` answers those too.
    pub begin: Option<
        unsafe extern "C" fn(user: *mut c_void, message: *const cordon_message, answer: *mut cordon_late_answer),
    >,
    pub retain: Option<unsafe extern "C" fn(user: *mut c_void) -> *mut c_void>,
    pub release: Option<unsafe extern "C" fn(held: *mut c_void)>,
}

/// A port with the engine's own reference in it.
pub(crate) struct HeldPort(cordon_port);

impl HeldPort {
    /// Safety: the caller's port, valid for the call.
    pub(crate) unsafe fn new(port: &cordon_port) -> Outcome<HeldPort> {
        let user = match (port.retain, port.release) {
            // Safety: the host's function, under the contract above.
            (Some(retain), Some(_)) => unsafe { retain(port.user) },
            _ => port.user,
        };
        if user.is_null() && port.retain.is_some() {
            return Err(Fault::memory());
        }
        Ok(HeldPort(cordon_port { user, ..*port }))
    }
}

impl Drop for HeldPort {
    fn drop(&mut self) {
        if let (Some(_), Some(release)) = (self.0.retain, self.0.release) {
            // Safety: what `retain` returned, given back once.
            unsafe { release(self.0.user) }
        }
    }
}

// Safety: the contract above demands thread-safety of the host's side.
unsafe impl Send for HeldPort {}
unsafe impl Sync for HeldPort {}

unsafe extern "C" fn append(user: *mut c_void, data: *const u8, len: usize) {
    // Safety: `user` is the Vec in `HeldPort::send` below; the bytes are the callback's.
    let (out, bytes) = unsafe { (&mut *user.cast::<Vec<u8>>(), cordon_bytes { data, len }.get()) };
    out.extend_from_slice(bytes);
}

fn view(text: &str) -> cordon_str {
    cordon_str { data: text.as_ptr().cast(), len: text.len() }
}

fn message(call_id: u64, interface: &str, function: &str, payload: &[u8], deadline_ns: u64) -> cordon_message {
    cordon_message {
        call_id,
        interface_name: view(interface),
        function: view(function),
        payload: cordon_bytes { data: payload.as_ptr(), len: payload.len() },
        deadline_ns: i64::try_from(deadline_ns).unwrap_or(i64::MAX),
    }
}

/// Takes one reply to a guest that waits for it, if it still does.
pub struct cordon_late_answer(Answer);

/// Gives the reply, as `send` of a port does: `code` 0 and the results, or a code of the host's own plus 1 and a
/// sentence. `answer` is gone then. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_late_answer_give(
    answer: *mut cordon_late_answer,
    code: u32,
    data: *const u8,
    len: usize,
) {
    if answer.is_null() {
        return;
    }
    // Safety: made by `begin` below, given once; the caller's bytes.
    let (answer, bytes) = unsafe { (Box::from_raw(answer), cordon_bytes { data, len }.get()) };
    quiet((), || {
        answer.0.give(match code {
            0 => Reply::Done(bytes.to_vec()),
            code => Reply::Trap(code - 1, String::from_utf8_lossy(bytes).into_owned()),
        });
    });
}

/// There will be no reply: the guest's call ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_late_answer_free(answer: *mut cordon_late_answer) {
    if !answer.is_null() {
        // Safety: as above.
        drop(unsafe { Box::from_raw(answer) });
    }
}

impl Port for HeldPort {
    fn begin(&self, call_id: u64, interface: &str, function: &str, payload: &[u8], deadline_ns: u64, answer: Answer) {
        let Some(begin) = self.0.begin else {
            return answer.give(self.send(call_id, interface, function, payload, deadline_ns));
        };
        let message = message(call_id, interface, function, payload, deadline_ns);
        // Safety: the host's function, under the contract above.
        unsafe { begin(self.0.user, &message, Box::into_raw(Box::new(cordon_late_answer(answer)))) }
    }

    fn send(&self, call_id: u64, interface: &str, function: &str, payload: &[u8], deadline_ns: u64) -> Reply {
        let Some(send) = self.0.send else { return Reply::Trap(0, "the host answers nothing".into()) };
        let message = message(call_id, interface, function, payload, deadline_ns);
        let mut out: Vec<u8> = Vec::new();
        let writer = cordon_writer { user: (&raw mut out).cast(), write: Some(append) };
        // Safety: the host's function, under the contract above.
        match unsafe { send(self.0.user, &message, &writer) } {
            0 => Reply::Done(out),
            code => Reply::Trap(code - 1, String::from_utf8_lossy(&out).into_owned()),
        }
    }
}

/// What is fixed for an engine. `size` must be sizeof(cordon_engine_options).
#[repr(C)]
pub struct cordon_engine_options {
    pub size: usize,
    pub fuel: bool,
    pub debug: bool,
    /// Bounds checks in place of large reservations, for sanitizers and small address spaces.
    pub small_address_space: bool,
    /// Checks in the code in place of signal handlers.
    pub checked_traps: bool,
    /// Data segments are copied into each instance: for code with little data.
    pub copied_data: bool,
    /// Compile on many threads, which stay until the process ends.
    pub parallel: bool,
    /// Nothing in this process stops the code: whoever runs it ends the process.
    pub unstoppable: bool,
    pub max_memory_bytes: u64,
    pub max_instances: u32,
    pub max_table_elements: u32,
    pub stack_bytes: u32,
}

/// A function of the guest's imports that the host answers.
#[repr(C)]
pub struct cordon_host_import {
    /// As the guest imports it; empty for a function at the root.
    pub interface_name: cordon_str,
    pub function: cordon_str,
    /// What messages call it.
    pub message: cordon_str,
    /// The answer may take long; the engine waits for it off the guest's thread.
    pub blocking: bool,
    /// The answer is a call of another guest, which keeps to the deadline; made on the thread of the guest that asks.
    pub nested: bool,
    /// The answer comes later, by `begin` of the port: no thread waits for it.
    pub deferred: bool,
    /// Answered by the engine's own WASI; the port is told of it, as "trace:" and the function's name.
    pub traced: bool,
    /// For a plugin for Extism: `t` (text) or `b` (bytes) for each parameter that is an offset of a block, `n` for each
    /// number, "->" and the same for the result. Empty otherwise.
    pub shape: cordon_str,
}

/// A module that another one imports from, by its name.
#[repr(C)]
pub struct cordon_library {
    pub name: cordon_str,
    pub code: *const cordon_code,
}

#[repr(C)]
pub struct cordon_pair {
    pub name: cordon_str,
    pub value: cordon_str,
}

/// A folder that the guest sees. The descriptor is duplicated.
#[repr(C)]
pub struct cordon_preopen {
    pub dir_fd: i32,
    pub guest_path: cordon_str,
    pub writable: bool,
}

/// Limits of one store, summed over everything in it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cordon_store_limits {
    pub memory_bytes: u64,
    pub table_elements: u32,
    pub instances: u32,
    pub tables: u32,
    pub memories: u32,
    pub handles: u32,
    pub host_call_bytes: u64,
    pub random_bytes: u64,
    pub stdout_bytes: u64,
    pub var_bytes: u64,
    pub http_response_bytes: u64,
}

/// What is fixed for one way to the network. `size` must be sizeof(cordon_network_options).
#[repr(C)]
pub struct cordon_network_options {
    pub size: usize,
    /// "192.0.2.1:53", "[2001:db8::1]:53". None: those of the machine, and its hosts file.
    pub dns_servers: *const cordon_str,
    pub dns_servers_len: usize,
    /// Certificates in PEM.
    pub extra_roots: *const cordon_bytes,
    pub extra_roots_len: usize,
    pub system_roots: bool,
    pub connections: u32,
    /// How long an unused connection is kept; 0: not at all.
    pub keep_alive_ns: u64,
}

/// Descriptors of the caller, which the instance duplicates; -1: `stdin_bytes`, or output that is kept. The guest reads
/// when it asks, and what it writes goes on at once, up to the limit of `stdout_bytes`.
#[repr(C)]
pub struct cordon_streams {
    pub stdin_fd: i32,
    pub stdout_fd: i32,
    pub stderr_fd: i32,
}

/// What an instance is given. `size` must be sizeof(cordon_instance_options).
#[repr(C)]
pub struct cordon_instance_options {
    pub size: usize,
    pub environment: *const cordon_pair,
    pub environment_len: usize,
    pub arguments: *const cordon_str,
    pub arguments_len: usize,
    pub preopens: *const cordon_preopen,
    pub preopens_len: usize,
    pub stdin_bytes: cordon_bytes,
    /// The standard streams as descriptors; NULL: none is.
    pub streams: *const cordon_streams,
    pub fine_clock: bool,
    /// Clocks that move by a fixed step at each look; stronger than `fine_clock`.
    pub stepped_clock: bool,
    /// The way to the network, shared by the instances of one plugin; NULL: every request is denied.
    pub network: *const cordon_network,
    /// Stops the instance from its first instruction on; may be NULL.
    pub interrupter: *const cordon_interrupter,
    pub limits: cordon_store_limits,
    /// Each operation on a file asks the host how long to wait.
    pub files_have_rate: bool,
}

/// Limits of one call. 0 in `cpu_ns` and `fuel` means that there is none; `wall_ns` must be positive.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cordon_call_limits {
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub fuel: u64,
}

impl cordon_call_limits {
    #[inline]
    pub(crate) fn get(&self) -> Outcome<::cordon_engine::store::CallLimits> {
        if self.wall_ns == 0 {
            return Err(::cordon_engine::Fault::new(::cordon_engine::Kind::Invalid, "a call needs a time limit"));
        }
        Ok(::cordon_engine::store::CallLimits {
            wall_ns: self.wall_ns,
            cpu_ns: (self.cpu_ns != 0).then_some(self.cpu_ns),
            fuel: (self.fuel != 0).then_some(self.fuel),
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct cordon_usage {
    pub memory_peak_bytes: u64,
    pub fuel: u64,
    pub host_calls: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub stdout_dropped_bytes: u64,
    pub stderr_dropped_bytes: u64,
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub file_read_bytes: u64,
    pub file_written_bytes: u64,
    pub file_operations: u64,
}

impl From<::cordon_engine::store::Usage> for cordon_usage {
    fn from(u: ::cordon_engine::store::Usage) -> cordon_usage {
        cordon_usage {
            memory_peak_bytes: u.memory_peak_bytes,
            fuel: u.fuel,
            host_calls: u.host_calls,
            bytes_in: u.bytes_in,
            bytes_out: u.bytes_out,
            stdout_dropped_bytes: u.stdout_dropped_bytes,
            stderr_dropped_bytes: u.stderr_dropped_bytes,
            wall_ns: u.wall_ns,
            cpu_ns: u.cpu_ns,
            file_read_bytes: u.file_read_bytes,
            file_written_bytes: u.file_written_bytes,
            file_operations: u.file_operations,
        }
    }
}

/// A list that C passes as pointer and length.
///
/// Safety: `data` must be valid for `len` reads, or NULL with `len` 0.
pub(crate) unsafe fn list<'a, T>(data: *const T, len: usize, name: &str) -> Outcome<&'a [T]> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null(name)),
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(data, len) }),
    }
}
