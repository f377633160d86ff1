//! What a plugin may import beside the kernel. All of it takes and gives offsets of blocks; the host gets their bytes,
//! never an offset.

use super::{ENV, blocks, handle, http, put, side, text};
use crate::fault::{Fault, Kind};
use crate::link::{HostImport, core_value, send, send_aside, write_core};
use crate::store::{State, put_text};
use crate::values::Reader;
use std::sync::Arc;
use wasmtime::{AsContextMut, Caller, FuncType, Linker, StoreContextMut, Val, ValType};

/// The functions of `ENV` beside the kernel's, as they are imported.
const KNOWN: &[(&str, &str)] = &[
    ("config_get", "b->b"),
    ("var_get", "b->b"),
    ("var_set", "bb->"),
    ("http_request", "bb->b"),
    ("http_status_code", "->i"),
    ("http_headers", "->b"),
    ("log_trace", "b->"),
    ("log_debug", "b->"),
    ("log_info", "b->"),
    ("log_warn", "b->"),
    ("log_error", "b->"),
    ("get_log_level", "->i"),
];

/// What Extism counts for each variable beside its bytes.
const VAR_COST: usize = 48;

/// Which functions of the host are in the linker.
#[derive(Default)]
pub struct Defined(Vec<(String, String)>);

fn fits(wanted: &FuncType, shape: &str) -> bool {
    let (params, results) = shape.split_once("->").unwrap_or_default();
    let same = |types: Vec<ValType>, shape: &str| {
        types.len() == shape.len()
            && types.iter().zip(shape.chars()).all(|(ty, c)| match c {
                'i' => matches!(ty, ValType::I32),
                _ => matches!(ty, ValType::I64),
            })
    };
    same(wanted.params().collect(), params) && same(wanted.results().collect(), results)
}

impl Defined {
    /// Whether there is such a function.
    pub fn define(
        &mut self,
        l: &mut Linker<State>,
        of: Option<&HostImport>,
        module: &str,
        name: &str,
        wanted: &FuncType,
    ) -> wasmtime::Result<bool> {
        let is_defined = self.0.iter().any(|(m, n)| m == module && n == name);
        if module == ENV {
            let Some((_, shape)) = KNOWN.iter().find(|(known, _)| *known == name) else { return Ok(false) };
            if !fits(wanted, shape) {
                return Err(Fault::new(Kind::Link, format!("{module}.{name} is {shape}, not {wanted}")).into());
            }
            if !is_defined && !define_env(l, of, name)? {
                return Ok(false);
            }
        } else {
            let Some(of) = of else { return Ok(false) };
            if !is_defined {
                define_user(l, of, wanted)?;
            }
        }
        if !is_defined {
            self.0.push((module.into(), name.into()));
        }
        Ok(true)
    }
}

