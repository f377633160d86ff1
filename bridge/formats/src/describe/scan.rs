//! A scan that only counts, before anything is paid for. Counts are taken from section headers, so a module that
//! claims more than it has is refused for its claim.

use super::features;
use crate::{Failure, Outcome, Status};
use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType, ComponentTypeRef, CoreType,
    Parser, Payload,
};

const DATA_SEGMENTS_MAX: u64 = 100_000;
const DEFINITIONS_MAX: u64 = 100_000; // types, imports, exports, globals, elements: of each kind, over all modules
const NESTED_MAX: u64 = 1_000; // modules, components and instances
const NESTING_MAX: u32 = 32;
const TYPE_NESTING_MAX: u32 = 32;
const PACKAGE_DOCS_BYTES_MAX: usize = 1 << 20;

#[derive(Default)]
pub struct Scan<'a> {
    pub functions: u64,
    /// Of data sections.
    pub data_bytes: u64,
    pub has_start: bool,
    /// `package-docs` custom sections, of the outermost component first.
    pub package_docs: Vec<&'a [u8]>,
    data: u64,
    types: u64,
    imports: u64,
    exports: u64,
    globals: u64,
    elements: u64,
    nested: u64,
}

fn malformed(error: wasmparser::Error) -> Failure {
    Failure::new(Status::NotWasm, format!("not a well-formed WebAssembly binary (cut off or garbled): {error}"))
}

fn add(total: &mut u64, count: u32, max: u64, what: &str) -> Outcome<()> {
    *total += u64::from(count);
    if *total > max {
        return Err(Failure::new(Status::CompileLimit, format!("it has {total} {what} or more; the limit is {max}")));
    }
    Ok(())
}

pub fn scan(wasm: &[u8], max_functions: u32) -> Outcome<Scan<'_>> {
    let mut scan = Scan::default();
    let mut parser = Parser::new(0);
    parser.set_features(features());
    let mut depth = 0u32;
    for payload in parser.parse_all(wasm) {
        let payload = payload.map_err(malformed)?;
        match payload {
            Payload::Version { .. } => {
                depth += 1;
                if depth > NESTING_MAX {
                    let message = format!("components are nested deeper than {NESTING_MAX}");
                    return Err(Failure::new(Status::CompileLimit, message));
                }
            }
            Payload::End(_) => depth -= 1,
            Payload::ComponentTypeSection(section) => {
                add(&mut scan.types, section.count(), DEFINITIONS_MAX, "types")?;
                let start = section.original_position();
                let body = wasm.get(start..section.range().end).unwrap_or_default();
                let mut reader = BinaryReader::new_features(body, start, features());
                for _ in 0..section.count() {
                    component_type(&mut reader, 0)?;
                }
            }
            other => scan.count(&other, max_functions)?,
        }
    }
    Ok(scan)
}

impl<'a> Scan<'a> {
    fn count(&mut self, payload: &Payload<'a>, max_functions: u32) -> Outcome<()> {
        match payload {
            Payload::FunctionSection(section) => {
                add(&mut self.functions, section.count(), u64::from(max_functions), "functions")
            }
            Payload::CodeSectionStart { count, .. } => {
                let mut alone = 0;
                add(&mut alone, *count, u64::from(max_functions), "functions")
            }
            Payload::DataSection(section) => {
                self.data_bytes += section.range().len() as u64;
                add(&mut self.data, section.count(), DATA_SEGMENTS_MAX, "data segments")
            }
            Payload::DataCountSection { count, .. } => {
                let mut alone = 0;
                add(&mut alone, *count, DATA_SEGMENTS_MAX, "data segments")
            }
            Payload::TypeSection(section) => add(&mut self.types, section.count(), DEFINITIONS_MAX, "types"),
            Payload::CoreTypeSection(section) => add(&mut self.types, section.count(), DEFINITIONS_MAX, "types"),
            Payload::ImportSection(section) => add(&mut self.imports, section.count(), DEFINITIONS_MAX, "imports"),
            Payload::ComponentImportSection(section) => {
                add(&mut self.imports, section.count(), DEFINITIONS_MAX, "imports")
            }
            Payload::ExportSection(section) => add(&mut self.exports, section.count(), DEFINITIONS_MAX, "exports"),
            Payload::ComponentExportSection(section) => {
                add(&mut self.exports, section.count(), DEFINITIONS_MAX, "exports")
            }
            Payload::GlobalSection(section) => add(&mut self.globals, section.count(), DEFINITIONS_MAX, "globals"),
            Payload::ElementSection(section) => {
                add(&mut self.elements, section.count(), DEFINITIONS_MAX, "element segments")
            }
            Payload::InstanceSection(section) => add(&mut self.nested, section.count(), NESTED_MAX, "instances"),
            Payload::ComponentInstanceSection(section) => {
                add(&mut self.nested, section.count(), NESTED_MAX, "instances")
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                add(&mut self.nested, 1, NESTED_MAX, "nested modules")
            }
            Payload::StartSection { .. } | Payload::ComponentStartSection { .. } => {
                self.has_start = true;
                Ok(())
            }
            Payload::CustomSection(section)
                if section.name() == "package-docs" && section.data().len() <= PACKAGE_DOCS_BYTES_MAX =>
            {
                self.package_docs.push(section.data());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Walks one component type. The library's reader recurses without a bound over types inside types, so it is only
/// given those that hold none.
fn component_type(reader: &mut BinaryReader<'_>, depth: u32) -> Outcome<()> {
    if depth > TYPE_NESTING_MAX {
        let message = format!("component types are nested deeper than {TYPE_NESTING_MAX}");
        return Err(Failure::new(Status::CompileLimit, message));
    }
    let tag = reader.clone().read_u8().map_err(malformed)?;
    if tag != 0x41 && tag != 0x42 {
        reader.read::<ComponentType<'_>>().map_err(malformed)?;
        return Ok(());
    }
    reader.read_u8().map_err(malformed)?;
    let declarations = reader.read_var_u32().map_err(malformed)?;
    for _ in 0..declarations {
        match reader.read_u8().map_err(malformed)? {
            0x00 => reader.read::<CoreType<'_>>().map(drop).map_err(malformed)?,
            0x01 => component_type(reader, depth + 1)?,
            0x02 => reader.read::<ComponentAlias<'_>>().map(drop).map_err(malformed)?,
            0x03 if tag == 0x41 => reader.read::<ComponentImport<'_>>().map(drop).map_err(malformed)?,
            0x04 => {
                reader.read::<ComponentExternName<'_>>().map_err(malformed)?;
                reader.read::<ComponentTypeRef>().map_err(malformed)?;
            }
            other => {
                let message = format!("not a well-formed WebAssembly binary: unknown type declaration {other:#x}");
                return Err(Failure::new(Status::NotWasm, message));
            }
        }
    }
    Ok(())
}
