//! Two accounts that no probe watches: the second stands in from the first call that nobody answers.

use std::net::SocketAddr;
use std::time::Duration;

use call::Event;
use config::Config;
use sip::message::{Message, read};
use trubka_gateway::{Gateway, Output, Setup, SipServer};

use crate::world::{address, ms, seconds};

const OWN: &str = "127.77.0.1:5060";
const FIRST: &str = "127.77.0.2:5060";
const SECOND: &str = "127.77.0.3:5060";

struct Pair {
    gateway: Gateway,
    now: Duration,
    events: Vec<Event>,
    sent: Vec<(SocketAddr, Message)>,
    /// PBXs that answer OPTIONS and refuse calls.
    alive: Vec<&'static str>,
}

impl Pair {
    fn new(keepalive: &str) -> Pair {
        let account = |name: &str, host: &str, more: &str| {
            format!(
                "[[account]]\nname = \"{name}\"\nextension = \"600\"\ndomain = \"{host}\"\n\
                 password = \"x\"\nregister = false\n{keepalive}\n{more}\n"
            )
        };
        let text = format!(
            "[sip]\nlisten = \"{OWN}\"\n{}{}",
            account("first", FIRST, "backup_account = \"second\""),
            account("second", SECOND, ""),
        );
        let config = Config::parse(&text, "pair.toml")
            .map_err(|problems| format!("{problems:?}"))
            .unwrap();
        let server = |text: &str| {
            vec![SipServer {
                address: address(text),
                backup: false,
            }]
        };
        let mut gateway = Gateway::new(Setup {
            plans: Vec::new(),
            registrars: vec![server(FIRST), server(SECOND)],
            sip_local: address(OWN),
            public: None,
            sip_local_ipv6: None,
            rtp_local: (0..4)
                .map(|slot| SocketAddr::new(address(OWN).ip(), 16_384 + 2 * slot))
                .collect(),
            rtp_local_ipv6: Vec::new(),
            stun_server: None,
            seed: [7; 32],
            config,
        });
        gateway.start(Duration::ZERO);
        Pair {
            gateway,
            now: Duration::ZERO,
            events: Vec::new(),
            sent: Vec::new(),
            alive: Vec::new(),
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while let Some(output) = self.gateway.poll_output() {
                match output {
                    Output::Sip(sent) => self.receive(sent.destination, &sent.payload),
                    Output::Event(event) => self.events.push(event),
                    _ => {}
                }
            }
            match self.gateway.next_deadline().filter(|at| *at <= end) {
                Some(at) => {
                    self.now = self.now.max(at);
                    self.gateway.handle_timeout(self.now);
                }
                None => break,
            }
        }
        self.now = end;
    }

    fn receive(&mut self, to: SocketAddr, payload: &[u8]) {
        // CRLF keeps a NAT open and gets no answer.
        let Ok(message) = read(payload) else { return };
        let alive = self.alive.iter().any(|one| address(one) == to);
        let status = match message.method().map(|method| method.as_str()) {
            Some("INVITE") => 486,
            Some("OPTIONS") => 200,
            _ => 0,
        };
        if alive && status > 0 {
            let response = Message::response_to(&message, status, Some("pbx"));
            self.gateway.handle_sip(self.now, to, &response.to_bytes());
        }
        self.sent.push((to, message));
    }

    /// Where the INVITEs of a call through the first account go.
    fn call(&mut self) -> Vec<SocketAddr> {
        self.sent.clear();
        self.gateway.test_call(self.now, 0, "400").unwrap();
        self.run(seconds(6));
        let invite = |message: &Message| message.method().is_some_and(|m| m.as_str() == "INVITE");
        let mut to: Vec<SocketAddr> = Vec::new();
        for (address, message) in &self.sent {
            if invite(message) && !to.contains(address) {
                to.push(*address);
            }
        }
        to
    }

    fn switched(&self) -> Vec<String> {
        let using = |event: &Event| match event {
            Event::AccountSwitched { account, using } => Some(format!("{account} {using}")),
            _ => None,
        };
        self.events.iter().filter_map(using).collect()
    }
}

#[test]
fn the_second_account_stands_in_until_the_first_answers_again() {
    for keepalive in ["keepalive_s = 0", "keepalive_s = 20\nkeepalive = \"crlf\""] {
        let mut pair = Pair::new(keepalive);
        pair.alive = vec![SECOND];
        pair.run(seconds(60));
        // Nothing shows that the first one is away, until a call finds out.
        assert_eq!(pair.call(), [address(FIRST)]);
        assert_eq!(pair.switched(), ["first second"], "{keepalive}");
        // The next visitor is not kept waiting by it.
        assert_eq!(pair.call(), [address(SECOND)]);
        // Both away: the second one is found out as well, and the first is tried.
        pair.alive.clear();
        assert_eq!(pair.call(), [address(SECOND)]);
        pair.run(seconds(40));
        assert_eq!(pair.call(), [address(FIRST)]);
        pair.alive = vec![FIRST, SECOND];
        pair.run(seconds(15));
        assert_eq!(pair.switched(), ["first second", "first first"]);
        assert_eq!(pair.call(), [address(FIRST)]);
        pair.run(ms(1));
    }
}
