//! A thread's worth of calls that wait. Each call runs on a stack of its own, and where a call on a thread of its own
//! would park the thread, it leaves the thread to the others of its lane: a call that waits for the host costs memory
//! and no thread. A call stays with its lane, so that what threads keep for themselves stays its own.

use crate::fault::{Fault, Kind, Outcome};
use crate::fiber::Fiber;
use crate::nested::{self, Level};
use crate::store::{leave_cpu_clock, return_to_cpu_clock};
use crate::ticker::monotonic_ns;
use crate::values::{self, KeptReceiver};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

/// For the host's own frames: guests that wait run on stacks of the engine.
const STACK_BYTES: usize = 256 << 10;
const KEPT_STACKS_MAX: usize = 64;
/// Behind the end of what no clock reaches.
const LONG: Duration = Duration::from_secs(3600);

pub type Work = Box<dyn FnOnce() + Send>;

struct Task {
    work: Work,
    after: Work,
}

#[derive(Default)]
struct Inbox {
    tasks: VecDeque<Task>,
    woken: Vec<u64>,
    closed: bool,
}

/// Thread-safe, but for `run`, which is one thread's.
#[derive(Default)]
pub struct Lane {
    inbox: Mutex<Inbox>,
    bell: Condvar,
    /// Whether the inbox holds anything: a guest that computes makes way for it.
    filled: AtomicBool,
}

/// Wakes one call of a lane.
struct Bell {
    lane: Arc<Lane>,
    number: u64,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        self.lane.inbox().woken.push(self.number);
        self.lane.ring();
    }
}

/// The running call of this thread's lane.
struct Here {
    yielder: *const Yielder<(), u64>,
    waker: Waker,
}

/// What the lane's thread looks at while a call runs.
struct Others {
    lane: *const Lane,
    ready: usize,
}

thread_local! {
    static HERE: Cell<*const Here> = const { Cell::new(null()) };
    static OTHERS: Cell<*const Others> = const { Cell::new(null()) };
}

/// While it lives nothing on this thread leaves it: a guest is on the stack.
pub(crate) struct Stay(*const Here);

pub(crate) fn stay() -> Stay {
    Stay(HERE.replace(null()))
}

impl Drop for Stay {
    fn drop(&mut self) {
        HERE.set(self.0);
    }
}

/// What wakes the call that runs here, when it can leave the thread.
pub(crate) fn waker() -> Option<Waker> {
    // Safety: set by `begin` for as long as its frame is there, and null whenever another call runs.
    unsafe { HERE.get().as_ref() }.map(|here| here.waker.clone())
}

/// Leaves the thread to others until the call is woken, or until `end_ns`. False when that cannot be done here.
pub(crate) fn leave(end_ns: u64) -> bool {
    let here = HERE.get();
    // Safety: as in `waker`.
    let Some(of) = (unsafe { here.as_ref() }) else { return false };
    let kept = Kept::take();
    // Safety: the yielder is that of the coroutine whose stack this is.
    unsafe { (*of.yielder).suspend(end_ns) };
    kept.put_back();
    HERE.set(here);
    true
}

/// Whether somebody waits for this thread, so that a guest should make way.
pub(crate) fn others_wait() -> bool {
    // Safety: set by the lane for as long as it runs a call.
    unsafe { OTHERS.get().as_ref() }
        // Safety: the lane outlives its own loop.
        .is_some_and(|others| others.ready > 0 || unsafe { (*others.lane).filled.load(Ordering::Relaxed) })
}

/// What the thread keeps for the call that runs on it.
struct Kept {
    levels: Vec<Level>,
    receiver: KeptReceiver,
    was_short: bool,
    cpu: u64,
}

impl Kept {
    fn take() -> Kept {
        Kept {
            levels: nested::take_levels(),
            receiver: values::take_receiver(),
            was_short: cordon_memory::exchange_short(false),
            cpu: leave_cpu_clock(),
        }
    }

    fn put_back(self) {
        nested::put_levels(self.levels);
        values::put_receiver(self.receiver);
        cordon_memory::exchange_short(self.was_short);
        return_to_cpu_clock(self.cpu);
    }
}

struct Strand {
    run: Coroutine<(), u64, (), DefaultStack>,
    fiber: Fiber,
    bell: Arc<Bell>,
    after: Work,
    /// Counts its waits: a time that was set for an earlier one means nothing.
    turn: u64,
}

