//! The way to the network of code that runs in a worker: the worker has none, so each request goes to the host as
//! messages, and the host sends it by its own way out. Bodies stream both ways, a piece at a time.
//!
//! One request is one stream. `open` starts it; `push` gives a piece of its body; `head` waits for the response, `pull`
//! for a piece of that; `close` ends it. Names for sockets: `lookup` asks whether one may be looked up, `resolve` waits
//! for those of its addresses that may be used. What waits is asked by threads that may block, on both sides.

use crate::http::{Answer, PortPolicy};
use crate::sockets;
use crate::store::{Port, Reply, put_text};
use bytes::Bytes;
use cordon_net::{BoxedBody, Egress, Error, Named, Policy, Request, Resolving, Sending, named};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

pub const WAY: &str = "cordon:worker/way";

const DATA: u8 = 0;
const TRAILERS: u8 = 1;
const END: u8 = 2;
const FAILED: u8 = 3;
const UNKNOWN_SIZE: u64 = u64::MAX;
/// Of one worker, at once.
const STREAMS_MAX: usize = 256;
/// A longer piece of a body crosses in several.
const PIECE_BYTES: usize = 256 << 10;

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_headers(out: &mut Vec<u8>, headers: &HeaderMap) {
    out.extend_from_slice(&(headers.len() as u32).to_le_bytes());
    for (name, value) in headers {
        put_text(out, name.as_str());
        put_bytes(out, value.as_bytes());
    }
}

fn read_headers(from: &mut Answer<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for _ in 0..from.u32()? {
        let name = HeaderName::from_bytes(from.text()?.as_bytes()).ok()?;
        let n = from.u32()? as usize;
        headers.try_append(name, HeaderValue::from_bytes(from.bytes(n)?).ok()?).ok()?;
    }
    Some(headers)
}

fn put_error(out: &mut Vec<u8>, error: &Error) {
    let (case, number, text): (u8, u64, &str) = match error {
        Error::Denied => (0, 0, ""),
        Error::AddressDenied => (1, 0, ""),
        Error::Uri => (2, 0, ""),
        Error::UriTooLong => (3, 0, ""),
        Error::Method => (4, 0, ""),
        Error::Header => (5, 0, ""),
        Error::RequestHeaderSection => (6, 0, ""),
        Error::RequestBodySize(n) => (7, *n, ""),
        Error::DnsTimeout => (8, 0, ""),
        Error::Dns(why) => (9, 0, why),
        Error::ConnectTimeout => (10, 0, ""),
        Error::Refused => (11, 0, ""),
        Error::Unreachable => (12, 0, ""),
        Error::Terminated => (13, 0, ""),
        Error::ReadTimeout => (14, 0, ""),
        Error::ResponseTimeout => (15, 0, ""),
        Error::Certificate => (16, 0, ""),
        Error::Tls(why) => (17, 0, why),
        Error::ResponseHeaderSection => (18, 0, ""),
        Error::ResponseBodySize(n) => (19, *n, ""),
        Error::Incomplete => (20, 0, ""),
        Error::Connections => (21, 0, ""),
        Error::Loop => (22, 0, ""),
        Error::Protocol(why) => (23, 0, why),
        Error::Internal(why) => (24, 0, why),
    };
    out.push(case);
    out.extend_from_slice(&number.to_le_bytes());
    put_text(out, text);
}

fn read_error(from: &mut Answer<'_>) -> Option<Error> {
    let (case, number) = (from.u8()?, from.u64()?);
    let text = from.text()?.to_string();
    Some(match case {
        0 => Error::Denied,
        1 => Error::AddressDenied,
        2 => Error::Uri,
        3 => Error::UriTooLong,
        4 => Error::Method,
        5 => Error::Header,
        6 => Error::RequestHeaderSection,
        7 => Error::RequestBodySize(number),
        8 => Error::DnsTimeout,
        9 => Error::Dns(text),
        10 => Error::ConnectTimeout,
        11 => Error::Refused,
        12 => Error::Unreachable,
        13 => Error::Terminated,
        14 => Error::ReadTimeout,
        15 => Error::ResponseTimeout,
        16 => Error::Certificate,
        17 => Error::Tls(text),
        18 => Error::ResponseHeaderSection,
        19 => Error::ResponseBodySize(number),
        20 => Error::Incomplete,
        21 => Error::Connections,
        22 => Error::Loop,
        23 => Error::Protocol(text),
        _ => Error::Internal(text),
    })
}

