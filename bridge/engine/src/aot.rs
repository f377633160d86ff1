//! Code that was compiled before, by a process of ours: made, authenticated, loaded. Whoever loads vouches for the
//! bytes: they are native code.

#[cfg(feature = "compiler")]
use crate::engine::config;
use crate::engine::{Engine, Options};
use crate::fault::{Fault, Kind, Outcome};
#[cfg(feature = "compiler")]
use crate::link::is_component;
use crate::link::{Binary, Code, compile_fault};
use std::fs::File;
#[cfg(feature = "compiler")]
use std::hash::Hash;
use std::hash::Hasher;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use wasmtime::Module;
use wasmtime::component::Component;

pub const FINGERPRINT_BYTES: usize = 32;

/// Feeds what Wasmtime hashes to BLAKE3; its own hashers are neither stable nor wide.
struct Feed(blake3::Hasher);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> u64 {
        0
    }
}

fn fingerprint(wasm: &wasmtime::Engine) -> [u8; FINGERPRINT_BYTES] {
    let mut feed = Feed(blake3::Hasher::new());
    feed.write(crate::BUILD.as_bytes());
    #[cfg(feature = "compiler")]
    wasm.precompile_compatibility_hash().hash(&mut feed);
    #[cfg(not(feature = "compiler"))]
    let _ = wasm; // Who cannot compile never asks what code would have to be compiled for.
    *feed.0.finalize().as_bytes()
}

impl Engine {
    /// Everything that compiled code depends on beside its source: the full version of Wasmtime and ours, the
    /// settings, the target and the features of this processor.
    pub fn fingerprint(&self) -> [u8; FINGERPRINT_BYTES] {
        fingerprint(&self.wasm)
    }
}

/// Compiles for engines with these options, without the memory that an engine that runs code reserves. Gives the
/// fingerprint of such engines, and the code.
#[cfg(feature = "compiler")]
pub fn precompile(options: &Options, bytes: &[u8]) -> Outcome<([u8; FINGERPRINT_BYTES], Vec<u8>)> {
    let component = is_component(bytes)?;
    let mut config = config(options);
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand);
    let engine = wasmtime::Engine::new(&config)
        .map_err(|e| Fault::new(Kind::Internal, format!("cannot make the compiler: {e:#}")))?;
    let made = if component { engine.precompile_component(bytes) } else { engine.precompile_module(bytes) };
    Ok((fingerprint(&engine), made.map_err(compile_fault)?))
}

#[cfg(not(feature = "compiler"))]
pub fn precompile(_: &Options, _: &[u8]) -> Outcome<([u8; FINGERPRINT_BYTES], Vec<u8>)> {
    Err(no_compiler())
}

#[cfg(not(feature = "compiler"))]
pub(crate) fn no_compiler() -> Fault {
    Fault::new(Kind::Unavailable, "this process has no compiler")
}

fn read_all(file: &OwnedFd) -> std::io::Result<Vec<u8>> {
    let file = File::from(file.try_clone()?);
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

impl Code {
    /// Maps code that `precompile` made, from a file that nobody can change any more: a sealed memfd. The mapping
    /// shares the file's pages.
    ///
    /// # Safety
    /// The content must be what `precompile` gave; native code is run from it.
    pub unsafe fn load(engine: &Arc<Engine>, file: OwnedFd, component: bool) -> Outcome<Arc<Code>> {
        let fail = |e: wasmtime::Error| {
            let fault = compile_fault(e);
            if fault.kind == Kind::Compile { Fault::new(Kind::Invalid, fault.message) } else { fault }
        };
        let binary = if component {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            // Safety: the caller's promise. Where there is no procfs, a copy does.
            let loaded = if std::fs::metadata(&path).is_ok() {
                unsafe { Component::deserialize_file(&engine.wasm, &path) }
            } else {
                let bytes =
                    read_all(&file).map_err(|e| Fault::new(Kind::Internal, format!("cannot read code: {e}")))?;
                unsafe { Component::deserialize(&engine.wasm, bytes) }
            };
            Binary::Component(loaded.map_err(fail)?)
        } else {
            // Safety: the caller's promise.
            Binary::Module(unsafe { Module::deserialize_open_file(&engine.wasm, File::from(file)) }.map_err(fail)?)
        };
        Ok(Arc::new(Code { engine: engine.clone(), binary }))
    }
}

/// Keyed BLAKE3 of the pieces as one text.
pub fn authenticate(key: &[u8; 32], pieces: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for piece in pieces {
        hasher.update(piece);
    }
    *hasher.finalize().as_bytes()
}
