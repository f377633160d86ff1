//! The one way out: parse, ask, resolve, ask again, connect to what was allowed, speak HTTP, measure.

use crate::alarm::{Alarm, Alarms, KeptAlarms};
use crate::body::{Outgoing, Pace, Progress, ResponseBody, Source};
use crate::connection::{Connection, Sender, open};
use crate::egress::{Egress, Options, Request, Resolving, Sending};
use crate::error::{Error, Outcome};
use crate::policy::{Admission, Ask, Limits, Policy, Report, rule};
use crate::resolve::Names;
use crate::target::{Target, check_headers};
use crate::tls::Trust;
use http::{HeaderValue, Method, StatusCode, Uri, Version, header};
use http_body::Body;
use http_body_util::BodyExt;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

impl Egress for Client {
    fn resolve(self: Arc<Self>, name: String) -> Resolving {
        Box::pin(async move { self.names.find(&name).await })
    }

    fn send(self: Arc<Self>, policy: Arc<dyn Policy>, request: Request) -> Sending {
        Box::pin(async move { Ok(Client::send(&self, &policy, request).await?.map(BodyExt::boxed_unsync)) })
    }
}

const IDLE_PER_ORIGIN: usize = 4;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

/// Connections that wait for another request.
struct Pool {
    keep: Duration,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    idle: HashMap<Origin, Vec<Connection>>,
    is_swept: bool,
}

impl Pool {
    fn new(keep: Duration) -> Arc<Pool> {
        Arc::new(Pool { keep, held: Mutex::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut held = self.held();
        let idle = held.idle.get_mut(origin)?;
        let connection = idle.pop()?;
        if connection.since.elapsed() > self.keep {
            // The others are older.
            idle.clear();
            return None;
        }
        if let Some(shared) = connection.share() {
            idle.push(connection);
            return Some(shared);
        }
        Some(connection)
    }

    fn put(self: Arc<Pool>, origin: Origin, mut connection: Connection) {
        if self.keep.is_zero() {
            return;
        }
        connection.since = Instant::now();
        let mut held = self.held();
        let idle = held.idle.entry(origin).or_default();
        if matches!(connection.sender, Sender::Http2(_)) {
            idle.retain(|other| !other.is_same(&connection));
        }
        if idle.len() >= IDLE_PER_ORIGIN {
            idle.remove(0);
        }
        idle.push(connection);
        if held.is_swept {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            held.is_swept = true;
            runtime.spawn(sweep(Arc::downgrade(&self), self.keep));
        }
    }
}

/// Lets go of connections that nobody used for a while, until there are none.
async fn sweep(pool: Weak<Pool>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut held = pool.held();
        held.idle.retain(|_, idle| {
            idle.retain(|connection| connection.since.elapsed() < every);
            !idle.is_empty()
        });
        if held.idle.is_empty() {
            held.is_swept = false;
            return;
        }
    }
}

/// The connections of one owner; never shared with another. Cheap until used. Thread-safe.
pub struct Client {
    names: Names,
    trust: Trust,
    pool: Arc<Pool>,
    alarms: KeptAlarms,
    slots: Arc<Semaphore>,
}

/// An exchange whose response has begun. At its end it reports, and puts back what can be used again.
struct Answering {
    policy: Arc<dyn Policy>,
    ask: Ask,
    status: u16,
    progress: Arc<Progress>,
    connection: Connection,
    alarms: Alarms,
    kept_alarms: KeptAlarms,
    pool: Arc<Pool>,
    origin: Origin,
}

impl Source for Answering {
    fn work(&mut self, cx: &mut Context<'_>) -> bool {
        self.connection.work(cx)
    }

    fn poll_silence(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.alarms.silence.poll_at(at, cx)
    }

    fn end(self: Box<Self>, bytes: u64, whole: bool) {
        if whole {
            self.pool.put(self.origin, self.connection);
        }
        self.kept_alarms.put(self.alarms);
        self.policy.done(
            &self.ask,
            &Report {
                status: self.status,
                bytes_up: self.progress.bytes.load(Ordering::Relaxed),
                bytes_down: bytes,
                duration: self.progress.elapsed(),
            },
        );
    }
}

struct Sent {
    response: http::Response<hyper::body::Incoming>,
    connection: Connection,
}

enum Attempt {
    Sent(Box<Sent>),
    /// The connection was gone before anything was written.
    Unsent(Box<http::Request<Outgoing>>),
}

impl Client {
    pub fn new(options: Options) -> Client {
        Client {
            names: Names::new(options.dns_servers),
            trust: Trust::new(options.extra_roots, options.system_roots),
            pool: Pool::new(options.keep_alive),
            alarms: KeptAlarms::default(),
            slots: Arc::new(Semaphore::new(options.connections.max(1))),
        }
    }

