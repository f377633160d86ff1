//! Giving the memory of stopped calls back. 64 MiB of touched pages cost the kernel 13 ms, and a caller that was
//! promised its thread at a deadline is not to wait for that: big stores are dropped on a thread of the engine.
//!
//! Until then a store keeps its place in the pool, so that the pool's limits bound what exists at any time; what waits
//! here is bounded too, and what goes beyond is dropped by the caller. Whoever finds the pool full waits for what is
//! being dropped (Engine::make_room).
//!
//! The pool may give memory back for many instances at once, so memory may wait when its store is gone: on each thread
//! that drops stores at most `WAITING_BYTES_MAX` and one store's.

use crate::store::State;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use wasmtime::{Func, Store};

/// Dropping less than this takes about as long as waking a thread.
const BIG_BYTES: u64 = 4 << 20;
const WAITING_BYTES_MAX: u64 = 192 << 20;
/// How long to wait for a place: many times what a drop takes.
const WAIT_MAX: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Queue {
    waiting: Vec<(Store<State>, u64)>,
    /// Of the stores that wait and of the one that is being dropped.
    bytes: u64,
    dropped: u64,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// How many wait or are being dropped; changed under the lock.
    stores: AtomicUsize,
    changed: Condvar,
}

/// What may wait on a thread, from above: a batch that is full is given back, so after a batch of stores nothing of
/// those before it waits.
#[repr(align(128))]
#[derive(Default)]
struct Waiting {
    stores: AtomicUsize,
    bytes: AtomicU64,
    bytes_before: AtomicU64,
}

/// Threads that share one count too much, which does no harm.
const COUNTED_THREADS: usize = 16;

pub(crate) struct Disposal {
    batch: usize,
    waiting: Box<[Waiting; COUNTED_THREADS]>,
    shared: Arc<Shared>,
    bytes_max: u64,
    thread: OnceLock<Option<Mutex<Option<std::thread::JoinHandle<()>>>>>,
}

impl Disposal {
    /// `bytes_max`: what may wait at any time, but one store of any size may.
    /// `batch`: how many regions the pool gives back together.
    pub(crate) fn new(bytes_max: u64, batch: usize) -> Disposal {
        Disposal { batch, waiting: Box::default(), shared: Arc::default(), bytes_max, thread: OnceLock::new() }
    }

    /// Drops a store with `bytes` of memory: here when it is small or too much waits already.
    pub(crate) fn dispose(&self, mut store: Store<State>, bytes: u64) {
        // Descriptors, the port and whatever else is not memory go now, on the caller's thread.
        store.data_mut().let_go();
        if bytes < BIG_BYTES || !self.started() {
            return self.drop_here(store);
        }
        let Ok(mut queue) = self.shared.queue.lock() else { return };
        if queue.stop || (!self.is_idle() && queue.bytes.saturating_add(bytes) > self.bytes_max) {
            drop(queue);
            return self.drop_here(store);
        }
        queue.bytes += bytes;
        self.shared.stores.fetch_add(1, Relaxed);
        queue.waiting.push((store, bytes));
        self.shared.changed.notify_all();
    }

    /// Drops a store on the caller's thread.
    pub(crate) fn drop_here(&self, store: Store<State>) {
        if self.batch == 1 {
            return;
        }
        thread_local! { static HERE: u8 = const { 0 } }
        // Any number that tells threads apart.
        let thread = HERE.with(|here| std::ptr::from_ref(here) as usize >> 12) % COUNTED_THREADS;
        let waiting = &self.waiting[thread];
        if waiting.add(store.data().limiter.used, self.batch) > WAITING_BYTES_MAX {
            waiting.clear();
            drop_now(store, self.batch);
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.shared.stores.load(Relaxed) == 0
    }

    /// Waits until one more store is gone. False when none is on its way, or it takes too long.
    pub(crate) fn wait(&self, end: Instant) -> bool {
        let Ok(queue) = self.shared.queue.lock() else { return false };
        if self.is_idle() {
            return false;
        }
        let before = queue.dropped;
        let left = end.saturating_duration_since(Instant::now()).min(WAIT_MAX);
        let waited = self.shared.changed.wait_timeout_while(queue, left, |q| q.dropped == before);
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }

    fn started(&self) -> bool {
        let start = || {
            let shared = self.shared.clone();
            let batch = self.batch;
            let thread = crate::ticker::spawn("cordon-drop", move || run(&shared, batch));
            thread.ok().map(|thread| Mutex::new(Some(thread)))
        };
        self.thread.get_or_init(start).is_some()
    }

    /// Drops all that waits and ends the thread.
    pub(crate) fn stop(&self) {
        if let Ok(mut queue) = self.shared.queue.lock() {
            queue.stop = true;
            self.shared.changed.notify_all();
        }
        let thread = self.thread.get().and_then(|t| t.as_ref()?.lock().ok()?.take());
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Waiting {
    fn add(&self, bytes: u64, batch: usize) -> u64 {
        let now = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        if self.stores.fetch_add(1, Relaxed) + 1 < batch {
            return now + self.bytes_before.load(Relaxed);
        }
        self.clear();
        self.bytes_before.store(now, Relaxed);
        now
    }

    fn clear(&self) {
        self.stores.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        self.bytes_before.store(0, Relaxed);
    }
}

/// Drops a store, and what waits on this thread with it: each wasted stack is one more region that waits, and when they
/// are a batch the pool gives all of it back.
#[cold]
fn drop_now(store: Store<State>, batch: usize) {
    let engine = store.engine().clone();
    drop(store);
    if batch == 1 {
        return;
    }
    for _ in 0..batch {
        let mut store = Store::new(&engine, ());
        let nothing = Func::wrap(&mut store, || {});
        let _ = pin!(nothing.call_async(&mut store, &[], &mut [])).poll(&mut Context::from_waker(Waker::noop()));
    }
}

fn run(shared: &Shared, batch: usize) {
    let Ok(mut queue) = shared.queue.lock() else { return };
    loop {
        let Some((store, bytes)) = queue.waiting.pop() else {
            if queue.stop {
                return;
            }
            queue = match shared.changed.wait(queue) {
                Ok(queue) => queue,
                Err(_) => return,
            };
            continue;
        };
        drop(queue);
        drop_now(store, batch);
        queue = match shared.queue.lock() {
            Ok(queue) => queue,
            Err(_) => return,
        };
        queue.bytes -= bytes;
        shared.stores.fetch_sub(1, Relaxed);
        queue.dropped += 1;
        shared.changed.notify_all();
    }
}
