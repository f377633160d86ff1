//! wasi:http over the one way out (cordon-net). Decisions are messages to the host (services/http.h on the other side).

use crate::store::{Port, Reply, State, put_text};
use cordon_net::{Admission, Ask, Egress, Error as NetError, Limits, Policy, Report, Request};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings as p2;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

const EGRESS: &str = "cordon:host/egress";
/// What a guest may hold in one set of header fields, with what the map around it costs.
const FIELD_BYTES_MAX: usize = 64 << 10;
const BODY_CHUNK_BYTES: usize = 64 << 10;

/// What a store has of wasi:http.
pub struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks {
    network: Option<Arc<dyn Egress>>,
    port: Option<Arc<dyn Port>>,
    call_id: u64,
}

impl Http {
    pub fn new(network: Option<Arc<dyn Egress>>, port: Option<Arc<dyn Port>>, call_id: u64) -> Http {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(FIELD_BYTES_MAX);
        Http { ctx, hooks: Hooks { network, port, call_id } }
    }
}

fn view(state: &mut State) -> WasiHttpCtxView<'_> {
    let call_id = state.call_id;
    let wasi = state.wasi.as_mut().expect("a store of WASI code has WASI state");
    let http = wasi.http.as_mut().expect("a store of code that imports wasi:http has its state");
    http.hooks.call_id = call_id;
    WasiHttpCtxView { ctx: &mut http.ctx, table: &mut wasi.table, hooks: &mut http.hooks }
}

pub(crate) fn add_types_to_linker(l: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = p2::LinkOptions::default();
    p2::http::types::add_to_linker::<State, WasiHttp>(l, &(&options).into(), view)
}

type Handled = std::result::Result<Resource<HostFutureIncomingResponse>, p2::http::types::ErrorCode>;

/// As wasmtime-wasi-http's own, which keeps a request's options in the table for ever: a warm instance would run full.
pub(crate) fn add_handler_to_linker(l: &mut Linker<State>) -> wasmtime::Result<()> {
    type Given = (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>);
    let handle = |mut store: StoreContextMut<'_, State>, (request, options): Given| {
        let mut view = view(store.data_mut());
        let lent = options.as_ref().map(|options| Resource::new_own(options.rep()));
        let handled = p2::http::outgoing_handler::Host::handle(&mut view, request, lent);
        if let Some(options) = options {
            view.table.delete(options)?;
        }
        let answer: Handled = match handled {
            Ok(response) => Ok(response),
            Err(error) => Err(error.downcast()?),
        };
        Ok((answer,))
    };
    l.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap("handle", handle)
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Hooks {
    /// The way out sets it, from the parts that were decided.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        let (Some(network), Some(port)) = (self.network.clone(), self.port.clone()) else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        let policy = Arc::new(PortPolicy { port, call_id: self.call_id });
        let mut sending = network.send(policy, rebuild(request, options));
        // As far as it goes at once, which is until the server has to answer: here, and not on the thread that waits
        // for answers, which would have to be woken first.
        let begun = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Box::new(async move {
            let response = match begun {
                Poll::Ready(response) => response,
                Poll::Pending => sending.await,
            };
            let response = response.map_err(to_wasi)?;
            let nothing: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            Ok((response.map(|body| body.map_err(to_wasi).boxed_unsync()), nothing))
        })
    }
}

fn rebuild(request: http::Request<WasiBody>, options: Option<RequestOptions>) -> Request {
    let (parts, body) = request.into_parts();
    let options = options.unwrap_or_default();
    let url = format!(
        "{}://{}{}",
        parts.uri.scheme_str().unwrap_or_default(),
        parts.uri.authority().map_or("", |a| a.as_str()),
        parts.uri.path_and_query().map_or("/", PathAndQuery::as_str),
    );
    let unfinished = |_| NetError::Protocol("the request's body was not finished".into());
    Request {
        headers: parts.headers,
        body: body.map_err(unfinished).boxed_unsync(),
        connect: options.connect_timeout,
        first_byte: options.first_byte_timeout,
        idle: options.between_bytes_timeout,
        ..Request::new(parts.method.as_str(), &url)
    }
}

fn to_wasi(error: NetError) -> Error {
    match error {
        NetError::Denied => Error::HttpRequestDenied,
        NetError::AddressDenied => Error::DestinationIpProhibited,
        NetError::Uri => Error::HttpRequestUriInvalid,
        NetError::UriTooLong => Error::HttpRequestUriTooLong,
        NetError::Method => Error::HttpRequestMethodInvalid,
        NetError::Header => Error::HttpRequestDenied,
        NetError::RequestHeaderSection => Error::HttpRequestHeaderSectionSize(None),
        NetError::RequestBodySize(n) => Error::HttpRequestBodySize(Some(n)),
        NetError::DnsTimeout => Error::DnsTimeout,
        NetError::Dns(why) => Error::DnsError { rcode: Some(why), info_code: None },
        NetError::ConnectTimeout => Error::ConnectionTimeout,
        NetError::Refused => Error::ConnectionRefused,
        NetError::Unreachable => Error::DestinationUnavailable,
        NetError::Terminated => Error::ConnectionTerminated,
        NetError::ReadTimeout => Error::ConnectionReadTimeout,
        NetError::ResponseTimeout => Error::HttpResponseTimeout,
        NetError::Certificate => Error::TlsCertificateError,
        NetError::Tls(_) => Error::TlsProtocolError,
        NetError::ResponseHeaderSection => Error::HttpResponseHeaderSectionSize(None),
        NetError::ResponseBodySize(n) => Error::HttpResponseBodySize(Some(n)),
        NetError::Incomplete => Error::HttpResponseIncomplete,
        NetError::Connections => Error::ConnectionLimitReached,
        NetError::Loop => Error::LoopDetected,
        NetError::Protocol(_) => Error::HttpProtocolError,
        NetError::Internal(why) => Error::InternalError(Some(why)),
    }
}