fn nonsense() -> Error {
    Error::Internal("the host's way out did not answer".into())
}

// --- The worker's side.

/// A way out that is the host's.
pub struct Far {
    pub port: Arc<dyn Port>,
}

fn ask(port: &dyn Port, function: &str, payload: &[u8]) -> Result<Vec<u8>, Error> {
    match port.send(0, WAY, function, payload, 0) {
        Reply::Done(reply) => Ok(reply),
        Reply::Trap(_, why) => Err(Error::Internal(why)),
    }
}

/// Where asking may block.
fn ask_apart(port: &Arc<dyn Port>, function: &'static str, payload: Vec<u8>) -> JoinHandle<Result<Vec<u8>, Error>> {
    let port = port.clone();
    tokio::task::spawn_blocking(move || ask(&*port, function, &payload))
}

/// A stream that is closed when nobody has it any more.
struct Stream {
    port: Arc<dyn Port>,
    number: u32,
    pump: Option<AbortHandle>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(pump) = self.pump.take() {
            pump.abort();
        }
        let _ = ask(&*self.port, "close", &self.number.to_le_bytes());
    }
}

async fn pump(port: Arc<dyn Port>, number: u32, mut body: BoxedBody) {
    loop {
        let mut payload = number.to_le_bytes().to_vec();
        let mut is_last = false;
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    for piece in data.chunks(PIECE_BYTES) {
                        let mut payload = payload.clone();
                        payload.push(DATA);
                        put_bytes(&mut payload, piece);
                        if !matches!(ask_apart(&port, "push", payload).await, Ok(Ok(reply)) if reply == [1]) {
                            return;
                        }
                    }
                    continue;
                }
                Err(frame) => {
                    payload.push(TRAILERS);
                    put_headers(&mut payload, &frame.into_trailers().unwrap_or_default());
                }
            },
            Some(Err(error)) => {
                payload.push(FAILED);
                put_error(&mut payload, &error);
                is_last = true;
            }
            None => {
                payload.push(END);
                is_last = true;
            }
        }
        let said = ask_apart(&port, "push", payload).await;
        if is_last || !matches!(said, Ok(Ok(reply)) if reply == [1]) {
            return;
        }
    }
}

fn nanoseconds(duration: Option<Duration>) -> [u8; 8] {
    (duration.map_or(0, |d| d.as_nanos().clamp(1, u64::MAX as u128) as u64)).to_le_bytes()
}

