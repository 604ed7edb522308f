//! RTCP of the session.

use std::net::SocketAddr;
use std::time::Duration;

use super::Session;
use super::receive::is_same;
use crate::event::{MediaTransmit, TransmitKind};
use crate::rtcp::{ReceptionBlock, SenderInfo, bye, middle, ntp, read, report};

impl Session {
    /// A datagram from the RTCP socket, taken only from the peer's RTCP address and port.
    pub fn handle_rtcp(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        if !self.is_open() {
            return;
        }
        let expected = self
            .negotiator
            .agreed()
            .and_then(|agreed| agreed.remote_rtcp);
        if !is_same(expected, source) {
            self.stats.dropped.wrong_source += 1;
            return;
        }
        let mut clear = std::mem::take(&mut self.clear);
        match self.vault.open(now, true, payload, &mut clear) {
            Ok(packet) => self.receive_rtcp(now, packet),
            Err(refused) => self.count_refused(refused),
        }
        self.clear = clear;
    }

    /// A report from the right place, decrypted.
    fn receive_rtcp(&mut self, now: Duration, payload: &[u8]) {
        let peer = self.source.as_ref().map(|source| source.ssrc);
        let Some(report) = read(payload, self.audio.ssrc, peer) else {
            self.stats.dropped.bad_packet += 1;
            return;
        };
        self.stats.rtcp_received += 1;
        self.heard_any = now;
        if let (Some((ssrc, middle)), Some(stream)) = (report.sender, self.source.as_mut())
            && ssrc == stream.ssrc
        {
            stream.last_report = Some((middle, now));
        }
        if let Some(about) = report.about_us {
            let loss = f32::from(about.fraction_lost) / 256.0;
            self.stats.remote_loss = Some(loss);
            self.audio.set_loss(loss);
            let clock = 8 * self.audio.ticks();
            self.stats.remote_jitter_ms = Some(about.jitter as f32 / clock as f32);
            if about.last_report != 0 {
                // RFC 3550, 6.4.1: arrival - LSR - DLSR in 1/65536 s. A nonsense report gives more than a minute.
                let round = middle(ntp(now))
                    .wrapping_sub(about.last_report)
                    .wrapping_sub(about.delay);
                if round < 60 << 16 {
                    self.stats.rtt_ms = Some(round as f32 * (1000.0 / 65536.0));
                }
            }
        }
        if report.bye.is_some() {
            // The stream ended in good order: the next one is followed at once. The call itself ends by SIP.
            self.forget_source();
        }
    }

    /// Queues a report to the peer.
    pub(super) fn send_report(&mut self, now: Duration) {
        let (sender, block) = self.report_parts(now);
        let payload = report(self.audio.ssrc, &self.config.cname, sender, block);
        self.send_rtcp(payload);
    }

    /// Queues the goodbye.
    pub(super) fn send_bye(&mut self, now: Duration) {
        let (sender, block) = self.report_parts(now);
        let payload = bye(self.audio.ssrc, &self.config.cname, sender, block);
        self.send_rtcp(payload);
    }

    fn send_rtcp(&mut self, payload: Option<Vec<u8>>) {
        let destination = self
            .negotiator
            .agreed()
            .and_then(|agreed| agreed.remote_rtcp);
        if let (Some(mut payload), Some(destination)) = (payload, destination)
            && self.vault.protect_rtcp(&mut payload)
        {
            self.stats.rtcp_sent += 1;
            self.push_transmit(MediaTransmit {
                kind: TransmitKind::Rtcp,
                destination,
                payload,
            });
        }
    }

    fn report_parts(&mut self, now: Duration) -> (Option<SenderInfo>, Option<ReceptionBlock>) {
        // RFC 3550, 6.4: a sender report only when something was sent since the last one.
        let packets = self.audio.packets;
        let sender = (packets != self.reported_packets).then(|| SenderInfo {
            ntp: ntp(now),
            rtp_timestamp: self.audio.timestamp(),
            packets,
            octets: self.audio.octets,
        });
        self.reported_packets = packets;
        let block = self.source.as_mut().map(|stream| {
            let (last_report, delay) = match stream.last_report {
                Some((middle, came)) => {
                    let delay = now.saturating_sub(came).as_micros() * 65536 / 1_000_000;
                    (middle, u32::try_from(delay).unwrap_or(u32::MAX))
                }
                None => (0, 0),
            };
            ReceptionBlock {
                ssrc: stream.ssrc,
                fraction_lost: stream.fraction_lost(),
                lost: stream.lost(),
                highest: stream.extended_highest(),
                jitter: stream.jitter_units(),
                last_report,
                delay,
            }
        });
        (sender, block)
    }
}
