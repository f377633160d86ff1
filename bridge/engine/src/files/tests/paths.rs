//! What a path may reach.

use super::*;
use crate::files::reason;
use rustix::fs::{FileType, Mode, mknodat};
use std::time::{Duration, Instant};

fn tree() -> (Folder, Folder) {
    let (outside, inside) = (Folder::new(), Folder::new());
    outside.file("secret", "secret").folder("folder").file("folder/secret", "secret");
    inside.folder("sub/deep").file("file", "inside").file("sub/file", "inside");
    (outside, inside)
}

#[test]
fn attack_134_paths_that_leave_are_refused_before_the_host_is_asked() {
    let (_outside, inside) = tree();
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    let cases = [
        ("..", ErrorCode::NotPermitted, reason::BENEATH),
        ("../secret", ErrorCode::NotPermitted, reason::BENEATH),
        ("sub/../../secret", ErrorCode::NotPermitted, reason::BENEATH),
        ("/etc/passwd", ErrorCode::NotPermitted, reason::BENEATH),
        ("/", ErrorCode::NotPermitted, reason::BENEATH),
        ("", ErrorCode::NoEntry, reason::PATH),
        ("file\0", ErrorCode::Invalid, reason::PATH),
        (&"x".repeat(5000), ErrorCode::NameTooLong, reason::PATH),
        (&"x/".repeat(2500), ErrorCode::NameTooLong, reason::PATH),
    ];
    for (path, code, reason) in cases {
        for flags in [FOLLOW, keep()] {
            assert_eq!(g.open_at(0, flags, path, OpenFlags::empty(), Flags::READ).unwrap_err(), code, "{path}");
            assert_eq!(g.stat(0, flags, path).unwrap_err(), code);
            assert_eq!(g.touch(0, flags, path).unwrap_err(), code);
        }
        assert_eq!(g.open(0, path, OpenFlags::CREATE, Flags::WRITE).unwrap_err(), code);
        assert_eq!(g.mkdir(0, path).unwrap_err(), code);
        assert_eq!(g.rmdir(0, path).unwrap_err(), code);
        assert_eq!(g.unlink(0, path).unwrap_err(), code);
        assert_eq!(g.symlink(0, "file", path).unwrap_err(), code);
        assert_eq!(g.rename((0, path), (0, "new")).unwrap_err(), code);
        assert_eq!(g.rename((0, "file"), (0, path)).unwrap_err(), code);
        assert_eq!(g.hard_link((0, path), (0, "new")).unwrap_err(), code);
        assert_eq!(g.hard_link((0, "file"), (0, path)).unwrap_err(), code);
        assert_eq!(g.call(async |v| v.readlink_at(fd(0), path.into()).await).unwrap_err(), code);
        let records = g.records();
        assert_eq!(records.len(), 16, "one denial for each operation, and nothing else: {records:?}");
        assert!(records.iter().all(|r| matches!(r, Record::Refused(_, is) if *is == reason)), "{path}: {records:?}");
    }
    assert_eq!(inside.names(""), ["file", "sub"]);
}

#[test]
fn attack_134_a_descriptor_is_a_root_of_its_own() {
    let (_outside, inside) = tree();
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    let sub = g.open(0, "sub", OpenFlags::DIRECTORY, Flags::READ).unwrap();
    assert_eq!(g.read(sub, "../file").unwrap_err(), ErrorCode::NotPermitted);
    assert_eq!(g.read(sub, "deep/../file").unwrap(), "inside");
    assert_eq!(g.read(sub, "./deep/.././file").unwrap(), "inside");
}

#[test]
fn attack_134_links_that_leave_are_refused_and_others_work() {
    let (outside, inside) = tree();
    let up = format!("../../{}/secret", outside.at("").file_name().unwrap().to_str().unwrap());
    inside
        .link(outside.at("secret"), "absolute")
        .link("/etc/passwd", "passwd")
        .link(&up, "sub/relative")
        .link("sub/relative", "chained")
        .link("chained", "chained2")
        .link(outside.at("folder"), "folder_out")
        .link("..", "parent")
        .link("../../..", "sub/deep/up")
        .link(inside.at("file"), "absolute_to_inside")
        .link("sub/file", "good")
        .link("../file", "sub/good_up")
        .link("sub", "good_folder")
        .link("missing", "dangling")
        .link("loop_b", "loop_a")
        .link("loop_a", "loop_b");
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    for path in [
        "absolute",
        "passwd",
        "sub/relative",
        "chained",
        "chained2",
        "folder_out/secret",
        "parent",
        "sub/deep/up/x",
        "absolute_to_inside",
        "folder_out/",
        "parent/.",
        "absolute/",
        "folder_out/.",
    ] {
        assert_eq!(g.read(0, path).unwrap_err(), ErrorCode::NotPermitted, "{path}");
        assert_eq!(g.refusals(), [reason::BENEATH], "{path}");
        assert_eq!(g.stat(0, FOLLOW, path).unwrap_err(), ErrorCode::NotPermitted, "{path}");
        assert_eq!(g.touch(0, FOLLOW, path).unwrap_err(), ErrorCode::NotPermitted, "{path}");
        let create = g.open(0, path, OpenFlags::CREATE | OpenFlags::TRUNCATE, Flags::WRITE);
        assert!(matches!(create, Err(ErrorCode::NotPermitted | ErrorCode::IsDirectory)), "{path}");
        g.records();
    }
    assert_eq!(outside.text("secret"), "secret");
    for path in ["good", "sub/good_up", "good_folder/file", "good_folder/../good"] {
        assert_eq!(g.read(0, path).unwrap(), "inside", "{path}");
    }
    assert_eq!(g.read(0, "loop_a").unwrap_err(), ErrorCode::Loop);
    assert_eq!(g.read(0, "dangling").unwrap_err(), ErrorCode::NoEntry);
    // Not followed, a link is only itself.
    g.records();
    assert_eq!(g.open_at(0, keep(), "absolute", OpenFlags::empty(), Flags::READ).unwrap_err(), ErrorCode::Loop);
    assert_eq!(g.stat(0, keep(), "absolute").unwrap().type_, types::DescriptorType::SymbolicLink);
    assert_eq!(g.call(async |v| v.readlink_at(fd(0), "good".into()).await).unwrap(), "sub/file");
    assert!(g.refusals().is_empty());
}

