//! What every guest of the conformance suite does, whatever its kind. What a kind has a way of its own for is its
//! `Home`; the rest is Rust's standard library.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const MIB: usize = 1 << 20;
const READINGS: u32 = 10_000;

static COUNT: AtomicU32 = AtomicU32::new(0);

fn nowhere<T>(what: &str) -> Result<T, String> {
    Err(format!("this kind of guest has no {what}"))
}

/// The ways of one kind. What it has no way for, it leaves out.
pub trait Home {
    fn setting(&self, _key: &str) -> Result<Option<String>, String> {
        nowhere("settings")
    }
    fn put(&self, _key: &str, _value: &str) -> Result<(), String> {
        nowhere("state")
    }
    fn get(&self, _key: &str) -> Result<Option<String>, String> {
        nowhere("state")
    }
    /// A line of the level "warn".
    fn log(&self, _message: &str) -> Result<(), String> {
        nowhere("log")
    }
    fn print(&self, text: &str) -> Result<(), String> {
        told(io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()))
    }
    /// The body of what GET gives.
    fn fetch(&self, _url: &str) -> Result<String, String> {
        nowhere("http")
    }
}

/// That of a guest that knows preview 1 and nothing else.
pub struct Bare;
impl Home for Bare {}

fn told<T>(result: Result<T, impl Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

fn number(text: &str) -> Result<usize, String> {
    told(text.parse())
}

/// "first rest"
fn pair(input: &str) -> Result<(&str, &str), String> {
    input.split_once(' ').ok_or_else(|| "two words are needed".to_string())
}

/// Without a frame in its own memory: it is the engine's stack that ends.
#[inline(never)]
fn descend(depth: u32) -> u32 {
    if depth == 0 { 0 } else { descend(depth - 1).rotate_left(depth % 31) ^ depth }
}

fn stop() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort()
}

/// As many MiB, up to `wanted`, as can be had and touched.
fn grow(wanted: usize) -> usize {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    while kept.len() < wanted {
        let mut block = Vec::new();
        if block.try_reserve_exact(MIB).is_err() {
            break;
        }
        block.resize(MIB, 0xA5);
        kept.push(black_box(block));
    }
    kept.len()
}

fn flood(home: &impl Home, to: &str, kib: usize) -> Result<(), String> {
    let text = "x".repeat(1024);
    for _ in 0..kib {
        match to {
            "stderr" => told(io::stderr().write_all(text.as_bytes()))?,
            _ => home.print(&text)?,
        }
    }
    Ok(())
}

/// Nanoseconds since 1970, different readings of the other clock in a loop, and random bits.
fn clocks() -> Result<String, String> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let now = told(SystemTime::now().duration_since(UNIX_EPOCH))?.as_nanos();
    let start = Instant::now();
    let seen: HashSet<_> = (0..READINGS).map(|_| start.elapsed().as_nanos()).collect();
    let fine = seen.iter().filter(|&&reading| reading % 1_000_000 != 0).count();
    Ok(format!("{now} {} {fine} {:016x}", seen.len(), RandomState::new().build_hasher().finish()))
}

fn count() -> u32 {
    COUNT.fetch_add(1, Ordering::Relaxed) + 1
}

/// One behaviour, by its name.
pub fn run(home: &impl Home, behaviour: &str, input: &str) -> Result<String, String> {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_string());
    let done = |result: Result<(), String>| result.map(|()| "done".to_string());
    match behaviour {
        "echo" => Ok(input.to_string()),
        "fail" => Err(input.to_string()),
        "setting" => home.setting(input).map(or_none),
        "put" => pair(input).and_then(|(key, value)| done(home.put(key, value))),
        "get" => home.get(input).map(or_none),
        "log" => done(home.log(input)),
        "read" => told(fs::read_to_string(input)),
        "write" => pair(input).and_then(|(path, text)| done(told(fs::write(path, text)))),
        "fetch" => home.fetch(input),
        "spin" => loop {
            black_box(());
        },
        "grow" => number(input).map(|mib| grow(mib).to_string()),
        "flood" => pair(input).and_then(|(to, kib)| done(flood(home, to, number(kib)?))),
        "trap" => stop(),
        "recurse" => Ok(descend(100_000_000).to_string()),
        "count" => Ok(count().to_string()),
        "count-and-trap" => {
            count();
            stop()
        }
        "produce" => number(input).map(|kib| "x".repeat(kib << 10)),
        "environment" => Ok(std::env::vars().map(|(name, value)| format!("{name}={value};")).collect()),
        "clocks" => clocks(),
        "exit" => std::process::exit(number(input)? as i32),
        other => Err(format!("there is no behaviour {other:?}")),
    }
}

/// A program: the behaviour is its argument, the input its stdin, the answer its stdout, an error its stderr.
pub fn command(home: &impl Home) -> ExitCode {
    let behaviour = std::env::args().nth(1).unwrap_or_default();
    let mut input = String::new();
    let answer = told(io::stdin().read_to_string(&mut input)).and_then(|_| run(home, &behaviour, &input));
    match answer {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprint!("{text}");
            ExitCode::FAILURE
        }
    }
}
