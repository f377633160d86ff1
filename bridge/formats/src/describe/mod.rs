//! What a WebAssembly binary imports and exports, as a JSON document that src/formats/wit.cc reads.
//!
//! Order matters: first what costs nothing (the header, then a scan that only counts), then validation, then the
//! types, which come from the validator's own tables and so cannot differ from what the engine will see.

mod docs;
mod scan;
mod sniff;
mod walk;

use crate::{Failure, Outcome, Status};
use serde::Serialize;
use wasmparser::{Parser, Payload, ValidPayload, Validator, WasmFeatures};

const FUNCTIONS_MAX: u32 = 50_000;

/// A type, a function and an item, as `wit.h` has them.
#[derive(Serialize, Default)]
pub struct Type {
    pub kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub docs: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<u32>,
    #[serde(skip_serializing_if = "is_zero")]
    pub size: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Serialize, Default)]
pub struct Field {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

#[derive(Serialize, Default)]
pub struct Function {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub docs: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_async: bool,
}

#[derive(Serialize, Default)]
pub struct Item {
    pub kind: &'static str,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub module: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub docs: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub type_text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Function>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
}

#[derive(Serialize, Default)]
pub struct Contract {
    pub kind: &'static str,
    pub types: Vec<Type>,
    pub imports: Vec<Item>,
    pub exports: Vec<Item>,
    pub function_count: u64,
    pub data_bytes: u64,
    pub has_start: bool,
}

/// The features of the engine (bridge/engine): finished proposals, without those that Cordon keeps off.
pub fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::FLOATS
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::GC_TYPES // without it externref is unknown; the gc proposal itself stays off
        | WasmFeatures::COMPONENT_MODEL
}

pub fn describe(wasm: &[u8], max_functions: u32, wit_folder: &str) -> Outcome<String> {
    sniff::check(wasm)?;
    let scan = scan::scan(wasm, max_functions)?;
    let mut contract = validate(wasm)?;
    contract.function_count = scan.functions;
    contract.data_bytes = scan.data_bytes;
    contract.has_start = scan.has_start;
    docs::apply(&mut contract, &scan.package_docs, wit_folder)?;
    serde_json::to_string(&contract).map_err(|error| Failure::new(Status::Panic, error.to_string()))
}

/// The limits of `describe` for a binary whose world is read instead, and its `package-docs`.
pub fn check_binary(wasm: &[u8]) -> Outcome<Vec<&[u8]>> {
    sniff::check(wasm)?;
    if !Parser::is_component(wasm) {
        return Err(Failure::new(Status::Invalid, "it is a core module, and has no world"));
    }
    let scan = scan::scan(wasm, FUNCTIONS_MAX)?;
    validate(wasm)?;
    Ok(scan.package_docs)
}

/// Gives the doc comments of `package-docs` sections to what has none.
pub fn annotate_world(contract: &mut Contract, package_docs: &[&[u8]]) {
    // Without a folder there is nothing that can fail.
    let _ = docs::apply(contract, package_docs, "");
}

fn compile_error(error: wasmparser::Error) -> Failure {
    // `Display` adds the offset, which is what people look for in a binary.
    Failure::new(Status::Compile, format!("the binary does not validate: {error}"))
}

fn validate(wasm: &[u8]) -> Outcome<Contract> {
    let mut validator = Validator::new_with_features(features());
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let (mut depth, mut types) = (0usize, None);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(compile_error)?;
        if let Payload::Version { .. } = payload {
            depth += 1;
        }
        match validator.payload(&payload).map_err(compile_error)? {
            ValidPayload::Func(function, body) => {
                let mut function = function.into_validator(allocations);
                function.validate(&body).map_err(compile_error)?;
                allocations = function.into_allocations();
            }
            ValidPayload::End(ended) => {
                depth -= 1;
                if depth == 0 {
                    types = Some(ended);
                }
            }
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        match payload {
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import.map_err(compile_error)?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    exports.push(export.map_err(compile_error)?.name.name);
                }
            }
            _ => {}
        }
    }
    let types = types.ok_or_else(|| Failure::new(Status::NotWasm, "the binary ends too soon"))?;
    Ok(if Parser::is_component(wasm) {
        walk::component(types.as_ref(), &imports, &exports)
    } else {
        walk::module(types.as_ref())
    })
}

#[cfg(test)]
mod tests;
