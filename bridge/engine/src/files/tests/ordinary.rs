//! What ordinary programs do and see.

use super::*;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;

fn guest() -> (Folder, Guest) {
    let inside = Folder::new();
    inside.folder("sub").file("file", "bytes").file("sub/file", "bytes").link("file", "link");
    let guest = Guest::new(vec![inside.mount("/data", true)]);
    (inside, guest)
}

#[test]
fn files_are_made_written_read_and_removed() {
    let (inside, mut g) = guest();
    g.write(0, "new", "text").unwrap();
    assert_eq!(g.read(0, "new").unwrap(), "text");
    let file = g.open(0, "new", OpenFlags::TRUNCATE, Flags::WRITE).unwrap();
    assert_eq!(inside.text("new"), "");
    g.call(async |v| v.set_size(fd(file), 3).await).unwrap();
    g.call(async |v| v.sync(fd(file)).await).unwrap();
    g.call(async |v| v.sync_data(fd(0)).await).unwrap();
    assert_eq!(inside.text("new"), "\0\0\0");
    g.mkdir(0, "made/").unwrap();
    g.rename((0, "new"), (0, "made/moved")).unwrap();
    g.hard_link((0, "made/moved"), (0, "again")).unwrap();
    assert_eq!(g.stat(0, FOLLOW, "again").unwrap().link_count, 2);
    g.rename((0, "made/"), (0, "folder/")).unwrap();
    g.unlink(0, "folder/moved").unwrap();
    g.rmdir(0, "folder/").unwrap();
    g.unlink(0, "again").unwrap();
    g.unlink(0, "link").unwrap();
    assert_eq!(inside.names(""), ["file", "sub"]);
    assert!(g.refusals().is_empty());
}

#[test]
fn streams_move_bytes() {
    let (inside, mut g) = guest();
    let file = g.open(0, "file", OpenFlags::empty(), Flags::READ | Flags::WRITE).unwrap();
    let out = g.call(async |v| v.append_via_stream(fd(file))).unwrap();
    let mut out = g.table.delete(out).unwrap();
    let flushed = g.call(async |_| Ok(out.blocking_write_and_flush("more".into()).await.is_ok()));
    assert_eq!(flushed, Ok(true));
    assert_eq!(inside.text("file"), "bytesmore");
    let input = g.call(async |v| v.read_via_stream(fd(file), 5)).unwrap();
    let mut input = g.table.delete(input).unwrap();
    assert_eq!(g.call(async |_| Ok(input.blocking_read(100).await.unwrap())).unwrap(), "more");
}

#[test]
fn errors_are_those_programs_expect() {
    let (_inside, mut g) = guest();
    let none = OpenFlags::empty();
    let code = |r: Result<u32, ErrorCode>| r.unwrap_err();
    assert_eq!(code(g.open(0, "missing", none, Flags::READ)), ErrorCode::NoEntry);
    assert_eq!(code(g.open(0, "missing/x", OpenFlags::CREATE, Flags::WRITE)), ErrorCode::NoEntry);
    assert_eq!(code(g.open(0, "file/x", none, Flags::READ)), ErrorCode::NotDirectory);
    assert_eq!(code(g.open(0, "file", OpenFlags::DIRECTORY, Flags::READ)), ErrorCode::NotDirectory);
    assert_eq!(code(g.open(0, "sub", none, Flags::WRITE)), ErrorCode::IsDirectory);
    assert_eq!(code(g.open(0, "sub", OpenFlags::CREATE, Flags::WRITE)), ErrorCode::IsDirectory);
    let exclusive = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    assert_eq!(code(g.open(0, "file", exclusive, Flags::WRITE)), ErrorCode::Exist);
    assert_eq!(code(g.open(0, "link", exclusive, Flags::WRITE)), ErrorCode::Exist);
    assert_eq!(code(g.open(0, "x", OpenFlags::DIRECTORY | OpenFlags::CREATE, Flags::READ)), ErrorCode::Invalid);
    assert_eq!(code(g.open(0, &"x".repeat(256), none, Flags::READ)), ErrorCode::NameTooLong);
    assert_eq!(g.mkdir(0, "sub").unwrap_err(), ErrorCode::Exist);
    assert_eq!(g.mkdir(0, "a/b").unwrap_err(), ErrorCode::NoEntry);
    assert_eq!(g.rmdir(0, "sub").unwrap_err(), ErrorCode::NotEmpty);
    assert_eq!(g.rmdir(0, "file").unwrap_err(), ErrorCode::NotDirectory);
    assert_eq!(g.unlink(0, "sub").unwrap_err(), ErrorCode::IsDirectory);
    assert_eq!(g.unlink(0, "missing").unwrap_err(), ErrorCode::NoEntry);
    assert_eq!(g.rename((0, "missing"), (0, "x")).unwrap_err(), ErrorCode::NoEntry);
    assert_eq!(g.rename((0, "file"), (0, "sub")).unwrap_err(), ErrorCode::IsDirectory);
    assert_eq!(g.rename((0, "file"), (0, "x/")).unwrap_err(), ErrorCode::NotDirectory);
    assert_eq!(g.rename((0, "sub"), (0, "sub/x")).unwrap_err(), ErrorCode::Invalid);
    assert_eq!(g.hard_link((0, "file"), (0, "sub")).unwrap_err(), ErrorCode::Exist);
    assert_eq!(g.hard_link((0, "file"), (0, "x/")).unwrap_err(), ErrorCode::NoEntry);
    assert_eq!(g.symlink(0, "file", "link").unwrap_err(), ErrorCode::Exist);
    assert_eq!(g.symlink(0, "file", "x/").unwrap_err(), ErrorCode::NoEntry);
    let not_a_link = g.call(async |v| v.readlink_at(fd(0), "file".into()).await);
    assert_eq!(not_a_link.unwrap_err(), ErrorCode::Invalid);
    let file = g.open(0, "file", none, Flags::READ).unwrap();
    assert_eq!(code(g.open(file, "x", none, Flags::READ)), ErrorCode::NotDirectory);
    let unwritable = g.call(async |v| v.write(fd(file), b"x".to_vec(), 0).await);
    assert_eq!(unwritable.unwrap_err(), ErrorCode::BadDescriptor);
    assert!(g.refusals().is_empty(), "ordinary errors are no denials");
}

