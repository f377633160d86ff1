//! WASI whose every call is told: what a guest asks comes as wire bytes, goes to the very implementations that are
//! linked otherwise, and what they answer goes back as wire bytes; the host hears of both. Resources cross as their
//! place in the store's table.

use crate::fault::{Fault, Kind};
use crate::files::FilesView;
use crate::link::{cli, clocks, files_view, table, wasi};
use crate::store::State;
use crate::values::Reader;
use wasmtime::Result;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{self, HostDescriptor, HostDirectoryEntryStream};
use wasmtime_wasi::p2::{FsResult, StreamResult};
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};

/// Messages about a call that was answered here have this before the function's name.
const TRACE: &str = "trace:";
/// A guest that drops a resource says so by a function of this name.
pub const DROP: &str = "[resource-drop]";

fn misfit() -> wasmtime::Error {
    Fault::new(Kind::Invalid, "what a guest asks does not fit the function").into()
}

fn unknown(interface: &str, function: &str) -> wasmtime::Error {
    Fault::new(Kind::Link, format!("calls of {interface} {function} cannot be recorded")).into()
}

// ---- Values --------------------------------------------------------------------------------------------------------

trait Get: Sized {
    fn get(r: &mut Reader<'_>) -> Result<Self>;
}

trait Put {
    fn put(&self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        impl Get for $t {
            fn get(r: &mut Reader<'_>) -> Result<Self> {
                Ok(<$t>::from_le_bytes(r.array()?))
            }
        }
        impl Put for $t {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
numbers!(u8 u32 u64);

impl Get for String {
    fn get(r: &mut Reader<'_>) -> Result<Self> {
        let size = r.u32()? as usize;
        String::from_utf8(r.take(size)?.into_owned()).map_err(|_| misfit())
    }
}

impl<T: Get> Get for Vec<T> {
    fn get(r: &mut Reader<'_>) -> Result<Self> {
        let count = r.u32()? as usize;
        if count > r.left() {
            return Err(misfit());
        }
        (0..count).map(|_| T::get(r)).collect()
    }
}

impl<T: 'static> Get for Resource<T> {
    fn get(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Resource::new_borrow(r.u32()?))
    }
}

macro_rules! flags {
    ($t:ty: $($name:ident)*) => {
        impl Get for $t {
            fn get(r: &mut Reader<'_>) -> Result<Self> {
                let bits = r.u32()?;
                let mut flags = <$t>::empty();
                let mut bit = 1u32;
                $(
                    if bits & bit != 0 {
                        flags |= <$t>::$name;
                    }
                    bit <<= 1;
                )*
                if bits >= bit { Err(misfit()) } else { Ok(flags) }
            }
        }
    };
}
flags!(types::PathFlags: SYMLINK_FOLLOW);
flags!(types::OpenFlags: CREATE DIRECTORY EXCLUSIVE TRUNCATE);
flags!(types::DescriptorFlags:
    READ WRITE FILE_INTEGRITY_SYNC DATA_INTEGRITY_SYNC REQUESTED_WRITE_SYNC MUTATE_DIRECTORY);

impl Get for types::NewTimestamp {
    fn get(r: &mut Reader<'_>) -> Result<Self> {
        Ok(match r.u32()? {
            0 => types::NewTimestamp::NoChange,
            1 => types::NewTimestamp::Now,
            2 => types::NewTimestamp::Timestamp(wall_clock::Datetime { seconds: u64::get(r)?, nanoseconds: r.u32()? }),
            _ => return Err(misfit()),
        })
    }
}

impl Get for types::Advice {
    fn get(r: &mut Reader<'_>) -> Result<Self> {
        use types::Advice as A;
        let all = [A::Normal, A::Sequential, A::Random, A::WillNeed, A::DontNeed, A::NoReuse];
        all.get(r.u32()? as usize).copied().ok_or_else(misfit)
    }
}

impl Put for () {
    fn put(&self, _: &mut Vec<u8>) {}
}

impl Put for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Put for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self.as_bytes());
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        self.iter().for_each(|one| one.put(out));
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<A: Put, B: Put> Put for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
}

impl<T: 'static> Put for Resource<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.rep().put(out);
    }
}

impl Put for wall_clock::Datetime {
    fn put(&self, out: &mut Vec<u8>) {
        self.seconds.put(out);
        self.nanoseconds.put(out);
    }
}

impl Put for types::ErrorCode {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u32).put(out);
    }
}

impl Put for types::DescriptorType {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u32).put(out);
    }
}

