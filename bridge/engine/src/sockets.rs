//! wasi:sockets: sockets as wasmtime-wasi has them, names by the way out, decisions by the host (services/sockets.h on
//! the other side).

use crate::http::{read_choice, read_yes};
use crate::store::{Port, Reply, State, put_text};
use cordon_net::{Egress, Error as NetError, Named, named};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{self, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, subscribe};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSockets, WasiSocketsCtxView};
use wasmtime_wasi::{WasiCtxBuilder, runtime::AbortOnDropJoinHandle};

const SOCKETS: &str = "cordon:host/sockets";

/// What a store has of wasi:sockets.
#[derive(Clone)]
pub struct Sockets {
    network: Arc<dyn Egress>,
    port: Arc<dyn Port>,
    call_id: Arc<AtomicU64>,
}

impl Sockets {
    pub fn new(network: Arc<dyn Egress>, port: Arc<dyn Port>) -> Sockets {
        Sockets { network, port, call_id: Arc::default() }
    }

    /// Lets the sockets of a context exist, each use of them being asked about.
    pub fn open(&self, builder: &mut WasiCtxBuilder) {
        let own = self.clone();
        builder.allow_tcp(true).allow_udp(true).socket_addr_check(move |address, step| {
            let allowed = own.may_use(address, step);
            Box::pin(std::future::ready(allowed))
        });
    }

    fn may_use(&self, address: SocketAddr, step: SocketAddrUse) -> bool {
        let step: u32 = match step {
            SocketAddrUse::TcpBind => 0,
            SocketAddrUse::TcpListen => 1,
            SocketAddrUse::TcpAccept => 2,
            SocketAddrUse::TcpConnect => 3,
            SocketAddrUse::UdpBind => 4,
            SocketAddrUse::UdpSend => 5,
            SocketAddrUse::UdpReceive => 6,
        };
        // A zone picks an interface; nobody was granted one.
        if matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0) {
            return false;
        }
        let mut payload = step.to_le_bytes().to_vec();
        put_text(&mut payload, &address.ip().to_string());
        payload.extend_from_slice(&address.port().to_le_bytes());
        let call_id = self.call_id.load(Ordering::Relaxed);
        asked(&*self.port, call_id, "use", &payload).is_some_and(|reply| read_yes(&reply))
    }

    /// A look-up on its way; nothing when the name may not be looked up.
    fn begin(&self, name: String) -> Option<Lookup> {
        let call_id = self.call_id.load(Ordering::Relaxed);
        let decided = self.network.may_look_up(&name);
        if !decided.unwrap_or_else(|| may_look_up(&*self.port, call_id, &name)) {
            return None;
        }
        let Sockets { network, port, .. } = self.clone();
        Some(Lookup::Pending(wasmtime_wasi::runtime::spawn(async move {
            let found = network.resolve(name.clone()).await.map_err(|error| match error {
                NetError::DnsTimeout => ErrorCode::TemporaryResolverFailure,
                _ => ErrorCode::NameUnresolvable,
            })?;
            let allowed = if decided.is_some() { found } else { of_found(&*port, call_id, &name, &found) };
            if allowed.is_empty() { Err(ErrorCode::AccessDenied) } else { Ok(allowed) }
        })))
    }
}

fn asked(port: &dyn Port, call_id: u64, function: &str, payload: &[u8]) -> Option<Vec<u8>> {
    match port.send(call_id, SOCKETS, function, payload, 0) {
        Reply::Done(reply) => Some(reply),
        Reply::Trap(..) => None,
    }
}

/// Whether the host lets the guest look a name up.
pub(crate) fn may_look_up(port: &dyn Port, call_id: u64, name: &str) -> bool {
    let mut payload = Vec::new();
    put_text(&mut payload, name);
    asked(port, call_id, "lookup", &payload).is_some_and(|reply| read_yes(&reply))
}

/// Which of the addresses of a name the host lets the guest know.
pub(crate) fn of_found(port: &dyn Port, call_id: u64, name: &str, found: &[IpAddr]) -> Vec<IpAddr> {
    let mut payload = Vec::new();
    put_text(&mut payload, name);
    payload.extend_from_slice(&(found.len() as u32).to_le_bytes());
    for address in found {
        put_text(&mut payload, &address.to_string());
    }
    asked(port, call_id, "found", &payload).and_then(|reply| read_choice(&reply, found)).unwrap_or_default()
}

