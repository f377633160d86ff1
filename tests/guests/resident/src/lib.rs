//! The guest that stays: it counts, gives its count away and takes it back, and falls on demand.

wit_bindgen::generate!({
    path: ["../../../wit/cordon-lifecycle", "wit"],
    world: "cordon:resident-guest/resident-guest",
    generate_all
});

use std::sync::Mutex;
use std::time::Duration;

use exports::cordon::lifecycle::{liveness, state};
use exports::cordon::resident_guest::counter;

struct Resident;

struct Kept {
    sum: u64,
    mood: String,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { sum: 0, mood: String::new() });

fn spin() -> ! {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n).wrapping_add(1);
    }
}

impl counter::Guest for Resident {
    fn add(n: u64) -> u64 {
        let mut kept = KEPT.lock().unwrap();
        kept.sum += n;
        kept.sum
    }
    fn complain() -> Result<u64, String> {
        Err("the plugin itself says no".into())
    }
    fn crash() {
        panic!("it crashes on demand")
    }
    fn spin() {
        spin()
    }
    fn leave(status: u8) {
        std::process::exit(status.into())
    }
    fn rest(ms: u32) -> u64 {
        std::thread::sleep(Duration::from_millis(ms.into()));
        KEPT.lock().unwrap().sum
    }
    fn mood(what: String) {
        KEPT.lock().unwrap().mood = what
    }
}

impl state::Guest for Resident {
    fn snapshot() -> Result<Vec<u8>, String> {
        let kept = KEPT.lock().unwrap();
        match kept.mood.as_str() {
            "silent" => Err("there is nothing to tell".into()),
            "snapshot-crash" => panic!("a snapshot that crashes"),
            "snapshot-hang" => spin(),
            "huge" => Ok(vec![b'1'; 2 << 20]),
            // What restore does with these is up to it.
            "sour" | "poison" | "slow-poison" => Ok(format!("{} {}", kept.mood, kept.sum).into_bytes()),
            _ => Ok(kept.sum.to_string().into_bytes()),
        }
    }
    fn restore(state: Vec<u8>) -> Result<(), String> {
        let text = String::from_utf8(state).map_err(|_| "not UTF-8")?;
        if text.starts_with("sour") {
            return Err("it tastes sour".into());
        }
        if text.starts_with("poison") {
            panic!("a state that crashes its reader")
        }
        if text.starts_with("slow-poison") {
            spin()
        }
        KEPT.lock().unwrap().sum = text.parse().map_err(|_| "not a number")?;
        Ok(())
    }
}

impl liveness::Guest for Resident {
    fn alive() -> Result<(), String> {
        let mood = KEPT.lock().unwrap().mood.clone();
        match mood.as_str() {
            "sick" => Err("it feels sick".into()),
            "hung" => spin(),
            "dead" => panic!("it is not alive"),
            _ => Ok(()),
        }
    }
}

export!(Resident);
