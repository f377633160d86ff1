//! Requests of Extism's plugins, over the one way out: each hop of a redirect is asked about like a request of its own.

use super::{ENV, blocks, handle, put, side};
use crate::fault::{Fault, Kind};
use crate::http::PortPolicy;
use crate::link::send;
use crate::store::State;
use bytes::Bytes;
use cordon_net::{BoxedBody, Egress, Error as NetError, Policy, Request, Target};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::{AsContextMut, Caller, Linker};

const REDIRECTS_MAX: usize = 10;

/// As its PDKs write it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    method: Option<String>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

fn invalid(text: String) -> wasmtime::Error {
    Fault::new(Kind::Invalid, text).into()
}

pub(super) fn denied(mut caller: Caller<'_, State>, message: &str, request: i64) -> wasmtime::Result<i64> {
    let store = &mut caller.as_context_mut();
    handle(store, request as u64, "http request")?;
    send(store.data_mut(), ENV, message, &[])?;
    Err(Fault::new(Kind::Denied, "http_request was not granted").into())
}

pub(super) fn define(l: &mut Linker<State>) -> wasmtime::Result<()> {
    l.func_wrap_async(ENV, "http_request", |mut caller: Caller<'_, State>, (request, body): (i64, i64)| {
        Box::new(async move {
            let store = &mut caller.as_context_mut();
            let own = side(store.data_mut());
            (own.status, own.headers) = (0, None);
            let range = handle(store, request as u64, "http request")?;
            let wanted: Wanted = serde_json::from_slice(blocks(store)?.bytes(range))
                .map_err(|e| invalid(format!("http_request was given what is no request: {e}")))?;
            blocks(store)?.free(request as u64);
            let range = handle(store, body as u64, "http request body")?;
            let sent = Bytes::copy_from_slice(blocks(store)?.bytes(range));
            blocks(store)?.free(body as u64);
            let state = store.data_mut();
            state.host_calls += 1;
            let bytes_max = state.limiter.limits.http_response_bytes;
            let call_id = state.call_id;
            let (Some(network), Some(port)) = (side(state).network.clone(), state.port.clone()) else {
                return Err(fault(&wanted.url, NetError::Denied, bytes_max).into());
            };
            let policy: Arc<dyn Policy> = Arc::new(PortPolicy { port, call_id });
            let url = wanted.url.clone();
            let answer = follow(network, policy, wanted, sent, bytes_max).await;
            let answer = answer.map_err(|error| error.or_fault(&url, bytes_max))?;
            let own = side(store.data_mut());
            own.status = answer.status.as_u16();
            own.headers = Some(as_json(&answer.headers));
            Ok(put(store, &[&answer.body])? as i64)
        })
    })?;
    Ok(())
}

fn as_json(headers: &HeaderMap) -> String {
    let shown: BTreeMap<&str, &str> =
        headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    serde_json::to_string(&shown).unwrap_or_default()
}

enum Failure {
    Net(NetError),
    Other(Fault),
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Failure {
        Failure::Net(error)
    }
}

impl Failure {
    fn or_fault(self, url: &str, bytes_max: u64) -> wasmtime::Error {
        match self {
            Failure::Net(error) => fault(url, error, bytes_max).into(),
            Failure::Other(fault) => fault.into(),
        }
    }
}

fn fault(url: &str, error: NetError, bytes_max: u64) -> Fault {
    match error {
        NetError::Denied | NetError::AddressDenied => {
            Fault::new(Kind::Denied, format!("HTTP request to {url} is not allowed"))
        }
        NetError::Uri | NetError::UriTooLong => Fault::new(Kind::Invalid, format!("invalid URL: {url}")),
        NetError::Method => Fault::new(Kind::Invalid, "http_request was given no method of HTTP"),
        NetError::Header => Fault::new(Kind::Denied, "http_request was given a header that is the connection's"),
        NetError::ResponseBodySize(_) => too_large(bytes_max),
        other => Fault::new(Kind::Io, format!("the HTTP request to {url} failed: {}", words(&other))),
    }
}

