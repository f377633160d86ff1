//! Giving the memory of stopped calls back. 64 MiB of touched pages cost the kernel 13 ms, and a caller that was
//! promised its thread at a deadline is not to wait for that: big stores are dropped on a thread of the engine.
//!
//! Until then a store keeps its place in the pool, so that the pool's limits bound what exists at any time; what waits
//! here is bounded too, and what goes beyond is dropped by the caller. Whoever finds the pool full waits for what is
//! being dropped (Engine::make_room).

use crate::store::State;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};
use wasmtime::Store;

/// Dropping less than this takes about as long as waking a thread.
const BIG_BYTES: u64 = 4 << 20;
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

pub(crate) struct Disposal {
    shared: Arc<Shared>,
    bytes_max: u64,
    thread: OnceLock<Option<Mutex<Option<std::thread::JoinHandle<()>>>>>,
}

impl Disposal {
    /// `bytes_max`: what may wait at any time, but one store of any size may.
    pub(crate) fn new(bytes_max: u64) -> Disposal {
        Disposal { shared: Arc::default(), bytes_max, thread: OnceLock::new() }
    }

    /// Drops a store with `bytes` of memory: here when it is small or too much waits already.
    pub(crate) fn dispose(&self, mut store: Store<State>, bytes: u64) {
        // Descriptors, the port and whatever else is not memory go now, on the caller's thread.
        store.data_mut().let_go();
        if bytes < BIG_BYTES || !self.started() {
            return;
        }
        let Ok(mut queue) = self.shared.queue.lock() else { return };
        if queue.stop || (!self.is_idle() && queue.bytes.saturating_add(bytes) > self.bytes_max) {
            drop(queue);
            return;
        }
        queue.bytes += bytes;
        self.shared.stores.fetch_add(1, Ordering::Relaxed);
        queue.waiting.push((store, bytes));
        self.shared.changed.notify_all();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.shared.stores.load(Ordering::Relaxed) == 0
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
            let thread = crate::ticker::spawn("cordon-drop", move || run(&shared));
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

fn run(shared: &Shared) {
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
        drop(store);
        queue = match shared.queue.lock() {
            Ok(queue) => queue,
            Err(_) => return,
        };
        queue.bytes -= bytes;
        shared.stores.fetch_sub(1, Ordering::Relaxed);
        queue.dropped += 1;
        shared.changed.notify_all();
    }
}
