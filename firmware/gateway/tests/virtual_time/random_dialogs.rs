//! Hundreds of random visits on networks that lose, double and reorder up to 30 %, in which everything that
//! SIP can do to a call comes together: several targets, redirections, reliable early responses, hold, offers
//! that cross, session refresh, transfers blind and attended, calls that take others over. Each call ends in
//! a defined state on both sides, only the party that talks opens, and nothing of any call stays.
//!
//! `TRUBKA_SCHEDULES` sets how many.

use call::{Cause, Event};
use phone::Behaviour;

use crate::dice::Dice;
use crate::extra_phones::{Does, Seen, extra_phones, presses_nine};
use crate::world::{
    Dialog, Options, PBX_SIP, Port, Weather, World, answers, ms, never_answers, outside_request,
    seconds,
};

fn does(dice: &mut Dice) -> Does {
    match dice.below(9) {
        0 => Does::Rings,
        1 => Does::Refuses(dice.one_of(&[404, 480, 486, 491, 503, 603])),
        2 => Does::Redirects(dice.one_of(&["<sip:403@127.77.0.2>", "<sip:1@127.77.0.66>"])),
        3..=5 => Does::AnswersReliably(ms(dice.below(4_000))),
        _ => Does::Answers(ms(dice.below(4_000))),
    }
}

const NUMBERS: [&str; 3] = ["401", "402", "403"];
/// The phone that takes calls over; it may open only where the route says so.
const TAKER: &str = "409";

/// What one schedule does besides its phones.
struct Story {
    seen: Seen,
    takers: usize,
    cseq: u32,
    /// Nobody ends the visit on purpose, so that it is long enough for a session refresh.
    long: bool,
}

