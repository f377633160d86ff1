//! What components have: settings, state, the log and HTTP by the interfaces of WASI.

use conformance_common::Home;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, Method, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package cordon:conformance-home;
            world home {
              import wasi:config/store@0.2.0-rc.1;
              import wasi:keyvalue/store@0.2.0-draft2;
              import wasi:logging/logging@0.1.0-draft;
            }
        ",
        path: ["../../../../wit/wasi-config", "../../../../wit/wasi-keyvalue", "../../logging/wit/deps"],
        generate_all
    });
}

use bindings::wasi::config::store as config;
use bindings::wasi::keyvalue::store as keyvalue;
use bindings::wasi::logging::logging::{Level, log};

const BUCKET: &str = "vars";

pub struct WitHome;

fn debug(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

fn code(error: ErrorCode) -> String {
    format!("{error:?}")
}

fn body(response: IncomingResponse) -> Result<String, String> {
    let body = response.consume().map_err(|()| "no body")?;
    let stream = body.stream().map_err(|()| "no stream")?;
    let mut all = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(piece) => all.extend(piece),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(debug(error)),
        }
    }
    String::from_utf8(all).map_err(|error| error.to_string())
}

impl Home for WitHome {
    fn setting(&self, key: &str) -> Result<Option<String>, String> {
        config::get(key).map_err(debug)
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        keyvalue::open(BUCKET).and_then(|bucket| bucket.set(key, value.as_bytes())).map_err(debug)
    }

    fn get(&self, key: &str) -> Result<Option<String>, String> {
        let value = keyvalue::open(BUCKET).and_then(|bucket| bucket.get(key)).map_err(debug)?;
        value.map(|bytes| String::from_utf8(bytes).map_err(|error| error.to_string())).transpose()
    }

    fn log(&self, message: &str) -> Result<(), String> {
        log(Level::Warn, "", message);
        Ok(())
    }

    fn fetch(&self, url: &str) -> Result<String, String> {
        let rest = url.strip_prefix("http://").ok_or("http:// only")?;
        let (authority, path) = rest.split_once('/').ok_or("no path")?;
        let request = OutgoingRequest::new(Fields::new());
        request.set_method(&Method::Get).map_err(|()| "method")?;
        request.set_scheme(Some(&Scheme::Http)).map_err(|()| "scheme")?;
        request.set_authority(Some(authority)).map_err(|()| "authority")?;
        request.set_path_with_query(Some(&format!("/{path}"))).map_err(|()| "path")?;
        let future = handle(request, None).map_err(code)?;
        future.subscribe().block();
        body(future.get().ok_or("no answer")?.map_err(|()| "taken")?.map_err(code)?)
    }
}
