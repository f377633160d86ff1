//! Host functions whose answer is a call of another guest. They are made on the thread of the guest that asks, which
//! waits anyway: a thread of their own would cost two switches of context for each. Not on the guest's stack, though,
//! which has room for one guest: the future that waits hands its errand to `drive`, on whose stack it runs while the
//! guest is suspended, so that every guest finds the thread as a first one does.
//!
//! What waits outside has a deadline, which the host passes on, and an interrupter, which every guest inside looks at
//! (`interrupted_outside`): so whoever stops the outermost call stops what it waits for.

use crate::engine::Engine;
use crate::store::{Interrupter, Reply, thread_cpu_ns};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What the host needs beside the stack of a guest.
const HOST_STACK_BYTES: usize = 512 << 10;

/// What an errand came to, and the CPU time that it took.
pub(crate) type Done = (Reply, Duration);
type Work = Box<dyn FnOnce() -> Reply + Send>;

pub(crate) struct Errand {
    work: Work,
    done: oneshot::Sender<Done>,
}

impl Errand {
    pub(crate) fn run(self) {
        let began = thread_cpu_ns();
        let reply = (self.work)();
        let took = Duration::from_nanos(thread_cpu_ns().saturating_sub(began));
        // Who asked may be gone.
        let _ = self.done.send((reply, took));
    }
}

/// A call that this thread drives; the last is the innermost.
pub(crate) struct Level {
    errand: Option<Errand>,
    interrupter: Option<Arc<Interrupter>>,
    /// Whether one more guest has room on the stack.
    is_roomy: bool,
}

thread_local! {
    static LEVELS: RefCell<Vec<Level>> = const { RefCell::new(Vec::new()) };
    static STACK: Range<usize> = stack();
}

/// The addresses of this thread's stack; none when nobody knows.
fn stack() -> Range<usize> {
    // Safety: the attributes are those of this thread, written before they are read, and destroyed once.
    unsafe {
        let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return 0..0;
        }
        let (mut low, mut size) = (std::ptr::null_mut(), 0);
        let found = libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
        if found == 0 { low as usize..low as usize + size } else { 0..0 }
    }
}

/// Whether `bytes` are left; never on a stack that is not the thread's own, as a guest's is.
fn has_room(bytes: usize) -> bool {
    let here = 0u8;
    let here = std::ptr::from_ref(&here) as usize;
    STACK.with(|stack| stack.contains(&here) && here - stack.start >= bytes)
}

/// Stands for a call that this thread drives, while it is there.
pub(crate) struct Driving(());

impl Driving {
    pub(crate) fn begin(engine: &Engine, interrupter: Option<&Arc<Interrupter>>) -> Driving {
        let is_roomy = has_room(engine.options.stack_bytes as usize + HOST_STACK_BYTES);
        let level = Level { errand: None, interrupter: interrupter.cloned(), is_roomy };
        LEVELS.with_borrow_mut(|levels| levels.push(level));
        Driving(())
    }

    /// What the guest wants to be done before it goes on.
    pub(crate) fn take(&self) -> Option<Errand> {
        LEVELS.with_borrow_mut(|levels| levels.last_mut()?.errand.take())
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        LEVELS.with_borrow_mut(Vec::pop);
    }
}

/// The calls that one strand of a lane drives, while others run (lane.rs).
pub(crate) fn take_levels() -> Vec<Level> {
    LEVELS.take()
}

pub(crate) fn put_levels(levels: Vec<Level>) {
    LEVELS.set(levels);
}

/// Whether one of the calls that this thread drives was interrupted.
pub(crate) fn interrupted_outside() -> bool {
    LEVELS.with_borrow(|levels| levels.iter().any(|level| level.interrupter.as_ref().is_some_and(|i| i.is_set())))
}

/// Does the work where a guest may be called: on the stack of whoever drives the caller of this, when that has room,
/// and on a thread for blocking work otherwise. `None` when the work panicked.
pub(crate) async fn run(work: impl FnOnce() -> Reply + Send + 'static) -> Option<Done> {
    let (done, answer) = oneshot::channel();
    let errand = Errand { work: Box::new(work), done };
    let left = LEVELS.with_borrow_mut(|levels| match levels.last_mut() {
        Some(level) if level.is_roomy && level.errand.is_none() => {
            level.errand = Some(errand);
            None
        }
        _ => Some(errand),
    });
    match left {
        None => answer.await.ok(),
        // That thread's time is not the caller's.
        Some(errand) => Some((tokio::task::spawn_blocking(errand.work).await.ok()?, Duration::ZERO)),
    }
}
