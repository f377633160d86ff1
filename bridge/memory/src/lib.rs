//! Running out of memory without ending the process.
//!
//! Most of Rust has no answer to an allocation that fails but to abort. So it does not fail here: what `malloc` refuses
//! comes out of a reserve, address space that is set aside while memory is not short and costs nothing until it is
//! needed. The thread that was served so is marked, and the operation that it is in ends with an error of memory
//! (`watch`), which lets go of what came from the reserve.
//!
//! Not covered: what is larger than the rest of the reserve, and what the C library needs for itself when a thread
//! first uses a variable of its own. Both end the process.

mod reserve;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub use reserve::BYTES;

/// What an operation says that ran out of memory.
pub const TEXT: &str = "the process has no memory left for this";

thread_local! {
    // No destructor and nothing to make: it can be used while an allocation fails.
    static SHORT: Cell<bool> = const { Cell::new(false) };
}

/// Whether an allocation of this thread failed since the innermost `watch` began.
#[inline]
pub fn is_short() -> bool {
    SHORT.get()
}

/// For who changes between operations on one thread: puts the mark of another in the place of this one's.
#[inline]
pub fn exchange_short(mark: bool) -> bool {
    SHORT.replace(mark)
}

/// Runs one operation with a mark of its own. What calls it inside is told apart from what is around it.
#[inline]
pub fn watch<T>(operation: impl FnOnce() -> T) -> T {
    struct Around(bool);
    impl Drop for Around {
        fn drop(&mut self) {
            SHORT.set(self.0);
        }
    }
    reserve::prepare();
    let _around = Around(SHORT.replace(false));
    operation()
}

/// For a process that is made to end at a limit on its memory: no reserve, which would count against that limit and
/// hide it. Call it before any operation.
pub fn forgo_reserve() {
    reserve::forgo();
}

/// The allocator of the whole library: `S`, and the reserve for what `S` refuses.
pub struct Allocator<S = System>(pub S);

impl<S> Allocator<S> {
    #[cold]
    fn serve(layout: Layout) -> *mut u8 {
        SHORT.set(true);
        reserve::allocate(layout)
    }
}

// Safety: each block is given back to where it came from, which its address tells.
unsafe impl<S: GlobalAlloc> GlobalAlloc for Allocator<S> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Safety: the caller's promises are those of `S`.
        let at = unsafe { self.0.alloc(layout) };
        if at.is_null() { Self::serve(layout) } else { at }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // Safety: as above.
        let at = unsafe { self.0.alloc_zeroed(layout) };
        if !at.is_null() {
            return at;
        }
        let at = Self::serve(layout);
        if !at.is_null() {
            // Safety: a block of this size was just given.
            unsafe { at.write_bytes(0, layout.size()) };
        }
        at
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if reserve::owns(at) {
            return reserve::free(at, layout);
        }
        // Safety: not of the reserve, so of `S`.
        unsafe { self.0.dealloc(at, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !reserve::owns(at) {
            // Safety: not of the reserve, so of `S`.
            let to = unsafe { self.0.realloc(at, layout, size) };
            if !to.is_null() {
                return to;
            }
        }
        // Safety: `size` is valid for the alignment, as the caller promises.
        unsafe { self.move_to(at, layout, Layout::from_size_align_unchecked(size, layout.align())) }
    }
}

impl<S: GlobalAlloc> Allocator<S> {
    /// Into the reserve, or out of it when memory is there again.
    #[cold]
    unsafe fn move_to(&self, at: *mut u8, from: Layout, into: Layout) -> *mut u8 {
        // Safety: two blocks of these sizes; the first is the caller's.
        unsafe {
            let to = self.alloc(into);
            if !to.is_null() {
                to.copy_from_nonoverlapping(at, from.size().min(into.size()));
                self.dealloc(at, from);
            }
            to
        }
    }
}

#[cfg(test)]
mod tests;
