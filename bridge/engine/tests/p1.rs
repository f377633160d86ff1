//! WASI preview 1 as a module meets it: each function called with what a guest could pass.

mod support;

use cordon_engine::files::Mount;
use cordon_engine::store::{Input, InstanceOptions, Port, Reply};
use cordon_engine::{Fault, Instance, Kind, Linked};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use support::{engine, link, options, within};

/// Name and parameters; `l` is an i64, everything else an i32. All but proc_exit answer an errno.
const FUNCTIONS: &[(&str, &str)] = &[
    ("args_sizes_get", "ii"),
    ("clock_time_get", "ili"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_pread", "iiili"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("random_get", "ii"),
    ("sock_recv", "iiiiii"),
    ("sock_shutdown", "ii"),
];

const SUCCESS: i32 = 0;
const BADF: i32 = 8;
const INVAL: i32 = 28;
const LOOP: i32 = 32;
const MFILE: i32 = 33;
const NAMETOOLONG: i32 = 37;
const NOENT: i32 = 44;
const NOMEM: i32 = 48;
const NOTSOCK: i32 = 57;
const PERM: i32 = 63;
const ROFS: i32 = 69;
const SPIPE: i32 = 70;

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;
const CREAT: i32 = 1;

/// Passes every call on, so that the guest is what a test says.
fn module() -> String {
    let ty = |letter: char| if letter == 'l' { "i64" } else { "i32" };
    let result = |name: &str| if name == "proc_exit" { "" } else { "(result i32)" };
    let mut imports = String::new();
    let mut bodies = String::new();
    for (name, params) in FUNCTIONS {
        let types: Vec<_> = params.chars().map(ty).collect();
        let (types, result) = (types.join(" "), result(name));
        let gets: String = (0..params.len()).map(|i| format!("(local.get {i})")).collect();
        imports += &format!(r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {types}) {result}))"#);
        bodies += &format!(r#"(func (export "{name}") (param {types}) {result} (call ${name} {gets}))"#);
    }
    format!(
        r#"(module {imports} (memory (export "memory") 16) {bodies}
          (func (export "poke") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
          (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
    )
}

struct Allow;

impl Port for Allow {
    fn send(&self, _: u64, _: &str, _: &str, _: &[u8], _: u64) -> Reply {
        Reply::Done(vec![0])
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cordon-p1-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn mount(&self, writable: bool) -> Mount {
        let dir = OwnedFd::from(std::fs::File::open(&self.0).unwrap());
        Mount { dir, guest_path: "/data".into(), writable }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Guest {
    linked: Arc<Linked>,
    instance: Instance,
}

/// A parameter of either width.
#[derive(Clone, Copy)]
enum Arg {
    I(i32),
    L(u64),
}
use Arg::{I, L};

impl Guest {
    fn with(options: InstanceOptions) -> Guest {
        let wasi = ["wasi_snapshot_preview1", "wasi_snapshot_preview1/stdio"];
        let linked = link(&engine(false), &module(), &wasi, &[]).unwrap();
        let instance = Instance::new(&linked, options, Some(Arc::new(Allow)), &within(20_000), 1).unwrap();
        Guest { linked, instance }
    }

    fn of(folder: &Folder, writable: bool) -> Guest {
        Guest::with(InstanceOptions { mounts: vec![folder.mount(writable)], ..options() })
    }

    fn plain() -> Guest {
        Guest::with(options())
    }

    fn try_within(&mut self, ms: u64, name: &str, args: &[Arg]) -> Result<i32, Fault> {
        let mut wire = Vec::new();
        for arg in args {
            match arg {
                I(value) => wire.extend_from_slice(&value.to_le_bytes()),
                L(value) => wire.extend_from_slice(&value.to_le_bytes()),
            }
        }
        let answer = self.instance.call(&self.linked.find("", name)?, &wire, &within(ms), 1)?;
        Ok(answer.try_into().map_or(0, i32::from_le_bytes))
    }

    fn call(&mut self, name: &str, args: &[Arg]) -> i32 {
        self.try_within(20_000, name, args).unwrap()
    }

    /// How a call ends the guest.
    fn end(mut self, name: &str, args: &[Arg]) -> Kind {
        self.try_within(20_000, name, args).unwrap_err().kind
    }

    fn poke(&mut self, at: i32, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            self.call("poke", &[I(at + i as i32), I(i32::from(*byte))]);
        }
    }

    fn peek(&mut self, at: i32, size: usize) -> Vec<u8> {
        (0..size).map(|i| self.call("peek", &[I(at + i as i32)]) as u8).collect()
    }

    fn number(&mut self, at: i32) -> u32 {
        u32::from_le_bytes(self.peek(at, 4).try_into().unwrap())
    }

    /// A path at 0x1000, as the two parameters that name it.
    fn path(&mut self, path: &str) -> (Arg, Arg) {
        self.poke(0x1000, path.as_bytes());
        (I(0x1000), I(path.len() as i32))
    }

    /// Opens below the mount. The descriptor is at 64.
    fn open(&mut self, path: &str, flags: i32, rights: u64) -> Result<i32, i32> {
        let (at, size) = self.path(path);
        match self.call("path_open", &[I(3), I(0), at, size, I(flags), L(rights), L(rights), I(0), I(64)]) {
            SUCCESS => Ok(self.number(64) as i32),
            errno => Err(errno),
        }
    }

    /// Vectors at 128: address and size each.
    fn vectors(&mut self, vectors: &[(u32, u32)]) {
        for (i, (at, size)) in vectors.iter().enumerate() {
            self.poke(128 + 8 * i as i32, &[at.to_le_bytes(), size.to_le_bytes()].concat());
        }
    }
}

fn files(path: &Path) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

#[test]
fn files_are_written_read_and_sought() {
    let folder = Folder::new();
    let mut guest = Guest::of(&folder, true);
    let fd = guest.open("f", CREAT, READ | WRITE).unwrap();
    guest.poke(512, b"hello world");
    guest.vectors(&[(512, 6), (518, 0), (518, 5)]);
    assert_eq!(guest.call("fd_write", &[I(fd), I(128), I(3), I(80)]), SUCCESS);
    assert_eq!(guest.number(80), 11);
    assert_eq!(std::fs::read(folder.0.join("f")).unwrap(), b"hello world");
    assert_eq!(guest.call("fd_seek", &[I(fd), L(-5_i64 as u64), I(2), I(88)]), SUCCESS);
    guest.vectors(&[(600, 2), (700, 100)]);
    assert_eq!(guest.call("fd_read", &[I(fd), I(128), I(2), I(80)]), SUCCESS);
    assert_eq!((guest.number(80), guest.peek(600, 2), guest.peek(700, 3)), (5, b"wo".to_vec(), b"rld".to_vec()));
    assert_eq!(guest.call("fd_pread", &[I(fd), I(128), I(1), L(4), I(80)]), SUCCESS);
    assert_eq!(guest.peek(600, 2), b"o ");
    assert_eq!(guest.call("fd_tell", &[I(fd), I(88)]), SUCCESS);
    assert_eq!(guest.number(88), 11);
    assert_eq!(guest.call("fd_seek", &[I(fd), L(-1_i64 as u64), I(0), I(88)]), INVAL);
    assert_eq!(guest.call("fd_seek", &[I(fd), L(i64::MAX as u64), I(1), I(88)]), INVAL);
    assert_eq!(guest.call("fd_seek", &[I(1), L(0), I(1), I(88)]), SPIPE);
}

#[test]
fn streams_are_bytes_given_and_output_kept() {
    let mut guest = Guest::with(InstanceOptions { stdin: Input::Bytes(b"abc".to_vec()), ..options() });
    guest.vectors(&[(512, 2)]);
    for (expected, size) in [(&b"ab"[..], 2), (b"c", 1), (b"", 0)] {
        assert_eq!(guest.call("fd_read", &[I(0), I(128), I(1), I(80)]), SUCCESS);
        assert_eq!((guest.number(80), guest.peek(512, size)), (size as u32, expected.to_vec()));
    }
    guest.poke(512, b"out");
    guest.vectors(&[(512, 3)]);
    assert_eq!(guest.call("fd_write", &[I(1), I(128), I(1), I(80)]), SUCCESS);
    assert_eq!(guest.call("fd_write", &[I(2), I(128), I(1), I(80)]), SUCCESS);
    assert_eq!((guest.instance.take_stdout(), guest.instance.take_stderr()), (b"out".to_vec(), b"out".to_vec()));
    assert_eq!(guest.call("fd_write", &[I(0), I(128), I(1), I(80)]), BADF);
    assert_eq!(guest.call("fd_pwrite", &[I(1), I(128), I(1), L(0), I(80)]), SPIPE);
}

#[test]
fn without_standard_streams_their_numbers_are_closed() {
    let folder = Folder::new();
    let linked = link(&engine(false), &module(), &["wasi_snapshot_preview1"], &[]).unwrap();
    let given = InstanceOptions { mounts: vec![folder.mount(false)], ..options() };
    let instance = Instance::new(&linked, given, Some(Arc::new(Allow)), &within(20_000), 1).unwrap();
    let mut guest = Guest { linked, instance };
    for fd in 0..3 {
        assert_eq!(guest.call("fd_fdstat_get", &[I(fd), I(512)]), BADF);
    }
    assert_eq!(guest.call("fd_prestat_get", &[I(3), I(512)]), SUCCESS);
}

#[test]
fn attack_144_descriptors_closed_renumbered_and_exhausted() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("f"), "x").unwrap();
    let before = files(Path::new("/proc/self/fd"));
    let mut guest = Guest::of(&folder, true);
    for fd in [4, 1023, i32::MAX, i32::MIN, -1] {
        for (name, args) in [
            ("fd_close", vec![I(fd)]),
            ("fd_fdstat_get", vec![I(fd), I(512)]),
            ("fd_filestat_get", vec![I(fd), I(512)]),
            ("fd_prestat_get", vec![I(fd), I(512)]),
            ("fd_read", vec![I(fd), I(128), I(0), I(80)]),
            ("fd_readdir", vec![I(fd), I(512), I(64), L(0), I(80)]),
            ("fd_renumber", vec![I(fd), I(3)]),
            ("fd_renumber", vec![I(3), I(fd)]),
            ("fd_sync", vec![I(fd)]),
            ("path_unlink_file", vec![I(fd), I(0), I(1)]),
            ("sock_shutdown", vec![I(fd), I(1)]),
        ] {
            assert_eq!(guest.call(name, &args), BADF, "{name} {fd}");
        }
    }
    let mut opened = 0;
    let full = loop {
        match guest.open("f", 0, READ) {
            Ok(_) => opened += 1,
            Err(errno) => break errno,
        }
    };
    // A quarter of the handles, less the streams and the mount.
    assert_eq!((full, opened), (MFILE, 4096 / 4 - 4));
    assert_eq!(guest.call("fd_close", &[I(500)]), SUCCESS);
    assert_eq!(guest.call("fd_close", &[I(500)]), BADF);
    assert_eq!(guest.open("f", 0, READ), Ok(500));
    for i in 0..2000 {
        let (from, to) = (4 + i % 1000, 4 + (i * 7 + 3) % 1000);
        let errno = guest.call("fd_renumber", &[I(from), I(to)]);
        assert!(matches!(errno, SUCCESS | BADF), "{errno}");
        if errno == SUCCESS && from != to {
            assert_eq!(guest.open("f", 0, READ), Ok(from));
        }
    }
    assert_eq!(guest.call("fd_renumber", &[I(3), I(1)]), SUCCESS);
    assert_eq!(guest.open("f", 0, READ), Err(BADF));
    drop(guest);
    assert!(files(Path::new("/proc/self/fd")) <= before + 8);
}

#[test]
fn attack_5_pointers_out_of_range_end_the_guest() {
    let end = 16 * 65536;
    for (name, args) in [
        ("fd_write", vec![I(1), I(end - 4), I(1), I(80)]),
        ("fd_write", vec![I(1), I(-8), I(1), I(80)]),
        ("fd_write", vec![I(1), I(128), I(1), I(end - 3)]),
        ("fd_write", vec![I(1), I(3), I(1), I(80)]),
        ("fd_fdstat_get", vec![I(1), I(end - 8)]),
        ("fd_prestat_dir_name", vec![I(3), I(end - 1), I(1024)]),
        ("path_unlink_file", vec![I(3), I(end - 1), I(2)]),
        ("path_unlink_file", vec![I(3), I(-1), I(2)]),
        ("random_get", vec![I(end - 1), I(2)]),
        ("clock_time_get", vec![I(0), L(0), I(end)]),
        ("poll_oneoff", vec![I(end - 40), I(0), I(1), I(80)]),
    ] {
        let folder = Folder::new();
        let mut guest = Guest::of(&folder, true);
        guest.vectors(&[(512, 8)]);
        assert_eq!(guest.end(name, &args), Kind::BadPointer, "{name}");
    }
}

#[test]
fn attack_5_vectors_that_overlap_wrap_or_are_too_many() {
    let folder = Folder::new();
    let mut guest = Guest::of(&folder, true);
    let fd = guest.open("f", CREAT, READ | WRITE).unwrap();
    guest.poke(512, b"abcdefgh");
    guest.vectors(&[(512, 8), (514, 6), (512, 8)]);
    assert_eq!(guest.call("fd_write", &[I(fd), I(128), I(3), I(80)]), SUCCESS);
    assert_eq!(std::fs::read(folder.0.join("f")).unwrap(), b"abcdefghcdefghabcdefgh");
    // Sizes that sum up to more than a size can be.
    guest.vectors(&[(0, u32::MAX), (0, 1)]);
    for name in ["fd_write", "fd_read"] {
        assert_eq!(guest.call(name, &[I(fd), I(128), I(2), I(80)]), INVAL, "{name}");
        assert_eq!(guest.call(name, &[I(fd), I(4096), I(1025), I(80)]), INVAL, "{name}");
    }
    assert_eq!(std::fs::read(folder.0.join("f")).unwrap().len(), 22);
    // Vectors that read into the vectors themselves.
    guest.call("fd_seek", &[I(fd), L(0), I(0), I(88)]);
    guest.vectors(&[(128, 8), (136, 8)]);
    assert_eq!(guest.call("fd_read", &[I(fd), I(128), I(2), I(80)]), SUCCESS);
    assert_eq!(guest.peek(128, 16), b"abcdefghcdefghab");
}

#[test]
fn attack_5_sizes_of_four_gigabytes() {
    let folder = Folder::new();
    let all = u32::MAX as i32;
    let mut guest = Guest::of(&folder, true);
    assert_eq!(guest.call("path_unlink_file", &[I(3), I(0), I(all)]), NOMEM);
    assert_eq!(guest.call("fd_readdir", &[I(3), I(0), I(all), L(0), I(80)]), NOMEM);
    assert_eq!(guest.call("poll_oneoff", &[I(0), I(0), I(all), I(80)]), NOMEM);
    assert_eq!(guest.call("fd_prestat_dir_name", &[I(3), I(512), I(all)]), SUCCESS);
    assert_eq!(guest.call("fd_prestat_dir_name", &[I(3), I(512), I(2)]), NAMETOOLONG);
    guest.vectors(&[(512, u32::MAX)]);
    assert_eq!(guest.end("fd_write", &[I(1), I(128), I(1), I(80)]), Kind::BadPointer);
    // More random bytes at once than the limit are no errno for components either.
    assert_ne!(Guest::plain().end("random_get", &[I(0), I(all)]), Kind::Panic);
    assert_eq!(Guest::plain().call("random_get", &[I(0), I(65536)]), SUCCESS);
}

#[test]
fn attack_134_paths_that_leave_the_mount() {
    let (folder, outside) = (Folder::new(), Folder::new());
    std::fs::write(outside.0.join("secret"), "s").unwrap();
    std::os::unix::fs::symlink(&outside.0, folder.0.join("out")).unwrap();
    std::os::unix::fs::symlink("loop", folder.0.join("loop")).unwrap();
    let mut guest = Guest::of(&folder, true);
    let name = outside.0.file_name().unwrap().to_str().unwrap();
    for path in ["..", "/etc/passwd", "a/../../x", "out/secret", &format!("../{name}/secret")] {
        assert!(matches!(guest.open(path, 0, READ), Err(PERM | NOENT)), "{path}");
        assert!(matches!(guest.open(path, CREAT, WRITE), Err(PERM | NOENT)), "{path}");
        let (at, size) = guest.path(path);
        for operation in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
            assert_ne!(guest.call(operation, &[I(3), at, size]), SUCCESS, "{operation} {path}");
        }
        let errno = guest.call("path_filestat_get", &[I(3), I(1), at, size, I(512)]);
        assert!(matches!(errno, PERM | NOENT), "{path}");
        assert_ne!(guest.call("path_rename", &[I(3), at, size, I(3), I(0x1000), I(1)]), SUCCESS, "{path}");
        if path.contains("..") || path.starts_with('/') {
            let (target, size) = guest.path(&format!("{path}/new"));
            let new = I(0x1000 + path.len() as i32 + 1);
            assert_eq!(guest.call("path_symlink", &[target, size, I(3), new, I(3)]), PERM);
        }
    }
    assert_eq!(guest.open("a\0b", CREAT, WRITE), Err(INVAL));
    assert_eq!(guest.open("", CREAT, WRITE), Err(NOENT));
    assert_eq!(guest.open("loop", 0, READ), Err(LOOP));
    assert_eq!((files(&outside.0), files(&folder.0)), (1, 2));
}

#[test]
fn attack_140_a_fifo_or_device_is_not_opened() {
    let folder = Folder::new();
    let fifo = std::ffi::CString::new(folder.0.join("fifo").to_str().unwrap()).unwrap();
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
    let mut guest = Guest::of(&folder, true);
    for rights in [READ, WRITE, READ | WRITE] {
        assert_eq!(guest.open("fifo", 0, rights), Err(PERM));
    }
    let dev = OwnedFd::from(std::fs::File::open("/dev").unwrap());
    let mounts = vec![Mount { dir: dev, guest_path: "/data".into(), writable: true }];
    let mut guest = Guest::with(InstanceOptions { mounts, ..options() });
    for name in ["null", "zero", "tty"] {
        assert_eq!(guest.open(name, 0, READ), Err(PERM), "{name}");
    }
}

#[test]
fn attack_6_a_mount_that_is_only_read_is_not_written() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("f"), "x").unwrap();
    let mut guest = Guest::of(&folder, false);
    for (flags, rights) in [(0, WRITE), (CREAT, READ), (8, READ), (CREAT | 4, WRITE)] {
        assert_eq!(guest.open("f", flags, rights), Err(ROFS), "{flags}");
    }
    let fd = guest.open("f", 0, READ).unwrap();
    guest.vectors(&[(512, 1)]);
    assert_eq!(guest.call("fd_write", &[I(fd), I(128), I(1), I(80)]), ROFS);
    assert_eq!(guest.call("fd_filestat_set_size", &[I(fd), L(0)]), ROFS);
    let (at, size) = guest.path("f");
    assert_eq!(guest.call("path_unlink_file", &[I(3), at, size]), ROFS);
    assert_eq!(guest.call("path_create_directory", &[I(3), I(0x1000), I(1)]), ROFS);
    assert_eq!(guest.call("path_link", &[I(3), I(0), at, size, I(3), at, size]), ROFS);
    assert_eq!(std::fs::read(folder.0.join("f")).unwrap(), b"x");
}

