//! WASI preview 1 for core modules: a thin layer over the files, streams, clocks and limits that components have.
//!
//! `wiggle` reads guest memory and checks it against witx/wasi_snapshot_preview1.witx; a pointer out of bounds or not
//! aligned ends the call, as the preview says. The functions here keep a table of descriptors and translate: what may
//! be opened or changed is decided in `files` alone.

#![allow(clippy::too_many_arguments, reason = "so the preview has them")]

mod errors;
mod fds;
mod folders;
mod host;
mod poll;
mod stat;
mod transfer;

use crate::fault::{Fault, Kind, Outcome};
use crate::link::files_view;
use crate::store::State;
use fds::{Fd, Fds};
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;

wiggle::from_witx!({
    witx: ["witx/wasi_snapshot_preview1.witx"],
    async: {
        wasi_snapshot_preview1::{
            fd_advise, fd_close, fd_datasync, fd_fdstat_get, fd_filestat_get, fd_filestat_set_size,
            fd_filestat_set_times, fd_read, fd_pread, fd_seek, fd_sync, fd_readdir, fd_write,
            fd_pwrite, poll_oneoff, path_create_directory, path_filestat_get,
            path_filestat_set_times, path_link, path_open, path_readlink, path_remove_directory,
            path_rename, path_symlink, path_unlink_file
        }
    },
    errors: { errno => trappable Error },
    tracing: false,
});

type Answer<T> = Result<T, types::Error>;

/// Whether a module has descriptors 0, 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    Open,
    Absent,
}

/// What a store of a preview 1 module has beside the state of WASI.
pub struct P1 {
    fds: Fds,
    /// What the running function may still copy between guest and host.
    fuel: usize,
}

impl P1 {
    fn fuel(&mut self, bytes: usize) -> Answer<()> {
        self.fuel = self.fuel.checked_sub(bytes).ok_or(types::Errno::Nomem)?;
        Ok(())
    }
}

fn p1(state: &mut State) -> &mut P1 {
    state.p1.as_mut().expect("a store of preview 1 code has its state")
}

/// Gives a store its descriptors: the streams, and its mounts from 3 on. REQUIRES: its WASI state is there.
pub fn open(state: &mut State, stdio: Stdio, max: usize) -> Outcome<()> {
    let mut fds = Fds::new(max);
    let full = || Fault::new(Kind::TableFull, "there are more mounts than descriptors");
    // The output of a plugin for fledge is what its messages say; what it prints beside them is for people.
    let printed = if state.fledge.is_some() { Fd::Stderr } else { Fd::Stdout };
    for stream in [Fd::Stdin, printed, Fd::Stderr] {
        fds.reserve((stdio == Stdio::Open).then_some(stream)).map_err(|_| full())?;
    }
    for (folder, name) in files_view(state).get_directories().map_err(|_| full())? {
        fds.reserve(Some(Fd::folder(folder, Some(name)))).map_err(|_| full())?;
    }
    state.p1 = Some(Box::new(P1 { fds, fuel: 0 }));
    Ok(())
}

pub fn add_to_linker(linker: &mut wasmtime::Linker<State>) -> wasmtime::Result<()> {
    wasi_snapshot_preview1::add_to_linker(linker, |state| state)
}
