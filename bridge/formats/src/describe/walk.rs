//! From the validator's type tables to a `Contract`.

use super::{Contract, Field, Function, Item, Type};
use std::collections::HashMap;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType, ComponentFuncTypeId,
    ComponentInstanceTypeId, ComponentValType, ResourceId,
};
use wasmparser::types::{EntityType, TypesRef};
use wasmparser::{FuncType, PrimitiveValType, ValType};

struct Walk<'a> {
    types: TypesRef<'a>,
    table: Vec<Type>,
    primitives: HashMap<&'static str, u32>,
    defined: HashMap<ComponentDefinedTypeId, u32>,
    names: HashMap<ComponentDefinedTypeId, String>,
    resources: HashMap<ResourceId, String>,
}

pub fn component(types: TypesRef<'_>, imports: &[&str], exports: &[&str]) -> Contract {
    let mut walk = Walk {
        types,
        table: Vec::new(),
        primitives: HashMap::new(),
        defined: HashMap::new(),
        names: HashMap::new(),
        resources: HashMap::new(),
    };
    let entities = |names: &[&str], of: &dyn Fn(&str) -> Option<ComponentEntityType>| {
        names.iter().filter_map(|name| Some((name.to_string(), of(name)?))).collect::<Vec<_>>()
    };
    let imports = entities(imports, &|name| types.component_item_for_import(name).map(|item| item.ty));
    let exports = entities(exports, &|name| types.component_item_for_export(name).map(|item| item.ty));
    for (name, entity) in imports.iter().chain(&exports) {
        walk.collect_names(name, entity, 0);
    }
    let imports = imports.iter().map(|(name, entity)| walk.item(name, entity)).collect();
    let exports = exports.iter().map(|(name, entity)| walk.item(name, entity)).collect();
    Contract { kind: "component", types: walk.table, imports, exports, ..Contract::default() }
}

