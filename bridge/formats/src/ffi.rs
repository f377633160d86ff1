//! The C entry points. Each one checks its pointers, catches panics and writes its outputs last.

use crate::schema::Schema;
use crate::world::{self, Source};
use crate::{Failure, Outcome, Status, describe, version};
use cordon_memory::is_short;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes that the caller owns; freed by `cordon_formats_string_free`.
#[repr(C)]
pub struct CordonFormatsString {
    pub data: *mut u8,
    pub size: usize,
}

impl CordonFormatsString {
    fn of(text: String) -> Self {
        if text.is_empty() {
            return CordonFormatsString { data: std::ptr::null_mut(), size: 0 };
        }
        let bytes = text.into_bytes().into_boxed_slice();
        let size = bytes.len();
        CordonFormatsString { data: Box::into_raw(bytes).cast::<u8>(), size }
    }
}

/// What an entry point writes, and how to let go of it when it is not wanted.
trait Output {
    fn discard(self);
}

impl Output for CordonFormatsString {
    fn discard(mut self) {
        unsafe { cordon_formats_string_free(&mut self) }
    }
}

impl Output for i32 {
    fn discard(self) {}
}

impl Output for *mut Schema {
    fn discard(self) {
        unsafe { cordon_formats_schema_free(self) }
    }
}

/// # Safety
/// `data` points to `size` readable bytes that live for `'a`, or `size` is 0.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> Outcome<&'a [u8]> {
    if size == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::new(Status::NullArgument, "a pointer is null and its size is not 0"));
    }
    Ok(unsafe { std::slice::from_raw_parts(data, size) })
}

/// # Safety
/// As for `bytes`.
unsafe fn text<'a>(data: *const u8, size: usize) -> Outcome<&'a str> {
    let bytes = unsafe { bytes(data, size)? };
    std::str::from_utf8(bytes).map_err(|_| Failure::new(Status::Text, "the text is not valid UTF-8"))
}

/// Runs `body`; writes `out` when it succeeds and `error_out` when it fails, never both.
fn boundary<T: Output>(out: *mut T, error_out: *mut CordonFormatsString, body: impl FnOnce() -> Outcome<T>) -> u32 {
    if out.is_null() || error_out.is_null() {
        return Status::NullArgument as u32;
    }
    let (outcome, was_short) = cordon_memory::watch(|| (catch_unwind(AssertUnwindSafe(body)), is_short()));
    let outcome = match outcome {
        Ok(Ok(value)) if was_short => {
            value.discard();
            Err(Failure::new(Status::Memory, cordon_memory::TEXT))
        }
        Ok(outcome) => outcome,
        Err(_) if was_short => Err(Failure::new(Status::Memory, cordon_memory::TEXT)),
        Err(_) => Err(Failure::new(Status::Panic, "a fault inside the formats library")),
    };
    match outcome {
        Ok(value) => {
            unsafe { out.write(value) };
            Status::Ok as u32
        }
        Err(failure) => {
            unsafe { error_out.write(CordonFormatsString::of(failure.message)) };
            failure.status as u32
        }
    }
}

/// # Safety
/// `string` is null, or points to a string that this library wrote and that was not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_string_free(string: *mut CordonFormatsString) {
    if string.is_null() {
        return;
    }
    let taken = unsafe { &mut *string };
    if !taken.data.is_null() {
        let slice = std::ptr::slice_from_raw_parts_mut(taken.data, taken.size);
        drop(unsafe { Box::from_raw(slice) });
    }
    *taken = CordonFormatsString { data: std::ptr::null_mut(), size: 0 };
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_version_parse(
    data: *const u8,
    size: usize,
    out: *mut CordonFormatsString,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let parsed = version::parse(unsafe { text(data, size)? })?;
        Ok(CordonFormatsString::of(parsed.to_string()))
    })
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_version_compare(
    a: *const u8,
    a_size: usize,
    b: *const u8,
    b_size: usize,
    out: *mut i32,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let a = version::parse(unsafe { text(a, a_size)? })?;
        let b = version::parse(unsafe { text(b, b_size)? })?;
        Ok(a.cmp_precedence(&b) as i32)
    })
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_version_matches(
    version: *const u8,
    version_size: usize,
    range: *const u8,
    range_size: usize,
    out: *mut i32,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let version = version::parse(unsafe { text(version, version_size)? })?;
        let range = version::parse_range(unsafe { text(range, range_size)? })?;
        Ok(i32::from(range.matches(&version)))
    })
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_schema_compile(
    json: *const u8,
    json_size: usize,
    out: *mut *mut Schema,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let schema = Schema::compile(unsafe { bytes(json, json_size)? })?;
        Ok(Box::into_raw(Box::new(schema)))
    })
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_schema_check(
    schema: *const Schema,
    json: *const u8,
    json_size: usize,
    out: *mut CordonFormatsString,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let schema = unsafe { schema.as_ref() };
        let schema = schema.ok_or_else(|| Failure::new(Status::NullArgument, "the schema is null"))?;
        Ok(CordonFormatsString::of(schema.check(unsafe { bytes(json, json_size)? })?))
    })
}

/// # Safety
/// `schema` is null, or was written by `cordon_formats_schema_compile` and not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_schema_free(schema: *mut Schema) {
    if !schema.is_null() {
        // A panic in a destructor must not cross into C; the memory is then lost, which is the lesser harm.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(schema) })));
    }
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_describe(
    wasm: *const u8,
    wasm_size: usize,
    max_functions: u32,
    wit_folder: *const u8,
    wit_folder_size: usize,
    out: *mut CordonFormatsString,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let wasm = unsafe { bytes(wasm, wasm_size)? };
        let folder = unsafe { text(wit_folder, wit_folder_size)? };
        Ok(CordonFormatsString::of(describe::describe(wasm, max_functions, folder)?))
    })
}

/// One file of WIT text, as cordon_formats.h says.
#[repr(C)]
pub struct CordonFormatsSource {
    pub package: u32,
    pub file: *const u8,
    pub file_size: usize,
    pub text: *const u8,
    pub text_size: usize,
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_world_of_sources(
    sources: *const CordonFormatsSource,
    sources_count: usize,
    world: *const u8,
    world_size: usize,
    out: *mut CordonFormatsString,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let given = match sources_count {
            0 => &[],
            _ if sources.is_null() => {
                return Err(Failure::new(Status::NullArgument, "a pointer is null and its size is not 0"));
            }
            count => unsafe { std::slice::from_raw_parts(sources, count) },
        };
        let mut read = Vec::with_capacity(given.len());
        for source in given {
            let file = unsafe { text(source.file, source.file_size)? };
            let content = unsafe { text(source.text, source.text_size)? };
            read.push(Source { package: source.package, file, text: content });
        }
        let world = unsafe { text(world, world_size)? };
        Ok(CordonFormatsString::of(world::from_sources(&read, world)?))
    })
}

/// # Safety
/// Pointers are as cordon_formats.h says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_formats_world_of_binary(
    wasm: *const u8,
    wasm_size: usize,
    world: *const u8,
    world_size: usize,
    out: *mut CordonFormatsString,
    error_out: *mut CordonFormatsString,
) -> u32 {
    boundary(out, error_out, || {
        let wasm = unsafe { bytes(wasm, wasm_size)? };
        let world = unsafe { text(world, world_size)? };
        Ok(CordonFormatsString::of(world::from_binary(wasm, world)?))
    })
}
