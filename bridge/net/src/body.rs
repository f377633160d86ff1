//! Bodies with a measure: bytes, silence, and the end.

use crate::alarm::Alarm;
use crate::egress::BoxedBody;
use crate::error::Error;
use crate::policy::Policy;
use crate::target::is_no_trailer;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How far a request's body has come; shared with who waits for the response.
pub(crate) struct Progress {
    began: Instant,
    pub bytes: AtomicU64,
    moved_ns: AtomicU64,
}

impl Progress {
    pub fn new() -> Progress {
        Progress { began: Instant::now(), bytes: AtomicU64::new(0), moved_ns: AtomicU64::new(0) }
    }

    fn moved(&self, bytes: usize) -> u64 {
        self.moved_ns.store(self.began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
    }

    pub fn last(&self) -> Instant {
        self.began + Duration::from_nanos(self.moved_ns.load(Ordering::Relaxed))
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Holds a body to the rate of its owner.
pub(crate) struct Pace {
    policy: Arc<dyn Policy>,
    alarm: Alarm,
    due: Option<Instant>,
}

impl Pace {
    pub fn new(policy: Arc<dyn Policy>) -> Pace {
        Pace { policy, alarm: Alarm::default(), due: None }
    }

    fn moved(&mut self, bytes: usize) {
        let wait = self.policy.moved(bytes as u64);
        self.due = (!wait.is_zero()).then(|| Instant::now() + wait);
    }

    /// Ready when the next piece may go by.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(due) = self.due {
            ready!(self.alarm.poll_at(due, cx));
            self.due = None;
        }
        Poll::Ready(())
    }
}

/// A request's body on its way.
pub(crate) struct Outgoing {
    pub inner: BoxedBody,
    pub pace: Option<Pace>,
    pub progress: Arc<Progress>,
    pub bytes_max: u64,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(pace) = &mut self.pace {
            ready!(pace.poll(cx));
        }
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other),
        };
        if let Some(data) = frame.data_ref() {
            if self.progress.moved(data.len()) > self.bytes_max {
                return Poll::Ready(Some(Err(Error::RequestBodySize(self.bytes_max))));
            }
            let size = data.len();
            if let Some(pace) = &mut self.pace {
                pace.moved(size);
            }
        } else if frame.trailers_ref().is_some_and(|t| t.keys().any(is_no_trailer) || t.len() > 100) {
            return Poll::Ready(Some(Err(Error::Header)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What a response's body comes from.
pub(crate) trait Source: Send {
    /// Reads and writes what can be; false when somebody else does.
    fn work(&mut self, cx: &mut Context<'_>) -> bool;
    /// Whether nothing has come until `at`.
    fn poll_silence(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()>;
    /// The body ended. `whole`: nothing of it is left on the connection.
    fn end(self: Box<Self>, bytes: u64, whole: bool);
}

type Polled = Poll<Option<Result<Frame<Bytes>, hyper::Error>>>;

/// A response's body. Reading it to its end gives the connection back; dropping it before closes the connection.
pub struct ResponseBody {
    inner: hyper::body::Incoming,
    /// Read ahead, with the head.
    first: Option<Result<Frame<Bytes>, hyper::Error>>,
    /// None when it has ended.
    source: Option<Box<dyn Source>>,
    bytes: u64,
    bytes_max: u64,
    idle: Duration,
    end: Instant,
    /// When nothing was there to read, since the last piece.
    waits: Option<Instant>,
    pace: Option<Pace>,
}

impl ResponseBody {
    pub(crate) fn new(
        inner: hyper::body::Incoming,
        source: Box<dyn Source>,
        bytes_max: u64,
        idle: Duration,
        end: Instant,
        pace: Option<Pace>,
    ) -> ResponseBody {
        let source = Some(source);
        let mut body = ResponseBody { inner, first: None, source, bytes: 0, bytes_max, idle, end, waits: None, pace };
        if body.inner.is_end_stream() {
            body.finish(true);
        }
        body
    }

    /// Takes what came with the head, so that whoever reads it on another thread finds it: the connection hands a piece
    /// over only after it was asked for one.
    pub(crate) async fn read_ahead(&mut self) {
        for _ in 0..2 {
            if self.inner.is_end_stream() {
                return;
            }
            let (polled, worked) = poll_fn(|cx| Poll::Ready(self.poll_inner(cx))).await;
            if let Poll::Ready(Some(piece)) = polled {
                self.first = Some(piece);
            }
            if worked || self.first.is_some() {
                return;
            }
            // The connection runs on the same thread as this.
            tokio::task::yield_now().await;
        }
    }

    /// And whether the connection was asked to work for it.
    fn poll_inner(&mut self, cx: &mut Context<'_>) -> (Polled, bool) {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if polled.is_pending() && self.source.as_mut().is_some_and(|source| source.work(cx)) {
            return (Pin::new(&mut self.inner).poll_frame(cx), true);
        }
        (polled, false)
    }

    fn finish(&mut self, whole: bool) {
        if let Some(source) = self.source.take() {
            source.end(self.bytes, whole);
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.finish(false);
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(pace) = &mut self.pace {
            ready!(pace.poll(cx));
        }
        let polled = match self.first.take() {
            Some(piece) => Poll::Ready(Some(piece)),
            None if self.inner.is_end_stream() => Poll::Ready(None),
            None => self.poll_inner(cx).0,
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.waits = None;
                let size = frame.data_ref().map_or(0, |data| data.len());
                self.bytes += size as u64;
                if let Some(pace) = &mut self.pace {
                    pace.moved(size);
                }
                if self.bytes > self.bytes_max {
                    let max = self.bytes_max;
                    return self.fail(Error::ResponseBodySize(max));
                }
                // A body that never pauses is stopped here, one that pauses below.
                if Instant::now() >= self.end {
                    return self.fail(Error::ReadTimeout);
                }
                if self.inner.is_end_stream() {
                    self.finish(true);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.fail(error.into()),
            Poll::Ready(None) => {
                self.finish(true);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let until = (*self.waits.get_or_insert_with(Instant::now) + self.idle).min(self.end);
                let Some(source) = &mut self.source else { return Poll::Ready(None) };
                ready!(source.poll_silence(until, cx));
                self.fail(Error::ReadTimeout)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.finish(false);
    }
}
