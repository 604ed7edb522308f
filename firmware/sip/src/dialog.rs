//! Dialog state (RFC 3261 12).

use crate::Transport;
use crate::hop::Hop;
use crate::message::{Message, Method, NameAddr, Uri};

/// Longest route set taken.
const MAX_ROUTES: usize = 16;

/// One confirmed dialog.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) remote_tag: String,
    /// Our From value with tag.
    local: String,
    /// Our To value with tag.
    remote: String,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    routes: Vec<String>,
    target: String,
    /// Where the message that made the dialog came from.
    learned: Hop,
}

impl Dialog {
    /// Caller's side, from our INVITE and its 2xx. `None` if the response lacks a tag or Contact.
    pub(crate) fn from_response(
        request: &Message,
        response: &Message,
        source: Hop,
    ) -> Option<Self> {
        let mut routes: Vec<String> = response
            .headers
            .list("Record-Route")
            .take(MAX_ROUTES)
            .map(str::to_owned)
            .collect();
        routes.reverse();
        // Some phones leave Contact out of 2xx; the Request-URI still leads to them.
        let target = contact(response).or_else(|| request.request_uri().map(str::to_owned))?;
        Some(Self {
            call_id: request.call_id()?.to_owned(),
            remote_tag: response.to_tag().unwrap_or_default(),
            local: request.headers.get("From")?.to_owned(),
            remote: response.headers.get("To")?.to_owned(),
            local_cseq: request.cseq()?.0,
            remote_cseq: None,
            routes,
            target,
            learned: source,
        })
    }

    /// Called party's side, from the INVITE and our tag.
    pub(crate) fn from_request(request: &Message, local_tag: &str, source: Hop) -> Option<Self> {
        Some(Self {
            call_id: request.call_id()?.to_owned(),
            remote_tag: request.from_tag().unwrap_or_default(),
            local: format!("{};tag={local_tag}", request.headers.get("To")?),
            remote: request.headers.get("From")?.to_owned(),
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.0),
            routes: request
                .headers
                .list("Record-Route")
                .take(MAX_ROUTES)
                .map(str::to_owned)
                .collect(),
            target: contact(request)?,
            learned: source,
        })
    }

    /// Target refresh (RFC 3261 12.2).
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
    }

    /// True if a message from `source` can be the peer's: where the dialog was set up from, its
    /// next hop or the peer's Contact.
    pub(crate) fn lives_at(&self, source: Hop) -> bool {
        source.may_be(self.learned)
            || source.may_be(self.next_hop())
            || self.hop(&self.target).is_some_and(|hop| source.may_be(hop))
    }

    /// Where requests go: first route, else the target; names instead of addresses lead to where
    /// the dialog was set up from.
    pub(crate) fn next_hop(&self) -> Hop {
        let first = self
            .routes
            .first()
            .and_then(|r| NameAddr::parse(r))
            .map(|r| r.uri);
        self.hop(first.as_ref().unwrap_or(&self.target))
            .unwrap_or(self.learned)
    }

    /// Where a URI with an address leads. Without a transport it stays with that of the dialog,
    /// and a dialog over TLS never leaves it.
    fn hop(&self, uri: &str) -> Option<Hop> {
        let uri = Uri::parse(uri)?;
        let named = match uri.params.get("transport").map(str::to_ascii_lowercase) {
            Some(name) if name == "tls" => Transport::Tls,
            Some(name) if name == "tcp" => Transport::Tcp,
            Some(name) if name == "udp" => Transport::Udp,
            _ if uri.scheme == "sips" => Transport::Tls,
            _ => self.learned.transport,
        };
        let transport = match self.learned.transport {
            Transport::Tls => Transport::Tls,
            _ => named,
        };
        Some(Hop::new(transport, uri.address()?))
    }

    /// A request within the dialog, without Via and Contact. ACK takes `cseq`, others the next.
    pub(crate) fn request(&mut self, method: Method, ack_cseq: Option<u32>) -> Message {
        let cseq = ack_cseq.unwrap_or_else(|| {
            self.local_cseq += 1;
            self.local_cseq
        });
        let mut routes = self.routes.clone();
        let mut uri = self.target.clone();
        let first = routes
            .first()
            .and_then(|r| NameAddr::parse(r))
            .map(|r| r.uri);
        if let Some(first) = first
            && !Uri::parse(&first).is_some_and(|u| u.params.has("lr"))
        {
            // Strict router (RFC 3261 12.2.1.1).
            routes.remove(0);
            routes.push(format!("<{uri}>"));
            uri = first;
        }
        let mut request = Message::request(method.clone(), uri);
        request
            .headers
            .push_header(rsip::headers::MaxForwards::from(70));
        request.headers.push("From", &self.local);
        request.headers.push("To", &self.remote);
        request.headers.push("Call-ID", &self.call_id);
        request.headers.push("CSeq", format!("{cseq} {method}"));
        for route in routes {
            request.headers.push("Route", route);
        }
        request
    }
}

fn contact(message: &Message) -> Option<String> {
    let contact = message.contacts().into_iter().next()?;
    // A target we could not send to is no target.
    let uri = Uri::parse(&contact.uri)?;
    (uri.scheme == "sip" || uri.scheme == "sips").then_some(contact.uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(record_route: &str) -> Message {
        let text = format!(
            "INVITE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKx\r\n\
             From: <sip:b@c>;tag=f\r\nTo: <sip:a@c>\r\nCall-ID: i\r\nCSeq: 7 INVITE\r\n\
             Contact: <sip:b@127.0.0.3:5070>\r\n{record_route}\r\n\r\n"
        );
        crate::message::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn loose_and_strict_routes() {
        let source = Hop::udp("127.0.0.2:5060".parse().unwrap());
        let request = invite("Record-Route: <sip:127.0.0.4;lr>, <sip:127.0.0.5:5062;lr>");
        let mut dialog = Dialog::from_request(&request, "t", source).unwrap();
        let bye = dialog.request(Method::BYE, None);
        assert_eq!(bye.request_uri(), Some("sip:b@127.0.0.3:5070"));
        assert_eq!(bye.headers.all("Route").count(), 2);
        assert_eq!(dialog.next_hop().address, "127.0.0.4:5060".parse().unwrap());
        let request = invite("Record-Route: <sip:127.0.0.4>");
        let mut dialog = Dialog::from_request(&request, "t", source).unwrap();
        let bye = dialog.request(Method::BYE, None);
        assert_eq!(bye.request_uri(), Some("sip:127.0.0.4"));
        assert_eq!(bye.headers.get("Route"), Some("<sip:b@127.0.0.3:5070>"));
    }

    #[test]
    fn a_dialog_lives_at_its_source_next_hop_and_contact_only() {
        let source = Hop::udp("127.0.0.2:5060".parse().unwrap());
        let dialog = Dialog::from_request(&invite("Record-Route: <sip:127.0.0.4;lr>"), "t", source);
        let dialog = dialog.unwrap();
        for (address, lives) in [
            ("127.0.0.2:5060", true),
            ("127.0.0.3:5070", true),
            ("127.0.0.4:5060", true),
            ("127.0.0.3:5060", false),
            ("127.0.0.9:5060", false),
        ] {
            assert_eq!(
                dialog.lives_at(Hop::udp(address.parse().unwrap())),
                lives,
                "{address}"
            );
        }
    }
}
