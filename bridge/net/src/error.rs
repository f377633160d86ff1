//! Why a request came to nothing.

use std::fmt;
#[cfg(feature = "client")]
use std::io::ErrorKind;

/// Every way in which a request fails. What was denied is told apart from what did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The policy does not allow this request.
    Denied,
    /// The name is allowed, and none of its addresses.
    AddressDenied,
    /// Not a URL, or one that says two things.
    Uri,
    UriTooLong,
    Method,
    /// A header that is not the sender's to set, or two that contradict.
    Header,
    RequestHeaderSection,
    RequestBodySize(u64),
    DnsTimeout,
    Dns(String),
    ConnectTimeout,
    Refused,
    Unreachable,
    Terminated,
    ReadTimeout,
    ResponseTimeout,
    /// The certificate is not one for this name by anyone who is trusted.
    Certificate,
    Tls(String),
    ResponseHeaderSection,
    ResponseBodySize(u64),
    Incomplete,
    Connections,
    Loop,
    Protocol(String),
    Internal(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Denied => f.write_str("the request is denied"),
            Error::AddressDenied => f.write_str("no address of the host is allowed"),
            Error::Uri => f.write_str("not a URL that can be sent"),
            Error::UriTooLong => f.write_str("the URL is too long"),
            Error::Method => f.write_str("not a method"),
            Error::Header => f.write_str("a header that may not be set"),
            Error::RequestHeaderSection => f.write_str("the request's headers are too large"),
            Error::RequestBodySize(n) => write!(f, "the request's body is larger than {n} bytes"),
            Error::DnsTimeout => f.write_str("the name servers did not answer in time"),
            Error::Dns(why) => write!(f, "the name was not found: {why}"),
            Error::ConnectTimeout => f.write_str("no connection in time"),
            Error::Refused => f.write_str("the connection was refused"),
            Error::Unreachable => f.write_str("the host is not reachable"),
            Error::Terminated => f.write_str("the connection ended"),
            Error::ReadTimeout => f.write_str("the server stopped sending"),
            Error::ResponseTimeout => f.write_str("the server did not answer in time"),
            Error::Certificate => f.write_str("the server's certificate is not valid for this name"),
            Error::Tls(why) => write!(f, "TLS failed: {why}"),
            Error::ResponseHeaderSection => f.write_str("the response's headers are too large"),
            Error::ResponseBodySize(n) => write!(f, "the response's body is larger than {n} bytes"),
            Error::Incomplete => f.write_str("the response ended early"),
            Error::Connections => f.write_str("too many connections at once"),
            Error::Loop => f.write_str("too many redirects"),
            Error::Protocol(why) => write!(f, "the server does not speak HTTP: {why}"),
            Error::Internal(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

pub type Outcome<T> = Result<T, Error>;

#[cfg(feature = "client")]
impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Error {
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            if let Some(own) = cause.downcast_ref::<Error>() {
                return own.clone();
            }
            match cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
                Some(ErrorKind::UnexpectedEof) => return Error::Incomplete,
                Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => return Error::Terminated,
                _ => {}
            }
            source = cause.source();
        }
        if error.is_parse_too_large() {
            Error::ResponseHeaderSection
        } else if error.is_incomplete_message() {
            Error::Incomplete
        } else if error.is_canceled() || error.is_closed() {
            Error::Terminated
        } else {
            Error::Protocol(error.to_string())
        }
    }
}
