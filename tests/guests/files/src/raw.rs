//! wasi:filesystem, function by function.

use std::cell::RefCell;
use std::collections::BTreeMap;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Datetime, Descriptor, DescriptorFlags, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};

use crate::Files;
use crate::exports::cordon::files::raw::{Guest, How};

const OPENED: u32 = 1000;

#[derive(Default)]
struct Table {
    folders: Vec<(Descriptor, String)>,
    files: BTreeMap<u32, Descriptor>,
    next: u32,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::new(Table { folders: get_directories(), ..Table::default() });
}

fn name(code: ErrorCode) -> String {
    code.name().to_string()
}

fn kind_name(kind: DescriptorType) -> String {
    match kind {
        DescriptorType::RegularFile => "regular-file",
        DescriptorType::Directory => "directory",
        DescriptorType::SymbolicLink => "symbolic-link",
        DescriptorType::Fifo => "fifo",
        DescriptorType::Socket => "socket",
        DescriptorType::CharacterDevice => "character-device",
        DescriptorType::BlockDevice => "block-device",
        DescriptorType::Unknown => "unknown",
    }
    .to_string()
}

fn following(follow: bool) -> PathFlags {
    if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() }
}

fn at(seconds: u64) -> NewTimestamp {
    NewTimestamp::Timestamp(Datetime { seconds, nanoseconds: 0 })
}

fn in_folder<T>(folder: u32, act: impl FnOnce(&Descriptor) -> Result<T, ErrorCode>) -> Result<T, String> {
    TABLE.with_borrow(|table| {
        let found = match folder.checked_sub(OPENED) {
            Some(number) => table.files.get(&number),
            None => table.folders.get(folder as usize).map(|(descriptor, _)| descriptor),
        };
        act(found.ok_or("no such folder")?).map_err(name)
    })
}

fn with<T>(file: u32, act: impl FnOnce(&Descriptor) -> Result<T, ErrorCode>) -> Result<T, String> {
    TABLE.with_borrow(|table| act(table.files.get(&file).ok_or("no such descriptor")?).map_err(name))
}

fn keep(descriptor: Descriptor) -> u32 {
    TABLE.with_borrow_mut(|table| {
        let number = table.next;
        table.next += 1;
        table.files.insert(number, descriptor);
        number
    })
}

fn open_at(folder: &Descriptor, path: &str, how: How) -> Result<Descriptor, ErrorCode> {
    let mut open = OpenFlags::empty();
    let mut flags = DescriptorFlags::empty();
    open.set(OpenFlags::CREATE, how.contains(How::CREATE));
    open.set(OpenFlags::DIRECTORY, how.contains(How::DIRECTORY));
    open.set(OpenFlags::EXCLUSIVE, how.contains(How::EXCLUSIVE));
    open.set(OpenFlags::TRUNCATE, how.contains(How::TRUNCATE));
    flags.set(DescriptorFlags::READ, how.contains(How::READ));
    flags.set(DescriptorFlags::WRITE, how.contains(How::WRITE));
    flags.set(DescriptorFlags::MUTATE_DIRECTORY, how.contains(How::MUTATE_DIRECTORY));
    folder.open_at(following(how.contains(How::FOLLOW)), path, open, flags)
}

impl Guest for Files {
    fn preopens() -> Vec<String> {
        TABLE.with_borrow(|table| table.folders.iter().map(|(_, path)| path.clone()).collect())
    }

    fn open(folder: u32, path: String, how: How) -> Result<u32, String> {
        in_folder(folder, |d| open_at(d, &path, how)).map(keep)
    }

    fn close(file: u32) {
        TABLE.with_borrow_mut(|table| table.files.remove(&file));
    }

    fn read(file: u32, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        with(file, |d| d.read(length, offset)).map(|(bytes, _)| bytes)
    }

    fn write(file: u32, offset: u64, content: Vec<u8>) -> Result<u64, String> {
        with(file, |d| d.write(&content, offset))
    }

    fn write_stream(file: u32, offset: u64, content: Vec<u8>) -> Result<(), String> {
        let stream = with(file, |d| d.write_via_stream(offset))?;
        stream.blocking_write_and_flush(&content).map_err(|e| format!("{e:?}"))
    }

    fn append_stream(file: u32, content: Vec<u8>) -> Result<(), String> {
        let stream = with(file, |d| d.append_via_stream())?;
        stream.blocking_write_and_flush(&content).map_err(|e| format!("{e:?}"))
    }

    fn set_size(file: u32, size: u64) -> Result<(), String> {
        with(file, |d| d.set_size(size))
    }

