//! Code and its imports: exactly the interfaces that the host names are in the linker, one by one.

use crate::engine::Engine;
use crate::extism;
use crate::fault::{Fault, Kind, Outcome, classify};
use crate::files::{self, FilesView};
use crate::fledge;
use crate::http;
use crate::nested;
use crate::p1;
use crate::sockets;
use crate::store::{Answer, Needs, Reply, State, WasiState};
use crate::traced::{self, DROP};
use crate::values::{HostParams, HostResults, Hosted, Ignored, Reader, Shape, recycle};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{self, Component, ComponentExportIndex, HasData, LinkerInstance, ResourceTable, Type};
use wasmtime::{Module, StoreContextMut, ValType};
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView};
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::random::WasiRandom;

const MAX_FLAT: usize = 16;

pub enum Binary {
    Component(Component),
    Module(Module),
}

pub struct Code {
    pub(crate) engine: Arc<Engine>,
    pub(crate) binary: Binary,
}

/// Whether a binary is a component or a core module; anything else, text and native code too, is refused.
#[cfg(feature = "compiler")]
pub(crate) fn is_component(bytes: &[u8]) -> Outcome<bool> {
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(Fault::new(Kind::Compile, "this is precompiled native code, not WebAssembly"));
    }
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Ok(false),
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(true),
        _ => Err(Fault::new(Kind::Compile, "not a WebAssembly binary")),
    }
}

pub(crate) fn compile_fault(e: wasmtime::Error) -> Fault {
    let text = format!("{e:#}");
    // What the binary declares can exceed what any instance may have; that is a limit, not a defect.
    let kind = match text.contains("pooling allocator") {
        true if text.contains("minimum byte size") || text.contains("minimum element size") => Kind::Memory,
        true => Kind::Instances,
        false => Kind::Compile,
    };
    Fault::new(kind, text)
}

impl Code {
    /// Compiles a binary. Never text, and never precompiled code, which would be native code from outside.
    #[cfg(feature = "compiler")]
    pub fn compile(engine: &Arc<Engine>, bytes: &[u8]) -> Outcome<Arc<Code>> {
        let binary = if is_component(bytes)? {
            Binary::Component(Component::from_binary(&engine.wasm, bytes).map_err(compile_fault)?)
        } else {
            Binary::Module(Module::from_binary(&engine.wasm, bytes).map_err(compile_fault)?)
        };
        Ok(Arc::new(Code { engine: engine.clone(), binary }))
    }

    #[cfg(not(feature = "compiler"))]
    pub fn compile(_: &Arc<Engine>, _: &[u8]) -> Outcome<Arc<Code>> {
        Err(crate::aot::no_compiler())
    }

    pub fn is_component(&self) -> bool {
        matches!(self.binary, Binary::Component(_))
    }

    pub(crate) fn module(&self) -> Option<&Module> {
        match &self.binary {
            Binary::Module(module) => Some(module),
            Binary::Component(_) => None,
        }
    }
}

/// One function that a guest may import and the host answers.
#[derive(Clone, Debug)]
pub struct HostImport {
    pub interface: String,
    pub function: String,
    /// What the message names; differs from `function` for a denying stub.
    pub message: String,
    /// The answer may take long: it is awaited off the guest's thread, so that the deadline holds.
    pub blocking: bool,
    /// The answer is a call of another guest, made while this one waits (nested.rs); it keeps to the deadline.
    pub nested: bool,
    /// The answer comes later, by any thread: nothing waits for it but the guest.
    pub deferred: bool,
    /// Answered by the engine's own WASI; the host is told of it.
    pub traced: bool,
    /// Of a function that a plugin for Extism imports from the embedding program: what its parameters and its result
    /// are (extism/host.rs).
    pub shape: String,
}

/// Messages of denying stubs start with this. One without a function stands for an interface of resources alone.
const STUB: &str = "deny:";

impl HostImport {
    pub(crate) fn is_stub(&self) -> bool {
        self.message.starts_with(STUB)
    }

    pub(crate) fn waits(&self) -> bool {
        self.blocking || self.nested || self.deferred
    }

    pub(crate) fn how(&self) -> Aside {
        match (self.deferred, self.nested) {
            (true, _) => Aside::Deferred,
            (_, true) => Aside::Nested,
            _ => Aside::Thread,
        }
    }
}

/// What a resource of a stubbed interface is: nothing. No handle of it is ever given out.
struct Nothing;

