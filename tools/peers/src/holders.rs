//! Who has a port: for the sentence that says why a peer could not start.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};

/// One socket of the kernel's tables.
struct Socket {
    what: String,
    port: u16,
    inode: String,
}

/// Every socket on these ports, on any address, with the process that has it as far as this user may see it:
/// `udp 127.71.0.9:30034 (trubkad, 4711)`. Empty when nobody has any.
pub fn of_ports(ports: std::ops::Range<u16>) -> String {
    let sockets = ["udp", "tcp", "udp6", "tcp6"]
        .into_iter()
        .flat_map(|table| {
            let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
            let lines = text.lines().skip(1);
            lines
                .filter_map(|line| parse(table, line))
                .collect::<Vec<_>>()
        });
    let found = sockets.filter(|socket| ports.contains(&socket.port));
    let told: Vec<String> = found
        .map(|socket| format!("{} ({})", socket.what, owner(&socket.inode)))
        .collect();
    told.join(", ")
}

/// A line of `/proc/net/udp` and its like (proc(5)): the local address is the second word, the inode the tenth.
fn parse(table: &str, line: &str) -> Option<Socket> {
    let mut words = line.split_whitespace();
    let (ip, port) = words.nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = words.nth(7)?.to_owned();
    // Each group of eight digits is a number of this machine, lowest byte first.
    let group = |at: usize| {
        let digits = ip.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_le_bytes())
    };
    let address = match ip.len() {
        8 => format!("{}:{port}", Ipv4Addr::from(group(0)?)),
        _ => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&group(at)?);
            }
            format!("[{}]:{port}", Ipv6Addr::from(bytes))
        }
    };
    Some(Socket {
        what: format!("{table} {address}"),
        port,
        inode,
    })
}

/// The process that has a socket open.
fn owner(inode: &str) -> String {
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let id = process.file_name().to_string_lossy().into_owned();
        // "self" is somebody, too.
        if !id.bytes().all(|digit| digit.is_ascii_digit()) {
            continue;
        }
        let files = fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten();
        let has = |file: fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy() == wanted)
        };
        if files.flatten().any(has) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return format!("{}, {id}", name.trim());
        }
    }
    "unknown process".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn the_holder_of_a_port_is_told() {
        let address = Address::take().unwrap();
        let socket = UdpSocket::bind((address.ip(), 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let own = std::process::id().to_string();
        let told = of_ports(port..port + 1);
        assert!(told.contains(&format!("udp {address}:{port} (")), "{told}");
        assert!(told.contains(&own), "{told}");
        let listener = TcpListener::bind((address.ip(), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = of_ports(port..port + 1);
        assert!(told.contains(&format!("tcp {address}:{port} (")), "{told}");
    }

    #[test]
    fn a_line_of_ipv6_is_read() {
        let line = "  12: 00000000000000000000000001000000:13C4 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0";
        let socket = parse("tcp6", line).unwrap();
        assert_eq!(
            (socket.what.as_str(), socket.port, socket.inode.as_str()),
            ("tcp6 [::1]:5060", 5060, "4242")
        );
        assert!(parse("udp", "too short").is_none());
    }
}