    /// Sends one request. Redirects are answers like others.
    pub async fn send(&self, policy: &Arc<dyn Policy>, request: Request) -> Outcome<http::Response<ResponseBody>> {
        let target = self.parse(policy.as_ref(), &request.method, &request.url)?;
        self.send_to(policy, &target, request).await
    }

    /// Sends a request without a body, and follows redirects: each is asked about afresh, and credentials stay with
    /// the origin that they were for.
    pub async fn send_following(
        &self,
        policy: &Arc<dyn Policy>,
        mut request: Request,
        redirects_max: usize,
    ) -> Outcome<http::Response<ResponseBody>> {
        let mut target = self.parse(policy.as_ref(), &request.method, &request.url)?;
        for _ in 0..=redirects_max {
            let next = Request { headers: request.headers.clone(), ..Request::new(&request.method, "") };
            let next = Request { connect: request.connect, first_byte: request.first_byte, idle: request.idle, ..next };
            let response = self.send_to(policy, &target, next).await?;
            let status = response.status();
            let location = match response.headers().get(header::LOCATION) {
                Some(location) if status.is_redirection() && status != StatusCode::NOT_MODIFIED => location,
                _ => return Ok(response),
            };
            if status == StatusCode::SEE_OTHER && request.method != "HEAD" {
                request.method = "GET".into();
            }
            let text = location.to_str().unwrap_or("\u{7f}");
            let next = target.follow(&request.method, text).inspect_err(|_| {
                policy.refused(Some(&target.ask), text, rule::URL);
            })?;
            if !next.same_origin(&target) {
                for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
                    request.headers.remove(name);
                }
            }
            target = next;
        }
        Err(Error::Loop)
    }

    fn parse(&self, policy: &dyn Policy, method: &str, url: &str) -> Outcome<Target> {
        Target::parse(method, url).inspect_err(|_| policy.refused(None, url, rule::URL))
    }

    async fn send_to(
        &self,
        policy: &Arc<dyn Policy>,
        target: &Target,
        request: Request,
    ) -> Outcome<http::Response<ResponseBody>> {
        let progress = Arc::new(Progress::new());
        let Some(admission) = policy.admit(&target.ask) else { return Err(Error::Denied) };
        let end = Instant::now() + admission.limits.total;
        let mut alarms = self.alarms.take();
        let outcome = {
            let Alarms { total, silence } = &mut alarms;
            let mut sent = pin!(self.exchange(policy, target, &admission, request, &progress, silence));
            poll_fn(|cx| match sent.as_mut().poll(cx) {
                Poll::Pending => total.poll_at(end, cx).map(|()| Err(Error::ResponseTimeout)),
                ended => ended,
            })
            .await
        };
        let error = match outcome {
            Ok((Sent { response, connection }, idle)) => {
                let (parts, body) = response.into_parts();
                let answering = Answering {
                    policy: policy.clone(),
                    ask: target.ask.clone(),
                    status: parts.status.as_u16(),
                    progress,
                    connection,
                    alarms,
                    kept_alarms: self.alarms.clone(),
                    pool: self.pool.clone(),
                    origin: origin(target),
                };
                let bytes_max = admission.limits.response_bytes;
                let pace = admission.has_rate.then(|| Pace::new(policy.clone()));
                let mut body = ResponseBody::new(body, Box::new(answering), bytes_max, idle, end, pace);
                body.read_ahead().await;
                return Ok(http::Response::from_parts(parts, body));
            }
            Err(error) => error,
        };
        self.alarms.put(alarms);
        let refusal = match error {
            Error::Header | Error::Method => Some(rule::HEADER),
            Error::Certificate => Some(rule::CERTIFICATE),
            Error::RequestHeaderSection | Error::RequestBodySize(_) => Some(rule::LIMIT),
            _ => None,
        };
        if let Some(refusal) = refusal {
            policy.refused(Some(&target.ask), "", refusal);
        }
        let bytes_up = progress.bytes.load(Ordering::Relaxed);
        policy.done(&target.ask, &Report { bytes_up, duration: progress.elapsed(), ..Report::default() });
        Err(error)
    }

    async fn exchange(
        &self,
        policy: &Arc<dyn Policy>,
        target: &Target,
        admission: &Admission,
        request: Request,
        progress: &Arc<Progress>,
        silence: &mut Alarm,
    ) -> Outcome<(Sent, Duration)> {
        let limits = &admission.limits;
        let shorter = |own: Option<Duration>, limit: Duration| own.map_or(limit, |own| own.min(limit));
        let (connect, idle) = (shorter(request.connect, limits.connect), shorter(request.idle, limits.idle));
        let first_byte = shorter(request.first_byte, limits.first_byte);
        check_headers(&request.headers, limits.header_count, limits.header_bytes)?;
        let mut message = build(policy, target, admission, request, progress)?;
        let origin = origin(target);
        while let Some(mut kept) = self.pool.take(&origin) {
            if !kept.is_usable().await {
                continue;
            }
            // What was allowed for the last request may have been taken back since.
            if policy.addresses(&target.ask, &[kept.address]).is_empty() {
                return Err(Error::AddressDenied);
            }
            match attempt(kept, message, target, progress, first_byte, silence).await? {
                Attempt::Sent(sent) => return Ok((*sent, idle)),
                Attempt::Unsent(unsent) => message = *unsent,
            }
        }
        let fresh = self.connect(policy.as_ref(), target, limits, Instant::now() + connect).await?;
        match attempt(fresh, message, target, progress, first_byte, silence).await? {
            Attempt::Sent(sent) => Ok((*sent, idle)),
            Attempt::Unsent(_) => Err(Error::Terminated),
        }
    }

