//! What a plugin does besides computing.

use std::collections::HashSet;
use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Conformance;
use crate::exports::cordon::conformance::behaviour::Guest;

static COUNT: AtomicU32 = AtomicU32::new(0);

fn text<T>(result: std::io::Result<T>) -> Result<T, String> {
    result.map_err(|e| e.to_string())
}

#[inline(never)]
fn innermost() {
    black_box(());
    core::arch::wasm32::unreachable()
}

#[inline(never)]
fn middle() {
    innermost();
    black_box(());
}

/// Without a frame in its own memory: it is the engine's stack that ends.
#[inline(never)]
fn descend(depth: u32) -> u32 {
    if depth == 0 { 0 } else { descend(depth - 1).rotate_left(depth % 31) ^ depth }
}

/// Random bytes as every Rust program gets them: from the seeds of its hash maps.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

impl Guest for Conformance {
    fn fail(message: String) -> Result<String, String> {
        Err(message)
    }

    fn environment() -> Vec<(String, String)> {
        std::env::vars().collect()
    }

    fn arguments() -> Vec<String> {
        std::env::args().collect()
    }

    fn wall_clock() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
    }

    fn clock_steps(readings: u32) -> (u64, u32) {
        let start = Instant::now();
        let seen: HashSet<Duration> = (0..readings).map(|_| start.elapsed()).collect();
        (start.elapsed().as_nanos() as u64, seen.len() as u32)
    }

    fn random(length: u32) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| seed().to_le_bytes()).take(length as usize).collect()
    }

    fn read_file(path: String) -> Result<Vec<u8>, String> {
        text(fs::read(path))
    }

    fn write_file(path: String, content: Vec<u8>) -> Result<(), String> {
        text(fs::write(path, content))
    }

    fn append_file(path: String, content: Vec<u8>) -> Result<(), String> {
        text(fs::OpenOptions::new().append(true).create(true).open(path).and_then(|mut f| f.write_all(&content)))
    }

    fn remove_file(path: String) -> Result<(), String> {
        text(fs::remove_file(path))
    }

    fn rename(source: String, target: String) -> Result<(), String> {
        text(fs::rename(source, target))
    }

    fn make_folder(path: String) -> Result<(), String> {
        text(fs::create_dir(path))
    }

    fn list_folder(path: String) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        for entry in text(fs::read_dir(path))? {
            names.push(text(entry)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn stat(path: String) -> Result<(u64, bool), String> {
        text(fs::metadata(path)).map(|m| (m.len(), m.is_dir()))
    }

    fn print(message: String) {
        let _ = std::io::stdout().write_all(message.as_bytes()).and_then(|()| std::io::stdout().flush());
    }

    fn print_error(message: String) {
        let _ = std::io::stderr().write_all(message.as_bytes());
    }

    fn read_input() -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut bytes);
        bytes
    }

    fn trap() {
        middle();
    }

    fn panic(message: String) {
        panic!("{message}");
    }

    fn recurse(depth: u32) -> u32 {
        descend(depth)
    }

    fn sleep(milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }

    fn spin() {
        loop {
            black_box(());
        }
    }

    fn grow(bytes: u64) -> u64 {
        const STEP: usize = 1 << 20;
        let mut kept: Vec<Vec<u8>> = Vec::new();
        let mut total = 0;
        while total < bytes {
            let mut block = Vec::new();
            if block.try_reserve_exact(STEP).is_err() {
                break;
            }
            block.resize(STEP, 0xA5);
            kept.push(black_box(block));
            total += STEP as u64;
        }
        total
    }

    fn exit(code: u8) {
        std::process::exit(code.into());
    }

    fn count() -> u32 {
        COUNT.fetch_add(1, Ordering::Relaxed) + 1
    }
}
