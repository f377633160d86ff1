//! Plugins written for fledge, as they are: core modules that import `fledge` and pass texts of JSON to their host
//! through a memory of their own. What a message asks for is a message to the host; only output goes from here to
//! where the instance's standard output leads.

use crate::fault::{Fault, Kind};
use crate::link::{Aside, HostImport, send, send_aside};
use crate::stdio::broken_pipe;
use crate::store::{State, put_text};
use std::sync::Arc;
use wasmtime::{AsContextMut, Caller, Extern, Linker, Memory, StoreContextMut};
use wasmtime_wasi::I32Exit;

/// What its plugins import from.
pub const MODULE: &str = "fledge";

/// What `recv` gives next.
#[derive(Default)]
enum Pending {
    /// The message with which the host begins; made when it is asked for.
    #[default]
    Init,
    Reply(Vec<u8>),
    Nothing,
}

/// What a store has for such a plugin.
#[derive(Default)]
pub struct Side {
    arguments: Vec<String>,
    pending: Pending,
}

impl Side {
    /// `arguments` begin with the program's own name, which the protocol does not tell.
    pub fn new(arguments: &[String]) -> Side {
        Side { arguments: arguments.iter().skip(1).cloned().collect(), pending: Pending::Init }
    }
}

fn side(state: &mut State) -> &mut Side {
    state.fledge.get_or_insert_default()
}

/// What a plugin tells with `send`. The rest of the protocol has imports of its own, or is of native plugins.
#[derive(serde::Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Output {
        text: String,
    },
    Log {
        level: String,
        message: String,
    },
    #[serde(other)]
    Other,
}

fn memory(caller: &mut Caller<'_, State>) -> wasmtime::Result<Memory> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(Fault::new(Kind::BadPointer, "the plugin exports no memory").into()),
    }
}

fn outside(function: &str, at: u32, bytes: u32) -> wasmtime::Error {
    let text = format!("{MODULE}.{function} was given {bytes} bytes at {at}, which do not lie in the plugin's memory");
    Fault::new(Kind::BadPointer, text).into()
}

/// The guest's bytes behind a pointer and a length.
fn given(caller: &mut Caller<'_, State>, function: &str, at: i32, bytes: i32) -> wasmtime::Result<Vec<u8>> {
    let (at, bytes) = (at as u32, bytes as u32);
    let bytes_max = caller.data().limiter.limits.host_call_bytes;
    let memory = memory(caller)?.data(&*caller);
    let end = (at as usize).saturating_add(bytes as usize);
    let found = memory.get(at as usize..end).ok_or_else(|| outside(function, at, bytes))?;
    if u64::from(bytes) > bytes_max {
        let text = format!("{MODULE}.{function} was given {bytes} bytes, above the limit of {bytes_max}");
        return Err(Fault::new(Kind::LiftLimit, text).into());
    }
    Ok(found.to_vec())
}

/// Takes the message that waits and writes as much of it as fits.
fn receive(caller: &mut Caller<'_, State>, at: i32, max: i32, message: &[u8]) -> wasmtime::Result<i32> {
    let (at, max) = (at as u32, max as u32);
    let taken = &message[..message.len().min(max as usize)];
    let memory = memory(caller)?;
    let end = (at as usize).saturating_add(taken.len());
    let place = memory.data_mut(caller.as_context_mut()).get_mut(at as usize..end);
    place.ok_or_else(|| outside("recv", at, taken.len() as u32))?.copy_from_slice(taken);
    Ok(taken.len() as i32)
}

async fn print(state: &mut State, text: &str) -> wasmtime::Result<()> {
    let Some(sink) = state.stdout.clone() else { return Ok(()) };
    sink.write_all(text.as_bytes()).await.map_err(|error| match broken_pipe(&error) {
        Some(fault) => fault.into(),
        None => Fault::new(Kind::Io, format!("the output cannot be written: {error}")).into(),
    })
}