    async fn connect(
        &self,
        policy: &dyn Policy,
        target: &Target,
        limits: &Limits,
        end: Instant,
    ) -> Outcome<Connection> {
        let found = match literal(&target.ask.host) {
            Some(address) => vec![address],
            None => match tokio::time::timeout_at(end.into(), self.names.find(&target.ask.host)).await {
                Ok(found) => found?,
                Err(_) => return Err(Error::DnsTimeout),
            },
        };
        if found.is_empty() {
            return Err(Error::Dns("the name has no address".into()));
        }
        let allowed = policy.addresses(&target.ask, &found);
        if allowed.is_empty() {
            return Err(Error::AddressDenied);
        }
        let permit = match tokio::time::timeout_at(end.into(), self.slots.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(Error::Connections),
        };
        open(target, &allowed, &self.trust, limits, end, permit).await
    }
}

fn origin(target: &Target) -> Origin {
    Origin { tls: target.is_tls(), host: target.ask.host.clone(), port: target.ask.port }
}

fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// The message as it leaves, from the parts that were decided.
fn build(
    policy: &Arc<dyn Policy>,
    target: &Target,
    admission: &Admission,
    request: Request,
    progress: &Arc<Progress>,
) -> Outcome<http::Request<Outgoing>> {
    let bytes_max = admission.limits.request_bytes;
    let pace = admission.has_rate.then(|| Pace::new(policy.clone()));
    let mut message = http::Request::new(Outgoing { inner: request.body, pace, progress: progress.clone(), bytes_max });
    *message.method_mut() = Method::from_bytes(target.ask.method.as_bytes()).map_err(|_| Error::Method)?;
    *message.headers_mut() = request.headers;
    for (name, value) in &admission.headers {
        message.headers_mut().insert(name, value.clone());
    }
    Ok(message)
}

/// Puts a message into the form that the connection's version of HTTP wants.
fn address(message: &mut http::Request<Outgoing>, sender: &Sender, target: &Target) -> Outcome<()> {
    let builder = match sender {
        Sender::Http1(_) => Uri::builder().path_and_query(target.path_and_query()),
        Sender::Http2(_) => Uri::builder()
            .scheme(target.ask.scheme.as_str())
            .authority(target.authority())
            .path_and_query(target.path_and_query()),
    };
    *message.uri_mut() = builder.build().map_err(|_| Error::Uri)?;
    message.headers_mut().remove(header::HOST);
    if let Sender::Http1(_) = sender {
        let host = HeaderValue::from_str(&target.authority()).map_err(|_| Error::Uri)?;
        message.headers_mut().insert(header::HOST, host);
        *message.version_mut() = Version::HTTP_11;
    } else {
        *message.version_mut() = Version::HTTP_2;
    }
    Ok(())
}

async fn attempt(
    mut connection: Connection,
    mut message: http::Request<Outgoing>,
    target: &Target,
    progress: &Arc<Progress>,
    first_byte: Duration,
    silence: &mut Alarm,
) -> Outcome<Attempt> {
    address(&mut message, &connection.sender, target)?;
    if !message.body().is_end_stream() {
        // The body may go on when nobody waits for the response any more.
        connection.let_go();
    }
    let waits = Instant::now();
    let mut sent = connection.send(message);
    let result = poll_fn(|cx| {
        let mut polled = sent.as_mut().poll(cx);
        if polled.is_pending() && connection.work(cx) {
            polled = sent.as_mut().poll(cx);
        }
        match polled {
            // The wait begins when the request's body stops moving.
            Poll::Pending => silence.poll_at(progress.last().max(waits) + first_byte, cx).map(|()| None),
            Poll::Ready(result) => Poll::Ready(Some(result)),
        }
    });
    let Some(result) = result.await else { return Err(Error::ResponseTimeout) };
    match result {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            Err(Error::Protocol("the server switches to another protocol".into()))
        }
        Ok(response) => Ok(Attempt::Sent(Box::new(Sent { response, connection }))),
        Err(mut failed) => match failed.take_message() {
            Some(message) => Ok(Attempt::Unsent(Box::new(message))),
            None => Err(failed.into_error().into()),
        },
    }
}
