//! The canary as an ordinary program: the probes of authority, with the authority of whoever starts it.
//!
//!   canary NAME=VALUE...     runs every probe with these settings; one line "NAME<tab>ok|no<tab>detail" for each

#[path = "../../src/authority.rs"]
mod authority;
#[path = "../../src/network.rs"]
mod network;
#[path = "../../src/probe.rs"]
mod probe;

use probe::{Outcome, Probe, Settings};

const COMMAND: &[Probe] = &[Probe { name: "command", run: command }];

fn command(_: &Settings) -> Outcome {
    let output = std::process::Command::new("id").output().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn main() {
    let pairs = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.split_once('=').map(|(name, value)| (name.to_string(), value.to_string())));
    let settings = Settings::new(pairs);
    let all = || authority::PROBES.iter().chain(network::PROBES).chain(COMMAND);
    for probe in all() {
        let outcome = probe::run(all(), probe.name, &settings);
        let verdict = if outcome.is_ok() { "ok" } else { "no" };
        let detail = outcome.unwrap_or_else(|answer| answer);
        println!("{}\t{verdict}\t{}", probe.name, detail.escape_debug());
    }
}
