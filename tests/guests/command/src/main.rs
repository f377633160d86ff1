//! A program as programs are: Rust's standard library and nothing else. Built for preview 1 and for WASI 0.2.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

/// Copies stdin as it comes.
fn cat() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut buffer = [0; 4096];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(()),
            size => output.write_all(&buffer[..size])?,
        }
        output.flush()?;
    }
}

fn shout() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        println!("{}", line?.to_uppercase());
    }
    Ok(())
}

fn yes() -> io::Result<()> {
    let mut output = io::stdout().lock();
    loop {
        output.write_all(b"y\n")?;
    }
}

fn flood(bytes: usize) -> io::Result<()> {
    let block = [b'x'; 1024];
    let mut output = io::stdout().lock();
    for _ in 0..bytes / block.len() {
        output.write_all(&block)?;
    }
    output.flush()
}

fn list(path: &str) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        names.push(format!("{} {}", entry.file_name().to_string_lossy(), entry.metadata()?.len()));
    }
    names.sort();
    names.iter().for_each(|name| println!("{name}"));
    Ok(())
}

fn files(folder: &str) -> io::Result<()> {
    let at = |name: &str| format!("{folder}/{name}");
    fs::create_dir(at("made"))?;
    fs::write(at("made/a"), "one\n")?;
    fs::OpenOptions::new().append(true).open(at("made/a"))?.write_all(b"two\n")?;
    fs::rename(at("made/a"), at("made/b"))?;
    print!("{}", fs::read_to_string(at("made/b"))?);
    println!("{}", fs::metadata(at("made/b"))?.len());
    list(&at("made"))?;
    fs::remove_file(at("made/b"))?;
    fs::remove_dir(at("made"))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let word = |at: usize| arguments.get(at).map_or("", String::as_str);
    let done = match word(1) {
        "cat" => cat(),
        "shout" => shout(),
        "yes" => yes(),
        "flood" => flood(word(2).parse().unwrap_or(0)),
        "args" => {
            arguments.iter().for_each(|argument| println!("{argument}"));
            Ok(())
        }
        "env" => {
            std::env::vars().for_each(|(name, value)| println!("{name}={value}"));
            Ok(())
        }
        "print" => {
            print!("{}", word(2));
            Ok(())
        }
        "exit" => {
            eprintln!("ending with {}", word(2));
            std::process::exit(word(2).parse().unwrap_or(99))
        }
        "list" => list(word(2)),
        "files" => files(word(2)),
        "read" => fs::read_to_string(word(2)).map(|text| print!("{text}")),
        "write" => fs::write(word(2), word(3)),
        "sleep" => {
            println!("asleep");
            std::thread::sleep(std::time::Duration::from_secs(word(2).parse().unwrap_or(0)));
            Ok(())
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        "panic" => panic!("\u{1b}[31mas asked"),
        other => Err(io::Error::other(format!("no such word: {other:?}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("command: {error}");
            ExitCode::FAILURE
        }
    }
}
