//! The functions of the preview. Those that do more than to translate are in the modules beside.

use super::fds::{Fd, File, borrowed};
use super::transfer::{self, At};
use super::types::{
    Advice, CiovecArray, Clockid, Dircookie, Errno, Error, Event, Exitcode, Fd as Number, Fdflags, Fdstat, Filedelta,
    Filesize, Filestat, Fstflags, IovecArray, Lookupflags, Oflags, Prestat, PrestatDir, Riflags, Rights, Roflags,
    Sdflags, Siflags, Signal, Size, Subscription, Timestamp, Whence,
};
use super::{Answer, folders, p1, poll, stat};
use crate::link::{cli, clocks, files_view, wasi};
use crate::store::State;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::cli::environment::Host as _;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::filesystem::types::{self as files, HostDescriptor as _};
use wasmtime_wasi::p2::bindings::random::random::Host as _;
use wiggle::{GuestMemory, GuestPtr};

type Memory<'a> = GuestMemory<'a>;

/// A guest's text, which the host copies.
fn text(state: &mut State, memory: &Memory<'_>, text: GuestPtr<str>) -> Answer<String> {
    p1(state).fuel(text.len() as usize)?;
    Ok(memory.as_cow_str(text)?.into_owned())
}

/// Strings as C has them: each ends in a NUL, and a table points to them.
fn put_strings(
    memory: &mut Memory<'_>,
    mut table: GuestPtr<GuestPtr<u8>>,
    mut buffer: GuestPtr<u8>,
    strings: impl Iterator<Item = String>,
) -> Answer<()> {
    for string in strings {
        memory.write(table, buffer)?;
        table = table.add(1)?;
        let bytes = [string.as_bytes(), &[0]].concat();
        let size = Size::try_from(bytes.len())?;
        memory.copy_from_slice(&bytes, buffer.as_array(size))?;
        buffer = buffer.add(size)?;
    }
    Ok(())
}

fn sizes(strings: impl Iterator<Item = String>) -> Answer<(Size, Size)> {
    let (mut count, mut bytes) = (0_usize, 0_usize);
    for string in strings {
        count += 1;
        bytes += string.len() + 1;
    }
    Ok((count.try_into()?, bytes.try_into()?))
}

fn arguments(state: &mut State) -> Answer<impl Iterator<Item = String> + use<>> {
    Ok(cli(state).get_arguments().map_err(Error::trap)?.into_iter())
}

fn environment(state: &mut State) -> Answer<impl Iterator<Item = String> + use<>> {
    let pairs = cli(state).get_environment().map_err(Error::trap)?;
    Ok(pairs.into_iter().map(|(name, value)| format!("{name}={value}")))
}

fn close(state: &mut State, fd: Fd) -> Answer<()> {
    let descriptor = match fd {
        Fd::File(file) => file.descriptor,
        Fd::Folder(folder) => folder.descriptor,
        _ => return Ok(()),
    };
    files_view(state).drop(descriptor).map_err(Error::trap)
}

fn links(flags: Lookupflags) -> files::PathFlags {
    match flags.contains(Lookupflags::SYMLINK_FOLLOW) {
        true => files::PathFlags::SYMLINK_FOLLOW,
        false => files::PathFlags::empty(),
    }
}

fn open_flags(flags: Oflags) -> files::OpenFlags {
    use files::OpenFlags as O;
    let all = [
        (Oflags::CREAT, O::CREATE),
        (Oflags::DIRECTORY, O::DIRECTORY),
        (Oflags::EXCL, O::EXCLUSIVE),
        (Oflags::TRUNC, O::TRUNCATE),
    ];
    all.into_iter().filter(|(from, _)| flags.contains(*from)).fold(O::empty(), |sum, (_, to)| sum | to)
}

fn descriptor_flags(rights: Rights, flags: Fdflags) -> files::DescriptorFlags {
    use files::DescriptorFlags as D;
    let all = [
        (rights.contains(Rights::FD_READ), D::READ),
        (rights.contains(Rights::FD_WRITE), D::WRITE),
        (flags.contains(Fdflags::SYNC), D::FILE_INTEGRITY_SYNC),
        (flags.contains(Fdflags::DSYNC), D::DATA_INTEGRITY_SYNC),
        (flags.contains(Fdflags::RSYNC), D::REQUESTED_WRITE_SYNC),
    ];
    all.into_iter().filter(|(is, _)| *is).fold(D::empty(), |sum, (_, to)| sum | to)
}