async fn said(store: &mut StoreContextMut<'_, State>, message: &str, bytes: &[u8]) -> wasmtime::Result<()> {
    let state = store.data_mut();
    state.host_calls += 1;
    // As at home, what is no message of the protocol is nothing.
    match serde_json::from_slice(bytes) {
        Ok(Said::Output { text }) => print(state, &text).await,
        Ok(Said::Log { level, message: line }) => {
            let mut payload = Vec::with_capacity(level.len() + line.len() + 8);
            put_text(&mut payload, &level);
            put_text(&mut payload, &line);
            send(state, MODULE, message, &payload).map(|_| ())
        }
        Ok(Said::Other) | Err(_) => Ok(()),
    }
}

/// The arguments, as `list<string>`.
fn arguments(side: &Side) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend_from_slice(&(side.arguments.len() as u32).to_le_bytes());
    side.arguments.iter().for_each(|argument| put_text(&mut payload, argument));
    payload
}

async fn next(store: &mut StoreContextMut<'_, State>) -> wasmtime::Result<Vec<u8>> {
    let side = side(store.data_mut());
    match std::mem::replace(&mut side.pending, Pending::Nothing) {
        Pending::Nothing => Ok(Vec::new()),
        Pending::Reply(reply) => Ok(reply),
        Pending::Init => {
            let payload = arguments(side);
            let sent = send_aside(store.data_mut(), &MODULE.into(), &"init".into(), payload, Aside::Thread);
            let (reply, _) = sent.await?;
            Ok(reply)
        }
    }
}

/// One function of the module. The host's answer waits for `recv`, in the place of one that was not taken.
pub fn define(l: &mut Linker<State>, import: &HostImport) -> wasmtime::Result<()> {
    let function: Arc<str> = import.function.as_str().into();
    let message: Arc<str> = import.message.as_str().into();
    let is_stub = import.is_stub();
    match import.function.as_str() {
        "send" => {
            l.func_wrap_async(MODULE, "send", move |mut caller: Caller<'_, State>, (at, bytes): (i32, i32)| {
                Box::new(async move {
                    let given = given(&mut caller, "send", at, bytes)?;
                    said(&mut caller.as_context_mut(), "log", &given).await
                })
            })?
        }
        "recv" => l.func_wrap_async(MODULE, "recv", |mut caller: Caller<'_, State>, (at, max): (i32, i32)| {
            Box::new(async move {
                let message = next(&mut caller.as_context_mut()).await?;
                receive(&mut caller, at, max, &message)
            })
        })?,
        "exit" => l.func_wrap(MODULE, "exit", |status: i32| -> wasmtime::Result<()> { Err(I32Exit(status).into()) })?,
        "store_set" => {
            l.func_wrap_async(MODULE, "store_set", move |mut caller: Caller<'_, State>, (at, bytes): (i32, i32)| {
                let (function, message) = (function.clone(), message.clone());
                Box::new(async move { ask(&mut caller, &function, &message, (at, bytes), is_stub).await.map(|_| ()) })
            })?
        }
        "exec" | "store_get" | "metadata" => l.func_wrap_async(
            MODULE,
            &import.function,
            move |mut caller: Caller<'_, State>, (at, bytes): (i32, i32)| {
                let (function, message) = (function.clone(), message.clone());
                Box::new(async move {
                    let reply = ask(&mut caller, &function, &message, (at, bytes), is_stub).await?;
                    let size = reply.len() as i32;
                    side(caller.data_mut()).pending = Pending::Reply(reply);
                    Ok(size)
                })
            },
        )?,
        other => return Err(Fault::new(Kind::Link, format!("{MODULE} has no function {other}")).into()),
    };
    Ok(())
}

async fn ask(
    caller: &mut Caller<'_, State>,
    function: &str,
    message: &Arc<str>,
    place: (i32, i32),
    is_stub: bool,
) -> wasmtime::Result<Vec<u8>> {
    let given = given(caller, function, place.0, place.1)?;
    // A stub answers without a look at the question.
    let payload = if is_stub { Vec::new() } else { given };
    let (reply, cpu) = send_aside(caller.data_mut(), &MODULE.into(), message, payload, Aside::Thread).await?;
    caller.data_mut().deadline.leave_out(cpu);
    Ok(reply)
}
