//! The system calls, each on paths that were checked. They block: callers run them off the guest's thread.

use super::path::{Split, points_down};
use super::{Fail, reason};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, NewTimestamp,
};

type Done<T> = Result<T, Fail>;

/// Modes of what a guest makes, before the process's umask. WASI cannot ask for set-id or sticky bits.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o755);
const SET_ID_BITS: u32 = 0o6000;
const MODE_BITS: u32 = 0o7777;
/// `..` beside a rename elsewhere on the machine is answered EAGAIN; this often at most.
const MAX_RETRIES: u32 = 64;

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV
}

/// Whether a link as the path's last name is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    Follow,
    Keep,
}

impl Links {
    fn flags(self) -> OFlags {
        match self {
            Links::Follow => OFlags::empty(),
            Links::Keep => OFlags::NOFOLLOW,
        }
    }
}

pub fn code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::ACCESS => ErrorCode::Access,
        Errno::AGAIN => ErrorCode::WouldBlock,
        Errno::BADF => ErrorCode::BadDescriptor,
        Errno::BUSY => ErrorCode::Busy,
        Errno::DEADLK => ErrorCode::Deadlock,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::EXIST => ErrorCode::Exist,
        Errno::FBIG => ErrorCode::FileTooLarge,
        Errno::ILSEQ => ErrorCode::IllegalByteSequence,
        Errno::INTR => ErrorCode::Interrupted,
        Errno::INVAL => ErrorCode::Invalid,
        Errno::ISDIR => ErrorCode::IsDirectory,
        Errno::LOOP => ErrorCode::Loop,
        Errno::MLINK => ErrorCode::TooManyLinks,
        Errno::NAMETOOLONG => ErrorCode::NameTooLong,
        Errno::NODEV | Errno::NXIO => ErrorCode::NoDevice,
        Errno::NOENT => ErrorCode::NoEntry,
        Errno::NOMEM | Errno::MFILE | Errno::NFILE => ErrorCode::InsufficientMemory,
        Errno::NOSPC => ErrorCode::InsufficientSpace,
        Errno::NOTDIR => ErrorCode::NotDirectory,
        Errno::NOTEMPTY => ErrorCode::NotEmpty,
        Errno::NOTSUP => ErrorCode::Unsupported,
        Errno::OVERFLOW => ErrorCode::Overflow,
        Errno::PERM => ErrorCode::NotPermitted,
        Errno::PIPE => ErrorCode::Pipe,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::SPIPE => ErrorCode::InvalidSeek,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::XDEV => ErrorCode::CrossDevice,
        _ => ErrorCode::Io,
    }
}

impl From<Errno> for Fail {
    fn from(errno: Errno) -> Fail {
        Fail::Code(code(errno))
    }
}

fn unconfined() -> Fail {
    Fail::Trap("files cannot be confined: the kernel or a seccomp filter refuses openat2 (Linux 5.6 or later)".into())
}

/// Which of its two boundaries the kernel refused to cross; for the record only. It finds the first name that crosses
/// and asks the name cache alone whether a mount is there, so that the question mounts nothing.
fn left_by(dir: BorrowedFd<'_>, path: &str) -> &'static str {
    let answer = |end: usize, within| {
        let seen = rustix::fs::openat2(dir, &path[..end], OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), within);
        seen.err()
    };
    let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).chain([path.len()]).collect();
    let first = ends.partition_point(|end| answer(*end, beneath()) != Some(Errno::XDEV));
    let cached = (beneath() - ResolveFlags::NO_XDEV) | ResolveFlags::CACHED;
    match ends.get(first).map(|end| answer(*end, cached)) {
        Some(None) => reason::MOUNT_CROSSING,
        _ => reason::BENEATH,
    }
}

