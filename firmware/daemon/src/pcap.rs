//! A capture of SIP and RTP for diagnosis: off unless configured, bounded, secrets removed.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::SystemTime;

use config::Trace;

/// Link type RAW: packets begin with the IP header.
const LINKTYPE_RAW: u32 = 101;

/// The capture file, when there is one.
#[derive(Debug)]
pub(crate) struct Capture {
    file: Option<BufWriter<File>>,
    left: u64,
    sip: SocketAddr,
    rtp_ports: Vec<u16>,
}

impl Capture {
    /// Opens the configured file; one that cannot be written is told and left out.
    pub(crate) fn open(trace: &Trace, own: IpAddr, sip_port: u16, rtp_ports: &[u16]) -> Capture {
        let file = trace.pcap.as_ref().and_then(|path| {
            let open = || {
                let mut file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(path)?;
                let mut header = Vec::with_capacity(24);
                header.extend(0xa1b2_c3d4_u32.to_le_bytes());
                header.extend([2, 0, 4, 0]);
                header.extend([0; 8]);
                header.extend(65_535_u32.to_le_bytes());
                header.extend(LINKTYPE_RAW.to_le_bytes());
                file.write_all(&header)?;
                Ok(BufWriter::new(file))
            };
            open()
                .inspect_err(|error: &std::io::Error| {
                    tracing::warn!("no capture: {}: {error}", path.display())
                })
                .ok()
        });
        let sip = SocketAddr::new(own, sip_port);
        Capture {
            file,
            left: trace.pcap_limit_bytes,
            sip,
            rtp_ports: rtp_ports.to_vec(),
        }
    }

    pub(crate) fn sip_in(&mut self, source: SocketAddr, payload: &[u8]) {
        self.sip(source, self.sip, payload);
    }

    pub(crate) fn sip_out(&mut self, destination: SocketAddr, payload: &[u8]) {
        self.sip(self.sip, destination, payload);
    }

    fn sip(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.file.is_some() {
            self.write(from, to, &without_secrets(payload));
            self.flush();
        }
    }

    pub(crate) fn rtp_in(&mut self, slot: usize, rtcp: bool, source: SocketAddr, payload: &[u8]) {
        let own = self.rtp(slot, rtcp);
        self.write(source, own, payload);
    }

    pub(crate) fn rtp_out(
        &mut self,
        slot: usize,
        rtcp: bool,
        destination: SocketAddr,
        payload: &[u8],
    ) {
        let own = self.rtp(slot, rtcp);
        self.write(own, destination, payload);
    }

    fn rtp(&self, slot: usize, rtcp: bool) -> SocketAddr {
        let port = self.rtp_ports.get(slot).copied().unwrap_or(0);
        SocketAddr::new(self.sip.ip(), port + u16::from(rtcp))
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.file {
            let _ = file.flush();
        }
    }

    fn write(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let Some(packet) = ip_packet(from, to, payload) else {
            return;
        };
        let size = 16 + packet.len() as u64;
        if size > self.left {
            self.file = None;
            tracing::info!("the capture reached its limit and stopped");
            return;
        }
        self.left -= size;
        let time = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let mut header = Vec::with_capacity(16);
        header.extend((time.as_secs() as u32).to_le_bytes());
        header.extend(time.subsec_micros().to_le_bytes());
        header.extend((packet.len() as u32).to_le_bytes());
        header.extend((packet.len() as u32).to_le_bytes());
        if file
            .write_all(&header)
            .and_then(|()| file.write_all(&packet))
            .is_err()
        {
            self.file = None;
        }
    }
}

/// An IPv4 or IPv6 packet with UDP around the payload. Checksums are left zero (none) for IPv4's
/// UDP, which RFC 768 allows; readers of captures do not mind for IPv6.
fn ip_packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(payload.len() + 8).ok()?;
    let mut packet = Vec::with_capacity(payload.len() + 48);
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = udp_length.checked_add(20)?;
            packet.extend([0x45, 0]);
            packet.extend(total.to_be_bytes());
            packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let mut sum: u32 = packet
                .chunks(2)
                .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
                .sum();
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(udp_length.to_be_bytes());
            packet.extend([17, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        _ => return None,
    }
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(udp_length.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    Some(packet)
}

/// The message with the values of credentials blotted out, byte for byte, so that lengths stay.
fn without_secrets(message: &[u8]) -> Vec<u8> {
    let mut out = message.to_vec();
    let head_end = message
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(message.len());
    let (mut start, mut blot) = (0, false);
    while start < head_end {
        let end = message[start..head_end]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(head_end, |at| start + at);
        let line = &message[start..end];
        let folded = line
            .first()
            .is_some_and(|byte| *byte == b' ' || *byte == b'\t');
        if !folded {
            let name: Vec<u8> = line
                .iter()
                .take_while(|byte| **byte != b':')
                .map(u8::to_ascii_lowercase)
                .collect();
            blot = matches!(
                name.trim_ascii_end(),
                b"authorization" | b"proxy-authorization"
            );
        }
        if blot {
            let from = if folded {
                start
            } else {
                start
                    + line
                        .iter()
                        .position(|byte| *byte == b':')
                        .map_or(0, |at| at + 1)
            };
            let until = if line.ends_with(b"\r") { end - 1 } else { end };
            out[from.min(until)..until].fill(b'*');
        }
        start = end + 1;
    }
    // Keys of SRTP (RFC 4568) stand in the body.
    let key = b"inline:";
    let mut at = head_end;
    while let Some(found) = out[at..]
        .windows(key.len())
        .position(|window| window == key)
    {
        let from = at + found + key.len();
        let until = out[from..]
            .iter()
            .position(|byte| b"\r\n |".contains(byte))
            .map_or(out.len(), |length| from + length);
        out[from..until].fill(b'*');
        at = until;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_keys_are_blotted_out_and_lengths_stay() {
        let message = b"REGISTER sip:a SIP/2.0\r\nVia: x\r\nAuthorization: Digest username=\"600\",\r\n response=\"abc\"\r\nCall-ID: 1\r\n\r\na=crypto:1 AES inline:SECRETKEY|2^20\r\n";
        let clean = without_secrets(message);
        let text = String::from_utf8(clean.clone()).unwrap();
        assert_eq!(clean.len(), message.len());
        assert!(
            !text.contains("abc") && !text.contains("600") && !text.contains("SECRETKEY"),
            "{text}"
        );
        assert!(
            text.contains("Call-ID: 1") && text.contains("|2^20"),
            "{text}"
        );
    }

    #[test]
    fn an_ipv4_header_checks_out() {
        let packet = ip_packet(
            ([127, 0, 0, 1], 5060).into(),
            ([127, 0, 0, 2], 5061).into(),
            b"hi",
        )
        .unwrap();
        let mut sum: u32 = packet[..20]
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        assert_eq!(sum, 0xffff);
        assert_eq!(packet.len(), 30);
    }
}
