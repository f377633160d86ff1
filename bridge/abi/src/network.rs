//! The way to the network.

use crate::boundary::{boundary, cordon_error, cordon_status, quiet};
use crate::code::{borrow, free, give, out};
use crate::types::{HeldPort, cordon_bytes, cordon_network_options, cordon_port, cordon_str, cordon_writer, list};
use ::cordon_engine::way::{Far, Ways};
use ::cordon_engine::{Fault, Kind, Outcome};
#[cfg(feature = "client")]
use cordon_net::Client;
use cordon_net::{Egress, Options};
use std::sync::Arc;
use std::time::Duration;

/// Connections of one plugin, never shared with another. Counted; thread-safe; freeing it early harms nothing.
pub struct cordon_network(pub(crate) Arc<dyn Egress>);

unsafe fn options(o: *const cordon_network_options) -> Outcome<Options> {
    // Safety: the caller's structure and everything it points to are valid for the call.
    unsafe {
        let o = borrow(o, "options")?;
        if o.size != size_of::<cordon_network_options>() {
            return Err(Fault::new(
                Kind::Invalid,
                "cordon_network_options has another size: rebuild against this header",
            ));
        }
        let servers = list(o.dns_servers, o.dns_servers_len, "dns_servers")?.iter().map(|server| {
            let text = server.get("a DNS server")?;
            text.parse().map_err(|_| Fault::new(Kind::Invalid, format!("'{text}' is not the address of a DNS server")))
        });
        let roots = list(o.extra_roots, o.extra_roots_len, "extra_roots")?;
        Ok(Options {
            dns_servers: servers.collect::<Outcome<_>>()?,
            extra_roots: roots.iter().map(|pem| pem.get().to_vec()).collect(),
            system_roots: o.system_roots,
            connections: o.connections as usize,
            keep_alive: Duration::from_nanos(o.keep_alive_ns),
        })
    }
}

#[cfg(feature = "client")]
fn connect(options: Options) -> Outcome<Arc<dyn Egress>> {
    Ok(Arc::new(Client::new(options)))
}

#[cfg(not(feature = "client"))]
fn connect(_: Options) -> Outcome<Arc<dyn Egress>> {
    Err(Fault::new(Kind::Unavailable, "this process has no way to the network of its own"))
}

/// Opens nothing yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_network_new(
    network_options: *const cordon_network_options,
    result: *mut *mut cordon_network,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let options = unsafe { options(network_options)? };
        connect(options).map(cordon_network)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_network_free(network: *mut cordon_network) {
    unsafe { free(network) }
}

/// The way to the network of a process that has none: requests go to the host as messages of `port`, which is retained.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_network_far(
    port: *const cordon_port,
    result: *mut *mut cordon_network,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        // Safety: the caller's port, valid for the call.
        let port = unsafe { HeldPort::new(borrow(port, "port")?)? };
        Ok(cordon_network(Arc::new(Far { port: Arc::new(port) })))
    })
}

/// What sends the requests of such processes by a network. Thread-safe.
pub struct cordon_ways(Ways);

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_ways_new(
    network: *const cordon_network,
    result: *mut *mut cordon_ways,
    error: *mut *mut cordon_error,
) -> cordon_status {
    boundary(error, give(result), || {
        out(result)?;
        let network = unsafe { borrow(network, "network")? };
        Ok(cordon_ways(Ways::new(network.0.clone())))
    })
}

/// Answers a message: true, and its answer is written. May block, and then until `cordon_ways_end` at most. `call` is a
/// number of the caller's own; `port` decides, and is retained.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_ways_answer(
    ways: *const cordon_ways,
    port: *const cordon_port,
    call: u64,
    call_id: u64,
    function: cordon_str,
    payload: cordon_bytes,
    reply: *const cordon_writer,
) -> bool {
    quiet(false, || {
        // Safety: pointers of the caller, valid for the call, or NULL.
        let (Some(ways), Some(port), Some(reply)) = (unsafe { (ways.as_ref(), port.as_ref(), reply.as_ref()) }) else {
            return false;
        };
        let (Ok(port), Ok(function)) = (unsafe { (HeldPort::new(port), function.get("function")) }) else {
            return false;
        };
        match ways.0.answer(call, Arc::new(port), call_id, function, unsafe { payload.get() }) {
            Some(answer) => {
                reply.put(&answer);
                true
            }
            None => false,
        }
    })
}

/// Ends every request of a call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_ways_end(ways: *const cordon_ways, call: u64) {
    // Safety: a pointer of the caller, or NULL.
    if let Some(ways) = unsafe { ways.as_ref() } {
        quiet((), || ways.0.end(call));
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_ways_free(ways: *mut cordon_ways) {
    unsafe { free(ways) }
}
