//! The modules of one plugin: how they are joined, once, and how they come to life in a store.

use super::blocks::Blocks;
use super::host::Defined;
use super::{ENV, side};
use crate::fault::{Fault, Kind};
use crate::link::{Code, HostImport};
use crate::store::State;
use std::sync::Arc;
use wasmtime::{
    AsContextMut, Extern, ExternType, Instance, InstancePre, Linker, Module, ModuleExport, Store, Val, ValType,
};

/// Where an import comes from.
enum Source {
    Kernel(ModuleExport),
    Part(usize, ModuleExport),
    Host(String, String),
}

struct Part {
    module: Module,
    imports: Vec<Source>,
    start: Start,
}

/// What is called before a plugin's first call, as Extism does.
enum Start {
    Nothing,
    Call(ModuleExport),
    /// GHC's runtime, behind the C library's own.
    Haskell {
        before: Option<ModuleExport>,
        init: ModuleExport,
    },
}

pub struct Group {
    kernel: InstancePre<State>,
    memory: ModuleExport,
    /// The plugin itself is the last.
    parts: Vec<Part>,
    linker: Linker<State>,
}

fn plain(module: &Module, name: &str) -> Option<ModuleExport> {
    let ty = module.get_export(name)?.func()?.clone();
    (ty.params().len() == 0 && ty.results().len() == 0).then(|| module.get_export_index(name)).flatten()
}

impl Start {
    fn of_plugin(module: &Module) -> Start {
        let is_function = |name| module.get_export(name).is_some_and(|export| export.func().is_some());
        if is_function("hs_init")
            && let Some(init) = module.get_export_index("hs_init")
        {
            return Start::Haskell { before: plain(module, "_initialize"), init };
        }
        let name = if is_function("__wasm_call_ctors") { "__wasm_call_ctors" } else { "_initialize" };
        plain(module, name).map_or(Start::Nothing, Start::Call)
    }

    /// Of a module that is there for another. One that is a command is never started.
    fn of_library(module: &Module) -> Start {
        match module.get_export("_start") {
            Some(_) => Start::Nothing,
            None => plain(module, "_initialize").map_or(Start::Nothing, Start::Call),
        }
    }
}

fn module_of(code: &Code) -> wasmtime::Result<&Module> {
    code.module().ok_or_else(|| Fault::new(Kind::Link, "a component cannot be part of a plugin for Extism").into())
}

/// What joins the modules of one plugin.
struct Joiner<'a> {
    kernel: &'a Module,
    libraries: &'a [(String, Arc<Code>)],
    host: &'a [HostImport],
    linker: Linker<State>,
    has_preview1: bool,
    defined: Defined,
    parts: Vec<Part>,
    /// Places in `libraries` whose part is made or being made, and its place in `parts`.
    made: Vec<(usize, Option<usize>)>,
}

impl Joiner<'_> {
    fn join(&mut self, module: &Module, start: Start) -> wasmtime::Result<usize> {
        let mut imports = Vec::new();
        for import in module.imports() {
            imports.push(self.source(&import)?);
        }
        self.parts.push(Part { module: module.clone(), imports, start });
        Ok(self.parts.len() - 1)
    }

    fn library(&mut self, at: usize) -> wasmtime::Result<usize> {
        let (name, code) = &self.libraries[at];
        match self.made.iter().find(|(made, _)| *made == at) {
            Some((_, Some(part))) => return Ok(*part),
            Some((_, None)) => {
                return Err(Fault::new(Kind::Link, format!("the modules import each other in a circle: {name}")).into());
            }
            None => {}
        }
        self.made.push((at, None));
        let module = module_of(code)?.clone();
        let part = self.join(&module, Start::of_library(&module))?;
        self.made.retain(|(made, _)| *made != at);
        self.made.push((at, Some(part)));
        Ok(part)
    }

    fn source(&mut self, import: &wasmtime::ImportType<'_>) -> wasmtime::Result<Source> {
        let (module, name) = (import.module(), import.name());
        let unknown = |ty: &str| Fault::new(Kind::Link, format!("nothing answers the import {module}.{name} {ty}"));
        let ExternType::Func(wanted) = import.ty() else {
            return Err(unknown("(no function)").into());
        };
        let fits = |found: Option<ExternType>| match found.as_ref().and_then(|ty| ty.func()) {
            Some(found) if found.matches(&wanted) => Ok(()),
            Some(found) => Err(Fault::new(Kind::Link, format!("{module}.{name} is {found}, not {wanted}"))),
            None => Err(unknown(&wanted.to_string())),
        };
        if let Some(at) = self.libraries.iter().position(|(of, _)| of == module) {
            let part = self.library(at)?;
            let library = &self.parts[part].module;
            fits(library.get_export(name))?;
            let export = library.get_export_index(name).ok_or_else(|| unknown(&wanted.to_string()))?;
            return Ok(Source::Part(part, export));
        }
        if module == ENV
            && name != "memory"
            && let Some(export) = self.kernel.get_export_index(name)
        {
            fits(self.kernel.get_export(name))?;
            return Ok(Source::Kernel(export));
        }
        if module == "wasi_snapshot_preview1" && self.has_preview1 {
            return Ok(Source::Host(module.into(), name.into()));
        }
        let of = self.host.iter().find(|of| of.interface == module && of.function == name);
        if !self.defined.define(&mut self.linker, of, module, name, &wanted)? {
            return Err(unknown(&wanted.to_string()).into());
        }
        Ok(Source::Host(module.into(), name.into()))
    }
}