fn advice(advice: Advice) -> files::Advice {
    match advice {
        Advice::Normal => files::Advice::Normal,
        Advice::Sequential => files::Advice::Sequential,
        Advice::Random => files::Advice::Random,
        Advice::Willneed => files::Advice::WillNeed,
        Advice::Dontneed => files::Advice::DontNeed,
        Advice::Noreuse => files::Advice::NoReuse,
    }
}

/// There are no sockets: a descriptor is something else, or nothing.
fn no_socket<T>(state: &mut State, fd: Number) -> Answer<T> {
    p1(state).fds.get(fd)?;
    Err(Errno::Notsock.into())
}

impl super::wasi_snapshot_preview1::WasiSnapshotPreview1 for State {
    fn set_hostcall_fuel(&mut self, fuel: usize) {
        p1(self).fuel = fuel;
    }

    fn args_get(
        &mut self,
        memory: &mut Memory<'_>,
        argv: GuestPtr<GuestPtr<u8>>,
        argv_buf: GuestPtr<u8>,
    ) -> Answer<()> {
        put_strings(memory, argv, argv_buf, arguments(self)?)
    }

    fn args_sizes_get(&mut self, _: &mut Memory<'_>) -> Answer<(Size, Size)> {
        sizes(arguments(self)?)
    }

    fn environ_get(
        &mut self,
        memory: &mut Memory<'_>,
        environ: GuestPtr<GuestPtr<u8>>,
        environ_buf: GuestPtr<u8>,
    ) -> Answer<()> {
        put_strings(memory, environ, environ_buf, environment(self)?)
    }

    fn environ_sizes_get(&mut self, _: &mut Memory<'_>) -> Answer<(Size, Size)> {
        sizes(environment(self)?)
    }

    fn clock_res_get(&mut self, _: &mut Memory<'_>, id: Clockid) -> Answer<Timestamp> {
        match id {
            Clockid::Realtime => stat::timestamp(wall_clock::Host::resolution(&mut clocks(self)).map_err(Error::trap)?),
            Clockid::Monotonic => monotonic_clock::Host::resolution(&mut clocks(self)).map_err(Error::trap),
            _ => Err(Errno::Badf.into()),
        }
    }

    fn clock_time_get(&mut self, _: &mut Memory<'_>, id: Clockid, _: Timestamp) -> Answer<Timestamp> {
        match id {
            Clockid::Realtime => stat::timestamp(wall_clock::Host::now(&mut clocks(self)).map_err(Error::trap)?),
            Clockid::Monotonic => monotonic_clock::Host::now(&mut clocks(self)).map_err(Error::trap),
            _ => Err(Errno::Badf.into()),
        }
    }

    async fn fd_advise(
        &mut self,
        _: &mut Memory<'_>,
        fd: Number,
        offset: Filesize,
        len: Filesize,
        how: Advice,
    ) -> Answer<()> {
        let file = borrowed(&p1(self).fds.file(fd)?.descriptor);
        Ok(files_view(self).advise(file, offset, len, advice(how)).await?)
    }

    fn fd_allocate(&mut self, _: &mut Memory<'_>, fd: Number, _: Filesize, _: Filesize) -> Answer<()> {
        p1(self).fds.file(fd)?;
        Err(Errno::Notsup.into())
    }

    async fn fd_close(&mut self, _: &mut Memory<'_>, fd: Number) -> Answer<()> {
        let fd = p1(self).fds.take(fd)?;
        close(self, fd)
    }

    async fn fd_datasync(&mut self, _: &mut Memory<'_>, fd: Number) -> Answer<()> {
        let file = borrowed(&p1(self).fds.file(fd)?.descriptor);
        Ok(files_view(self).sync_data(file).await?)
    }

    async fn fd_sync(&mut self, _: &mut Memory<'_>, fd: Number) -> Answer<()> {
        let file = borrowed(&p1(self).fds.file(fd)?.descriptor);
        Ok(files_view(self).sync(file).await?)
    }

