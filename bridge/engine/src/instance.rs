//! An instance: one store, one owner at a time, never entered again once it failed.

use crate::engine::Engine;
use crate::extism;
use crate::fault::{Fault, Kind, Outcome, classify};
use crate::lane;
use crate::link::{Function, Linked, Pre, instantiation_fault, read_core, write_core};
use crate::nested::{Driving, interrupted_outside};
use crate::store::{CallLimits, InstanceOptions, Interrupter, Port, State, Usage};
use crate::ticker::monotonic_ns;
use crate::values::{Given, Params, Piece, Reader, Results, Sink, receive};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use wasmtime::component::TypedFunc;
use wasmtime::{Store, component};

enum Inside {
    Component(component::Instance),
    Module(wasmtime::Instance),
    Extism(wasmtime::Instance),
}

pub struct Instance {
    linked: ManuallyDrop<Arc<Linked>>,
    // Whether `linked` is counted; for one call it is the caller's.
    counted: bool,
    // The function that was called last: finding it in the instance costs as much as a scalar's crossing.
    last: Option<(Arc<()>, component::Func)>,
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

/// A future that is polled and dropped inside the engine's runtime. Between its polls the thread may be another call's.
struct Within<'r, F> {
    future: ManuallyDrop<F>,
    runtime: &'r tokio::runtime::Handle,
}

impl<F: Future> Within<'_, F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _runtime = self.runtime.enter();
        let _stay = lane::stay();
        // Safety: the future is pinned with what holds it, and moved out of it never.
        unsafe { self.map_unchecked_mut(|within| &mut *within.future) }.poll(cx)
    }
}

impl<F> Drop for Within<'_, F> {
    fn drop(&mut self) {
        let _runtime = self.runtime.enter();
        let _stay = lane::stay();
        // Safety: dropped once, here.
        unsafe { ManuallyDrop::drop(&mut self.future) };
    }
}

/// Drives a future until it is done, the deadline passes or the call is interrupted. Guests keep the caller's thread,
/// or leave it to others where it is that of a lane (lane.rs); only timers and blocking file work run on the engine's
/// own runtime. Unlike a runtime's own `block_on` it may be entered again by a host function that calls another plugin.
fn drive<F: Future>(
    engine: &Engine,
    future: F,
    end_ns: u64,
    interrupter: Option<&Arc<Interrupter>>,
) -> Outcome<F::Output> {
    let runtime = engine.runtime()?;
    let driving = Driving::begin(engine, interrupter);
    let outcome = WAKER.with(|thread| {
        let own = lane::waker();
        let waker = own.as_ref().unwrap_or(thread);
        if let Some(i) = interrupter {
            i.watch(Some(waker.clone()));
        }
        let mut future = pin!(Within { future: ManuallyDrop::new(future), runtime });
        let mut cx = Context::from_waker(waker);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return Ok(value);
            }
            let errand = driving.take();
            let waits = errand.is_none();
            if let Some(errand) = errand {
                errand.run();
            }
            if interrupted_outside() {
                return Err(Fault::new(Kind::Interrupted, "the call was interrupted"));
            }
            let now = monotonic_ns();
            if now >= end_ns {
                return Err(Fault::new(Kind::Timeout, "the call ran past its deadline"));
            }
            if waits && !lane::leave(end_ns) {
                std::thread::park_timeout(Duration::from_nanos(end_ns - now));
            }
        }
    });
    if let Some(i) = interrupter {
        i.watch(None);
    }
    outcome
}

/// How a call's time is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timing {
    /// By readings of the clock: 50 ns.
    Exact,
    /// By the ticks of the ticker.
    Ticks,
}

/// Starts a call's clocks and counters.
#[inline]
fn begin(store: &mut Store<State>, engine: &Engine, limits: &CallLimits, timing: Timing) -> Outcome<()> {
    let state = store.data_mut();
    // A growth that an earlier call was refused explains no trap of this one.
    state.limiter.denied = false;
    match timing {
        Timing::Exact if engine.options.unstoppable => state.deadline.begin_unstoppable(limits, monotonic_ns()),
        Timing::Exact => {
            let ticks = state.deadline.begin_at(limits, monotonic_ns());
            store.set_epoch_deadline(ticks);
            engine.ticker.touch()?;
        }
        Timing::Ticks => {
            store.set_epoch_deadline(1);
            engine.ticker.touch()?;
            store.data_mut().deadline.begin_about(limits, engine.ticker.now_ns());
        }
    }
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
    params: Params<'_>,
) -> wasmtime::Result<()> {
    // Safety: Params and Results follow the function's own type at run time (values), so any function will do.
    let typed: TypedFunc<Params<'_>, Results<R>> = unsafe { TypedFunc::new_unchecked(func) };
    typed.call_async(store, params).await.map(|_| ())
}

