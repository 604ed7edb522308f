//! One user agent on the virtual network with a scripted PBX and a scripted stranger.

use super::*;

pub const UA: &str = "127.0.0.2:5060";
pub const PBX: &str = "127.0.0.1:5060";
pub const STRANGER: &str = "127.0.0.66:5060";

pub struct Bench {
    pub net: Network,
    pub ua: UserAgent,
    pub pbx: Script,
    pub stranger: Script,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            net: Network::new(1),
            ua: agent(UA, PBX, false, 1),
            pbx: Script::default(),
            stranger: Script::default(),
        }
    }

    pub fn run(&mut self, for_ms: u64) -> Vec<UaEvent> {
        let end = self.net.now + ms(for_ms);
        let nodes: &mut [(SocketAddr, &mut dyn Node)] = &mut [
            (addr(UA), &mut self.ua),
            (addr(PBX), &mut self.pbx),
            (addr(STRANGER), &mut self.stranger),
        ];
        self.net.run(end, nodes);
        events(&mut self.ua)
    }

    pub fn say(&mut self, text: &str) -> Vec<UaEvent> {
        self.pbx
            .outbox
            .push((addr(UA), text.replace('\n', "\r\n").into_bytes()));
        self.run(5)
    }

    /// A calls out and gets the INVITE as the peer sees it.
    pub fn invite(&mut self) -> (CallId, Message) {
        let call = self.ua.invite(self.net.now, 0, call_to("400")).unwrap();
        self.run(5);
        (call, self.pbx.take(&Method::INVITE).unwrap().1)
    }

    pub fn reply(&mut self, request: &Message, status: u16, more: &[(&str, &str)]) -> Vec<UaEvent> {
        self.pbx.reply(request, addr(UA), status, more);
        self.run(5)
    }

    /// An answered outgoing call and its INVITE.
    pub fn talk(&mut self) -> (CallId, Message) {
        let (call, invite) = self.invite();
        self.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
        self.pbx.take(&Method::ACK).unwrap();
        (call, invite)
    }

    /// A request of the peer within the call of `invite`.
    pub fn in_dialog(&self, invite: &Message, method: &str, cseq: u32, more: &str) -> String {
        let body = more.split_once("\n\n").map_or(0, |(_, body)| body.len());
        let _ = body;
        let (head, body) = more.split_once("\n\n").unwrap_or((more, ""));
        let head = if head.is_empty() {
            String::new()
        } else {
            format!("{head}\n")
        };
        format!(
            "{method} sip:42@{UA} SIP/2.0\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK{method}{cseq}\n\
             Max-Forwards: 70\nFrom: <sip:400@127.0.0.1>;tag=peer\nTo: {}\nCall-ID: {}\n\
             CSeq: {cseq} {method}\n{head}Content-Length: {}\n\n{body}",
            invite.headers.get("From").unwrap(),
            invite.call_id().unwrap(),
            body.len(),
        )
    }
}

pub fn incoming_invite(branch: &str, more: &str) -> String {
    format!(
        "INVITE sip:42@{UA} SIP/2.0\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK{branch};rport\n\
         Max-Forwards: 70\nFrom: \"Concierge\" <sip:400@127.0.0.1>;tag=f\nTo: <sip:42@{UA}>\n\
         Call-ID: in\nCSeq: 5 INVITE\nContact: <sip:400@127.0.0.1:5060>\n{more}\n\n"
    )
}

pub fn refused(events: &[UaEvent]) -> Vec<(u16, &'static str)> {
    let pick = |e: &UaEvent| match e {
        UaEvent::Refused { status, why, .. } => Some((*status, *why)),
        _ => None,
    };
    events.iter().filter_map(pick).collect()
}
