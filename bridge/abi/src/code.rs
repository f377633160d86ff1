//! Engine, code, linked code and functions: immutable, shared by reference count.

use crate::boundary::{boundary, cordon_error, cordon_status, null, quiet};
use crate::types::{
    cordon_bytes, cordon_engine_options, cordon_host_import, cordon_library, cordon_str, cordon_writer, list,
};
use ::cordon_engine::aot::{FINGERPRINT_BYTES, authenticate, precompile};
use ::cordon_engine::engine::handlers_replaced;
use ::cordon_engine::{Code, Engine, Fault, Function, HostImport, Kind, Linked, Options, Outcome};
use rustix::io::Errno;
use std::ffi::c_char;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What is fixed for all code of one engine. Counted; freeing it early harms nothing.
pub struct cordon_engine(pub(crate) Arc<Engine>);
/// Compiled code.
pub struct cordon_code(pub(crate) Arc<Code>);
/// Code with its imports resolved.
pub struct cordon_linked(pub(crate) Arc<Linked>);
/// An export of a linked code, resolved once.
pub struct cordon_function(pub(crate) Function);

/// `fd` is the caller's for the duration of the call.
pub(crate) fn duplicate(fd: i32, what: &str) -> Outcome<OwnedFd> {
    if fd < 0 {
        return Err(Fault::new(Kind::Invalid, format!("{what} has no descriptor")));
    }
    // Safety: the caller owns the descriptor for the duration of the call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
    fd.map_err(|e| {
        // Too many are open, unless this one is not.
        let kind = if e.raw_os_error() == Some(Errno::BADF.raw_os_error()) { Kind::Invalid } else { Kind::Unavailable };
        Fault::new(kind, format!("{what}'s descriptor cannot be duplicated: {e}"))
    })
}

/// Safety: a pointer from this library that is still owned, or NULL.
pub(crate) unsafe fn borrow<'a, T>(pointer: *const T, name: &str) -> Outcome<&'a T> {
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// Checks an out-pointer before any work is done.
pub(crate) fn out<T>(pointer: *mut *mut T) -> Outcome<()> {
    if pointer.is_null() { Err(null("the output")) } else { Ok(()) }
}

pub(crate) fn give<T>(slot: *mut *mut T) -> impl FnOnce(T) {
    // Safety: `out` was checked by the body, which ran before this.
    move |value| unsafe { *slot = Box::into_raw(Box::new(value)) }
}

pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // Safety: made by `give`, freed once by its owner.
        quiet((), || drop(unsafe { Box::from_raw(pointer) }));
    }
}

/// The engine's version and build, NUL-terminated, static.
#[unsafe(no_mangle)]
pub extern "C" fn cordon_bridge_build() -> *const c_char {
    static TEXT: &str = concat!("wasmtime 48.0.8 cordon ", env!("CARGO_PKG_VERSION"), "\0");
    TEXT.as_ptr().cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_engine_new(
    options: *const cordon_engine_options,
    result: *mut *mut cordon_engine,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let o = unsafe { borrow(options, "options")? };
        Engine::new(engine_options(o)?).map(cordon_engine)
    })
}

fn engine_options(o: &cordon_engine_options) -> Outcome<Options> {
    if o.size != size_of::<cordon_engine_options>() {
        return Err(Fault::new(Kind::Invalid, "cordon_engine_options has another size: rebuild against this header"));
    }
    Ok(Options {
        fuel: o.fuel,
        debug: o.debug,
        small_address_space: o.small_address_space,
        checked_traps: o.checked_traps,
        copied_data: o.copied_data,
        parallel: o.parallel,
        unstoppable: o.unstoppable,
        max_memory_bytes: o.max_memory_bytes,
        max_instances: o.max_instances,
        max_table_elements: o.max_table_elements,
        stack_bytes: o.stack_bytes,
    })
}

/// Whether handlers of SIGSEGV, SIGILL or SIGFPE were put over those that the first engine of this process put in.
#[unsafe(no_mangle)]
pub extern "C" fn cordon_handlers_replaced() -> bool {
    quiet(true, handlers_replaced)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_engine_free(engine: *mut cordon_engine) {
    unsafe { free(engine) }
}

/// Writes 32 bytes: everything that compiled code depends on beside its source.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_engine_fingerprint(engine: *const cordon_engine, output: *const cordon_writer) {
    // Safety: pointers of the caller, or NULL.
    if let (Some(engine), Some(output)) = unsafe { (engine.as_ref(), output.as_ref()) } {
        output.put(&quiet([0; FINGERPRINT_BYTES], || engine.0.fingerprint()));
    }
}

/// Compiles for engines with these options, without making one: `fingerprint` gets theirs, `output` the code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_precompile(
    options: *const cordon_engine_options,
    wasm: cordon_bytes,
    fingerprint: *const cordon_writer,
    output: *const cordon_writer,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(
        error,
        |()| (),
        || {
            // Safety: the caller's structures and views, valid for the call.
            let (options, output) = unsafe { (borrow(options, "options")?, borrow(output, "output")?) };
            let fingerprint = unsafe { borrow(fingerprint, "fingerprint")? };
            let (print, code) = precompile(&engine_options(options)?, unsafe { wasm.get() })?;
            fingerprint.put(&print);
            output.put(&code);
            Ok(())
        },
    )
}

