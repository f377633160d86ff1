//! `poll_oneoff`: sleeping, and waiting for standard streams. Files are always ready.

use super::fds::{Fd, borrowed};
use super::stat::timestamp;
use super::types::{
    Clockid, Errno, Error, Event, EventFdReadwrite, Eventrwflags, Eventtype, Size, Subclockflags, Subscription,
    SubscriptionU,
};
use super::{Answer, p1};
use crate::link::{clocks, files_view};
use crate::stdio::{Sink, Source};
use crate::store::State;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::filesystem::types::HostDescriptor as _;
use wiggle::{GuestMemory, GuestPtr};

const SUBSCRIPTION_BYTES: usize = 48;
const EVENT_BYTES: usize = 32;

/// What one subscription waits for.
enum Wait {
    Clock(Duration),
    /// Nothing: the event is there.
    Ready(Event),
    Stdin,
    Stdout,
    Stderr,
}

fn event(sub: &Subscription, type_: Eventtype, error: Errno) -> Event {
    let fd_readwrite = EventFdReadwrite { nbytes: 0, flags: Eventrwflags::empty() };
    Event { userdata: sub.userdata, error, type_, fd_readwrite }
}

fn readable(sub: &Subscription, nbytes: u64) -> Event {
    let mut event = event(sub, Eventtype::FdRead, Errno::Success);
    event.fd_readwrite.nbytes = nbytes;
    if nbytes == 0 {
        event.fd_readwrite.flags = Eventrwflags::FD_READWRITE_HANGUP;
    }
    event
}

fn writable(sub: &Subscription) -> Event {
    let mut event = event(sub, Eventtype::FdWrite, Errno::Success);
    event.fd_readwrite.nbytes = 1;
    event
}

/// How long from now, by the guest's own clocks.
fn duration(state: &mut State, id: Clockid, timeout: u64, flags: Subclockflags) -> Answer<Duration> {
    let absolute = flags.contains(Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME);
    let now = match (id, absolute) {
        (Clockid::Realtime | Clockid::Monotonic, false) => 0,
        (Clockid::Realtime, true) => timestamp(wall_clock::Host::now(&mut clocks(state)).map_err(Error::trap)?)?,
        (Clockid::Monotonic, true) => monotonic_clock::Host::now(&mut clocks(state)).map_err(Error::trap)?,
        _ => return Err(Errno::Inval.into()),
    };
    Ok(Duration::from_nanos(timeout.saturating_sub(now)))
}

async fn wait(state: &mut State, sub: &Subscription) -> Answer<Wait> {
    match &sub.u {
        SubscriptionU::Clock(clock) => match duration(state, clock.id, clock.timeout, clock.flags) {
            Ok(duration) => Ok(Wait::Clock(duration)),
            Err(error) => {
                let errno = error.downcast().map_err(Error::trap)?;
                Ok(Wait::Ready(event(sub, Eventtype::Clock, errno)))
            }
        },
        SubscriptionU::FdRead(of) => match p1(state).fds.get(of.file_descriptor) {
            Ok(Fd::Stdin) => Ok(Wait::Stdin),
            Ok(Fd::File(file)) => {
                let (file, position) = (borrowed(&file.descriptor), file.position);
                let size = files_view(state).stat(file).await?.size;
                Ok(Wait::Ready(readable(sub, size.saturating_sub(position))))
            }
            _ => Ok(Wait::Ready(event(sub, Eventtype::FdRead, Errno::Badf))),
        },
        SubscriptionU::FdWrite(of) => match p1(state).fds.get(of.file_descriptor) {
            Ok(Fd::Stdout) => Ok(Wait::Stdout),
            Ok(Fd::Stderr) => Ok(Wait::Stderr),
            Ok(Fd::File(_)) => Ok(Wait::Ready(writable(sub))),
            _ => Ok(Wait::Ready(event(sub, Eventtype::FdWrite, Errno::Badf))),
        },
    }
}

/// The streams that are waited for.
struct Streams {
    stdin: Option<Arc<Source>>,
    stdout: Option<Arc<Sink>>,
    stderr: Option<Arc<Sink>>,
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Duration> + Send + 'a>>;

impl Streams {
    fn of(state: &State, waits: &[Wait]) -> Streams {
        let wants = |one: fn(&Wait) -> bool| waits.iter().any(one);
        Streams {
            stdin: state.stdin.clone().filter(|_| wants(|w| matches!(w, Wait::Stdin))),
            stdout: state.stdout.clone().filter(|_| wants(|w| matches!(w, Wait::Stdout))),
            stderr: state.stderr.clone().filter(|_| wants(|w| matches!(w, Wait::Stderr))),
        }
    }

    /// Waits until the first is there. Gives how long clocks have waited.
    async fn first(&self, shortest: Option<Duration>) -> Duration {
        let mut all: Vec<Waiting<'_>> = Vec::with_capacity(4);
        if let Some(source) = &self.stdin {
            all.push(Box::pin(async {
                source.readable().await;
                Duration::ZERO
            }));
        }
        for sink in [&self.stdout, &self.stderr].into_iter().flatten() {
            all.push(Box::pin(async {
                sink.writable().await;
                Duration::ZERO
            }));
        }
        // A timeout beyond the call's deadline is ended by that.
        let sleep = async {
            tokio::time::sleep(shortest.unwrap_or(Duration::MAX)).await;
            shortest.unwrap_or_default()
        };
        all.push(Box::pin(sleep));
        poll_fn(|cx| {
            for one in &mut all {
                if let Poll::Ready(waited) = one.as_mut().poll(cx) {
                    return Poll::Ready(waited);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn settled(&self, sub: &Subscription, wait: &Wait, waited: Duration) -> Option<Event> {
        match wait {
            Wait::Ready(event) => Some(event.clone()),
            Wait::Clock(duration) if *duration <= waited => Some(event(sub, Eventtype::Clock, Errno::Success)),
            Wait::Clock(_) => None,
            Wait::Stdin => self.stdin.as_ref()?.is_readable().then(|| readable(sub, 1)),
            Wait::Stdout => self.stdout.as_ref()?.is_writable().then(|| writable(sub)),
            Wait::Stderr => self.stderr.as_ref()?.is_writable().then(|| writable(sub)),
        }
    }
}

pub async fn oneoff(
    state: &mut State,
    memory: &mut GuestMemory<'_>,
    subs: GuestPtr<Subscription>,
    events: GuestPtr<Event>,
    count: Size,
) -> Answer<Size> {
    // Sleeping for good is nothing that the preview has.
    if count == 0 {
        return Err(Errno::Inval.into());
    }
    p1(state).fuel((count as usize).saturating_mul(SUBSCRIPTION_BYTES + EVENT_BYTES))?;
    let listed = subs.as_array(count);
    let (mut subs, mut waits) = (Vec::new(), Vec::new());
    for sub in listed.iter() {
        let sub = memory.read(sub?)?;
        waits.push(wait(state, &sub).await?);
        subs.push(sub);
    }
    let streams = Streams::of(state, &waits);
    let mut shortest = waits.iter().filter_map(|w| if let Wait::Clock(d) = w { Some(*d) } else { None }).min();
    if waits.iter().any(|w| matches!(w, Wait::Ready(_))) {
        shortest = Some(Duration::ZERO);
    }
    let mut given = 0;
    while given == 0 {
        let waited = streams.first(shortest).await;
        for (sub, wait) in subs.iter().zip(&waits) {
            if let Some(event) = streams.settled(sub, wait, waited) {
                memory.write(events.add(given)?, event)?;
                given += 1;
            }
        }
    }
    Ok(given)
}
