//! What a store does to files, counted; and, where files have a rate, held to it.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamResult};

/// Asks how long to wait before the next operation on a file, now that this was read and written.
pub type Meter = Box<dyn Fn(u64, u64) -> Duration + Send + Sync>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub operations: u64,
}

/// Of one store. Thread-safe, for streams outlive the call that opened them.
#[derive(Default)]
pub struct Account {
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    operations: AtomicU64,
    meter: Option<Meter>,
}

impl Account {
    pub fn new(meter: Option<Meter>) -> Arc<Account> {
        Arc::new(Account { meter, ..Account::default() })
    }

    pub fn counts(&self) -> Counts {
        Counts {
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
            operations: self.operations.load(Ordering::Relaxed),
        }
    }

    /// One operation, and how long to wait for it.
    fn add(&self, read: u64, written: u64) -> Duration {
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.read_bytes.fetch_add(read, Ordering::Relaxed);
        self.written_bytes.fetch_add(written, Ordering::Relaxed);
        self.meter.as_ref().map_or(Duration::ZERO, |meter| meter(read, written))
    }

    /// The same, and the wait. Whoever drives the guest ends it at the call's deadline.
    pub async fn step(&self, read: u64, written: u64) {
        let wait = self.add(read, written);
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }
}

/// A stream of a file's bytes that is ready no sooner than its rate lets it.
struct Metered<S> {
    inner: S,
    account: Arc<Account>,
    due: Option<Instant>,
}

impl<S> Metered<S> {
    fn is_early(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() < due)
    }

    fn count(&mut self, read: u64, written: u64) {
        let wait = self.account.add(read, written);
        self.due = (!wait.is_zero()).then(|| Instant::now() + wait);
    }

    async fn pause(&mut self) {
        if let Some(due) = self.due.take() {
            sleep_until(due).await;
        }
    }
}

pub fn input(inner: DynInputStream, account: &Arc<Account>) -> DynInputStream {
    Box::new(Metered { inner, account: account.clone(), due: None })
}

pub fn output(inner: DynOutputStream, account: &Arc<Account>) -> DynOutputStream {
    Box::new(Metered { inner, account: account.clone(), due: None })
}

#[async_trait::async_trait]
impl<S: Pollable> Pollable for Metered<S> {
    async fn ready(&mut self) {
        self.pause().await;
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for Metered<DynInputStream> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.is_early() {
            return Ok(Bytes::new());
        }
        let bytes = self.inner.read(size)?;
        if !bytes.is_empty() {
            self.count(bytes.len() as u64, 0);
        }
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Metered<DynOutputStream> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let size = bytes.len() as u64;
        self.inner.write(bytes)?;
        self.count(0, size);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.is_early() { Ok(0) } else { self.inner.check_write() }
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
