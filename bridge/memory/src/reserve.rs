//! Memory set aside for when there is none. One for the process, as the allocator is.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use talc::DefaultBinning;
use talc::base::Talc;
use talc::source::Manual;

/// Room for everything that the operations of a process allocate from the moment when memory is short until they end.
pub const BYTES: usize = 64 << 20;

/// An address that no block has: nothing lies within BYTES above it.
const NOWHERE: usize = 1 << 63;
/// In the place of a base when there shall be none.
const NEVER: usize = NOWHERE + (1 << 40);
static BASE: AtomicUsize = AtomicUsize::new(NOWHERE);

struct Heap {
    blocks: Talc<Manual, DefaultBinning>,
    live: usize,
}

// Safety: it points into the reserve alone, which belongs to no thread.
unsafe impl Send for Heap {}

static HEAP: Mutex<Heap> = Mutex::new(Heap { blocks: Talc::new(Manual), live: 0 });

fn heap() -> MutexGuard<'static, Heap> {
    HEAP.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline]
pub(crate) fn owns(at: *mut u8) -> bool {
    at.addr().wrapping_sub(BASE.load(Ordering::Relaxed)) < BYTES
}

/// Sets the reserve aside, if that is not done. Without address space for it the process goes on as without one.
#[inline]
pub(crate) fn prepare() {
    if BASE.load(Ordering::Relaxed) == NOWHERE {
        set_aside();
    }
}

#[cold]
fn set_aside() {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    let mut heap = heap();
    if BASE.load(Ordering::Relaxed) != NOWHERE {
        return;
    }
    let (access, kind) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
    // Safety: a new mapping that nothing else refers to.
    let Ok(base) = (unsafe { mmap_anonymous(std::ptr::null_mut(), BYTES, access, kind) }) else { return };
    // Safety: as above; the first claim is large enough.
    unsafe { heap.blocks.claim(base.cast(), BYTES) };
    BASE.store(base.addr(), Ordering::Relaxed);
}

/// From now on an allocation that fails ends the process, if there is no reserve yet.
pub(crate) fn forgo() {
    let _ = BASE.compare_exchange(NOWHERE, NEVER, Ordering::Relaxed, Ordering::Relaxed);
}

/// NULL when the reserve is used up, or was never there.
pub(crate) fn allocate(layout: Layout) -> *mut u8 {
    let mut heap = heap();
    // Safety: Rust never asks for nothing.
    let Some(at) = (unsafe { heap.blocks.allocate(layout) }) else { return std::ptr::null_mut() };
    heap.live += 1;
    at.as_ptr()
}

pub(crate) fn free(at: *mut u8, layout: Layout) {
    let mut heap = heap();
    // Safety: `allocate` gave it, with this layout.
    unsafe { heap.blocks.deallocate(at, layout) };
    heap.live -= 1;
    if heap.live == 0 {
        give_back(&mut heap);
    }
}

/// The pages to the kernel: nothing is in them.
fn give_back(heap: &mut Heap) {
    let Some(base) = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(BASE.load(Ordering::Relaxed))) else {
        return;
    };
    // Safety: no block of the reserve is in use, and the lock is held.
    unsafe {
        let _ = rustix::mm::madvise(base.as_ptr().cast(), BYTES, rustix::mm::Advice::LinuxDontNeed);
        heap.blocks = Talc::new(Manual);
        heap.blocks.claim(base.as_ptr(), BYTES);
    }
}

#[cfg(test)]
pub(crate) fn live() -> usize {
    heap().live
}
