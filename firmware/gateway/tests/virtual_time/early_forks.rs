//! One call of ours that rings at two phones behind the PBX, each of which describes its sound before the answer. The visitor hears
//! the one that described it last, whatever is repeated; the answer decides; and nobody's key counts before it, nor the loser's after.

use std::net::SocketAddr;
use std::time::Duration;

use media::{Encryption, Session, SessionConfig, TransmitKind};
use sip::message::{Message, read};

use crate::extra_phones::{Does, Seen, extra_phones};
use crate::world::{Dialog, Options, PBX_SIP, Port, World, address, answers, ms, seconds};

const SLOT: Port = Port::GatewayRtp {
    slot: 0,
    rtcp: false,
};
const REQUIRED: &str = "media_encryption = \"required\"\nmedia_encryption_without_tls = true";
const ON: &str = "[call]\nearly_media = \"line\"\nrtp_timeout_s = 60";
const OFF: &str = "[call]\nrtp_timeout_s = 60";

/// A phone behind the PBX.
struct Fork {
    tag: &'static str,
    at: &'static str,
    /// What it plays without end, Hz.
    tone_hz: f64,
    session: Session,
    answer: Vec<u8>,
    said: u64,
    /// RTP that the gateway sent to it.
    got: usize,
}

impl Fork {
    fn ring(&self, invite: &Message, rseq: Option<u32>) -> Vec<u8> {
        let mut response = self.response(invite, 183);
        if let Some(rseq) = rseq {
            response.headers.push("Require", "100rel");
            response.headers.push("RSeq", rseq.to_string());
        }
        response.set_body("application/sdp", self.answer.clone());
        response.to_bytes()
    }

    fn answers(&self, invite: &Message, described: bool) -> Vec<u8> {
        let mut response = self.response(invite, 200);
        if described {
            response.set_body("application/sdp", self.answer.clone());
        }
        response.to_bytes()
    }

    fn response(&self, invite: &Message, status: u16) -> Message {
        let mut response = Message::response_to(invite, status, Some(self.tag));
        let contact = "<sip:401@127.77.0.2:5060>";
        response.headers.push("Contact", contact);
        response
    }
}

/// A house whose visitor waits for two phones of one call.
struct House {
    world: World,
    invite: Message,
    forks: [Fork; 2],
    cseq: u32,
}

impl House {
    fn new(config: &'static str, encryption: Encryption) -> (House, Seen) {
        let mut world = World::ready(Options {
            targets: "\"401\"",
            config,
            handset: false,
            keep_sound: true,
            account: match encryption {
                Encryption::Off => "",
                _ => REQUIRED,
            },
            ..Options::with(answers(ms(300)))
        });
        let seen = extra_phones(&mut world, &[("401", Does::Rings)]);
        world.visit_until("call_placed");
        world.run_for(ms(200));
        let invite = seen.of("401", "INVITE").pop().unwrap();
        let now = world.now;
        let fork = |tag, at, tone_hz, seed| {
            let mut session = Session::new(
                SessionConfig {
                    encryption,
                    ..SessionConfig::new(address(at))
                },
                [seed; 32],
            );
            let answer = session.answer_offer(now, &invite.body).unwrap();
            session.start(now);
            Fork {
                tag,
                at,
                tone_hz,
                session,
                answer,
                said: 0,
                got: 0,
            }
        };
        let forks = [
            fork("forkA", "127.77.0.2:4100", 400.0, 21),
            fork("forkB", "127.77.0.2:4200", 1_300.0, 22),
        ];
        let house = House {
            world,
            invite,
            forks,
            cseq: 100,
        };
        (house, seen)
    }

    fn says(&mut self, message: Vec<u8>) {
        self.world.inject(Port::GatewaySip, PBX_SIP, message);
    }

    fn rings(&mut self, fork: usize, rseq: Option<u32>) {
        let message = self.forks[fork].ring(&self.invite, rseq);
        self.says(message);
    }

    /// Both phones play for so long, whoever listens.
    fn play(&mut self, time: Duration) {
        let end = self.world.now + time;
        while self.world.now < end {
            let now = self.world.now;
            for index in 0..2 {
                let fork = &mut self.forks[index];
                let said = fork.said;
                let turn = std::f64::consts::TAU * fork.tone_hz / 8_000.0;
                let wave = |at: usize| ((said as f64 + at as f64) * turn).sin() * 12_000.0;
                fork.session
                    .push_audio(now, &std::array::from_fn(|at| wave(at) as i16));
                fork.said += 80;
                let at = fork.at;
                while let Some(sent) = self.forks[index].session.poll_transmit() {
                    if sent.kind == TransmitKind::Rtp {
                        self.world.inject(SLOT, at, sent.payload);
                    }
                }
            }
            self.world.run_for(ms(10));
            let sent = std::mem::take(&mut self.world.network.to_strangers);
            for (to, packet) in sent {
                let at = |fork: &Fork| -> SocketAddr { address(fork.at) };
                if let Some(fork) = self.forks.iter_mut().find(|fork| at(fork) == to) {
                    let source = address(crate::world::GATEWAY_RTP);
                    fork.session.handle_rtp(now, source, &packet);
                    fork.got += 1;
                }
            }
        }
    }

    /// Both phones' tones in the last half second that the visitor heard, in any unit.
    fn tones(&self) -> [f64; 2] {
        let heard = &self.world.heard_by_visitor;
        let last = &heard[heard.len().saturating_sub(4_000)..];
        [0, 1].map(|fork| {
            let turn = std::f64::consts::TAU * self.forks[fork].tone_hz / 8_000.0;
            let (mut re, mut im) = (0.0, 0.0);
            for (at, sample) in last.iter().enumerate() {
                let (sin, cos) = (at as f64 * turn).sin_cos();
                re += cos * f64::from(*sample);
                im += sin * f64::from(*sample);
            }
            re.hypot(im) / last.len() as f64
        })
    }

