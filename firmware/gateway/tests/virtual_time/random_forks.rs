//! Hundreds of random visits with several phones, on networks that lose up to 30 %: whoever rings, races,
//! forwards, is transferred to or presses keys in whatever dialog, the door opens only for the party that
//! talks at that moment, and afterwards nothing is left of any call.
//!
//! `TRUBKA_SCHEDULES` sets how many.

use call::{Cause, Event};
use phone::Behaviour;

use crate::dice::Dice;
use crate::extra_phones::{Does, Seen, extra_phones, presses_nine};
use crate::world::{Options, PBX_SIP, Port, Weather, World, answers, ms, never_answers};

fn does(dice: &mut Dice) -> Does {
    match dice.below(8) {
        0 | 1 => Does::Rings,
        2 => Does::Refuses(dice.one_of(&[404, 480, 486, 503, 603])),
        3 => Does::Redirects(dice.one_of(&[
            "<sip:403@127.77.0.2>",
            "<sip:400@127.77.0.2>",
            "<sip:1@127.77.0.66>",
        ])),
        _ => Does::Answers(ms(dice.below(4_000))),
    }
}

const NUMBERS: [&str; 3] = ["401", "402", "403"];

/// Something that people at phones, panel and handset do.
fn stir(world: &mut World, dice: &mut Dice, seen: &Seen, cseq: u32) {
    match dice.below(10) {
        0..=4 => {
            let number = dice.one_of(&NUMBERS);
            if seen.count(number, "INVITE") > 0 {
                presses_nine(world, seen, number, cseq);
            }
        }
        5 => world.panel.visitor_leave(),
        6 => world.lift(),
        7 | 8 if !world.invites().is_empty() => {
            let number = dice.one_of(&NUMBERS);
            let headers = format!("Refer-To: <sip:{number}@127.77.0.2>\r\n");
            let dialog = world.dialog();
            let refer = dialog.request("REFER", 1_000 + cseq, &headers, "");
            world.inject(Port::GatewaySip, PBX_SIP, refer);
        }
        _ => world.replace(),
    }
}

/// Checks that each opening by a key was that of the party that talked then; gives how many there were.
fn openings_are_the_talkers(world: &World) -> usize {
    let (mut talker, mut openings) = (None, 0);
    for (_, event) in &world.events {
        match event {
            Event::CallAnswered { party, .. } => talker = Some(party.clone()),
            Event::CallEnded { party, .. } if talker.as_ref() == Some(party) => talker = None,
            Event::DoorOpened { party, cause, .. } if *cause == Cause::Dtmf => {
                assert_eq!(talker.as_ref(), Some(party), "{}", world.story());
                openings += 1;
            }
            _ => {}
        }
    }
    openings
}

fn one(number: u64) -> (usize, usize, usize) {
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    dice.below(2);
    let mut script = match dice.below(3) {
        0 => never_answers(),
        _ => answers(ms(dice.below(4_000))),
    };
    if dice.below(5) == 0 {
        script.behaviour = Behaviour::Busy;
    }
    let mut world = World::ready(Options {
        seed: number,
        targets: "\"401\", \"400\", \"402\"",
        route: dice.one_of(&["ring = \"together\"", "target_timeout_s = 5"]),
        config: dice.one_of(&[
            "[call]\nunanswered = \"tone\"\ntalk_limit_s = 12",
            "[call]\nwhen_declined = \"stop\"\ntalk_limit_s = 12",
            "[call]\nring_limit_s = 8\nmax_redirects = 1\ntalk_limit_s = 12",
        ]),
        ..Options::with(script)
    });
    // The extra phones' keys are not seen by the world; who opened is checked below instead.
    world.promises.without_key = 1_000;
    let phones = NUMBERS.map(|number| (number, does(&mut dice)));
    let seen = extra_phones(&mut world, &phones);
    world.weather = Weather {
        delay: ms(1 + dice.below(60)),
        jitter: ms(dice.below(80)),
        loss: dice.below(301) as u32,
        duplicates: dice.below(100) as u32,
    };
    world.dial();
    for cseq in 1..10 {
        world.run_for(ms(dice.below(1_800)));
        stir(&mut world, &mut dice, &seen, cseq);
    }
    world.run_for(ms(dice.below(4_000)));
    world.settle();
    let transfers = world
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::CallTransfer { state, .. } if state == "done"))
        .count();
    // Only sound to the phones, and nothing to the host that a redirection named.
    let strangers = world.network.to_strangers.iter();
    let foreign = strangers.filter(|(to, _)| !matches!(to.port(), 4100 | 4101));
    assert_eq!(foreign.count(), 0, "{}", world.story());
    (
        openings_are_the_talkers(&world),
        world.happened("call_answered"),
        transfers,
    )
}

#[test]
#[allow(clippy::print_stdout)]
fn with_many_phones_only_who_talks_opens_and_nothing_is_left() {
    let wanted = std::env::var("TRUBKA_SCHEDULES").ok();
    let schedules = wanted.and_then(|text| text.parse().ok()).unwrap_or(200_u64);
    let mut all = (0, 0, 0);
    for number in 0..schedules {
        let (openings, answered, transfers) = one(number);
        all = (all.0 + openings, all.1 + answered, all.2 + transfers);
    }
    println!("{schedules} visits: opened, answered, transferred {all:?}");
    let least = (schedules / 20) as usize;
    assert!(
        all.0 > least && all.1 > 2 * least && all.2 * 20 > least,
        "too tame: {all:?}"
    );
}
