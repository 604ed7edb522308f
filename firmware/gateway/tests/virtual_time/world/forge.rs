//! Messages and packets as an attacker, or a phone with habits of its own, would write them.

use sip::message::read;

use super::{GATEWAY_SIP, PBX_SIP, Port, World};

/// A phone's description; its sound goes where the built-in phone's would not.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.77.0.2\r\ns=-\r\nc=IN IP4 127.77.0.2\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// What names a call on the wire, seen from the phone's side.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) gateway_tag: String,
    pub(crate) phone_tag: String,
    /// Branch of the gateway's INVITE.
    pub(crate) invite_branch: String,
}

/// One RFC 4733 packet in full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventPacket {
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) marker: bool,
    pub(crate) code: u8,
    pub(crate) end: bool,
    /// Timestamp units.
    pub(crate) duration: u16,
}

impl EventPacket {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut packet = vec![0x80, self.payload_type | (u8::from(self.marker) << 7)];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([self.code, 10 | (u8::from(self.end) << 7)]);
        packet.extend(self.duration.to_be_bytes());
        packet
    }
}

impl Dialog {
    /// A request from the phone's side in this dialog.
    pub(crate) fn request(&self, method: &str, cseq: u32, extra: &str, body: &str) -> Vec<u8> {
        format!(
            "{method} sip:600@{GATEWAY_SIP} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {PBX_SIP};branch=z9hG4bKforged{method}{cseq}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:400@{PBX_SIP}>;tag={}\r\n\
             To: <sip:600@{PBX_SIP}>;tag={}\r\n\
             Call-ID: {}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:400@{PBX_SIP}>\r\n\
             {extra}Content-Length: {}\r\n\r\n{body}",
            self.phone_tag,
            self.gateway_tag,
            self.call_id,
            body.len()
        )
        .into_bytes()
    }

    /// An INFO that presses 9.
    pub(crate) fn info(&self, cseq: u32) -> Vec<u8> {
        self.request(
            "INFO",
            cseq,
            "Content-Type: application/dtmf-relay\r\n",
            "Signal=9\r\nDuration=160\r\n",
        )
    }
}

impl World {
    /// The newest call's names. The phone's tag is known once it has answered the INVITE somehow.
    pub(crate) fn dialog(&self) -> Dialog {
        let invite = self.invites().pop().expect("an INVITE was sent");
        let tag = self.network.sip.iter().rev().find_map(|(_, ours, bytes)| {
            let message = read(bytes).ok().filter(|_| !*ours)?;
            let same = message.status()? > 100 && message.call_id() == invite.call_id();
            same.then(|| message.to_tag()).flatten()
        });
        Dialog {
            call_id: invite.call_id().unwrap().to_owned(),
            gateway_tag: invite.from_tag().unwrap(),
            phone_tag: tag.unwrap_or_default(),
            invite_branch: invite.top_via().unwrap().branch().unwrap().to_owned(),
        }
    }

    /// The gateway's INVITEs, oldest first.
    pub(crate) fn invites(&self) -> Vec<sip::message::Message> {
        self.network
            .sip
            .iter()
            .filter(|(_, ours, bytes)| *ours && bytes.starts_with(b"INVITE"))
            .filter_map(|(_, _, bytes)| read(bytes).ok())
            .collect()
    }

    /// The event packet that the phone itself could send next: right stream, next number.
    pub(crate) fn next_event(&self, key: u8) -> EventPacket {
        let (_, last) = self.network.last_phone_rtp.as_ref().expect("audio flows");
        let word = |at: usize| u32::from_be_bytes(last[at..at + 4].try_into().unwrap());
        EventPacket {
            payload_type: 101,
            sequence: u16::from_be_bytes([last[2], last[3]]).wrapping_add(1),
            timestamp: word(4).wrapping_add(160),
            ssrc: word(8),
            marker: true,
            code: key,
            end: true,
            duration: 800,
        }
    }

    /// The RTP port of the call that is up.
    pub(crate) fn call_rtp(&self) -> Port {
        let slot = self
            .network
            .last_phone_rtp
            .as_ref()
            .map_or(0, |(slot, _)| *slot);
        Port::GatewayRtp { slot, rtcp: false }
    }

    /// Status of the last response the gateway gave to `method`.
    pub(crate) fn last_status_to(&self, method: &str) -> Option<u16> {
        self.network.sip.iter().rev().find_map(|(_, ours, bytes)| {
            let message = read(bytes).ok().filter(|_| *ours)?;
            let (_, to) = message.cseq()?;
            message.status().filter(|_| to.as_str() == method)
        })
    }
}

impl World {
    /// An INVITE from the PBX's address for `user`, whose From is `from_user`.
    pub(crate) fn inject_invite(&mut self, id: &str, user: &str, from_user: &str, name: &str) {
        let from = format!("\"{name}\" <sip:{from_user}@127.77.0.2>");
        self.inject_invite_with(id, user, &from, OFFER);
    }

    /// An INVITE of the extension `caller` that is to take the place of the peer of `dialog`.
    pub(crate) fn inject_replacing(&mut self, id: &str, caller: &str, dialog: &Dialog, more: &str) {
        let from = format!("<sip:{caller}@127.77.0.2>");
        let headers = format!(
            "Content-Type: application/sdp\r\nReplaces: {};to-tag={};from-tag={}{more}\r\n",
            dialog.call_id, dialog.gateway_tag, dialog.phone_tag
        );
        let invite = outside_request("INVITE", id, "600", &from, &headers, OFFER);
        self.inject(Port::GatewaySip, PBX_SIP, invite);
    }

    /// The dialog of a call that `inject_replacing` or `inject_invite` made and that was answered, its ACK sent.
    pub(crate) fn injected_dialog(&mut self, id: &str) -> Dialog {
        let call_id = format!("{id}@forged");
        let ok = self.network.sip.iter().rev().find_map(|(_, ours, bytes)| {
            let message = read(bytes).ok().filter(|_| *ours)?;
            let same = message.call_id() == Some(&call_id);
            (same && message.status() == Some(200)).then_some(message)
        });
        let dialog = Dialog {
            call_id,
            gateway_tag: ok.expect("an answer").to_tag().unwrap(),
            phone_tag: format!("from{id}"),
            invite_branch: format!("z9hG4bKINVITE{id}"),
        };
        let ack = dialog.request("ACK", 1, "", "");
        self.inject(Port::GatewaySip, PBX_SIP, ack);
        dialog
    }

    pub(crate) fn inject_invite_with(&mut self, id: &str, user: &str, from: &str, sdp: &str) {
        let invite = outside_request(
            "INVITE",
            id,
            user,
            from,
            "Content-Type: application/sdp\r\n",
            sdp,
        );
        self.inject(Port::GatewaySip, PBX_SIP, invite);
    }
}

/// A request outside any dialog.
pub(crate) fn outside_request(
    method: &str,
    id: &str,
    user: &str,
    from: &str,
    extra: &str,
    body: &str,
) -> Vec<u8> {
    format!(
        "{method} sip:{user}@{GATEWAY_SIP} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {PBX_SIP};branch=z9hG4bK{method}{id}\r\n\
         Max-Forwards: 70\r\n\
         From: {from};tag=from{id}\r\n\
         To: <sip:{user}@{GATEWAY_SIP}>\r\n\
         Call-ID: {id}@forged\r\n\
         CSeq: 1 {method}\r\n\
         Contact: <sip:400@{PBX_SIP}>\r\n\
         {extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
