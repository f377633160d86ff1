//! From a resolved world to the tables of the document.

use super::{Place, fault};
use crate::describe::{Contract, Field, Function, Item, Type};
use crate::{Failure, Outcome, Status};
use serde::Serialize;
use std::collections::HashMap;
use wit_parser::{
    Docs, FunctionKind, Handle, InterfaceId, Resolve, Span, TypeDef, TypeDefKind, TypeId, TypeOwner, WorldId,
    WorldItem, WorldKey,
};

const TYPES_MAX: usize = 100_000;
const TYPE_DEPTH_MAX: u32 = 100; // as deep as a component's types may be

#[derive(Serialize)]
struct World {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    docs: String,
    contract: Contract,
    definitions: Vec<Definition>,
    unsupported: Vec<Unsupported>,
}

/// A type with a name; those that it is made of come before it.
#[derive(Serialize)]
struct Definition {
    interface: String,
    name: String,
    r#type: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    docs: String,
}

/// A function that no value of the wire format can call.
#[derive(Serialize)]
struct Unsupported {
    exported: bool,
    item: u32,
    function: u32,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
}

pub type PlaceOf<'a> = dyn Fn(Span) -> Option<Place> + 'a;

pub fn describe(resolve: &Resolve, world: WorldId, place: &PlaceOf<'_>) -> Outcome<String> {
    describe_with(resolve, world, place, |_| ())
}

pub fn describe_with(
    resolve: &Resolve,
    id: WorldId,
    place: &PlaceOf<'_>,
    annotate: impl FnOnce(&mut Contract),
) -> Outcome<String> {
    let world = &resolve.worlds[id];
    let mut walk = Walk::new(resolve, id, place);
    for (key, item) in &world.imports {
        walk.item(key, item, false)?;
    }
    for (key, item) in &world.exports {
        walk.item(key, item, true)?;
    }
    let name = match world.package {
        Some(package) => resolve.id_of_name(package, &world.name),
        None => world.name.clone(),
    };
    let mut contract = Contract {
        kind: "component",
        types: walk.types,
        imports: walk.imports,
        exports: walk.exports,
        ..Contract::default()
    };
    annotate(&mut contract);
    let document =
        World { name, docs: text(&world.docs), contract, definitions: walk.definitions, unsupported: walk.unsupported };
    serde_json::to_string(&document).map_err(|error| Failure::new(Status::Panic, error.to_string()))
}

fn text(docs: &Docs) -> String {
    docs.contents.as_deref().map(str::trim).unwrap_or_default().to_string()
}

fn limit(message: &str) -> Failure {
    fault(Status::Limit, message, None)
}

/// What is known of a type that was walked: its index, how deep it is, and what in it cannot cross.
#[derive(Clone)]
struct Known {
    index: u32,
    depth: u32,
    blocked: Option<String>,
}

struct Walk<'a> {
    resolve: &'a Resolve,
    world: WorldId,
    place: &'a PlaceOf<'a>,
    types: Vec<Type>,
    imports: Vec<Item>,
    exports: Vec<Item>,
    definitions: Vec<Definition>,
    unsupported: Vec<Unsupported>,
    known: HashMap<TypeId, Known>,
    primitives: HashMap<&'static str, u32>,
    nesting: u32,
}

impl<'a> Walk<'a> {
    fn new(resolve: &'a Resolve, world: WorldId, place: &'a PlaceOf<'a>) -> Self {
        Walk {
            resolve,
            world,
            place,
            types: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            definitions: Vec::new(),
            unsupported: Vec::new(),
            known: HashMap::new(),
            primitives: HashMap::new(),
            nesting: 0,
        }
    }

    fn item(&mut self, key: &WorldKey, item: &WorldItem, exported: bool) -> Outcome<()> {
        let name = self.resolve.name_world_key(key);
        let at = if exported { self.exports.len() } else { self.imports.len() } as u32;
        let described = match item {
            WorldItem::Type { id, .. } => {
                self.named_type(&name, *id, String::new())?;
                return Ok(());
            }
            WorldItem::Function(function) => {
                let function = self.function(function, exported, at, 0)?;
                Item {
                    kind: "function",
                    name,
                    docs: function.docs.clone(),
                    functions: vec![function],
                    ..Item::default()
                }
            }
            WorldItem::Interface { id, .. } => {
                let interface = &self.resolve.interfaces[*id];
                let owner = self.owner(TypeOwner::Interface(*id));
                let mut functions = Vec::new();
                // Interfaces of WASI are the host's own: of their types only those are told that others are made of.
                if !name.starts_with("wasi:") || exported {
                    for (name, ty) in &interface.types {
                        self.named_type(name, *ty, owner.clone())?;
                    }
                    for function in interface.functions.values() {
                        functions.push(self.function(function, exported, at, functions.len() as u32)?);
                    }
                }
                Item { kind: "interface", name, docs: text(&interface.docs), functions, ..Item::default() }
            }
        };
        if exported { &mut self.exports } else { &mut self.imports }.push(described);
        Ok(())
    }

