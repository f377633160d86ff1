//! The clock of an engine: a thread that advances the epoch while guests run, and the time as of its last tick.
//!
//! Starting a call costs one load here, no locked instruction and no clock read. That the ticker never sleeps while a
//! guest runs follows from these rules:
//! - A call sets its epoch deadline, at most LOOK_TICKS ahead, and then touches the ticker. A guest that reaches its
//!   epoch deadline stays on the list of long calls (`keep`) until its call ends.
//! - The ticker clears `used` before it advances the epoch, and sleeps only after IDLE_TICKS advances without a touch
//!   and without a long call. A touch that found `used` set came before the clearing, and so did the reading of the
//!   epoch in the first rule: the guest reaches its epoch deadline long before the ticker would sleep.
//! - Who finds `used` clear, or the ticker asleep, or keeps a long call, says so first and then looks for the sleeper,
//!   who looks for work after saying that it sleeps: one of the two sees the other.

use crate::fault::{Fault, Kind, Outcome};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

/// A thread that no signal of the host's is delivered to, but the faults that are a thread's own.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<std::thread::JoinHandle<()>> {
    without_signals(|| std::thread::Builder::new().name(name.into()).spawn(run))
}

/// Threads inherit the mask of whoever starts them.
pub(crate) fn without_signals<T>(run: impl FnOnce() -> T) -> T {
    let before = block();
    let result = run();
    // Safety: the mask that this thread had.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    result
}

/// For threads that others start.
pub(crate) fn block_signals() {
    block();
}

fn block() -> libc::sigset_t {
    let own = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGABRT, libc::SIGSYS];
    // Safety: signal sets of this function, and the mask of this thread.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed::<libc::sigset_t>(), std::mem::zeroed::<libc::sigset_t>());
        libc::sigfillset(&mut all);
        for signal in own {
            libc::sigdelset(&mut all, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut before);
        before
    }
}

/// One tick of the epoch clock: how finely a running guest looks at its deadline.
pub const TICK: Duration = Duration::from_millis(1);
/// The ticker sleeps after this many ticks without a touch. Far above LOOK_TICKS (store.rs).
const IDLE_TICKS: u32 = 50;

pub(crate) fn clock_ns(clock: rustix::time::ClockId) -> u64 {
    let now = rustix::time::clock_gettime(clock);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}

/// CLOCK_MONOTONIC in nanoseconds: 20 to 30 ns to read.
pub(crate) fn monotonic_ns() -> u64 {
    clock_ns(rustix::time::ClockId::Monotonic)
}

/// What calls read, on a cache line that is written once a tick.
#[repr(align(64))]
struct Line {
    used: AtomicBool,
    asleep: AtomicBool,
    now_ns: AtomicU64,
    /// Clear in a child of fork.
    here: AtomicBool,
}

/// The line on a page of its own, which a child of fork finds empty: there is no ticker there, and `used` is clear,
/// so that the first call takes the slow path and sees it. Costs a call nothing.
struct Page(std::ptr::NonNull<Line>);

// Safety: the line is made of atomics, and lives until the page is dropped.
unsafe impl Send for Page {}
unsafe impl Sync for Page {}

const PAGE_BYTES: usize = 4096;

impl Page {
    fn new() -> Page {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        // Safety: a new mapping that nothing else refers to.
        let at = unsafe {
            mmap_anonymous(std::ptr::null_mut(), PAGE_BYTES, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        let line = Line {
            used: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            now_ns: AtomicU64::new(0),
            here: AtomicBool::new(true),
        };
        match at.ok().and_then(|at| std::ptr::NonNull::new(at.cast::<Line>())) {
            Some(at) => {
                // Safety: the page is ours, large enough and aligned.
                unsafe {
                    at.write(line);
                    // Linux 4.14; without it a child of fork has no ticker and does not know.
                    let _ = rustix::mm::madvise(at.as_ptr().cast(), PAGE_BYTES, rustix::mm::Advice::LinuxWipeOnFork);
                }
                Page(at)
            }
            // Without a page: the same, but for the wiping.
            None => Page(std::ptr::NonNull::from(Box::leak(Box::new(line)))),
        }
    }
}

impl std::ops::Deref for Page {
    type Target = Line;
    fn deref(&self) -> &Line {
        // Safety: written in `new`; a wiped page is a line of zeros, which is one too.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if self.0.addr().get().is_multiple_of(PAGE_BYTES) {
            // Safety: mapped in `new`; nobody refers to it any more.
            let _ = unsafe { rustix::mm::munmap(self.0.as_ptr().cast(), PAGE_BYTES) };
        }
    }
}

struct Shared {
    line: Page,
    long_calls: AtomicUsize,
    stop: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    wasm: wasmtime::Engine,
    thread: OnceLock<Mutex<Option<std::thread::JoinHandle<()>>>>,
}

impl Ticker {
    pub(crate) fn new(wasm: wasmtime::Engine) -> Ticker {
        let shared = Shared {
            line: Page::new(),
            long_calls: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        };
        Ticker { shared: Arc::new(shared), wasm, thread: OnceLock::new() }
    }

