//! An engine: what is fixed for all code compiled with it, its ticker and its async runtime.
//! Settings: security.md section 8; each line that differs from Wasmtime's default says why.

use crate::disposal::Disposal;
use crate::fault::{Fault, Kind, Outcome};
use crate::store::CallLimits;
pub use crate::ticker::TICK;
use crate::ticker::{Ticker, block_signals, monotonic_ns, without_signals};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use wasmtime::{Config, InstanceAllocationStrategy, ModuleVersionStrategy, PoolingAllocationConfig};

/// Room on an async stack above what wasm may use, for host functions that run on it.
const HOST_STACK_BYTES: usize = 1536 << 10;
const GUARD_BYTES: u64 = 2 << 30;
const SMALL_GUARD_BYTES: u64 = 64 << 10;
const BATCH_MAX: usize = 64;
/// So many threads may give memory back at a time without taking places from those who call.
const GIVING_THREADS: u32 = 8;

#[derive(Clone, Debug)]
pub struct Options {
    pub fuel: bool,
    pub debug: bool,
    pub small_address_space: bool,
    /// No signal handlers: the code checks by itself. For hosts whose own handlers do not pass signals on.
    pub checked_traps: bool,
    /// Data segments are copied into each instance, not mapped from the code: for code with little data. What is mapped
    /// and read before it is written costs every thread of the process an interrupt.
    pub copied_data: bool,
    /// Compile on many threads, which stay until the process ends: for a process that only compiles.
    pub parallel: bool,
    /// No checks of the epoch: nothing in this process stops the code, so whoever runs it ends the process.
    pub unstoppable: bool,
    pub max_memory_bytes: u64,
    pub max_instances: u32,
    pub max_table_elements: u32,
    pub stack_bytes: u32,
}

pub struct Engine {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) options: Options,
    pub(crate) ticker: Ticker,
    pub(crate) disposal: Disposal,
    runtime: OnceLock<tokio::runtime::Runtime>,
}

/// How many regions of memory wait, on each thread, to be given back together.
fn batch(options: &Options) -> usize {
    if options.copied_data { (options.max_instances as usize / 16).clamp(1, BATCH_MAX) } else { 1 }
}

/// A plugin for Extism has two memories: its own and the kernel's. A pool of very many has no addresses for that.
fn memories(options: &Options) -> u32 {
    const FEW: u32 = 1024;
    if options.max_instances <= FEW { options.max_instances * 2 } else { options.max_instances }
}

fn pool(options: &Options) -> PoolingAllocationConfig {
    // Giving memory back interrupts every other thread of the process, so it is done for many instances at once (much
    // memory does not wait: see disposal.rs). What a thread is giving back has a place that nobody else can have.
    let batch = batch(options);
    let giving = if batch > 1 { batch as u32 * GIVING_THREADS } else { 4 };
    let n = options.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(n)
        // A component of an ordinary toolchain has three or four core instances, one memory, two tables.
        .total_core_instances(n.saturating_mul(4).max(64))
        .total_memories(memories(options).saturating_add(giving))
        .total_tables(n.saturating_add(giving).saturating_mul(2))
        .total_stacks(n.saturating_add(giving))
        .max_memory_size(usize::try_from(options.max_memory_bytes).unwrap_or(usize::MAX))
        .table_elements(options.max_table_elements as usize)
        .max_memories_per_module(1)
        .max_tables_per_module(8)
        .max_core_instances_per_component(32)
        .max_memories_per_component(4)
        .max_tables_per_component(16)
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        .decommit_batch_size(batch);
    pool
}

/// Public for the bench, which gives a raw engine the same settings.
pub fn config(options: &Options) -> Config {
    let mut c = Config::new();
    #[cfg(feature = "compiler")]
    {
        c.strategy(wasmtime::Strategy::Cranelift);
        c.cranelift_opt_level(wasmtime::OptLevel::Speed);
        c.parallel_compilation(options.parallel);
    }
    // GC, exceptions, threads and stack switching: six advisories in 2026, and threads bypass the limiter.
    c.gc_support(false);
    c.wasm_gc(false);
    c.wasm_function_references(false);
    c.wasm_exceptions(false);
    c.wasm_threads(false);
    c.shared_memory(false);
    c.wasm_custom_page_sizes(false);
    c.wasm_memory64(false);
    // Wasmtime's own adapters between the parts of a composition have two memories; without this it panics on them.
    // A guest's own modules never have two: they are validated without this feature first (formats,
    // describe), and the
    // pool allows a module to define one.
    c.wasm_multi_memory(true);
    c.wasm_relaxed_simd(false);
    c.wasm_component_model(true);
    // Component-model async: 3.2 times dearer calls, and CVE-2026-115384.
    c.concurrency_support(false);
    c.epoch_interruption(!options.unstoppable);
    c.consume_fuel(options.fuel);
    c.max_wasm_stack(options.stack_bytes as usize);
    c.async_stack_size(options.stack_bytes as usize + HOST_STACK_BYTES);
    // Nothing of one tenant's stack is left for the next.
    c.async_stack_zeroing(true);
    if options.small_address_space {
        c.memory_reservation(options.max_memory_bytes);
        c.memory_guard_size(SMALL_GUARD_BYTES);
    } else {
        c.memory_reservation(4 << 30);
        c.memory_guard_size(GUARD_BYTES);
    }
    c.guard_before_linear_memory(!options.small_address_space);
    c.memory_may_move(false);
    c.memory_init_cow(!options.copied_data);
    c.signals_based_traps(!options.checked_traps);
    // Of use to native debuggers alone, and telling the process's unwinder of it ends the process when memory is short.
    c.native_unwind_info(false);
    // Never from the environment: parsing a hostile guest's DWARF is for authors who ask.
    c.debug_info(false);
    c.wasm_backtrace_details(if options.debug {
        wasmtime::WasmBacktraceDetails::Enable
    } else {
        wasmtime::WasmBacktraceDetails::Disable
    });
    // Wasmtime's own check compares only its major version: code compiled before a security fix would live on.
    let _ = c.module_version(ModuleVersionStrategy::Custom(crate::BUILD.to_string()));
    c.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    c
}

