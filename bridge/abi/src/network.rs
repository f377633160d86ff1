//! The way to the network.

use crate::boundary::{boundary, cordon_error, cordon_status};
use crate::code::{borrow, free, give, out};
use crate::types::{cordon_network_options, list};
use ::cordon_engine::{Fault, Kind, Outcome};
use cordon_net::{Client, Egress, Options};
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
        Ok(cordon_network(Arc::new(Client::new(options))))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cordon_network_free(network: *mut cordon_network) {
    unsafe { free(network) }
}
