//! The state of one store: limits, deadline, WASI, and the port to the host.

use crate::engine::Engine;
use crate::extism::Side;
use crate::fault::{Fault, Kind, Outcome};
use crate::files::{FileHooks, Files, Meter, Mount};
use crate::fledge;
use crate::http::Http;
use crate::lane::others_wait;
use crate::nested::interrupted_outside;
use crate::p1::{self, P1, Stdio};
use crate::sockets::Sockets;
use crate::stdio::{Sink, SinkStream, Source, SourceStream};
use crate::ticker::{LongCall, TICK, clock_ns, monotonic_ns};
use cordon_net::Egress;
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use wasmtime::{ResourceLimiter, UpdateDeadline};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder};

/// The host's answer to a message.
pub enum Reply {
    Done(Vec<u8>),
    /// The host ends the guest's call: its own code and a sentence.
    Trap(u32, String),
}

/// The way out of a store: every host function becomes one message. The deadline is of CLOCK_MONOTONIC.
pub trait Port: Send + Sync {
    fn send(&self, call_id: u64, interface: &str, function: &str, payload: &[u8], deadline_ns: u64) -> Reply;

    /// The same for what is answered later, by any thread. Returns at once.
    fn begin(&self, call_id: u64, interface: &str, function: &str, payload: &[u8], deadline_ns: u64, answer: Answer) {
        answer.give(self.send(call_id, interface, function, payload, deadline_ns));
    }
}

/// Takes one reply to where it is waited for, if it still is.
pub struct Answer(oneshot::Sender<Reply>);

impl Answer {
    pub(crate) fn new() -> (Answer, oneshot::Receiver<Reply>) {
        let (answer, reply) = oneshot::channel();
        (Answer(answer), reply)
    }

    pub fn give(self, reply: Reply) {
        let _ = self.0.send(reply);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Coarse,
    Fine,
    /// Moves by a fixed step at each look, and by nothing else.
    Stepped,
}

/// Limits of one store; all are sums over everything in it.
#[derive(Clone, Debug)]
pub struct Limits {
    pub memory_bytes: u64,
    pub table_elements: u32,
    pub instances: u32,
    pub tables: u32,
    pub memories: u32,
    pub handles: u32,
    pub host_call_bytes: u64,
    pub random_bytes: u64,
    pub stdout_bytes: u64,
    /// Of the variables that an instance of a plugin for Extism keeps, and of one answer by HTTP that it gets.
    pub var_bytes: u64,
    pub http_response_bytes: u64,
}

pub enum Input {
    Bytes(Vec<u8>),
    /// Read when the guest asks.
    Fd(OwnedFd),
}

pub struct InstanceOptions {
    pub environment: Vec<(String, String)>,
    pub arguments: Vec<String>,
    pub mounts: Vec<Mount>,
    pub stdin: Input,
    /// Where output goes as it is written; otherwise it is kept.
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    pub clock: Clock,
    /// The way to the network; without it every request is denied.
    pub network: Option<Arc<dyn Egress>>,
    /// Stops the instance from its first instruction on.
    pub interrupter: Option<Arc<Interrupter>>,
    pub limits: Limits,
    /// Each operation on a file asks the host how long to wait.
    pub files_have_rate: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    pub wall_ns: u64,
    pub cpu_ns: Option<u64>,
    pub fuel: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub memory_peak_bytes: u64,
    pub fuel: u64,
    pub host_calls: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub stdout_dropped_bytes: u64,
    pub stderr_dropped_bytes: u64,
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub file_read_bytes: u64,
    pub file_written_bytes: u64,
    pub file_operations: u64,
}

/// Bytes of a pointer-sized table element.
const ELEMENT_BYTES: u64 = 8;

/// Sums linear memories and tables over the whole store; Wasmtime's own StoreLimits holds for each memory alone.
pub struct Limiter {
    pub(crate) limits: Limits,
    pub used: u64,
    pub peak: u64,
    pub denied: bool,
}

impl Limiter {
    fn grow(&mut self, current: u64, desired: u64) -> bool {
        let total = self.used.saturating_add(desired.saturating_sub(current));
        if total > self.limits.memory_bytes {
            self.denied = true;
            return false;
        }
        self.used = total;
        self.peak = self.peak.max(total);
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // The module's own maximum would refuse this growth later; it must not be charged.
        if maximum.is_some_and(|m| desired > m) {
            return Ok(false);
        }
        Ok(self.grow(current as u64, desired as u64))
    }