/// openat2, and nothing else, resolves a guest's path.
pub fn resolve(dir: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Done<OwnedFd> {
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(dir, path, flags | OFlags::CLOEXEC, mode, beneath()) {
            Ok(fd) => return Ok(fd),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if tries < MAX_RETRIES => tries += 1,
            Err(Errno::XDEV) => return Err(Fail::Refused(ErrorCode::NotPermitted, left_by(dir, path))),
            Err(Errno::NOSYS) => return Err(unconfined()),
            // A filter's answer, or a file's own (append-only, immutable)? An O_PATH open of "." never earns it.
            Err(Errno::PERM) => {
                let probe = rustix::fs::openat2(dir, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), beneath());
                return Err(if probe.is_err() { unconfined() } else { Fail::Code(ErrorCode::NotPermitted) });
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A handle that can be looked at but neither read nor written: takes no side effect of a device or FIFO.
fn look(dir: BorrowedFd<'_>, path: &str, links: Links) -> Done<OwnedFd> {
    resolve(dir, path, OFlags::PATH | links.flags(), Mode::empty())
}

fn parent(dir: BorrowedFd<'_>, split: &Split) -> Done<OwnedFd> {
    resolve(dir, &split.parent, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn not_regular() -> Fail {
    Fail::Refused(ErrorCode::NotPermitted, reason::NOT_REGULAR)
}

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub links: Links,
    pub read: bool,
    pub write: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub folder: bool,
    /// O_SYNC or O_DSYNC.
    pub sync: OFlags,
}

impl Wish {
    fn flags(&self) -> OFlags {
        let mut flags = match (self.read, self.write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        flags |= self.links.flags() | self.sync | OFlags::NONBLOCK | OFlags::NOCTTY;
        flags.set(OFlags::CREATE, self.create);
        flags.set(OFlags::EXCL, self.exclusive);
        flags.set(OFlags::DIRECTORY, self.folder);
        flags
    }
}

pub enum Opened {
    File(File),
    Folder(File),
}

/// Opens a regular file or a folder.
///
/// A first look avoids what a mere open of a FIFO or device would set off; the look at what was opened is the one that
/// counts. Truncation comes last, so that nothing is destroyed that turns out not to be a regular file.
pub fn open(dir: &File, path: &str, wish: Wish) -> Done<Opened> {
    let dir = dir.as_fd();
    if !(wish.create && wish.exclusive) {
        match look(dir, path, wish.links) {
            Ok(seen) => match kind(&rustix::fs::fstat(&seen)?) {
                FileType::RegularFile | FileType::Directory => {}
                FileType::Symlink => return Err(Fail::Code(ErrorCode::Loop)),
                _ => return Err(not_regular()),
            },
            Err(Fail::Code(ErrorCode::NoEntry)) if wish.create => {}
            Err(fail) => return Err(fail),
        }
    }
    let mode = if wish.create { FILE_MODE } else { Mode::empty() };
    let fd = match resolve(dir, path, wish.flags(), mode) {
        // A FIFO without a reader, or a socket, that took the file's place.
        Err(Fail::Code(ErrorCode::NoDevice)) => return Err(not_regular()),
        other => other?,
    };
    let stat = rustix::fs::fstat(&fd)?;
    match kind(&stat) {
        FileType::Directory => return Ok(Opened::Folder(fd.into())),
        FileType::RegularFile => {}
        _ => return Err(not_regular()),
    }
    // The kernel strips these on a write, but not for root: no guest chooses what a set-id program does. A file of
    // another owner cannot be changed so, and then the kernel's rule holds.
    if wish.write && stat.st_mode & SET_ID_BITS != 0 {
        let _ = rustix::fs::fchmod(&fd, Mode::from_raw_mode(stat.st_mode & MODE_BITS & !SET_ID_BITS));
    }
    if wish.truncate {
        rustix::fs::ftruncate(&fd, 0)?;
    }
    Ok(Opened::File(fd.into()))
}

fn time(seconds: i64, nanoseconds: u64) -> Option<Datetime> {
    let nanoseconds = u32::try_from(nanoseconds).ok()?;
    Some(Datetime { seconds: u64::try_from(seconds).ok()?, nanoseconds })
}

pub fn type_of(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Unknown => DescriptorType::Unknown,
    }
}

#[allow(clippy::unnecessary_cast, reason = "the widths of stat's fields differ between architectures")]
fn describe(stat: &Stat) -> DescriptorStat {
    DescriptorStat {
        type_: type_of(kind(stat)),
        link_count: stat.st_nlink as u64,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        data_access_timestamp: time(stat.st_atime as i64, stat.st_atime_nsec as u64),
        data_modification_timestamp: time(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
        status_change_timestamp: time(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
    }
}

/// The same value for the same object, however it was reached.
fn identify(stat: &Stat) -> MetadataHashValue {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, stat.st_dev, stat.st_ino).hash(&mut hasher);
        hasher.finish()
    };
    MetadataHashValue { lower: half(0), upper: half(1) }
}

pub fn stat(file: &File) -> Done<DescriptorStat> {
    Ok(describe(&rustix::fs::fstat(file)?))
}

pub fn stat_at(dir: &File, path: &str, links: Links) -> Done<DescriptorStat> {
    Ok(describe(&rustix::fs::fstat(look(dir.as_fd(), path, links)?)?))
}

pub fn hash(file: &File) -> Done<MetadataHashValue> {
    Ok(identify(&rustix::fs::fstat(file)?))
}

pub fn hash_at(dir: &File, path: &str, links: Links) -> Done<MetadataHashValue> {
    Ok(identify(&rustix::fs::fstat(look(dir.as_fd(), path, links)?)?))
}

pub fn read_link(dir: &File, path: &str) -> Done<String> {
    let fd = look(dir.as_fd(), path, Links::Keep)?;
    if kind(&rustix::fs::fstat(&fd)?) != FileType::Symlink {
        return Err(Fail::Code(ErrorCode::Invalid));
    }
    let target = rustix::fs::readlinkat(&fd, "", Vec::new())?;
    target.into_string().map_err(|_| Fail::Code(ErrorCode::IllegalByteSequence))
}

pub fn append(file: &File, bytes: &[u8]) -> Done<u64> {
    use rustix::io::{ReadWriteFlags, pwritev2};
    Ok(pwritev2(file, &[std::io::IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND)? as u64)
}

/// What the guest asked times to become.
pub fn times(access: NewTimestamp, modification: NewTimestamp) -> Result<Timestamps, ErrorCode> {
    const NANOSECONDS: u32 = 1_000_000_000;
    let one = |t: NewTimestamp| -> Result<Timespec, ErrorCode> {
        let t = match t {
            NewTimestamp::NoChange => return Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT as _ }),
            NewTimestamp::Now => return Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ }),
            NewTimestamp::Timestamp(t) => t,
        };
        let seconds = t.seconds.checked_add(u64::from(t.nanoseconds / NANOSECONDS));
        let tv_sec = seconds.and_then(|s| i64::try_from(s).ok()).ok_or(ErrorCode::Overflow)?;
        Ok(Timespec { tv_sec, tv_nsec: (t.nanoseconds % NANOSECONDS).into() })
    };
    Ok(Timestamps { last_access: one(access)?, last_modification: one(modification)? })
}

pub fn set_times(file: &File, times: &Timestamps) -> Done<()> {
    // By an empty path: a mount's own folder may be open as O_PATH only, which futimens does not take.
    Ok(rustix::fs::utimensat(file, "", times, AtFlags::EMPTY_PATH)?)
}

pub fn set_times_at(dir: &File, path: &str, links: Links, times: &Timestamps) -> Done<()> {
    let fd = look(dir.as_fd(), path, links)?;
    match kind(&rustix::fs::fstat(&fd)?) {
        FileType::RegularFile | FileType::Directory | FileType::Symlink => {}
        _ => return Err(not_regular()),
    }
    Ok(rustix::fs::utimensat(&fd, "", times, AtFlags::EMPTY_PATH)?)
}

pub fn make_folder(dir: &File, path: &Split) -> Done<()> {
    Ok(rustix::fs::mkdirat(parent(dir.as_fd(), path)?, path.name.as_str(), FOLDER_MODE)?)
}

pub fn remove_folder(dir: &File, path: &Split) -> Done<()> {
    Ok(rustix::fs::unlinkat(parent(dir.as_fd(), path)?, path.name.as_str(), AtFlags::REMOVEDIR)?)
}

fn peek(parent: &OwnedFd, name: &str) -> Done<Stat> {
    Ok(rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// `name/` can only mean a folder. A slash never reaches the kernel behind a last name, where it would follow a link.
fn only_folder(parent: &OwnedFd, path: &Split) -> Done<()> {
    if path.slash && kind(&peek(parent, &path.name)?) != FileType::Directory {
        return Err(Fail::Code(ErrorCode::NotDirectory));
    }
    Ok(())
}

/// A new name with a slash behind it is no file's name.
fn new_name(parent: &OwnedFd, path: &Split) -> Done<()> {
    if path.slash {
        let there = peek(parent, &path.name).is_ok();
        return Err(Fail::Code(if there { ErrorCode::Exist } else { ErrorCode::NoEntry }));
    }
    Ok(())
}

pub fn remove_file(dir: &File, path: &Split) -> Done<()> {
    let parent = parent(dir.as_fd(), path)?;
    if path.slash {
        let folder = kind(&peek(&parent, &path.name)?) == FileType::Directory;
        return Err(Fail::Code(if folder { ErrorCode::IsDirectory } else { ErrorCode::NotDirectory }));
    }
    Ok(rustix::fs::unlinkat(parent, path.name.as_str(), AtFlags::empty())?)
}

/// The caller has checked that `target` points down.
pub fn make_link(dir: &File, target: &str, path: &Split) -> Done<()> {
    let parent = parent(dir.as_fd(), path)?;
    new_name(&parent, path)?;
    Ok(rustix::fs::symlinkat(target, parent, path.name.as_str())?)
}

fn same_folder(a: &OwnedFd, b: &OwnedFd) -> Done<bool> {
    let (a, b) = (rustix::fs::fstat(a)?, rustix::fs::fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// A link may stay where it is, or move if it means something below its folder everywhere. Others were made by the
/// host, and the same content could leave the mount from another folder.
fn movable(from: &OwnedFd, name: &str, to: &OwnedFd) -> Done<()> {
    if same_folder(from, to)? {
        return Ok(());
    }
    let target = rustix::fs::readlinkat(from, name, Vec::new())?;
    match points_down(target.to_bytes()) {
        true => Ok(()),
        false => Err(Fail::Refused(ErrorCode::NotPermitted, reason::SYMLINK_OUT)),
    }
}

pub fn hard_link(old_dir: &File, old: &Split, new_dir: &File, new: &Split) -> Done<()> {
    let (from, to) = (parent(old_dir.as_fd(), old)?, parent(new_dir.as_fd(), new)?);
    only_folder(&from, old)?;
    match kind(&peek(&from, &old.name)?) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Fail::Code(ErrorCode::NotPermitted)),
        FileType::Symlink => movable(&from, &old.name, &to)?,
        _ => return Err(not_regular()),
    }
    new_name(&to, new)?;
    Ok(rustix::fs::linkat(from, old.name.as_str(), to, new.name.as_str(), AtFlags::empty())?)
}

/// Links inside a folder that moves are not looked at: those that a guest made point down and cannot leave; those that
/// the host made are the host's.
pub fn rename(old_dir: &File, old: &Split, new_dir: &File, new: &Split) -> Done<()> {
    let (from, to) = (parent(old_dir.as_fd(), old)?, parent(new_dir.as_fd(), new)?);
    only_folder(&from, old)?;
    match kind(&peek(&from, &old.name)?) {
        FileType::Directory => {}
        _ if new.slash => return Err(Fail::Code(ErrorCode::NotDirectory)),
        FileType::Symlink => movable(&from, &old.name, &to)?,
        FileType::RegularFile => {}
        _ => return Err(not_regular()),
    }
    Ok(rustix::fs::renameat(from, old.name.as_str(), to, new.name.as_str())?)
}
