//! The conformance suite's guest as a command of preview 1.

fn main() -> std::process::ExitCode {
    conformance_common::command(&conformance_common::Bare)
}
