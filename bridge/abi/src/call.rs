//! Instances and calls.

use crate::boundary::{boundary, cordon_error, cordon_status, null, quiet};
use crate::code::{borrow, cordon_function, cordon_linked, duplicate, free, give, out};
use crate::types::{
    HeldPort, cordon_bytes, cordon_call_limits, cordon_instance_options, cordon_port, cordon_result_sink,
    cordon_streams, cordon_usage, cordon_writer, list,
};
use ::cordon_engine::files::Mount;
use ::cordon_engine::instance::Traces;
use ::cordon_engine::store::{Clock, Input, InstanceOptions, Interrupter, Limits, Port};
use ::cordon_engine::{Fault, Instance, Kind, Linked, Outcome, Piece};
use std::sync::Arc;

/// One store and what lives in it. One owner at a time.
pub struct cordon_instance(Instance);
/// Stops a running call from any thread; may outlive its instance.
pub struct cordon_interrupter(Arc<Interrupter>);

unsafe fn options(o: *const cordon_instance_options) -> Outcome<InstanceOptions> {
    // Safety: the caller's structure and everything it points to are valid for the call.
    unsafe {
        let o = borrow(o, "options")?;
        if o.size != size_of::<cordon_instance_options>() {
            return Err(Fault::new(
                Kind::Invalid,
                "cordon_instance_options has another size: rebuild against this header",
            ));
        }
        let pairs = list(o.environment, o.environment_len, "environment")?;
        let arguments = list(o.arguments, o.arguments_len, "arguments")?;
        let preopens = list(o.preopens, o.preopens_len, "preopens")?;
        let streams = o.streams.as_ref();
        let stream = |one: fn(&cordon_streams) -> i32| {
            let fd = streams.map(one).filter(|fd| *fd >= 0);
            fd.map(|fd| duplicate(fd, "a standard stream")).transpose()
        };
        let l = o.limits;
        Ok(InstanceOptions {
            environment: pairs
                .iter()
                .map(|p| Ok((p.name.get("name")?.to_string(), p.value.get("value")?.to_string())))
                .collect::<Outcome<_>>()?,
            arguments: arguments.iter().map(|a| Ok(a.get("argument")?.to_string())).collect::<Outcome<_>>()?,
            mounts: preopens
                .iter()
                .map(|p| mount(p.dir_fd, p.guest_path.get("guest_path")?, p.writable))
                .collect::<Outcome<_>>()?,
            stdin: match stream(|s| s.stdin_fd)? {
                Some(fd) => Input::Fd(fd),
                None => Input::Bytes(o.stdin_bytes.get().to_vec()),
            },
            stdout: stream(|s| s.stdout_fd)?,
            stderr: stream(|s| s.stderr_fd)?,
            network: o.network.as_ref().map(|network| network.0.clone()),
            interrupter: o.interrupter.as_ref().map(|interrupter| interrupter.0.clone()),
            clock: match (o.fine_clock, o.stepped_clock) {
                (_, true) => Clock::Stepped,
                (true, false) => Clock::Fine,
                (false, false) => Clock::Coarse,
            },
            limits: Limits {
                memory_bytes: l.memory_bytes,
                table_elements: l.table_elements,
                instances: l.instances,
                tables: l.tables,
                memories: l.memories,
                handles: l.handles,
                host_call_bytes: l.host_call_bytes,
                random_bytes: l.random_bytes,
                stdout_bytes: l.stdout_bytes,
                var_bytes: l.var_bytes,
                http_response_bytes: l.http_response_bytes,
            },
            files_have_rate: o.files_have_rate,
        })
    }
}

fn mount(fd: i32, guest_path: &str, writable: bool) -> Outcome<Mount> {
    Ok(Mount { dir: duplicate(fd, "a preopen")?, guest_path: guest_path.to_string(), writable })
}

unsafe fn port(port: *const cordon_port, linked: &Linked) -> Outcome<Option<Arc<dyn Port>>> {
    if !linked.needs_port() {
        return Ok(None);
    }
    // Safety: the caller's structure, or NULL.
    unsafe { port.as_ref().map(|p| Ok(Arc::new(HeldPort::new(p)?) as Arc<dyn Port>)).transpose() }
}

/// What C passes and what the engine takes are laid out the same.
const _: () = assert!(size_of::<cordon_bytes>() == size_of::<Piece<'_>>() && align_of::<Piece<'_>>() == 8);

