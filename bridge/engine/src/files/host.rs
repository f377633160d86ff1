//! The generated interfaces: what needs no path goes to wasmtime-wasi, the rest is decided, resolved and done here.

use super::account::{self, Account};
use super::entries::Entries;
use super::kernel::{self, Links, Opened, Wish};
use super::path::{self, Split};
use super::{Access, Fail, FilesView, Place, folder_mode, off, reason};
use rustix::fs::OFlags;
use std::fs::File;
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{self, Descriptor, Dir};
use wasmtime_wasi::p2::bindings::filesystem::types::{self, ErrorCode, HostDescriptor, HostDirectoryEntryStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};
use wasmtime_wasi::{FsPerms, OpenMode};

/// A checked path and the folder it starts from.
struct Start {
    dir: Arc<File>,
    perms: FsPerms,
    place: Place,
    path: String,
}

fn links(flags: types::PathFlags) -> Links {
    if flags.contains(types::PathFlags::SYMLINK_FOLLOW) { Links::Follow } else { Links::Keep }
}

fn perms(descriptor: &Descriptor) -> FsPerms {
    match descriptor {
        Descriptor::File(f) => f.perms,
        Descriptor::Dir(d) => d.perms,
    }
}

fn file(descriptor: &Descriptor) -> Arc<File> {
    match descriptor {
        Descriptor::File(f) => f.file.clone(),
        Descriptor::Dir(d) => d.dir.clone(),
    }
}

fn wish(path: types::PathFlags, open: types::OpenFlags, flags: types::DescriptorFlags) -> Result<Wish, ErrorCode> {
    use types::{DescriptorFlags as D, OpenFlags as O};
    if open.contains(O::DIRECTORY) && open.intersects(O::CREATE | O::EXCLUSIVE | O::TRUNCATE) {
        return Err(ErrorCode::Invalid);
    }
    let sync = match flags {
        f if f.contains(D::FILE_INTEGRITY_SYNC) => OFlags::SYNC,
        f if f.intersects(D::DATA_INTEGRITY_SYNC | D::REQUESTED_WRITE_SYNC) => OFlags::DSYNC,
        _ => OFlags::empty(),
    };
    Ok(Wish {
        links: links(path),
        read: flags.contains(D::READ) || !flags.contains(D::WRITE),
        write: flags.contains(D::WRITE) || open.intersects(O::CREATE | O::TRUNCATE),
        create: open.contains(O::CREATE),
        exclusive: open.contains(O::EXCLUSIVE),
        truncate: open.contains(O::TRUNCATE),
        folder: open.contains(O::DIRECTORY),
        sync,
    })
}

fn mode(wish: &Wish) -> OpenMode {
    let mut mode = OpenMode::empty();
    mode.set(OpenMode::READ, wish.read);
    mode.set(OpenMode::WRITE, wish.write);
    mode
}

impl FilesView<'_> {
    /// The folder behind a descriptor, and a path checked as far as looking goes.
    fn start(&mut self, fd: &Resource<Descriptor>, path: String) -> FsResult<Start> {
        let Descriptor::Dir(dir) = self.wasi.table.get(fd)? else { return Err(ErrorCode::NotDirectory.into()) };
        let (dir, perms) = (dir.dir.clone(), dir.perms);
        let base = self.place(fd)?;
        match path::check(&path).and_then(|()| path::join(&base.path, &path)) {
            Ok(full) => Ok(Start { dir, perms, place: Place { mount: base.mount, path: full }, path }),
            Err(fail) => {
                let full = if base.path.is_empty() { path } else { format!("{}/{path}", base.path) };
                Err(self.fail(&Place { mount: base.mount, path: full }, fail))
            }
        }
    }

    fn changeable(&mut self, perms: FsPerms, place: &Place) -> FsResult<()> {
        match perms {
            FsPerms::ReadWrite => Ok(()),
            FsPerms::ReadOnly => Err(self.fail(place, Fail::Refused(ErrorCode::ReadOnly, reason::READ_ONLY))),
        }
    }

    /// For changes through an open descriptor.
    fn changeable_fd(&mut self, fd: &Resource<Descriptor>) -> FsResult<()> {
        let perms = perms(self.wasi.table.get(fd)?);
        let place = self.place(fd)?;
        self.changeable(perms, &place)
    }

    /// The start of a change to one name, decided.
    fn change(&mut self, fd: &Resource<Descriptor>, path: String, access: Access) -> FsResult<(Start, Split)> {
        let start = self.start(fd, path)?;
        self.changeable(start.perms, &start.place)?;
        let split = path::split(&start.path);
        let split = self.settle(&start.place, split)?;
        self.ask(&start.place, access)?;
        Ok((start, split))
    }

    /// The start of a change to two names, decided: within one mount only.
    fn change_two(
        &mut self,
        old: (&Resource<Descriptor>, String),
        new: (&Resource<Descriptor>, String),
        new_access: Access,
    ) -> FsResult<[(Start, Split); 2]> {
        let from = self.start(old.0, old.1)?;
        let to = self.start(new.0, new.1)?;
        if from.place.mount != to.place.mount {
            return Err(self.fail(&from.place, Fail::Refused(ErrorCode::CrossDevice, reason::CROSS_MOUNT)));
        }
        self.changeable(from.perms, &from.place)?;
        let splits = path::split(&from.path).and_then(|a| Ok((a, path::split(&to.path)?)));
        let (from_split, to_split) = self.settle(&from.place, splits)?;
        self.ask(&from.place, Access::Mutate)?;
        self.ask(&to.place, new_access)?;
        Ok([(from, from_split), (to, to_split)])
    }

    /// Runs the system calls of an operation on a path and reports what they refuse.
    async fn run<R: Send + 'static>(
        &mut self,
        place: &Place,
        work: impl FnOnce() -> Result<R, Fail> + Send + 'static,
    ) -> FsResult<R> {
        self.files.account.step(0, 0).await;
        let result = off(work).await;
        self.settle(place, result)
    }

    fn account(&self) -> Arc<Account> {
        self.files.account.clone()
    }

    fn metered_output(&mut self, stream: Resource<DynOutputStream>) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.wasi.table.delete(stream)?;
        Ok(self.wasi.table.push(account::output(inner, &self.files.account))?)
    }
}