impl Put for types::DescriptorFlags {
    fn put(&self, out: &mut Vec<u8>) {
        use types::DescriptorFlags as D;
        let all = [D::READ, D::WRITE, D::FILE_INTEGRITY_SYNC, D::DATA_INTEGRITY_SYNC, D::REQUESTED_WRITE_SYNC];
        let mut bits = 0u32;
        for (i, flag) in all.into_iter().chain([D::MUTATE_DIRECTORY]).enumerate() {
            bits |= u32::from(self.contains(flag)) << i;
        }
        bits.put(out);
    }
}

impl Put for types::DescriptorStat {
    fn put(&self, out: &mut Vec<u8>) {
        self.type_.put(out);
        self.link_count.put(out);
        self.size.put(out);
        self.data_access_timestamp.put(out);
        self.data_modification_timestamp.put(out);
        self.status_change_timestamp.put(out);
    }
}

impl Put for types::DirectoryEntry {
    fn put(&self, out: &mut Vec<u8>) {
        self.type_.put(out);
        self.name.put(out);
    }
}

impl Put for types::MetadataHashValue {
    fn put(&self, out: &mut Vec<u8>) {
        self.lower.put(out);
        self.upper.put(out);
    }
}

fn bytes(value: impl Put) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    value.put(&mut out);
    Ok(out)
}

fn ok(value: impl Put) -> Result<Vec<u8>> {
    let mut out = vec![0];
    value.put(&mut out);
    Ok(out)
}

fn file_result<T: Put>(view: &mut FilesView<'_>, done: FsResult<T>) -> Result<Vec<u8>> {
    match done {
        Ok(value) => ok(value),
        Err(error) => {
            let mut out = vec![1];
            types::Host::convert_error_code(view, error)?.put(&mut out);
            Ok(out)
        }
    }
}

fn stream_result<T: Put>(table: &mut ResourceTable, done: StreamResult<T>) -> Result<Vec<u8>> {
    match done {
        Ok(value) => ok(value),
        Err(error) => {
            let mut out = vec![1];
            match streams::Host::convert_stream_error(table, error)? {
                streams::StreamError::LastOperationFailed(error) => {
                    0u32.put(&mut out);
                    error.put(&mut out);
                }
                streams::StreamError::Closed => 1u32.put(&mut out),
            }
            Ok(out)
        }
    }
}

// ---- Interfaces ----------------------------------------------------------------------------------------------------

fn command(state: &mut State, interface: &str, function: &str, r: &mut Reader<'_>) -> Result<Vec<u8>> {
    use p2::cli::{environment, exit, stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout};
    let v = &mut cli(state);
    match (interface, function) {
        ("wasi:cli/environment", "get-environment") => bytes(environment::Host::get_environment(v)?),
        ("wasi:cli/environment", "get-arguments") => bytes(environment::Host::get_arguments(v)?),
        ("wasi:cli/environment", "initial-cwd") => bytes(environment::Host::initial_cwd(v)?),
        ("wasi:cli/exit", "exit") => {
            let status = if r.u8()? == 0 { Ok(()) } else { Err(()) };
            bytes(exit::Host::exit(v, status)?)
        }
        ("wasi:cli/exit", "exit-with-code") => bytes(exit::Host::exit_with_code(v, r.u8()?)?),
        ("wasi:cli/stdin", "get-stdin") => bytes(stdin::Host::get_stdin(v)?),
        ("wasi:cli/stdout", "get-stdout") => bytes(stdout::Host::get_stdout(v)?),
        ("wasi:cli/stderr", "get-stderr") => bytes(stderr::Host::get_stderr(v)?),
        ("wasi:cli/terminal-stdin", "get-terminal-stdin") => bytes(terminal_stdin::Host::get_terminal_stdin(v)?),
        ("wasi:cli/terminal-stdout", "get-terminal-stdout") => bytes(terminal_stdout::Host::get_terminal_stdout(v)?),
        ("wasi:cli/terminal-stderr", "get-terminal-stderr") => bytes(terminal_stderr::Host::get_terminal_stderr(v)?),
        _ => Err(unknown(interface, function)),
    }
}