/// Maps code that `cordon_precompile` made. `fd` must be a sealed memfd, which is duplicated; its content runs as
/// native code, so the caller vouches for every byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_code_load(
    engine: *const cordon_engine,
    fd: i32,
    component: bool,
    result: *mut *mut cordon_code,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let engine = unsafe { borrow(engine, "engine")? };
        let file = duplicate(fd, "the code")?;
        // Safety: the caller vouches for the content.
        unsafe { Code::load(&engine.0, file, component) }.map(cordon_code)
    })
}

/// Keyed BLAKE3 over the pieces as one text. `key` and `tag` are 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_authenticate(
    key: *const u8,
    pieces: *const cordon_bytes,
    pieces_len: usize,
    tag: *mut u8,
) -> cordon_status {
    boundary(
        std::ptr::null_mut(),
        |()| (),
        || {
            // Safety: arrays of the caller with the lengths that the contract gives.
            unsafe {
                let key = borrow(key.cast::<[u8; 32]>(), "key")?;
                let tag = tag.cast::<[u8; 32]>().as_mut().ok_or_else(|| null("tag"))?;
                let pieces: Vec<&[u8]> = list(pieces, pieces_len, "pieces")?.iter().map(|p| p.get()).collect();
                *tag = authenticate(key, &pieces);
            }
            Ok(())
        },
    )
}

/// Compiles a WebAssembly binary: a component or a core module. Never text or precompiled code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_code_compile(
    engine: *const cordon_engine,
    wasm: cordon_bytes,
    result: *mut *mut cordon_code,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let (engine, wasm) = unsafe { (borrow(engine, "engine")?, wasm.get()) };
        Code::compile(&engine.0, wasm).map(cordon_code)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_code_is_component(code: *const cordon_code) -> bool {
    // Safety: a pointer from this library, or NULL.
    unsafe { code.as_ref() }.is_some_and(|c| c.0.is_component())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_code_free(code: *mut cordon_code) {
    unsafe { free(code) }
}

/// Links code against exactly the WASI interfaces (names without version) and host functions that are listed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_linked_new(
    code: *const cordon_code,
    wasi: *const cordon_str,
    wasi_len: usize,
    host: *const cordon_host_import,
    host_len: usize,
    result: *mut *mut cordon_linked,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let code = unsafe { borrow(code, "code")? };
        let names = unsafe { list(wasi, wasi_len, "wasi")? };
        let names = names.iter().map(|n| Ok(unsafe { n.get("wasi")? }.to_string())).collect::<Outcome<Vec<_>>>()?;
        let host = unsafe { list(host, host_len, "host")? };
        let host = host.iter().map(|h| unsafe { import(h) }).collect::<Outcome<Vec<_>>>()?;
        Linked::link(&code.0, &names, &host).map(cordon_linked)
    })
}

/// Links a plugin for Extism. `libraries` has the kernel under "extism:host/env" (cordon_extism_kernel), and the
/// modules that the plugin imports by their names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_linked_new_extism(
    code: *const cordon_code,
    libraries: *const cordon_library,
    libraries_len: usize,
    wasi: *const cordon_str,
    wasi_len: usize,
    host: *const cordon_host_import,
    host_len: usize,
    result: *mut *mut cordon_linked,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let code = unsafe { borrow(code, "code")? };
        let libraries = unsafe { list(libraries, libraries_len, "libraries")? };
        let libraries = libraries
            .iter()
            .map(|l| unsafe { Ok((l.name.get("name")?.to_string(), borrow(l.code, "code")?.0.clone())) })
            .collect::<Outcome<Vec<_>>>()?;
        let names = unsafe { list(wasi, wasi_len, "wasi")? };
        let names = names.iter().map(|n| Ok(unsafe { n.get("wasi")? }.to_string())).collect::<Outcome<Vec<_>>>()?;
        let host = unsafe { list(host, host_len, "host")? };
        let host = host.iter().map(|h| unsafe { import(h) }).collect::<Outcome<Vec<_>>>()?;
        Linked::link_extism(&code.0, &libraries, &names, &host).map(cordon_linked)
    })
}

/// The module behind "extism:host/env", as a binary.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_extism_kernel(output: *const cordon_writer) {
    // Safety: the caller's structure, or NULL.
    if let Some(output) = unsafe { output.as_ref() } {
        output.put(::cordon_engine::extism::KERNEL);
    }
}

unsafe fn import(h: &cordon_host_import) -> Outcome<HostImport> {
    // Safety: the caller's views are valid for the call.
    unsafe {
        Ok(HostImport {
            interface: h.interface_name.get("interface_name")?.to_string(),
            function: h.function.get("function")?.to_string(),
            message: h.message.get("message")?.to_string(),
            blocking: h.blocking,
            nested: h.nested,
            deferred: h.deferred,
            traced: h.traced,
            shape: h.shape.get("shape")?.to_string(),
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_linked_free(linked: *mut cordon_linked) {
    unsafe { free(linked) }
}

/// Looks an export up: of an interface (full name), or at the root when `interface_name` is empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_function_find(
    linked: *const cordon_linked,
    interface_name: cordon_str,
    name: cordon_str,
    result: *mut *mut cordon_function,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let linked = unsafe { borrow(linked, "linked")? };
        let (interface, name) = unsafe { (interface_name.get("interface_name")?, name.get("name")?) };
        linked.0.find(interface, name).map(cordon_function)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_function_free(function: *mut cordon_function) {
    unsafe { free(function) }
}
