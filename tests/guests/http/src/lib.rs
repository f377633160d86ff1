//! Makes requests by wasi:http, and says what came of them.

wit_bindgen::generate!({ world: "http", path: "wit" });

use exports::cordon::http::raw::{Fields as Field, Guest, Request, Response};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureTrailers, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

const SHOWN: usize = 4096;
const CHUNK: usize = 4096;

struct Http;
export!(Http);

fn name(code: ErrorCode) -> String {
    let text = format!("{code:?}");
    text.strip_prefix("ErrorCode::").unwrap_or(&text).to_string()
}

fn at<E>(what: &'static str) -> impl FnOnce(E) -> String {
    move |_| what.to_string()
}

fn fields(from: &[Field]) -> Result<Fields, String> {
    let to = Fields::new();
    for field in from {
        to.append(&field.name, &field.value.clone().into_bytes()).map_err(|e| format!("{e:?}"))?;
    }
    Ok(to)
}

fn shown(fields: Fields) -> Vec<Field> {
    let entries = fields.entries().into_iter();
    entries.map(|(name, value)| Field { name, value: String::from_utf8_lossy(&value).into_owned() }).collect()
}

fn method(text: &str) -> Method {
    match text {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_string()),
    }
}

fn stream_error(error: StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_string(),
        StreamError::LastOperationFailed(error) => match wasip2::http::types::http_error_code(&error) {
            Some(code) => name(code),
            None => error.to_debug_string(),
        },
    }
}

fn write_body(body: OutgoingBody, request: &Request) -> Result<(), String> {
    let stream = body.write().map_err(at("body"))?;
    for _ in 0..request.times {
        for chunk in request.body.as_bytes().chunks(CHUNK) {
            // A server that answers before it heard all has answered.
            if stream.blocking_write_and_flush(chunk).is_err() {
                return Ok(());
            }
        }
    }
    drop(stream);
    let trailers = if request.trailers.is_empty() { None } else { Some(fields(&request.trailers)?) };
    OutgoingBody::finish(body, trailers).map_err(name)
}

fn make(request: &Request) -> Result<OutgoingRequest, String> {
    let out = OutgoingRequest::new(fields(&request.headers)?);
    out.set_method(&method(&request.method)).map_err(at("method"))?;
    let scheme = match request.scheme.as_str() {
        "" => None,
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        other => Some(Scheme::Other(other.to_string())),
    };
    out.set_scheme(scheme.as_ref()).map_err(at("scheme"))?;
    out.set_authority(Some(&request.authority)).map_err(at("authority"))?;
    out.set_path_with_query(Some(&request.path)).map_err(at("path"))?;
    Ok(out)
}

fn options(request: &Request) -> Result<RequestOptions, String> {
    let options = RequestOptions::new();
    let nanoseconds = |ms: u32| (ms > 0).then_some(u64::from(ms) * 1_000_000);
    options.set_first_byte_timeout(nanoseconds(request.first_byte)).map_err(at("first-byte"))?;
    options.set_between_bytes_timeout(nanoseconds(request.between_bytes)).map_err(at("between-bytes"))?;
    Ok(options)
}

fn trailers_of(future: FutureTrailers) -> Result<Vec<Field>, String> {
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(Some(trailers)))) => Ok(shown(trailers)),
        Some(Ok(Ok(None))) => Ok(Vec::new()),
        Some(Ok(Err(code))) => Err(name(code)),
        _ => Err("trailers".to_string()),
    }
}

fn read(response: IncomingResponse) -> Result<Response, String> {
    let (status, headers) = (response.status(), shown(response.headers()));
    let body = response.consume().map_err(at("consume"))?;
    let stream = body.stream().map_err(at("stream"))?;
    let (mut kept, mut bytes) = (Vec::new(), 0u64);
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(piece) => {
                bytes += piece.len() as u64;
                kept.extend_from_slice(&piece[..piece.len().min(SHOWN - kept.len())]);
            }
            Err(StreamError::Closed) => break,
            Err(error) => return Err(stream_error(error)),
        }
    }
    drop(stream);
    let trailers = trailers_of(wasip2::http::types::IncomingBody::finish(body))?;
    Ok(Response { status, headers, body: String::from_utf8_lossy(&kept).into_owned(), bytes, trailers })
}

fn exchange(request: &Request) -> Result<Response, String> {
    let out = make(request)?;
    let body = if request.times > 0 { Some(out.body().map_err(at("body"))?) } else { None };
    let future = handle(out, Some(options(request)?)).map_err(name)?;
    if let Some(body) = body {
        write_body(body, request)?;
    }
    future.subscribe().block();
    read(future.get().ok_or("future")?.map_err(at("future"))?.map_err(name)?)
}

impl Guest for Http {
    fn send(request: Request) -> Result<Response, String> {
        exchange(&request)
    }

    fn get_many(scheme: String, authority: String, path: String, times: u32) -> Result<u16, String> {
        let request = Request {
            method: "GET".into(),
            scheme,
            authority,
            path,
            headers: Vec::new(),
            body: String::new(),
            times: 0,
            trailers: Vec::new(),
            first_byte: 0,
            between_bytes: 0,
        };
        let mut status = 0;
        for _ in 0..times {
            status = exchange(&request)?.status;
        }
        Ok(status)
    }
}