fn clock_or_random(state: &mut State, interface: &str, function: &str, r: &mut Reader<'_>) -> Result<Vec<u8>> {
    use p2::random::{insecure, insecure_seed, random};
    if interface.starts_with("wasi:clocks/") {
        let v = &mut clocks(state);
        return match (interface, function) {
            ("wasi:clocks/wall-clock", "now") => bytes(wall_clock::Host::now(v)?),
            ("wasi:clocks/wall-clock", "resolution") => bytes(wall_clock::Host::resolution(v)?),
            ("wasi:clocks/monotonic-clock", "now") => bytes(monotonic_clock::Host::now(v)?),
            ("wasi:clocks/monotonic-clock", "resolution") => bytes(monotonic_clock::Host::resolution(v)?),
            ("wasi:clocks/monotonic-clock", "subscribe-instant") => {
                bytes(monotonic_clock::Host::subscribe_instant(v, u64::get(r)?)?)
            }
            ("wasi:clocks/monotonic-clock", "subscribe-duration") => {
                bytes(monotonic_clock::Host::subscribe_duration(v, u64::get(r)?)?)
            }
            _ => Err(unknown(interface, function)),
        };
    }
    let v = wasi(state).ctx.random();
    match (interface, function) {
        ("wasi:random/random", "get-random-bytes") => bytes(random::Host::get_random_bytes(v, u64::get(r)?)?),
        ("wasi:random/random", "get-random-u64") => bytes(random::Host::get_random_u64(v)?),
        ("wasi:random/insecure", "get-insecure-random-bytes") => {
            bytes(insecure::Host::get_insecure_random_bytes(v, u64::get(r)?)?)
        }
        ("wasi:random/insecure", "get-insecure-random-u64") => bytes(insecure::Host::get_insecure_random_u64(v)?),
        ("wasi:random/insecure-seed", "insecure-seed") => bytes(insecure_seed::Host::insecure_seed(v)?),
        _ => Err(unknown(interface, function)),
    }
}

async fn io(state: &mut State, interface: &str, function: &str, r: &mut Reader<'_>) -> Result<Vec<u8>> {
    use streams::{HostInputStream as In, HostOutputStream as Out};
    let t = table(state);
    // Parameters are read in their order, then the implementation is asked.
    macro_rules! stream {
        ($of:ident, $method:ident $(, $arg:ident)*) => {{
            $(let $arg = Get::get(r)?;)*
            let done = $of::$method(t, $($arg),*);
            stream_result(t, done)
        }};
    }
    macro_rules! waiting {
        ($of:ident, $method:ident $(, $arg:ident)*) => {{
            $(let $arg = Get::get(r)?;)*
            let done = $of::$method(t, $($arg),*).await;
            stream_result(t, done)
        }};
    }
    match function {
        "[method]error.to-debug-string" => bytes(error::HostError::to_debug_string(t, Get::get(r)?)?),
        "[method]pollable.ready" => bytes(poll::HostPollable::ready(t, Get::get(r)?).await?),
        "[method]pollable.block" => bytes(poll::HostPollable::block(t, Get::get(r)?).await?),
        "poll" => bytes(poll::Host::poll(t, Get::get(r)?).await?),
        "[method]input-stream.read" => stream!(In, read, s, n),
        "[method]input-stream.blocking-read" => waiting!(In, blocking_read, s, n),
        "[method]input-stream.skip" => stream!(In, skip, s, n),
        "[method]input-stream.blocking-skip" => waiting!(In, blocking_skip, s, n),
        "[method]input-stream.subscribe" => bytes(In::subscribe(t, Get::get(r)?)?),
        "[method]output-stream.check-write" => stream!(Out, check_write, s),
        "[method]output-stream.write" => stream!(Out, write, s, b),
        "[method]output-stream.blocking-write-and-flush" => waiting!(Out, blocking_write_and_flush, s, b),
        "[method]output-stream.flush" => stream!(Out, flush, s),
        "[method]output-stream.blocking-flush" => waiting!(Out, blocking_flush, s),
        "[method]output-stream.subscribe" => bytes(Out::subscribe(t, Get::get(r)?)?),
        "[method]output-stream.write-zeroes" => stream!(Out, write_zeroes, s, n),
        "[method]output-stream.blocking-write-zeroes-and-flush" => waiting!(Out, blocking_write_zeroes_and_flush, s, n),
        "[method]output-stream.splice" => stream!(Out, splice, s, from, n),
        "[method]output-stream.blocking-splice" => waiting!(Out, blocking_splice, s, from, n),
        _ => Err(unknown(interface, function)),
    }
}

