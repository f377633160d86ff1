//! Standard streams. Output is kept up to a limit and counted beyond it, or goes on to a descriptor of the host's as it
//! is written; input is bytes given beforehand, or a descriptor that is read when the guest asks.

use crate::fault::{Fault, Kind};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustix::fs::FileType;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What the guest may hand over in one write that is kept, or read at once.
const PERMIT_BYTES: usize = 64 << 10;
/// What a pipe that is ready takes without waiting (PIPE_BUF).
const PIPE_BYTES: usize = 4096;
/// The status that a shell shows of a program that SIGPIPE ended.
const BROKEN_PIPE_STATUS: i64 = 141;

/// Nobody reads what a guest writes: that ends it, as it ends any program.
pub fn broken_pipe(error: &io::Error) -> Option<Fault> {
    let broken = error.kind() == io::ErrorKind::BrokenPipe;
    broken.then(|| Fault::new(Kind::Exit, "nobody reads what the guest writes").with_number(BROKEN_PIPE_STATUS))
}

/// A descriptor of the host's that is waited for off the guest's thread, so that the deadline holds. Its flags are
/// others' too, so it blocks; only when it is ready is it used.
struct Outside {
    fd: OwnedFd,
    /// Ends the waiting when the stream's owner is gone.
    stop: OwnedFd,
    events: PollFlags,
    waiting: AtomicBool,
    changed: Notify,
}

impl Outside {
    fn new(fd: OwnedFd, events: PollFlags) -> io::Result<Arc<Outside>> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Outside { fd, stop, events, waiting: AtomicBool::new(false), changed: Notify::new() }))
    }

    /// Whether it can be used without waiting. Trouble is met by using it.
    fn is_ready(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, self.events)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(0))
    }

    fn wait(&self) {
        let mut fds = [PollFd::new(&self.fd, self.events), PollFd::new(&self.stop, PollFlags::IN)];
        while matches!(rustix::event::poll(&mut fds, None), Err(rustix::io::Errno::INTR)) {}
    }

    /// One thread waits at a time, whoever comes and goes.
    async fn ready(self: &Arc<Self>) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_ready() {
                return;
            }
            if !self.waiting.swap(true, Ordering::AcqRel) {
                let own = self.clone();
                drop(tokio::task::spawn_blocking(move || {
                    own.wait();
                    own.waiting.store(false, Ordering::Release);
                    own.changed.notify_waiters();
                }));
            }
            changed.await;
        }
    }
}

/// The owner of an `Outside`.
struct Port(Arc<Outside>);

impl Drop for Port {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.0.stop, &1_u64.to_ne_bytes());
    }
}

/// Standard input.
pub struct Source {
    given: Mutex<bytes::Bytes>,
    outside: Option<Port>,
}

impl Source {
    pub fn of_bytes(bytes: Vec<u8>) -> Source {
        Source { given: Mutex::new(bytes.into()), outside: None }
    }

    pub fn of_fd(fd: OwnedFd) -> io::Result<Source> {
        let outside = Outside::new(fd, PollFlags::IN)?;
        Ok(Source { given: Mutex::default(), outside: Some(Port(outside)) })
    }

    pub fn is_readable(&self) -> bool {
        self.outside.as_ref().is_none_or(|port| port.0.is_ready())
    }

    pub async fn readable(&self) {
        if let Some(port) = &self.outside {
            port.0.ready().await;
        }
    }

    /// What is there, up to `max`; nothing at the end. REQUIRES: readable.
    fn take(&self, max: usize) -> io::Result<bytes::Bytes> {
        let Some(port) = &self.outside else {
            let Ok(mut given) = self.given.lock() else { return Ok(bytes::Bytes::new()) };
            let size = max.min(given.len());
            return Ok(given.split_to(size));
        };
        let mut buffer = vec![0; max.min(PERMIT_BYTES)];
        let size = loop {
            match rustix::io::read(&port.0.fd, &mut buffer) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        buffer.truncate(size);
        Ok(buffer.into())
    }

    pub async fn read(&self, max: usize) -> io::Result<bytes::Bytes> {
        self.readable().await;
        self.take(max)
    }
}

pub struct SourceStream(pub Arc<Source>);

impl IsTerminal for SourceStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for SourceStream {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(SourceReader { source: self.0.clone(), ended: false })
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(SourceReader { source: self.0.clone(), ended: false })
    }
}

struct SourceReader {
    source: Arc<Source>,
    ended: bool,
}

#[async_trait]
impl Pollable for SourceReader {
    async fn ready(&mut self) {
        if !self.ended {
            self.source.readable().await;
        }
    }
}

impl InputStream for SourceReader {
    fn read(&mut self, size: usize) -> StreamResult<bytes::Bytes> {
        if self.ended {
            return Err(StreamError::Closed);
        }
        if size == 0 || !self.source.is_readable() {
            return Ok(bytes::Bytes::new());
        }
        let bytes = self.source.take(size).map_err(|e| StreamError::LastOperationFailed(e.into()))?;
        self.ended = bytes.is_empty();
        if self.ended { Err(StreamError::Closed) } else { Ok(bytes) }
    }
}

