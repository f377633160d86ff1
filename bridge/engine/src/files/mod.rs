//! The WASI 0.2 file system, confined: wasmtime-wasi moves the bytes, this module decides what may be opened and
//! changed.
//!
//! Every path is resolved by the kernel below the descriptor it starts from (openat2 with RESOLVE_BENEATH,
//! RESOLVE_NO_MAGICLINKS and RESOLVE_NO_XDEV), so that no race between a check and a use exists. There is no fallback:
//! without openat2 the guest's call traps. Only regular files and folders are ever opened.
//!
//! One operation, one denial, in this order:
//! 1. What a look at the arguments refuses (absolute, `..` above the start, NUL, a read-only mount, two mounts) is
//!    reported by `FileHooks::refused`; the host was not asked.
//! 2. `FileHooks::open` asks the host. Its `false` is a denial that the host itself records.
//! 3. What the kernel then refuses (a link that leaves, another file system, a device) is reported by `refused`.
//!
//! Ordinary errors (no such file, not empty) are errors for the guest and no denials. Rename and link ask for both
//! paths, and for the second only after the first was allowed. Reading metadata and folders is not asked for: it comes
//! with the mount. Neither is reading or writing an open file: its open was.

mod account;
mod entries;
mod host;
mod kernel;
mod path;
#[cfg(test)]
mod tests;

pub use account::{Account, Counts, Meter};
pub(crate) use entries::Entries;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi::{FsPerms, OpenMode, WasiCtx};

/// Why an operation was refused here, as records spell it.
pub mod reason {
    /// The path leaves its folder: by `..`, by a link, or absolute.
    pub const BENEATH: &str = "fs:beneath";
    /// Another file system, or another part of the same one, is mounted on the way.
    pub const MOUNT_CROSSING: &str = "fs:mount-crossing";
    /// A FIFO, socket or device.
    pub const NOT_REGULAR: &str = "fs:not-regular";
    /// A change in a mount that is only read.
    pub const READ_ONLY: &str = "fs:read-only";
    /// A rename or hard link between two mounts.
    pub const CROSS_MOUNT: &str = "fs:cross-mount";
    /// Making, moving or hard-linking a link that does not point below its own folder.
    pub const SYMLINK_OUT: &str = "fs:symlink-out";
    /// No path at all: empty, too long, or with a NUL.
    pub const PATH: &str = "fs:path";
}

/// What an operation is about to do. The numbers are part of the message to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Access {
    Read = 0,
    /// Opening for writing, or truncating, a file that may exist.
    Write = 1,
    /// Making a file, folder, link or hard link.
    Create = 2,
    /// Removing, renaming, or setting times.
    Mutate = 3,
}

/// The host's side of every decision. Called on the thread of the guest's call; must not call back into the store.
pub trait FileHooks: Send {
    /// Whether the operation may go on. The callee records its own denial. `path` is the guest's own, hostile text.
    fn open(&mut self, mount: &str, path: &str, access: Access) -> bool;
    /// An operation was refused here; see `reason`.
    fn refused(&mut self, mount: &str, path: &str, reason: &'static str);
}

/// A folder that the guest sees as `guest_path`. The host has opened it, and it stays that folder whatever its name
/// comes to mean later. O_PATH is enough.
pub struct Mount {
    pub dir: OwnedFd,
    pub guest_path: String,
    pub writable: bool,
}

struct Preopen {
    dir: Dir,
    guest_path: String,
}

/// Where an open descriptor came from.
#[derive(Clone, Debug)]
struct Place {
    mount: usize,
    /// From the mount's root, as the guest spelled it; empty for the root.
    path: String,
}

/// One store's mounts and the origin of its descriptors.
pub struct Files {
    mounts: Vec<Preopen>,
    hooks: Box<dyn FileHooks>,
    /// One entry for each Descriptor in the resource table, whose capacity bounds it.
    places: HashMap<u32, Place>,
    account: Arc<Account>,
}

impl Files {
    /// With a meter, what is done to files has a rate.
    pub fn new(mounts: Vec<Mount>, hooks: Box<dyn FileHooks>, meter: Option<Meter>) -> Files {
        let mounts = mounts.into_iter().map(|m| {
            let perms = if m.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            let dir = Dir::new(m.dir.into(), perms, folder_mode(perms), false);
            Preopen { dir, guest_path: m.guest_path }
        });
        Files { mounts: mounts.collect(), hooks, places: HashMap::new(), account: Account::new(meter) }
    }