/// An offer of the phone that talks, as re-INVITE or UPDATE, in any direction.
fn offer(dice: &mut Dice) -> (&'static str, String) {
    let direction = dice.one_of(&["sendrecv", "sendrecv", "sendonly", "recvonly", "inactive"]);
    let sdp = format!(
        "v=0\r\no=- 7 7 IN IP4 127.77.0.2\r\ns=-\r\nc=IN IP4 127.77.0.2\r\na={direction}\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    );
    (dice.one_of(&["INVITE", "UPDATE"]), sdp)
}

/// Something that phones, PBX, panel and handset do.
fn stir(world: &mut World, dice: &mut Dice, story: &mut Story) {
    story.cseq += 10;
    let cseq = 1_000 + story.cseq;
    let called = !world.invites().is_empty();
    match dice.below(20) {
        0..=3 => {
            let number = dice.one_of(&NUMBERS);
            if story.seen.count(number, "INVITE") > 0 {
                presses_nine(world, &story.seen, number, story.cseq);
            }
        }
        4 if !story.long => world.panel.visitor_leave(),
        5 if !story.long => world.lift(),
        6 => world.replace(),
        7..=9 if called => {
            let number = dice.one_of(&NUMBERS);
            let more = dice.one_of(&["", "?Replaces=x%40y%3Bto-tag%3D1%3Bfrom-tag%3D2"]);
            let headers = format!("Refer-To: <sip:{number}@127.77.0.2{more}>\r\n");
            let refer = peer(world, story).request("REFER", cseq, &headers, "");
            world.inject(Port::GatewaySip, PBX_SIP, refer);
        }
        10 | 11 => world.hold(dice.below(2) == 0),
        12 | 13 if called => {
            let (method, sdp) = offer(dice);
            let dialog = peer(world, story);
            let request = dialog.request(method, cseq, "Content-Type: application/sdp\r\n", &sdp);
            world.inject(Port::GatewaySip, PBX_SIP, request);
            if method == "INVITE" && dice.below(4) > 0 {
                world.run_for(ms(200));
                let ack = dialog.request("ACK", cseq, "", "");
                world.inject(Port::GatewaySip, PBX_SIP, ack);
            }
        }
        14..=16 if called => take_over(world, dice, story),
        17 => {
            let rack = "RAck: 7 1 INVITE\r\n";
            let stray = if called {
                peer(world, story).request("PRACK", cseq, rack, "")
            } else {
                outside_request("PRACK", "stray", "600", "<sip:1@127.77.0.2>", rack, "")
            };
            world.inject(Port::GatewaySip, PBX_SIP, stray);
        }
        18 if !story.long => world.hang_up(),
        19 => {
            let now = world.now;
            world.phone.call(now, dice.one_of(&["42", "600"]));
        }
        _ => {}
    }
}

/// The newest call of the gateway, whichever phone has it.
fn peer(world: &World, story: &Story) -> Dialog {
    let mut peer = world.dialog();
    let has = |number: &&&str| {
        let invites = story.seen.of(number, "INVITE");
        invites
            .iter()
            .any(|one| one.call_id() == Some(&*peer.call_id))
    };
    if let Some(number) = NUMBERS.iter().find(has) {
        peer.phone_tag = format!("extra{number}");
    }
    peer
}

/// A phone takes the place of the newest peer, or of one that is no more, and mostly acknowledges.
fn take_over(world: &mut World, dice: &mut Dice, story: &mut Story) {
    let id = format!("take{}", story.takers);
    story.takers += 1;
    let flag = dice.one_of(&["", "", ";early-only"]);
    let peer = peer(world, story);
    world.inject_replacing(&id, TAKER, &peer, flag);
    world.run_for(ms(dice.below(800)));
    let call_id = format!("{id}@forged");
    let taken = world.network.sip.iter().any(|(_, ours, bytes)| {
        let ok = *ours && bytes.starts_with(b"SIP/2.0 200");
        ok && bytes
            .windows(call_id.len())
            .any(|part| part == call_id.as_bytes())
    });
    if taken && dice.below(8) > 0 {
        let taker = world.injected_dialog(&id);
        world.run_for(ms(dice.below(2_000)));
        world.inject(Port::GatewaySip, PBX_SIP, taker.info(5));
    }
}

/// What happened in all schedules.
#[derive(Debug, Default)]
struct Tally {
    opened: usize,
    answered: usize,
    transferred: usize,
    taken_over: usize,
    redirected: usize,
    pracks: usize,
    refused_offers: usize,
    refreshes: usize,
    most_transactions: usize,
}

impl Tally {
    fn add(&mut self, one: &Tally) {
        self.opened += one.opened;
        self.answered += one.answered;
        self.transferred += one.transferred;
        self.taken_over += one.taken_over;
        self.redirected += one.redirected;
        self.pracks += one.pracks;
        self.refused_offers += one.refused_offers;
        self.refreshes += one.refreshes;
        self.most_transactions = self.most_transactions.max(one.most_transactions);
    }
}

/// Who talked when: each opening by a key is that of the party that talked then, each talk has one end.
fn talks_are_whole(world: &World, taker_opens: bool) -> Tally {
    let (mut talker, mut tally): (Option<String>, Tally) = (None, Tally::default());
    for (_, event) in &world.events {
        match event {
            Event::CallAnswered { party, .. } => {
                assert_eq!(talker, None, "two talk at once\n{}", world.story());
                talker = Some(party.clone());
                tally.answered += 1;
            }
            Event::CallEnded { party, .. } if talker.as_ref() == Some(party) => talker = None,
            Event::CallTransfer { state, reason, .. } if state == "done" => {
                tally.taken_over += usize::from(reason == "taken over");
                tally.transferred += usize::from(reason.is_empty());
            }
            Event::DoorOpened { party, cause, .. } if *cause == Cause::Dtmf => {
                assert_eq!(talker.as_ref(), Some(party), "{}", world.story());
                assert!(taker_opens || party != TAKER, "{}", world.story());
                tally.opened += 1;
            }
            _ => {}
        }
    }
    assert_eq!(talker, None, "a talk without an end\n{}", world.story());
    tally.redirected = world.happened("call_redirected");
    tally.pracks = world.gateway_sent("PRACK");
    tally.refused_offers = world.gateway_sent("SIP/2.0 491") + world.gateway_sent("SIP/2.0 500");
    tally.refreshes = world.gateway_sent("UPDATE");
    tally
}

fn one(number: u64) -> Tally {
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    dice.below(2);
    let mut script = match dice.below(4) {
        0 => never_answers(),
        _ => answers(ms(dice.below(3_000))),
    };
    if dice.below(6) == 0 {
        script.behaviour = Behaviour::Busy;
    }
    // A long talk has a session refresh in it.
    let long = number.is_multiple_of(6);
    let route = dice.one_of(&[
        "ring = \"together\"",
        "target_timeout_s = 5\nmay_open = [\"called\", \"409\"]",
        "target_timeout_s = 5",
    ]);
    let mut world = World::ready(Options {
        seed: number,
        targets: dice.one_of(&["\"400\", \"401\"", "\"401\", \"400\", \"402\"", "\"400\""]),
        route,
        account: dice.one_of(&[
            "session_expires_s = 90",
            "session_expires_s = 90\nsession_refresher = \"local\"",
            "session_expires_s = 90\nreliable_provisionals = false",
        ]),
        config: if long {
            "[call]\ntalk_limit_s = 100\nrtp_timeout_s = 200\nearly_media = \"line\""
        } else if dice.below(3) == 0 {
            "[call]\ntalk_limit_s = 14\nring_limit_s = 12\nearly_media = \"line\""
        } else {
            "[call]\ntalk_limit_s = 14\nring_limit_s = 12\nunanswered = \"tone\""
        },
        panel_talk: long.then(|| seconds(120)),
        ..Options::with(script)
    });
    // Keys that the world does not see pressed; who opened is checked below instead.
    world.promises.without_key = 1_000;
    let phones = NUMBERS.map(|number| (number, does(&mut dice)));
    let mut story = Story {
        seen: extra_phones(&mut world, &phones),
        takers: 0,
        cseq: 0,
        long,
    };
    world.weather = Weather {
        delay: ms(1 + dice.below(60)),
        jitter: ms(dice.below(200)),
        loss: dice.below(301) as u32,
        duplicates: dice.below(301) as u32,
    };
    world.dial();
    let (mut most, pause) = (0, if long { 11_000 } else { 1_500 });
    for _ in 1..14 {
        world.run_for(ms(dice.below(pause)));
        stir(&mut world, &mut dice, &mut story);
        most = most.max(world.gateway.under_way().transactions);
    }
    world.run_for(ms(dice.below(4_000)));
    world.settle();
    world.nothing_is_left();
    let strangers = world.network.to_strangers.iter();
    let foreign = strangers.filter(|(to, _)| !matches!(to.port(), 4100 | 4101));
    assert_eq!(foreign.count(), 0, "{}", world.story());
    Tally {
        most_transactions: most,
        ..talks_are_whole(&world, route.contains("409"))
    }
}

#[test]
#[allow(clippy::print_stdout)]
fn whatever_sip_does_to_a_call_it_ends_and_nothing_is_left() {
    let wanted = std::env::var("TRUBKA_SCHEDULES").ok();
    let schedules = wanted.and_then(|text| text.parse().ok()).unwrap_or(200_u64);
    let mut all = Tally::default();
    for number in 0..schedules {
        all.add(&one(number));
    }
    println!("{schedules} visits: {all:?}");
    let least = (schedules / 20) as usize;
    for (what, seen) in [
        ("opened", all.opened * 2),
        ("answered", all.answered),
        ("transferred", all.transferred * 4),
        ("taken over", all.taken_over * 2),
        ("redirected", all.redirected * 2),
        ("pracks", all.pracks),
        ("refused offers", all.refused_offers),
        ("refreshes", all.refreshes * 2),
    ] {
        assert!(seen >= least, "{what}: too tame: {all:?}");
    }
    // A visit never costs more than a handful of transactions.
    assert!(all.most_transactions < 100, "{all:?}");
}
