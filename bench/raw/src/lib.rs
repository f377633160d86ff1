//! The other side of `make bench`: raw Wasmtime as an embedder in Rust uses it, with the same `Config` as Cordon's
//! engine and typed functions, behind a few C functions. No limiter, no audit, no decisions: what Cordon is held to.
//! `../raw.h` is the header. Every function says what went wrong on stderr.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

mod calls;
mod http;
mod stop;

// Cordon's own C functions are part of the same library.
use cordon_bridge as _;

use calls::Warm;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Engine, Result, Store};

/// Far enough away that no warm call ever ends by it.
const NEVER_TICKS: u64 = u64::MAX / 2;

#[repr(C)]
pub struct raw_options {
    pub max_memory_bytes: u64,
    pub max_instances: u32,
    pub max_table_elements: u32,
    pub stack_bytes: u32,
}

/// An engine with its ticker, the prepared guest, and a warm instance of it. One owner at a time.
pub struct raw_bench {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<()>,
    pub(crate) exports: Exports,
    warm: Warm,
    sleeper: stop::Sleeper,
    held: Vec<Store<()>>,
    ticking: Arc<AtomicBool>,
}

/// Looked up once, as Cordon does.
pub(crate) struct Exports {
    pub add: ComponentExportIndex,
    pub echo_string: ComponentExportIndex,
    pub echo_bytes: ComponentExportIndex,
    pub echo_nested: ComponentExportIndex,
    pub echo_record: ComponentExportIndex,
    pub spin: ComponentExportIndex,
    pub fill: ComponentExportIndex,
}

impl Exports {
    fn find(component: &Component) -> Result<Exports> {
        let missing = |name: &str| wasmtime::Error::msg(format!("the guest has no export {name}"));
        let calls = "cordon:bench/calls@0.1.0";
        let interface = component
            .get_export_index(None, calls)
            .ok_or_else(|| missing(calls))?;
        let find = |name: &str| {
            component
                .get_export_index(Some(&interface), name)
                .ok_or_else(|| missing(name))
        };
        Ok(Exports {
            add: find("add")?,
            echo_string: find("echo-string")?,
            echo_bytes: find("echo-bytes")?,
            echo_nested: find("echo-nested")?,
            echo_record: find("echo-record")?,
            spin: find("spin")?,
            fill: find("fill")?,
        })
    }
}

impl raw_bench {
    fn new(options: &raw_options, guest: &[u8], sleeper: &[u8]) -> Result<raw_bench> {
        let config = cordon_engine::engine::config(&cordon_engine::Options {
            fuel: false,
            debug: false,
            small_address_space: false,
            checked_traps: false,
            copied_data: true,
            parallel: false,
            unstoppable: false,
            max_memory_bytes: options.max_memory_bytes,
            max_instances: options.max_instances,
            max_table_elements: options.max_table_elements,
            stack_bytes: options.stack_bytes,
        });
        let engine = Engine::new(&config)?;
        let ticking = Arc::new(AtomicBool::new(true));
        let (on, ticked) = (ticking.clone(), engine.clone());
        std::thread::Builder::new()
            .name("raw-tick".into())
            .spawn(move || {
                while on.load(Ordering::Relaxed) {
                    std::thread::sleep(cordon_engine::engine::TICK);
                    ticked.increment_epoch();
                }
            })?;
        let component = Component::from_binary(&engine, guest)?;
        let pre = Linker::<()>::new(&engine).instantiate_pre(&component)?;
        let exports = Exports::find(&component)?;
        let warm = Warm::new(&engine, &pre, &exports)?;
        let sleeper = stop::Sleeper::new(&engine, sleeper)?;
        Ok(raw_bench {
            engine,
            pre,
            exports,
            warm,
            sleeper,
            held: Vec::new(),
            ticking,
        })
    }

    fn round(&mut self, row: u32, iterations: u64) -> Result<()> {
        match row {
            0 => (0..iterations)
                .try_for_each(|_| calls::fresh(&self.engine, &self.pre, &self.exports)),
            _ => self.warm.round(row, iterations),
        }
    }

    /// Makes instances that served one call and stay.
    fn hold(&mut self, count: u32) -> Result<()> {
        for _ in 0..count {
            let mut store = Store::new(&self.engine, ());
            calls::add_in(&mut store, &self.pre, &self.exports)?;
            self.held.push(store);
        }
        Ok(())
    }
}

impl Drop for raw_bench {
    fn drop(&mut self) {
        self.ticking.store(false, Ordering::Relaxed);
    }
}

fn said<T>(what: &str, done: Result<T>) -> Option<T> {
    done.inspect_err(|e| eprintln!("raw wasmtime: {what}: {e:#}"))
        .ok()
}

/// Safety: `data` must be valid for `len` reads.
unsafe fn bytes<'a>(data: *const u8, len: usize) -> &'a [u8] {
    unsafe { std::slice::from_raw_parts(data, len) }
}

/// NULL when it fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn raw_new(
    options: &raw_options,
    guest: *const u8,
    guest_len: usize,
    sleeper: *const u8,
    sleeper_len: usize,
) -> *mut raw_bench {
    // Safety: views of the caller, valid for the call.
    let (guest, sleeper) = unsafe { (bytes(guest, guest_len), bytes(sleeper, sleeper_len)) };
    let made = said("cannot be set up", raw_bench::new(options, guest, sleeper));
    made.map_or(std::ptr::null_mut(), |bench| Box::into_raw(Box::new(bench)))
}

#[unsafe(no_mangle)]
pub extern "C" fn raw_round(bench: &mut raw_bench, row: u32, iterations: u64) -> bool {
    said("a round failed", bench.round(row, iterations)).is_some()
}

/// One call that does not return, ended at its deadline: `row` 0 spins, 1 fills `bytes` of memory, 2 sleeps in the
/// host.
#[unsafe(no_mangle)]
pub extern "C" fn raw_stop(bench: &mut raw_bench, row: u32, timeout_ns: u64, bytes: u32) -> bool {
    let timeout = std::time::Duration::from_nanos(timeout_ns);
    let stopped = match row {
        2 => bench.sleeper.stop(timeout),
        _ => stop::by_epoch(
            &bench.engine,
            &bench.pre,
            &bench.exports,
            timeout,
            (row == 1).then_some(bytes),
        ),
    };
    said("a call was not stopped", stopped).is_some()
}

/// Fresh calls, half of them on another thread.
#[unsafe(no_mangle)]
pub extern "C" fn raw_fresh_on_two(bench: &mut raw_bench, iterations: u64) -> bool {
    let (engine, pre, exports) = (&bench.engine, &bench.pre, &bench.exports);
    let half = |calls: u64| (0..calls).try_for_each(|_| calls::fresh(engine, pre, exports));
    let done = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(iterations / 2));
        half(iterations - iterations / 2)?;
        other.join().expect("a thread of the bench")
    });
    said("a round failed", done).is_some()
}

#[unsafe(no_mangle)]
pub extern "C" fn raw_hold(bench: &mut raw_bench, count: u32) -> bool {
    said("instances cannot be made", bench.hold(count)).is_some()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn raw_free(bench: *mut raw_bench) {
    if !bench.is_null() {
        // Safety: made by `raw_new`, freed once by its owner.
        drop(unsafe { Box::from_raw(bench) });
    }
}