    async fn fd_fdstat_get(&mut self, _: &mut Memory<'_>, fd: Number) -> Answer<Fdstat> {
        let mut own = Fdflags::empty();
        let descriptor = match p1(self).fds.get(fd)? {
            Fd::Stdin => return Ok(stat::stream_fdstat(Rights::FD_READ)),
            Fd::Stdout | Fd::Stderr => return Ok(stat::stream_fdstat(Rights::FD_WRITE)),
            Fd::Folder(folder) if folder.preopen.is_some() => return Ok(stat::mount_fdstat()),
            Fd::Folder(folder) => borrowed(&folder.descriptor),
            Fd::File(file) => {
                own.set(Fdflags::APPEND, file.append);
                own.set(Fdflags::NONBLOCK, file.nonblock);
                borrowed(&file.descriptor)
            }
        };
        let flags = files_view(self).get_flags(borrowed(&descriptor)).await?;
        let kind = files_view(self).get_type(descriptor).await?;
        Ok(stat::descriptor_fdstat(stat::file_type(kind), flags, own))
    }

    fn fd_fdstat_set_flags(&mut self, _: &mut Memory<'_>, fd: Number, flags: Fdflags) -> Answer<()> {
        let file = p1(self).fds.file(fd)?;
        if flags.intersects(Fdflags::DSYNC | Fdflags::SYNC | Fdflags::RSYNC) {
            return Err(Errno::Inval.into());
        }
        file.append = flags.contains(Fdflags::APPEND);
        file.nonblock = flags.contains(Fdflags::NONBLOCK);
        Ok(())
    }

    fn fd_fdstat_set_rights(&mut self, _: &mut Memory<'_>, fd: Number, _: Rights, _: Rights) -> Answer<()> {
        p1(self).fds.descriptor(fd)?;
        Err(Errno::Notsup.into())
    }

    async fn fd_filestat_get(&mut self, _: &mut Memory<'_>, fd: Number) -> Answer<Filestat> {
        let descriptor = match p1(self).fds.get(fd)? {
            Fd::File(file) => borrowed(&file.descriptor),
            Fd::Folder(folder) => borrowed(&folder.descriptor),
            _ => return Ok(stat::stream_stat()),
        };
        let found = files_view(self).stat(borrowed(&descriptor)).await?;
        let inode = files_view(self).metadata_hash(descriptor).await?.lower;
        stat::file_stat(&found, inode)
    }

    async fn fd_filestat_set_size(&mut self, _: &mut Memory<'_>, fd: Number, size: Filesize) -> Answer<()> {
        let file = borrowed(&p1(self).fds.file(fd)?.descriptor);
        Ok(files_view(self).set_size(file, size).await?)
    }

    async fn fd_filestat_set_times(
        &mut self,
        _: &mut Memory<'_>,
        fd: Number,
        atim: Timestamp,
        mtim: Timestamp,
        flags: Fstflags,
    ) -> Answer<()> {
        let (access, modification) = stat::new_times(atim, mtim, flags)?;
        let descriptor = p1(self).fds.descriptor(fd)?;
        Ok(files_view(self).set_times(descriptor, access, modification).await?)
    }

    async fn fd_read(&mut self, memory: &mut Memory<'_>, fd: Number, iovs: IovecArray) -> Answer<Size> {
        transfer::read(self, memory, fd, iovs, At::Position).await
    }

    async fn fd_pread(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        iovs: IovecArray,
        offset: Filesize,
    ) -> Answer<Size> {
        transfer::read(self, memory, fd, iovs, At::Offset(offset)).await
    }

    async fn fd_write(&mut self, memory: &mut Memory<'_>, fd: Number, iovs: CiovecArray) -> Answer<Size> {
        transfer::write(self, memory, fd, iovs, At::Position).await
    }

    async fn fd_pwrite(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        iovs: CiovecArray,
        offset: Filesize,
    ) -> Answer<Size> {
        transfer::write(self, memory, fd, iovs, At::Offset(offset)).await
    }

    fn fd_prestat_get(&mut self, _: &mut Memory<'_>, fd: Number) -> Answer<Prestat> {
        match p1(self).fds.get(fd)? {
            Fd::Folder(folder) if folder.preopen.is_some() => {
                let size = folder.preopen.as_ref().map_or(0, String::len);
                Ok(Prestat::Dir(PrestatDir { pr_name_len: size.try_into()? }))
            }
            // C libraries ask from 3 on until they hear this.
            _ => Err(Errno::Badf.into()),
        }
    }

