//! More phones at the PBX than the one that talks: each answers the calls to its number by a
//! simple rule and keeps what it saw.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sip::message::{Message, read};

use crate::world::{Port, Verdict, World, ms};

/// What a phone does with a call to it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// Rings until somebody ends it.
    Rings,
    /// Rings and answers so much later, however that fits to what happens meanwhile.
    Answers(Duration),
    /// Says reliably that it rings, with a description (RFC 3262), and answers so much later without one.
    AnswersReliably(Duration),
    /// Gives this final status at once.
    Refuses(u16),
    /// Sends the caller to the address of this Contact value.
    Redirects(&'static str),
}

/// What the phones saw, oldest first: number and message.
#[derive(Clone, Default)]
pub(crate) struct Seen(Rc<RefCell<Vec<(String, Message)>>>);

impl Seen {
    /// Messages of a method that a number got, repetitions left out.
    pub(crate) fn of(&self, number: &str, method: &str) -> Vec<Message> {
        let all = self.0.borrow();
        let mut found: Vec<Message> = Vec::new();
        for (_, message) in all.iter().filter(|(of, message)| {
            of == number && message.method().is_some_and(|m| m.as_str() == method)
        }) {
            let again = |one: &Message| one.headers.get("Via") == message.headers.get("Via");
            if !found.iter().any(again) {
                found.push(message.clone());
            }
        }
        found
    }

    pub(crate) fn count(&self, number: &str, method: &str) -> usize {
        self.of(number, method).len()
    }
}

const SDP: &str = "v=0\r\no=- 9 9 IN IP4 127.77.0.2\r\ns=-\r\nc=IN IP4 127.77.0.2\r\nt=0 0\r\n\
                   m=audio 4100 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn response(request: &Message, status: u16, number: &str) -> Message {
    let mut response = Message::response_to(request, status, Some(&format!("extra{number}")));
    if (180..300).contains(&status) {
        response
            .headers
            .push("Contact", format!("<sip:{number}@127.77.0.2:5060>"));
    }
    response
}

fn replies(does: Does, request: &Message, number: &str) -> Vec<(Duration, Vec<u8>)> {
    let say = |at: Duration, status: u16| (at, response(request, status, number).to_bytes());
    match does {
        Does::Rings => vec![say(ms(0), 180)],
        Does::Refuses(status) => vec![say(ms(0), status)],
        Does::Redirects(contact) => {
            let mut redirect = response(request, 302, number);
            redirect.headers.push("Contact", contact);
            vec![(ms(0), redirect.to_bytes())]
        }
        Does::AnswersReliably(after) => {
            let mut early = response(request, 183, number);
            early.headers.push("Require", "100rel");
            early.headers.push("RSeq", "7");
            early.set_body("application/sdp", SDP.as_bytes().to_vec());
            vec![(ms(0), early.to_bytes()), say(after, 200)]
        }
        Does::Answers(after) => {
            let mut ok = response(request, 200, number);
            ok.set_body("application/sdp", SDP.as_bytes().to_vec());
            vec![say(ms(0), 180), (after, ok.to_bytes())]
        }
    }
}

/// Puts phones behind the PBX. Calls to other numbers go to the phone that talks.
pub(crate) fn extra_phones(world: &mut World, phones: &[(&'static str, Does)]) -> Seen {
    let seen = Seen::default();
    let (phones, notes) = (phones.to_vec(), seen.clone());
    let mut invites: Vec<Message> = Vec::new();
    world.network.watcher = Some(Box::new(move |ours, bytes| {
        let Some(request) = read(bytes)
            .ok()
            .filter(|message| ours && message.status().is_none())
        else {
            return Verdict::Pass;
        };
        let uri = request.request_uri().unwrap_or_default();
        if request.method().is_some_and(|m| m.as_str() == "NOTIFY") {
            return Verdict::Reply(vec![Message::response_to(&request, 200, None).to_bytes()]);
        }
        let Some((number, does)) = phones
            .iter()
            .find(|(number, _)| uri.starts_with(&format!("sip:{number}@")))
        else {
            return Verdict::Pass;
        };
        notes
            .0
            .borrow_mut()
            .push(((*number).to_owned(), request.clone()));
        match request.method().map(|method| method.as_str()) {
            Some("INVITE") => {
                let again = |one: &Message| one.headers.get("Via") == request.headers.get("Via");
                if invites.iter().any(again) {
                    return Verdict::Lose;
                }
                invites.push(request.clone());
                Verdict::ReplyLater(replies(*does, &request, number))
            }
            Some("CANCEL") => {
                let branch = |message: &Message| {
                    message
                        .top_via()
                        .and_then(|via| via.branch().map(str::to_owned))
                };
                let mut back = vec![response(&request, 200, number).to_bytes()];
                if let Some(invite) = invites.iter().find(|one| branch(one) == branch(&request))
                    && !matches!(does, Does::Answers(_) | Does::AnswersReliably(_))
                {
                    back.push(response(invite, 487, number).to_bytes());
                }
                Verdict::Reply(back)
            }
            Some("ACK") => Verdict::Lose,
            _ => Verdict::Reply(vec![Message::response_to(&request, 200, None).to_bytes()]),
        }
    }));
    seen
}

/// An INFO that presses 9, from a phone that `extra_phones` made, in its dialog with the gateway.
pub(crate) fn presses_nine(world: &mut World, seen: &Seen, number: &str, cseq: u32) {
    let invite = seen
        .of(number, "INVITE")
        .pop()
        .expect("a call to the number");
    let (from, call_id) = (invite.from().unwrap(), invite.call_id().unwrap());
    let body = "Signal=9\r\nDuration=160\r\n";
    let info = format!(
        "INFO sip:600@127.77.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.77.0.2:5060;branch=z9hG4bKextra{number}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <{}>;tag=extra{number}\r\nTo: <{}>;tag={}\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} INFO\r\n\
         Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}",
        invite.to().unwrap().uri,
        from.uri,
        invite.from_tag().unwrap(),
        body.len()
    );
    world.inject(Port::GatewaySip, crate::world::PBX_SIP, info.into_bytes());
}
