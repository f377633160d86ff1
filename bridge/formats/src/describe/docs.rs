//! Doc comments. The type tables of a component have none; they come from a folder of .wit source, or from the
//! `package-docs` custom section where a binary carries one. Docs are text to show, and decide nothing.

use super::{Contract, Function, Item, Type};
use crate::{Failure, Outcome, Status, on_a_deep_stack};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use wit_parser::{Docs, Resolve, TypeDefKind, TypeId, WorldItem, WorldKey};

const TEXT_MAX: usize = 16 << 10;
const FILES_MAX: usize = 256;
const FOLDER_BYTES_MAX: u64 = 4 << 20;

#[derive(Default)]
struct TypeDocs {
    docs: String,
    fields: HashMap<String, String>,
}

/// Of an interface; the empty name is the world itself.
#[derive(Default)]
struct InterfaceDocs {
    docs: String,
    functions: HashMap<String, String>,
    types: HashMap<String, TypeDocs>,
}

type Library = HashMap<String, InterfaceDocs>;

pub fn apply(contract: &mut Contract, package_docs: &[&[u8]], wit_folder: &str) -> Outcome<()> {
    if contract.kind != "component" {
        return Ok(());
    }
    if !wit_folder.is_empty() {
        annotate(contract, &on_a_deep_stack(|| from_folder(Path::new(wit_folder)))?);
    }
    for section in package_docs {
        annotate(contract, &from_section(section));
    }
    Ok(())
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim().to_string()
}

fn text(docs: &Docs) -> String {
    docs.contents.as_deref().map(cut).unwrap_or_default()
}

fn set(to: &mut String, from: &str) {
    if to.is_empty() {
        to.push_str(from);
    }
}

/// The full name, the name without a version, then the bare interface name (package-docs does not say its package).
fn find<'a>(library: &'a Library, name: &str) -> Option<&'a InterfaceDocs> {
    let unversioned = name.split('@').next().unwrap_or(name);
    let bare = unversioned.rsplit('/').next().unwrap_or(unversioned);
    [name, unversioned, bare].into_iter().find_map(|name| library.get(name))
}

fn annotate(contract: &mut Contract, library: &Library) {
    let Contract { types, imports, exports, .. } = contract;
    // Exports first: where a type is used on both sides, the plugin's own words win.
    for item in exports.iter_mut().chain(imports.iter_mut()) {
        let of = if item.kind == "interface" { item.name.as_str() } else { "" };
        if let Some(docs) = find(library, of) {
            annotate_item(item, types, docs);
        }
    }
}

fn annotate_item(item: &mut Item, types: &mut [Type], docs: &InterfaceDocs) {
    let is_interface = item.kind == "interface";
    if is_interface {
        set(&mut item.docs, &docs.docs);
    }
    let mut reached = HashSet::new();
    for function in &mut item.functions {
        if let Some(text) = docs.functions.get(&function.name) {
            set(&mut function.docs, text);
        }
        annotate_types(function, types, docs, &mut reached);
    }
    if !is_interface && let [function] = &item.functions[..] {
        let text = function.docs.clone();
        set(&mut item.docs, &text);
    }
}

