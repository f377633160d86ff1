//! Timers that stay set from one request to the next.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::time::{Sleep, sleep_until};

const KEPT_MAX: usize = 8;

/// Goes off at a time that may be another whenever it is asked. Setting a timer of the runtime wakes its thread, which
/// costs as much as reading from a socket; so one that would go off too early stays, and is set anew when it did.
#[derive(Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    pub fn poll_at(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at.into())));
        if sleep.deadline() > at.into() {
            sleep.as_mut().reset(at.into());
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at.into());
        }
        Poll::Pending
    }
}

/// What one exchange needs: apart, since one is set for minutes and the other for seconds.
#[derive(Default)]
pub(crate) struct Alarms {
    pub total: Alarm,
    pub silence: Alarm,
}

/// Those that nobody uses now.
#[derive(Clone, Default)]
pub(crate) struct KeptAlarms(Arc<Mutex<Vec<Alarms>>>);

impl KeptAlarms {
    pub fn take(&self) -> Alarms {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub fn put(&self, alarms: Alarms) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(alarms);
        }
    }
}
