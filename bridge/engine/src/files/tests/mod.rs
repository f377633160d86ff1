//! The interfaces as a guest calls them, against real folders.

mod changes;
mod listing;
mod ordinary;
mod paths;
mod race;

use super::{Access, FileHooks, Files, FilesView, Mount, preopens, types};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use types::{DescriptorFlags as Flags, ErrorCode, HostDescriptor, NewTimestamp, OpenFlags, PathFlags};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

/// A folder that goes when the test ends.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        Folder::below(&std::env::temp_dir())
    }

    /// For very many files.
    pub fn in_memory() -> Folder {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Folder::below(memory) } else { Folder::new() }
    }

    fn below(parent: &Path) -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cordon-files-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = parent.join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    pub fn file(&self, path: &str, text: &str) -> &Folder {
        std::fs::write(self.at(path), text).unwrap();
        self
    }

    pub fn folder(&self, path: &str) -> &Folder {
        std::fs::create_dir_all(self.at(path)).unwrap();
        self
    }

    pub fn link(&self, target: impl AsRef<Path>, path: &str) -> &Folder {
        std::os::unix::fs::symlink(target, self.at(path)).unwrap();
        self
    }

    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.at(path)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn mount(&self, guest_path: &str, writable: bool) -> Mount {
        Mount { dir: folder_fd(&self.0), guest_path: guest_path.to_string(), writable }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn folder_fd(path: &Path) -> OwnedFd {
    use rustix::fs::{Mode, OFlags, open};
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Asked(String, Access),
    Refused(String, &'static str),
}

struct Recorder {
    records: Arc<Mutex<Vec<Record>>>,
    denied: Option<Access>,
}

impl FileHooks for Recorder {
    fn open(&mut self, mount: &str, path: &str, access: Access) -> bool {
        self.records.lock().unwrap().push(Record::Asked(format!("{mount}:{path}"), access));
        self.denied != Some(access)
    }

    fn refused(&mut self, mount: &str, path: &str, reason: &'static str) {
        self.records.lock().unwrap().push(Record::Refused(format!("{mount}:{path}"), reason));
    }
}

/// One store's worth of state and a runtime to call it from. Descriptors are plain numbers; mounts are 0, 1, ...
pub struct Guest {
    files: Files,
    ctx: WasiCtx,
    pub table: ResourceTable,
    runtime: tokio::runtime::Runtime,
    records: Arc<Mutex<Vec<Record>>>,
}

pub fn fd(rep: u32) -> Resource<Descriptor> {
    Resource::new_borrow(rep)
}

impl Guest {
    pub fn new(mounts: Vec<Mount>) -> Guest {
        Guest::denying(mounts, None)
    }

    pub fn denying(mounts: Vec<Mount>, denied: Option<Access>) -> Guest {
        let records = Arc::new(Mutex::new(Vec::new()));
        let hooks = Recorder { records: records.clone(), denied };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let files = Files::new(mounts, Box::new(hooks), None);
        let ctx = WasiCtxBuilder::new().build();
        let mut guest = Guest { files, ctx, table: ResourceTable::new(), runtime, records };
        let found = preopens::Host::get_directories(&mut guest.view()).unwrap();
        assert!(found.iter().enumerate().all(|(i, (fd, _))| fd.rep() == i as u32));
        guest
    }

    pub fn view(&mut self) -> FilesView<'_> {
        FilesView::new(&mut self.files, &mut self.ctx, &mut self.table)
    }

    pub fn origins(&self) -> usize {
        self.files.places.len()
    }

    pub fn call<R>(&mut self, work: impl AsyncFnOnce(&mut FilesView<'_>) -> FsResult<R>) -> Result<R, ErrorCode> {
        let mut view = FilesView::new(&mut self.files, &mut self.ctx, &mut self.table);
        let result = self.runtime.block_on(work(&mut view));
        result.map_err(|e| e.downcast().expect("an error code, not a trap"))
    }

    /// What was asked and refused since the last look.
    pub fn records(&self) -> Vec<Record> {
        std::mem::take(&mut self.records.lock().unwrap())
    }

    pub fn refusals(&self) -> Vec<&'static str> {
        let one = |r: Record| match r {
            Record::Refused(_, reason) => Some(reason),
            Record::Asked(..) => None,
        };
        self.records().into_iter().filter_map(one).collect()
    }

    pub fn open_at(
        &mut self,
        dir: u32,
        links: PathFlags,
        path: &str,
        how: OpenFlags,
        flags: Flags,
    ) -> Result<u32, ErrorCode> {
        let opened = self.call(async |v| v.open_at(fd(dir), links, path.into(), how, flags).await);
        opened.map(|r| r.rep())
    }

    pub fn open(&mut self, dir: u32, path: &str, how: OpenFlags, flags: Flags) -> Result<u32, ErrorCode> {
        self.open_at(dir, PathFlags::SYMLINK_FOLLOW, path, how, flags)
    }

    /// Opens for reading, reads, and closes.
    pub fn read(&mut self, dir: u32, path: &str) -> Result<String, ErrorCode> {
        let file = self.open(dir, path, OpenFlags::empty(), Flags::READ)?;
        let bytes = self.call(async |v| v.read(fd(file), 1000, 0).await);
        self.close(file);
        Ok(String::from_utf8(bytes?.0).unwrap())
    }

    pub fn close(&mut self, rep: u32) {
        HostDescriptor::drop(&mut self.view(), Resource::new_own(rep)).unwrap();
    }

    pub fn write(&mut self, dir: u32, path: &str, text: &str) -> Result<(), ErrorCode> {
        let file = self.open(dir, path, OpenFlags::CREATE, Flags::READ | Flags::WRITE)?;
        let written = self.call(async |v| v.write(fd(file), text.into(), 0).await);
        self.close(file);
        written.map(|_| ())
    }

    pub fn stat(&mut self, dir: u32, links: PathFlags, path: &str) -> Result<types::DescriptorStat, ErrorCode> {
        self.call(async |v| v.stat_at(fd(dir), links, path.into()).await)
    }

    pub fn mkdir(&mut self, dir: u32, path: &str) -> Result<(), ErrorCode> {
        self.call(async |v| v.create_directory_at(fd(dir), path.into()).await)
    }

    pub fn rmdir(&mut self, dir: u32, path: &str) -> Result<(), ErrorCode> {
        self.call(async |v| v.remove_directory_at(fd(dir), path.into()).await)
    }

    pub fn unlink(&mut self, dir: u32, path: &str) -> Result<(), ErrorCode> {
        self.call(async |v| v.unlink_file_at(fd(dir), path.into()).await)
    }

    pub fn rename(&mut self, old: (u32, &str), new: (u32, &str)) -> Result<(), ErrorCode> {
        self.call(async |v| v.rename_at(fd(old.0), old.1.into(), fd(new.0), new.1.into()).await)
    }

    pub fn hard_link(&mut self, old: (u32, &str), new: (u32, &str)) -> Result<(), ErrorCode> {
        let none = PathFlags::empty();
        self.call(async |v| v.link_at(fd(old.0), none, old.1.into(), fd(new.0), new.1.into()).await)
    }

    pub fn symlink(&mut self, dir: u32, target: &str, path: &str) -> Result<(), ErrorCode> {
        self.call(async |v| v.symlink_at(fd(dir), target.into(), path.into()).await)
    }

    pub fn touch(&mut self, dir: u32, links: PathFlags, path: &str) -> Result<(), ErrorCode> {
        let now = NewTimestamp::Now;
        self.call(async |v| v.set_times_at(fd(dir), links, path.into(), now, now).await)
    }
}

pub const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
/// A last link is not followed.
pub fn keep() -> PathFlags {
    PathFlags::empty()
}