    // The charge stays: Wasmtime also calls this for growths that were never charged, which would let a guest pay back
    // what it did not spend.
    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|m| desired > m) || desired > self.limits.table_elements as usize {
            self.denied |= desired > self.limits.table_elements as usize;
            return Ok(false);
        }
        Ok(self.grow(current as u64 * ELEMENT_BYTES, desired as u64 * ELEMENT_BYTES))
    }

    fn instances(&self) -> usize {
        self.limits.instances as usize
    }

    fn tables(&self) -> usize {
        self.limits.tables as usize
    }

    fn memories(&self) -> usize {
        self.limits.memories as usize
    }
}

/// Stops a call from another thread.
#[derive(Default)]
pub struct Interrupter {
    flag: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Interrupter {
    pub fn interrupt(&self) {
        self.flag.store(true, Ordering::SeqCst);
        if let Ok(waiting) = self.waiting.lock()
            && let Some(waker) = waiting.as_ref()
        {
            waker.wake_by_ref();
        }
    }

    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    pub(crate) fn watch(&self, waker: Option<Waker>) {
        if let Ok(mut held) = self.waiting.lock() {
            *held = waker;
        }
    }
}

/// When the running call must end, and why it did.
///
/// Reading the clock costs a quarter of a small call, so a warm call does not: it notes the time of the ticker's last
/// tick, which is good enough for the account, and its time limit starts with the first real reading, when the guest
/// has seen a tick pass or asks the host for something. So a deadline is never early, and late by a tick at most.
pub struct Deadline {
    limit_ns: u64,
    /// CLOCK_MONOTONIC; `None` until the clock was read for this call.
    end_ns: Option<u64>,
    began_ns: u64,
    cpu_limit_ns: u64,
    cpu_first: Option<(u64, u64)>,
    pub cpu_seen_ns: u64,
    pub stopped: Option<Kind>,
}

/// A guest looks at the clock at least this often (in ticks), so that an interruption is prompt.
const LOOK_TICKS: u64 = 4;
const TICK_NS: u64 = TICK.as_nanos() as u64;

fn ticks_in(left_ns: u64) -> u64 {
    (left_ns / TICK_NS).clamp(1, LOOK_TICKS)
}

impl Deadline {
    fn new() -> Deadline {
        Deadline {
            limit_ns: 0,
            end_ns: None,
            began_ns: 0,
            cpu_limit_ns: u64::MAX,
            cpu_first: None,
            cpu_seen_ns: 0,
            stopped: None,
        }
    }

    /// Starts from a time just read. Gives the ticks until the guest should look.
    pub(crate) fn begin_at(&mut self, limits: &CallLimits, now_ns: u64) -> u64 {
        self.begin_about(limits, now_ns);
        self.end_ns = Some(now_ns.saturating_add(self.limit_ns));
        ticks_in(self.limit_ns)
    }

    /// For code that never looks: whoever set the deadline ends the process.
    pub(crate) fn begin_unstoppable(&mut self, limits: &CallLimits, now_ns: u64) {
        self.begin_at(limits, now_ns);
        self.cpu_first = Some((thread_cpu_ns(), now_ns));
    }

    /// CPU time of this thread since the call began. REQUIRES: unstoppable.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.cpu_first.map_or(0, |(first, _)| thread_cpu_ns().saturating_sub(first))
    }

    /// Starts from the time of the last tick. The guest should look at the next.
    #[inline]
    pub(crate) fn begin_about(&mut self, limits: &CallLimits, tick_ns: u64) {
        self.limit_ns = limits.wall_ns;
        self.end_ns = None;
        self.began_ns = tick_ns;
        self.cpu_limit_ns = limits.cpu_ns.unwrap_or(u64::MAX);
        self.cpu_first = None;
        self.cpu_seen_ns = 0;
        self.stopped = None;
    }

    /// When the call ends, which a first reading of the clock settles.
    pub(crate) fn end_ns(&mut self) -> u64 {
        match self.end_ns {
            Some(end) => end,
            None => self.settle(monotonic_ns()),
        }
    }