#[test]
fn what_a_path_and_a_descriptor_say_is_the_same() {
    let (_inside, mut g) = guest();
    let file = g.open(0, "link", OpenFlags::empty(), Flags::READ).unwrap();
    let by_fd = g.call(async |v| v.metadata_hash(fd(file)).await).unwrap();
    let by_path = g.call(async |v| v.metadata_hash_at(fd(0), FOLLOW, "sub/../file".into()).await).unwrap();
    let of_link = g.call(async |v| v.metadata_hash_at(fd(0), keep(), "link".into()).await).unwrap();
    assert_eq!((by_fd.lower, by_fd.upper), (by_path.lower, by_path.upper));
    assert_ne!(by_fd.lower, of_link.lower);
    let (a, b) = (g.call(async |v| v.stat(fd(file)).await).unwrap(), g.stat(0, FOLLOW, "file").unwrap());
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
    assert_eq!(a.size, 5);
    assert!(g.call(async |v| v.get_flags(fd(file)).await).unwrap() == Flags::READ);
    assert!(g.call(async |v| v.get_flags(fd(0)).await).unwrap() == Flags::READ | Flags::MUTATE_DIRECTORY);
}

#[test]
fn times_are_set_on_files_folders_links_and_the_mount_itself() {
    let (inside, mut g) = guest();
    let at = |seconds| NewTimestamp::Timestamp(Datetime { seconds, nanoseconds: 1_500_000_000 });
    let same = NewTimestamp::NoChange;
    for path in ["file", "sub", "."] {
        g.call(async |v| v.set_times_at(fd(0), FOLLOW, path.into(), same, at(1000)).await).unwrap();
        let stat = g.stat(0, FOLLOW, path).unwrap();
        assert_eq!(stat.data_modification_timestamp.unwrap().seconds, 1001);
        assert_eq!(stat.data_modification_timestamp.unwrap().nanoseconds, 500_000_000);
    }
    g.call(async |v| v.set_times_at(fd(0), keep(), "link".into(), same, at(2000)).await).unwrap();
    assert_eq!(g.stat(0, keep(), "link").unwrap().data_modification_timestamp.unwrap().seconds, 2001);
    assert_eq!(g.stat(0, FOLLOW, "link").unwrap().data_modification_timestamp.unwrap().seconds, 1001);
    g.call(async |v| v.set_times(fd(0), same, at(3000)).await).unwrap();
    let modified = std::fs::metadata(inside.at("")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mtime(&modified), 3001);
    let overflow = g.call(async |v| v.set_times(fd(0), same, at(u64::MAX)).await);
    assert_eq!(overflow.unwrap_err(), ErrorCode::Overflow);
}