/// The slash that made runtimes follow a last link that they meant to work on (GHSA-vqjp-4c8c-hfgg and its kin).
#[test]
fn attack_134_a_trailing_slash_never_follows_a_link_out() {
    let (outside, inside) = tree();
    inside.link(outside.at("folder"), "out").link("sub", "in");
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    for path in ["out/", "out//", "out/.", "out/./"] {
        for flags in [FOLLOW, keep()] {
            assert!(g.open_at(0, flags, path, OpenFlags::DIRECTORY, Flags::READ).is_err(), "{path}");
            assert!(g.stat(0, flags, path).is_err(), "{path}");
            assert!(g.touch(0, flags, path).is_err(), "{path}");
        }
        assert!(g.unlink(0, path).is_err(), "{path}");
        assert!(g.rmdir(0, path).is_err(), "{path}");
        assert!(g.mkdir(0, path).is_err(), "{path}");
        assert!(g.rename((0, path), (0, "moved")).is_err(), "{path}");
        assert!(g.rename((0, "sub"), (0, path)).is_err(), "{path}");
        assert!(g.hard_link((0, path), (0, "linked")).is_err(), "{path}");
        assert!(g.hard_link((0, "file"), (0, path)).is_err(), "{path}");
        assert!(g.symlink(0, "file", path).is_err(), "{path}");
        assert!(g.call(async |v| v.readlink_at(fd(0), path.into()).await).is_err(), "{path}");
    }
    assert_eq!(outside.names(""), ["folder", "secret"]);
    assert_eq!(inside.names(""), ["file", "in", "out", "sub"]);
    // Inside, it means the folder behind the link.
    assert_eq!(g.stat(0, keep(), "in/").unwrap().type_, types::DescriptorType::Directory);
    assert_eq!(g.unlink(0, "in/").unwrap_err(), ErrorCode::NotDirectory);
    assert_eq!(g.unlink(0, "file/").unwrap_err(), ErrorCode::NotDirectory);
    assert_eq!(g.unlink(0, "sub/").unwrap_err(), ErrorCode::IsDirectory);
    assert_eq!(g.read(0, "file/").unwrap_err(), ErrorCode::NotDirectory);
    for path in ["sub/.", "sub/..", "."] {
        assert_eq!(g.rmdir(0, path).unwrap_err(), ErrorCode::Invalid);
        assert_eq!(g.rename((0, path), (0, "x")).unwrap_err(), ErrorCode::Invalid);
    }
}

#[test]
fn attack_138_process_and_device_file_systems_are_another_mount() {
    let root = Mount { dir: folder_fd(Path::new("/")), guest_path: "/host".into(), writable: false };
    let mut g = Guest::new(vec![root]);
    assert!(g.stat(0, FOLLOW, "proc").is_err());
    g.records();
    for path in ["proc/version", "proc/self/root/etc/passwd", "proc/self/fd/0", "dev/null", "dev/fd/0", "sys/kernel"] {
        assert_eq!(g.read(0, path).unwrap_err(), ErrorCode::NotPermitted, "{path}");
        assert_eq!(g.refusals(), [reason::MOUNT_CROSSING], "{path}");
    }
    assert_eq!(g.open(0, "proc/new", OpenFlags::empty(), Flags::READ).unwrap_err(), ErrorCode::NotPermitted);
    assert_eq!(g.refusals(), [reason::MOUNT_CROSSING]);
}

#[test]
fn attack_138_magic_links_are_not_followed_even_in_a_granted_proc() {
    let proc = Mount { dir: folder_fd(Path::new("/proc")), guest_path: "/p".into(), writable: false };
    let mut g = Guest::new(vec![proc]);
    let me = std::process::id();
    for path in [format!("{me}/root/etc/passwd"), format!("{me}/cwd/Cargo.toml"), format!("{me}/exe")] {
        assert!(g.read(0, &path).is_err(), "{path}");
    }
}