    fn settle(&mut self, now_ns: u64) -> u64 {
        let limit = self.limit_ns;
        *self.end_ns.get_or_insert(now_ns.saturating_add(limit))
    }

    /// How long the call took, by a clock of the same kind as it began with.
    #[inline]
    pub(crate) fn elapsed_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.began_ns)
    }

    /// This thread worked for somebody else for so long.
    pub(crate) fn leave_out(&mut self, cpu: Duration) {
        if let Some((first, _)) = &mut self.cpu_first {
            *first = first.saturating_add(cpu.as_nanos() as u64);
        }
    }

    /// Reads the thread's CPU clock (626 ns, hence only here). Gives the ticks until the next look, or `None` when the
    /// guest must stop.
    fn look(&mut self) -> Option<u64> {
        let now = monotonic_ns();
        let end = self.settle(now);
        if now >= end {
            self.stopped = Some(Kind::Timeout);
            return None;
        }
        let cpu = thread_cpu_ns();
        let (first, at) = *self.cpu_first.get_or_insert((cpu, now));
        // Before the first look a call cannot have used more CPU than wall time.
        self.cpu_seen_ns = cpu.saturating_sub(first) + at.saturating_sub(self.began_ns);
        if cpu.saturating_sub(first) >= self.cpu_limit_ns {
            self.stopped = Some(Kind::Cpu);
            return None;
        }
        Some(ticks_in(end - now))
    }
}

thread_local! {
    /// What the thread did for other calls of its lane.
    static ELSEWHERE: Cell<u64> = const { Cell::new(0) };
}

/// CPU time of this thread, without what it does for others while a call waits: only differences mean something.
pub(crate) fn thread_cpu_ns() -> u64 {
    clock_ns(rustix::time::ClockId::ThreadCPUTime).wrapping_sub(ELSEWHERE.get())
}

pub(crate) fn leave_cpu_clock() -> u64 {
    thread_cpu_ns()
}

/// Goes on from where the call left it.
pub(crate) fn return_to_cpu_clock(left: u64) {
    ELSEWHERE.set(clock_ns(rustix::time::ClockId::ThreadCPUTime).wrapping_sub(left));
}

pub struct WasiState {
    pub ctx: WasiCtx,
    pub table: ResourceTable,
    pub files: Files,
    pub http: Option<Http>,
    /// Without it no socket can be made and no name looked up.
    pub sockets: Option<Sockets>,
}

/// The engine of a store, without a count: counting is what threads of one engine would wait for each other for.
struct EngineRef(NonNull<Engine>);
// Safety: a shared reference to what is Sync.
unsafe impl Send for EngineRef {}
unsafe impl Sync for EngineRef {}

impl EngineRef {
    fn get(&self) -> &Engine {
        // Safety: a store is entered by its Instance alone, which holds the code and so the engine; a store that
        // outlives its instance has let go (`State::let_go`).
        unsafe { self.0.as_ref() }
    }
}

pub struct State {
    pub limiter: Limiter,
    pub deadline: Deadline,
    /// Gone when only the memory is left.
    engine: Option<EngineRef>,
    long_call: Option<LongCall>,
    /// Runs on a stack of its own, which it can leave.
    asynchronous: bool,
    pub wasi: Option<Box<WasiState>>,
    pub p1: Option<Box<P1>>,
    /// Of a plugin for Extism.
    pub extism: Option<Box<Side>>,
    /// Of a plugin for fledge.
    pub fledge: Option<Box<fledge::Side>>,
    pub port: Option<Arc<dyn Port>>,
    pub call_id: u64,
    pub host_calls: u64,
    pub interrupter: Option<Arc<Interrupter>>,
    pub stdin: Option<Arc<Source>>,
    pub stdout: Option<Arc<Sink>>,
    pub stderr: Option<Arc<Sink>>,
}

/// What a Linked needs of each of its stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Something of it asks the host.
    pub port: bool,
    pub wasi: bool,
    pub p1: bool,
    /// A preview 1 module has descriptors 0 to 2.
    pub stdio: bool,
    pub extism: bool,
    pub fledge: bool,
    pub http: bool,
    pub sockets: bool,
    pub asynchronous: bool,
}