impl Egress for Far {
    fn send(self: Arc<Self>, _: Arc<dyn Policy>, request: Request) -> Sending {
        let port = self.port.clone();
        Box::pin(async move {
            let Request { method, url, headers, body, connect, first_byte, idle } = request;
            let is_empty = http_body::Body::is_end_stream(&body);
            let mut payload = Vec::with_capacity(256);
            put_text(&mut payload, &method);
            put_text(&mut payload, &url);
            for duration in [connect, first_byte, idle] {
                payload.extend_from_slice(&nanoseconds(duration));
            }
            payload.extend_from_slice(&size_of_body(&body, is_empty).to_le_bytes());
            put_headers(&mut payload, &headers);
            let reply = ask(&*port, "open", &payload)?;
            let number = u32::from_le_bytes(reply.try_into().map_err(|_| nonsense())?);
            let mut stream = Stream { port: port.clone(), number, pump: None };
            if !is_empty {
                stream.pump = Some(tokio::spawn(pump(port.clone(), number, body)).abort_handle());
            }
            let asked = ask_apart(&port, "head", number.to_le_bytes().to_vec());
            let reply = asked.await.map_err(|_| nonsense())??;
            let mut from = Answer(&reply);
            if from.u8() == Some(FAILED) {
                return Err(read_error(&mut from).unwrap_or_else(nonsense));
            }
            let status = from.bytes(2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or_else(nonsense)?;
            let mut response = http::Response::new(());
            *response.status_mut() = http::StatusCode::from_u16(status).map_err(|_| nonsense())?;
            *response.headers_mut() = read_headers(&mut from).ok_or_else(nonsense)?;
            let body = FarBody { stream: Some(stream), pulled: None };
            Ok(response.map(|()| UnsyncBoxBody::new(body)))
        })
    }

    fn may_look_up(&self, name: &str) -> Option<bool> {
        let mut payload = Vec::new();
        put_text(&mut payload, name);
        Some(ask(&*self.port, "lookup", &payload).is_ok_and(|reply| reply == [1]))
    }

    fn resolve(self: Arc<Self>, name: String) -> Resolving {
        Box::pin(async move {
            let mut payload = Vec::new();
            put_text(&mut payload, &name);
            let reply = ask_apart(&self.port, "resolve", payload).await.map_err(|_| nonsense())??;
            let mut from = Answer(&reply);
            if from.u8() == Some(FAILED) {
                return Err(read_error(&mut from).unwrap_or_else(nonsense));
            }
            let mut addresses = Vec::new();
            for _ in 0..from.u32().ok_or_else(nonsense)? {
                addresses.push(from.text().and_then(|text| text.parse().ok()).ok_or_else(nonsense)?);
            }
            Ok(addresses)
        })
    }
}

/// What the receiver is told of a body's size before it has come. Nothing to come is a size too.
fn size_of_body(body: &BoxedBody, is_empty: bool) -> u64 {
    if is_empty { 0 } else { http_body::Body::size_hint(body).exact().unwrap_or(UNKNOWN_SIZE) }
}

/// A response's body, one piece on its way at most.
struct FarBody {
    /// None when it has ended.
    stream: Option<Stream>,
    pulled: Option<JoinHandle<Result<Vec<u8>, Error>>>,
}

impl http_body::Body for FarBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(stream) = &self.stream else { return Poll::Ready(None) };
        let (port, number) = (stream.port.clone(), stream.number);
        let asked = self.pulled.get_or_insert_with(|| ask_apart(&port, "pull", number.to_le_bytes().to_vec()));
        let reply = ready!(Pin::new(asked).poll(cx));
        self.pulled = None;
        let reply = match reply {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
            Err(_) => return Poll::Ready(Some(Err(nonsense()))),
        };
        let mut from = Answer(&reply);
        let frame = match from.u8() {
            Some(DATA) => {
                let n = from.u32().unwrap_or(0) as usize;
                from.bytes(n).map(|bytes| Ok(Frame::data(Bytes::copy_from_slice(bytes))))
            }
            Some(TRAILERS) => read_headers(&mut from).map(|trailers| Ok(Frame::trailers(trailers))),
            Some(END) => {
                self.stream = None;
                return Poll::Ready(None);
            }
            _ => read_error(&mut from).map(Err),
        };
        let frame = frame.unwrap_or_else(|| Err(nonsense()));
        if frame.is_err() {
            self.stream = None;
        }
        Poll::Ready(Some(frame))
    }
}

// --- The host's side.

/// Pieces of a request's body, as the worker pushes them.
struct Fed {
    pieces: mpsc::Receiver<Result<Frame<Bytes>, Error>>,
    left: Option<u64>,
}

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let piece = ready!(self.pieces.poll_recv(cx));
        if let (Some(Ok(frame)), Some(left)) = (&piece, &mut self.left) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.left.map_or_else(http_body::SizeHint::default, http_body::SizeHint::with_exact)
    }
}

enum Event {
    Head(u16, HeaderMap),
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    Failed(Error),
}

type BodySender = mpsc::Sender<Result<Frame<Bytes>, Error>>;