/// The host decides, by messages.
pub(crate) struct PortPolicy {
    pub port: Arc<dyn Port>,
    pub call_id: u64,
}

fn put_ask(out: &mut Vec<u8>, ask: &Ask) {
    for text in [&ask.method, &ask.scheme, &ask.host] {
        put_text(out, text);
    }
    out.extend_from_slice(&ask.port.to_le_bytes());
    put_text(out, &ask.path);
}

/// Reads what the host wrote; nothing when it is not what was agreed.
pub(crate) struct Answer<'a>(pub &'a [u8]);

impl<'a> Answer<'a> {
    pub(crate) fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
    pub(crate) fn u8(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }
    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }
    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let n = self.u32()? as usize;
        std::str::from_utf8(self.bytes(n)?).ok()
    }
    pub(crate) fn duration(&mut self) -> Option<Duration> {
        Some(Duration::from_nanos(self.u64()?))
    }
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn read_admission(payload: &[u8]) -> Option<Admission> {
    let mut from = Answer(payload);
    if from.u8()? != 0 {
        return None;
    }
    let limits = Limits {
        connect: from.duration()?,
        first_byte: from.duration()?,
        idle: from.duration()?,
        total: from.duration()?,
        header_count: from.u32()? as usize,
        header_bytes: from.u32()? as usize,
        request_bytes: from.u64()?,
        response_bytes: from.u64()?,
    };
    let has_rate = from.u8()? != 0;
    let mut headers = Vec::new();
    for _ in 0..from.u32()? {
        let name = HeaderName::from_bytes(from.text()?.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(from.text()?).ok()?;
        value.set_sensitive(true);
        headers.push((name, value));
    }
    from.end()?;
    Some(Admission { limits, headers, has_rate })
}

pub(crate) fn read_choice(payload: &[u8], found: &[IpAddr]) -> Option<Vec<IpAddr>> {
    let mut from = Answer(payload);
    let mut chosen = Vec::new();
    for _ in 0..from.u32()? {
        chosen.push(*found.get(from.u32()? as usize)?);
    }
    from.end()?;
    Some(chosen)
}

/// A single truth value.
pub(crate) fn read_yes(payload: &[u8]) -> bool {
    payload == [1]
}

impl PortPolicy {
    fn ask(&self, function: &str, payload: &[u8]) -> Option<Vec<u8>> {
        match self.port.send(self.call_id, EGRESS, function, payload, 0) {
            Reply::Done(reply) => Some(reply),
            Reply::Trap(..) => None,
        }
    }
}

impl Policy for PortPolicy {
    fn admit(&self, ask: &Ask) -> Option<Admission> {
        let mut payload = Vec::with_capacity(64 + ask.host.len() + ask.path.len());
        put_ask(&mut payload, ask);
        read_admission(&self.ask("admit", &payload)?)
    }

    fn addresses(&self, ask: &Ask, found: &[IpAddr]) -> Vec<IpAddr> {
        let mut payload = Vec::with_capacity(128 + ask.host.len() + ask.path.len());
        put_ask(&mut payload, ask);
        payload.extend_from_slice(&(found.len() as u32).to_le_bytes());
        for address in found {
            put_text(&mut payload, &address.to_string());
        }
        self.ask("addresses", &payload).and_then(|reply| read_choice(&reply, found)).unwrap_or_default()
    }

    fn refused(&self, ask: Option<&Ask>, target: &str, rule: &'static str) {
        let nothing =
            Ask { method: String::new(), scheme: String::new(), host: String::new(), port: 0, path: String::new() };
        let mut payload = Vec::new();
        put_ask(&mut payload, ask.unwrap_or(&nothing));
        put_text(&mut payload, target);
        put_text(&mut payload, rule);
        self.ask("report", &payload);
    }

    fn done(&self, ask: &Ask, report: &Report) {
        let mut payload = Vec::with_capacity(96 + ask.host.len() + ask.path.len());
        put_ask(&mut payload, ask);
        payload.extend_from_slice(&report.status.to_le_bytes());
        payload.extend_from_slice(&report.bytes_up.to_le_bytes());
        payload.extend_from_slice(&report.bytes_down.to_le_bytes());
        payload.extend_from_slice(&(report.duration.as_nanos() as u64).to_le_bytes());
        self.ask("done", &payload);
    }

    fn moved(&self, bytes: u64) -> Duration {
        let reply = self.ask("moved", &bytes.to_le_bytes()).and_then(|reply| reply.try_into().ok());
        reply.map_or(Duration::ZERO, |ns| Duration::from_nanos(u64::from_le_bytes(ns)))
    }
}