unsafe fn input<'a>(pieces: *const cordon_bytes, len: usize) -> Outcome<&'a [Piece<'a>]> {
    // Safety: the caller's views, valid for the call; both are a pointer and a length, by repr(C).
    unsafe { list(pieces.cast::<Piece<'a>>(), len, "pieces") }
}

/// Makes an instance and runs its initialisers under `limits`. `port` may be NULL when nothing needs the host.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_instance_new(
    linked: *const cordon_linked,
    instance_options: *const cordon_instance_options,
    host: *const cordon_port,
    limits: *const cordon_call_limits,
    call_id: u64,
    result: *mut *mut cordon_instance,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let (linked, limits) = unsafe { (borrow(linked, "linked")?, borrow(limits, "limits")?.get()?) };
        let (options, host) = unsafe { (options(instance_options)?, port(host, &linked.0)?) };
        Instance::new(&linked.0, options, host, &limits, call_id).map(cordon_instance)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_instance_free(instance: *mut cordon_instance) {
    unsafe { free(instance) }
}

/// Calls an export with the wire bytes that `pieces` are together; `output` receives its results. After any failure the
/// instance is poisoned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_instance_call(
    instance: *mut cordon_instance,
    function: *const cordon_function,
    pieces: *const cordon_bytes,
    pieces_len: usize,
    limits: *const cordon_call_limits,
    call_id: u64,
    output: *const cordon_result_sink,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(
        error,
        |()| (),
        || {
            // Safety: the contract of the ABI: one owner at a time, views valid for the call.
            let (instance, function, limits, output) = unsafe {
                let instance = instance.as_mut().ok_or_else(|| null("instance"))?;
                (instance, borrow(function, "function")?, borrow(limits, "limits")?.get()?, borrow(output, "output")?)
            };
            let input = unsafe { input(pieces, pieces_len)? };
            instance.0.call_pieces(&function.0, input, &limits, call_id, &mut |pieces| output.take(pieces))
        },
    )
}

/// Makes an instance, calls one export and lets the instance go, in one crossing. `usage`, `stdout_bytes` and
/// `stderr_bytes` may be NULL; they are written on failure too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_call_once(
    linked: *const cordon_linked,
    instance_options: *const cordon_instance_options,
    host: *const cordon_port,
    function: *const cordon_function,
    pieces: *const cordon_bytes,
    pieces_len: usize,
    limits: *const cordon_call_limits,
    call_id: u64,
    output: *const cordon_result_sink,
    usage: *mut cordon_usage,
    stdout_bytes: *const cordon_writer,
    stderr_bytes: *const cordon_writer,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(
        error,
        |()| (),
        || {
            // Safety: views of the caller, valid for the call.
            let (linked, function, limits, output) = unsafe {
                (
                    borrow(linked, "linked")?,
                    borrow(function, "function")?,
                    borrow(limits, "limits")?.get()?,
                    borrow(output, "output")?,
                )
            };
            let input = unsafe { input(pieces, pieces_len)? };
            let (options, host) = unsafe { (options(instance_options)?, port(host, &linked.0)?) };
            let (linked, function) = (&linked.0, &function.0);
            let mut sink = |pieces: &[Piece<'_>]| output.take(pieces);
            let mut traces = Traces::default();
            let outcome =
                Instance::once(linked, options, host, function, input, &limits, call_id, &mut sink, &mut traces);
            unsafe {
                if let Some(usage) = usage.as_mut() {
                    *usage = traces.usage.into();
                }
                if let Some(writer) = stdout_bytes.as_ref() {
                    writer.put(&traces.stdout);
                }
                if let Some(writer) = stderr_bytes.as_ref() {
                    writer.put(&traces.stderr);
                }
            }
            outcome
        },
    )
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_instance_poisoned(instance: *const cordon_instance) -> bool {
    // Safety: a pointer from this library, or NULL.
    unsafe { instance.as_ref() }.is_none_or(|i| i.0.poisoned())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_instance_usage(instance: *const cordon_instance, usage: *mut cordon_usage) {
    // Safety: pointers of the caller, or NULL.
    if let (Some(instance), Some(usage)) = unsafe { (instance.as_ref(), usage.as_mut()) } {
        *usage = quiet(cordon_usage::default(), || instance.0.usage().into());
    }
}

/// What the guest wrote to standard output (`stream` 1) or error (2) since the last time, within its limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_instance_take_output(
    instance: *mut cordon_instance,
    stream: u32,
    output: *const cordon_writer,
) {
    // Safety: pointers of the caller, or NULL.
    if let (Some(instance), Some(output)) = unsafe { (instance.as_mut(), output.as_ref()) } {
        let bytes = quiet(Vec::new(), || if stream == 2 { instance.0.take_stderr() } else { instance.0.take_stdout() });
        output.put(&bytes);
    }
}

/// A new handle that stops the instance's calls; never NULL for an instance.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_interrupter_new(instance: *mut cordon_instance) -> *mut cordon_interrupter {
    // Safety: a pointer of the caller, or NULL.
    match unsafe { instance.as_mut() } {
        Some(i) => Box::into_raw(Box::new(cordon_interrupter(i.0.interrupter()))),
        None => std::ptr::null_mut(),
    }
}

/// A handle for instances that are not made yet: pass it in their options.
#[unsafe(no_mangle)]
pub extern "C" fn cordon_interrupter_make() -> *mut cordon_interrupter {
    Box::into_raw(Box::new(cordon_interrupter(Arc::default())))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_interrupter_interrupt(interrupter: *const cordon_interrupter) {
    // Safety: a pointer of the caller, or NULL.
    if let Some(i) = unsafe { interrupter.as_ref() } {
        i.0.interrupt();
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_interrupter_free(interrupter: *mut cordon_interrupter) {
    unsafe { free(interrupter) }
}