impl State {
    pub fn new(
        engine: &Arc<Engine>,
        options: InstanceOptions,
        needs: Needs,
        port: Option<Arc<dyn Port>>,
        call_id: u64,
    ) -> Outcome<State> {
        let limiter = Limiter { limits: options.limits.clone(), used: 0, peak: 0, denied: false };
        let interrupter = options.interrupter.clone();
        let mut state = State {
            limiter,
            deadline: Deadline::new(),
            engine: Some(EngineRef(NonNull::from(&**engine))),
            long_call: None,
            asynchronous: needs.asynchronous,
            wasi: None,
            p1: None,
            extism: needs.extism.then(|| Box::new(Side::new(options.network.clone()))),
            fledge: needs.fledge.then(|| Box::new(fledge::Side::new(&options.arguments))),
            port,
            call_id,
            host_calls: 0,
            interrupter,
            stdin: None,
            stdout: None,
            stderr: None,
        };
        if needs.wasi {
            state.open_wasi(options, needs)?;
        } else if !options.mounts.is_empty() {
            return Err(Fault::new(Kind::Invalid, "mounts for code that imports no file system"));
        }
        Ok(state)
    }

    fn open_wasi(&mut self, options: InstanceOptions, needs: Needs) -> Outcome<()> {
        let limits = &self.limiter.limits;
        let io = |e: std::io::Error| Fault::new(Kind::Invalid, format!("a standard stream cannot be used: {e}"));
        let stdin = Arc::new(match options.stdin {
            Input::Bytes(bytes) => Source::of_bytes(bytes),
            Input::Fd(fd) => Source::of_fd(fd).map_err(io)?,
        });
        let sink = |fd: Option<OwnedFd>| match fd {
            Some(fd) => Sink::to_fd(fd, limits.stdout_bytes).map_err(io),
            None => Ok(Sink::new(limits.stdout_bytes)),
        };
        let (stdout, stderr) = (Arc::new(sink(options.stdout)?), Arc::new(sink(options.stderr)?));
        let mut builder = WasiCtxBuilder::new();
        builder
            .envs(&options.environment)
            .args(&options.arguments)
            .stdin(SourceStream(stdin.clone()))
            .stdout(SinkStream(stdout.clone()))
            .stderr(SinkStream(stderr.clone()))
            .max_random_size(limits.random_bytes)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .allow_blocking_current_thread(false);
        match options.clock {
            Clock::Coarse => {
                builder.wall_clock(CoarseWall).monotonic_clock(CoarseMonotonic(Instant::now()));
            }
            Clock::Stepped => {
                let steps = Arc::new(AtomicU64::new(0));
                builder.wall_clock(SteppedWall(started(), steps.clone())).monotonic_clock(SteppedMonotonic(steps));
            }
            Clock::Fine => {}
        }
        let sockets = match (needs.sockets, &options.network, &self.port) {
            (true, Some(network), Some(port)) => Some(Sockets::new(network.clone(), port.clone())),
            _ => None,
        };
        if let Some(sockets) = &sockets {
            sockets.open(&mut builder);
        }
        let resources = (limits.handles as usize / 4).max(16);
        let mut table = ResourceTable::new();
        table.set_max_capacity(resources);
        let hooks = PortHooks { port: self.port.clone(), call_id: self.call_id };
        let meter = match (options.files_have_rate, &self.port) {
            (true, Some(port)) => Some(file_meter(port.clone(), self.call_id)),
            _ => None,
        };
        let files = Files::new(options.mounts, Box::new(hooks), meter);
        let http = needs.http.then(|| Http::new(options.network, self.port.clone(), self.call_id));
        self.wasi = Some(Box::new(WasiState { ctx: builder.build(), table, files, http, sockets }));
        if needs.p1 {
            p1::open(self, if needs.stdio { Stdio::Open } else { Stdio::Absent }, resources)?;
        }
        self.stdin = Some(stdin);
        self.stdout = Some(stdout);
        self.stderr = Some(stderr);
        Ok(())
    }

    /// What the epoch clock asks of a running guest.
    pub fn look(&mut self) -> UpdateDeadline {
        if self.long_call.is_none() {
            self.long_call = self.engine.as_ref().map(|engine| engine.get().ticker.keep());
        }
        if self.interrupter.as_ref().is_some_and(|i| i.is_set()) || interrupted_outside() {
            self.deadline.stopped = Some(Kind::Interrupted);
            return UpdateDeadline::Interrupt;
        }
        match self.deadline.look() {
            // A guest that computes lets the others of its lane go on.
            Some(ticks) if self.asynchronous && others_wait() => UpdateDeadline::Yield(ticks),
            Some(ticks) => UpdateDeadline::Continue(ticks),
            None => UpdateDeadline::Interrupt,
        }
    }