fn annotate_types(function: &Function, types: &mut [Type], docs: &InterfaceDocs, reached: &mut HashSet<u32>) {
    let mut next: Vec<u32> = function.params.iter().filter_map(|param| param.r#type).chain(function.result).collect();
    while let Some(at) = next.pop() {
        if !reached.insert(at) {
            continue;
        }
        let ty = &mut types[at as usize];
        next.extend(ty.fields.iter().filter_map(|field| field.r#type).chain(ty.element).chain(ty.error));
        if let Some(known) = docs.types.get(&ty.name) {
            set(&mut ty.docs, &known.docs);
            for field in &mut ty.fields {
                if let Some(text) = known.fields.get(&field.name) {
                    set(&mut field.docs, text);
                }
            }
        }
    }
}

fn from_folder(folder: &Path) -> Outcome<Library> {
    let show = |error: &dyn std::fmt::Display| {
        Failure::new(Status::Syntax, format!("the WIT folder '{}' cannot be read: {error}", folder.display()))
    };
    let (mut files, mut bytes) = (0, 0);
    measure(folder, 0, &mut files, &mut bytes).map_err(|error| show(&error))?;
    if files > FILES_MAX || bytes > FOLDER_BYTES_MAX {
        let message = format!(
            "the WIT folder '{}' has more than {FILES_MAX} files or {} MiB",
            folder.display(),
            FOLDER_BYTES_MAX >> 20
        );
        return Err(Failure::new(Status::Limit, message));
    }
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(folder).map_err(|error| show(&format!("{error:#}")))?;
    let mut library = Library::new();
    for (id, interface) in resolve.interfaces.iter() {
        let Some(name) = resolve.id_of(id) else { continue };
        let docs = interface_docs(&resolve, interface);
        library.insert(name, docs);
    }
    for (_, world) in resolve.worlds.iter() {
        for (key, item) in world.exports.iter().chain(&world.imports) {
            world_item(&resolve, key, item, &mut library);
        }
    }
    Ok(library)
}

fn measure(folder: &Path, depth: u32, files: &mut usize, bytes: &mut u64) -> std::io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_symlink() || (!kind.is_dir() && !kind.is_file()) {
            return Err(std::io::Error::other(format!("'{}' is not a regular file", entry.path().display())));
        }
        *files += 1;
        if *files > FILES_MAX {
            return Ok(());
        }
        if kind.is_dir() && depth < 4 {
            measure(&entry.path(), depth + 1, files, bytes)?;
        } else if kind.is_file() {
            *bytes += entry.metadata()?.len();
        }
    }
    Ok(())
}

fn interface_docs(resolve: &Resolve, interface: &wit_parser::Interface) -> InterfaceDocs {
    let functions = interface.functions.iter().map(|(name, function)| (name.clone(), text(&function.docs)));
    InterfaceDocs {
        docs: text(&interface.docs),
        functions: functions.collect(),
        types: interface.types.iter().map(|(name, id)| (name.clone(), type_docs(resolve, *id))).collect(),
    }
}

fn world_item(resolve: &Resolve, key: &WorldKey, item: &WorldItem, library: &mut Library) {
    let WorldKey::Name(name) = key else { return };
    match item {
        WorldItem::Interface { id, .. } => {
            let docs = interface_docs(resolve, &resolve.interfaces[*id]);
            library.entry(name.clone()).or_insert(docs);
        }
        WorldItem::Function(function) => {
            let world = library.entry(String::new()).or_default();
            set(world.functions.entry(name.clone()).or_default(), &text(&function.docs));
        }
        WorldItem::Type { id, .. } => {
            let docs = type_docs(resolve, *id);
            library.entry(String::new()).or_default().types.entry(name.clone()).or_insert(docs);
        }
    }
}

/// Follows `use` to the type that has the comments.
fn type_docs(resolve: &Resolve, id: TypeId) -> TypeDocs {
    let mut docs = String::new();
    let mut id = id;
    for _ in 0..32 {
        let ty = &resolve.types[id];
        set(&mut docs, &text(&ty.docs));
        match &ty.kind {
            TypeDefKind::Type(wit_parser::Type::Id(next)) => id = *next,
            _ => break,
        }
    }
    let pair = |name: &String, docs: &Docs| (name.clone(), text(docs));
    let fields = match &resolve.types[id].kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|item| pair(&item.name, &item.docs)).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|item| pair(&item.name, &item.docs)).collect(),
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|item| pair(&item.name, &item.docs)).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|item| pair(&item.name, &item.docs)).collect(),
        _ => HashMap::new(),
    };
    TypeDocs { docs, fields }
}

/// The section is JSON after one byte of version. One that does not parse has no docs to give.
fn from_section(section: &[u8]) -> Library {
    let mut library = Library::new();
    let Some((0 | 1, json)) = section.split_first().map(|(version, json)| (*version, json)) else { return library };
    let Ok(root) = serde_json::from_slice::<Value>(json) else { return library };
    for (name, interface) in object(&root, "interfaces") {
        library.insert(name.clone(), section_interface(interface));
    }
    for (_, world) in object(&root, "worlds") {
        let own = section_interface(world);
        let to = library.entry(String::new()).or_default();
        to.functions.extend(own.functions);
        to.types.extend(own.types);
        for (name, docs) in object(world, "func_exports") {
            to.functions.insert(name.clone(), string(docs));
        }
        for part in ["interfaces", "interface_exports"] {
            for (name, interface) in object(world, part) {
                library.insert(name.clone(), section_interface(interface));
            }
        }
    }
    library
}

fn object<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// Docs are a string, or an object that has them.
fn string(value: &Value) -> String {
    value.as_str().or_else(|| value.get("docs").and_then(Value::as_str)).map(cut).unwrap_or_default()
}

fn section_interface(value: &Value) -> InterfaceDocs {
    let fields = |ty: &Value| object(ty, "items").map(|(name, docs)| (name.clone(), string(docs))).collect();
    InterfaceDocs {
        docs: string(value),
        functions: object(value, "funcs").map(|(name, docs)| (name.clone(), string(docs))).collect(),
        types: object(value, "types")
            .map(|(name, ty)| (name.clone(), TypeDocs { docs: string(ty), fields: fields(ty) }))
            .collect(),
    }
}
