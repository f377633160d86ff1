//! Folder listings and the tables behind descriptors.

use super::*;
use crate::files::entries::Entries;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use types::HostDirectoryEntryStream;

fn list(g: &mut Guest, dir: u32) -> Vec<Result<types::DirectoryEntry, ErrorCode>> {
    let stream = g.call(async |v| v.read_directory(fd(dir)).await).unwrap().rep();
    let mut found = Vec::new();
    loop {
        match g.call(async |v| v.read_directory_entry(Resource::new_borrow(stream)).await) {
            Ok(None) => break,
            Ok(Some(entry)) => found.push(Ok(entry)),
            Err(code) => found.push(Err(code)),
        }
    }
    HostDirectoryEntryStream::drop(&mut g.view(), Resource::new_own(stream)).unwrap();
    found
}

#[test]
fn attack_143_a_hundred_thousand_entries_come_in_pages() {
    const ENTRIES: usize = 100_000;
    let inside = Folder::in_memory();
    for i in 0..ENTRIES {
        File::create(inside.at(&format!("entry-{i}"))).unwrap();
    }
    let mut g = Guest::new(vec![inside.mount("/data", false)]);
    let mut names: Vec<_> = list(&mut g, 0).into_iter().map(|e| e.unwrap().name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), ENTRIES);
    // The host never holds more than a page of them.
    let entries = Entries::open(&File::open(inside.at("")).unwrap()).unwrap();
    assert_eq!(entries.more().unwrap()().len(), 256);
}

#[test]
fn attack_143_odd_names_are_passed_or_refused_one_by_one() {
    let inside = Folder::new();
    let odd: [&[u8]; 5] = [b"new\nline", b"\x1b[2Jescape", b"bad\xff\xfeutf8", "\u{202e}bidi".as_bytes(), b"plain"];
    for name in odd {
        File::create(inside.0.join(OsStr::from_bytes(name))).unwrap();
    }
    let mut g = Guest::new(vec![inside.mount("/data", true)]);
    let found = list(&mut g, 0);
    assert_eq!(found.len(), odd.len());
    let bad: Vec<_> = found.iter().filter_map(|e| e.as_ref().err()).collect();
    assert_eq!(bad, [&ErrorCode::IllegalByteSequence]);
    for name in found.into_iter().filter_map(|e| e.ok()).map(|e| e.name) {
        assert_eq!(g.read(0, &name).unwrap(), "");
    }
}

#[test]
fn a_listing_names_types_and_follows_nothing() {
    let inside = Folder::new();
    inside.folder("folder").file("file", "").link("/etc", "link");
    let mut g = Guest::new(vec![inside.mount("/data", false)]);
    let mut found: Vec<_> = list(&mut g, 0).into_iter().map(|e| e.unwrap()).map(|e| (e.name, e.type_)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let want = [
        ("file".to_string(), types::DescriptorType::RegularFile),
        ("folder".to_string(), types::DescriptorType::Directory),
        ("link".to_string(), types::DescriptorType::SymbolicLink),
    ];
    assert_eq!(found, want);
    let file = g.open(0, "file", OpenFlags::empty(), Flags::READ).unwrap();
    assert_eq!(g.call(async |v| v.read_directory(fd(file)).await).unwrap_err(), ErrorCode::NotDirectory);
}

#[test]
fn two_listings_of_one_descriptor_do_not_share_a_position() {
    let inside = Folder::new();
    inside.file("a", "").file("b", "");
    let mut g = Guest::new(vec![inside.mount("/data", false)]);
    let first = g.call(async |v| v.read_directory(fd(0)).await).unwrap().rep();
    g.call(async |v| v.read_directory_entry(Resource::new_borrow(first)).await).unwrap();
    assert_eq!(list(&mut g, 0).len(), 2);
    g.call(async |v| v.read_directory_entry(Resource::new_borrow(first)).await).unwrap().unwrap();
}

#[test]
fn attack_144_descriptors_leave_nothing_behind() {
    let (readable, writable) = (Folder::new(), Folder::new());
    readable.file("file", "bytes");
    writable.file("file", "bytes");
    let mut g = Guest::new(vec![readable.mount("/r", false), writable.mount("/w", true)]);
    for round in 0..1000 {
        let file = g.open(round % 2, "file", OpenFlags::empty(), Flags::READ).unwrap();
        // The number is the same each time; the mount behind it is not.
        let written = g.call(async |v| v.set_size(fd(file), 0).await);
        assert_eq!(written == Err(ErrorCode::ReadOnly), round % 2 == 0, "{written:?}");
        g.close(file);
        assert!(HostDescriptor::drop(&mut g.view(), Resource::new_own(file)).is_err());
    }
    assert_eq!(g.origins(), 2);
    g.close(0);
    assert_eq!(g.origins(), 1);
    assert_eq!(readable.text("file"), "bytes");
}

#[test]
fn attack_144_the_tables_capacity_bounds_the_origins() {
    let inside = Folder::new();
    inside.file("file", "");
    let mut g = Guest::new(vec![inside.mount("/data", false)]);
    g.table.set_max_capacity(64);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut opened = 0;
    loop {
        let mut view = g.view();
        let how = (OpenFlags::empty(), Flags::READ);
        match runtime.block_on(view.open_at(fd(0), FOLLOW, "file".into(), how.0, how.1)) {
            Ok(_) => opened += 1,
            Err(error) => break assert!(error.downcast().is_err(), "a full table traps"),
        }
    }
    assert!(preopens::Host::get_directories(&mut g.view()).is_err());
    assert_eq!((opened, g.origins()), (63, 64));
}