    /// The call is over.
    #[inline]
    pub(crate) fn rest(&mut self) {
        self.long_call = None;
    }

    /// Lets go of all but the memory: descriptors, streams, the way to the host.
    pub(crate) fn let_go(&mut self) {
        self.long_call = None;
        self.engine = None;
        self.wasi = None;
        self.p1 = None;
        self.extism = None;
        self.fledge = None;
        self.port = None;
        self.interrupter = None;
        self.stdin = None;
        self.stdout = None;
        self.stderr = None;
    }
}

/// File decisions and refusals as messages (services/files.h on the other side).
struct PortHooks {
    port: Option<Arc<dyn Port>>,
    call_id: u64,
}

const FILES: &str = "cordon:host/files";

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

impl FileHooks for PortHooks {
    fn open(&mut self, mount: &str, path: &str, access: crate::files::Access) -> bool {
        let Some(port) = &self.port else { return false };
        let mut payload = Vec::with_capacity(mount.len() + path.len() + 12);
        put_text(&mut payload, mount);
        put_text(&mut payload, path);
        payload.extend_from_slice(&(access as u32).to_le_bytes());
        // result<_, u32>: the first byte is 0 for ok.
        matches!(port.send(self.call_id, FILES, "open", &payload, 0), Reply::Done(r) if r.first() == Some(&0))
    }

    fn refused(&mut self, mount: &str, path: &str, reason: &'static str) {
        let Some(port) = &self.port else { return };
        let mut payload = Vec::with_capacity(mount.len() + path.len() + reason.len() + 12);
        put_text(&mut payload, mount);
        put_text(&mut payload, path);
        put_text(&mut payload, reason);
        let _ = port.send(self.call_id, FILES, "report", &payload, 0);
    }
}

fn file_meter(port: Arc<dyn Port>, call_id: u64) -> Meter {
    Box::new(move |read, written| {
        let mut payload = read.to_le_bytes().to_vec();
        payload.extend_from_slice(&written.to_le_bytes());
        let Reply::Done(reply) = port.send(call_id, FILES, "spend", &payload, 0) else { return Duration::ZERO };
        reply.try_into().map_or(Duration::ZERO, |ns| Duration::from_nanos(u64::from_le_bytes(ns)))
    })
}

/// Clocks of one millisecond: finer ones are timers for side channels. The monotonic one starts with the first of them:
/// Go's runtime takes zero for a clock that does not run.
struct CoarseWall;
struct CoarseMonotonic(Instant);
const COARSE: Duration = Duration::from_millis(1);

fn coarse(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Clocks that no time can be measured by: a step for each look, whichever of the two is looked at. The wall clock
/// starts with the second in which the instance was made.
struct SteppedWall(Duration, Arc<AtomicU64>);
struct SteppedMonotonic(Arc<AtomicU64>);

fn started() -> Duration {
    Duration::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

fn step(steps: &AtomicU64) -> Duration {
    let taken = steps.fetch_add(1, Ordering::Relaxed) + 1;
    COARSE * u32::try_from(taken).unwrap_or(u32::MAX)
}

impl HostWallClock for SteppedWall {
    fn resolution(&self) -> Duration {
        COARSE
    }
    fn now(&self) -> Duration {
        self.0 + step(&self.1)
    }
}

impl HostMonotonicClock for SteppedMonotonic {
    fn resolution(&self) -> u64 {
        COARSE.as_nanos() as u64
    }
    fn now(&self) -> u64 {
        step(&self.0).as_nanos() as u64
    }
}

impl HostWallClock for CoarseWall {
    fn resolution(&self) -> Duration {
        COARSE
    }
    fn now(&self) -> Duration {
        coarse(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl HostMonotonicClock for CoarseMonotonic {
    fn resolution(&self) -> u64 {
        COARSE.as_nanos() as u64
    }
    fn now(&self) -> u64 {
        coarse(self.0.elapsed() + COARSE).as_nanos() as u64
    }
}
