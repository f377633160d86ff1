//! What a guest is told of a descriptor or a file.

use super::types::{Errno, Fdflags, Fdstat, Filestat, Filetype, Fstflags, Rights, Timestamp};
use super::{Answer, types};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types as files;

const NANOS: u64 = 1_000_000_000;

/// A FIFO has no number of its own in the preview.
pub fn file_type(kind: files::DescriptorType) -> Filetype {
    use files::DescriptorType as D;
    match kind {
        D::RegularFile => Filetype::RegularFile,
        D::Directory => Filetype::Directory,
        D::BlockDevice => Filetype::BlockDevice,
        D::CharacterDevice => Filetype::CharacterDevice,
        D::Socket => Filetype::SocketStream,
        D::SymbolicLink => Filetype::SymbolicLink,
        D::Fifo | D::Unknown => Filetype::Unknown,
    }
}

pub fn timestamp(time: Datetime) -> Answer<Timestamp> {
    let whole = time.seconds.checked_mul(NANOS);
    Ok(whole.and_then(|ns| ns.checked_add(time.nanoseconds.into())).ok_or(Errno::Overflow)?)
}

pub fn file_stat(stat: &files::DescriptorStat, inode: u64) -> Answer<Filestat> {
    let time = |time: Option<Datetime>| time.map_or(Ok(0), timestamp);
    Ok(Filestat {
        dev: 1,
        ino: inode,
        filetype: file_type(stat.type_),
        nlink: stat.link_count,
        size: stat.size,
        atim: time(stat.data_access_timestamp)?,
        mtim: time(stat.data_modification_timestamp)?,
        ctim: time(stat.status_change_timestamp)?,
    })
}

/// Of a standard stream, which is no file.
pub fn stream_stat() -> Filestat {
    Filestat { dev: 0, ino: 0, filetype: Filetype::Unknown, nlink: 0, size: 0, atim: 0, mtim: 0, ctim: 0 }
}

pub fn stream_fdstat(rights: Rights) -> Fdstat {
    Fdstat {
        fs_filetype: Filetype::Unknown,
        fs_flags: Fdflags::empty(),
        fs_rights_base: rights,
        fs_rights_inheriting: rights,
    }
}

/// The rights that C libraries look for. What a mount really allows, it says when it is tried, and that is recorded.
pub fn mount_fdstat() -> Fdstat {
    use Rights as R;
    let base = R::PATH_CREATE_DIRECTORY
        | R::PATH_CREATE_FILE
        | R::PATH_LINK_SOURCE
        | R::PATH_LINK_TARGET
        | R::PATH_OPEN
        | R::FD_READDIR
        | R::PATH_READLINK
        | R::PATH_RENAME_SOURCE
        | R::PATH_RENAME_TARGET
        | R::PATH_SYMLINK
        | R::PATH_REMOVE_DIRECTORY
        | R::PATH_UNLINK_FILE
        | R::PATH_FILESTAT_GET
        | R::PATH_FILESTAT_SET_TIMES
        | R::FD_FILESTAT_GET
        | R::FD_FILESTAT_SET_TIMES;
    let of_files = R::FD_DATASYNC
        | R::FD_READ
        | R::FD_SEEK
        | R::FD_FDSTAT_SET_FLAGS
        | R::FD_SYNC
        | R::FD_TELL
        | R::FD_WRITE
        | R::FD_ADVISE
        | R::FD_ALLOCATE
        | R::FD_FILESTAT_SET_SIZE
        | R::POLL_FD_READWRITE;
    Fdstat {
        fs_filetype: Filetype::Directory,
        fs_flags: Fdflags::empty(),
        fs_rights_base: base,
        fs_rights_inheriting: base | of_files,
    }
}

pub fn descriptor_fdstat(kind: Filetype, flags: files::DescriptorFlags, own: Fdflags) -> Fdstat {
    use files::DescriptorFlags as D;
    let mut rights = Rights::all();
    if kind == Filetype::Directory {
        rights &= !(Rights::FD_SEEK | Rights::FD_FILESTAT_SET_SIZE | Rights::PATH_FILESTAT_SET_SIZE);
    }
    if !flags.contains(D::READ) {
        rights &= !(Rights::FD_READ | Rights::FD_READDIR);
    }
    if !flags.contains(D::WRITE) {
        rights &= !Rights::FD_WRITE;
    }
    let mut fs_flags = own;
    let kept = [
        (D::DATA_INTEGRITY_SYNC, Fdflags::DSYNC),
        (D::REQUESTED_WRITE_SYNC, Fdflags::RSYNC),
        (D::FILE_INTEGRITY_SYNC, Fdflags::SYNC),
    ];
    for (kernel, flag) in kept {
        if flags.contains(kernel) {
            fs_flags |= flag;
        }
    }
    Fdstat { fs_filetype: kind, fs_flags, fs_rights_base: rights, fs_rights_inheriting: rights }
}

/// The times that a guest sets: access and modification.
pub fn new_times(atim: u64, mtim: u64, flags: Fstflags) -> Answer<(files::NewTimestamp, files::NewTimestamp)> {
    let one = |given: Fstflags, now: Fstflags, time: u64| match (flags.contains(given), flags.contains(now)) {
        (true, true) => Err(types::Error::from(Errno::Inval)),
        (true, false) => {
            Ok(files::NewTimestamp::Timestamp(Datetime { seconds: time / NANOS, nanoseconds: (time % NANOS) as u32 }))
        }
        (false, true) => Ok(files::NewTimestamp::Now),
        (false, false) => Ok(files::NewTimestamp::NoChange),
    };
    Ok((one(Fstflags::ATIM, Fstflags::ATIM_NOW, atim)?, one(Fstflags::MTIM, Fstflags::MTIM_NOW, mtim)?))
}