pub enum Pre {
    Component(component::InstancePre<State>),
    Module(wasmtime::InstancePre<State>),
    Extism(Box<extism::Group>),
}

pub struct Linked {
    pub(crate) code: Arc<Code>,
    pub(crate) pre: Pre,
    pub(crate) needs: Needs,
    /// What a new instance of a WASI reactor is begun with.
    pub(crate) reactor: Option<&'static str>,
}

/// An export, resolved once. Its `identity` is the address of what is shared.
pub enum Function {
    Component { identity: Arc<()>, index: ComponentExportIndex, flat_results: usize, shape: Shape },
    Module { name: String, params: Vec<ValType>, results: Vec<ValType> },
    Extism(extism::Export),
}

struct HasIo;
impl HasData for HasIo {
    type Data<'a> = &'a mut ResourceTable;
}

pub(crate) fn wasi(state: &mut State) -> &mut WasiState {
    state.wasi.as_mut().expect("a store of WASI code has WASI state")
}

pub(crate) fn table(state: &mut State) -> &mut ResourceTable {
    &mut wasi(state).table
}

pub(crate) fn cli(state: &mut State) -> WasiCliCtxView<'_> {
    let w = wasi(state);
    WasiCliCtxView { ctx: w.ctx.cli(), table: &mut w.table }
}

pub(crate) fn clocks(state: &mut State) -> WasiClocksCtxView<'_> {
    let w = wasi(state);
    WasiClocksCtxView { ctx: w.ctx.clocks(), table: &mut w.table }
}

pub(crate) fn files_view(state: &mut State) -> FilesView<'_> {
    let w = wasi(state);
    FilesView::new(&mut w.files, &mut w.ctx, &mut w.table)
}

/// Links one interface, asked for by its name without version.
fn link_wasi(l: &mut component::Linker<State>, name: &str, needs: &mut Needs) -> wasmtime::Result<()> {
    use wasmtime_wasi_io::bindings::wasi::io;
    (needs.wasi, needs.port) = (true, true);
    match name {
        "wasi:io/error" => io::error::add_to_linker::<State, HasIo>(l, table),
        "wasi:io/poll" => {
            needs.asynchronous = true;
            io::poll::add_to_linker::<State, HasIo>(l, table)
        }
        "wasi:io/streams" => {
            needs.asynchronous = true;
            io::streams::add_to_linker::<State, HasIo>(l, table)
        }
        "wasi:filesystem/types" => {
            needs.asynchronous = true;
            files::add_types_to_linker(l, files_view)
        }
        "wasi:filesystem/preopens" => files::add_preopens_to_linker(l, files_view),
        "wasi:clocks/wall-clock" => p2::clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, clocks),
        "wasi:clocks/monotonic-clock" => p2::clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(l, clocks),
        "wasi:http/types" => {
            (needs.http, needs.asynchronous) = (true, true);
            http::add_types_to_linker(l)
        }
        "wasi:http/outgoing-handler" => {
            (needs.http, needs.asynchronous) = (true, true);
            http::add_handler_to_linker(l)
        }
        name if name.starts_with("wasi:sockets/") => {
            (needs.sockets, needs.asynchronous) = (true, true);
            sockets::add_to_linker(l, name)
        }
        "wasi:random/random" => p2::random::random::add_to_linker::<State, WasiRandom>(l, |s| wasi(s).ctx.random()),
        "wasi:random/insecure" => p2::random::insecure::add_to_linker::<State, WasiRandom>(l, |s| wasi(s).ctx.random()),
        "wasi:random/insecure-seed" => {
            p2::random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |s| wasi(s).ctx.random())
        }
        "wasi:cli/exit" => p2::cli::exit::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/environment" => p2::cli::environment::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/stdin" => p2::cli::stdin::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/stdout" => p2::cli::stdout::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/stderr" => p2::cli::stderr::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/terminal-input" => p2::cli::terminal_input::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/terminal-output" => p2::cli::terminal_output::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/terminal-stdin" => p2::cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/terminal-stdout" => p2::cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, cli),
        "wasi:cli/terminal-stderr" => p2::cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, cli),
        other => Err(Fault::new(Kind::Link, format!("the engine has no interface {other}")).into()),
    }
}

