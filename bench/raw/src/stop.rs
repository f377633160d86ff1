//! Calls that do not return, ended at a deadline in the ways that Wasmtime has: the epoch for running code, dropping
//! the future for a call that waits in the host.

use crate::{Exports, NEVER_TICKS};
use std::time::Duration;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Error, Result, Store, Trap};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// `fill`: how many bytes to fill again and again, else spin. The instance is fresh and gone afterwards.
pub fn by_epoch(
    engine: &Engine,
    pre: &InstancePre<()>,
    exports: &Exports,
    timeout: Duration,
    fill: Option<u32>,
) -> Result<()> {
    let mut store = Store::new(engine, ());
    // One more than fits, since the first tick may be a moment away: never early.
    let tick = cordon_engine::engine::TICK.as_nanos();
    store.set_epoch_deadline(timeout.as_nanos().div_ceil(tick) as u64 + 1);
    let instance = pre.instantiate(&mut store)?;
    let ended = match fill {
        Some(bytes) => {
            let fill = instance.get_typed_func::<(u32,), ()>(&mut store, &exports.fill)?;
            fill.call(&mut store, (bytes,))
        }
        None => instance
            .get_typed_func::<(), ()>(&mut store, &exports.spin)?
            .call(&mut store, ()),
    };
    match ended {
        Ok(()) => Err(Error::msg("the guest returned")),
        Err(e) if e.downcast_ref::<Trap>() == Some(&Trap::Interrupt) => Ok(()),
        Err(e) => Err(e),
    }
}

pub struct Host {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }
}

/// A guest that sleeps in the host, and the runtime that its timer needs.
pub struct Sleeper {
    engine: Engine,
    pre: InstancePre<Host>,
    sleep: ComponentExportIndex,
    runtime: tokio::runtime::Runtime,
}

impl Sleeper {
    pub fn new(engine: &Engine, guest: &[u8]) -> Result<Sleeper> {
        let component = Component::from_binary(engine, guest)?;
        let mut linker = Linker::<Host>::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let sleep = component
            .get_export_index(None, "sleep")
            .ok_or_else(|| Error::msg("the guest has no sleep"))?;
        Ok(Sleeper {
            pre: linker.instantiate_pre(&component)?,
            engine: engine.clone(),
            sleep,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()?,
        })
    }

    pub fn stop(&self, timeout: Duration) -> Result<()> {
        let host = Host {
            ctx: WasiCtx::builder().build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, host);
        store.set_epoch_deadline(NEVER_TICKS);
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let sleep = instance.get_typed_func::<(u64,), ()>(&mut store, &self.sleep)?;
            sleep.call_async(&mut store, (1 << 62,)).await
        };
        match self
            .runtime
            .block_on(async { tokio::time::timeout(timeout, call).await })
        {
            Err(_elapsed) => Ok(()),
            Ok(Ok(())) => Err(Error::msg("the guest returned")),
            Ok(Err(e)) => Err(e),
        }
    }
}
