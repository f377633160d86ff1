//! The conformance suite's guest as a command of WASI 0.2.

fn main() -> std::process::ExitCode {
    conformance_common::command(&conformance_wit_home::WitHome)
}