/// What the thread of a lane has before it.
#[derive(Default)]
struct Floor {
    waiting: HashMap<u64, Strand>,
    ready: VecDeque<(u64, Strand)>,
    /// For which there was no stack: they keep the thread until they end.
    bare: Vec<Task>,
    times: BinaryHeap<Reverse<(u64, u64, u64)>>,
    stacks: Vec<DefaultStack>,
    count: u64,
}

impl Lane {
    pub fn new() -> Arc<Lane> {
        Arc::default()
    }

    /// Runs `work` on a stack of its own, and then `after` on that of the lane's thread. Nothing of a lane that was
    /// closed is run.
    pub fn put(&self, work: Work, after: Work) -> Outcome<()> {
        let mut inbox = self.inbox();
        if inbox.closed {
            return Err(Fault::new(Kind::Unavailable, "the lane was closed"));
        }
        inbox.tasks.push_back(Task { work, after });
        drop(inbox);
        self.ring();
        Ok(())
    }

    /// Nothing more is put. `run` ends when all that was put has ended.
    pub fn close(&self) {
        self.inbox().closed = true;
        self.ring();
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.filled.store(true, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// The thread's work, until the lane is closed and all is done.
    pub fn run(self: &Arc<Lane>) {
        let mut floor = Floor::default();
        while self.gather(&mut floor) {
            for task in std::mem::take(&mut floor.bare) {
                run_caught(task.work);
                run_caught(task.after);
            }
            for left in (0..floor.ready.len()).rev() {
                let Some((number, strand)) = floor.ready.pop_front() else { break };
                let others = Others { lane: Arc::as_ptr(self), ready: left };
                OTHERS.set(&others);
                floor.resume(number, strand);
                OTHERS.set(null());
            }
        }
    }

    /// Waits until a call can go on. False when there will be none.
    fn gather(self: &Arc<Lane>, floor: &mut Floor) -> bool {
        let mut inbox = self.inbox();
        loop {
            self.filled.store(false, Ordering::Relaxed);
            for number in inbox.woken.drain(..) {
                floor.wake(number);
            }
            while let Some(task) = inbox.tasks.pop_front() {
                floor.admit(self, task);
            }
            let now = monotonic_ns();
            floor.expire(now);
            if !floor.ready.is_empty() || !floor.bare.is_empty() {
                return true;
            }
            if inbox.closed && floor.waiting.is_empty() {
                return false;
            }
            let wait = floor.times.peek().map_or(LONG, |Reverse((end, ..))| Duration::from_nanos(end - now));
            inbox = self.bell.wait_timeout(inbox, wait.min(LONG)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Floor {
    fn admit(&mut self, lane: &Arc<Lane>, task: Task) {
        let stack = match self.stacks.pop() {
            Some(stack) => stack,
            None => match DefaultStack::new(STACK_BYTES) {
                Ok(stack) => stack,
                Err(_) => return self.bare.push(task),
            },
        };
        self.count += 1;
        let bell = Arc::new(Bell { lane: lane.clone(), number: self.count, rung: AtomicBool::new(false) });
        let waker = Waker::from(bell.clone());
        let work = task.work;
        let run = Coroutine::with_stack(stack, move |yielder: &Yielder<(), u64>, ()| {
            let here = Here { yielder, waker };
            HERE.set(&here);
            run_caught(work);
            HERE.set(null());
        });
        self.ready.push_back((self.count, Strand { run, fiber: Fiber::new(), bell, after: task.after, turn: 0 }));
    }

    fn resume(&mut self, number: u64, mut strand: Strand) {
        // From here on a ring is of what happens now.
        strand.bell.rung.store(false, Ordering::Release);
        let outcome = strand.fiber.visit(|| strand.run.resume(()));
        HERE.set(null());
        match outcome {
            CoroutineResult::Yield(end_ns) => {
                strand.turn += 1;
                self.times.push(Reverse((end_ns, number, strand.turn)));
                self.waiting.insert(number, strand);
                self.forget_old_times();
            }
            CoroutineResult::Return(()) => {
                let Strand { run, after, .. } = strand;
                let stack = run.into_stack();
                if self.stacks.len() < KEPT_STACKS_MAX {
                    self.stacks.push(stack);
                }
                run_caught(after);
            }
        }
    }

    fn wake(&mut self, number: u64) {
        if let Some(strand) = self.waiting.remove(&number) {
            self.ready.push_back((number, strand));
        }
    }

    /// Wakes whose time has come.
    fn expire(&mut self, now: u64) {
        while let Some(Reverse((end, number, turn))) = self.times.peek().copied() {
            let is_old = self.waiting.get(&number).is_none_or(|strand| strand.turn != turn);
            if !is_old && end > now {
                return;
            }
            self.times.pop();
            if !is_old {
                self.wake(number);
            }
        }
    }

    /// Calls that wait often leave times behind them.
    fn forget_old_times(&mut self) {
        if self.times.len() > 1024 && self.times.len() > self.waiting.len() * 4 {
            let waiting = &self.waiting;
            self.times.retain(|Reverse((_, number, turn))| waiting.get(number).is_some_and(|s| s.turn == *turn));
        }
    }
}

/// A panic of the host's is the call's own end, not the lane's.
fn run_caught(work: Work) {
    let _ = catch_unwind(AssertUnwindSafe(work));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn lane() -> (Arc<Lane>, std::thread::JoinHandle<()>) {
        let lane = Lane::new();
        let own = lane.clone();
        (lane, std::thread::spawn(move || own.run()))
    }

    const NEVER: u64 = u64::MAX;

    #[test]
    fn what_waits_leaves_the_thread_to_others() {
        let (lane, thread) = lane();
        let (told, heard) = mpsc::channel();
        let (wakers, woken) = mpsc::channel();
        for number in 0..100 {
            let (told, after, wakers) = (told.clone(), told.clone(), wakers.clone());
            let work = move || {
                told.send((number, "began")).unwrap();
                wakers.send(waker().unwrap()).unwrap();
                assert!(leave(NEVER));
                told.send((number, "went on")).unwrap();
            };
            lane.put(Box::new(work), Box::new(move || after.send((number, "ended")).unwrap())).unwrap();
        }
        let began: Vec<_> = (0..100).map(|_| heard.recv().unwrap()).collect();
        assert!(began.iter().all(|(_, what)| *what == "began"));
        for _ in 0..100 {
            woken.recv().unwrap().wake();
        }
        let rest: Vec<_> = (0..200).map(|_| heard.recv().unwrap()).collect();
        assert_eq!(rest.iter().filter(|(_, what)| *what == "ended").count(), 100);
        lane.close();
        thread.join().unwrap();
    }

    #[test]
    fn a_wait_ends_with_its_time() {
        let (lane, thread) = lane();
        let (told, heard) = mpsc::channel();
        let work = move || {
            let end = monotonic_ns() + 2_000_000;
            leave(end);
            told.send(monotonic_ns() >= end).unwrap();
        };
        lane.put(Box::new(work), Box::new(|| ())).unwrap();
        assert!(heard.recv().unwrap());
        lane.close();
        thread.join().unwrap();
    }

    #[test]
    fn a_waker_that_rings_before_the_wait_is_not_lost() {
        let (lane, thread) = lane();
        let (told, heard) = mpsc::channel();
        let work = move || {
            waker().unwrap().wake();
            leave(NEVER);
            told.send(()).unwrap();
        };
        lane.put(Box::new(work), Box::new(|| ())).unwrap();
        heard.recv().unwrap();
        lane.close();
        thread.join().unwrap();
    }

    #[test]
    fn nothing_leaves_a_thread_that_is_no_lanes_or_has_a_guest_on_its_stack() {
        assert!(waker().is_none() && !leave(NEVER));
        let (lane, thread) = lane();
        let (told, heard) = mpsc::channel();
        let work = move || {
            let stay = stay();
            told.send(leave(NEVER)).unwrap();
            drop(stay);
            told.send(waker().is_some()).unwrap();
        };
        lane.put(Box::new(work), Box::new(|| ())).unwrap();
        assert!(!heard.recv().unwrap() && heard.recv().unwrap());
        lane.close();
        thread.join().unwrap();
    }

    #[test]
    fn a_panic_ends_one_call_and_a_closed_lane_takes_none() {
        let (lane, thread) = lane();
        let (told, heard) = mpsc::channel();
        lane.put(Box::new(|| panic!("of the test")), Box::new(move || told.send(()).unwrap())).unwrap();
        heard.recv().unwrap();
        lane.close();
        thread.join().unwrap();
        assert!(lane.put(Box::new(|| ()), Box::new(|| ())).is_err());
    }
}