async fn files(state: &mut State, interface: &str, function: &str, r: &mut Reader<'_>) -> Result<Vec<u8>> {
    let mut view = files_view(state);
    let v = &mut view;
    macro_rules! run {
        ($method:ident $(, $arg:ident)*) => {{
            $(let $arg = Get::get(r)?;)*
            let done = v.$method($($arg),*).await;
            file_result(v, done)
        }};
    }
    macro_rules! now {
        ($method:ident $(, $arg:ident)*) => {{
            $(let $arg = Get::get(r)?;)*
            let done = v.$method($($arg),*);
            file_result(v, done)
        }};
    }
    let Some(method) = function.strip_prefix("[method]descriptor.") else {
        return match (interface, function) {
            ("wasi:filesystem/preopens", "get-directories") => bytes(preopens::Host::get_directories(v)?),
            (_, "filesystem-error-code") => bytes(types::Host::filesystem_error_code(v, Get::get(r)?)?),
            (_, "[method]directory-entry-stream.read-directory-entry") => {
                let stream = Get::get(r)?;
                let done = HostDirectoryEntryStream::read_directory_entry(v, stream).await;
                file_result(v, done)
            }
            _ => Err(unknown(interface, function)),
        };
    };
    match method {
        "read-via-stream" => now!(read_via_stream, fd, at),
        "write-via-stream" => now!(write_via_stream, fd, at),
        "append-via-stream" => now!(append_via_stream, fd),
        "advise" => run!(advise, fd, at, size, advice),
        "sync-data" => run!(sync_data, fd),
        "get-flags" => run!(get_flags, fd),
        "get-type" => run!(get_type, fd),
        "set-size" => run!(set_size, fd, size),
        "set-times" => run!(set_times, fd, access, change),
        "read" => run!(read, fd, size, at),
        "write" => run!(write, fd, content, at),
        "read-directory" => run!(read_directory, fd),
        "sync" => run!(sync, fd),
        "create-directory-at" => run!(create_directory_at, fd, path),
        "stat" => run!(stat, fd),
        "stat-at" => run!(stat_at, fd, follow, path),
        "set-times-at" => run!(set_times_at, fd, follow, path, access, change),
        "link-at" => run!(link_at, fd, follow, path, other, new_path),
        "open-at" => run!(open_at, fd, follow, path, open, flags),
        "readlink-at" => run!(readlink_at, fd, path),
        "remove-directory-at" => run!(remove_directory_at, fd, path),
        "rename-at" => run!(rename_at, fd, path, other, new_path),
        "symlink-at" => run!(symlink_at, fd, path, target),
        "unlink-file-at" => run!(unlink_file_at, fd, path),
        "is-same-object" => {
            let (one, other) = (Get::get(r)?, Get::get(r)?);
            bytes(v.is_same_object(one, other).await?)
        }
        "metadata-hash" => run!(metadata_hash, fd),
        "metadata-hash-at" => run!(metadata_hash_at, fd, follow, path),
        _ => Err(unknown(interface, function)),
    }
}

async fn let_go(state: &mut State, resource: &str, rep: u32) -> Result<()> {
    match resource {
        "error" => error::HostError::drop(table(state), Resource::new_own(rep)),
        "pollable" => poll::HostPollable::drop(table(state), Resource::new_own(rep)),
        "input-stream" => streams::HostInputStream::drop(table(state), Resource::new_own(rep)).await,
        "output-stream" => streams::HostOutputStream::drop(table(state), Resource::new_own(rep)).await,
        "descriptor" => HostDescriptor::drop(&mut files_view(state), Resource::new_own(rep)),
        "directory-entry-stream" => HostDirectoryEntryStream::drop(&mut files_view(state), Resource::new_own(rep)),
        // No terminal is ever given out.
        _ => Err(unknown("the resource", resource)),
    }
}

// ---- The trace -----------------------------------------------------------------------------------------------------

async fn answer(state: &mut State, interface: &str, function: &str, payload: &[u8]) -> Result<Vec<u8>> {
    let r = &mut Reader::new(payload);
    if let Some(resource) = function.strip_prefix(DROP) {
        let_go(state, resource, r.u32()?).await?;
        return Ok(Vec::new());
    }
    match interface {
        i if i.starts_with("wasi:cli/") => command(state, i, function, r),
        i if i.starts_with("wasi:clocks/") || i.starts_with("wasi:random/") => clock_or_random(state, i, function, r),
        i if i.starts_with("wasi:io/") => io(state, i, function, r).await,
        i if i.starts_with("wasi:filesystem/") => files(state, i, function, r).await,
        other => Err(unknown(other, function)),
    }
}

/// Answers one call, and tells the host: a byte for how it ended (0 answered, 1 the guest's exit, 2 a trap), the size
/// of what was asked, what was asked, and what was answered.
pub async fn call(state: &mut State, interface: &str, function: &str, payload: &[u8]) -> Result<Vec<u8>> {
    state.host_calls += 1;
    let name = interface.split('@').next().unwrap_or_default();
    let done = answer(state, name, function, payload).await;
    let (end, reply): (u8, &[u8]) = match &done {
        Ok(reply) => (0, reply),
        Err(error) if error.is::<I32Exit>() => (1, &[]),
        Err(_) => (2, &[]),
    };
    let mut told = Vec::with_capacity(5 + payload.len() + reply.len());
    told.push(end);
    (payload.len() as u32).put(&mut told);
    told.extend_from_slice(payload);
    told.extend_from_slice(reply);
    crate::link::send(state, interface, &format!("{TRACE}{function}"), &told)?;
    done
}
