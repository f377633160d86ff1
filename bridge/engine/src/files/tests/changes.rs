//! What may be changed.

use super::*;
use crate::files::reason;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Everything about a tree that a change could show in.
fn snapshot(folder: &Folder, path: &str) -> Vec<(String, u64, i64, i64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut names: Vec<String> = folder.names(path).into_iter().map(|n| format!("{path}{n}")).collect();
    names.push(path.to_string());
    for name in names {
        let meta = std::fs::symlink_metadata(folder.at(&name)).unwrap();
        let bytes = if meta.is_file() { std::fs::read(folder.at(&name)).unwrap() } else { Vec::new() };
        found.push((name.clone(), meta.nlink(), meta.mtime(), meta.mtime_nsec(), bytes));
        if meta.is_dir() && name != path {
            found.extend(snapshot(folder, &format!("{name}/")));
        }
    }
    found
}

#[test]
fn attack_136_nothing_in_a_read_only_mount_changes() {
    let inside = Folder::new();
    inside.folder("sub").file("file", "bytes").file("sub/file", "bytes").link("file", "link");
    let before = snapshot(&inside, "");
    let mut g = Guest::new(vec![inside.mount("/data", false)]);
    let sub = g.open(0, "sub", OpenFlags::DIRECTORY, Flags::READ).unwrap();
    let file = g.open(0, "file", OpenFlags::empty(), Flags::READ).unwrap();
    g.records();
    let none = OpenFlags::empty();
    let (read, write) = (Flags::READ, Flags::READ | Flags::WRITE);
    let now = NewTimestamp::Now;
    let mut results = vec![
        g.open(0, "file", none, write).map(|_| ()),
        g.open(0, "file", none, Flags::WRITE).map(|_| ()),
        g.open(0, "file", OpenFlags::TRUNCATE, read).map(|_| ()),
        g.open(0, "file", OpenFlags::CREATE, read).map(|_| ()),
        g.open(0, "new", OpenFlags::CREATE, read).map(|_| ()),
        g.open(0, "new", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, write).map(|_| ()),
        g.open(sub, "new", OpenFlags::CREATE, write).map(|_| ()),
        g.open(0, "link", OpenFlags::TRUNCATE, write).map(|_| ()),
        g.mkdir(0, "new"),
        g.mkdir(sub, "new"),
        g.rmdir(0, "sub"),
        g.unlink(0, "file"),
        g.unlink(sub, "file"),
        g.rename((0, "file"), (0, "new")),
        g.rename((0, "file"), (sub, "file")),
        g.hard_link((0, "file"), (0, "new")),
        g.symlink(0, "file", "new"),
        g.touch(0, FOLLOW, "file"),
        g.touch(0, keep(), "link"),
        g.touch(0, FOLLOW, "."),
        g.call(async |v| v.set_times(fd(file), now, now).await),
        g.call(async |v| v.set_times(fd(sub), now, now).await),
        g.call(async |v| v.set_times(fd(0), now, now).await),
        g.call(async |v| v.set_size(fd(file), 0).await),
        g.call(async |v| v.write(fd(file), b"x".to_vec(), 0).await.map(|_| ())),
        g.call(async |v| v.write_via_stream(fd(file), 0).map(|_| ())),
        g.call(async |v| v.append_via_stream(fd(file)).map(|_| ())),
    ];
    let refusals = g.records();
    assert!(refusals.iter().all(|r| matches!(r, Record::Refused(_, reason::READ_ONLY))), "{refusals:?}");
    assert_eq!(refusals.len(), results.len());
    assert!(results.drain(..).all(|r| r == Err(ErrorCode::ReadOnly)));
    assert_eq!(snapshot(&inside, ""), before);
    assert_eq!(g.read(0, "file").unwrap(), "bytes");
}

#[test]
fn attack_137_nothing_is_linked_or_moved_between_mounts() {
    let (readable, writable, other) = (Folder::new(), Folder::new(), Folder::new());
    for folder in [&readable, &writable, &other] {
        folder.file("file", "bytes").folder("sub");
    }
    let before = [snapshot(&readable, ""), snapshot(&writable, ""), snapshot(&other, "")];
    let mounts = vec![readable.mount("/r", false), writable.mount("/w", true), other.mount("/o", true)];
    let mut g = Guest::new(mounts);
    for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        for (old, new) in [("file", "new"), ("file", "file"), ("sub", "new"), ("file", "sub/new")] {
            assert_eq!(g.rename((from, old), (to, new)).unwrap_err(), ErrorCode::CrossDevice);
            assert_eq!(g.hard_link((from, old), (to, new)).unwrap_err(), ErrorCode::CrossDevice);
            let records = g.records();
            assert!(records.iter().all(|r| matches!(r, Record::Refused(_, reason::CROSS_MOUNT))), "{records:?}");
            assert_eq!(records.len(), 2);
        }
    }
    // Nor by descriptors opened below the mounts.
    let below = g.open(1, "sub", OpenFlags::DIRECTORY, Flags::READ).unwrap();
    assert_eq!(g.hard_link((0, "file"), (below, "new")).unwrap_err(), ErrorCode::CrossDevice);
    assert_eq!(g.rename((below, "x"), (2, "new")).unwrap_err(), ErrorCode::CrossDevice);
    assert_eq!([snapshot(&readable, ""), snapshot(&writable, ""), snapshot(&other, "")], before);
}

