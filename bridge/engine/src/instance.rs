//! An instance: one store, one owner at a time, never entered again once it failed.

use crate::engine::Engine;
use crate::fault::{Fault, Kind, Outcome, classify};
use crate::link::{Function, Linked, Pre, instantiation_fault, read_core, write_core};
use crate::store::{CallLimits, InstanceOptions, Interrupter, Port, State, Usage};
use crate::values::{Params, Results};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
use wasmtime::component::TypedFunc;
use wasmtime::{Store, component};

enum Inside {
    Component(component::Instance),
    Module(wasmtime::Instance),
}

pub struct Instance {
    linked: Arc<Linked>,
    // None once the instance is poisoned: everything that the guest held is released at that moment.
    live: Option<(Store<State>, Inside)>,
    // Set while the guest runs: a panic of the host leaves it, and the store's state is anybody's guess.
    entered: bool,
    usage: Usage,
    interrupter: Option<Arc<Interrupter>>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static WAKER: Waker = Waker::from(Arc::new(Unpark(std::thread::current())));
}

/// Drives a future on this thread until it is done, the deadline passes or the call is interrupted. Guests keep the
/// caller's thread; only timers and blocking file work run on the engine's own runtime. Unlike a runtime's own
/// `block_on` it may be entered again by a host function that calls another plugin.
fn drive<F: Future>(
    engine: &Engine,
    future: F,
    end: Option<Instant>,
    interrupter: Option<&Interrupter>,
) -> Outcome<F::Output> {
    let _runtime = engine.runtime()?.enter();
    if let Some(i) = interrupter {
        i.watch(Some(std::thread::current()));
    }
    let mut future = pin!(future);
    let outcome = WAKER.with(|waker| {
        let mut cx = Context::from_waker(waker);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return Ok(value);
            }
            if interrupter.is_some_and(|i| i.is_set()) {
                return Err(Fault::new(Kind::Interrupted, "the call was interrupted"));
            }
            let now = Instant::now();
            match end {
                Some(end) if now >= end => return Err(Fault::new(Kind::Timeout, "the call ran past its deadline")),
                Some(end) => std::thread::park_timeout(end - now),
                None => std::thread::park(),
            }
        }
    });
    if let Some(i) = interrupter {
        i.watch(None);
    }
    outcome
}

fn prepare(store: &mut Store<State>, engine: &Engine, limits: &CallLimits) -> Outcome<()> {
    let state = store.data_mut();
    // A growth that an earlier call was refused explains no trap of this one.
    state.limiter.denied = false;
    let ticks = state.deadline.begin(limits);
    store.set_epoch_deadline(ticks);
    match (engine.options.fuel, limits.fuel) {
        (true, fuel) => {
            store.set_fuel(fuel.unwrap_or(u64::MAX)).map_err(|e| Fault::new(Kind::Internal, format!("{e:#}")))?
        }
        (false, Some(_)) => return Err(Fault::new(Kind::Invalid, "this engine does not count fuel")),
        (false, None) => {}
    }
    Ok(())
}

async fn call_async<const R: usize>(
    store: &mut Store<State>,
    func: component::Func,
    input: &[u8],
) -> wasmtime::Result<Vec<u8>> {
    // Safety: Params and Results follow the function's own type at run time (values.rs), so any function will do.
    let typed: TypedFunc<Params<'_>, Results<R>> = unsafe { TypedFunc::new_unchecked(func) };
    Ok(typed.call_async(store, Params(input)).await?.0)
}

fn call_sync<const R: usize>(
    store: &mut Store<State>,
    func: component::Func,
    input: &[u8],
) -> wasmtime::Result<Vec<u8>> {
    // Safety: as in call_async.
    let typed: TypedFunc<Params<'_>, Results<R>> = unsafe { TypedFunc::new_unchecked(func) };
    Ok(typed.call(store, Params(input))?.0)
}

