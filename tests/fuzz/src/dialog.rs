//! A user agent and a peer who does whatever the input says, in virtual time. Two bytes are an order: what,
//! and with which details.

use sip::message::{Message, read};
use sip::{
    Account, CallId, OfferId, OutgoingCall, SourcePolicy, Transport, UaConfig, UaEvent, UserAgent,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
const STATUSES: [u16; 16] = [
    100, 180, 183, 199, 200, 202, 302, 401, 407, 408, 422, 481, 486, 491, 503, 600,
];
const METHODS: [&str; 12] = [
    "INVITE", "ACK", "BYE", "CANCEL", "INFO", "UPDATE", "PRACK", "OPTIONS", "REFER", "NOTIFY",
    "MESSAGE", "ODD",
];
/// Orders of one input; more are left.
const MAX_ORDERS: usize = 400;

struct Stage {
    ua: UserAgent,
    now: Duration,
    pbx: SocketAddr,
    elsewhere: SocketAddr,
    /// Requests of ours that the peer may answer, newest last.
    asked: Vec<(SocketAddr, Message)>,
    /// Our final answers with their tags, newest last.
    answered: Vec<Message>,
    calls: Vec<CallId>,
    offers: Vec<(CallId, OfferId)>,
    begun: BTreeSet<CallId>,
    ended: BTreeSet<CallId>,
}

/// Runs an input.
pub(crate) fn run(data: &[u8]) {
    let pbx: SocketAddr = ([127, 0, 0, 1], 5060).into();
    let mut account = Account::new("42", "127.0.0.1", "the password");
    account.register = data.first().is_some_and(|byte| byte & 1 == 1);
    let config = UaConfig {
        local: ([127, 0, 0, 2], 5060).into(),
        advertised: None,
        user_agent: "fuzz".into(),
        accounts: vec![account],
        allowed_sources: SourcePolicy::AccountsOnly,
    };
    let mut stage = Stage {
        ua: UserAgent::new(config, [3; 32]),
        now: Duration::ZERO,
        pbx,
        elsewhere: ([127, 0, 0, 66], 5070).into(),
        asked: Vec::new(),
        answered: Vec::new(),
        calls: Vec::new(),
        offers: Vec::new(),
        begun: BTreeSet::new(),
        ended: BTreeSet::new(),
    };
    stage.ua.start(stage.now);
    let mut orders = data
        .get(1..)
        .unwrap_or(&[])
        .chunks_exact(2)
        .take(MAX_ORDERS);
    for order in &mut orders {
        if let [what, detail] = order {
            stage.order(*what, *detail, data);
            stage.drain();
        }
    }
    stage.close();
}

impl Stage {
    fn order(&mut self, what: u8, detail: u8, data: &[u8]) {
        let now = self.now;
        let pick = usize::from(detail);
        let call = self.calls.get(pick % self.calls.len().max(1)).copied();
        let source = if what & 0x80 == 0 {
            self.pbx
        } else {
            self.elsewhere
        };
        match what & 0x1f {
            0 => {
                let target = [
                    "400",
                    "sip:400@127.0.0.66:5070",
                    "tel:1",
                    "sip:x@host.example",
                    "",
                ];
                let request = OutgoingCall {
                    target: target.get(pick % 5).copied().unwrap_or("").to_owned(),
                    sdp_offer: SDP.as_bytes().to_vec(),
                    ..OutgoingCall::default()
                };
                if let Ok(call) = self.ua.invite(now, 0, request) {
                    self.calls.push(call);
                    assert!(self.begun.insert(call), "a handle given twice");
                }
            }
            1..=6 => self.respond(source, what, detail),
            7..=12 => self.request(source, what, detail),
            13 => self.pass(Duration::from_millis(u64::from(detail) * u64::from(detail))),
            14 => self.pass(Duration::from_secs(u64::from(detail))),
            15 => self.each(call, |ua, call| ua.hang_up(now, call, None)),
            16 => self.each(call, |ua, call| ua.ring(now, call)),
            17 => self.each(call, |ua, call| ua.answer(now, call, SDP.into())),
            18 => self.each(call, |ua, call| ua.reject(now, call, 486, None)),
            19 => self.each(call, |ua, call| drop(ua.reinvite(now, call, SDP.into()))),
            20 => self.each(call, |ua, call| drop(ua.update(now, call, SDP.into()))),
            21 | 22 => {
                let offer = self.offers.get(pick % self.offers.len().max(1)).copied();
                if let Some((call, offer)) = offer {
                    if what & 0x1f == 21 {
                        self.ua.answer_offer(now, call, offer, SDP.into());
                    } else {
                        self.ua.reject_offer(now, call, offer, 488);
                    }
                }
            }
            23 => self.ua.transport_failed(now, source),
            // A piece of the input itself, and an own message with one byte changed.
            24 => {
                let from = pick.min(data.len());
                self.ua
                    .handle_datagram(now, source, data.get(from..).unwrap_or(&[]));
            }
            25 => {
                if let Some((_, message)) = self.asked.last() {
                    let mut bytes = message.to_bytes();
                    let at = pick * bytes.len() / 256;
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = byte.wrapping_add(what >> 5);
                    }
                    self.ua.handle_datagram(now, source, &bytes);
                }
            }
            26 => {
                let bytes = self
                    .answered
                    .last()
                    .map(Message::to_bytes)
                    .unwrap_or_default();
                let (head, tail) = bytes.split_at(pick.min(bytes.len()));
                for piece in [head, tail] {
                    let _ = self.ua.handle_stream(now, Transport::Tcp, source, piece);
                }
            }
            27 => self.ua.stream_closed(now, Transport::Tcp, source),
            28 => self.each(call, |ua, call| ua.ring_with_media(now, call, SDP.into())),
            _ => self.request(source, what, detail),
        }
    }

    fn each(&mut self, call: Option<CallId>, act: impl FnOnce(&mut UserAgent, CallId)) {
        if let Some(call) = call {
            act(&mut self.ua, call);
        }
    }

    fn respond(&mut self, source: SocketAddr, what: u8, detail: u8) {
        let index = usize::from(what >> 5 & 3);
        let Some((_, request)) = self.asked.iter().rev().nth(index) else {
            return;
        };
        let status = STATUSES
            .get(usize::from(detail & 15))
            .copied()
            .unwrap_or(200);
        let tag = format!("t{}", detail >> 4 & 3);
        let mut response = Message::response_to(request, status, Some(&tag));
        response.headers.push("Contact", "<sip:400@127.0.0.1:5060>");
        if detail & 0x40 != 0 {
            response.set_body("application/sdp", SDP.into());
        }
        if matches!(status, 401 | 407) {
            let name = if status == 401 {
                "WWW-Authenticate"
            } else {
                "Proxy-Authenticate"
            };
            let value = format!("Digest realm=\"r{}\", nonce=\"{detail}\"", what >> 5 & 1);
            response.headers.push(name, value);
        }
        if detail & 0x80 != 0 {
            response.headers.push("Require", "100rel");
            response.headers.push("RSeq", (detail & 7).to_string());
            response.headers.push("Session-Expires", "90;refresher=uac");
            response.headers.push("Min-SE", "120");
            response.headers.push("Record-Route", "<sip:127.0.0.1;lr>");
        }
        self.ua
            .handle_datagram(self.now, source, &response.to_bytes());
    }

    fn request(&mut self, source: SocketAddr, what: u8, detail: u8) {
        let method = METHODS
            .get(usize::from(what & 0x1f).wrapping_sub(7).min(11))
            .copied()
            .unwrap_or("ODD");
        // Within a call of ours, within one of theirs, or a new one.
        let (mut from, mut to, mut id) = (
            format!("<sip:400@127.0.0.1>;tag=p{}", detail & 3),
            "<sip:42@127.0.0.2>".to_owned(),
            format!("theirs-{}", detail & 3),
        );
        match detail >> 2 & 3 {
            0 => {}
            1 => {
                if let Some((_, request)) = self.asked.last() {
                    let field = |name| request.headers.get(name).unwrap_or("").to_owned();
                    (from, to, id) = (
                        format!("{};tag=t{}", field("To"), detail & 3),
                        field("From"),
                        field("Call-ID"),
                    );
                }
            }
            _ => {
                if let Some(response) = self.answered.last() {
                    let field = |name| response.headers.get(name).unwrap_or("").to_owned();
                    (from, to, id) = (field("From"), field("To"), field("Call-ID"));
                }
            }
        }
        let reliable = self.answered.iter().rev();
        let rseq = reliable
            .filter_map(|response| response.headers.get("RSeq"))
            .next()
            .unwrap_or("1")
            .to_owned();
        let number = 1 + u32::from(detail >> 4) + u32::from(what >> 5);
        let mut text = format!(
            "{method} sip:42@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{id}-{}-{method};rport\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:400@{source}>\r\nRAck: {rseq} {} INVITE\r\nRefer-To: <sip:{detail}@127.0.0.1>\r\n",
            if matches!(method, "ACK" | "CANCEL") {
                0
            } else {
                number
            },
            number.saturating_sub(u32::from(what >> 5 & 1)),
        );
        if method == "INVITE" {
            if detail & 0x40 != 0 {
                text.push_str("Supported: 100rel, timer\r\n");
            }
            if let Some((_, of)) = self.asked.last().filter(|_| what & 0x40 != 0) {
                let (call_id, tag) = (
                    of.call_id().unwrap_or(""),
                    of.from_tag().unwrap_or_default(),
                );
                let peer = detail & 3;
                let _ = write!(
                    text,
                    "Replaces: {call_id};to-tag={tag};from-tag=t{peer}\r\n"
                );
            }
        }
        let body = match method {
            "INVITE" | "UPDATE" | "ACK" | "PRACK" if detail & 0x80 != 0 => ("application/sdp", SDP),
            "INFO" => ("application/dtmf-relay", "Signal=9\r\n"),
            _ => ("", ""),
        };
        if !body.1.is_empty() {
            let _ = write!(text, "Content-Type: {}\r\n", body.0);
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{}", body.1.len(), body.1);
        self.ua.handle_datagram(self.now, source, text.as_bytes());
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..10_000 {
            let Some(at) = self.ua.next_deadline().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            self.ua.handle_timeout(self.now);
            self.drain();
        }
        let overdue = self.ua.next_deadline().is_some_and(|at| at <= self.now);
        assert!(!overdue, "timers that never end");
        self.now = end;
    }

    fn drain(&mut self) {
        assert!(self.ua.call_count() <= 64 && self.ua.transaction_count() <= 3_072);
        while let Some(sent) = self.ua.poll_transmit() {
            if sent.payload.trim_ascii().is_empty() {
                continue;
            }
            let message = read(&sent.payload);
            let secret = message.as_ref().is_ok_and(|message| {
                message.headers.get("Authorization").is_some()
                    || message.headers.get("Proxy-Authorization").is_some()
            });
            assert!(
                !secret || sent.destination.ip() == self.pbx.ip(),
                "digest sent elsewhere"
            );
            assert!(!contains(&sent.payload, b"the password"));
            match message {
                Ok(message) if message.method().is_some() => {
                    self.asked.push((sent.destination, message));
                }
                Ok(message) if message.to_tag().is_some() => self.answered.push(message),
                _ => {}
            }
            if self.asked.len() > 32 {
                self.asked.remove(0);
            }
            if self.answered.len() > 32 {
                self.answered.remove(0);
            }
        }
        while let Some(event) = self.ua.poll_event() {
            match event {
                UaEvent::Incoming { call, .. } => {
                    assert!(self.begun.insert(call), "a handle given twice");
                    self.calls.push(call);
                }
                UaEvent::Offer { call, offer, .. } | UaEvent::OfferlessReinvite { call, offer } => {
                    self.alive(call);
                    self.offers.push((call, offer));
                }
                UaEvent::Answered { call, .. }
                | UaEvent::Confirmed { call }
                | UaEvent::Info { call, .. }
                | UaEvent::Provisional { call, .. } => self.alive(call),
                UaEvent::Transfer { call, target, .. } => {
                    self.alive(call);
                    if target.len() % 2 == 0 {
                        self.ua.accept_transfer(self.now, call);
                        self.ua.transfer_progress(self.now, call, 200);
                    } else {
                        self.ua.reject_transfer(self.now, call, 603);
                    }
                }
                UaEvent::Ended { call, .. } => {
                    self.alive(call);
                    self.ended.insert(call);
                }
                _ => {}
            }
        }
    }

    /// Nothing is told of a call before it began or after it ended.
    fn alive(&self, call: CallId) {
        assert!(self.begun.contains(&call), "{call:?} never began");
        assert!(!self.ended.contains(&call), "{call:?} had ended");
    }

    /// In the end every call has ended and nothing is left.
    fn close(mut self) {
        self.ua.shutdown(self.now);
        self.drain();
        self.pass(Duration::from_secs(400));
        assert_eq!(self.ua.call_count(), 0, "calls left");
        assert_eq!(self.ua.transaction_count(), 0, "transactions left");
        assert_eq!(self.begun, self.ended, "calls without an end");
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