#[test]
fn attack_143_listings_with_cookies_of_the_guests_own() {
    let folder = Folder::new();
    for i in 0..600 {
        std::fs::write(folder.0.join(format!("file-{i:04}")), "").unwrap();
    }
    let mut guest = Guest::of(&folder, false);
    let list = |guest: &mut Guest, cookie: u64, size: i32| {
        assert_eq!(guest.call("fd_readdir", &[I(3), I(0x8000), I(size), L(cookie), I(80)]), SUCCESS);
        let used = guest.number(80) as usize;
        assert!(used <= size as usize);
        guest.peek(0x8000, used)
    };
    // Entry by entry, with a buffer that the last name is cut by.
    let (mut cookie, mut names) = (0_u64, std::collections::BTreeSet::new());
    loop {
        let bytes = list(&mut guest, cookie, 100);
        let (mut at, mut got) = (0, 0);
        while at + 24 <= bytes.len() {
            let size = u32::from_le_bytes(bytes[at + 16..at + 20].try_into().unwrap()) as usize;
            if at + 24 + size > bytes.len() {
                break;
            }
            cookie = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
            names.insert(bytes[at + 24..at + 24 + size].to_vec());
            (at, got) = (at + 24 + size, got + 1);
        }
        if bytes.len() < 100 {
            break;
        }
        assert!(got > 0);
    }
    assert_eq!((names.len(), cookie), (602, 602));
    assert_eq!(list(&mut guest, 602, 100), b"");
    assert_eq!(list(&mut guest, u64::MAX, 100), b"");
    let again = list(&mut guest, 300, 100);
    assert_eq!(list(&mut guest, 300, 100), again);
    assert_eq!(&list(&mut guest, 0, 25)[24..], b".");
    assert_eq!(list(&mut guest, 0, 0), b"");
    assert_eq!(guest.call("fd_readdir", &[I(1), I(0x8000), I(100), L(0), I(80)]), BADF);
}