    pub fn counts(&self) -> Counts {
        self.account.counts()
    }
}

fn folder_mode(perms: FsPerms) -> OpenMode {
    match perms {
        FsPerms::ReadOnly => OpenMode::READ,
        FsPerms::ReadWrite => OpenMode::READ | OpenMode::WRITE,
    }
}

/// Runs system calls where they may block, so that the guest's deadline still ends its call.
async fn off<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    wasmtime_wasi::runtime::spawn_blocking(work).await
}

/// How an operation fails.
#[derive(Debug)]
enum Fail {
    /// An ordinary error.
    Code(types::ErrorCode),
    /// A refusal of ours, to be reported with its reason.
    Refused(types::ErrorCode, &'static str),
    /// Confinement cannot be had: the guest's call ends.
    Trap(String),
}

/// What the bindings work on: the store's parts, borrowed for one host call.
pub struct FilesView<'a> {
    files: &'a mut Files,
    wasi: WasiFilesystemCtxView<'a>,
}

impl<'a> FilesView<'a> {
    pub fn new(files: &'a mut Files, ctx: &'a mut WasiCtx, table: &'a mut ResourceTable) -> FilesView<'a> {
        FilesView { files, wasi: WasiFilesystemCtxView { ctx: ctx.filesystem(), table } }
    }

    fn place(&self, fd: &Resource<Descriptor>) -> FsResult<Place> {
        let place = self.files.places.get(&fd.rep()).cloned();
        place.ok_or_else(|| FsError::trap(wasmtime::Error::msg("a descriptor without an origin")))
    }

    fn push(&mut self, descriptor: Descriptor, place: Place) -> wasmtime::Result<Resource<Descriptor>> {
        let fd = self.wasi.table.push(descriptor)?;
        self.files.places.insert(fd.rep(), place);
        Ok(fd)
    }

    /// Reports a refusal, and turns any failure into what the guest gets.
    fn fail(&mut self, place: &Place, fail: Fail) -> FsError {
        match fail {
            Fail::Code(code) => code.into(),
            Fail::Refused(code, reason) => {
                let mount = &self.files.mounts[place.mount].guest_path;
                self.files.hooks.refused(mount, path::clip(&place.path), reason);
                code.into()
            }
            Fail::Trap(text) => FsError::trap(wasmtime::Error::msg(text)),
        }
    }

    fn settle<T>(&mut self, place: &Place, result: Result<T, Fail>) -> FsResult<T> {
        result.map_err(|fail| self.fail(place, fail))
    }

    fn ask(&mut self, place: &Place, access: Access) -> FsResult<()> {
        let mount = &self.files.mounts[place.mount].guest_path;
        if self.files.hooks.open(mount, &place.path, access) {
            return Ok(());
        }
        Err(types::ErrorCode::NotPermitted.into())
    }
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut found = Vec::with_capacity(self.files.mounts.len());
        for mount in 0..self.files.mounts.len() {
            let preopen = &self.files.mounts[mount];
            let (dir, name) = (preopen.dir.clone(), preopen.guest_path.clone());
            let fd = self.push(Descriptor::Dir(dir), Place { mount, path: String::new() })?;
            found.push((fd, name));
        }
        Ok(found)
    }
}

/// For the linker: see `add_types_to_linker`.
pub struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = FilesView<'a>;
}

/// Links `wasi:filesystem/types`. Its functions wait, so the store must be used through async calls with tokio entered.
pub fn add_types_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> FilesView<'_>,
) -> wasmtime::Result<()> {
    types::add_to_linker::<T, HasFiles>(linker, get)
}

/// Links `wasi:filesystem/preopens`.
pub fn add_preopens_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> FilesView<'_>,
) -> wasmtime::Result<()> {
    preopens::add_to_linker::<T, HasFiles>(linker, get)
}
