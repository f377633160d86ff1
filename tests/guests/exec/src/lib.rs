//! The guest that runs programs. It imports nothing else.

wit_bindgen::generate!({
    path: ["../../../wit/cordon-exec", "wit"],
    world: "cordon:exec-guest/exec-guest",
    generate_all
});

use cordon::exec::runner::{self, Ending, Error, Options};
use exports::cordon::exec_guest::exec::{Ended, Guest};

struct ExecGuest;

impl Guest for ExecGuest {
    fn run(
        program: String,
        arguments: Vec<String>,
        directory: Option<String>,
        input: String,
        timeout_ms: Option<u32>,
    ) -> Result<Ended, String> {
        let options = Options { directory, stdin: input.into_bytes(), timeout_ms };
        let outcome = runner::run(&program, &arguments, &options).map_err(|error| match error {
            Error::AccessDenied(rule) => format!("access-denied {rule}"),
            Error::Other(text) => text,
        })?;
        Ok(Ended {
            how: match outcome.ended {
                Ending::Exited(status) => format!("exited {status}"),
                Ending::Signalled(signal) => format!("signalled {signal}"),
                Ending::TimedOut => "timed-out".into(),
            },
            bytes: (outcome.stdout.len() as u32, outcome.stderr.len() as u32),
            stdout: String::from_utf8_lossy(&outcome.stdout).chars().take(4000).collect(),
            stderr: String::from_utf8_lossy(&outcome.stderr).chars().take(4000).collect(),
            truncated: (outcome.stdout_truncated, outcome.stderr_truncated),
        })
    }

    fn many(program: String, count: u32, size: u32) -> Result<Ended, String> {
        let arguments = vec!["x".repeat(size as usize); count as usize];
        Self::run(program, arguments, None, String::new(), None)
    }
}

export!(ExecGuest);