struct Sent {
    /// None when the body has ended.
    body: Mutex<Option<BodySender>>,
    events: Mutex<mpsc::Receiver<Event>>,
    task: AbortHandle,
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the host sends for workers, by one way out. Thread-safe; `head`, `push` and `pull` block.
pub struct Ways {
    network: Arc<dyn Egress>,
    runtime: OnceLock<Option<tokio::runtime::Runtime>>,
    streams: Mutex<HashMap<(u64, u32), Arc<Sent>>>,
    /// That a call may look up, with what is on its way.
    names: Mutex<HashMap<u64, HashMap<String, Vec<AbortHandle>>>>,
    last: std::sync::atomic::AtomicU32,
}

async fn carry(sending: Sending, events: mpsc::Sender<Event>) {
    let mut body = match sending.await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            if events.send(Event::Head(parts.status.as_u16(), parts.headers)).await.is_err() {
                return;
            }
            body
        }
        Err(error) => {
            let _ = events.send(Event::Failed(error)).await;
            return;
        }
    };
    loop {
        let event = match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Event::Data(data),
                Err(frame) => Event::Trailers(frame.into_trailers().unwrap_or_default()),
            },
            Some(Err(error)) => Event::Failed(error),
            None => Event::End,
        };
        let is_last = matches!(event, Event::End | Event::Failed(_));
        if events.send(event).await.is_err() || is_last {
            return;
        }
    }
}

impl Ways {
    pub fn new(network: Arc<dyn Egress>) -> Ways {
        Ways {
            network,
            runtime: OnceLock::new(),
            streams: Mutex::default(),
            names: Mutex::default(),
            last: Default::default(),
        }
    }

    fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        let made = self.runtime.get_or_init(|| {
            crate::ticker::without_signals(|| {
                tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .max_blocking_threads(4)
                    .thread_name("cordon-way")
                    .on_thread_start(crate::ticker::block_signals)
                    .enable_all()
                    .build()
                    .ok()
            })
        });
        made.as_ref().map(tokio::runtime::Runtime::handle)
    }

    fn find(&self, call: u64, payload: &mut Answer<'_>) -> Option<Arc<Sent>> {
        let number = payload.u32()?;
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).get(&(call, number)).cloned()
    }

    /// The answer to a message of `call`, a number of the host's own; nothing when it is none.
    pub fn answer(
        &self,
        call: u64,
        port: Arc<dyn Port>,
        call_id: u64,
        function: &str,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let mut from = Answer(payload);
        match function {
            "lookup" => {
                let name = read_name(&mut from)?;
                let may = sockets::may_look_up(&*port, call_id, &name) && self.expect(call, name);
                Some(vec![u8::from(may)])
            }
            "resolve" => self.resolve(call, &*port, call_id, read_name(&mut from)?),
            "open" => self.open(call, Arc::new(PortPolicy { port, call_id }), &mut from),
            "push" => {
                let sent = self.find(call, &mut from)?;
                Some(vec![u8::from(push(&sent, &mut from)?)])
            }
            "head" | "pull" => {
                let sent = self.find(call, &mut from)?;
                let event = sent.events.lock().ok()?.blocking_recv();
                Some(encode(event.unwrap_or(Event::Failed(Error::Terminated))))
            }
            "close" => {
                let number = from.u32()?;
                self.streams.lock().unwrap_or_else(PoisonError::into_inner).remove(&(call, number));
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// That the name may be resolved by a call. False when that has too many already.
    fn expect(&self, call: u64, name: String) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let of_call = names.entry(call).or_default();
        let fits = of_call.len() < STREAMS_MAX || of_call.contains_key(&name);
        if fits {
            of_call.entry(name).or_default();
        }
        fits
    }

    /// The addresses of a name that the guest may use. Nothing unless it was asked whether it may be looked up.
    fn resolve(&self, call: u64, port: &dyn Port, call_id: u64, name: String) -> Option<Vec<u8>> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let tasks = names.get_mut(&call)?.get_mut(&name)?;
            tasks.retain(|task| !task.is_finished());
            let resolving = self.network.clone().resolve(name.clone());
            let work = async move { drop(sender.send(resolving.await)) };
            tasks.push(self.runtime()?.spawn(work).abort_handle());
        }
        // Nothing comes when the call was ended meanwhile.
        let found = receiver.blocking_recv().unwrap_or(Err(Error::Terminated));
        let mut out = Vec::new();
        match found {
            Ok(found) => {
                let allowed = sockets::of_found(port, call_id, &name, &found);
                out.push(DATA);
                out.extend_from_slice(&(allowed.len() as u32).to_le_bytes());
                for address in allowed {
                    put_text(&mut out, &address.to_string());
                }
            }
            Err(error) => {
                out.push(FAILED);
                put_error(&mut out, &error);
            }
        }
        Some(out)
    }

    /// Ends everything of a call.
    pub fn end(&self, call: u64) {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&call);
        names.into_iter().flat_map(HashMap::into_values).flatten().for_each(|task| task.abort());
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).retain(|(whose, _), sent| {
            if *whose == call {
                // Whoever waits for an event has the stream still.
                sent.task.abort();
            }
            *whose != call
        });
    }

    fn open(&self, call: u64, policy: Arc<dyn Policy>, from: &mut Answer<'_>) -> Option<Vec<u8>> {
        let (method, url) = (from.text()?.to_string(), from.text()?.to_string());
        let mut durations = [None; 3];
        for duration in &mut durations {
            *duration = Some(from.duration()?).filter(|d| !d.is_zero());
        }
        let size = from.u64()?;
        let headers = read_headers(from)?;
        from.end()?;
        let mut request = Request { headers, ..Request::new(&method, &url) };
        [request.connect, request.first_byte, request.idle] = durations;
        let mut body = None;
        if size != 0 {
            let (feed, pieces) = mpsc::channel(1);
            let left = (size != UNKNOWN_SIZE).then_some(size);
            request.body = UnsyncBoxBody::new(Fed { pieces, left });
            body = Some(feed);
        }
        let (events, received) = mpsc::channel(1);
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.keys().filter(|(whose, _)| *whose == call).count() >= STREAMS_MAX {
            return None;
        }
        let sending = self.network.clone().send(policy, request);
        let task = self.runtime()?.spawn(carry(sending, events)).abort_handle();
        let number = self.last.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let sent = Sent { body: Mutex::new(body), events: Mutex::new(received), task };
        streams.insert((call, number), Arc::new(sent));
        Some(number.to_le_bytes().to_vec())
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        if let Ok(mut streams) = self.streams.lock() {
            streams.clear();
        }
        if let Some(Some(runtime)) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

/// A name as `named` has it: no address, nothing that only looks like a name.
fn read_name(from: &mut Answer<'_>) -> Option<String> {
    let text = from.text()?.to_string();
    from.end()?;
    matches!(named(&text), Some(Named::Name(name)) if name == text).then_some(text)
}

/// False when nobody reads the body any more.
fn push(sent: &Sent, from: &mut Answer<'_>) -> Option<bool> {
    let mut body = sent.body.lock().ok()?;
    let Some(feed) = body.as_ref() else { return Some(false) };
    let piece = match from.u8()? {
        DATA => {
            let n = from.u32()? as usize;
            Ok(Frame::data(Bytes::copy_from_slice(from.bytes(n)?)))
        }
        TRAILERS => Ok(Frame::trailers(read_headers(from)?)),
        END => {
            *body = None;
            return Some(true);
        }
        _ => Err(read_error(from)?),
    };
    from.end()?;
    Some(feed.blocking_send(piece).is_ok())
}

fn encode(event: Event) -> Vec<u8> {
    let mut out = Vec::new();
    match event {
        Event::Head(status, headers) => {
            out.push(DATA);
            out.extend_from_slice(&status.to_le_bytes());
            put_headers(&mut out, &headers);
        }
        Event::Data(data) => {
            out.push(DATA);
            put_bytes(&mut out, &data);
        }
        Event::Trailers(trailers) => {
            out.push(TRAILERS);
            put_headers(&mut out, &trailers);
        }
        Event::End => out.push(END),
        Event::Failed(error) => {
            out.push(FAILED);
            put_error(&mut out, &error);
        }
    }
    out
}
