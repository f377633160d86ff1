//! From what was asked for to the one form that is decided and sent.

use crate::error::{Error, Outcome};
use crate::policy::Ask;
use http::header::{self, HeaderMap, HeaderName};
use url::{Host, Url};

const URL_BYTES_MAX: usize = 8 << 10;

/// A URL that was parsed once. Everything that leaves is built from these parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub ask: Ask,
    /// With what it begins with, or empty.
    pub query: String,
    url: Url,
}

/// The authority as text, between the slashes and the path.
fn authority_of(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())]
}

/// Whether the text of a host is an address in any spelling but its own.
fn disguised(raw: &str, host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => raw.strip_suffix('.').unwrap_or(raw) != address.to_string(),
        // Brackets and canonical text are checked where grants are: what matters is that no zone came along.
        Host::Ipv6(_) => raw.contains('%'),
        // An address once a dot or a width is read differently.
        Host::Domain(name) => {
            let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or("");
            last.is_empty() || last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x")
        }
    }
}

/// Percent-encodings of what needs none are undone, the others are upper-case; then the dots go.
fn normal_path(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let mut plain = String::with_capacity(path.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            plain.push(bytes[at] as char);
            at += 1;
            continue;
        }
        let hex = path.get(at + 1..at + 3)?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(hex, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            plain.push(byte as char);
        } else {
            plain.push('%');
            plain.push_str(&hex.to_ascii_uppercase());
        }
        at += 3;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = plain.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    Some(format!("/{}", kept.join("/")))
}

impl Target {
    pub fn parse(method: &str, text: &str) -> Outcome<Target> {
        if text.len() > URL_BYTES_MAX {
            return Err(Error::UriTooLong);
        }
        // What the URL standard forgives and others read differently: blanks, controls, backslashes, fragments.
        if text.bytes().any(|b| b <= 0x20 || b == 0x7f || b == b'\\' || b == b'#') {
            return Err(Error::Uri);
        }
        let url = Url::parse(text).map_err(|_| Error::Uri)?;
        Target::of(method, url, authority_of(text))
    }

    /// Where a redirect leads.
    pub fn follow(&self, method: &str, location: &str) -> Outcome<Target> {
        if location.len() > URL_BYTES_MAX || location.bytes().any(|b| b <= 0x20 || b >= 0x7f || b == b'\\') {
            return Err(Error::Uri);
        }
        let mut url = self.url.join(location).map_err(|_| Error::Uri)?;
        url.set_fragment(None);
        let text = url.as_str().to_string();
        let raw = if location.contains("://") {
            authority_of(location)
        } else if let Some(rest) = location.strip_prefix("//") {
            &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
        } else {
            authority_of(&text)
        };
        Target::of(method, url, raw)
    }

    fn of(method: &str, url: Url, authority: &str) -> Outcome<Target> {
        if !matches!(url.scheme(), "http" | "https") || authority.contains('@') || url.password().is_some() {
            return Err(Error::Uri);
        }
        if !url.username().is_empty() || method.is_empty() || method.len() > 32 {
            return Err(Error::Uri);
        }
        let host = url.host().ok_or(Error::Uri)?;
        let raw = match authority.rfind(']') {
            Some(end) => &authority[..=end],
            None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        };
        let port_text = &authority[raw.len()..];
        let digits = |t: &str| !t.is_empty() && t.len() <= 5 && t.bytes().all(|b| b.is_ascii_digit());
        if !(port_text.is_empty() || port_text.strip_prefix(':').is_some_and(digits)) || disguised(raw, &host) {
            return Err(Error::Uri);
        }
        let host = match host {
            Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_string(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => format!("[{address}]"),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(Error::Uri)?;
        if host.is_empty() || host.len() > 253 || host.ends_with('.') {
            return Err(Error::Uri);
        }
        let path = normal_path(url.path()).ok_or(Error::Uri)?;
        let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
        let ask = Ask { method: method.into(), scheme: url.scheme().into(), host, port, path };
        Ok(Target { ask, query, url })
    }

    pub fn is_tls(&self) -> bool {
        self.ask.scheme == "https"
    }

    /// What the Host header says.
    pub fn authority(&self) -> String {
        let usual = if self.is_tls() { 443 } else { 80 };
        match self.ask.port {
            port if port == usual => self.ask.host.clone(),
            port => format!("{}:{port}", self.ask.host),
        }
    }

    pub fn path_and_query(&self) -> String {
        format!("{}{}", self.ask.path, self.query)
    }

    pub fn same_origin(&self, other: &Target) -> bool {
        let origin = |t: &Target| (t.ask.scheme.clone(), t.ask.host.clone(), t.ask.port);
        origin(self) == origin(other)
    }
}

/// Names that belong to the connection, or that say where a message ends: not the sender's.
fn is_ours(name: &HeaderName) -> bool {
    [
        header::HOST,
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
    ]
    .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Names that never come after a body.
pub(crate) fn is_no_trailer(name: &HeaderName) -> bool {
    is_ours(name)
        || [
            header::CONTENT_LENGTH,
            header::AUTHORIZATION,
            header::COOKIE,
            header::CONTENT_ENCODING,
            header::CONTENT_TYPE,
            header::CONTENT_RANGE,
            header::TE,
            header::TRAILER,
        ]
        .contains(name)
}

/// A sender's headers, or why not.
pub(crate) fn check_headers(headers: &HeaderMap, count_max: usize, bytes_max: usize) -> Outcome<()> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers.len() > count_max || bytes > bytes_max {
        return Err(Error::RequestHeaderSection);
    }
    if headers.keys().any(is_ours) {
        return Err(Error::Header);
    }
    let te = headers.get_all(header::TE).iter().any(|value| value != "trailers");
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().collect::<Vec<_>>();
    let length_ok = match lengths.as_slice() {
        [] => true,
        [one] => !one.is_empty() && one.len() <= 18 && one.as_bytes().iter().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    if te || !length_ok { Err(Error::Header) } else { Ok(()) }
}
