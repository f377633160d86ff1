//! Uses wasi:sockets, and says what came of it.

wit_bindgen::generate!({ world: "sockets", path: "wit" });

use std::net::IpAddr;

use exports::cordon::sockets::raw::Guest;
use wasip2::io::streams::StreamError;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;

struct Sockets;
export!(Sockets);

fn name(code: ErrorCode) -> String {
    code.name().to_string()
}

fn text_of(address: IpAddress) -> String {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]).to_string(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]).to_string(),
    }
}

fn socket_address(address: &str, port: u16) -> Result<(IpAddressFamily, IpSocketAddress), String> {
    Ok(match address.parse().map_err(|_| "not an address")? {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            let address = (a, b, c, d, e, f, g, h);
            let full = Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(full))
        }
    })
}

/// Asks again and again until it does not say "would block".
fn wait<T>(mut ready: impl FnMut(), mut ask: impl FnMut() -> Result<T, ErrorCode>) -> Result<T, String> {
    loop {
        match ask() {
            Err(ErrorCode::WouldBlock) => ready(),
            other => return other.map_err(name),
        }
    }
}

fn exchange(socket: TcpSocket, to: IpSocketAddress, text: &str) -> Result<String, String> {
    socket.start_connect(&instance_network(), to).map_err(name)?;
    let (input, output) = wait(|| socket.subscribe().block(), || socket.finish_connect())?;
    output.blocking_write_and_flush(text.as_bytes()).map_err(|e| format!("{e:?}"))?;
    match input.blocking_read(4096) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(StreamError::Closed) => Ok(String::new()),
        Err(error) => Err(format!("{error:?}")),
    }
}

fn listening(address: &str, port: u16) -> Result<TcpSocket, String> {
    let (family, at) = socket_address(address, port)?;
    let socket = create_tcp_socket(family).map_err(name)?;
    socket.start_bind(&instance_network(), at).map_err(name)?;
    wait(|| socket.subscribe().block(), || socket.finish_bind())?;
    socket.start_listen().map_err(name)?;
    wait(|| socket.subscribe().block(), || socket.finish_listen())?;
    Ok(socket)
}

impl Guest for Sockets {
    fn lookup(wanted: String) -> Result<Vec<String>, String> {
        let stream = resolve_addresses(&instance_network(), &wanted).map_err(name)?;
        let mut found = Vec::new();
        while let Some(address) = wait(|| stream.subscribe().block(), || stream.resolve_next_address())? {
            found.push(text_of(address));
        }
        Ok(found)
    }

    fn tcp(address: String, port: u16, text: String) -> Result<String, String> {
        let (family, to) = socket_address(&address, port)?;
        exchange(create_tcp_socket(family).map_err(name)?, to, &text)
    }

    fn tcp_by_name(wanted: String, port: u16, text: String) -> Result<String, String> {
        let first = Self::lookup(wanted)?.into_iter().next().ok_or("no address")?;
        Self::tcp(first, port, text)
    }

    fn serve(address: String, port: u16, connections: u32) -> Result<u32, String> {
        let socket = listening(&address, port)?;
        socket.set_listen_backlog_size(8).map_err(name)?;
        let mut said = 0;
        for _ in 0..connections {
            let (_connection, input, output) = wait(|| socket.subscribe().block(), || socket.accept())?;
            let bytes = input.blocking_read(4096).map_err(|e| format!("{e:?}"))?;
            output.blocking_write_and_flush(&[b"served:", &bytes[..]].concat()).map_err(|e| format!("{e:?}"))?;
            said += bytes.len() as u32;
        }
        Ok(said)
    }

    fn many(address: String, port: u16, times: u32) -> Result<u32, String> {
        for n in 0..times {
            Self::tcp(address.clone(), port, n.to_string())?;
        }
        Ok(times)
    }

    fn listen(address: String, port: u16) -> Result<u16, String> {
        let socket = listening(&address, port)?;
        match socket.local_address().map_err(name)? {
            IpSocketAddress::Ipv4(v4) => Ok(v4.port),
            IpSocketAddress::Ipv6(v6) => Ok(v6.port),
        }
    }

    fn udp(connect: Option<String>, address: String, port: u16, text: String) -> Result<String, String> {
        let (family, to) = socket_address(&address, port)?;
        let socket = create_udp_socket(family).map_err(name)?;
        let any = if address.contains(':') { "::" } else { "0.0.0.0" };
        socket.start_bind(&instance_network(), socket_address(any, 0)?.1).map_err(name)?;
        wait(|| socket.subscribe().block(), || socket.finish_bind())?;
        let peer = match connect {
            Some(peer) => Some(socket_address(&peer, port)?.1),
            None => None,
        };
        let (incoming, outgoing) = socket.stream(peer).map_err(name)?;
        while outgoing.check_send().map_err(name)? == 0 {
            outgoing.subscribe().block();
        }
        let remote_address = Some(to);
        let sent = outgoing.send(&[OutgoingDatagram { data: text.into_bytes(), remote_address }]).map_err(name)?;
        if sent != 1 {
            return Err(format!("{sent} sent"));
        }
        for _ in 0..20 {
            let got = incoming.receive(1).map_err(name)?;
            if let Some(datagram) = got.into_iter().next() {
                return Ok(String::from_utf8_lossy(&datagram.data).into_owned());
            }
            incoming.subscribe().block();
        }
        Err("no answer".to_string())
    }
}
