//! Reading compound packets.

use rtcp_types::{Compound, Packet, ReportBlock};

/// What a compound packet says that matters to us.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Report {
    /// SSRC and middle NTP bits of a sender report.
    pub(crate) sender: Option<(u32, u32)>,
    /// What the peer says about our stream.
    pub(crate) about_us: Option<AboutUs>,
    /// The SSRC that said goodbye.
    pub(crate) bye: Option<u32>,
}

/// The report block about our SSRC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AboutUs {
    pub(crate) fraction_lost: u8,
    pub(crate) jitter: u32,
    pub(crate) last_report: u32,
    pub(crate) delay: u32,
}

/// Reads a datagram; `None` when it is no RTCP. What is unknown inside it is passed over.
pub(crate) fn read(datagram: &[u8], own_ssrc: u32, peer_ssrc: Option<u32>) -> Option<Report> {
    let mut report = Report::default();
    for packet in Compound::parse(datagram).ok()? {
        match packet.ok()? {
            Packet::Sr(sender) => {
                report.sender = Some((sender.ssrc(), (sender.ntp_timestamp() >> 16) as u32));
                report.note(sender.report_blocks(), own_ssrc);
            }
            Packet::Rr(receiver) => report.note(receiver.report_blocks(), own_ssrc),
            Packet::Bye(bye) => {
                report.bye = bye
                    .ssrcs()
                    .find(|ssrc| Some(*ssrc) == peer_ssrc)
                    .or(report.bye);
            }
            _ => {}
        }
    }
    Some(report)
}

impl Report {
    fn note<'a>(&mut self, mut blocks: impl Iterator<Item = ReportBlock<'a>>, own_ssrc: u32) {
        if let Some(block) = blocks.find(|block| block.ssrc() == own_ssrc) {
            self.about_us = Some(AboutUs {
                fraction_lost: block.fraction_lost(),
                jitter: block.interarrival_jitter(),
                last_report: block.last_sender_report_timestamp(),
                delay: block.delay_since_last_sender_report_timestamp(),
            });
        }
    }
}
