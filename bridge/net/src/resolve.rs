//! Names to addresses, by the machine's name servers or by those that the operator names.

use crate::error::{Error, Outcome};
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Resolver, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::OnceCell;

/// An answer with more addresses than this is cut.
const ADDRESSES_MAX: usize = 32;

pub(crate) struct Names {
    servers: Vec<SocketAddr>,
    // Made at the first name: most plugins never look one up.
    resolver: OnceCell<TokioResolver>,
}

fn tune(options: &mut ResolverOpts) {
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = Duration::from_secs(2);
    options.attempts = 2;
    options.cache_size = 256;
    options.case_randomization = false;
    options.positive_max_ttl = Some(Duration::from_secs(300));
    options.negative_max_ttl = Some(Duration::from_secs(30));
}

fn connection(mut to: ConnectionConfig, port: u16) -> ConnectionConfig {
    to.port = port;
    to
}

impl Names {
    /// Without `servers`: those of the machine, and its hosts file.
    pub fn new(servers: Vec<SocketAddr>) -> Names {
        Names { servers, resolver: OnceCell::new() }
    }

    fn make(&self) -> Result<TokioResolver, NetError> {
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = self.servers.iter().map(|server| {
                let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                NameServerConfig::new(server.ip(), true, ways.map(|way| connection(way, server.port())).to_vec())
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        tune(builder.options_mut());
        if !self.servers.is_empty() {
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
        }
        builder.build()
    }

    /// REQUIRES: `host` is a name in lower-case ASCII.
    pub async fn find(&self, host: &str) -> Outcome<Vec<IpAddr>> {
        let resolver = self
            .resolver
            .get_or_try_init(|| async { self.make() })
            .await
            .map_err(|e| Error::Dns(format!("the name servers of this machine are not known: {e}")))?;
        let mut name = Name::from_ascii(host).map_err(|_| Error::Uri)?;
        // No search list: the name that was allowed, and no other.
        name.set_fqdn(true);
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().take(ADDRESSES_MAX).collect()),
            Err(NetError::Timeout) => Err(Error::DnsTimeout),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Err(Error::Dns(none.response_code.to_string())),
            Err(other) => Err(Error::Dns(other.to_string())),
        }
    }
}
