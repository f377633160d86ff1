//! Somebody else changes the folder while the guest works in it.

use super::*;
use rustix::fs::{RenameFlags, renameat_with};
use std::sync::atomic::AtomicBool;

const ROUNDS: u32 = 10_000;

/// Swaps pairs of names, atomically and without end, until dropped.
struct Swapper(Arc<AtomicBool>, Option<std::thread::JoinHandle<u64>>);

impl Swapper {
    fn new(folder: &Folder, pairs: &'static [(&'static str, &'static str)]) -> Swapper {
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, dir) = (stop.clone(), folder_fd(&folder.at("")));
        let thread = std::thread::spawn(move || {
            let mut swaps = 0;
            while !seen.load(Ordering::Relaxed) {
                for (a, b) in pairs {
                    renameat_with(&dir, *a, &dir, *b, RenameFlags::EXCHANGE).unwrap();
                    swaps += 1;
                }
            }
            swaps
        });
        Swapper(stop, Some(thread))
    }

    fn stop(mut self) -> u64 {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap()
    }
}

#[test]
fn attack_135_swapping_folders_and_links_never_lets_a_guest_out() {
    let (outside, inside) = (Folder::new(), Folder::new());
    outside.file("secret", "outside").file("target", "outside").file("a", "outside");
    inside.folder("d").file("d/secret", "inside").file("d/a", "inside").link(outside.at(""), "d_out");
    inside.file("f", "inside").link(outside.at("secret"), "f_out");
    inside.file("g", "inside");
    rustix::fs::mknodat(
        folder_fd(&inside.at("")),
        "fifo",
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .unwrap();
    let swapper = Swapper::new(&inside, &[("d", "d_out"), ("f", "f_out"), ("g", "fifo")]);
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    let (mut reads, mut writes, mut refused) = (0, 0, 0);
    for round in 0..ROUNDS {
        for path in ["d/secret", "f"] {
            match g.read(0, path) {
                Ok(text) => {
                    assert_ne!(text, "outside", "escaped in round {round}");
                    reads += 1;
                }
                Err(_) => refused += 1,
            }
        }
        let made = match round % 8 {
            0 => g.open(0, "d/new", OpenFlags::CREATE | OpenFlags::TRUNCATE, Flags::WRITE).map(|f| g.close(f)),
            1 => g.open(0, "f", OpenFlags::TRUNCATE, Flags::WRITE).map(|f| g.close(f)),
            2 => g.rename((0, "d/a"), (0, "d/target")).and_then(|()| g.rename((0, "d/target"), (0, "d/a"))),
            3 => g.hard_link((0, "f"), (0, "d/linked")).and_then(|()| g.unlink(0, "d/linked")),
            4 => g.mkdir(0, "d/made").and_then(|()| g.rmdir(0, "d/made")),
            5 => g.symlink(0, "x", "d/sym").and_then(|()| g.unlink(0, "d/sym")),
            6 => g.touch(0, FOLLOW, "d/secret"),
            _ => g.open(0, "g", OpenFlags::TRUNCATE, Flags::WRITE).map(|f| g.close(f)),
        };
        writes += u32::from(made.is_ok());
        g.records();
    }
    let swaps = swapper.stop();
    assert_eq!(outside.names(""), ["a", "secret", "target"]);
    for name in ["a", "secret", "target"] {
        assert_eq!(outside.text(name), "outside");
        let meta = std::fs::metadata(outside.at(name)).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&meta), 1);
    }
    // The race was one: both sides of the swap were met, many times.
    assert!(swaps > u64::from(ROUNDS) / 4 && reads > 100 && refused > 100 && writes > 100);
}

/// A folder moved up while `..` is resolved below it: the kernel must not lose the root.
#[test]
fn attack_135_moving_folders_during_a_climb_never_lets_a_guest_out() {
    let outer = Folder::new();
    outer.folder("root/a/b/c/d").folder("x").file("secret", "outside").file("root/secret", "inside");
    let mount = Mount { dir: folder_fd(&outer.at("root")), guest_path: "/data".into(), writable: true };
    let swapper = Swapper::new(&outer, &[("root/a/b/c", "x")]);
    let mut g = Guest::new(vec![mount]);
    for round in 0..ROUNDS {
        if let Ok(text) = g.read(0, "a/b/c/d/../../../../secret") {
            assert_eq!(text, "inside", "escaped in round {round}");
        }
        if let Ok(text) = g.read(0, "a/b/c/../../../secret") {
            assert_eq!(text, "inside", "escaped in round {round}");
        }
        g.records();
    }
    assert!(swapper.stop() > 100);
}