/// A clock subscription at 0x10000 + 48 * `at`.
fn subscribe(guest: &mut Guest, at: i32, timeout: u64) {
    let mut sub = [0_u8; 48];
    sub[..8].copy_from_slice(&(at as u64).to_le_bytes());
    sub[16..20].copy_from_slice(&1_u32.to_le_bytes());
    sub[24..32].copy_from_slice(&timeout.to_le_bytes());
    guest.poke(0x10000 + 48 * at, &sub);
}

#[test]
fn attack_12_polls_that_are_many_or_never_end() {
    let mut guest = Guest::plain();
    // 10,000 that are all zero: clocks of real time, without a timeout.
    assert_eq!(guest.call("poll_oneoff", &[I(0x10000), I(0x90000), I(10_000), I(80)]), SUCCESS);
    assert_eq!(guest.number(80), 10_000);
    assert_eq!(guest.call("poll_oneoff", &[I(0x10000), I(0x90000), I(0), I(80)]), INVAL);
    subscribe(&mut guest, 0, u64::MAX);
    subscribe(&mut guest, 1, 1_000_000);
    assert_eq!(guest.call("poll_oneoff", &[I(0x10000), I(0x90000), I(2), I(80)]), SUCCESS);
    assert_eq!((guest.number(80), guest.number(0x90000)), (1, 1));
    let end = guest.try_within(50, "poll_oneoff", &[I(0x10000), I(0x90000), I(1), I(80)]).unwrap_err();
    assert_eq!(end.kind, Kind::Timeout);
}