/// What preview 1 does in another way than the interfaces of WASI 0.2.
impl FilesView<'_> {
    pub(crate) fn is_folder(&self, fd: &Resource<Descriptor>) -> FsResult<bool> {
        Ok(matches!(self.wasi.table.get(fd)?, Descriptor::Dir(_)))
    }

    /// Writes at the file's end, wherever that is by then.
    pub(crate) async fn append(&mut self, fd: Resource<Descriptor>, bytes: Vec<u8>) -> FsResult<types::Filesize> {
        self.changeable_fd(&fd)?;
        let file = file(self.wasi.table.get(&fd)?);
        let place = self.place(&fd)?;
        self.account().step(0, bytes.len() as u64).await;
        let result = off(move || kernel::append(&file, &bytes)).await;
        self.settle(&place, result)
    }

    pub(crate) async fn listing(&mut self, fd: &Resource<Descriptor>) -> FsResult<Entries> {
        let Descriptor::Dir(dir) = self.wasi.table.get(fd)? else { return Err(ErrorCode::NotDirectory.into()) };
        let dir = dir.dir.clone();
        let place = self.place(fd)?;
        self.run(&place, move || Entries::open(&dir)).await
    }

    /// What tells the objects of these names in a folder apart; zero for a name that is gone.
    pub(crate) async fn identities(&mut self, fd: &Resource<Descriptor>, names: Vec<String>) -> FsResult<Vec<u64>> {
        let dir = file(self.wasi.table.get(fd)?);
        let one = move |name: &String| kernel::hash_at(&dir, name, Links::Keep).map_or(0, |hash| hash.lower);
        Ok(off(move || names.iter().map(one).collect()).await)
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, err: FsError) -> wasmtime::Result<ErrorCode> {
        self.wasi.convert_error_code(err)
    }

    fn filesystem_error_code(&mut self, err: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi.filesystem_error_code(err)
    }
}

