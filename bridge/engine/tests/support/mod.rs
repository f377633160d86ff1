//! What the test programs share: an engine, options, and guests assembled from text.
#![allow(dead_code)]

use cordon_engine::engine::{Engine, Options};
use cordon_engine::store::{CallLimits, Clock, Input, InstanceOptions, Limits};
use cordon_engine::{Code, Fault, HostImport, Instance, Linked};
use std::sync::Arc;

pub fn engine(fuel: bool) -> Arc<Engine> {
    engine_of(fuel, 16)
}

pub fn engine_of(fuel: bool, max_instances: u32) -> Arc<Engine> {
    Engine::new(Options {
        fuel,
        debug: false,
        small_address_space: false,
        checked_traps: false,
        copied_data: true,
        parallel: false,
        unstoppable: false,
        max_memory_bytes: 256 << 20,
        max_instances,
        max_table_elements: 20_000,
        stack_bytes: 512 << 10,
    })
    .unwrap()
}

pub fn options() -> InstanceOptions {
    InstanceOptions {
        environment: vec![],
        arguments: vec![],
        mounts: vec![],
        stdin: Input::Bytes(vec![]),
        stdout: None,
        stderr: None,
        clock: Clock::Coarse,
        network: None,
        interrupter: None,
        limits: Limits {
            memory_bytes: 8 << 20,
            table_elements: 20_000,
            instances: 32,
            tables: 8,
            memories: 4,
            handles: 4096,
            host_call_bytes: 4 << 20,
            random_bytes: 64 << 10,
            stdout_bytes: 64 << 10,
            var_bytes: 1 << 20,
            http_response_bytes: 8 << 20,
        },
        files_have_rate: false,
    }
}

pub fn within(ms: u64) -> CallLimits {
    CallLimits { wall_ns: ms * 1_000_000, cpu_ns: None, fuel: None }
}

pub fn link(engine: &Arc<Engine>, wat: &str, wasi: &[&str], host: &[HostImport]) -> Result<Arc<Linked>, Fault> {
    let code = Code::compile(engine, &wat::parse_str(wat).unwrap())?;
    let wasi: Vec<String> = wasi.iter().map(|s| s.to_string()).collect();
    Linked::link(&code, &wasi, host)
}

pub fn call(linked: &Arc<Linked>, name: &str, input: &[u8], limits: CallLimits) -> Result<Vec<u8>, Fault> {
    let mut instance = Instance::new(linked, options(), None, &limits, 1)?;
    instance.call(&linked.find("", name)?, input, &limits, 1)
}

/// A component with memory, a bump allocator, and whatever else the test adds.
pub fn component(types: &str, core: &str, lifts: &str) -> String {
    format!(
        r#"(component
          {types}
          (core module $m
            (memory (export "memory") 2)
            (global $at (mut i32) (i32.const 4096))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              (local $p i32)
              (local.set $p (i32.and (i32.add (global.get $at) (i32.const 15)) (i32.const -16)))
              (global.set $at (i32.add (local.get $p) (local.get 3)))
              (local.get $p))
            {core})
          (core instance $i (instantiate $m))
          {lifts})"#
    )
}

pub fn lift(name: &str, ty: &str) -> String {
    format!(
        r#"(func (export "{name}") {ty}
          (canon lift (core func $i "{name}") (memory $i "memory") (realloc (func $i "realloc"))))"#
    )
}
