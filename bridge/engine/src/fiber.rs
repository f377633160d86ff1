//! Tells ThreadSanitizer, in a program that was built with it, that a thread goes to another stack. Elsewhere nothing.

use std::ffi::{CStr, c_uint, c_void};
use std::mem::transmute_copy;
use std::ptr::null_mut;
use std::sync::OnceLock;

/// As in LLVM's sanitizer/tsan_interface.h.
struct Calls {
    current: extern "C" fn() -> *mut c_void,
    create: extern "C" fn(c_uint) -> *mut c_void,
    destroy: extern "C" fn(*mut c_void),
    switch: extern "C" fn(*mut c_void, c_uint),
}

fn calls() -> Option<&'static Calls> {
    static CALLS: OnceLock<Option<Calls>> = OnceLock::new();
    CALLS
        .get_or_init(|| {
            Some(Calls {
                current: find(c"__tsan_get_current_fiber")?,
                create: find(c"__tsan_create_fiber")?,
                destroy: find(c"__tsan_destroy_fiber")?,
                switch: find(c"__tsan_switch_to_fiber")?,
            })
        })
        .as_ref()
}

/// `F` is the type of the C function of that name.
fn find<F>(name: &CStr) -> Option<F> {
    // Safety: no library is opened or closed.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // Safety: both are pointers to code.
    (!found.is_null()).then(|| unsafe { transmute_copy(&found) })
}

/// A stack.
pub(crate) struct Fiber(*mut c_void);

impl Fiber {
    pub(crate) fn new() -> Fiber {
        Fiber(calls().map_or(null_mut(), |calls| (calls.create)(0)))
    }

    /// Does what runs on this stack, and is back.
    pub(crate) fn visit<T>(&self, run: impl FnOnce() -> T) -> T {
        let Some(calls) = calls() else { return run() };
        let home = (calls.current)();
        (calls.switch)(self.0, 0);
        let result = run();
        (calls.switch)(home, 0);
        result
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        if let Some(calls) = calls() {
            (calls.destroy)(self.0);
        }
    }
}
