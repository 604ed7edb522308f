//! What goes over the network, for diagnosis: a capture file, off unless configured and bounded in size
//! and time, and the SIP messages for whoever follows `trubka sip trace`. Secrets are removed from both.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::{PcapRtp, Trace};
use tokio::sync::broadcast;
use trace::{Carrier, Sighting};

/// SIP messages for whoever follows them.
pub(crate) type Followers = broadcast::Sender<Arc<Sighting>>;

/// IP, UDP and RTP headers: 20 or 40, 8, and 12 bytes. What follows is sound or keys.
const RTP_HEADER_BYTES: usize = 8 + 12;

/// Sees everything that goes over the network.
#[derive(Debug)]
pub(crate) struct Tracer {
    file: Option<CaptureFile>,
    followers: Followers,
    rtp: PcapRtp,
    sip: SocketAddr,
    /// Ours beside `sip`, of IPv6.
    sip_ipv6: Option<SocketAddr>,
    rtp_ports: Vec<u16>,
}

/// The capture file and what is left of its bounds.
#[derive(Debug)]
struct CaptureFile {
    out: BufWriter<File>,
    left_bytes: u64,
    ends_at: Duration,
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

impl CaptureFile {
    fn open(path: &Path, trace: &Trace) -> std::io::Result<CaptureFile> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&trace::file_header())?;
        Ok(CaptureFile {
            out: BufWriter::new(file),
            left_bytes: trace.pcap_limit_bytes,
            ends_at: now() + trace.pcap_limit,
        })
    }

    /// Writes a packet of which at most `kept` bytes matter; `false` at the end of the capture.
    fn write(&mut self, packet: &[u8], kept: usize) -> bool {
        let at = now();
        let record = trace::record(at, packet, kept);
        let size = record.len() as u64;
        if size > self.left_bytes || at >= self.ends_at {
            let limit = if size > self.left_bytes {
                "trace.pcap_limit_kib"
            } else {
                "trace.pcap_limit_s"
            };
            tracing::info!(
                "the capture reached {limit} and stopped; trubka reload begins a new one"
            );
            return false;
        }
        self.left_bytes -= size;
        match self.out.write_all(&record) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("the capture cannot be written and stopped: {error}");
                false
            }
        }
    }
}

impl Tracer {
    /// Opens the configured file; one that cannot be written is told and left out.
    pub(crate) fn open(
        trace: &Trace,
        own: IpAddr,
        sip_port: u16,
        rtp_ports: &[u16],
        followers: Followers,
    ) -> Tracer {
        let file = trace.pcap.as_ref().and_then(|path| {
            CaptureFile::open(path, trace)
                .inspect_err(|error| tracing::warn!("no capture: {}: {error}", path.display()))
                .ok()
        });
        Tracer {
            file,
            followers,
            rtp: trace.pcap_rtp,
            sip: SocketAddr::new(own, sip_port),
            sip_ipv6: None,
            rtp_ports: rtp_ports.to_vec(),
        }
    }

    /// Names the second address of SIP, of IPv6.
    pub(crate) fn set_ipv6(&mut self, own: Option<SocketAddr>) {
        self.sip_ipv6 = own;
    }

