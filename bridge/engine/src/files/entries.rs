//! Folder listings, a page at a time: a folder of any size costs the host one small buffer.

use super::Fail;
use super::kernel::{self, type_of};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use wasmtime_wasi::p2::bindings::filesystem::types::{DirectoryEntry, ErrorCode};

/// Entries read at once off the guest's thread.
const PAGE_ENTRIES: usize = 256;

/// A name that is not UTF-8 is an error of its own; the listing goes on behind it.
pub type Entry = Result<DirectoryEntry, ErrorCode>;

/// The stream behind `directory-entry-stream`. It is in the resource table under this type, while the bindings name
/// wasmtime-wasi's: only code in this module makes or reads one.
pub struct Entries {
    dir: Arc<Mutex<rustix::fs::Dir>>,
    page: VecDeque<Entry>,
    ended: bool,
}

impl Entries {
    /// Reads the folder's own content: a descriptor of its own, so that two listings do not share a position.
    pub(super) fn open(dir: &File) -> Result<Entries, Fail> {
        let fd = kernel::resolve(dir.as_fd(), ".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let dir = rustix::fs::Dir::new(fd)?;
        Ok(Entries { dir: Arc::new(Mutex::new(dir)), page: VecDeque::new(), ended: false })
    }

    /// The next entry, wherever the reading takes place.
    pub async fn next_or_read(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.next() {
                return Some(entry);
            }
            let work = self.more()?;
            let page = super::off(work).await;
            self.fill(page);
        }
    }

    pub fn next(&mut self) -> Option<Entry> {
        self.page.pop_front()
    }

    /// The work of reading the next page, to be run elsewhere and handed to `fill`; nothing when there is none to read.
    pub fn more(&self) -> Option<impl FnOnce() -> Vec<Entry> + Send + use<>> {
        if self.ended || !self.page.is_empty() {
            return None;
        }
        let dir = self.dir.clone();
        Some(move || match dir.lock() {
            Ok(mut dir) => read_page(&mut dir),
            Err(_) => vec![Err(ErrorCode::Io)],
        })
    }

    pub fn fill(&mut self, page: Vec<Entry>) {
        self.ended = page.len() < PAGE_ENTRIES;
        self.page = page.into();
    }
}

/// Shorter than a page at the folder's end, and only there.
fn read_page(dir: &mut rustix::fs::Dir) -> Vec<Entry> {
    let mut page = Vec::with_capacity(PAGE_ENTRIES);
    while page.len() < PAGE_ENTRIES {
        let entry = match dir.read() {
            None => break,
            Some(Ok(entry)) => entry,
            Some(Err(errno)) => {
                page.push(Err(kernel::code(errno)));
                break;
            }
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(text) = name.to_str() else {
            page.push(Err(ErrorCode::IllegalByteSequence));
            continue;
        };
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            // Some file systems keep no types in their folders.
            let stat = dir.fd().and_then(|fd| rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW));
            kind = stat.map_or(kind, |s| FileType::from_raw_mode(s.st_mode));
        }
        page.push(Ok(DirectoryEntry { type_: type_of(kind), name: text.to_string() }));
    }
    page
}
