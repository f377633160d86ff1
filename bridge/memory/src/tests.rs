//! The reserve in the place of a `malloc` that fails.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

/// One test at a time: the reserve is the process's.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(|e| e.into_inner())
}

#[derive(Default)]
struct Refusing(AtomicBool);

// Safety: the system's, or nothing.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.0.load(Ordering::Relaxed) { std::ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        assert!(!reserve::owns(at), "a block of the reserve went to malloc");
        unsafe { System.dealloc(at, layout) }
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

fn allocator() -> Allocator<Refusing> {
    Allocator(Refusing::default())
}

#[test]
fn serves_what_malloc_refuses_and_says_so() {
    let _alone = alone();
    let a = allocator();
    watch(|| unsafe {
        let ordinary = a.alloc(layout(100));
        assert!(!reserve::owns(ordinary) && !is_short());
        a.0.0.store(true, Ordering::Relaxed);
        let spare = a.alloc_zeroed(layout(100));
        assert!(reserve::owns(spare) && is_short());
        assert!((0..100).all(|i| *spare.add(i) == 0));
        assert_eq!(reserve::live(), 1);
        a.dealloc(ordinary, layout(100));
        a.dealloc(spare, layout(100));
    });
    assert_eq!(reserve::live(), 0);
    assert!(!is_short(), "the mark is the operation's");
}

#[test]
fn an_operation_inside_has_a_mark_of_its_own() {
    let _alone = alone();
    let a = allocator();
    a.0.0.store(true, Ordering::Relaxed);
    watch(|| {
        watch(|| unsafe {
            a.dealloc(a.alloc(layout(8)), layout(8));
            assert!(is_short());
        });
        assert!(!is_short());
    });
}

#[test]
fn grows_into_the_reserve_and_out_of_it() {
    let _alone = alone();
    let a = allocator();
    watch(|| unsafe {
        let mut at = a.alloc(layout(4));
        at.copy_from_nonoverlapping(b"held".as_ptr(), 4);
        a.0.0.store(true, Ordering::Relaxed);
        at = a.realloc(at, layout(4), 4000);
        assert!(reserve::owns(at));
        at = a.realloc(at, layout(4000), 8000);
        assert!(reserve::owns(at));
        a.0.0.store(false, Ordering::Relaxed);
        at = a.realloc(at, layout(8000), 5000);
        assert!(!reserve::owns(at));
        assert_eq!(std::slice::from_raw_parts(at, 4), b"held");
        a.dealloc(at, layout(5000));
    });
    assert_eq!(reserve::live(), 0);
}

#[test]
fn what_does_not_fit_is_refused_and_harms_nothing() {
    let _alone = alone();
    let a = allocator();
    a.0.0.store(true, Ordering::Relaxed);
    watch(|| unsafe {
        let at = a.alloc(layout(16));
        assert!(a.alloc(layout(BYTES)).is_null());
        assert!(a.realloc(at, layout(16), BYTES).is_null());
        a.dealloc(at, layout(16));
    });
    assert_eq!(reserve::live(), 0);
}

#[test]
fn is_whole_again_when_everything_came_back() {
    let _alone = alone();
    let a = allocator();
    a.0.0.store(true, Ordering::Relaxed);
    let big = layout(BYTES / 2 + 4096);
    watch(|| unsafe {
        for _ in 0..3 {
            let small: Vec<_> = (0..1000).map(|i| a.alloc(layout(1 + i * 7))).collect();
            small.iter().enumerate().for_each(|(i, at)| a.dealloc(*at, layout(1 + i * 7)));
            let at = a.alloc(big);
            assert!(reserve::owns(at));
            a.dealloc(at, big);
        }
    });
}

#[test]
fn many_threads_share_it() {
    let _alone = alone();
    let a = allocator();
    a.0.0.store(true, Ordering::Relaxed);
    watch(|| ());
    std::thread::scope(|scope| {
        for thread in 0..4usize {
            let a = &a;
            scope.spawn(move || unsafe {
                for i in 1..2000usize {
                    let size = 1 + i * 37 % 3000;
                    let at = a.alloc(layout(size));
                    at.write_bytes(thread as u8, size);
                    assert!((0..size).all(|byte| *at.add(byte) == thread as u8));
                    a.dealloc(at, layout(size));
                }
            });
        }
    });
    assert_eq!(reserve::live(), 0);
}