fn call_sync<const R: usize>(
    store: &mut Store<State>,
    func: component::Func,
    params: Params<'_>,
) -> wasmtime::Result<()> {
    // Safety: as in call_async.
    let typed: TypedFunc<Params<'_>, Results<R>> = unsafe { TypedFunc::new_unchecked(func) };
    typed.call(store, params).map(|_| ())
}

/// What a call that ended leaves to see.
#[derive(Default)]
pub struct Traces {
    pub usage: Usage,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Instance {
    pub fn new(
        linked: &Arc<Linked>,
        options: InstanceOptions,
        port: Option<Arc<dyn Port>>,
        limits: &CallLimits,
        call_id: u64,
    ) -> Outcome<Instance> {
        let mut instance = Self::make(linked, options, port, limits, call_id)?;
        std::mem::forget(linked.clone());
        instance.counted = true;
        instance.count(limits, Timing::Exact);
        Ok(instance)
    }

    /// Makes an instance, calls one export and lets the instance go, under one deadline and one budget. `traces` is
    /// written whenever there was an instance.
    #[allow(clippy::too_many_arguments)]
    pub fn once(
        linked: &Arc<Linked>,
        options: InstanceOptions,
        port: Option<Arc<dyn Port>>,
        function: &Function,
        input: &[Piece<'_>],
        limits: &CallLimits,
        call_id: u64,
        sink: &mut Sink<'_>,
        traces: &mut Traces,
    ) -> Outcome<()> {
        let mut instance = Self::make(linked, options, port, limits, call_id)?;
        let outcome = instance.run(function, input, limits, Timing::Exact, sink);
        traces.usage = instance.usage();
        if linked.needs.wasi {
            traces.stdout = instance.take_stdout();
            traces.stderr = instance.take_stderr();
        }
        outcome
    }

    fn make(
        linked: &Arc<Linked>,
        options: InstanceOptions,
        port: Option<Arc<dyn Port>>,
        limits: &CallLimits,
        call_id: u64,
    ) -> Outcome<Instance> {
        let engine = &linked.code.engine;
        engine.make_room(limits);
        let (host_call_bytes, handles) = (options.limits.host_call_bytes, options.limits.handles);
        let interrupter = options.interrupter.clone();
        let state = State::new(engine, options, linked.needs, port, call_id)?;
        let mut store = Store::new(&engine.wasm, state);
        store.limiter(|s| &mut s.limiter);
        store.set_hostcall_fuel(usize::try_from(host_call_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(handles as usize);
        store.epoch_deadline_callback(|mut cx| Ok(cx.data_mut().look()));
        begin(&mut store, engine, limits, Timing::Exact)?;
        let inside = match Self::instantiate(linked, &mut store) {
            Ok(inside) => inside,
            Err(error) => return Err(instantiation_fault(error, store.data())),
        };
        Ok(Instance {
            // Safety: a second owner without a count, until the caller counts it or is done with the instance.
            linked: ManuallyDrop::new(unsafe { std::ptr::read(linked) }),
            counted: false,
            last: None,
            live: Some((store, inside)),
            entered: false,
            usage: Usage::default(),
            interrupter,
            stdout: Vec::new(),
            stderr: Vec::new(),
        })
    }

    fn instantiate(linked: &Linked, store: &mut Store<State>) -> wasmtime::Result<Inside> {
        if !linked.needs.asynchronous {
            return Ok(match &linked.pre {
                Pre::Component(pre) => Inside::Component(pre.instantiate(store)?),
                Pre::Module(pre) => Inside::Module(pre.instantiate(store)?),
                Pre::Extism(group) => Inside::Extism(at_once(group.instantiate::<false>(store))?),
            });
        }
        let end = store.data_mut().deadline.end_ns();
        let interrupter = store.data().interrupter.clone();
        let stop = interrupter.as_ref();
        let engine = &linked.code.engine;
        let made = match &linked.pre {
            Pre::Component(pre) => {
                drive(engine, pre.instantiate_async(&mut *store), end, stop).map(|made| made.map(Inside::Component))
            }
            Pre::Module(pre) => {
                drive(engine, pre.instantiate_async(&mut *store), end, stop).map(|made| made.map(Inside::Module))
            }
            Pre::Extism(group) => {
                let made = group.instantiate::<true>(&mut *store);
                drive(engine, made, end, stop).map(|made| made.map(Inside::Extism))
            }
        };
        let made = made??;
        if let (Inside::Module(instance), Some(reactor)) = (&made, &linked.reactor) {
            let start = instance.get_func(&mut *store, reactor).ok_or_else(foreign)?;
            let end = store.data_mut().deadline.end_ns();
            drive(engine, start.call_async(&mut *store, &[], &mut []), end, stop)??;
        }
        Ok(made)
    }

    /// Calls an export with one buffer each way.
    pub fn call(&mut self, function: &Function, input: &[u8], limits: &CallLimits, call_id: u64) -> Outcome<Vec<u8>> {
        let mut output = Vec::new();
        let mut sink = |pieces: &[Piece<'_>]| pieces.iter().for_each(|piece| output.extend_from_slice(piece.get()));
        self.call_pieces(function, &[Piece::new(input)], limits, call_id, &mut sink)?;
        Ok(output)
    }

    /// Calls an export. Payloads are in the wire format; `sink` gets the result while it lies in guest memory. Any
    /// failure poisons the instance.
    #[inline]
    pub fn call_pieces(
        &mut self,
        function: &Function,
        input: &[Piece<'_>],
        limits: &CallLimits,
        call_id: u64,
        sink: &mut Sink<'_>,
    ) -> Outcome<()> {
        let engine = &self.linked.code.engine;
        let Some((store, _)) = self.live.as_mut() else {
            let text = "the instance trapped or was stopped before, and is never entered again";
            return Err(Fault::new(Kind::Poisoned, text));
        };
        if self.entered {
            return Err(Fault::new(Kind::Poisoned, "the host panicked while the instance ran"));
        }
        store.data_mut().call_id = call_id;
        // Whoever waits for the host outside of the guest needs to know its deadline anyway.
        let is_exact = self.linked.needs.asynchronous || engine.options.unstoppable;
        let timing = if is_exact { Timing::Exact } else { Timing::Ticks };
        begin(store, engine, limits, timing)?;
        self.run(function, input, limits, timing, sink)
    }

    /// Enters the guest. REQUIRES: begun, live, and not entered.
    #[inline]
    fn run(
        &mut self,
        function: &Function,
        input: &[Piece<'_>],
        limits: &CallLimits,
        timing: Timing,
        sink: &mut Sink<'_>,
    ) -> Outcome<()> {
        self.usage.bytes_in += input.iter().map(|piece| piece.get().len() as u64).sum::<u64>();
        let Some((store, inside)) = self.live.as_mut() else {
            return Err(Fault::new(Kind::Internal, "an instance without a store"));
        };
        self.entered = true;
        let outcome = enter(&self.linked, store, inside, &mut self.last, function, input, sink);
        self.entered = false;
        store.data_mut().rest();
        self.count(limits, timing);
        match outcome {
            // What the store holds by now came out of the reserve, and must not stay there.
            Ok(_) if cordon_memory::is_short() => Err(self.poison(Fault::memory().into())),
            Ok(bytes) => {
                self.usage.bytes_out += bytes;
                if self.live.as_ref().is_some_and(|(s, _)| s.data().extism.as_ref().is_some_and(|e| e.exited)) {
                    self.poison(Fault::new(Kind::Exit, "the guest ended itself").into());
                }
                Ok(())
            }
            Err(error) => Err(self.poison(error)),
        }
    }

    /// A payload that does not fit is the caller's mistake, found before or after the guest ran; the engine cannot tell
    /// which, so the store goes in either case.
    #[cold]
    fn poison(&mut self, error: wasmtime::Error) -> Fault {
        let state = self.live.as_ref().map(|(store, _)| store.data());
        let (stopped, denied) = state.map_or((None, false), |s| (s.deadline.stopped, s.limiter.denied));
        let fault = classify(error, stopped, denied);
        self.stdout = self.take_stdout();
        self.stderr = self.take_stderr();
        self.usage = self.usage();
        if let Some((store, _)) = self.live.take() {
            // Who was stopped at a deadline gets the thread back now; any other end is not awaited by a clock.
            if matches!(fault.kind, Kind::Timeout | Kind::Cpu | Kind::Interrupted) {
                let bytes = store.data().limiter.used;
                self.linked.code.engine.disposal.dispose(store, bytes);
            } else {
                self.linked.code.engine.disposal.drop_here(store);
            }
        }
        fault
    }

    #[inline]
    fn count(&mut self, limits: &CallLimits, timing: Timing) {
        let Some((store, _)) = self.live.as_ref() else { return };
        let (deadline, engine) = (&store.data().deadline, &self.linked.code.engine);
        let now = match timing {
            Timing::Exact => monotonic_ns(),
            Timing::Ticks => engine.ticker.now_ns(),
        };
        let wall = deadline.elapsed_ns(now);
        self.usage.wall_ns += wall;
        self.usage.cpu_ns += match deadline.cpu_seen_ns {
            _ if engine.options.unstoppable => deadline.cpu_ns(),
            0 => wall.min(1_000_000),
            seen => seen,
        };
        if engine.options.fuel {
            self.usage.fuel += limits.fuel.unwrap_or(u64::MAX).saturating_sub(store.get_fuel().unwrap_or(0));
        }
    }

    pub fn poisoned(&self) -> bool {
        self.live.is_none() || self.entered
    }

    pub fn usage(&self) -> Usage {
        let mut usage = self.usage;
        if let Some((store, _)) = &self.live {
            let state = store.data();
            usage.memory_peak_bytes = state.limiter.peak;
            usage.host_calls = state.host_calls;
            usage.stdout_dropped_bytes = state.stdout.as_ref().map_or(0, |s| s.dropped());
            usage.stderr_dropped_bytes = state.stderr.as_ref().map_or(0, |s| s.dropped());
            if let Some(wasi) = &state.wasi {
                let files = wasi.files.counts();
                usage.file_read_bytes = files.read_bytes;
                usage.file_written_bytes = files.written_bytes;
                usage.file_operations = files.operations;
            }
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

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some((store, _)) = self.live.take() {
            self.linked.code.engine.disposal.drop_here(store);
        }
        if self.counted {
            // Safety: the count that `new` took, given back once.
            unsafe { ManuallyDrop::drop(&mut self.linked) };
        }
    }
}

/// Gives the count of the result's bytes.
#[inline]
fn enter(
    linked: &Linked,
    store: &mut Store<State>,
    inside: &Inside,
    last: &mut Option<(Arc<()>, component::Func)>,
    function: &Function,
    input: &[Piece<'_>],
    sink: &mut Sink<'_>,
) -> wasmtime::Result<u64> {
    let interrupter = store.data().interrupter.clone();
    if interrupter.as_ref().is_some_and(|i| i.is_set()) {
        return Err(Fault::new(Kind::Interrupted, "the call was interrupted").into());
    }
    match (inside, function) {
        (Inside::Component(instance), Function::Component { identity, index, flat_results, shape }) => {
            let func = match last {
                Some((of, func)) if Arc::ptr_eq(of, identity) => *func,
                _ => {
                    let func = instance.get_func(&mut *store, index).ok_or_else(foreign)?;
                    *last = Some((identity.clone(), func));
                    func
                }
            };
            let given = Given { input, shape };
            let params = Params(&given);
            let (outcome, bytes) = receive(shape, sink, || {
                if !linked.needs.asynchronous {
                    return match flat_results {
                        0 => call_sync::<0>(store, func, params),
                        1 => call_sync::<1>(store, func, params),
                        _ => call_sync::<2>(store, func, params),
                    };
                }
                let end = store.data_mut().deadline.end_ns();
                let call = async {
                    match flat_results {
                        0 => call_async::<0>(store, func, params).await,
                        1 => call_async::<1>(store, func, params).await,
                        _ => call_async::<2>(store, func, params).await,
                    }
                };
                drive(&linked.code.engine, call, end, interrupter.as_ref())?
            });
            outcome.map(|()| bytes)
        }
        (Inside::Module(instance), Function::Module { name, params, results }) => {
            let func = instance.get_func(&mut *store, name).ok_or_else(foreign)?;
            let params = read_core(params, Reader::over(input))?;
            let mut values = vec![wasmtime::Val::I32(0); results.len()];
            if linked.needs.asynchronous {
                let end = store.data_mut().deadline.end_ns();
                let call = func.call_async(store, &params, &mut values);
                drive(&linked.code.engine, call, end, interrupter.as_ref())??;
            } else {
                func.call(store, &params, &mut values)?;
            }
            let mut out = Vec::new();
            write_core(&values, &mut out)?;
            sink(&[Piece::new(&out)]);
            Ok(out.len() as u64)
        }
        (Inside::Extism(instance), Function::Extism(export)) => {
            extism::give(store, input)?;
            let status = if linked.needs.asynchronous {
                let end = store.data_mut().deadline.end_ns();
                let call = extism::run::<true>(store, instance, export);
                drive(&linked.code.engine, call, end, interrupter.as_ref())??
            } else {
                at_once(extism::run::<false>(store, instance, export))?
            };
            extism::take(store, status, sink)
        }
        _ => Err(foreign()),
    }
}

/// What nothing of is awaited.
fn at_once<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(Fault::new(Kind::Internal, "something waits that cannot").into()),
    }
}

fn foreign() -> wasmtime::Error {
    Fault::new(Kind::Invalid, "the function belongs to other code than the instance").into()
}