    fn hears(&self, fork: usize) {
        let tones = self.tones();
        let (this, other) = (tones[fork], tones[1 - fork]);
        assert!(
            this > 300.0 && this > 20.0 * other,
            "fork {fork} of {tones:?}\n{}",
            self.world.story()
        );
    }

    /// A phone presses 9, as an event in its sound and as INFO in its dialog.
    fn presses(&mut self, fork: usize) {
        let now = self.world.now;
        self.forks[fork].session.send_digit(now, '9', 100).unwrap();
        self.cseq += 1;
        let dialog = Dialog {
            call_id: self.invite.call_id().unwrap().to_owned(),
            gateway_tag: self.invite.from_tag().unwrap(),
            phone_tag: self.forks[fork].tag.to_owned(),
            invite_branch: String::new(),
        };
        let info = dialog.info(self.cseq);
        self.says(info);
        self.play(ms(500));
    }

    fn nothing_was_asked(&self) {
        let world = &self.world;
        assert_eq!(
            (world.happened("digit"), world.journal.len(), world.opened()),
            (0, 0, 0),
            "{}",
            world.story()
        );
    }

    /// The loser's key does nothing, the winner's opens, and all is free again.
    fn only_the_winner_opens(mut self, winner: usize) {
        let got = self.forks[1 - winner].got;
        self.play(seconds(1));
        self.hears(winner);
        // The last packet to the loser may have been under way.
        assert!(self.forks[1 - winner].got <= got + 1);
        assert!(self.forks[winner].session.stats().packets_received > 40);
        assert_eq!(self.world.gateway.audio_ports_in_use(), 1);
        self.presses(1 - winner);
        self.nothing_was_asked();
        self.world.promises.without_key = 1;
        self.presses(winner);
        self.world.wait("door_release_ended", 1);
        let world = &mut self.world;
        assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
        world.panel.visitor_leave();
        world.run_for(seconds(3));
        assert_eq!(world.gateway.audio_ports_in_use(), 0);
        world.settle();
    }
}

#[test]
fn the_newest_description_is_heard_and_the_answer_decides() {
    for encryption in [Encryption::Off, Encryption::Required] {
        for winner in [0, 1] {
            let (mut house, _) = House::new(ON, encryption);
            house.rings(0, None);
            house.world.wait("call_early_media", 1);
            house.play(ms(1_500));
            house.hears(0);
            house.rings(1, None);
            house.play(seconds(1));
            house.hears(1);
            // What is repeated is no news: else the two would take turns each minute.
            house.rings(0, None);
            house.play(seconds(1));
            house.hears(1);
            assert_eq!(house.world.gateway.audio_ports_in_use(), 1);
            for fork in [0, 1] {
                house.presses(fork);
            }
            house.nothing_was_asked();
            let answer = house.forks[winner].answers(&house.invite, true);
            house.says(answer);
            house.world.wait("call_answered", 1);
            house.only_the_winner_opens(winner);
        }
    }
}

#[test]
fn reliable_descriptions_stand_for_the_phone_that_answers() {
    for config in [ON, OFF] {
        for winner in [0, 1] {
            let (mut house, seen) = House::new(config, Encryption::Required);
            for fork in [0, 1] {
                house.rings(fork, Some(7));
                house.play(ms(300));
            }
            assert_eq!(seen.count("401", "PRACK"), 2);
            // The 2xx need not repeat what was acknowledged.
            let answer = house.forks[winner].answers(&house.invite, false);
            house.says(answer);
            house.world.wait("call_answered", 1);
            house.only_the_winner_opens(winner);
        }
    }
}

#[test]
fn both_phones_answer_and_the_second_is_let_go() {
    for config in [ON, OFF] {
        let (mut house, _) = House::new(config, Encryption::Off);
        for fork in [0, 1] {
            house.rings(fork, None);
            house.play(ms(300));
        }
        for fork in [1, 0] {
            let answer = house.forks[fork].answers(&house.invite, true);
            house.says(answer);
        }
        house.play(ms(200));
        // Each answer has its ACK, and the second one its BYE.
        let sent = |method: &str, tag: &str| {
            let all = house.world.network.sip.iter();
            all.filter(|(_, ours, bytes)| {
                let message = read(bytes).ok().filter(|_| *ours);
                message.is_some_and(|one| {
                    one.method().is_some_and(|is| is.as_str() == method)
                        && one.to_tag().as_deref() == Some(tag)
                })
            })
            .count()
        };
        assert_eq!((sent("ACK", "forkA"), sent("ACK", "forkB")), (1, 1));
        assert_eq!((sent("BYE", "forkA"), sent("BYE", "forkB")), (1, 0));
        house.only_the_winner_opens(1);
    }
}

/// Sound that ended before the answer has been told of, to nobody; the talk is watched from its beginning.
#[test]
fn a_phone_that_falls_silent_early_is_still_watched_after_its_answer() {
    let config = "[call]\nearly_media = \"line\"\nrtp_timeout_s = 2";
    let (mut house, _) = House::new(config, Encryption::Off);
    house.rings(0, None);
    house.play(seconds(1));
    house.world.run_for(seconds(4));
    assert_eq!(house.world.phase(), "ringing");
    let answer = house.forks[0].answers(&house.invite, true);
    house.says(answer);
    house.world.wait("call_answered", 1);
    house.world.run_for(seconds(4));
    let told = house.world.last_words("call_ended");
    assert!(
        told.contains("no audio from the PBX"),
        "{told}\n{}",
        house.world.story()
    );
    house.world.panel.visitor_leave();
    house.world.run_for(seconds(3));
    house.world.settle();
}