/// Who handles the faults that guests cause, as of the first engine of this process that needs it: Wasmtime puts
/// its handlers in once, and they are the process's, not an engine's.
static HANDLERS: OnceLock<[usize; 3]> = OnceLock::new();

fn handlers() -> [usize; 3] {
    [libc::SIGSEGV, libc::SIGILL, libc::SIGFPE].map(|signal| {
        // Safety: asks for the action, and changes nothing.
        unsafe {
            let mut action = std::mem::zeroed::<libc::sigaction>();
            libc::sigaction(signal, std::ptr::null(), &mut action);
            action.sa_sigaction
        }
    })
}

/// Whether somebody put handlers over Wasmtime's. Whether they pass signals on cannot be seen.
pub fn handlers_replaced() -> bool {
    HANDLERS.get().is_some_and(|first| *first != handlers())
}

impl Engine {
    pub fn new(options: Options) -> Outcome<Arc<Engine>> {
        // The first reading finds the kernel's clock that takes no system call; a confined process cannot look for it.
        let _ = monotonic_ns();
        let mut options = options;
        let mut made = wasmtime::Engine::new(&config(&options));
        if made.is_err() && !options.small_address_space {
            // Under `ulimit -v`, a sanitizer or a 39-bit address space the large reservation fails; bounds checks
            // then replace guard pages.
            options.small_address_space = true;
            made = wasmtime::Engine::new(&config(&options));
        }
        // The pool reserves what all instances may have together: where that is too much, fewer live at once.
        while made.is_err() && options.max_instances > 1 {
            options.max_instances /= 2;
            made = wasmtime::Engine::new(&config(&options));
        }
        let wasm = made
            .map_err(|e| Fault::new(Kind::Memory, format!("there are not enough addresses for the engine: {e:#}")))?;
        if !options.checked_traps {
            HANDLERS.get_or_init(handlers);
        }
        let disposal = Disposal::new(options.max_memory_bytes, batch(&options));
        Ok(Arc::new(Engine { ticker: Ticker::new(wasm.clone()), disposal, wasm, options, runtime: OnceLock::new() }))
    }

    /// Waits when the pool is full of stores that are on their way out, and only then.
    pub(crate) fn make_room(&self, limits: &CallLimits) {
        if self.disposal.is_idle() {
            return;
        }
        let end = Instant::now() + Duration::from_nanos(limits.wall_ns.min(1_000_000_000));
        while self.is_full() && self.disposal.wait(end) {}
    }

    fn is_full(&self) -> bool {
        let Some(pool) = self.wasm.pooling_allocator_metrics() else { return false };
        let n = self.options.max_instances as usize;
        pool.component_instances() >= n as u64
            || pool.memories() >= memories(&self.options) as usize
            || pool.tables() >= n.saturating_mul(2)
    }

    /// Our own runtime for timers, sockets and blocking file work: small, and joined when the engine goes.
    pub(crate) fn runtime(&self) -> Outcome<&tokio::runtime::Handle> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle());
        }
        // Its blocking threads are started by others than this one, but always by a thread of the runtime or by a
        // caller of ours: on_thread_start is what covers them all.
        let made = without_signals(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .max_blocking_threads(16)
                .thread_name("cordon-io")
                .on_thread_start(block_signals)
                .enable_all()
                .build()
        });
        let made =
            made.map_err(|e| Fault::new(Kind::Internal, format!("cannot start the threads for blocking work: {e}")))?;
        Ok(self.runtime.get_or_init(|| made).handle())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.ticker.was_forked() {
            // None of the threads are here, and nobody would answer.
            std::mem::forget(self.runtime.take());
            return;
        }
        self.ticker.stop();
        self.disposal.stop();
        if let Some(runtime) = self.runtime.take() {
            // A guest may have left a read blocked in the kernel; a process must still be able to end.
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}
