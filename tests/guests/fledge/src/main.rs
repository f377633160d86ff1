//! A plugin as authors write them for fledge: WASI preview 1, texts of JSON through `fledge`, and not a word of Cordon.

mod host {
    #[link(wasm_import_module = "fledge")]
    unsafe extern "C" {
        pub fn send(at: *const u8, bytes: i32);
        pub fn recv(at: *mut u8, max: i32) -> i32;
        pub fn exit(code: i32);
        #[cfg(feature = "exec")]
        pub fn exec(at: *const u8, bytes: i32) -> i32;
        #[cfg(feature = "store")]
        pub fn store_set(at: *const u8, bytes: i32);
        #[cfg(feature = "store")]
        pub fn store_get(at: *const u8, bytes: i32) -> i32;
        #[cfg(feature = "metadata")]
        pub fn metadata(at: *const u8, bytes: i32) -> i32;
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (c as u32) < 0x20 => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out + "\""
}

fn send(message: &str) {
    unsafe { host::send(message.as_ptr(), message.len() as i32) }
}

fn output(text: &str) {
    send(&format!("{{\"type\":\"output\",\"text\":{}}}", quoted(text)));
}

fn receive(max: usize) -> String {
    let mut buffer = vec![0; max];
    let size = unsafe { host::recv(buffer.as_mut_ptr(), max as i32) };
    buffer.truncate(size as usize);
    String::from_utf8(buffer).expect("UTF-8")
}

#[allow(dead_code)]
fn ask(function: unsafe extern "C" fn(*const u8, i32) -> i32, request: &str) -> String {
    let size = unsafe { function(request.as_ptr(), request.len() as i32) };
    receive(size as usize)
}

/// The texts behind `"args":[`, well enough for what the tests pass.
fn arguments(init: &str) -> Vec<String> {
    let Some(at) = init.find("\"args\":[") else { return Vec::new() };
    let mut found = Vec::new();
    let mut rest = init[at + 8..].chars();
    let mut word: Option<String> = None;
    while let Some(c) = rest.next() {
        match (&mut word, c) {
            (None, '"') => word = Some(String::new()),
            (None, ']') => break,
            (None, _) => {}
            (Some(_), '"') => found.extend(word.take()),
            (Some(text), '\\') => text.push(match rest.next() {
                Some('n') => '\n',
                Some('u') => {
                    let hex: String = rest.by_ref().take(4).collect();
                    u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32).unwrap_or('?')
                }
                Some(c) => c,
                None => break,
            }),
            (Some(text), c) => text.push(c),
        }
    }
    found
}

fn main() {
    let init = receive(1 << 20);
    let words = arguments(&init);
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    match word(0) {
        "init" => output(&init),
        "echo" => output(&format!("{}\n", words[1..].join(" "))),
        "lines" => words[1..].iter().for_each(|line| output(&format!("{line}\n"))),
        "argv" => output(&std::env::args().collect::<Vec<_>>().join("|")),
        "env" => output(&std::env::vars().map(|(name, value)| format!("{name}={value};")).collect::<String>()),
        "print" => {
            println!("for people");
            output("for the host");
        }
        "log" => send(&format!("{{\"type\":\"log\",\"level\":{},\"message\":{}}}", quoted(word(1)), quoted(word(2)))),
        "raw" => send(word(1)),
        "again" => output(&format!("<{}>", receive(64))),
        "exit" => unsafe { host::exit(word(1).parse().unwrap_or(0)) },
        "cat" => output(&std::fs::read_to_string(word(1)).unwrap_or_else(|error| format!("{error}\n"))),
        "write" => match std::fs::write(word(1), word(2)) {
            Ok(()) => output("written\n"),
            Err(error) => output(&format!("{error}\n")),
        },
        "flood" => (0..word(1).parse().unwrap_or(0)).for_each(|_| output(&"x".repeat(1000))),
        "spin" => loop {
            std::hint::black_box(0);
        },
        #[cfg(feature = "exec")]
        "exec" => {
            let cwd = words.get(2).map(|cwd| format!(",\"cwd\":{}", quoted(cwd))).unwrap_or_default();
            let timeout = words.get(3).map(|seconds| format!(",\"timeout\":{seconds}")).unwrap_or_default();
            output(&ask(host::exec, &format!("{{\"command\":{}{cwd}{timeout}}}", quoted(word(1)))));
        }
        #[cfg(feature = "exec")]
        "twice" => {
            let first = format!("{{\"command\":{}}}", quoted(word(1)));
            unsafe { host::exec(first.as_ptr(), first.len() as i32) };
            output(&ask(host::exec, &format!("{{\"command\":{}}}", quoted(word(2)))));
        }
        #[cfg(feature = "exec")]
        "exec-raw" => output(&ask(host::exec, word(1))),
        #[cfg(feature = "store")]
        "set" => {
            let value =
                if word(3).is_empty() { word(2).to_string() } else { word(2).repeat(word(3).parse().unwrap_or(1)) };
            let request = format!("{{\"key\":{},\"value\":{}}}", quoted(word(1)), quoted(&value));
            unsafe { host::store_set(request.as_ptr(), request.len() as i32) }
        }
        #[cfg(feature = "store")]
        "set-raw" => unsafe { host::store_set(word(1).as_ptr(), word(1).len() as i32) },
        #[cfg(feature = "store")]
        "fill" => {
            for number in 0..word(1).parse().unwrap_or(0) {
                let request = format!(
                    "{{\"key\":\"k{number}\",\"value\":{}}}",
                    quoted(&"v".repeat(word(2).parse().unwrap_or(1)))
                );
                unsafe { host::store_set(request.as_ptr(), request.len() as i32) }
            }
        }
        #[cfg(feature = "store")]
        "get" => output(&ask(host::store_get, word(1))),
        #[cfg(feature = "metadata")]
        "metadata" => {
            let keys: Vec<String> = words[1..].iter().map(|key| quoted(key)).collect();
            output(&ask(host::metadata, &format!("[{}]", keys.join(","))));
        }
        #[cfg(feature = "metadata")]
        "metadata-raw" => output(&ask(host::metadata, word(1))),
        other => {
            eprintln!("no such word: {other}");
            std::process::exit(2);
        }
    }
}
