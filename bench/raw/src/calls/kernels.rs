//! A core module's loops on Wasmtime with nothing that interrupts them: what epochs cost is seen against this.

use crate::{bytes, raw_bench, said};
use std::hint::black_box;
use wasmtime::{Engine, Linker, Module, Result, Store, TypedFunc};

pub struct raw_kernels {
    store: Store<()>,
    functions: [TypedFunc<i32, i64>; 4],
}

impl raw_kernels {
    fn new(bench: &raw_bench, guest: &[u8]) -> Result<raw_kernels> {
        let mut config = bench.engine.config().clone();
        config.epoch_interruption(false);
        let engine = Engine::new(&config)?;
        let module = Module::from_binary(&engine, guest)?;
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
        let mut find = |name| instance.get_typed_func::<i32, i64>(&mut store, name);
        let functions = [find("mix")?, find("fib")?, find("sieve")?, find("matmul")?];
        Ok(raw_kernels { store, functions })
    }

    fn run(&mut self, kernel: u32, size: i32, iterations: u64) -> Result<i64> {
        let function = self.functions.get(kernel as usize);
        let function = function.ok_or_else(|| wasmtime::Error::msg("there is no such kernel"))?;
        let mut answer = 0;
        for _ in 0..iterations {
            answer = black_box(function.call(&mut self.store, black_box(size))?);
        }
        Ok(answer)
    }
}

/// NULL when it fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn raw_kernels_new(
    bench: &raw_bench,
    guest: *const u8,
    guest_len: usize,
) -> *mut raw_kernels {
    // Safety: a view of the caller, valid for the call.
    let guest = unsafe { bytes(guest, guest_len) };
    let made = said("kernels cannot be set up", raw_kernels::new(bench, guest));
    made.map_or(std::ptr::null_mut(), |kernels| {
        Box::into_raw(Box::new(kernels))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn raw_kernels_run(
    kernels: &mut raw_kernels,
    kernel: u32,
    size: i32,
    iterations: u64,
    answer: &mut i64,
) -> bool {
    said("a kernel failed", kernels.run(kernel, size, iterations))
        .map(|last| *answer = last)
        .is_some()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn raw_kernels_free(kernels: *mut raw_kernels) {
    if !kernels.is_null() {
        // Safety: made by `raw_kernels_new`, freed once by its owner.
        drop(unsafe { Box::from_raw(kernels) });
    }
}