#[test]
fn attack_139_a_mount_stays_the_folder_that_was_opened() {
    let (outside, inside) = tree();
    inside.folder("granted").file("granted/file", "granted");
    let mount = Mount { dir: folder_fd(&inside.at("granted")), guest_path: "/data".into(), writable: true };
    let mut g = Guest::new(vec![mount]);
    std::fs::rename(inside.at("granted"), inside.at("elsewhere")).unwrap();
    inside.link(outside.at("folder"), "granted");
    assert_eq!(g.read(0, "file").unwrap(), "granted");
    assert_eq!(g.read(0, "secret").unwrap_err(), ErrorCode::NoEntry);
    g.write(0, "new", "new").unwrap();
    assert_eq!(inside.text("elsewhere/new"), "new");
    assert_eq!(outside.names("folder"), ["secret"]);
    std::fs::remove_dir_all(inside.at("elsewhere")).unwrap();
    assert_eq!(g.read(0, "file").unwrap_err(), ErrorCode::NoEntry);
    assert_eq!(g.write(0, "new", "new").unwrap_err(), ErrorCode::NoEntry);
}

#[test]
fn attack_140_fifos_sockets_and_devices_are_refused_at_once() {
    let (_outside, inside) = tree();
    let dir = folder_fd(&inside.at(""));
    let mode = Mode::from_raw_mode(0o666);
    mknodat(&dir, "fifo", FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(inside.at("socket")).unwrap();
    let mut names = vec!["fifo", "socket"];
    // The null device and a loop device, where making one is permitted.
    let null = mknodat(&dir, "null", FileType::CharacterDevice, mode, rustix::fs::makedev(1, 3));
    let disk = mknodat(&dir, "disk", FileType::BlockDevice, mode, rustix::fs::makedev(7, 0));
    names.extend(null.ok().map(|()| "null"));
    names.extend(disk.ok().map(|()| "disk"));
    inside.link("fifo", "link");
    names.push("link");
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    let start = Instant::now();
    for name in &names {
        for how in [OpenFlags::empty(), OpenFlags::CREATE, OpenFlags::TRUNCATE, OpenFlags::CREATE | OpenFlags::TRUNCATE]
        {
            for flags in [Flags::READ, Flags::WRITE, Flags::READ | Flags::WRITE] {
                assert_eq!(g.open(0, name, how, flags).unwrap_err(), ErrorCode::NotPermitted, "{name}");
                assert_eq!(g.refusals(), [reason::NOT_REGULAR], "{name}");
            }
        }
        assert_eq!(g.touch(0, FOLLOW, name).unwrap_err(), ErrorCode::NotPermitted, "{name}");
        assert_eq!(g.refusals(), [reason::NOT_REGULAR], "{name}");
    }
    for name in ["fifo", "socket"] {
        assert_eq!(g.hard_link((0, name), (0, "linked")).unwrap_err(), ErrorCode::NotPermitted);
        assert_eq!(g.rename((0, name), (0, "moved")).unwrap_err(), ErrorCode::NotPermitted);
    }
    assert!(start.elapsed() < Duration::from_millis(100 * names.len() as u64), "{:?}", start.elapsed());
    assert_eq!(g.stat(0, FOLLOW, "fifo").unwrap().type_, types::DescriptorType::Fifo);
}

/// A reader or writer who waits at a FIFO of the host must not be woken by a guest's attempt.
#[test]
fn attack_140_an_attempt_does_not_wake_the_fifos_other_end() {
    let inside = Folder::new();
    mknodat(folder_fd(&inside.at("")), "fifo", FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let path = inside.at("fifo");
    let writer = std::thread::spawn(move || std::fs::OpenOptions::new().write(true).open(path).map(|_| ()));
    std::thread::sleep(Duration::from_millis(50));
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    assert_eq!(g.read(0, "fifo").unwrap_err(), ErrorCode::NotPermitted);
    std::thread::sleep(Duration::from_millis(50));
    assert!(!writer.is_finished());
    let _reader = File::open(inside.at("fifo")).unwrap();
    writer.join().unwrap().unwrap();
}

#[test]
fn attack_142_names_are_compared_by_the_file_system_alone() {
    let (_outside, inside) = tree();
    inside.folder("Data").file("Data/x", "inside");
    let mut g = Guest::new(vec![inside.mount("/data", false)]);
    for path in ["Data", "data", "DATA"] {
        // Whatever the file system makes of the name, changes and escapes get the same answer.
        assert_eq!(g.mkdir(0, &format!("{path}/new")).unwrap_err(), ErrorCode::ReadOnly);
        assert_eq!(g.read(0, &format!("{path}/../../x")).unwrap_err(), ErrorCode::NotPermitted);
        assert_eq!(g.refusals(), [reason::READ_ONLY, reason::BENEATH]);
    }
}