// For previews that are not linked.
impl AsyncRead for SourceReader {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

/// Where output goes on to.
struct Target {
    port: Port,
    /// What it takes at once when it is ready.
    chunk: usize,
    /// The last bytes that a terminal got. A terminal must not be told to do what a guest wants.
    terminal: Option<AtomicU16>,
}

/// Standard output or error.
pub struct Sink {
    max: u64,
    kept: Mutex<Vec<u8>>,
    taken: AtomicU64,
    dropped: AtomicU64,
    target: Option<Target>,
}

impl Sink {
    pub fn new(max: u64) -> Sink {
        Sink { max, kept: Mutex::new(Vec::new()), taken: AtomicU64::new(0), dropped: AtomicU64::new(0), target: None }
    }

    /// Goes on to a descriptor, up to as many bytes.
    pub fn to_fd(fd: OwnedFd, max: u64) -> io::Result<Sink> {
        let file = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) == FileType::RegularFile;
        let terminal = rustix::termios::isatty(fd.as_fd()).then(|| AtomicU16::new(0));
        let chunk = if file { PERMIT_BYTES } else { PIPE_BYTES };
        let port = Port(Outside::new(fd, PollFlags::OUT)?);
        Ok(Sink { target: Some(Target { port, chunk, terminal }), ..Sink::new(max) })
    }

    pub fn is_writable(&self) -> bool {
        self.target.as_ref().is_none_or(|target| target.port.0.is_ready())
    }

    pub async fn writable(&self) {
        if let Some(target) = &self.target {
            target.port.0.ready().await;
        }
    }

    fn chunk(&self) -> usize {
        self.target.as_ref().map_or(PERMIT_BYTES, |target| target.chunk)
    }

    /// REQUIRES: writable, and no more than a chunk.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let taken = self.taken.load(Ordering::Relaxed);
        let room = usize::try_from(self.max.saturating_sub(taken)).unwrap_or(usize::MAX);
        let (fits, rest) = bytes.split_at(bytes.len().min(room));
        self.taken.store(taken + fits.len() as u64, Ordering::Relaxed);
        self.dropped.fetch_add(rest.len() as u64, Ordering::Relaxed);
        match &self.target {
            Some(Target { port, terminal: Some(last), .. }) => put(&port.0.fd, &harmless(fits, last)),
            Some(target) => put(&target.port.0.fd, fits),
            None => {
                if let Ok(mut kept) = self.kept.lock() {
                    kept.extend_from_slice(fits);
                }
                Ok(())
            }
        }
    }

    pub async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(self.chunk()) {
            self.writable().await;
            self.write(chunk)?;
        }
        Ok(())
    }

    pub fn take(&self) -> Vec<u8> {
        self.kept.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn put(fd: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Err(rustix::io::Errno::INTR) => {}
            other => bytes = &bytes[other?..],
        }
    }
    Ok(())
}

/// Whether a terminal would do something with this byte, or show the text in another order, after these two: C0 and C1
/// (in UTF-8 they begin with C2), zero-width and bidirectional marks, and separators of lines.
fn is_control(before: [u8; 2], byte: u8) -> bool {
    match (before, byte) {
        (_, b'\n' | b'\t') => false,
        (_, 0..=31 | 127) => true,
        ([_, 0xc2], 0x80..=0x9f) | ([_, 0..=0x7f], 0x80..=0x9f) => true,
        ([0xe2, 0x80], 0x8b..=0x8f | 0xa8..=0xae) | ([0xe2, 0x81], 0xa0..=0xa9) | ([0xef, 0xbb], 0xbf) => true,
        _ => false,
    }
}

/// Text as a terminal may show it; `last` are the two bytes before.
fn harmless(bytes: &[u8], last: &AtomicU16) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut before = last.load(Ordering::Relaxed).to_be_bytes();
    for byte in bytes {
        match is_control(before, *byte) {
            true if byte.is_ascii() => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            true => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            false => out.push(*byte),
        }
        before = [before[1], *byte];
    }
    last.store(u16::from_be_bytes(before), Ordering::Relaxed);
    out
}

pub struct SinkStream(pub Arc<Sink>);

impl IsTerminal for SinkStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for SinkStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(SinkWriter(self.0.clone()))
    }

    // Ours, since the default one buffers without a bound on empty writes (GHSA-5m8g).
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(SinkWriter(self.0.clone()))
    }
}

struct SinkWriter(Arc<Sink>);

#[async_trait]
impl Pollable for SinkWriter {
    async fn ready(&mut self) {
        self.0.writable().await;
    }
}

impl OutputStream for SinkWriter {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.0.write(&bytes).map_err(|error| match broken_pipe(&error) {
            Some(end) => StreamError::Trap(end.into()),
            None => StreamError::LastOperationFailed(error.into()),
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.0.is_writable() { self.0.chunk() } else { 0 })
    }
}

// For previews that are not linked.
impl AsyncWrite for SinkWriter {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_155_a_terminal_gets_no_control_characters() {
        let last = AtomicU16::new(0);
        assert_eq!(harmless(b"a\x1b]0;x\x07\r\n\tb\x7f", &last), b"a\\u001b]0;x\\u0007\\u000d\n\tb\\u007f");
        assert_eq!(harmless("\u{9b}1m é".as_bytes(), &last), b"\xc2\\x9b1m \xc3\xa9");
        assert_eq!(harmless(b"a\x9b1m \xc2", &last), b"a\\x9b1m \xc2");
        assert_eq!(harmless(b"\x9b1m", &last), b"\\x9b1m");
        assert_eq!(harmless("x\u{202e}y\u{200b}\u{2066}…".as_bytes(), &last), {
            b"x\xe2\x80\\xaey\xe2\x80\\x8b\xe2\x81\\xa6\xe2\x80\xa6"
        });
    }
}
