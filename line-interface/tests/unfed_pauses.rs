//! A panel that leaves the pair unfed between two bursts: the ring goes on, and a phone that answers in
//! such a pause has the call when the panel comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use line_interface::{
    Drive, HandsetFitting, Line, LineEvent, LinePlan, LineState, Load, PanelLine, Profile,
    SenseBlock,
};

/// The line of a pair, fed by hand.
struct Bench {
    line: Line,
    at_ms: u64,
    told: Vec<LineEvent>,
}

impl Bench {
    fn new(bridging: bool) -> Self {
        let profile = Profile::builtin("vizit").unwrap();
        let line = Line::new(profile, HandsetFitting::Relayed);
        Self {
            line: if bridging {
                line.bridging_unfed_pauses()
            } else {
                line
            },
            at_ms: 0,
            told: Vec::new(),
        }
    }

    fn run(&mut self, ms: u64, volts: f32, hz: f32) {
        for _ in 0..ms / 10 {
            let mut sense = SenseBlock {
                applied: Some(self.line.drive()),
                ..SenseBlock::default()
            };
            for (i, v) in sense.line_volts.iter_mut().enumerate() {
                let t = (self.at_ms as f32) / 1000.0 + i as f32 / 8000.0;
                *v = if hz == 0.0 || (t * hz).fract() < 0.5 {
                    volts
                } else {
                    0.03
                };
            }
            // The isolated handset lies on its hook.
            sense.handset_volts.fill(0.7);
            self.at_ms += 10;
            self.line
                .handle_block(Duration::from_millis(self.at_ms), &sense);
            self.told
                .extend(std::iter::from_fn(|| self.line.poll_event()));
        }
    }

    fn count(&self, what: &LineEvent) -> usize {
        self.told.iter().filter(|e| *e == what).count()
    }
}

#[test]
fn dead_pauses_are_pauses_until_the_panel_feeds_one() {
    let mut b = Bench::new(true);
    b.run(500, 0.0, 0.0);
    for _ in 0..4 {
        b.run(1000, 2.4, 1000.0);
        b.run(2000, 0.0, 0.0);
        assert_eq!(b.line.status().state, LineState::Ringing);
    }
    assert_eq!(b.count(&LineEvent::RingConfirmed), 1);
    // The hold-off ends it after all.
    b.run(3000, 0.0, 0.0);
    assert_eq!(b.count(&LineEvent::PanelGaveUp), 1);

    // Once a pause was fed, a dead pair is the end at once; and so it always is where names tell.
    for (bridging, fed_volts) in [(true, 2.4), (false, 2.4), (false, 0.0)] {
        let mut b = Bench::new(bridging);
        b.run(1000, 2.4, 1000.0);
        b.run(500, fed_volts, 0.0);
        b.run(700, 0.0, 0.0);
        assert_eq!(
            b.count(&LineEvent::PanelGaveUp),
            1,
            "{bridging} {fed_volts}"
        );
    }
}

#[test]
fn a_phone_that_answers_in_a_dead_pause_has_the_call() {
    let mut b = Bench::new(true);
    b.run(1000, 2.4, 1000.0);
    b.run(500, 0.0, 0.0);
    b.line.answer(Duration::from_millis(b.at_ms)).unwrap();
    b.run(1500, 0.0, 0.0);
    assert_eq!(b.line.drive().load, Load::OffHook);
    b.run(2000, 6.4, 0.0);
    assert_eq!(b.line.status().state, LineState::Talking);
    assert_eq!(b.count(&LineEvent::PanelEnded), 0);
    // From now on the panel ends the call as ever.
    b.run(300, 0.0, 0.0);
    assert_eq!(b.count(&LineEvent::PanelEnded), 1);
    assert_eq!(b.line.drive(), Drive::SAFE);

    // A panel that does not come back ends it within the hold-off.
    let mut b = Bench::new(true);
    b.run(1000, 2.4, 1000.0);
    b.run(500, 0.0, 0.0);
    b.line.answer(Duration::from_millis(b.at_ms)).unwrap();
    b.run(4100, 0.0, 0.0);
    assert_eq!(b.count(&LineEvent::PanelEnded), 1);
    assert_eq!(b.line.drive(), Drive::SAFE);
}

#[test]
fn the_line_of_a_pair_bridges() {
    let profile = Profile::builtin("vizit").unwrap();
    let mut line = PanelLine::new(LinePlan::Pair(profile), HandsetFitting::Relayed);
    let mut told = Vec::new();
    for block in 0..500_u64 {
        let mut sense = SenseBlock::default();
        // One burst, and then nothing for two seconds.
        if block < 100 {
            for (i, v) in sense.line_volts.iter_mut().enumerate() {
                *v = if i % 8 < 4 { 2.4 } else { 0.03 };
            }
        }
        sense.applied = Some(line.drive());
        line.handle_block(Duration::from_millis(10 * (block + 1)), &sense);
        let mut last = std::iter::from_fn(|| line.poll_event()).collect::<Vec<_>>();
        told.append(&mut last);
        if block == 300 {
            assert!(!told.contains(&LineEvent::PanelGaveUp), "{told:?}");
        }
    }
    assert!(told.contains(&LineEvent::RingConfirmed), "{told:?}");
}