/// The same folder granted twice is still two mounts.
#[test]
fn attack_137_two_grants_of_one_folder_do_not_mix() {
    let folder = Folder::new();
    folder.file("file", "bytes");
    let mut g = Guest::new(vec![folder.mount("/r", false), folder.mount("/w", true)]);
    assert_eq!(g.hard_link((0, "file"), (1, "new")).unwrap_err(), ErrorCode::CrossDevice);
    assert_eq!(g.rename((0, "file"), (1, "new")).unwrap_err(), ErrorCode::CrossDevice);
    assert_eq!(g.write(0, "file", "x").unwrap_err(), ErrorCode::ReadOnly);
    assert_eq!(folder.names(""), ["file"]);
}

#[test]
fn attack_141_a_guest_makes_no_link_that_could_leave() {
    let inside = Folder::new();
    inside.folder("a/b").file("file", "inside").link(".", "here");
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    let targets = ["/etc/passwd", "/", "..", "../x", "a/../../x", "here/../x", "a/b/../../..", "./../x", "a/.."];
    for target in targets {
        for at in ["new", "a/new", "a/b/new"] {
            assert_eq!(g.symlink(0, target, at).unwrap_err(), ErrorCode::NotPermitted, "{target}");
            let records = g.records();
            assert_eq!(records, [Record::Refused(format!("/data:{at}"), reason::SYMLINK_OUT)]);
        }
    }
    for target in ["", "a\0b"] {
        assert_eq!(g.symlink(0, target, "new").unwrap_err(), ErrorCode::Invalid);
        assert_eq!(g.refusals(), [reason::PATH]);
    }
    assert_eq!(inside.names(""), ["a", "file", "here"]);
    assert_eq!(inside.names("a"), ["b"]);
    g.symlink(0, "file", "good").unwrap();
    g.symlink(0, "b/missing", "a/good").unwrap();
    assert_eq!(g.read(0, "good").unwrap(), "inside");
}

/// A link that the host made with `..` means something else in another folder.
#[test]
fn attack_141_moving_a_link_does_not_make_it_leave() {
    let inside = Folder::new();
    inside.folder("a/b").file("file", "inside").link("../../file", "a/b/up").link("x", "a/b/down");
    inside.link("/etc/passwd", "a/b/absolute");
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    for link in ["a/b/up", "a/b/absolute"] {
        for to in ["moved", "a/moved"] {
            assert_eq!(g.rename((0, link), (0, to)).unwrap_err(), ErrorCode::NotPermitted);
            assert_eq!(g.refusals(), [reason::SYMLINK_OUT]);
            assert_eq!(g.hard_link((0, link), (0, to)).unwrap_err(), ErrorCode::NotPermitted);
            assert_eq!(g.refusals(), [reason::SYMLINK_OUT]);
        }
    }
    g.rename((0, "a/b/up"), (0, "a/b/renamed")).unwrap();
    g.rename((0, "a/b/down"), (0, "moved")).unwrap();
    assert_eq!(g.read(0, "a/b/renamed").unwrap(), "inside");
    assert_eq!(inside.names("a"), ["b"]);
}

#[test]
fn no_set_id_bit_survives_or_is_made() {
    let inside = Folder::new();
    inside.file("program", "old");
    let set_mode = |mode| std::fs::set_permissions(inside.at("program"), PermissionsExt::from_mode(mode)).unwrap();
    let mode = |path: &str| std::fs::metadata(inside.at(path)).unwrap().mode() & 0o7777;
    set_mode(0o6755);
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    assert_eq!(g.read(0, "program").unwrap(), "old");
    assert_eq!(mode("program"), 0o6755);
    g.write(0, "program", "new").unwrap();
    assert_eq!(mode("program"), 0o755);
    g.write(0, "made", "x").unwrap();
    g.mkdir(0, "folder").unwrap();
    assert_eq!(mode("made") & !0o644, 0);
    assert_eq!(mode("folder") & !0o755, 0);
}

#[test]
fn the_host_is_asked_once_for_each_change_and_its_no_holds() {
    let inside = Folder::new();
    inside.folder("sub").file("file", "bytes");
    let mut g = Guest::denying(vec![inside.mount("/data", true)], Some(Access::Create));
    assert_eq!(g.write(0, "new", "x").unwrap_err(), ErrorCode::NotPermitted);
    assert_eq!(g.mkdir(0, "new").unwrap_err(), ErrorCode::NotPermitted);
    assert_eq!(g.symlink(0, "file", "new").unwrap_err(), ErrorCode::NotPermitted);
    assert_eq!(g.hard_link((0, "file"), (0, "new")).unwrap_err(), ErrorCode::NotPermitted);
    assert_eq!(inside.names(""), ["file", "sub"]);
    let new = || Record::Asked("/data:new".into(), Access::Create);
    let old = Record::Asked("/data:file".into(), Access::Mutate);
    assert_eq!(g.records(), [new(), new(), new(), old, new()]);
    let sub = g.open(0, "./sub//", OpenFlags::empty(), Flags::READ).unwrap();
    g.open(sub, "missing", OpenFlags::empty(), Flags::WRITE).unwrap_err();
    g.unlink(sub, "missing").unwrap_err();
    let asked = |path: &str, access| Record::Asked(format!("/data:{path}"), access);
    let want = [asked("sub", Access::Read), asked("sub/missing", Access::Write), asked("sub/missing", Access::Mutate)];
    assert_eq!(g.records(), want);
}