fn define_env(l: &mut Linker<State>, of: Option<&HostImport>, name: &str) -> wasmtime::Result<bool> {
    let send_as: Option<Arc<str>> = of.map(|of| of.message.as_str().into());
    let is_stub = of.is_some_and(HostImport::is_stub);
    match (name, send_as) {
        ("config_get", Some(message)) if is_stub => {
            l.func_wrap(ENV, name, move |caller: Caller<'_, State>, key: i64| denied_get(caller, &message, key))?;
        }
        ("config_get", Some(message)) => {
            l.func_wrap(ENV, name, move |caller: Caller<'_, State>, key: i64| {
                get(caller, &message, key, "config key")
            })?;
        }
        ("var_get", Some(message)) => {
            l.func_wrap(ENV, name, move |caller: Caller<'_, State>, key: i64| get(caller, &message, key, "var key"))?;
        }
        ("var_set", Some(message)) => {
            l.func_wrap(ENV, name, move |caller: Caller<'_, State>, key: i64, value: i64| {
                set_far(caller, &message, key, value)
            })?;
        }
        ("var_get", None) => {
            l.func_wrap(ENV, name, get_near)?;
        }
        ("var_set", None) => {
            l.func_wrap(ENV, name, set_near)?;
        }
        ("http_request", Some(message)) if is_stub => {
            l.func_wrap(ENV, name, move |caller: Caller<'_, State>, request: i64, _: i64| {
                http::denied(caller, &message, request)
            })?;
        }
        ("http_request", Some(_)) => http::define(l)?,
        ("http_status_code", None) => {
            l.func_wrap(ENV, name, |mut caller: Caller<'_, State>| i32::from(side(caller.data_mut()).status))?;
        }
        ("http_headers", None) => {
            l.func_wrap(ENV, name, |mut caller: Caller<'_, State>| -> wasmtime::Result<i64> {
                let headers = side(caller.data_mut()).headers.clone().unwrap_or_else(|| "{}".to_string());
                Ok(put(&mut caller.as_context_mut(), &[headers.as_bytes()])? as i64)
            })?;
        }
        ("get_log_level", None) => {
            l.func_wrap(ENV, name, || -> i32 { i32::MAX })?;
        }
        // Extism's numbers: 0 is trace, and every line is wanted.
        ("get_log_level", Some(_)) => {
            l.func_wrap(ENV, name, || -> i32 { 0 })?;
        }
        (name, Some(message)) if name.starts_with("log_") => {
            let is_kept = !is_stub;
            l.func_wrap(ENV, name, move |caller: Caller<'_, State>, line: i64| log(caller, &message, line, is_kept))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Sends a key and gives what was found: `option<list<u8>>`.
fn get(mut caller: Caller<'_, State>, message: &str, key: i64, what: &str) -> wasmtime::Result<i64> {
    let store = &mut caller.as_context_mut();
    let text = text(store, key as u64, what)?;
    blocks(store)?.free(key as u64);
    let mut payload = Vec::with_capacity(text.len() + 4);
    put_text(&mut payload, &text);
    let reply = send(store.data_mut(), ENV, message, &payload)?;
    let mut reader = Reader::new(&reply);
    if reader.u8()? == 0 {
        return Ok(0);
    }
    let bytes = reader.u32()? as usize;
    let value = reader.take(bytes)?;
    Ok(put(store, &[&value])? as i64)
}

/// What was not granted has no value.
fn denied_get(mut caller: Caller<'_, State>, message: &str, key: i64) -> wasmtime::Result<i64> {
    let store = &mut caller.as_context_mut();
    handle(store, key as u64, "config key")?;
    blocks(store)?.free(key as u64);
    send(store.data_mut(), ENV, message, &[])?;
    Ok(0)
}

fn set_far(mut caller: Caller<'_, State>, message: &str, key: i64, value: i64) -> wasmtime::Result<()> {
    let store = &mut caller.as_context_mut();
    let name = text(store, key as u64, "var key")?;
    let mut payload = Vec::with_capacity(name.len() + 9);
    put_text(&mut payload, &name);
    payload.push(u8::from(value != 0));
    if value != 0 {
        let range = handle(store, value as u64, "var value")?;
        payload.extend_from_slice(&(range.len() as u32).to_le_bytes());
        payload.extend_from_slice(blocks(store)?.bytes(range));
        blocks(store)?.free(value as u64);
    }
    blocks(store)?.free(key as u64);
    send(store.data_mut(), ENV, message, &payload).map(|_| ())
}

fn get_near(mut caller: Caller<'_, State>, key: i64) -> wasmtime::Result<i64> {
    let store = &mut caller.as_context_mut();
    let name = text(store, key as u64, "var key")?;
    blocks(store)?.free(key as u64);
    // Out of the store while its memory is written.
    let vars = std::mem::take(&mut side(store.data_mut()).vars);
    let at = vars.get(&name).map_or(Ok(0), |value| put(store, &[value]));
    side(store.data_mut()).vars = vars;
    Ok(at? as i64)
}

fn set_near(mut caller: Caller<'_, State>, key: i64, value: i64) -> wasmtime::Result<()> {
    let store = &mut caller.as_context_mut();
    let bytes_max = store.data().limiter.limits.var_bytes;
    if bytes_max == 0 {
        return Err(Fault::new(Kind::Limit, "vars are disabled: limits.vars is 0").into());
    }
    let name = text(store, key as u64, "var key")?;
    if value == 0 {
        side(store.data_mut()).vars.remove(&name);
        blocks(store)?.free(key as u64);
        return Ok(());
    }
    let range = handle(store, value as u64, "var value")?;
    let held: usize = side(store.data_mut()).vars.iter().map(|(k, v)| k.len() + v.len() + VAR_COST).sum();
    if (held + name.len() + range.len() + VAR_COST) as u64 > bytes_max {
        return Err(Fault::new(Kind::Limit, format!("the variable store is full: it holds {bytes_max} bytes")).into());
    }
    let bytes = blocks(store)?.bytes(range).to_vec();
    blocks(store)?.free(value as u64);
    blocks(store)?.free(key as u64);
    side(store.data_mut()).vars.insert(name, bytes);
    Ok(())
}

fn log(mut caller: Caller<'_, State>, message: &str, line: i64, is_kept: bool) -> wasmtime::Result<()> {
    let store = &mut caller.as_context_mut();
    if !is_kept {
        blocks(store)?.free(line as u64);
        return send(store.data_mut(), ENV, message, &[]).map(|_| ());
    }
    let range = handle(store, line as u64, "log message")?;
    let text = String::from_utf8_lossy(blocks(store)?.bytes(range)).into_owned();
    let mut payload = Vec::with_capacity(text.len() + 4);
    put_text(&mut payload, &text);
    send(store.data_mut(), ENV, message, &payload)?;
    blocks(store)?.free(line as u64);
    Ok(())
}

/// A function of the embedding program. Its shape says what each parameter and the result are: `t` and `b` a block of
/// text or bytes, `n` a number as it is.
fn define_user(l: &mut Linker<State>, of: &HostImport, wanted: &FuncType) -> wasmtime::Result<()> {
    let (params, results) = of.shape.split_once("->").unwrap_or_default();
    let is_block = |c: char| c == 't' || c == 'b';
    let same = |types: Vec<ValType>, shape: &str| {
        types.len() == shape.len()
            && types.iter().zip(shape.chars()).all(|(ty, c)| !is_block(c) || matches!(ty, ValType::I64))
    };
    if !same(wanted.params().collect(), params) || !same(wanted.results().collect(), results) {
        let text = format!("{}.{} is {}, not {wanted}", of.interface, of.function, of.shape);
        return Err(Fault::new(Kind::Link, text).into());
    }
    let of: Arc<HostImport> = Arc::new(of.clone());
    let types: Vec<ValType> = wanted.results().collect();
    if of.waits() {
        return define_waiting(l, &of, types, wanted.clone());
    }
    let shared = of.clone();
    l.func_new(&of.interface, &of.function, wanted.clone(), move |mut caller, params, out| {
        let store = &mut caller.as_context_mut();
        let payload = lift(store, &shared, params)?;
        let reply = send(store.data_mut(), &shared.interface, &shared.message, &payload)?;
        lower(store, &shared, &types, &reply, out)
    })?;
    Ok(())
}

fn define_waiting(
    l: &mut Linker<State>,
    of: &Arc<HostImport>,
    types: Vec<ValType>,
    ty: FuncType,
) -> wasmtime::Result<()> {
    let shared = of.clone();
    let types: Arc<[ValType]> = types.into();
    let (interface, message): (Arc<str>, Arc<str>) = (of.interface.as_str().into(), of.message.as_str().into());
    l.func_new_async(&of.interface, &of.function, ty, move |mut caller, params, out| {
        let (shared, types) = (shared.clone(), types.clone());
        let (interface, message) = (interface.clone(), message.clone());
        Box::new(async move {
            let store = &mut caller.as_context_mut();
            let payload = lift(store, &shared, params)?;
            let sent = send_aside(store.data_mut(), &interface, &message, payload, shared.how());
            let (reply, cpu) = sent.await?;
            store.data_mut().deadline.leave_out(cpu);
            lower(store, &shared, &types, &reply, out)
        })
    })?;
    Ok(())
}

fn lift(store: &mut StoreContextMut<'_, State>, of: &HostImport, params: &[Val]) -> wasmtime::Result<Vec<u8>> {
    let bytes_max = store.data().limiter.limits.host_call_bytes;
    let mut payload = Vec::new();
    let shape = of.shape.split_once("->").unwrap_or_default().0;
    for (value, kind) in params.iter().zip(shape.chars()) {
        match (value, kind) {
            (Val::I64(at), 't' | 'b') => {
                let range = handle(store, *at as u64, &format!("a parameter of {}", of.function))?;
                if (payload.len() + range.len()) as u64 > bytes_max {
                    return Err(Fault::new(Kind::LiftLimit, format!("a call of {} is too large", of.function)).into());
                }
                let blocks = blocks(store)?;
                let bytes = blocks.bytes(range);
                if kind == 't' && simdutf8::basic::from_utf8(bytes).is_err() {
                    return Err(Fault::new(Kind::BadString, format!("a text for {} is not UTF-8", of.function)).into());
                }
                payload.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                payload.extend_from_slice(bytes);
            }
            _ => write_core(std::slice::from_ref(value), &mut payload)?,
        }
    }
    Ok(payload)
}

fn lower(
    store: &mut StoreContextMut<'_, State>,
    of: &HostImport,
    types: &[ValType],
    reply: &[u8],
    out: &mut [Val],
) -> wasmtime::Result<()> {
    let mut reader = Reader::new(reply);
    let shape = of.shape.split_once("->").unwrap_or_default().1;
    for ((slot, kind), ty) in out.iter_mut().zip(shape.chars()).zip(types) {
        *slot = match kind {
            't' | 'b' => {
                let bytes = reader.u32()? as usize;
                let bytes = reader.take(bytes)?;
                Val::I64(put(store, &[&bytes])? as i64)
            }
            _ => core_value(ty, &mut reader)?,
        };
    }
    reader.finish()
}
