//! Guests that wait for guests: on one thread, each with room, and none outlives who stopped it.

mod support;

use cordon_engine::store::{CallLimits, Port, Reply};
use cordon_engine::{Fault, HostImport, Instance, Kind, Linked};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};
use support::{component, engine, lift, link, options, within};

/// go(n): spins n times, asks the host for n, spins again, and adds one to the answer.
fn asking() -> Arc<Linked> {
    let wat = r#"(component
      (import "acme:host/x" (instance $h (export "ask" (func (param "n" u64) (result u64)))))
      (core func $f (canon lower (func $h "ask")))
      (core module $m (import "" "f" (func $f (param i64) (result i64)))
        (func $spin (param $n i64)
          (loop $again
            (local.set $n (i64.sub (local.get $n) (i64.const 1)))
            (br_if $again (i64.gt_s (local.get $n) (i64.const 0)))))
        (func (export "go") (param $n i64) (result i64) (local $answer i64)
          (call $spin (local.get $n))
          (local.set $answer (call $f (local.get $n)))
          (call $spin (local.get $n))
          (i64.add (local.get $answer) (i64.const 1))))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "go") (param "n" u64) (result u64) (canon lift (core func $i "go"))))"#;
    let import = HostImport {
        interface: "acme:host/x".into(),
        function: "ask".into(),
        message: "ask".into(),
        blocking: false,
        nested: true,
        deferred: false,
        traced: false,
        shape: String::new(),
    };
    link(&engine(false), wat, &[], &[import]).unwrap()
}

fn plain(core: &str, name: &str) -> Arc<Linked> {
    link(&engine(false), &component("", core, &lift(name, "")), &[], &[]).unwrap()
}

fn left(deadline_ns: u64) -> CallLimits {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
    CallLimits { wall_ns: deadline_ns.saturating_sub(now).max(1), cpu_ns: None, fuel: None }
}

type Work = dyn Fn(u64) -> Result<u64, Fault> + Send + Sync;

/// Answers by `work`, which is given the deadline.
struct Answers {
    work: Box<Work>,
    seen: Mutex<Vec<(ThreadId, Result<u64, Kind>)>>,
}

impl Answers {
    fn by(work: impl Fn(u64) -> Result<u64, Fault> + Send + Sync + 'static) -> Arc<Answers> {
        Arc::new(Answers { work: Box::new(work), seen: Mutex::default() })
    }
}

impl Port for Answers {
    fn send(&self, _: u64, _: &str, _: &str, _: &[u8], deadline_ns: u64) -> Reply {
        let answer = (self.work)(deadline_ns);
        self.seen.lock().unwrap().push((std::thread::current().id(), answer.as_ref().copied().map_err(|f| f.kind)));
        answer.map_or_else(|f| Reply::Trap(9, f.message), |n| Reply::Done(n.to_le_bytes().to_vec()))
    }
}

fn ask(linked: &Arc<Linked>, port: &Arc<Answers>, spins: u64, limits: &CallLimits) -> Result<u64, Fault> {
    let mut instance = Instance::new(linked, options(), Some(port.clone()), limits, 1)?;
    let answer = instance.call(&linked.find("", "go")?, &spins.to_le_bytes(), limits, 1)?;
    Ok(u64::from_le_bytes(answer.try_into().unwrap()))
}

fn run(linked: &Arc<Linked>, name: &str, limits: &CallLimits) -> Result<u64, Fault> {
    Instance::new(linked, options(), None, limits, 1)?.call(&linked.find("", name)?, &[], limits, 1).map(|_| 0)
}

