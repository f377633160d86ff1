//! Calls that return: fresh and warm, through typed functions.

mod kernels;

use crate::{Exports, NEVER_TICKS};
use std::hint::black_box;
use wasmtime::component::{ComponentType, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{Engine, Result, Store};

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub struct Message {
    name: String,
    content: Vec<u8>,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[allow(dead_code)] // some are only ever lifted
#[repr(u8)]
pub enum Level {
    #[component(name = "low")]
    Low,
    #[component(name = "medium")]
    Medium,
    #[component(name = "high")]
    High,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub struct Entry {
    id: u64,
    name: String,
    active: bool,
    score: f64,
    count: i32,
    level: Level,
    note: Option<String>,
    tags: Vec<String>,
    samples: Vec<u32>,
    digest: Vec<u8>,
}

/// Seconds that no bench needs, in ticks.
const FRESH_TICKS: u64 = 30_000;

pub fn fresh(engine: &Engine, pre: &InstancePre<()>, exports: &Exports) -> Result<()> {
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(FRESH_TICKS);
    let instance = pre.instantiate(&mut store)?;
    let add = instance.get_typed_func::<(i32, i32), (i32,)>(&mut store, &exports.add)?;
    black_box(add.call(&mut store, (black_box(40), 2))?);
    Ok(())
}

pub fn add_in(store: &mut Store<()>, pre: &InstancePre<()>, exports: &Exports) -> Result<()> {
    store.set_epoch_deadline(NEVER_TICKS);
    let instance = pre.instantiate(&mut *store)?;
    let add = instance.get_typed_func::<(i32, i32), (i32,)>(&mut *store, &exports.add)?;
    black_box(add.call(store, (40, 2))?);
    Ok(())
}

fn text(bytes: usize) -> String {
    (b'a'..=b'z').cycle().take(bytes).map(char::from).collect()
}

fn block(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 31) as u8).collect()
}

/// One instance that stays, its functions, and what they are called with.
pub struct Warm {
    store: Store<()>,
    add: TypedFunc<(i32, i32), (i32,)>,
    echo_string: TypedFunc<(&'static str,), (String,)>,
    echo_bytes: TypedFunc<(&'static [u8],), (Vec<u8>,)>,
    echo_nested: TypedFunc<(&'static Message,), (Message,)>,
    echo_record: TypedFunc<(&'static Entry,), (Entry,)>,
    short: &'static str,
    long: &'static str,
    block: &'static [u8],
    message: &'static Message,
    entry: &'static Entry,
}

impl Warm {
    pub fn new(engine: &Engine, pre: &InstancePre<()>, exports: &Exports) -> Result<Warm> {
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(NEVER_TICKS);
        let instance = pre.instantiate(&mut store)?;
        // The types of parameters name their lifetime, so what is passed lives as long as the process.
        let message = Message {
            name: "nested".into(),
            content: block(64 << 10),
        };
        let entry = Entry {
            id: 1 << 40,
            name: "an entry of ten fields".into(),
            active: true,
            score: 0.75,
            count: -3,
            level: Level::Medium,
            note: Some("with a note".into()),
            tags: ["alpha", "beta", "gamma"].map(String::from).to_vec(),
            samples: (0..8).map(|i| i * 1000).collect(),
            digest: block(32),
        };
        Ok(Warm {
            add: instance.get_typed_func(&mut store, exports.add)?,
            echo_string: instance.get_typed_func(&mut store, exports.echo_string)?,
            echo_bytes: instance.get_typed_func(&mut store, exports.echo_bytes)?,
            echo_nested: instance.get_typed_func(&mut store, exports.echo_nested)?,
            echo_record: instance.get_typed_func(&mut store, exports.echo_record)?,
            store,
            short: text(1 << 10).leak(),
            long: text(64 << 10).leak(),
            block: block(64 << 10).leak(),
            message: Box::leak(Box::new(message)),
            entry: Box::leak(Box::new(entry)),
        })
    }

    /// The numbers are `raw_row` of raw.h.
    pub fn round(&mut self, row: u32, iterations: u64) -> Result<()> {
        let store = &mut self.store;
        for _ in 0..iterations {
            match row {
                1 => drop(black_box(self.add.call(&mut *store, (black_box(40), 2))?)),
                2 => drop(black_box(
                    self.echo_string
                        .call(&mut *store, (black_box(self.short),))?,
                )),
                3 => drop(black_box(
                    self.echo_string
                        .call(&mut *store, (black_box(self.long),))?,
                )),
                4 => drop(black_box(
                    self.echo_bytes
                        .call(&mut *store, (black_box(self.block),))?,
                )),
                5 => drop(black_box(
                    self.echo_nested
                        .call(&mut *store, (black_box(self.message),))?,
                )),
                6 => drop(black_box(
                    self.echo_record
                        .call(&mut *store, (black_box(self.entry),))?,
                )),
                _ => return Err(wasmtime::Error::msg("there is no such row")),
            }
        }
        Ok(())
    }
}