    fn set_times(file: u32, seconds: u64) -> Result<(), String> {
        with(file, |d| d.set_times(at(seconds), at(seconds)))
    }

    fn sync(file: u32) -> Result<(), String> {
        with(file, |d| d.sync())
    }

    fn kind(file: u32) -> Result<String, String> {
        with(file, |d| d.get_type()).map(kind_name)
    }

    fn is_same(a: u32, b: u32) -> bool {
        TABLE.with_borrow(|table| match (table.files.get(&a), table.files.get(&b)) {
            (Some(a), Some(b)) => a.is_same_object(b),
            _ => false,
        })
    }

    fn stat_at(folder: u32, path: String, follow: bool) -> Result<(String, u64), String> {
        in_folder(folder, |d| d.stat_at(following(follow), &path)).map(|s| (kind_name(s.type_), s.size))
    }

    fn set_times_at(folder: u32, path: String, follow: bool, seconds: u64) -> Result<(), String> {
        in_folder(folder, |d| d.set_times_at(following(follow), &path, at(seconds), at(seconds)))
    }

    fn make_folder(folder: u32, path: String) -> Result<(), String> {
        in_folder(folder, |d| d.create_directory_at(&path))
    }

    fn remove_folder(folder: u32, path: String) -> Result<(), String> {
        in_folder(folder, |d| d.remove_directory_at(&path))
    }

    fn unlink(folder: u32, path: String) -> Result<(), String> {
        in_folder(folder, |d| d.unlink_file_at(&path))
    }

    fn rename(folder: u32, path: String, to_folder: u32, to_path: String) -> Result<(), String> {
        // The table is borrowed twice, both times to read.
        in_folder(folder, |from| match in_folder(to_folder, |to| Ok(from.rename_at(&path, to, &to_path))) {
            Ok(result) => result,
            Err(_) => Err(ErrorCode::BadDescriptor),
        })
    }

    fn hard_link(folder: u32, path: String, follow: bool, to_folder: u32, to_path: String) -> Result<(), String> {
        in_folder(folder, |from| {
            match in_folder(to_folder, |to| Ok(from.link_at(following(follow), &path, to, &to_path))) {
                Ok(result) => result,
                Err(_) => Err(ErrorCode::BadDescriptor),
            }
        })
    }

    fn make_symlink(target: String, folder: u32, path: String) -> Result<(), String> {
        in_folder(folder, |d| d.symlink_at(&target, &path))
    }

    fn read_symlink(folder: u32, path: String) -> Result<String, String> {
        in_folder(folder, |d| d.readlink_at(&path))
    }

    fn entries(folder: u32, path: String, limit: u32) -> Result<Vec<String>, String> {
        let how = How::DIRECTORY | How::READ;
        let stream = in_folder(folder, |d| open_at(d, &path, how).and_then(|opened| opened.read_directory()))?;
        let mut names = Vec::new();
        while names.len() < limit as usize {
            match stream.read_directory_entry().map_err(name)? {
                Some(entry) => names.push(entry.name),
                None => break,
            }
        }
        Ok(names)
    }

    fn hash_at(folder: u32, path: String, follow: bool) -> Result<(u64, u64), String> {
        in_folder(folder, |d| d.metadata_hash_at(following(follow), &path)).map(|h| (h.lower, h.upper))
    }

    fn open_many(folder: u32, path: String, limit: u32) -> (u32, String) {
        for opened in 0..limit {
            match in_folder(folder, |d| open_at(d, &path, How::READ)) {
                Ok(descriptor) => keep(descriptor),
                Err(code) => return (opened, code),
            };
        }
        (limit, "no end".to_string())
    }

    fn race_read(folder: u32, path: String, marker: String, rounds: u32) -> u32 {
        let holds = |bytes: &[u8]| bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
        (0..rounds)
            .filter(|_| {
                let content = in_folder(folder, |d| {
                    open_at(d, &path, How::READ | How::FOLLOW).and_then(|opened| opened.read(4096, 0))
                });
                content.is_ok_and(|(bytes, _)| holds(&bytes))
            })
            .count() as u32
    }

    fn race_write(folder: u32, path: String, rounds: u32) -> u32 {
        (0..rounds)
            .filter(|_| {
                in_folder(folder, |d| {
                    open_at(d, &path, How::CREATE | How::WRITE | How::FOLLOW)
                        .and_then(|opened| opened.write(b"escaped", 0))
                })
                .is_ok()
            })
            .count() as u32
    }
}
