//! Assembles the kernel of Extism's plugins.

use std::path::Path;

fn main() {
    let source = "src/extism/kernel.wat";
    println!("cargo::rerun-if-changed={source}");
    let wasm = wat::parse_file(source).unwrap_or_else(|error| panic!("{error}"));
    let folder = std::env::var("OUT_DIR").expect("cargo names the folder");
    std::fs::write(Path::new(&folder).join("kernel.wasm"), wasm).expect("the folder can be written");
}