    fn fd_prestat_dir_name(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        path: GuestPtr<u8>,
        max: Size,
    ) -> Answer<()> {
        match p1(self).fds.get(fd)? {
            Fd::Folder(folder) if folder.preopen.is_some() => {
                let name = folder.preopen.clone().unwrap_or_default();
                if name.len() > max as usize {
                    return Err(Errno::Nametoolong.into());
                }
                Ok(memory.copy_from_slice(name.as_bytes(), path.as_array(name.len().try_into()?))?)
            }
            _ => Err(Errno::Notdir.into()),
        }
    }

    fn fd_renumber(&mut self, _: &mut Memory<'_>, from: Number, to: Number) -> Answer<()> {
        match p1(self).fds.renumber(from, to)? {
            Some(replaced) => close(self, replaced),
            None => Ok(()),
        }
    }

    async fn fd_seek(&mut self, _: &mut Memory<'_>, fd: Number, offset: Filedelta, whence: Whence) -> Answer<Filesize> {
        let file = p1(self).fds.seekable(fd)?;
        let from = match whence {
            Whence::Set => 0,
            Whence::Cur => file.position,
            Whence::End => {
                let file = borrowed(&file.descriptor);
                files_view(self).stat(file).await?.size
            }
        };
        let position = from.checked_add_signed(offset).filter(|p| i64::try_from(*p).is_ok()).ok_or(Errno::Inval)?;
        p1(self).fds.seekable(fd)?.position = position;
        Ok(position)
    }

    fn fd_tell(&mut self, _: &mut Memory<'_>, fd: Number) -> Answer<Filesize> {
        Ok(p1(self).fds.seekable(fd)?.position)
    }

    async fn fd_readdir(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        buf: GuestPtr<u8>,
        size: Size,
        cookie: Dircookie,
    ) -> Answer<Size> {
        folders::read(self, memory, fd, buf, size, cookie).await
    }

    async fn path_create_directory(&mut self, memory: &mut Memory<'_>, fd: Number, path: GuestPtr<str>) -> Answer<()> {
        let folder = borrowed(&p1(self).fds.folder(fd)?.descriptor);
        let path = text(self, memory, path)?;
        Ok(files_view(self).create_directory_at(folder, path).await?)
    }

    async fn path_filestat_get(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        flags: Lookupflags,
        path: GuestPtr<str>,
    ) -> Answer<Filestat> {
        let folder = borrowed(&p1(self).fds.folder(fd)?.descriptor);
        let path = text(self, memory, path)?;
        let found = files_view(self).stat_at(borrowed(&folder), links(flags), path.clone()).await?;
        let inode = files_view(self).metadata_hash_at(folder, links(flags), path).await?.lower;
        stat::file_stat(&found, inode)
    }

    async fn path_filestat_set_times(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        flags: Lookupflags,
        path: GuestPtr<str>,
        atim: Timestamp,
        mtim: Timestamp,
        times: Fstflags,
    ) -> Answer<()> {
        let (access, modification) = stat::new_times(atim, mtim, times)?;
        let folder = borrowed(&p1(self).fds.folder(fd)?.descriptor);
        let path = text(self, memory, path)?;
        Ok(files_view(self).set_times_at(folder, links(flags), path, access, modification).await?)
    }

    async fn path_link(
        &mut self,
        memory: &mut Memory<'_>,
        old_fd: Number,
        old_flags: Lookupflags,
        old_path: GuestPtr<str>,
        new_fd: Number,
        new_path: GuestPtr<str>,
    ) -> Answer<()> {
        let from = borrowed(&p1(self).fds.folder(old_fd)?.descriptor);
        let to = borrowed(&p1(self).fds.folder(new_fd)?.descriptor);
        let (old, new) = (text(self, memory, old_path)?, text(self, memory, new_path)?);
        Ok(files_view(self).link_at(from, links(old_flags), old, to, new).await?)
    }

    async fn path_open(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        lookup: Lookupflags,
        path: GuestPtr<str>,
        how: Oflags,
        rights: Rights,
        _: Rights,
        flags: Fdflags,
    ) -> Answer<Number> {
        let path = text(self, memory, path)?;
        let folder = p1(self).fds.start(fd)?;
        p1(self).fds.room()?;
        let (how, wanted) = (open_flags(how), descriptor_flags(rights, flags));
        let descriptor = files_view(self).open_at(folder, links(lookup), path, how, wanted).await?;
        let fd = match files_view(self).is_folder(&descriptor)? {
            true => Fd::folder(descriptor, None),
            false => Fd::File(File {
                descriptor,
                position: 0,
                append: flags.contains(Fdflags::APPEND),
                nonblock: flags.contains(Fdflags::NONBLOCK),
            }),
        };
        Ok(p1(self).fds.push(fd)?.into())
    }