impl Instance {
    pub fn new(
        linked: &Arc<Linked>,
        options: InstanceOptions,
        port: Option<Arc<dyn Port>>,
        limits: &CallLimits,
        call_id: u64,
    ) -> Outcome<Instance> {
        let engine = &linked.code.engine;
        let store_limits = options.limits.clone();
        let state = State::new(options, linked.needs, port, call_id)?;
        let mut store = Store::new(&engine.wasm, state);
        store.limiter(|s| &mut s.limiter);
        store.set_hostcall_fuel(usize::try_from(store_limits.host_call_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(store_limits.handles as usize);
        store.epoch_deadline_callback(|mut cx| Ok(cx.data_mut().look()));
        let _running = engine.running()?;
        prepare(&mut store, engine, limits)?;
        let inside = match Self::instantiate(linked, &mut store) {
            Ok(inside) => inside,
            Err(error) => return Err(instantiation_fault(error, store.data())),
        };
        let mut instance = Instance {
            linked: linked.clone(),
            live: Some((store, inside)),
            entered: false,
            usage: Usage::default(),
            interrupter: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        instance.count(limits);
        Ok(instance)
    }

    fn instantiate(linked: &Linked, store: &mut Store<State>) -> wasmtime::Result<Inside> {
        if !linked.needs.asynchronous {
            return Ok(match &linked.pre {
                Pre::Component(pre) => Inside::Component(pre.instantiate(store)?),
                Pre::Module(pre) => Inside::Module(pre.instantiate(store)?),
            });
        }
        let end = store.data().deadline.end;
        let engine = linked.code.engine.clone();
        let made = match &linked.pre {
            Pre::Component(pre) => {
                drive(&engine, pre.instantiate_async(&mut *store), end, None).map(|made| made.map(Inside::Component))
            }
            Pre::Module(pre) => {
                drive(&engine, pre.instantiate_async(&mut *store), end, None).map(|made| made.map(Inside::Module))
            }
        };
        made?
    }

    /// Calls an export. Payloads are in the wire format. Any failure poisons the instance.
    pub fn call(&mut self, function: &Function, input: &[u8], limits: &CallLimits, call_id: u64) -> Outcome<Vec<u8>> {
        let outcome = {
            let engine = &self.linked.code.engine;
            let Some((store, inside)) = self.live.as_mut() else {
                let text = "the instance trapped or was stopped before, and is never entered again";
                return Err(Fault::new(Kind::Poisoned, text));
            };
            if self.entered {
                return Err(Fault::new(Kind::Poisoned, "the host panicked while the instance ran"));
            }
            let _running = engine.running()?;
            store.data_mut().call_id = call_id;
            prepare(store, engine, limits)?;
            self.usage.bytes_in += input.len() as u64;
            self.entered = true;
            let outcome = enter(engine, &self.linked, store, inside, function, input);
            self.entered = false;
            outcome
        };
        self.count(limits);
        match outcome {
            Ok(output) => {
                self.usage.bytes_out += output.len() as u64;
                Ok(output)
            }
            Err(error) => {
                let state = self.live.as_ref().expect("checked above").0.data();
                let fault = classify(error, state.deadline.stopped, state.limiter.denied);
                // A payload that does not fit is the caller's mistake, found before or after the guest ran; the engine
                // cannot tell which, so the store goes in either case.
                self.release();
                Err(fault)
            }
        }
    }

    fn count(&mut self, limits: &CallLimits) {
        let Some((store, _)) = self.live.as_ref() else { return };
        let state = store.data();
        let wall = state.deadline.elapsed();
        self.usage.wall += wall;
        self.usage.cpu += if state.deadline.cpu_seen.is_zero() {
            wall.min(Duration::from_millis(1))
        } else {
            state.deadline.cpu_seen
        };
        self.usage.memory_peak_bytes = state.limiter.peak;
        self.usage.host_calls = state.host_calls;
        if self.linked.code.engine.options.fuel {
            self.usage.fuel += limits.fuel.unwrap_or(u64::MAX).saturating_sub(store.get_fuel().unwrap_or(0));
        }
    }

    fn release(&mut self) {
        self.stdout = self.take_stdout();
        self.stderr = self.take_stderr();
        self.usage = self.usage();
        self.live = None;
    }

    pub fn poisoned(&self) -> bool {
        self.live.is_none() || self.entered
    }

    pub fn usage(&self) -> Usage {
        let mut usage = self.usage;
        if let Some((store, _)) = &self.live {
            let state = store.data();
            usage.memory_peak_bytes = state.limiter.peak;
            usage.stdout_dropped_bytes = state.stdout.as_ref().map_or(0, |s| s.dropped());
            usage.stderr_dropped_bytes = state.stderr.as_ref().map_or(0, |s| s.dropped());
        }
        usage
    }

    pub fn take_stdout(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.stdout);
        if let Some(sink) = self.live.as_ref().and_then(|(s, _)| s.data().stdout.as_ref()) {
            out.extend_from_slice(&sink.take());
        }
        out
    }

    pub fn take_stderr(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.stderr);
        if let Some(sink) = self.live.as_ref().and_then(|(s, _)| s.data().stderr.as_ref()) {
            out.extend_from_slice(&sink.take());
        }
        out
    }

    pub fn interrupter(&mut self) -> Arc<Interrupter> {
        let own = self.interrupter.get_or_insert_default().clone();
        if let Some((store, _)) = &mut self.live {
            store.data_mut().interrupter = Some(own.clone());
        }
        own
    }
}

fn enter(
    engine: &Engine,
    linked: &Linked,
    store: &mut Store<State>,
    inside: &Inside,
    function: &Function,
    input: &[u8],
) -> wasmtime::Result<Vec<u8>> {
    let end = store.data().deadline.end;
    let interrupter = store.data().interrupter.clone();
    if interrupter.as_ref().is_some_and(|i| i.is_set()) {
        return Err(Fault::new(Kind::Interrupted, "the call was interrupted").into());
    }
    let driven = match (inside, function) {
        (Inside::Component(instance), Function::Component { index, flat_results }) => {
            let func = instance.get_func(&mut *store, index).ok_or_else(foreign)?;
            if !linked.needs.asynchronous {
                return match flat_results {
                    0 => call_sync::<0>(store, func, input),
                    1 => call_sync::<1>(store, func, input),
                    _ => call_sync::<2>(store, func, input),
                };
            }
            let call = async {
                match flat_results {
                    0 => call_async::<0>(store, func, input).await,
                    1 => call_async::<1>(store, func, input).await,
                    _ => call_async::<2>(store, func, input).await,
                }
            };
            drive(engine, call, end, interrupter.as_deref())
        }
        (Inside::Module(instance), Function::Module { name, params, results }) => {
            let func = instance.get_func(&mut *store, name).ok_or_else(foreign)?;
            let params = read_core(params, input)?;
            let mut values = vec![wasmtime::Val::I32(0); results.len()];
            if linked.needs.asynchronous {
                let call = async {
                    func.call_async(store, &params, &mut values).await?;
                    core_output(&values)
                };
                drive(engine, call, end, interrupter.as_deref())
            } else {
                func.call(store, &params, &mut values)?;
                return core_output(&values);
            }
        }
        _ => return Err(foreign()),
    };
    driven?
}

fn core_output(values: &[wasmtime::Val]) -> wasmtime::Result<Vec<u8>> {
    let mut out = Vec::new();
    write_core(values, &mut out)?;
    Ok(out)
}

fn foreign() -> wasmtime::Error {
    Fault::new(Kind::Invalid, "the function belongs to other code than the instance").into()
}