impl Walk<'_> {
    /// A type has its name from where it is exported or imported, not from where it is defined.
    fn collect_names(&mut self, name: &str, entity: &ComponentEntityType, depth: u32) {
        match entity {
            ComponentEntityType::Type { created: ComponentAnyTypeId::Defined(id), .. } => {
                self.names.entry(*id).or_insert_with(|| name.to_string());
            }
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
                self.resources.entry(id.resource()).or_insert_with(|| name.to_string());
            }
            ComponentEntityType::Instance(id) if depth < 8 => {
                let exports: Vec<_> = self.exports(*id);
                for (name, entity) in &exports {
                    self.collect_names(name, entity, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn exports(&self, id: ComponentInstanceTypeId) -> Vec<(String, ComponentEntityType)> {
        self.types[id].exports.iter().map(|(name, item)| (name.to_string(), item.ty)).collect()
    }

    fn item(&mut self, name: &str, entity: &ComponentEntityType) -> Item {
        let mut item = Item { kind: "other", name: name.to_string(), ..Item::default() };
        match entity {
            ComponentEntityType::Func(id) => {
                item.kind = "function";
                item.functions.push(self.function(name, *id));
            }
            ComponentEntityType::Instance(id) => {
                item.kind = "interface";
                item.type_text = "interface".to_string();
                for (name, entity) in self.exports(*id) {
                    match entity {
                        ComponentEntityType::Func(id) => item.functions.push(self.function(&name, id)),
                        ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(_), .. } => {
                            item.resources.push(name);
                        }
                        _ => {}
                    }
                }
            }
            ComponentEntityType::Module(_) => item.type_text = "core module".to_string(),
            ComponentEntityType::Component(_) => item.type_text = "component".to_string(),
            ComponentEntityType::Value(_) => item.type_text = "value".to_string(),
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(_), .. } => {
                item.type_text = "resource".to_string();
                item.resources.push(name.to_string());
            }
            ComponentEntityType::Type { .. } => item.type_text = "type".to_string(),
        }
        item
    }

    fn function(&mut self, name: &str, id: ComponentFuncTypeId) -> Function {
        let types = self.types;
        let function = &types[id];
        let params = function.params.iter().map(|(name, ty)| self.field(name.as_str(), Some(*ty))).collect();
        let result = function.result.map(|ty| self.value(ty));
        Function { name: name.to_string(), params, result, is_async: function.async_, ..Function::default() }
    }

    fn field(&mut self, name: &str, ty: Option<ComponentValType>) -> Field {
        Field { name: name.to_string(), r#type: ty.map(|ty| self.value(ty)), docs: String::new() }
    }

    fn push(&mut self, ty: Type) -> u32 {
        self.table.push(ty);
        (self.table.len() - 1) as u32
    }

    fn primitive(&mut self, kind: &'static str) -> u32 {
        if let Some(&known) = self.primitives.get(kind) {
            return known;
        }
        let index = self.push(Type { kind, ..Type::default() });
        self.primitives.insert(kind, index);
        index
    }

    /// Recursion is bounded by the validator, which limits the depth of types to 100.
    fn value(&mut self, ty: ComponentValType) -> u32 {
        let id = match ty {
            ComponentValType::Primitive(primitive) => return self.primitive(primitive_kind(primitive)),
            ComponentValType::Type(id) => id,
        };
        if let Some(&known) = self.defined.get(&id) {
            return known;
        }
        let mut ty = self.defined_type(id);
        if ty.kind != "resource" {
            ty.name = self.name_of(id);
        }
        let index = self.push(ty);
        self.defined.insert(id, index);
        index
    }

    fn name_of(&self, id: ComponentDefinedTypeId) -> String {
        let mut at = Some(id);
        while let Some(id) = at {
            if let Some(name) = self.names.get(&id) {
                return name.clone();
            }
            at = self.types.peel_alias(id);
        }
        String::new()
    }

    fn defined_type(&mut self, id: ComponentDefinedTypeId) -> Type {
        let types = self.types;
        let mut ty = Type { kind: "unsupported", ..Type::default() };
        let names = |names: &mut dyn Iterator<Item = String>| {
            names.map(|name| Field { name, ..Field::default() }).collect::<Vec<_>>()
        };
        match &types[id] {
            ComponentDefinedType::Primitive(primitive) => ty.kind = primitive_kind(*primitive),
            ComponentDefinedType::Record(record) => {
                ty.kind = "record";
                ty.fields = record.fields.iter().map(|(name, ty)| self.field(name.as_str(), Some(*ty))).collect();
            }
            ComponentDefinedType::Variant(variant) => {
                ty.kind = "variant";
                ty.fields = variant.cases.iter().map(|(name, case)| self.field(name.as_str(), case.ty)).collect();
            }
            ComponentDefinedType::List { element, .. } => {
                ty.kind = "list";
                ty.element = Some(self.value(*element));
            }
            ComponentDefinedType::FixedLengthList { element, length, .. } => {
                ty.kind = "list";
                ty.element = Some(self.value(*element));
                ty.size = *length;
            }
            ComponentDefinedType::Map { key, value, .. } => {
                ty.kind = "map";
                ty.element = Some(self.value(*key));
                ty.error = Some(self.value(*value));
            }
            ComponentDefinedType::Tuple(tuple) => {
                ty.kind = "tuple";
                ty.fields = tuple.types.iter().map(|ty| self.field("", Some(*ty))).collect();
            }
            ComponentDefinedType::Flags(flags) => {
                ty.kind = "flags";
                ty.fields = names(&mut flags.iter().map(|name| name.to_string()));
            }
            ComponentDefinedType::Enum(cases) => {
                ty.kind = "enum";
                ty.fields = names(&mut cases.iter().map(|name| name.to_string()));
            }
            ComponentDefinedType::Option { ty: inner, .. } => {
                ty.kind = "option";
                ty.element = Some(self.value(*inner));
            }
            ComponentDefinedType::Result { ok, err, .. } => {
                ty.kind = "result";
                ty.element = ok.map(|ty| self.value(ty));
                ty.error = err.map(|ty| self.value(ty));
            }
            ComponentDefinedType::Own(resource) => {
                ty.kind = "resource";
                ty.name = self.resources.get(&resource.resource()).cloned().unwrap_or_default();
            }
            ComponentDefinedType::Borrow(resource) => {
                ty.kind = "resource";
                ty.name = self.resources.get(&resource.resource()).cloned().unwrap_or_default();
                ty.size = 1;
            }
            ComponentDefinedType::Future { .. } | ComponentDefinedType::Stream { .. } => {}
        }
        ty
    }
}

fn primitive_kind(ty: PrimitiveValType) -> &'static str {
    match ty {
        PrimitiveValType::Bool => "bool",
        PrimitiveValType::S8 => "s8",
        PrimitiveValType::U8 => "u8",
        PrimitiveValType::S16 => "s16",
        PrimitiveValType::U16 => "u16",
        PrimitiveValType::S32 => "s32",
        PrimitiveValType::U32 => "u32",
        PrimitiveValType::S64 => "s64",
        PrimitiveValType::U64 => "u64",
        PrimitiveValType::F32 => "f32",
        PrimitiveValType::F64 => "f64",
        PrimitiveValType::Char => "char",
        PrimitiveValType::String => "string",
        PrimitiveValType::ErrorContext => "unsupported",
    }
}

pub fn module(types: TypesRef<'_>) -> Contract {
    let mut core = Core { types, table: Vec::new(), known: HashMap::new() };
    let imports = types.core_imports().into_iter().flatten();
    let imports = imports
        .map(|(module, name, entity)| {
            let mut item = core.item(name, &entity);
            item.name = format!("{module}.{name}");
            item.module = module.to_string();
            item
        })
        .collect();
    let exports = types.core_exports().into_iter().flatten().map(|(name, entity)| core.item(name, &entity)).collect();
    Contract { kind: "module", types: core.table, imports, exports, ..Contract::default() }
}

struct Core<'a> {
    types: TypesRef<'a>,
    table: Vec<Type>,
    known: HashMap<&'static str, u32>,
}

