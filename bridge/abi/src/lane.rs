//! Threads that many calls share: each call runs on a stack of its own, and one that waits leaves the thread.

use crate::boundary::{boundary, cordon_error, cordon_status, quiet};
use crate::code::{cordon_linked, free};
use ::cordon_engine::lane::{Lane, Work};
use ::cordon_engine::{Fault, Kind};
use std::ffi::c_void;
use std::sync::Arc;

/// One thread's worth of calls. Thread-safe, but for `cordon_lane_run`, which one thread calls once.
pub struct cordon_lane(Arc<Lane>);

/// What is handed to the other thread with a piece of work.
struct User(*mut c_void);
// Safety: whoever puts work into a lane gives it to the lane's thread.
unsafe impl Send for User {}

impl User {
    fn get(self) -> *mut c_void {
        self.0
    }
}

/// Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cordon_lane_new() -> *mut cordon_lane {
    Box::into_raw(Box::new(cordon_lane(Lane::new())))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_lane_free(lane: *mut cordon_lane) {
    unsafe { free(lane) }
}

/// Runs `work` with `user` on the lane's thread, on a stack of its own of 256 KiB: what it calls of this library leaves
/// the thread to others while it waits. Then runs `after` on the thread's own stack. Neither may throw. Nothing is run
/// when this fails: UNAVAILABLE for a lane that was closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_lane_put(
    lane: *const cordon_lane,
    work: Option<unsafe extern "C" fn(user: *mut c_void)>,
    after: Option<unsafe extern "C" fn(user: *mut c_void)>,
    user: *mut c_void,
    error: *mut *mut cordon_error,
) -> cordon_status {
    // Safety: a pointer from this library, or NULL.
    let (Some(lane), Some(work), Some(after)) = (unsafe { lane.as_ref() }, work, after) else {
        return boundary(error, |()| (), || Err(Fault::new(Kind::Invalid, "a lane or its work is NULL")));
    };
    let (first, second) = (User(user), User(user));
    // Not an operation that ends with an error of memory: what was put is run, and belongs to the lane.
    let put = cordon_memory::watch(|| {
        quiet(false, || {
            // Safety: the caller's functions, under the contract above.
            let work: Work = Box::new(move || unsafe { work(first.get()) });
            let after: Work = Box::new(move || unsafe { after(second.get()) });
            lane.0.put(work, after).is_ok()
        })
    });
    if put {
        return cordon_status::OK;
    }
    boundary(error, |()| (), || Err(Fault::new(Kind::Unavailable, "the lane was closed")))
}

/// Nothing more is put into it; `cordon_lane_run` returns when all that was has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_lane_close(lane: *const cordon_lane) {
    // Safety: a pointer from this library, or NULL.
    if let Some(lane) = unsafe { lane.as_ref() } {
        quiet((), || lane.0.close());
    }
}

/// The thread's work: returns when the lane was closed and all that was put has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_lane_run(lane: *const cordon_lane) {
    // Safety: a pointer from this library, or NULL.
    if let Some(lane) = unsafe { lane.as_ref() } {
        quiet((), || lane.0.run());
    }
}

/// Whether instances of it run on stacks of their own, so that a call of one may wait in a lane without its thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_linked_waits(linked: *const cordon_linked) -> bool {
    // Safety: a pointer from this library, or NULL.
    unsafe { linked.as_ref() }.is_some_and(|linked| linked.0.waits())
}
