//! Turns guests into WebAssembly binaries, and checks and describes binaries.
//!
//!   assemble wat OUT IN.wat...        one binary for each text, into the folder OUT
//!   assemble component OUT IN.wasm    a core module with embedded WIT, made into a component
//!   assemble imports IN.wasm...       each binary is validated, and its imports and exports are printed
//!
//! A text whose first lines hold `;; guest: invalid` is assembled and not validated.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

type Result<T> = std::result::Result<T, String>;

fn describe(path: &Path) -> impl Fn(String) -> String + '_ {
    move |message| format!("{}: {message}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| describe(path)(e.to_string()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| describe(path)(e.to_string()))
}

fn validate(path: &Path, bytes: &[u8]) -> Result<()> {
    Validator::new_with_features(WasmFeatures::default())
        .validate_all(bytes)
        .map(|_| ())
        .map_err(|e| describe(path)(e.to_string()))
}

fn assemble(out: &Path, input: &Path) -> Result<()> {
    let text = String::from_utf8(read(input)?).map_err(|e| describe(input)(e.to_string()))?;
    let bytes = wat::parse_str(&text).map_err(|e| describe(input)(e.to_string()))?;
    if !text.lines().take(10).any(|line| line.trim() == ";; guest: invalid") {
        validate(input, &bytes)?;
    }
    let name = input.file_stem().ok_or("a path without a file name")?;
    write(&out.join(name).with_extension("wasm"), &bytes)
}

fn encode(out: &Path, input: &Path) -> Result<()> {
    let bytes = wit_component::ComponentEncoder::default()
        .module(&read(input)?)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|e| describe(input)(format!("{e:#}")))?;
    write(out, &bytes)
}

/// The outermost imports and exports, one a line.
fn print_surface(input: &Path) -> Result<()> {
    let bytes = read(input)?;
    validate(input, &bytes)?;
    println!("{} ({} bytes)", input.display(), bytes.len());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.map_err(|e| describe(input)(e.to_string()))? {
            Payload::Version { encoding: Encoding::Module | Encoding::Component, .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ImportSection(section) if depth == 1 => {
                for import in section.into_imports() {
                    let import = import.map_err(|e| e.to_string())?;
                    println!("  import {} {}", import.module, import.name);
                }
            }
            Payload::ExportSection(section) if depth == 1 => {
                for export in section {
                    println!("  export {}", export.map_err(|e| e.to_string())?.name);
                }
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    println!("  import {}", import.map_err(|e| e.to_string())?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    println!("  export {}", export.map_err(|e| e.to_string())?.name.name);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn run(arguments: &[PathBuf]) -> Result<()> {
    let (command, rest) = arguments.split_first().ok_or("usage: assemble wat|component|imports ...")?;
    match (command.to_str(), rest) {
        (Some("wat"), [out, inputs @ ..]) => {
            let failures: Vec<String> = inputs.iter().filter_map(|input| assemble(out, input).err()).collect();
            if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
        }
        (Some("component"), [out, input]) => encode(out, input),
        (Some("imports"), inputs) => inputs.iter().try_for_each(|input| print_surface(input)),
        _ => Err("usage: assemble wat|component|imports ...".into()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("assemble: {message}");
            ExitCode::FAILURE
        }
    }
}
