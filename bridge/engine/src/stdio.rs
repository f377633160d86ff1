//! Standard output that is kept up to a limit and counted beyond it: a guest that floods it costs nothing.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// What the guest may hand over in one write.
const PERMIT_BYTES: usize = 64 << 10;

pub struct Sink {
    max: u64,
    kept: Mutex<Vec<u8>>,
    dropped: AtomicU64,
}

impl Sink {
    pub fn new(max: u64) -> Sink {
        Sink { max, kept: Mutex::new(Vec::new()), dropped: AtomicU64::new(0) }
    }

    fn write(&self, bytes: &[u8]) {
        let Ok(mut kept) = self.kept.lock() else { return };
        let room = usize::try_from(self.max).unwrap_or(usize::MAX).saturating_sub(kept.len());
        let taken = bytes.len().min(room);
        kept.extend_from_slice(&bytes[..taken]);
        self.dropped.fetch_add((bytes.len() - taken) as u64, Ordering::Relaxed);
    }

    pub fn take(&self) -> Vec<u8> {
        self.kept.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
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
    async fn ready(&mut self) {}
}

impl OutputStream for SinkWriter {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT_BYTES)
    }
}

impl AsyncWrite for SinkWriter {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
