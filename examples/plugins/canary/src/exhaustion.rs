//! Probes of limits. None of them is run natively; most do not return.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use crate::probe::{Outcome, Probe, Settings};

pub const PROBES: &[Probe] = &[
    Probe { name: "memory", run: memory },
    Probe { name: "stack", run: stack },
    Probe { name: "stdout", run: stdout },
    Probe { name: "time", run: spin },
    Probe { name: "sleep", run: sleep },
];

/// Takes memory until there is none; then the allocator aborts.
fn memory(_: &Settings) -> Outcome {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![0xA5; 1 << 20]));
    }
}

/// Recursion with small frames, so that the engine's stack ends before the one that Rust keeps in memory.
fn stack(_: &Settings) -> Outcome {
    #[inline(never)]
    fn descend(depth: u64) -> u64 {
        if black_box(depth) == u64::MAX { 0 } else { descend(depth + 1) ^ depth }
    }
    Ok(descend(0).to_string())
}

/// 64 MiB without a newline. Writing succeeds; what counts is how much of it is kept.
fn stdout(_: &Settings) -> Outcome {
    let block = vec![b'x'; 1 << 16];
    for _ in 0..1024 {
        std::io::stdout().write_all(&block).map_err(|error| error.to_string())?;
    }
    Ok("wrote 64 MiB".into())
}

fn spin(_: &Settings) -> Outcome {
    loop {
        black_box(());
    }
}

fn sleep(_: &Settings) -> Outcome {
    std::thread::sleep(Duration::from_secs(u64::from(u32::MAX)));
    Ok("slept".into())
}
