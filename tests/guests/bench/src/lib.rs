//! The guest of `make bench`: small functions, no imports.

wit_bindgen::generate!({ path: "wit" });

use exports::cordon::bench::calls::{Entry, Guest, Message};

struct Bench;

impl Guest for Bench {
    fn add(a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    fn echo_string(text: String) -> String {
        text
    }

    fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn echo_nested(message: Message) -> Message {
        message
    }

    fn echo_record(entry: Entry) -> Entry {
        entry
    }

    fn spin() {
        loop {
            std::hint::black_box(());
        }
    }

    fn fill(bytes: u32) {
        let mut memory = vec![1u8; bytes as usize];
        for byte in 0.. {
            std::hint::black_box(&mut memory).fill(byte);
        }
    }
}

export!(Bench);
