//! From what was asked for to the one form that is decided and sent.

use crate::error::{Error, Outcome};
use crate::policy::Ask;
use http::header::{self, HeaderMap, HeaderName};
use std::net::IpAddr;
use url::{Host, Url};

const URL_BYTES_MAX: usize = 8 << 10;

/// What a guest calls a host, in its one form.
pub enum Named {
    Address(IpAddr),
    /// Lower-case ASCII, without a trailing dot.
    Name(String),
}

/// Nothing for an address in disguise, or text that is no name.
pub fn named(text: &str) -> Option<Named> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Named::Address(address));
    }
    if text.bytes().any(|b| b <= 0x20 || b == 0x7f || b"\\/?#@:%[]".contains(&b)) {
        return None;
    }
    let host = Host::parse(text).ok()?;
    let Host::Domain(name) = &host else { return None };
    if disguised(text, &Host::Domain(name)) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    (!name.is_empty() && name.len() <= 253 && !name.ends_with('.')).then(|| Named::Name(name.to_string()))
}

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
        if !matches!(url.scheme(), "http" | "https")
            || authority.is_empty()
            || authority.contains('@')
            || url.password().is_some()
        {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        let target = Target::parse("GET", text).ok()?;
        let ask = &target.ask;
        Some(format!("{} {} {} {}{}", ask.scheme, ask.host, ask.port, ask.path, target.query))
    }

    #[test]
    fn a_url_has_one_form() {
        for (text, form) in [
            ("http://h.test", "http h.test 80 /"),
            ("HTTPS://API.Example.COM/a?b=c", "https api.example.com 443 /a?b=c"),
            ("http://h.test.:8080/", "http h.test 8080 /"),
            ("http://h.test/a/./b/../c", "http h.test 80 /a/c"),
            ("http://h.test/%61%2f%7e%zz", ""),
            ("http://h.test/%61%2f%7E/%2e%2e/x", "http h.test 80 /x"),
            ("http://h.test/a%2fb", "http h.test 80 /a%2Fb"),
            ("http://[2001:DB8::1]/", "http [2001:db8::1] 80 /"),
            ("http://127.0.0.1/", "http 127.0.0.1 80 /"),
            ("http://b\u{fc}cher.test/", "http xn--bcher-kva.test 80 /"),
            ("http://ex\u{ad}ample.test/", "http example.test 80 /"),
        ] {
            assert_eq!(parsed(text).unwrap_or_default(), form, "{text}");
        }
    }

    #[test]
    fn attack_122_what_two_readers_read_differently_is_no_url() {
        for text in [
            "http://a@b/",
            "http://a:b@c/",
            "http://@b/",
            "http://a\\@b/",
            "http://a#@b/",
            "http://a b/",
            "http://a\tb/",
            "http://a\n/",
            "file:///etc/passwd",
            "gopher://h/",
            "data:,x",
            "javascript:1",
            "//h/",
            "h/",
            "",
            "http://",
            "http:///x",
            "http://h:0/",
            "http://h:65536/",
            "http://h:+1/",
            "http://h:/",
            "http://h:000080/",
            "http://..",
            "http://h../",
            "http://[::1%25lo]/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0/",
            "http://\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}/",
            "http:h.test/",
            "http:/h.test/",
            "http:\\\\h.test/",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn a_redirect_leads_where_the_standard_says_and_nowhere_else() {
        let from = Target::parse("GET", "https://h.test/a/b?q").unwrap();
        let to = |location: &str| from.follow("GET", location).map(|t| (t.ask.scheme, t.ask.host, t.ask.path)).ok();
        let at = |scheme: &str, host: &str, path: &str| Some((scheme.into(), host.into(), path.into()));
        assert_eq!(to("c"), at("https", "h.test", "/a/c"));
        assert_eq!(to("../../../c#x"), at("https", "h.test", "/c"));
        assert_eq!(to("//other.test/x"), at("https", "other.test", "/x"));
        assert_eq!(to("http://other.test/x"), at("http", "other.test", "/x"));
        for location in ["file:///etc/passwd", "gopher://h/", "http://2130706433/", "//u@h/", "\\\\h", "http://a b/"] {
            assert_eq!(to(location), None, "{location}");
        }
    }

    #[test]
    fn attack_125_headers_that_are_not_the_senders() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.append(*name, http::HeaderValue::from_static(value));
            }
            check_headers(&map, 4, 100)
        };
        assert_eq!(with(&[("accept", "x"), ("te", "trailers"), ("content-length", "5")]), Ok(()));
        for name in ["host", "connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"] {
            assert_eq!(with(&[(name, "x")]), Err(Error::Header), "{name}");
        }
        assert_eq!(with(&[("content-length", "5"), ("content-length", "5")]), Err(Error::Header));
        assert_eq!(with(&[("content-length", "+5")]), Err(Error::Header));
        assert_eq!(with(&[("te", "gzip")]), Err(Error::Header));
        assert_eq!(
            with(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]),
            Err(Error::RequestHeaderSection)
        );
    }
}