    /// A type of an interface or world: its definition, or another name for one.
    fn named_type(&mut self, name: &str, id: TypeId, interface: String) -> Outcome<()> {
        let known = self.id(id)?;
        let peeled = peel(self.resolve, id);
        if peeled != id && self.types[known.index as usize].kind != "resource" {
            let docs = text(&self.resolve.types[id].docs);
            self.definitions.push(Definition { interface, name: name.to_string(), r#type: known.index, docs });
        }
        Ok(())
    }

    fn function(
        &mut self,
        function: &wit_parser::Function,
        exported: bool,
        item: u32,
        index: u32,
    ) -> Outcome<Function> {
        let is_async = matches!(
            function.kind,
            FunctionKind::AsyncFreestanding | FunctionKind::AsyncMethod(_) | FunctionKind::AsyncStatic(_)
        );
        let mut blocked = match function.kind {
            FunctionKind::Freestanding => None,
            FunctionKind::AsyncFreestanding => Some("it is async".to_string()),
            _ => Some("it belongs to a resource".to_string()),
        };
        let mut params = Vec::new();
        for param in &function.params {
            let known = self.value(&param.ty)?;
            blocked = blocked.or(known.blocked);
            params.push(Field { name: param.name.clone(), r#type: Some(known.index), docs: String::new() });
        }
        let result = match &function.result {
            Some(ty) => {
                let known = self.value(ty)?;
                blocked = blocked.or(known.blocked);
                Some(known.index)
            }
            None => None,
        };
        if let Some(what) = blocked {
            let place = (self.place)(function.span);
            self.unsupported.push(Unsupported { exported, item, function: index, what, place });
        }
        Ok(Function { name: function.name.clone(), docs: text(&function.docs), params, result, is_async })
    }

    fn value(&mut self, ty: &wit_parser::Type) -> Outcome<Known> {
        use wit_parser::Type as T;
        let kind = match ty {
            T::Bool => "bool",
            T::U8 => "u8",
            T::U16 => "u16",
            T::U32 => "u32",
            T::U64 => "u64",
            T::S8 => "s8",
            T::S16 => "s16",
            T::S32 => "s32",
            T::S64 => "s64",
            T::F32 => "f32",
            T::F64 => "f64",
            T::Char => "char",
            T::String => "string",
            T::ErrorContext => "unsupported",
            T::Id(id) => return self.id(*id),
        };
        let blocked = (kind == "unsupported").then(|| "error-context does not cross".to_string());
        if let Some(&index) = self.primitives.get(kind) {
            return Ok(Known { index, depth: 0, blocked });
        }
        let index = self.push(Type { kind, ..Type::default() })?;
        self.primitives.insert(kind, index);
        Ok(Known { index, depth: 0, blocked })
    }

    fn push(&mut self, ty: Type) -> Outcome<u32> {
        if self.types.len() >= TYPES_MAX {
            return Err(limit(&format!("the world has more than {TYPES_MAX} types")));
        }
        self.types.push(ty);
        Ok((self.types.len() - 1) as u32)
    }

    fn id(&mut self, id: TypeId) -> Outcome<Known> {
        let id = peel(self.resolve, id);
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let def = &self.resolve.types[id];
        self.nesting += 1;
        if self.nesting > TYPE_DEPTH_MAX {
            return Err(limit(&format!("a type is deeper than {TYPE_DEPTH_MAX}")));
        }
        let (ty, depth, blocked) = self.shape(def)?;
        self.nesting -= 1;
        if depth >= TYPE_DEPTH_MAX {
            return Err(limit(&format!("a type is deeper than {TYPE_DEPTH_MAX}")));
        }
        let is_resource = ty.kind == "resource";
        let docs = ty.docs.clone();
        let index = self.push(ty)?;
        if let Some(name) = &def.name
            && !is_resource
            && def.owner != TypeOwner::None
        {
            let interface = self.owner(def.owner);
            self.definitions.push(Definition { interface, name: name.clone(), r#type: index, docs });
        }
        let known = Known { index, depth, blocked };
        self.known.insert(id, known.clone());
        Ok(known)
    }

    /// The interface's name; empty for the world's own types; the bare key of an interface written inside the world.
    fn owner(&self, owner: TypeOwner) -> String {
        match owner {
            TypeOwner::Interface(id) => self.resolve.id_of(id).unwrap_or_else(|| self.inline_name(id)),
            _ => String::new(),
        }
    }

    fn inline_name(&self, id: InterfaceId) -> String {
        let world = &self.resolve.worlds[self.world];
        let mut items = world.imports.iter().chain(&world.exports);
        let found = items.find_map(|(key, item)| match (key, item) {
            (WorldKey::Name(name), WorldItem::Interface { id: other, .. }) if *other == id => Some(name.clone()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    fn shape(&mut self, def: &TypeDef) -> Outcome<(Type, u32, Option<String>)> {
        let mut parts = Parts { walk: self, depth: 0, blocked: None };
        let mut ty = Type { name: def.name.clone().unwrap_or_default(), docs: text(&def.docs), ..Type::default() };
        match &def.kind {
            TypeDefKind::Record(record) => {
                ty.kind = "record";
                for field in &record.fields {
                    ty.fields.push(parts.field(&field.name, Some(&field.ty), &field.docs)?);
                }
            }
            TypeDefKind::Variant(variant) => {
                ty.kind = "variant";
                for case in &variant.cases {
                    ty.fields.push(parts.field(&case.name, case.ty.as_ref(), &case.docs)?);
                }
            }
            TypeDefKind::Enum(cases) => {
                ty.kind = "enum";
                for case in &cases.cases {
                    ty.fields.push(parts.field(&case.name, None, &case.docs)?);
                }
            }
            TypeDefKind::Flags(flags) => {
                ty.kind = "flags";
                for flag in &flags.flags {
                    ty.fields.push(parts.field(&flag.name, None, &flag.docs)?);
                }
                if flags.flags.len() > 32 {
                    parts.block("flags of more than 32 are in no component");
                }
            }
            TypeDefKind::Tuple(tuple) => {
                ty.kind = "tuple";
                for part in &tuple.types {
                    ty.fields.push(parts.field("", Some(part), &Docs::default())?);
                }
                if tuple.types.is_empty() {
                    parts.block("an empty tuple is in no component");
                }
            }
            TypeDefKind::Option(inner) => {
                ty.kind = "option";
                ty.element = Some(parts.part(inner)?);
            }
            TypeDefKind::Result(result) => {
                ty.kind = "result";
                ty.element = result.ok.as_ref().map(|ok| parts.part(ok)).transpose()?;
                ty.error = result.err.as_ref().map(|err| parts.part(err)).transpose()?;
            }
            TypeDefKind::List(inner) => {
                ty.kind = "list";
                ty.element = Some(parts.part(inner)?);
            }
            TypeDefKind::FixedLengthList(inner, size) => {
                ty.kind = "list";
                ty.element = Some(parts.part(inner)?);
                ty.size = *size;
            }
            TypeDefKind::Map(key, value) => {
                ty.kind = "map";
                ty.element = Some(parts.part(key)?);
                ty.error = Some(parts.part(value)?);
            }
            TypeDefKind::Type(inner) => {
                // A name for a primitive; `peel` has followed all others.
                let known = parts.walk.value(inner)?;
                ty.kind = parts.walk.types[known.index as usize].kind;
                parts.blocked = known.blocked;
            }
            TypeDefKind::Resource => {
                ty.kind = "resource";
                parts.block(&format!("the resource '{}' does not cross", ty.name));
            }
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
                ty.kind = "resource";
                ty.name = parts.walk.resolve.types[*id].name.clone().unwrap_or_default();
                ty.size = u32::from(matches!(def.kind, TypeDefKind::Handle(Handle::Borrow(_))));
                parts.block(&format!("the resource '{}' does not cross", ty.name));
            }
            TypeDefKind::Future(_) | TypeDefKind::Stream(_) | TypeDefKind::Unknown => {
                ty.kind = "unsupported";
                parts.block(&format!("{} does not cross", def.kind.as_str()));
            }
        }
        let (depth, blocked) = (parts.depth, parts.blocked);
        Ok((ty, depth, blocked))
    }
}

/// The parts of one type, with what they say about the whole.
struct Parts<'w, 'a> {
    walk: &'w mut Walk<'a>,
    depth: u32,
    blocked: Option<String>,
}

impl Parts<'_, '_> {
    fn part(&mut self, ty: &wit_parser::Type) -> Outcome<u32> {
        let known = self.walk.value(ty)?;
        self.depth = self.depth.max(known.depth + 1);
        if let Some(what) = &known.blocked {
            self.block(what);
        }
        Ok(known.index)
    }

    fn field(&mut self, name: &str, ty: Option<&wit_parser::Type>, docs: &Docs) -> Outcome<Field> {
        let r#type = ty.map(|ty| self.part(ty)).transpose()?;
        Ok(Field { name: name.to_string(), r#type, docs: text(docs) })
    }

    fn block(&mut self, what: &str) {
        if self.blocked.is_none() {
            self.blocked = Some(what.to_string());
        }
    }
}

/// Follows other names of a type to the type itself.
fn peel(resolve: &Resolve, id: TypeId) -> TypeId {
    let mut id = id;
    while let TypeDefKind::Type(wit_parser::Type::Id(next)) = &resolve.types[id].kind {
        id = *next;
    }
    id
}