/// Sends one message and gives back its payload, or ends the guest's call.
pub(crate) fn send(state: &mut State, interface: &str, message: &str, payload: &[u8]) -> wasmtime::Result<Vec<u8>> {
    state.host_calls += 1;
    let end = state.deadline.end_ns();
    let Some(port) = &state.port else {
        return Err(Fault::new(Kind::Host, format!("no host answers {interface} {message}")).into());
    };
    answer(port.send(state.call_id, interface, message, payload, end))
}

fn answer(reply: Reply) -> wasmtime::Result<Vec<u8>> {
    match reply {
        Reply::Done(payload) => Ok(payload),
        Reply::Trap(code, message) => Err(Fault::new(Kind::Host, message).with_number(i64::from(code)).into()),
    }
}

fn define<const N: usize, const R: usize>(
    l: &mut LinkerInstance<'_, State>,
    import: &HostImport,
) -> wasmtime::Result<()> {
    let (interface, message): (Arc<str>, Arc<str>) = (import.interface.as_str().into(), import.message.as_str().into());
    if import.is_stub() {
        return l.func_wrap(&import.function, move |mut cx: StoreContextMut<'_, State>, _: Ignored<N>| {
            Ok(HostResults::<R>(send(cx.data_mut(), &interface, &message, &[])?))
        });
    }
    if import.traced {
        return l.func_wrap_async(
            &import.function,
            move |mut cx: StoreContextMut<'_, State>, params: HostParams<N>| {
                let (interface, message) = (interface.clone(), message.clone());
                Box::new(async move {
                    let reply = traced::call(cx.data_mut(), &interface, &message, &params.0).await?;
                    Ok(HostResults::<R>(reply))
                })
            },
        );
    }
    if !import.waits() {
        return l.func_wrap(&import.function, move |mut cx: StoreContextMut<'_, State>, params: HostParams<N>| {
            let reply = send(cx.data_mut(), &interface, &message, &params.0)?;
            recycle(params.0);
            Ok(HostResults::<R>(reply))
        });
    }
    let how = import.how();
    l.func_wrap_async(&import.function, move |mut cx: StoreContextMut<'_, State>, params: HostParams<N>| {
        let sent = send_aside(cx.data_mut(), &interface, &message, params.0, how);
        Box::new(async move {
            let (reply, cpu) = sent.await?;
            cx.data_mut().deadline.leave_out(cpu);
            Ok(HostResults::<R>(reply))
        })
    })
}

/// How the answer of a host function that waits is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// By a thread of the engine.
    Thread,
    Nested,
    Deferred,
}

/// As `send`, off this thread; gives the CPU time of others that this one must not be charged for, too.
pub(crate) fn send_aside(
    state: &mut State,
    interface: &Arc<str>,
    message: &Arc<str>,
    payload: Vec<u8>,
    how: Aside,
) -> impl Future<Output = wasmtime::Result<(Vec<u8>, Duration)>> + Send + use<> {
    let (interface, message) = (interface.clone(), message.clone());
    state.host_calls += 1;
    let (port, call_id, end) = (state.port.clone(), state.call_id, state.deadline.end_ns());
    let begun = match &port {
        Some(port) if how == Aside::Deferred => {
            let (answer, reply) = Answer::new();
            port.begin(call_id, &interface, &message, &payload, end, answer);
            Some(reply)
        }
        _ => None,
    };
    async move {
        let Some(port) = port else {
            return Err(Fault::new(Kind::Host, format!("no host answers {interface} {message}")).into());
        };
        if let Some(reply) = begun {
            return match reply.await {
                Ok(reply) => Ok((answer(reply)?, Duration::ZERO)),
                Err(_) => {
                    let text = format!("the host let go of {interface} {message} without an answer");
                    Err(Fault::new(Kind::Host, text).into())
                }
            };
        }
        let work = move || port.send(call_id, &interface, &message, &payload, end);
        let done = if how == Aside::Nested {
            nested::run(work).await
        } else {
            tokio::task::spawn_blocking(work).await.ok().map(|reply| (reply, Duration::ZERO))
        };
        match done {
            Some((reply, cpu)) => Ok((answer(reply)?, cpu)),
            None => Err(Fault::new(Kind::Panic, "the host function did not return").into()),
        }
    }
}