fn words(error: &NetError) -> &'static str {
    match error {
        NetError::Dns(_) | NetError::DnsTimeout => "the name has no address",
        NetError::ConnectTimeout | NetError::ReadTimeout | NetError::ResponseTimeout => "timeout",
        NetError::Refused => "the connection was refused",
        NetError::Unreachable => "the host cannot be reached",
        NetError::Certificate | NetError::Tls(_) => "the certificate is not trusted",
        NetError::Loop => "too many redirects",
        NetError::Connections => "too many connections",
        NetError::RequestHeaderSection | NetError::RequestBodySize(_) => "the request is too large",
        NetError::ResponseHeaderSection => "the answer's headers are too large",
        _ => "the connection broke",
    }
}

fn too_large(bytes_max: u64) -> Fault {
    Fault::new(Kind::Limit, format!("the HTTP response exceeds the maximum number of bytes: {bytes_max}"))
}

fn headers_of(wanted: &Wanted) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &wanted.headers {
        let no_header = |_| Failure::Other(Fault::new(Kind::Invalid, format!("'{name}' is no header of HTTP")));
        let no_value = |_| Failure::Other(Fault::new(Kind::Invalid, format!("the value of '{name}' is none of HTTP")));
        let value = HeaderValue::from_str(value).map_err(no_value)?;
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(no_header)?, value);
    }
    Ok(headers)
}

fn body_of(bytes: &Bytes) -> BoxedBody {
    Full::new(bytes.clone()).map_err(|never| match never {}).boxed_unsync()
}

/// The method with which a redirect goes on; nothing when the answer stands as it is.
fn next_method(status: StatusCode, method: &str, has_body: bool) -> Option<&str> {
    match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
            Some(if method == "HEAD" { "HEAD" } else { "GET" })
        }
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT if !has_body => Some(method),
        _ => None,
    }
}

async fn follow(
    network: Arc<dyn Egress>,
    policy: Arc<dyn Policy>,
    wanted: Wanted,
    mut body: Bytes,
    bytes_max: u64,
) -> Result<Answer, Failure> {
    let mut headers = headers_of(&wanted)?;
    let mut method = wanted.method.as_deref().unwrap_or("GET").to_uppercase();
    let mut url = wanted.url;
    for _ in 0..=REDIRECTS_MAX {
        let mut request = Request { headers: headers.clone(), ..Request::new(&method, &url) };
        if !body.is_empty() {
            request.body = body_of(&body);
        }
        let response = network.clone().send(policy.clone(), request).await?;
        let (parts, answer) = response.into_parts();
        let location = parts.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
        let next = next_method(parts.status, &method, !body.is_empty());
        let (Some(location), Some(next)) = (location, next) else {
            let body = read(answer, bytes_max).await?;
            return Ok(Answer { status: parts.status, headers: parts.headers, body });
        };
        let from = Target::parse(&method, &url)?;
        let to = from.follow(next, location)?;
        if next != method {
            body = Bytes::new();
            for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING] {
                headers.remove(name);
            }
        }
        for name in [header::AUTHORIZATION, header::COOKIE] {
            if !to.same_origin(&from) || name == header::AUTHORIZATION {
                headers.remove(name);
            }
        }
        method = next.to_string();
        url = format!("{}://{}{}", to.ask.scheme, to.authority(), to.path_and_query());
    }
    Err(NetError::Loop.into())
}

async fn read(body: BoxedBody, bytes_max: u64) -> Result<Bytes, Failure> {
    let limited = Limited::new(body, usize::try_from(bytes_max).unwrap_or(usize::MAX));
    match limited.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => match error.downcast::<NetError>() {
            Ok(error) => Err(Failure::Net(*error)),
            Err(_) => Err(Failure::Other(too_large(bytes_max))),
        },
    }
}
