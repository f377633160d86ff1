//! A call: bytes in, and bytes or the plugin's own error out.

use super::{blocks, put, side};
use crate::fault::{Fault, Kind, Said};
use crate::store::State;
use crate::values::{Piece, Reader, Sink};
use wasmtime::{AsContextMut, Extern, Instance, Module, ModuleExport, Store, Val, ValRaw, ValType};
use wasmtime_wasi::I32Exit;

/// What an export gives back to say how it went.
#[derive(Clone, Copy)]
enum Answer {
    Nothing,
    Status,
    /// A number that is no status: what Extism takes for -1.
    Other,
}

/// An exported function of a plugin.
pub struct Export {
    export: ModuleExport,
    answer: Answer,
}

impl Export {
    /// Nothing takes parameters, since the input is in the kernel.
    pub fn find(module: &Module, name: &str) -> Option<Export> {
        let ty = module.get_export(name)?.func()?.clone();
        let mut results = ty.results();
        let answer = match (ty.params().len(), results.next(), results.next()) {
            (0, None, _) => Answer::Nothing,
            (0, Some(ValType::I32), None) => Answer::Status,
            (0, Some(_), None) => Answer::Other,
            _ => return None,
        };
        Some(Export { export: module.get_export_index(name)?, answer })
    }
}

/// Puts the input where the guest finds it: the payload is one list of bytes.
pub fn give(store: &mut Store<State>, input: &[Piece<'_>]) -> wasmtime::Result<()> {
    let mut reader = Reader::over(input);
    let bytes = reader.u32()? as usize;
    let bytes = reader.take(bytes)?;
    reader.finish()?;
    let store = &mut store.as_context_mut();
    blocks(store)?.reset();
    let at = put(store, &[&bytes])?;
    blocks(store)?.set_input(at, bytes.len() as u64);
    Ok(())
}

/// Calls it; gives its status. See Group::instantiate of `WAITS`.
pub async fn run<const WAITS: bool>(
    store: &mut Store<State>,
    instance: &Instance,
    function: &Export,
) -> wasmtime::Result<i32> {
    let func = instance.get_module_export(&mut *store, &function.export).and_then(Extern::into_func);
    let func = func.ok_or_else(|| Fault::new(Kind::Invalid, "the function belongs to other code than the instance"))?;
    let ended = match function.answer {
        Answer::Nothing if WAITS => func.typed::<(), ()>(&*store)?.call_async(&mut *store, ()).await.map(|()| 0),
        Answer::Status if WAITS => func.typed::<(), i32>(&*store)?.call_async(&mut *store, ()).await,
        Answer::Nothing | Answer::Status => {
            let mut slots = [ValRaw::i32(0)];
            // Safety: `find` has looked at its type: no parameter, and an i32 or nothing comes back.
            unsafe { func.call_unchecked(&mut *store, &raw mut slots) }.map(|()| slots[0].get_i32())
        }
        Answer::Other => {
            let mut results = [Val::I32(0)];
            let ended = match WAITS {
                true => func.call_async(&mut *store, &[], &mut results).await,
                false => func.call(&mut *store, &[], &mut results),
            };
            ended.map(|()| -1)
        }
    };
    match ended {
        Err(error) if error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0) => {
            side(store.data_mut()).exited = true;
            Ok(0)
        }
        Err(error) => Err(explained(store, error)),
        Ok(status) => Ok(status),
    }
}

/// A guest that set an error before it failed has said why.
fn explained(store: &mut Store<State>, error: wasmtime::Error) -> wasmtime::Error {
    let store = &mut store.as_context_mut();
    let Ok(blocks) = blocks(store) else { return error };
    match blocks.error() {
        Some(range) => {
            const BYTES_MAX: usize = 1 << 10;
            let bytes = blocks.bytes(range);
            let said = String::from_utf8_lossy(&bytes[..bytes.len().min(BYTES_MAX)]).into_owned();
            error.context(Said(said))
        }
        None => error,
    }
}

/// What the call came to, as `result<list<u8>, record { code: s32, message: string }>`. Gives its size.
pub fn take(store: &mut Store<State>, status: i32, sink: &mut Sink<'_>) -> wasmtime::Result<u64> {
    let bytes_max = store.data().limiter.limits.host_call_bytes;
    let store = &mut store.as_context_mut();
    let blocks = blocks(store)?;
    let outside = || Fault::new(Kind::BadPointer, "the output that the plugin set does not lie in its memory");
    let error = blocks.error();
    if error.is_none() && status == 0 {
        let output = blocks.bytes(blocks.output().ok_or_else(outside)?);
        if output.len() as u64 > bytes_max {
            let text = format!("the output has {} bytes, above the limit of {bytes_max}", output.len());
            return Err(Fault::new(Kind::LiftLimit, text).into());
        }
        let mut head = [0; 5];
        head[1..].copy_from_slice(&(output.len() as u32).to_le_bytes());
        sink(&[Piece::new(&head), Piece::new(output)]);
        return Ok((head.len() + output.len()) as u64);
    }
    let said = error.map(|range| blocks.bytes(range)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[..said.len().min(usize::try_from(bytes_max).unwrap_or(usize::MAX))]);
    let mut head = [1; 9];
    head[1..5].copy_from_slice(&status.to_le_bytes());
    head[5..].copy_from_slice(&(said.len() as u32).to_le_bytes());
    sink(&[Piece::new(&head), Piece::new(said.as_bytes())]);
    Ok((head.len() + said.len()) as u64)
}