/// Picks the instance of `define` for a function's flat shape. Through memory, the number of slots does not matter.
fn define_by_shape(
    l: &mut LinkerInstance<'_, State>,
    import: &HostImport,
    params: usize,
    results: usize,
) -> wasmtime::Result<()> {
    macro_rules! shapes {
        ($($n:literal)*) => {
            match (params, results) {
                $(($n, 0) => define::<$n, 0>(l, import), ($n, _) => define::<$n, 1>(l, import),)*
                (_, 0) => define::<1, 0>(l, import),
                (_, _) => define::<1, 1>(l, import),
            }
        };
    }
    shapes!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// Flat count of a type, or more than 16 when it does not fit (canonical ABI, flattening).
fn flat(ty: &Type) -> usize {
    fn most(cases: impl Iterator<Item = Option<Type>>) -> usize {
        1 + cases.flatten().map(|t| flat(&t)).max().unwrap_or(0)
    }
    let count = match ty {
        Type::String | Type::List(_) | Type::Map(_) => 2,
        Type::Record(r) => r.fields().map(|f| flat(&f.ty)).sum(),
        Type::Tuple(t) => t.types().map(|t| flat(&t)).sum(),
        Type::Variant(v) => most(v.cases().map(|c| c.ty)),
        Type::Option(o) => most([Some(o.ty())].into_iter()),
        Type::Result(r) => most([r.ok(), r.err()].into_iter()),
        Type::Flags(f) => f.names().count().div_ceil(32),
        _ => 1,
    };
    count.min(MAX_FLAT + 1)
}

fn flat_params(f: &ComponentFunc) -> usize {
    f.params().map(|(_, t)| flat(&t)).sum::<usize>().min(MAX_FLAT + 1)
}

fn flat_results(f: &ComponentFunc) -> usize {
    f.results().map(|t| flat(&t)).sum::<usize>().min(2)
}

/// Gives the interfaces that the host answers the resources that they define themselves; those that they use belong to
/// another interface, the first in the component's imports to export them. Of a stub no handle is ever given out; of a
/// service, dropping a handle is a message.
fn define_resources(
    l: &mut component::Linker<State>,
    ty: &component::types::Component,
    engine: &wasmtime::Engine,
    imports: &[HostImport],
) -> wasmtime::Result<()> {
    let mut seen = Vec::new();
    for (name, item) in ty.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let Some(import) = imports.iter().find(|i| i.interface == name) else {
            seen.extend(instance.exports(engine).filter_map(|(_, item)| match item.ty {
                ComponentItem::Resource(of) => Some(of),
                _ => None,
            }));
            continue;
        };
        for (resource, item) in instance.exports(engine) {
            let ComponentItem::Resource(of) = item.ty else { continue };
            if seen.contains(&of) {
                continue;
            }
            seen.push(of);
            if import.is_stub() {
                l.instance(name)?.resource(resource, component::ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
            } else {
                define_hosted(&mut l.instance(name)?, import, resource)?;
            }
        }
    }
    Ok(())
}

fn define_hosted(l: &mut LinkerInstance<'_, State>, of: &HostImport, resource: &str) -> wasmtime::Result<()> {
    let interface: Arc<str> = of.interface.as_str().into();
    let message: Arc<str> = format!("{DROP}{resource}").into();
    if of.traced {
        return l.resource_async(resource, component::ResourceType::host::<Hosted>(), move |mut cx, rep| {
            let (interface, message) = (interface.clone(), message.clone());
            Box::new(
                async move { traced::call(cx.data_mut(), &interface, &message, &rep.to_le_bytes()).await.map(|_| ()) },
            )
        });
    }
    l.resource(resource, component::ResourceType::host::<Hosted>(), move |mut cx, rep| {
        send(cx.data_mut(), &interface, &message, &rep.to_le_bytes()).map(|_| ())
    })
}

fn link_host(
    l: &mut component::Linker<State>,
    component: &Component,
    engine: &wasmtime::Engine,
    imports: &[HostImport],
) -> wasmtime::Result<()> {
    let ty = component.component_type();
    define_resources(l, &ty, engine, imports)?;
    for import in imports {
        if import.function.is_empty() {
            continue;
        }
        let item = if import.interface.is_empty() {
            ty.get_import(engine, &import.function).map(|e| e.ty)
        } else {
            match ty.get_import(engine, &import.interface).map(|e| e.ty) {
                Some(ComponentItem::ComponentInstance(i)) => i.get_export(engine, &import.function).map(|e| e.ty),
                _ => None,
            }
        };
        let Some(ComponentItem::ComponentFunc(f)) = item else {
            let text = format!("the component imports no function {} {}", import.interface, import.function);
            return Err(Fault::new(Kind::Link, text).into());
        };
        let (params, results) = (flat_params(&f), flat_results(&f));
        if import.interface.is_empty() {
            define_by_shape(&mut l.root(), import, params, results)?;
        } else {
            define_by_shape(&mut l.instance(&import.interface)?, import, params, results)?;
        }
    }
    Ok(())
}

pub(crate) fn core_value(ty: &ValType, reader: &mut Reader<'_>) -> wasmtime::Result<wasmtime::Val> {
    Ok(match ty {
        ValType::I32 => wasmtime::Val::I32(reader.u32()? as i32),
        ValType::F32 => wasmtime::Val::F32(reader.u32()?),
        ValType::I64 => wasmtime::Val::I64(i64::from_le_bytes(reader.array()?)),
        ValType::F64 => wasmtime::Val::F64(u64::from_le_bytes(reader.array()?)),
        other => return Err(Fault::new(Kind::Invalid, format!("a {other} cannot cross")).into()),
    })
}

pub(crate) fn read_core(types: &[ValType], mut reader: Reader<'_>) -> wasmtime::Result<Vec<wasmtime::Val>> {
    let values = types.iter().map(|t| core_value(t, &mut reader)).collect::<wasmtime::Result<Vec<_>>>()?;
    reader.finish()?;
    Ok(values)
}

pub(crate) fn write_core(values: &[wasmtime::Val], out: &mut Vec<u8>) -> wasmtime::Result<()> {
    for value in values {
        match value {
            wasmtime::Val::I32(v) => out.extend_from_slice(&v.to_le_bytes()),
            wasmtime::Val::I64(v) => out.extend_from_slice(&v.to_le_bytes()),
            wasmtime::Val::F32(v) => out.extend_from_slice(&v.to_le_bytes()),
            wasmtime::Val::F64(v) => out.extend_from_slice(&v.to_le_bytes()),
            _ => return Err(Fault::new(Kind::Invalid, "a reference or vector cannot cross").into()),
        }
    }
    Ok(())
}

fn link_core_host(l: &mut wasmtime::Linker<State>, module: &Module, imports: &[HostImport]) -> wasmtime::Result<()> {
    for import in imports {
        if import.interface == fledge::MODULE {
            fledge::define(l, import)?;
            continue;
        }
        let found = module.imports().find(|i| i.module() == import.interface && i.name() == import.function);
        let Some(ty) = found.and_then(|i| i.ty().func().cloned()) else {
            let text = format!("the module imports no function {}.{}", import.interface, import.function);
            return Err(Fault::new(Kind::Link, text).into());
        };
        let import = import.clone();
        let results: Vec<ValType> = ty.results().collect();
        l.func_new(&import.interface.clone(), &import.function.clone(), ty, move |mut caller, params, out| {
            let mut payload = Vec::with_capacity(params.len() * 8);
            write_core(params, &mut payload)?;
            let reply = send(caller.data_mut(), &import.interface, &import.message, &payload)?;
            for (slot, value) in out.iter_mut().zip(read_core(&results, Reader::new(&reply))?) {
                *slot = value;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The export by which the preview begins a module that is no command, once and before anything else of it.
fn reactor(module: &Module) -> Option<&'static str> {
    const INITIALIZE: &str = "_initialize";
    let plain = |name: &str| {
        let ty = module.get_export(name).and_then(|e| e.func().cloned());
        ty.is_some_and(|ty| ty.params().len() == 0 && ty.results().len() == 0)
    };
    (plain(INITIALIZE) && !plain("_start")).then_some(INITIALIZE)
}

fn link_core_wasi(l: &mut wasmtime::Linker<State>, wasi: &[String], needs: &mut Needs) -> Outcome<()> {
    for name in wasi {
        match name.as_str() {
            "wasi_snapshot_preview1" => {
                *needs = Needs { wasi: true, p1: true, port: true, asynchronous: true, ..*needs };
                p1::add_to_linker(l).map_err(link_fault)?;
            }
            "wasi_snapshot_preview1/stdio" => needs.stdio = true,
            _ => return Err(Fault::new(Kind::Link, format!("the engine has no module {name}"))),
        }
    }
    Ok(())
}

fn link_fault(error: wasmtime::Error) -> Fault {
    match error.downcast_ref::<Fault>() {
        Some(fault) => fault.clone(),
        None => Fault::new(Kind::Link, format!("{error:#}")),
    }
}

impl Linked {
    /// Whether its guests run on stacks of their own, and wait without the thread of who calls them.
    pub fn waits(&self) -> bool {
        self.needs.asynchronous
    }

    /// Whether its guests can ask the host for anything.
    pub fn needs_port(&self) -> bool {
        self.needs.port
    }

    pub fn link(code: &Arc<Code>, wasi: &[String], host: &[HostImport]) -> Outcome<Arc<Linked>> {
        let traced = host.iter().any(|h| h.traced);
        let mut needs = Needs {
            asynchronous: traced || host.iter().any(HostImport::waits),
            port: !host.is_empty(),
            wasi: traced,
            ..Needs::default()
        };
        let fail = link_fault;
        let engine = &code.engine.wasm;
        let pre = match &code.binary {
            Binary::Component(component) => {
                let mut l = component::Linker::<State>::new(engine);
                for name in wasi {
                    link_wasi(&mut l, name, &mut needs).map_err(fail)?;
                }
                link_host(&mut l, component, engine, host).map_err(fail)?;
                Pre::Component(l.instantiate_pre(component).map_err(fail)?)
            }
            Binary::Module(module) => {
                let mut l = wasmtime::Linker::<State>::new(engine);
                link_core_wasi(&mut l, wasi, &mut needs)?;
                if host.iter().any(|h| h.interface == fledge::MODULE) {
                    needs = Needs { fledge: true, wasi: true, asynchronous: true, ..needs };
                }
                link_core_host(&mut l, module, host).map_err(fail)?;
                Pre::Module(l.instantiate_pre(module).map_err(fail)?)
            }
        };
        let reactor = match &code.binary {
            Binary::Module(module) if needs.p1 => reactor(module),
            _ => None,
        };
        Ok(Arc::new(Linked { code: code.clone(), pre, needs, reactor }))
    }

    /// Links a plugin for Extism: `libraries` are the modules that it imports by name, and the kernel.
    pub fn link_extism(
        code: &Arc<Code>,
        libraries: &[(String, Arc<Code>)],
        wasi: &[String],
        host: &[HostImport],
    ) -> Outcome<Arc<Linked>> {
        let requests = host.iter().any(|h| h.function == "http_request" && h.interface == extism::ENV && !h.is_stub());
        let mut needs = Needs {
            asynchronous: requests || host.iter().any(HostImport::waits),
            port: !host.is_empty(),
            extism: true,
            ..Needs::default()
        };
        let mut l = wasmtime::Linker::<State>::new(&code.engine.wasm);
        link_core_wasi(&mut l, wasi, &mut needs)?;
        let group = extism::Group::join(code, libraries, host, l, needs.p1).map_err(link_fault)?;
        Ok(Arc::new(Linked { code: code.clone(), pre: Pre::Extism(Box::new(group)), needs, reactor: None }))
    }

    /// Resolves an export: of an interface, or at the root when `interface` is empty.
    pub fn find(&self, interface: &str, name: &str) -> Outcome<Function> {
        let missing = || Fault::new(Kind::NotFound, format!("there is no exported function {interface} {name}"));
        if let Pre::Extism(group) = &self.pre {
            let found = group.main().filter(|_| interface.is_empty()).and_then(|main| extism::Export::find(main, name));
            return found.map(Function::Extism).ok_or_else(missing);
        }
        match &self.code.binary {
            Binary::Component(component) => {
                let outer = match interface {
                    "" => None,
                    _ => Some(component.get_export_index(None, interface).ok_or_else(missing)?),
                };
                match component.get_export(outer.as_ref(), name).ok_or_else(missing)? {
                    (ComponentItem::ComponentFunc(ty), index) => {
                        let shape = Shape::of(&ty, MAX_FLAT);
                        let identity = Arc::new(());
                        Ok(Function::Component { identity, index, flat_results: flat_results(&ty), shape })
                    }
                    _ => Err(missing()),
                }
            }
            Binary::Module(module) => match module.get_export(name).and_then(|e| e.func().cloned()) {
                Some(ty) if interface.is_empty() => Ok(Function::Module {
                    name: name.to_string(),
                    params: ty.params().collect(),
                    results: ty.results().collect(),
                }),
                _ => Err(missing()),
            },
        }
    }
}

/// For errors of instantiation, which have no store to ask.
pub(crate) fn instantiation_fault(error: wasmtime::Error, state: &State) -> Fault {
    classify(error, state.deadline.stopped, state.limiter.denied)
}
