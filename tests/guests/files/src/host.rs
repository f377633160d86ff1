//! Host calls with arguments that only an attacker chooses.

use wasip2::cli::stdout::get_stdout;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::poll;
use wasip2::random::random::get_random_bytes;

use crate::Files;
use crate::exports::cordon::files::host::Guest;

impl Guest for Files {
    fn random_bytes(length: u64) -> u64 {
        get_random_bytes(length).len() as u64
    }

    fn random_many(length: u64, times: u32) -> u64 {
        (0..times).map(|_| get_random_bytes(length).len() as u64).sum()
    }

    fn sleep(nanoseconds: u64) {
        subscribe_duration(nanoseconds).block();
    }

    fn poll_nothing() {
        poll(&[]);
    }

    fn many_pollables(count: u32) -> u32 {
        let kept: Vec<_> = (0..count).map(|_| subscribe_duration(1)).collect();
        kept.len() as u32
    }

    fn flood_stdout(bytes: u64, block: u32) -> u64 {
        let out = get_stdout();
        let content = vec![b'x'; block as usize];
        let mut written = 0;
        while written < bytes {
            let Ok(room) = out.check_write() else { break };
            if room == 0 {
                out.subscribe().block();
                continue;
            }
            let take = room.min(block.into()).min(bytes - written);
            if out.write(&content[..take as usize]).is_err() {
                break;
            }
            written += take;
        }
        let _ = out.flush();
        written
    }
}