/// Guests in guests; the innermost uses all of its stack, and traps.
fn deep(linked: Arc<Linked>, levels: u32) -> Arc<Answers> {
    Answers::by(move |_| {
        if levels > 0 {
            return ask(&linked, &deep(linked.clone(), levels - 1), 0, &within(5000));
        }
        let deep = plain(r#"(func $deep (export "deep") (call $deep))"#, "deep");
        let fault = run(&deep, "deep", &within(5000)).unwrap_err();
        assert_eq!(fault.kind, Kind::StackOverflow);
        Ok(0)
    })
}

#[test]
fn a_nested_call_is_made_on_the_thread_that_waits_for_it() {
    let linked = asking();
    let port = Answers::by(|_| Ok(41));
    assert_eq!(ask(&linked, &port, 0, &within(1000)).unwrap(), 42);
    assert_eq!(*port.seen.lock().unwrap(), [(std::thread::current().id(), Ok(41))]);
}

#[test]
fn each_guest_of_a_chain_has_the_whole_of_its_stack() {
    let on = |stack_bytes: usize| {
        let call = || ask(&asking(), &deep(asking(), 6), 0, &within(5000)).unwrap();
        std::thread::Builder::new().stack_size(stack_bytes).spawn(call).unwrap().join().unwrap()
    };
    assert_eq!(on(8 << 20), 7);
}

#[test]
fn a_thread_without_room_leaves_nested_calls_to_another() {
    let linked = asking();
    let port = Answers::by(|_| Ok(41));
    let (port_there, linked_there) = (port.clone(), linked.clone());
    let call = move || {
        assert_eq!(ask(&linked_there, &port_there, 0, &within(1000)).unwrap(), 42);
        std::thread::current().id()
    };
    let small = std::thread::Builder::new().stack_size(256 << 10).spawn(call).unwrap().join().unwrap();
    assert_ne!(port.seen.lock().unwrap()[0].0, small);
}

#[test]
fn whoever_interrupts_the_outer_call_stops_what_it_waits_for() {
    let spins = plain(r#"(func (export "spin") (loop (br 0)))"#, "spin");
    let linked = asking();
    // One callee runs code, and one waits for the host.
    let running = Answers::by(move |_| run(&spins, "spin", &within(60_000)));
    let slow = Answers::by(|_| {
        std::thread::sleep(Duration::from_millis(200));
        Ok(0)
    });
    let inner = asking();
    let waiting = Answers::by(move |_| ask(&inner, &slow, 0, &within(60_000)));
    for port in [running, waiting] {
        let mut instance = Instance::new(&linked, options(), Some(port.clone()), &within(60_000), 1).unwrap();
        let interrupter = instance.interrupter();
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            interrupter.interrupt();
        });
        let go = linked.find("", "go").unwrap();
        let fault = instance.call(&go, &0u64.to_le_bytes(), &within(60_000), 1).unwrap_err();
        assert_eq!(fault.kind, Kind::Interrupted);
        assert_eq!(port.seen.lock().unwrap()[0].1, Err(Kind::Interrupted));
        other.join().unwrap();
    }
}

#[test]
fn a_nested_call_ends_by_the_deadline_of_who_waits() {
    let spins = plain(r#"(func (export "spin") (loop (br 0)))"#, "spin");
    let port = Answers::by(move |deadline| run(&spins, "spin", &left(deadline)));
    let start = Instant::now();
    let fault = ask(&asking(), &port, 0, &within(60)).unwrap_err();
    assert_eq!(fault.kind, Kind::Timeout);
    assert!(start.elapsed() >= Duration::from_millis(60) && start.elapsed() < Duration::from_secs(5));
    assert_eq!(port.seen.lock().unwrap()[0].1, Err(Kind::Timeout));
}

#[test]
fn the_time_of_a_nested_call_is_its_own() {
    let spins = plain(r#"(func (export "spin") (loop (br 0)))"#, "spin");
    let port = Answers::by(move |_| {
        let limits = CallLimits { cpu_ns: Some(400_000_000), ..within(60_000) };
        assert_eq!(run(&spins, "spin", &limits).unwrap_err().kind, Kind::Cpu);
        Ok(41)
    });
    // The caller runs long enough to be looked at, before and after, and within its own budget.
    let limits = CallLimits { cpu_ns: Some(300_000_000), ..within(60_000) };
    assert_eq!(ask(&asking(), &port, 20_000_000, &limits).unwrap(), 42);
    // It is held to that budget all the same.
    let forever = Answers::by(|_| Ok(41));
    assert_eq!(ask(&asking(), &forever, 1 << 62, &limits).unwrap_err().kind, Kind::Cpu);
}