/// Names alone: the rest of the context stays with wasmtime-wasi.
pub struct Names<'a> {
    sockets: Option<&'a Sockets>,
    table: &'a mut ResourceTable,
}

struct HasNames;
impl HasData for HasNames {
    type Data<'a> = Names<'a>;
}

fn names(state: &mut State) -> Names<'_> {
    let call_id = state.call_id;
    let wasi = state.wasi.as_mut().expect("a store of WASI code has WASI state");
    if let Some(sockets) = &wasi.sockets {
        sockets.call_id.store(call_id, Ordering::Relaxed);
    }
    Names { sockets: wasi.sockets.as_ref(), table: &mut wasi.table }
}

fn sockets(state: &mut State) -> WasiSocketsCtxView<'_> {
    let call_id = state.call_id;
    let wasi = state.wasi.as_mut().expect("a store of WASI code has WASI state");
    if let Some(sockets) = &wasi.sockets {
        sockets.call_id.store(call_id, Ordering::Relaxed);
    }
    WasiSocketsCtxView { ctx: wasi.ctx.sockets(), table: &mut wasi.table }
}

pub(crate) fn add_to_linker(l: &mut Linker<State>, name: &str) -> wasmtime::Result<()> {
    match name {
        "wasi:sockets/network" => {
            let options = p2::LinkOptions::default();
            p2::sockets::network::add_to_linker::<State, WasiSockets>(l, &(&options).into(), sockets)
        }
        "wasi:sockets/instance-network" => {
            p2::sockets::instance_network::add_to_linker::<State, WasiSockets>(l, sockets)
        }
        "wasi:sockets/tcp" => p2::sockets::tcp::add_to_linker::<State, WasiSockets>(l, sockets),
        "wasi:sockets/tcp-create-socket" => {
            p2::sockets::tcp_create_socket::add_to_linker::<State, WasiSockets>(l, sockets)
        }
        "wasi:sockets/udp" => p2::sockets::udp::add_to_linker::<State, WasiSockets>(l, sockets),
        "wasi:sockets/udp-create-socket" => {
            p2::sockets::udp_create_socket::add_to_linker::<State, WasiSockets>(l, sockets)
        }
        _ => ip_name_lookup::add_to_linker::<State, HasNames>(l, names),
    }
}

type Answer = Result<std::vec::IntoIter<IpAddr>, ErrorCode>;

/// A look-up on its way. In the table it goes under the number that the guest knows as a `resolve-address-stream`.
enum Lookup {
    Pending(AbortOnDropJoinHandle<Result<Vec<IpAddr>, ErrorCode>>),
    Ready(Answer),
}

#[async_trait::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Lookup::Pending(task) = self {
            let answer = task.await;
            *self = Lookup::Ready(answer.map(Vec::into_iter));
        }
    }
}

fn lent(stream: &Resource<ResolveAddressStream>) -> Resource<Lookup> {
    Resource::new_borrow(stream.rep())
}

impl network::Host for Names<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }
    fn network_error_code(&mut self, _: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(None)
    }
}

impl network::HostNetwork for Names<'_> {
    fn drop(&mut self, this: Resource<Network>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl ip_name_lookup::Host for Names<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        self.table.get(&network)?;
        let lookup = match named(&name) {
            // Nothing is looked up, and what may be done with it is asked when it is done.
            Some(Named::Address(address)) => Lookup::Ready(Ok(vec![address].into_iter())),
            Some(Named::Name(name)) => {
                self.sockets.and_then(|sockets| sockets.begin(name)).ok_or(ErrorCode::AccessDenied)?
            }
            None => return Err(ErrorCode::InvalidArgument.into()),
        };
        let kept = self.table.push(lookup)?;
        Ok(Resource::new_own(kept.rep()))
    }
}

impl ip_name_lookup::HostResolveAddressStream for Names<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        let lookup = self.table.get_mut(&lent(&stream))?;
        if let Lookup::Pending(task) = lookup {
            match wasmtime_wasi::runtime::poll_noop(std::pin::Pin::new(task)) {
                Some(answer) => *lookup = Lookup::Ready(answer.map(Vec::into_iter)),
                None => return Err(ErrorCode::WouldBlock.into()),
            }
        }
        match lookup {
            Lookup::Ready(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Lookup::Ready(Err(code)) => Err((*code).into()),
            Lookup::Pending(_) => Err(ErrorCode::WouldBlock.into()),
        }
    }

    fn subscribe(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, lent(&stream))
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Lookup>::new_own(stream.rep()))?;
        Ok(())
    }
}