impl Core<'_> {
    fn item(&mut self, name: &str, entity: &EntityType) -> Item {
        let mut item = Item { kind: "other", name: name.to_string(), ..Item::default() };
        match entity {
            EntityType::Func(id) | EntityType::FuncExact(id) => {
                let types = self.types;
                if let wasmparser::CompositeInnerType::Func(function) = &types[*id].composite_type.inner {
                    item.kind = "function";
                    item.type_text = core_text(function);
                    item.functions.push(self.function(name, function));
                }
            }
            EntityType::Table(_) => item.type_text = "table".to_string(),
            EntityType::Memory(_) => item.type_text = "memory".to_string(),
            EntityType::Global(_) => item.type_text = "global".to_string(),
            EntityType::Tag(_) => item.type_text = "tag".to_string(),
        }
        item
    }

    fn function(&mut self, name: &str, ty: &FuncType) -> Function {
        let params = ty.params().iter().enumerate();
        let params =
            params.map(|(at, ty)| Field { name: format!("p{at}"), r#type: Some(self.value(*ty)), ..Field::default() });
        let params = params.collect();
        let result = match ty.results() {
            [] => None,
            [one] => Some(self.value(*one)),
            many => {
                let fields =
                    many.iter().map(|ty| Field { r#type: Some(self.value(*ty)), ..Field::default() }).collect();
                self.table.push(Type { kind: "tuple", fields, ..Type::default() });
                Some((self.table.len() - 1) as u32)
            }
        };
        Function { name: name.to_string(), params, result, ..Function::default() }
    }

    fn value(&mut self, ty: ValType) -> u32 {
        let kind = match ty {
            ValType::I32 => "s32",
            ValType::I64 => "s64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
            ValType::V128 | ValType::Ref(_) => "unsupported",
        };
        if let Some(&known) = self.known.get(kind) {
            return known;
        }
        self.table.push(Type { kind, ..Type::default() });
        let index = (self.table.len() - 1) as u32;
        self.known.insert(kind, index);
        index
    }
}

/// `(i32, i64) -> i32`
fn core_text(ty: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let params = format!("({})", list(ty.params()));
    match ty.results() {
        [] => params,
        [one] => format!("{params} -> {one}"),
        many => format!("{params} -> ({})", list(many)),
    }
}
