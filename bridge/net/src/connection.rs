//! Connections: to an address that was checked, and to no other.

use crate::body::Outgoing;
use crate::error::{Error, Outcome};
use crate::policy::Limits;
use crate::target::Target;
use crate::tls::{Trust, handshake_error};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

/// Ends the connection's task with its last owner.
pub(crate) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Who reads and writes for the connection.
enum Driver {
    /// Whoever waits for the connection: a task would have to be woken for every request.
    Owner(Pin<Box<dyn Future<Output = ()> + Send>>),
    Task(Arc<Task>),
    /// It is closed.
    Nobody,
}

pub(crate) enum Sender {
    Http1(http1::SendRequest<Outgoing>),
    Http2(http2::SendRequest<Outgoing>),
}

/// A connection that can be used for another request.
pub(crate) struct Connection {
    pub sender: Sender,
    pub address: IpAddr,
    pub since: Instant,
    driver: Driver,
    permit: Arc<OwnedSemaphorePermit>,
}

type Failed = hyper::client::conn::TrySendError<http::Request<Outgoing>>;
pub(crate) type Exchanging =
    Pin<Box<dyn Future<Output = Result<http::Response<hyper::body::Incoming>, Failed>> + Send>>;

impl Connection {
    /// Whether a request may be put on it; waits for one that is about to end.
    pub async fn is_usable(&mut self) -> bool {
        match poll_fn(|cx| Poll::Ready(self.poll_usable(cx))).await {
            Poll::Ready(usable) => usable,
            Poll::Pending => {
                let settled = poll_fn(|cx| self.poll_usable(cx));
                tokio::time::timeout(Duration::from_millis(20), settled).await.unwrap_or(false)
            }
        }
    }

    fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.work(cx);
        match &mut self.sender {
            Sender::Http1(sender) => sender.poll_ready(cx).map(|ready| ready.is_ok()),
            Sender::Http2(sender) => Poll::Ready(!sender.is_closed()),
        }
    }

    /// Reads and writes what can be; false when somebody else does.
    pub fn work(&mut self, cx: &mut Context<'_>) -> bool {
        let Driver::Owner(driver) = &mut self.driver else { return false };
        if driver.as_mut().poll(cx).is_ready() {
            self.driver = Driver::Nobody;
        }
        true
    }

    /// From now on a task of the runtime reads and writes, whoever waits or does not.
    pub fn let_go(&mut self) {
        match std::mem::replace(&mut self.driver, Driver::Nobody) {
            Driver::Owner(driver) => self.driver = Driver::Task(Arc::new(Task(tokio::spawn(driver).abort_handle()))),
            other => self.driver = other,
        }
    }

    pub fn send(&mut self, message: http::Request<Outgoing>) -> Exchanging {
        match &mut self.sender {
            Sender::Http1(sender) => Box::pin(sender.try_send_request(message)),
            Sender::Http2(sender) => Box::pin(sender.try_send_request(message)),
        }
    }

    pub fn is_same(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.permit, &other.permit)
    }

    pub fn share(&self) -> Option<Connection> {
        let (Sender::Http2(sender), Driver::Task(task)) = (&self.sender, &self.driver) else { return None };
        Some(Connection {
            sender: Sender::Http2(sender.clone()),
            driver: Driver::Task(task.clone()),
            permit: self.permit.clone(),
            address: self.address,
            since: self.since,
        })
    }
}

fn connect_error(error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::Refused,
        ErrorKind::TimedOut => Error::ConnectTimeout,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Error::Terminated,
        _ => Error::Unreachable,
    }
}

/// Tries the addresses one after the other, each with a share of the time.
async fn dial(addresses: &[IpAddr], port: u16, end: Instant) -> Outcome<(TcpStream, IpAddr)> {
    let mut last = Error::ConnectTimeout;
    for (at, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(1);
        match tokio::time::timeout(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address));
            }
            Ok(Err(error)) => last = connect_error(&error),
            Err(_) => last = Error::ConnectTimeout,
        }
    }
    Err(last)
}

fn server_name(host: &str) -> Outcome<ServerName<'static>> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_string()).map_err(|_| Error::Uri)
}

pub(crate) async fn open(
    target: &Target,
    addresses: &[IpAddr],
    trust: &Trust,
    limits: &Limits,
    end: Instant,
    permit: OwnedSemaphorePermit,
) -> Outcome<Connection> {
    let (stream, address) = dial(addresses, target.ask.port, end).await?;
    if !target.is_tls() {
        return shake_http1(stream, address, limits, permit).await;
    }
    let connector = tokio_rustls::TlsConnector::from(trust.config()?);
    let name = server_name(&target.ask.host)?;
    let stream = match tokio::time::timeout_at(end.into(), connector.connect(name, stream)).await {
        Ok(done) => done.map_err(handshake_error)?,
        Err(_) => return Err(Error::ConnectTimeout),
    };
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return shake_http1(stream, address, limits, permit).await;
    }
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes as u32)
        .max_concurrent_reset_streams(16)
        .initial_max_send_streams(16);
    let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
    let task = tokio::spawn(async move {
        let _ = driver.await;
    });
    let driver = Driver::Task(Arc::new(Task(task.abort_handle())));
    Ok(connection(Sender::Http2(sender), driver, permit, address))
}

async fn shake_http1<T>(
    stream: T,
    address: IpAddr,
    limits: &Limits,
    permit: OwnedSemaphorePermit,
) -> Outcome<Connection>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .max_headers(limits.header_count)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(16 << 10));
    let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
    let driver = Driver::Owner(Box::pin(async move {
        let _ = driver.await;
    }));
    Ok(connection(Sender::Http1(sender), driver, permit, address))
}

fn connection(sender: Sender, driver: Driver, permit: OwnedSemaphorePermit, address: IpAddr) -> Connection {
    Connection { sender, driver, permit: Arc::new(permit), address, since: Instant::now() }
}