impl Group {
    /// `libraries` has the kernel under its own name.
    pub fn join(
        code: &Code,
        libraries: &[(String, Arc<Code>)],
        host: &[HostImport],
        linker: Linker<State>,
        has_preview1: bool,
    ) -> wasmtime::Result<Group> {
        let kernel = libraries.iter().find(|(name, _)| name == ENV).map(|(_, code)| module_of(code)).transpose()?;
        let kernel = kernel.ok_or_else(|| Fault::new(Kind::Link, "a plugin for Extism without its kernel"))?;
        let memory = kernel.get_export_index("memory").ok_or_else(|| Fault::new(Kind::Link, "no kernel"))?;
        let rest: Vec<_> = libraries.iter().filter(|(name, _)| name != ENV).cloned().collect();
        let mut joiner = Joiner {
            kernel,
            libraries: &rest,
            host,
            linker,
            has_preview1,
            defined: Defined::default(),
            parts: Vec::new(),
            made: Vec::new(),
        };
        let main = module_of(code)?.clone();
        for at in 0..rest.len() {
            joiner.library(at)?;
        }
        joiner.join(&main, Start::of_plugin(&main))?;
        let kernel = Linker::new(&code.engine.wasm).instantiate_pre(kernel)?;
        Ok(Group { kernel, memory, parts: joiner.parts, linker: joiner.linker })
    }

    pub fn main(&self) -> Option<&Module> {
        self.parts.last().map(|part| &part.module)
    }

    fn imports(&self, store: &mut Store<State>, made: &[Instance], part: &Part) -> wasmtime::Result<Vec<Extern>> {
        let missing = || Fault::new(Kind::Internal, "an import that was found is gone");
        let mut imports = Vec::with_capacity(part.imports.len());
        for source in &part.imports {
            let found = match source {
                Source::Kernel(export) => made[0].get_module_export(&mut *store, export),
                Source::Part(at, export) => made[at + 1].get_module_export(&mut *store, export),
                Source::Host(module, name) => self.linker.get(&mut *store, module, name).ok(),
            };
            imports.push(found.ok_or_else(missing)?);
        }
        Ok(imports)
    }

    fn begin(&self, store: &mut Store<State>, kernel: &Instance) -> wasmtime::Result<()> {
        let memory = kernel.get_module_export(&mut *store, &self.memory).and_then(Extern::into_memory);
        let memory = memory.ok_or_else(|| Fault::new(Kind::Internal, "the kernel has no memory"))?;
        side(store.data_mut()).memory = Some(memory);
        Blocks::new(memory.data_mut(store.as_context_mut())).open();
        Ok(())
    }

    /// Brings the plugin to life. `WAITS`: something of it is awaited; without it the future is done at once.
    pub async fn instantiate<const WAITS: bool>(&self, store: &mut Store<State>) -> wasmtime::Result<Instance> {
        let mut made = Vec::with_capacity(self.parts.len() + 1);
        let kernel = self.kernel.instantiate(&mut *store)?;
        self.begin(store, &kernel)?;
        made.push(kernel);
        for part in &self.parts {
            let imports = self.imports(store, &made, part)?;
            let instance = match WAITS {
                true => Instance::new_async(&mut *store, &part.module, &imports).await?,
                false => Instance::new(&mut *store, &part.module, &imports)?,
            };
            match &part.start {
                Start::Nothing => {}
                Start::Call(export) => run::<WAITS>(store, &instance, export, &[]).await?,
                Start::Haskell { before, init } => {
                    if let Some(before) = before {
                        run::<WAITS>(store, &instance, before, &[]).await?;
                    }
                    run::<WAITS>(store, &instance, init, &[Val::I32(0), Val::I32(0)]).await?;
                }
            }
            made.push(instance);
        }
        made.pop().ok_or_else(|| Fault::new(Kind::Internal, "a plugin without a module").into())
    }
}

async fn run<const WAITS: bool>(
    store: &mut Store<State>,
    instance: &Instance,
    export: &ModuleExport,
    params: &[Val],
) -> wasmtime::Result<()> {
    let func = instance.get_module_export(&mut *store, export).and_then(Extern::into_func);
    let func = func.ok_or_else(|| Fault::new(Kind::Internal, "an export that was found is gone"))?;
    let ty = func.ty(&*store);
    let given: Vec<ValType> = params.iter().map(|_| ValType::I32).collect();
    if ty.params().len() != given.len() {
        return Err(Fault::new(Kind::Link, format!("the plugin's initialiser is {ty}")).into());
    }
    let mut results = vec![Val::I32(0); ty.results().len()];
    match WAITS {
        true => func.call_async(&mut *store, params, &mut results).await,
        false => func.call(&mut *store, params, &mut results),
    }
}