    /// Keeps the ticker going. REQUIRES: the epoch deadline of the call in question is set. Fails when the thread
    /// cannot start: without it no deadline would ever pass.
    #[inline]
    pub(crate) fn touch(&self) -> Outcome<()> {
        let line = &self.shared.line;
        fence(Ordering::Acquire);
        if line.used.load(Ordering::Relaxed) && !line.asleep.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.wake()
    }

    /// The time of the last tick: at most a tick old (and what the scheduler adds) while calls run. Only for
    /// accounts, never for deadlines. REQUIRES: touched.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.shared.line.now_ns.load(Ordering::Relaxed)
    }

    #[cold]
    fn wake(&self) -> Outcome<()> {
        if self.was_forked() {
            let text = "this process was forked after its engine was made: no deadline would hold here";
            return Err(Fault::new(Kind::Unavailable, text));
        }
        if self.thread.get().is_none() {
            self.start()?;
        }
        self.shared.line.used.store(true, Ordering::SeqCst);
        self.shared.rouse();
        Ok(())
    }

    /// Whether this is a child of the process that made the engine: none of its threads are here.
    pub(crate) fn was_forked(&self) -> bool {
        !self.shared.line.here.load(Ordering::Relaxed)
    }

    /// Keeps the ticker going until the guard is dropped: for a call that lasts longer than a tick.
    pub(crate) fn keep(&self) -> LongCall {
        self.shared.long_calls.fetch_add(1, Ordering::SeqCst);
        self.shared.rouse();
        LongCall(self.shared.clone())
    }

    fn start(&self) -> Outcome<()> {
        let _held = self.shared.lock.lock();
        if self.thread.get().is_some() {
            return Ok(());
        }
        self.shared.line.now_ns.fetch_max(monotonic_ns(), Ordering::Relaxed);
        let (shared, wasm) = (self.shared.clone(), self.wasm.clone());
        let thread = spawn("cordon-tick", move || tick(&shared, &wasm))
            .map_err(|e| Fault::new(Kind::Internal, format!("cannot start the clock that ends calls: {e}")))?;
        let _ = self.thread.set(Mutex::new(Some(thread)));
        Ok(())
    }

    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Ok(_held) = self.shared.lock.lock() {
            self.shared.wake.notify_one();
        }
        if let Some(thread) = self.thread.get().and_then(|t| t.lock().ok()?.take()) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn rouse(&self) {
        if self.line.asleep.load(Ordering::SeqCst) {
            self.line.now_ns.fetch_max(monotonic_ns(), Ordering::Relaxed);
            let _held = self.lock.lock();
            self.wake.notify_one();
        }
    }

    fn has_work(&self) -> bool {
        self.line.used.load(Ordering::SeqCst) || self.long_calls.load(Ordering::SeqCst) > 0
    }
}

pub(crate) struct LongCall(Arc<Shared>);

impl Drop for LongCall {
    fn drop(&mut self) {
        self.0.long_calls.fetch_sub(1, Ordering::Relaxed);
    }
}

fn tick(shared: &Shared, wasm: &wasmtime::Engine) {
    let line = &shared.line;
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        std::thread::sleep(TICK);
        line.now_ns.fetch_max(monotonic_ns(), Ordering::Relaxed);
        let used = line.used.swap(false, Ordering::SeqCst) || shared.long_calls.load(Ordering::SeqCst) > 0;
        idle = if used { 0 } else { idle + 1 };
        // Whoever reads the new epoch sees `used` cleared.
        fence(Ordering::Release);
        wasm.increment_epoch();
        if idle < IDLE_TICKS {
            continue;
        }
        idle = 0;
        let Ok(mut held) = shared.lock.lock() else { return };
        line.asleep.store(true, Ordering::SeqCst);
        while !shared.has_work() && !shared.stop.load(Ordering::SeqCst) {
            held = match shared.wake.wait(held) {
                Ok(held) => held,
                Err(_) => return,
            };
        }
        line.asleep.store(false, Ordering::SeqCst);
        drop(held);
    }
}
