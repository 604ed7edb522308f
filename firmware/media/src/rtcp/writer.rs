//! Writing compound packets.

use rtcp_types::{
    Bye, Compound, ReceiverReport, ReportBlock, RtcpPacketWriter, RtcpPacketWriterExt, Sdes,
    SdesChunk, SdesItem, SenderReport,
};

/// What a sender report says about our stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SenderInfo {
    pub(crate) ntp: u64,
    pub(crate) rtp_timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// What a report says about the peer's stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceptionBlock {
    pub(crate) ssrc: u32,
    pub(crate) fraction_lost: u8,
    pub(crate) lost: i64,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
    pub(crate) last_report: u32,
    pub(crate) delay: u32,
}

impl ReceptionBlock {
    fn builder(&self) -> rtcp_types::ReportBlockBuilder {
        // 24 bits on the wire; the writer takes the unsigned form, so a surplus from duplicates reads as no loss.
        let lost = self.lost.clamp(0, 0x7f_ffff) as u32;
        ReportBlock::builder(self.ssrc)
            .fraction_lost(self.fraction_lost)
            .cumulative_lost(lost)
            .extended_sequence_number(self.highest)
            .interarrival_jitter(self.jitter)
            .last_sender_report_timestamp(self.last_report)
            .delay_since_last_sender_report_timestamp(self.delay)
    }
}

/// A sender report when we have sent, a receiver report otherwise, with our canonical name.
pub(crate) fn report(
    ssrc: u32,
    cname: &str,
    sender: Option<SenderInfo>,
    block: Option<ReceptionBlock>,
) -> Option<Vec<u8>> {
    let compound = with_report(ssrc, sender, block).add_packet(names(ssrc, cname));
    bytes(&compound)
}

/// The last packet of a session: a report, the name and BYE (RFC 3550, 6.1 and 6.6).
pub(crate) fn bye(
    ssrc: u32,
    cname: &str,
    sender: Option<SenderInfo>,
    block: Option<ReceptionBlock>,
) -> Option<Vec<u8>> {
    let compound = with_report(ssrc, sender, block)
        .add_packet(names(ssrc, cname))
        .add_packet(Bye::builder().add_source(ssrc));
    bytes(&compound)
}

fn with_report<'a>(
    ssrc: u32,
    sender: Option<SenderInfo>,
    block: Option<ReceptionBlock>,
) -> rtcp_types::CompoundBuilder<'a> {
    let compound = Compound::builder();
    match sender {
        Some(sender) => {
            let mut report = SenderReport::builder(ssrc)
                .ntp_timestamp(sender.ntp)
                .rtp_timestamp(sender.rtp_timestamp)
                .packet_count(sender.packets)
                .octet_count(sender.octets);
            if let Some(block) = block {
                report = report.add_report_block(block.builder());
            }
            compound.add_packet(report)
        }
        None => {
            let mut report = ReceiverReport::builder(ssrc);
            if let Some(block) = block {
                report = report.add_report_block(block.builder());
            }
            compound.add_packet(report)
        }
    }
}

fn names(ssrc: u32, cname: &str) -> rtcp_types::SdesBuilder<'_> {
    Sdes::builder()
        .add_chunk(SdesChunk::builder(ssrc).add_item(SdesItem::builder(SdesItem::CNAME, cname)))
}

fn bytes(compound: &rtcp_types::CompoundBuilder<'_>) -> Option<Vec<u8>> {
    let mut out = vec![0; compound.calculate_size().ok()?];
    let written = compound.write_into(&mut out).ok()?;
    out.truncate(written);
    Some(out)
}
