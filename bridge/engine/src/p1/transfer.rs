//! Bytes between guest memory and files or streams.

use super::fds::{Fd, borrowed};
use super::types::{CiovecArray, Errno, IovecArray, Size};
use super::{Answer, p1, types};
use crate::link::files_view;
use crate::stdio::{Sink, broken_pipe};
use crate::store::State;
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::HostDescriptor as _;
use wiggle::{GuestMemory, GuestPtr};

/// As many pieces as Linux takes (IOV_MAX).
const MAX_PIECES: u32 = 1024;

/// Where in a file.
#[derive(Clone, Copy)]
pub enum At {
    Position,
    Offset(u64),
}

type Piece = GuestPtr<[u8]>;

/// The pieces that a guest names, cut to what one call may move: the rest is for the guest's next call.
fn cut(pieces: impl ExactSizeIterator<Item = Answer<(GuestPtr<u8>, u32)>>, fuel: usize) -> Answer<(Vec<Piece>, usize)> {
    if pieces.len() > MAX_PIECES as usize {
        return Err(Errno::Inval.into());
    }
    let mut all = 0_u32;
    let mut total = 0;
    let mut found = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let (start, size) = piece?;
        all = all.checked_add(size).ok_or(Errno::Inval)?;
        let taken = (fuel - total).min(size as usize);
        if taken > 0 {
            found.push(start.as_array(taken as u32));
            total += taken;
        }
    }
    Ok((found, total))
}

fn scatter(memory: &mut GuestMemory<'_>, pieces: &[Piece], mut bytes: &[u8]) -> Answer<Size> {
    let count = Size::try_from(bytes.len())?;
    for piece in pieces {
        let (now, rest) = bytes.split_at(bytes.len().min(piece.len() as usize));
        memory.copy_from_slice(now, piece.as_ptr().as_array(now.len() as u32))?;
        bytes = rest;
    }
    Ok(count)
}

fn gather(memory: &GuestMemory<'_>, pieces: &[Piece], total: usize) -> Answer<Vec<u8>> {
    // Bounds first: no allocation on the word of a guest.
    let mut bytes = Vec::new();
    for piece in pieces {
        let view = memory.as_cow(*piece)?;
        bytes.try_reserve(total - bytes.len()).map_err(|_| Errno::Nomem)?;
        bytes.extend_from_slice(&view);
    }
    Ok(bytes)
}

async fn read_file(state: &mut State, file: &Resource<Descriptor>, size: usize, at: u64) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let left = (size - bytes.len()) as u64;
        let from = at.checked_add(bytes.len() as u64).ok_or(Errno::Inval)?;
        match files_view(state).read(borrowed(file), left, from).await {
            Ok((more, _)) if more.is_empty() => break,
            Ok((more, _)) if bytes.is_empty() => bytes = more,
            Ok((more, _)) => bytes.extend_from_slice(&more),
            // What was read before is the answer; the next call meets the failure again.
            Err(_) if !bytes.is_empty() => break,
            Err(fail) => return Err(fail.into()),
        }
    }
    Ok(bytes)
}

pub async fn read(
    state: &mut State,
    memory: &mut GuestMemory<'_>,
    fd: types::Fd,
    iovs: IovecArray,
    at: At,
) -> Answer<Size> {
    let listed = iovs.iter().map(|iov| {
        let iov = memory.read(iov?)?;
        Ok((iov.buf, iov.buf_len))
    });
    let (pieces, total) = cut(listed, p1(state).fuel)?;
    match (p1(state).fds.get(fd)?, at) {
        (Fd::File(file), At::Offset(from)) => {
            let file = borrowed(&file.descriptor);
            let bytes = read_file(state, &file, total, from).await?;
            scatter(memory, &pieces, &bytes)
        }
        (Fd::File(file), At::Position) => {
            let (file, from) = (borrowed(&file.descriptor), file.position);
            let bytes = read_file(state, &file, total, from).await?;
            p1(state).fds.file(fd)?.position = from + bytes.len() as u64;
            scatter(memory, &pieces, &bytes)
        }
        (Fd::Stdin, At::Position) => {
            if total == 0 {
                return Ok(0);
            }
            let source = state.stdin.clone().ok_or(Errno::Badf)?;
            let bytes = source.read(total).await.map_err(|_| Errno::Io)?;
            scatter(memory, &pieces, &bytes)
        }
        (Fd::Stdin, At::Offset(_)) => Err(Errno::Spipe.into()),
        _ => Err(Errno::Badf.into()),
    }
}

async fn write_stream(sink: Option<Arc<Sink>>, bytes: &[u8]) -> Answer<()> {
    let sink = sink.ok_or(Errno::Badf)?;
    match sink.write_all(bytes).await {
        Ok(()) => Ok(()),
        Err(error) => match broken_pipe(&error) {
            Some(end) => Err(types::Error::trap(end.into())),
            None => Err(Errno::Io.into()),
        },
    }
}

pub async fn write(
    state: &mut State,
    memory: &GuestMemory<'_>,
    fd: types::Fd,
    iovs: CiovecArray,
    at: At,
) -> Answer<Size> {
    let listed = iovs.iter().map(|iov| {
        let iov = memory.read(iov?)?;
        Ok((iov.buf, iov.buf_len))
    });
    let (pieces, total) = cut(listed, p1(state).fuel)?;
    match (p1(state).fds.get(fd)?, at) {
        (Fd::File(file), at) => {
            let (descriptor, append, position) = (borrowed(&file.descriptor), file.append, file.position);
            let bytes = gather(memory, &pieces, total)?;
            // As Linux has it, appending wins over an offset.
            let written = match (append, at) {
                (true, _) => files_view(state).append(borrowed(&descriptor), bytes).await?,
                (false, At::Offset(to)) => files_view(state).write(borrowed(&descriptor), bytes, to).await?,
                (false, At::Position) => files_view(state).write(borrowed(&descriptor), bytes, position).await?,
            };
            if let At::Position = at {
                let position = match append {
                    true => files_view(state).stat(descriptor).await?.size,
                    false => position + written,
                };
                p1(state).fds.file(fd)?.position = position;
            }
            Ok(Size::try_from(written)?)
        }
        (Fd::Stdout, At::Position) => {
            let bytes = gather(memory, &pieces, total)?;
            write_stream(state.stdout.clone(), &bytes).await?;
            Ok(Size::try_from(total)?)
        }
        (Fd::Stderr, At::Position) => {
            let bytes = gather(memory, &pieces, total)?;
            write_stream(state.stderr.clone(), &bytes).await?;
            Ok(Size::try_from(total)?)
        }
        (Fd::Stdout | Fd::Stderr, At::Offset(_)) => Err(Errno::Spipe.into()),
        _ => Err(Errno::Badf.into()),
    }
}
