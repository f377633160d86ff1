//! What the first bytes say, so that the commonest mistakes are named as what they are.

use crate::{Failure, Outcome, Status};
use wasmparser::Parser;

pub fn check(wasm: &[u8]) -> Outcome<()> {
    if Parser::is_core_wasm(wasm) || Parser::is_component(wasm) {
        return Ok(());
    }
    let not_wasm = |what: &str| Err(Failure::new(Status::NotWasm, format!("not a WebAssembly binary: {what}")));
    if wasm.is_empty() {
        return not_wasm("the file is empty");
    }
    if wasm.starts_with(b"\x7fELF") {
        if has_engine_sections(wasm) {
            let message = "native code compiled from WebAssembly (.cwasm), which cannot be checked";
            return Err(Failure::new(Status::Precompiled, message));
        }
        return not_wasm("an ELF file (native code)");
    }
    if wasm.starts_with(b"\0asm") {
        return not_wasm(match wasm.get(4..8) {
            None => "it is cut off inside the header",
            Some([0x0a..=0x0c, 0, 1, 0]) => "a component of a format from before WASI 0.2; build it with newer tools",
            Some(_) => "its version is unknown",
        });
    }
    if b"\0asm".starts_with(wasm) {
        return not_wasm("it is cut off inside the header");
    }
    let head = &wasm[..wasm.len().min(512)];
    let text = head.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(text, Some(b'(' | b';')) && head.iter().all(|&byte| byte >= 0x20 || byte.is_ascii_whitespace()) {
        return not_wasm("it is WebAssembly text (.wat); assemble it first");
    }
    not_wasm(match head {
        [b'#', b'!', ..] => "it is a script",
        [b'P', b'K', 3, 4, ..] => "it is a zip archive",
        [0x1f, 0x8b, ..] => "it is gzip data",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is zstd data",
        [b'M', b'Z', ..] => "a Windows program (native code)",
        _ => "it does not start with \\0asm",
    })
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut value = [0u8; 8];
    value[..N].copy_from_slice(bytes.get(at..at.checked_add(N)?)?);
    Some(u64::from_le_bytes(value))
}

/// Whether an ELF64 file has a section whose name starts with `.wasmtime`.
fn has_engine_sections(elf: &[u8]) -> bool {
    let look = || -> Option<bool> {
        let headers = usize::try_from(number::<8>(elf, 0x28)?).ok()?;
        let size = usize::try_from(number::<2>(elf, 0x3a)?).ok()?;
        let count = usize::try_from(number::<2>(elf, 0x3c)?).ok()?;
        let names_index = usize::try_from(number::<2>(elf, 0x3e)?).ok()?;
        let header = |index: usize| headers.checked_add(size.checked_mul(index)?);
        let names = usize::try_from(number::<8>(elf, header(names_index)?.checked_add(0x18)?)?).ok()?;
        for index in 0..count {
            let name = usize::try_from(number::<4>(elf, header(index)?)?).ok()?;
            if elf.get(names.checked_add(name)?..)?.starts_with(b".wasmtime") {
                return Some(true);
            }
        }
        Some(false)
    };
    look().unwrap_or(false)
}
