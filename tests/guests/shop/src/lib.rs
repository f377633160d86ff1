//! A guest of the embedding tests: it imports an interface of the embedding program, and nothing else.

use std::sync::atomic::{AtomicU32, Ordering};

wit_bindgen::generate!({ path: "wit" });

use acme::shop::prices;
use exports::acme::shop::till::{Article, Guest};

struct Shop;

static CALLS: AtomicU32 = AtomicU32::new(0);

impl Guest for Shop {
    fn greet(name: String) -> String {
        format!("hello, {name}")
    }

    fn add(a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    fn price(article: String) -> Option<u32> {
        prices::price_of(&article)
    }

    fn describe(article: String) -> Result<Article, String> {
        prices::describe(&article)
    }

    fn total(amounts: Vec<u32>) -> u64 {
        prices::total(&amounts)
    }

    fn ask_often(times: u32) -> u32 {
        (0..times).filter(|_| prices::price_of("shoes").is_some()).count() as u32
    }

    fn blocked() {
        prices::wait();
    }

    fn failing() {
        prices::fail();
    }

    fn echo(articles: Vec<Article>) -> Vec<Article> {
        articles
    }

    fn length(text: String) -> u32 {
        text.len() as u32
    }

    fn spin() {
        loop {
            std::hint::black_box(());
        }
    }

    fn trap() {
        core::arch::wasm32::unreachable()
    }

    fn count() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }
}

export!(Shop);
