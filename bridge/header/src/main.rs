//! Writes include/cordon_bridge.h from the sources of `abi`, or with `--check` fails when the committed one differs.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // As cargo says at run time: what is compiled in is the tree of whoever shares the target folder.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this");
    let bridge = Path::new(&own).parent().expect("the workspace folder");
    let config = cbindgen::Config::from_file(bridge.join("header/cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["lib", "boundary", "types", "code", "network", "call"] {
        builder = builder.with_src(bridge.join(format!("abi/src/{file}.rs")));
    }
    let mut text = Vec::new();
    builder.generate().expect("the header").write(&mut text);
    let path = bridge.join("include/cordon_bridge.h");
    if std::env::args().any(|a| a == "--check") {
        if std::fs::read(&path).ok().as_deref() == Some(text.as_slice()) {
            return ExitCode::SUCCESS;
        }
        eprintln!("{} is stale: run `cargo run -p cordon-header` in bridge/ and commit it", path.display());
        return ExitCode::FAILURE;
    }
    std::fs::write(&path, text).expect("the header is written");
    ExitCode::SUCCESS
}
