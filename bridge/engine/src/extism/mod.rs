//! Plugins written for Extism, as they are: core modules that import `extism:host/env`. What they call a host's memory
//! is a small module of ours in the same store (kernel.wat), so that their calls of it cost what calls between modules
//! cost, and its memory is theirs by the account. Everything that is more than memory is a message to the host.

mod blocks;
mod call;
mod group;
mod host;
mod http;

pub use call::{Export, give, run, take};
pub use group::Group;

use crate::fault::{Fault, Kind};
use crate::store::State;
use blocks::{Blocks, Place};
use cordon_net::Egress;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use wasmtime::{AsContextMut, Memory, StoreContextMut};

/// What its PDKs import from.
pub const ENV: &str = "extism:host/env";

/// The module that stands behind `ENV`, as a binary.
pub const KERNEL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernel.wasm"));

/// What a store has for such a plugin.
#[derive(Default)]
pub struct Side {
    memory: Option<Memory>,
    /// Without it every request is denied.
    network: Option<Arc<dyn Egress>>,
    vars: BTreeMap<String, Vec<u8>>,
    /// Of the request that was made last.
    status: u16,
    headers: Option<String>,
    /// The guest ended itself well: the call answered, and the instance is done.
    pub exited: bool,
}

impl Side {
    pub fn new(network: Option<Arc<dyn Egress>>) -> Side {
        Side { network, ..Side::default() }
    }
}

fn side(state: &mut State) -> &mut Side {
    state.extism.get_or_insert_default()
}

fn memory(state: &mut State) -> wasmtime::Result<Memory> {
    side(state).memory.ok_or_else(|| Fault::new(Kind::Internal, "a store without its kernel").into())
}

fn blocks<'a>(store: &'a mut StoreContextMut<'_, State>) -> wasmtime::Result<Blocks<'a>> {
    let memory = memory(store.data_mut())?;
    Ok(Blocks::new(memory.data_mut(store)))
}

/// A new block with these bytes; 0 for none.
fn put(store: &mut StoreContextMut<'_, State>, pieces: &[&[u8]]) -> wasmtime::Result<u64> {
    let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
    if bytes == 0 {
        return Ok(0);
    }
    let at = alloc(store, bytes as u64)?;
    let mut blocks = blocks(store)?;
    let mut next = at;
    for piece in pieces {
        blocks.fill(next, piece);
        next += piece.len() as u64;
    }
    Ok(at)
}

fn alloc(store: &mut StoreContextMut<'_, State>, bytes: u64) -> wasmtime::Result<u64> {
    let full = || Fault::new(Kind::Memory, "the plugin has no memory left for what crosses to it");
    match blocks(store)?.alloc(bytes) {
        Some(Place::At(at)) => Ok(at),
        Some(Place::Pages(pages)) => {
            let memory = memory(store.data_mut())?;
            memory.grow(store.as_context_mut(), pages).map_err(|_| full())?;
            blocks(store)?.grown(pages, bytes).ok_or_else(|| full().into())
        }
        None => Err(full().into()),
    }
}

/// The bytes behind an offset that a guest passed as `what`.
fn handle(store: &mut StoreContextMut<'_, State>, at: u64, what: &str) -> wasmtime::Result<Range<usize>> {
    let found = blocks(store)?.handle(at);
    found.ok_or_else(|| Fault::new(Kind::BadPointer, format!("invalid handle offset for {what}: {at}")).into())
}

fn text(store: &mut StoreContextMut<'_, State>, at: u64, what: &str) -> wasmtime::Result<String> {
    let range = handle(store, at, what)?;
    match simdutf8::basic::from_utf8(blocks(store)?.bytes(range)) {
        Ok(text) => Ok(text.to_string()),
        Err(_) => Err(Fault::new(Kind::BadString, format!("the {what} is not UTF-8")).into()),
    }
}
