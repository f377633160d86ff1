//! GET after GET by hyper on one connection, as an embedder in Rust does it.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use wasmtime::{Error, Result};

/// A runtime with one thread, as the engine has, and a connection.
pub struct raw_http {
    runtime: tokio::runtime::Runtime,
    sender: SendRequest<Empty<Bytes>>,
    host: String,
}

fn open(port: u16) -> Result<raw_http> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let host = format!("127.0.0.1:{port}");
    let sender = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok::<_, Error>(sender)
    })?;
    Ok(raw_http {
        runtime,
        sender,
        host,
    })
}

fn get(http: &mut raw_http, iterations: u64) -> Result<()> {
    let raw_http {
        runtime,
        sender,
        host,
    } = http;
    runtime.block_on(async {
        for _ in 0..iterations {
            let request = hyper::Request::get("/")
                .header("host", host.as_str())
                .body(Empty::new())
                .map_err(|e| Error::msg(e.to_string()))?;
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            if response.status() != 200 || response.into_body().collect().await?.to_bytes() != "ok"
            {
                return Err(Error::msg("the server answered something else"));
            }
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn raw_http_new(port: u16) -> *mut raw_http {
    match crate::said("no connection", open(port)) {
        Some(http) => Box::into_raw(Box::new(http)),
        None => std::ptr::null_mut(),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn raw_http_get(http: &mut raw_http, iterations: u64) -> bool {
    crate::said("a request failed", get(http, iterations)).is_some()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn raw_http_free(http: *mut raw_http) {
    if !http.is_null() {
        // Safety: made by `raw_http_new`, freed once by its owner.
        drop(unsafe { Box::from_raw(http) });
    }
}