    /// Our address towards a peer. A packet has two addresses of one family: without one of the peer's the host stays open.
    fn own_towards(&self, peer: SocketAddr) -> SocketAddr {
        let ours = [Some(self.sip), self.sip_ipv6];
        let mut ours = ours.into_iter().flatten();
        let open: IpAddr = match peer {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        ours.find(|own| own.is_ipv4() == peer.is_ipv4())
            .unwrap_or(SocketAddr::new(open, self.sip.port()))
    }

    /// A SIP message came in over `carrier`.
    pub(crate) fn sip_in(&mut self, carrier: Carrier, source: SocketAddr, payload: &[u8]) {
        self.sip(carrier, source, self.own_towards(source), payload);
    }

    /// A SIP message goes out over `carrier`. Of TLS, this is what is inside.
    pub(crate) fn sip_out(&mut self, carrier: Carrier, destination: SocketAddr, payload: &[u8]) {
        self.sip(carrier, self.own_towards(destination), destination, payload);
    }

    fn sip(&mut self, carrier: Carrier, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        // Keep-alives are no messages.
        let followed = self.followers.receiver_count() > 0;
        if (self.file.is_none() && !followed) || payload.trim_ascii().is_empty() {
            return;
        }
        let sighting = Sighting::new(now(), from, to, carrier, payload);
        if let Some(packet) = trace::udp_packet(from, to, sighting.bytes()) {
            self.write(&packet, packet.len());
            if let Some(file) = &mut self.file {
                let _ = file.out.flush();
            }
        }
        if followed {
            // A follower that leaves just now is no fault.
            let _ = self.followers.send(Arc::new(sighting));
        }
    }

    /// An RTP or RTCP packet came in.
    pub(crate) fn rtp_in(&mut self, slot: usize, rtcp: bool, source: SocketAddr, payload: &[u8]) {
        let own = self.rtp_address(slot, rtcp, source);
        self.rtp(rtcp, source, own, payload);
    }

    /// An RTP or RTCP packet goes out.
    pub(crate) fn rtp_out(
        &mut self,
        slot: usize,
        rtcp: bool,
        destination: SocketAddr,
        payload: &[u8],
    ) {
        let own = self.rtp_address(slot, rtcp, destination);
        self.rtp(rtcp, own, destination, payload);
    }

    fn rtp(&mut self, rtcp: bool, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.file.is_none() || self.rtp == PcapRtp::None {
            return;
        }
        let Some(packet) = trace::udp_packet(from, to, payload) else {
            return;
        };
        let ip = if from.is_ipv4() { 20 } else { 40 };
        let kept = if rtcp || self.rtp == PcapRtp::All {
            packet.len()
        } else {
            ip + RTP_HEADER_BYTES
        };
        self.write(&packet, kept);
    }

    fn rtp_address(&self, slot: usize, rtcp: bool, peer: SocketAddr) -> SocketAddr {
        let port = self.rtp_ports.get(slot).copied().unwrap_or(0);
        let own = self.own_towards(peer).ip();
        SocketAddr::new(own, port.saturating_add(u16::from(rtcp)))
    }

    fn write(&mut self, packet: &[u8], kept: usize) {
        if let Some(file) = &mut self.file
            && !file.write(packet, kept)
        {
            let _ = file.out.flush();
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(name: &str, change: impl Fn(&mut Trace)) -> (Tracer, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!("trubka-{}-{name}", std::process::id()));
        let mut trace = Trace {
            pcap: Some(path.clone()),
            pcap_limit_bytes: 64 * 1024,
            pcap_limit: Duration::from_secs(60),
            pcap_rtp: PcapRtp::Headers,
        };
        change(&mut trace);
        let (followers, _) = broadcast::channel(4);
        let own = IpAddr::from([127, 0, 0, 1]);
        (Tracer::open(&trace, own, 5060, &[30_000], followers), path)
    }

    fn written(tracer: Tracer, path: &Path) -> Vec<u8> {
        drop(tracer);
        let bytes = std::fs::read(path).unwrap();
        std::fs::remove_file(path).unwrap();
        bytes
    }

    const PEER: ([u8; 4], u16) = ([127, 0, 0, 2], 5060);

    #[test]
    fn without_a_path_nothing_is_written_and_nothing_held() {
        let (mut tracer, path) = tracer("off", |trace| trace.pcap = None);
        tracer.sip_in(Carrier::Udp, PEER.into(), b"OPTIONS sip:a SIP/2.0\r\n\r\n");
        assert!(!path.exists() && tracer.file.is_none());
    }

    #[test]
    fn sound_and_keys_are_left_out_unless_asked_for() {
        for (mode, kept) in [
            (PcapRtp::Headers, 40),
            (PcapRtp::All, 44),
            (PcapRtp::None, 0),
        ] {
            let (mut tracer, path) = tracer(&format!("{mode:?}"), |trace| trace.pcap_rtp = mode);
            let mut packet = [0x80; 16];
            packet[12..].copy_from_slice(&[9, 0x8a, 0, 160]);
            tracer.rtp_in(0, false, PEER.into(), &packet);
            let bytes = written(tracer, &path);
            let record = if kept == 0 { 0 } else { 16 + kept };
            assert_eq!(bytes.len(), 24 + record, "{mode:?}");
        }
    }

    #[test]
    fn size_and_time_end_a_capture() {
        let (mut full, path) = tracer("full", |trace| trace.pcap_limit_bytes = 500);
        for _ in 0..10 {
            full.sip_in(Carrier::Tls, PEER.into(), &[b'a'; 100]);
        }
        assert!(full.file.is_none());
        assert_eq!(written(full, &path).len(), 24 + 3 * (16 + 28 + 100));
        let (mut late, path) = tracer("late", |trace| trace.pcap_limit = Duration::ZERO);
        late.sip_in(Carrier::Udp, PEER.into(), b"x");
        assert_eq!(written(late, &path).len(), 24);
    }

    /// An account over IPv6 beside others over IPv4 is captured as they are, and so is its sound.
    #[test]
    fn both_families_are_captured_and_followed_with_an_address_of_ours() {
        let peer: SocketAddr = "[::1]:5070".parse().unwrap();
        for (own, shown) in [
            (Some("[::2]:5065".parse().unwrap()), "[::2]:5065"),
            (None, "[::]:5060"),
        ] {
            let name = format!("family-{}", own.is_some());
            let (mut tracer, path) = tracer(&name, |_| {});
            tracer.set_ipv6(own);
            let mut follower = tracer.followers.subscribe();
            tracer.sip_out(Carrier::Udp, peer, b"OPTIONS sip:a SIP/2.0\r\n\r\n");
            let seen = follower.try_recv().unwrap();
            assert_eq!((seen.from.to_string(), seen.to), (shown.to_owned(), peer));
            tracer.sip_in(Carrier::Udp, PEER.into(), b"OPTIONS sip:a SIP/2.0\r\n\r\n");
            let seen = follower.try_recv().unwrap();
            assert_eq!(seen.to.to_string(), "127.0.0.1:5060");
            tracer.rtp_in(0, false, peer, &[0x80; 16]);
            let bytes = written(tracer, &path);
            let messages = (16 + 48 + 25) + (16 + 28 + 25);
            assert_eq!(bytes.len(), 24 + messages + 16 + 40 + RTP_HEADER_BYTES);
        }
    }

    #[test]
    fn followers_see_messages_without_secrets() {
        let (mut tracer, path) = tracer("live", |trace| trace.pcap = None);
        let mut follower = tracer.followers.subscribe();
        let message = b"REGISTER sip:a SIP/2.0\r\nAuthorization: Digest response=\"abc\"\r\n\r\n";
        tracer.sip_out(Carrier::Tls, PEER.into(), message);
        tracer.sip_out(Carrier::Tls, PEER.into(), b"\r\n\r\n");
        let seen = follower.try_recv().unwrap();
        assert_eq!(seen.carrier, Carrier::Tls);
        assert!(!seen.text().contains("abc") && seen.text().contains("REGISTER sip:a"));
        assert!(follower.try_recv().is_err() && !path.exists());
    }
}