#[test]
fn attack_12_a_descriptor_that_cannot_be_polled_is_an_event() {
    let mut guest = Guest::plain();
    let mut sub = [0_u8; 48];
    sub[8] = 1;
    sub[16] = 77;
    guest.poke(0x10000, &sub);
    assert_eq!(guest.call("poll_oneoff", &[I(0x10000), I(0x90000), I(1), I(80)]), SUCCESS);
    assert_eq!((guest.number(80), guest.peek(0x90008, 2)), (1, vec![BADF as u8, 0]));
    sub[8] = 9;
    guest.poke(0x10000, &sub);
    assert_eq!(guest.call("poll_oneoff", &[I(0x10000), I(0x90000), I(1), I(80)]), INVAL);
}

#[test]
fn a_reactor_is_begun_once_for_each_instance() {
    let reactor = |start: &str| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (memory (export "memory") 1)
              (global $begun (mut i32) (i32.const 0))
              (func $begin (global.set $begun (i32.add (global.get $begun) (i32.const 1))))
              (export "_initialize" (func $begin)) {start}
              (func (export "__wasm_call_ctors") unreachable)
              (func (export "begun") (result i32) (global.get $begun)))"#
        )
    };
    for (start, begun) in [("", 1), (r#"(export "_start" (func $begin))"#, 0)] {
        let linked = link(&engine(false), &reactor(start), &["wasi_snapshot_preview1"], &[]).unwrap();
        let instance = Instance::new(&linked, options(), None, &within(20_000), 1).unwrap();
        let mut guest = Guest { linked, instance };
        assert_eq!((guest.call("begun", &[]), guest.call("begun", &[])), (begun, begun));
    }
}

#[test]
fn a_reactor_that_fails_to_begin_is_no_instance() {
    let wat = r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
        (memory (export "memory") 1)
        (func (export "_initialize") (loop (br 0))))"#;
    let linked = link(&engine(false), wat, &["wasi_snapshot_preview1"], &[]).unwrap();
    let fault = Instance::new(&linked, options(), None, &within(50), 1).err().unwrap();
    assert_eq!(fault.kind, Kind::Timeout);
}

#[test]
fn sockets_are_none() {
    let mut guest = Guest::plain();
    assert_eq!(guest.call("sock_recv", &[I(0), I(128), I(1), I(0), I(80), I(84)]), NOTSOCK);
    assert_eq!(guest.call("sock_shutdown", &[I(1), I(1)]), NOTSOCK);
}

#[test]
fn a_status_ends_the_guest() {
    for status in [0, 1, 255, -1] {
        let end = Guest::plain().try_within(20_000, "proc_exit", &[I(status)]).unwrap_err();
        assert_eq!((end.kind, end.number), (Kind::Exit, i64::from(status)));
    }
}