impl HostDescriptor for FilesView<'_> {
    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let start = self.start(&fd, path)?;
        let wish = wish(path_flags, open_flags, flags)?;
        if wish.write {
            self.changeable(start.perms, &start.place)?;
        }
        let access = match (wish.create, wish.write) {
            (true, _) => Access::Create,
            (false, true) => Access::Write,
            (false, false) => Access::Read,
        };
        self.ask(&start.place, access)?;
        let Start { dir, perms, place, path } = start;
        let descriptor = match self.run(&place, move || kernel::open(&dir, &path, wish)).await? {
            Opened::Folder(f) => Descriptor::Dir(Dir::new(f, perms, folder_mode(perms), false)),
            Opened::File(f) => Descriptor::File(filesystem::File::new(f, perms, mode(&wish), false)),
        };
        self.push(descriptor, place).map_err(FsError::trap)
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        let Start { dir, place, path, .. } = self.start(&fd, path)?;
        self.run(&place, move || kernel::stat_at(&dir, &path, links(path_flags))).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        let Start { dir, place, path, .. } = self.start(&fd, path)?;
        self.run(&place, move || kernel::hash_at(&dir, &path, links(path_flags))).await
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        let Start { dir, place, path, .. } = self.start(&fd, path)?;
        self.run(&place, move || kernel::read_link(&dir, &path)).await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
        access: types::NewTimestamp,
        modification: types::NewTimestamp,
    ) -> FsResult<()> {
        let start = self.start(&fd, path)?;
        self.changeable(start.perms, &start.place)?;
        let times = kernel::times(access, modification)?;
        self.ask(&start.place, Access::Mutate)?;
        let Start { dir, place, path, .. } = start;
        self.run(&place, move || kernel::set_times_at(&dir, &path, links(path_flags), &times)).await
    }

    async fn create_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let (start, split) = self.change(&fd, path, Access::Create)?;
        self.run(&start.place, move || kernel::make_folder(&start.dir, &split)).await
    }

    async fn remove_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let (start, split) = self.change(&fd, path, Access::Mutate)?;
        self.run(&start.place, move || kernel::remove_folder(&start.dir, &split)).await
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let (start, split) = self.change(&fd, path, Access::Mutate)?;
        self.run(&start.place, move || kernel::remove_file(&start.dir, &split)).await
    }

    async fn symlink_at(&mut self, fd: Resource<Descriptor>, target: String, path: String) -> FsResult<()> {
        let start = self.start(&fd, path)?;
        self.changeable(start.perms, &start.place)?;
        let split = path::split(&start.path).and_then(|split| path::link_target(&target).map(|()| split));
        let split = self.settle(&start.place, split)?;
        self.ask(&start.place, Access::Create)?;
        self.run(&start.place, move || kernel::make_link(&start.dir, &target, &split)).await
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_flags: types::PathFlags,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        if links(old_flags) == Links::Follow {
            return Err(ErrorCode::Invalid.into());
        }
        let [(from, old), (to, new)] = self.change_two((&fd, old_path), (&new_fd, new_path), Access::Create)?;
        self.run(&from.place, move || kernel::hard_link(&from.dir, &old, &to.dir, &new)).await
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let [(from, old), (to, new)] = self.change_two((&fd, old_path), (&new_fd, new_path), Access::Mutate)?;
        self.run(&from.place, move || kernel::rename(&from.dir, &old, &to.dir, &new)).await
    }

    async fn read_directory(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<types::DirectoryEntryStream>> {
        let entries = self.listing(&fd).await?;
        let entries = self.wasi.table.push(entries)?;
        Ok(Resource::new_own(entries.rep()))
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        access: types::NewTimestamp,
        modification: types::NewTimestamp,
    ) -> FsResult<()> {
        self.changeable_fd(&fd)?;
        let times = kernel::times(access, modification)?;
        let place = self.place(&fd)?;
        self.ask(&place, Access::Mutate)?;
        let file = file(self.wasi.table.get(&fd)?);
        self.run(&place, move || kernel::set_times(&file, &times)).await
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<types::DescriptorStat> {
        let file = file(self.wasi.table.get(&fd)?);
        let place = self.place(&fd)?;
        self.run(&place, move || kernel::stat(&file)).await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<types::MetadataHashValue> {
        let file = file(self.wasi.table.get(&fd)?);
        let place = self.place(&fd)?;
        self.run(&place, move || kernel::hash(&file)).await
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: types::Filesize) -> FsResult<()> {
        self.changeable_fd(&fd)?;
        self.account().step(0, 0).await;
        self.wasi.set_size(fd, size).await
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: types::Filesize,
    ) -> FsResult<types::Filesize> {
        self.changeable_fd(&fd)?;
        self.account().step(0, bytes.len() as u64).await;
        self.wasi.write(fd, bytes, offset).await
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.changeable_fd(&fd)?;
        let stream = self.wasi.write_via_stream(fd, offset)?;
        self.metered_output(stream)
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        self.changeable_fd(&fd)?;
        let stream = self.wasi.append_via_stream(fd)?;
        self.metered_output(stream)
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let stream = self.wasi.read_via_stream(fd, offset)?;
        let inner = self.wasi.table.delete(stream)?;
        Ok(self.wasi.table.push(account::input(inner, &self.files.account))?)
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: types::Filesize,
        offset: types::Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let (bytes, is_end) = self.wasi.read(fd, length, offset).await?;
        self.account().step(bytes.len() as u64, 0).await;
        Ok((bytes, is_end))
    }

    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: types::Filesize,
        length: types::Filesize,
        advice: types::Advice,
    ) -> FsResult<()> {
        self.wasi.advise(fd, offset, length, advice).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.wasi.sync_data(fd).await
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.wasi.sync(fd).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<types::DescriptorFlags> {
        self.wasi.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<types::DescriptorType> {
        self.wasi.get_type(fd).await
    }

    async fn is_same_object(&mut self, a: Resource<Descriptor>, b: Resource<Descriptor>) -> wasmtime::Result<bool> {
        self.wasi.is_same_object(a, b).await
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        let rep = fd.rep();
        HostDescriptor::drop(&mut self.wasi, fd)?;
        self.files.places.remove(&rep);
        Ok(())
    }
}

fn entries(stream: &Resource<types::DirectoryEntryStream>) -> Resource<Entries> {
    Resource::new_own(stream.rep())
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        let listing = self.wasi.table.get_mut(&entries(&stream))?;
        Ok(listing.next_or_read().await.transpose()?)
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.wasi.table.delete(entries(&stream))?;
        Ok(())
    }
}