    async fn path_readlink(
        &mut self,
        memory: &mut Memory<'_>,
        fd: Number,
        path: GuestPtr<str>,
        buf: GuestPtr<u8>,
        size: Size,
    ) -> Answer<Size> {
        let folder = borrowed(&p1(self).fds.folder(fd)?.descriptor);
        let path = text(self, memory, path)?;
        let target = files_view(self).readlink_at(folder, path).await?.into_bytes();
        let taken = &target[..target.len().min(size as usize)];
        let size = Size::try_from(taken.len())?;
        memory.copy_from_slice(taken, buf.as_array(size))?;
        Ok(size)
    }

    async fn path_remove_directory(&mut self, memory: &mut Memory<'_>, fd: Number, path: GuestPtr<str>) -> Answer<()> {
        let folder = borrowed(&p1(self).fds.folder(fd)?.descriptor);
        let path = text(self, memory, path)?;
        Ok(files_view(self).remove_directory_at(folder, path).await?)
    }

    async fn path_rename(
        &mut self,
        memory: &mut Memory<'_>,
        old_fd: Number,
        old_path: GuestPtr<str>,
        new_fd: Number,
        new_path: GuestPtr<str>,
    ) -> Answer<()> {
        let from = borrowed(&p1(self).fds.folder(old_fd)?.descriptor);
        let to = borrowed(&p1(self).fds.folder(new_fd)?.descriptor);
        let (old, new) = (text(self, memory, old_path)?, text(self, memory, new_path)?);
        Ok(files_view(self).rename_at(from, old, to, new).await?)
    }

    async fn path_symlink(
        &mut self,
        memory: &mut Memory<'_>,
        target: GuestPtr<str>,
        fd: Number,
        path: GuestPtr<str>,
    ) -> Answer<()> {
        let folder = borrowed(&p1(self).fds.folder(fd)?.descriptor);
        let (target, path) = (text(self, memory, target)?, text(self, memory, path)?);
        Ok(files_view(self).symlink_at(folder, target, path).await?)
    }

    async fn path_unlink_file(&mut self, memory: &mut Memory<'_>, fd: Number, path: GuestPtr<str>) -> Answer<()> {
        let folder = borrowed(&p1(self).fds.folder(fd)?.descriptor);
        let path = text(self, memory, path)?;
        Ok(files_view(self).unlink_file_at(folder, path).await?)
    }

    async fn poll_oneoff(
        &mut self,
        memory: &mut Memory<'_>,
        subs: GuestPtr<Subscription>,
        events: GuestPtr<Event>,
        count: Size,
    ) -> Answer<Size> {
        poll::oneoff(self, memory, subs, events, count).await
    }

    fn proc_exit(&mut self, _: &mut Memory<'_>, status: Exitcode) -> wasmtime::Error {
        I32Exit(status as i32).into()
    }

    fn proc_raise(&mut self, _: &mut Memory<'_>, _: Signal) -> Answer<()> {
        Err(Errno::Notsup.into())
    }

    fn sched_yield(&mut self, _: &mut Memory<'_>) -> Answer<()> {
        Ok(())
    }

    fn random_get(&mut self, memory: &mut Memory<'_>, buf: GuestPtr<u8>, size: Size) -> Answer<()> {
        let bytes = wasi(self).ctx.random().get_random_bytes(size.into()).map_err(Error::trap)?;
        Ok(memory.copy_from_slice(&bytes, buf.as_array(size))?)
    }

    fn sock_accept(&mut self, _: &mut Memory<'_>, fd: Number, _: Fdflags) -> Answer<Number> {
        no_socket(self, fd)
    }

    fn sock_recv(&mut self, _: &mut Memory<'_>, fd: Number, _: IovecArray, _: Riflags) -> Answer<(Size, Roflags)> {
        no_socket(self, fd)
    }

    fn sock_send(&mut self, _: &mut Memory<'_>, fd: Number, _: CiovecArray, _: Siflags) -> Answer<Size> {
        no_socket(self, fd)
    }

    fn sock_shutdown(&mut self, _: &mut Memory<'_>, fd: Number, _: Sdflags) -> Answer<()> {
        no_socket(self, fd)
    }
}
