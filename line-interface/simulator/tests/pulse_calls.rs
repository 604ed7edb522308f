//! Calls on a pulse line: the panel says whether the door opened.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Dice, seed};
use line_interface::pulse::{
    Capture, PulseLine, PulseLineEvent, PulseProfile, PulseReader, PulseState,
};
use line_interface::{Drive, SenseBlock};
use line_simulation::{PanelEvent, PulseSimulation};
use std::time::Duration;

struct Bench {
    sim: PulseSimulation,
    line: PulseLine,
    seen: Vec<PulseLineEvent>,
    verdicts: Vec<PanelEvent>,
}

impl Bench {
    fn new(own: &[u16], n: u64) -> Self {
        let profile = PulseProfile::builtin("laskomex-class").unwrap();
        Self {
            sim: PulseSimulation::new((1..=200).collect(), seed(n)),
            line: PulseLine::new(profile, own.to_vec()),
            seen: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    fn run_ms(&mut self, ms: u64) {
        let mut sense = SenseBlock::default();
        for _ in 0..ms / 10 {
            let drive = self.line.drive();
            if matches!(
                self.line.state(),
                PulseState::Idle | PulseState::Addressed | PulseState::Ringing
            ) {
                assert_eq!(drive, Drive::SAFE);
            }
            self.sim.step(drive, &mut sense);
            let now = self.sim.now();
            if let Some(bits) = self.sim.take_capture() {
                // A reader for each capture: the wire fell 200 ms before it rises.
                let rule = PulseProfile::builtin("laskomex-class").unwrap().address;
                let armed = 1_000_000;
                let held = 200_000 - PulseSimulation::captured_reset_ms() * 1000;
                let mut capture = Capture::new(PulseReader::new(rule), armed);
                capture.fell(armed - held);
                for event in capture.bytes(&bits) {
                    self.line.handle_pulses(now, event);
                }
            }
            self.line.handle_block(now, &sense);
            self.seen
                .extend(std::iter::from_fn(|| self.line.poll_event()));
            let verdicts = std::iter::from_fn(|| self.sim.poll_event());
            self.verdicts.extend(verdicts.map(|v| v.event));
        }
    }
}

#[test]
fn every_own_address_rings_and_opens_and_no_other_is_touched() {
    let own = [6, 42, 63, 200];
    let mut dice = Dice::new(1);
    for n in 0..40_u64 {
        let ours = n.is_multiple_of(2);
        let address = if ours {
            own[dice.below(4) as usize]
        } else {
            7 + dice.below(30) as u16
        };
        let mut b = Bench::new(&own, n);
        b.run_ms(300);
        b.sim.dial(address);
        b.run_ms(1500 + dice.below(3000));
        if !ours {
            assert!(b.verdicts.contains(&PanelEvent::Ringing));
            assert!(
                !b.seen
                    .iter()
                    .any(|e| matches!(e, PulseLineEvent::CallDetected { .. }))
            );
            assert!(b.line.answer(b.sim.now()).is_err());
            continue;
        }
        assert!(
            b.seen.contains(&PulseLineEvent::RingConfirmed { address }),
            "{:?}",
            b.seen
        );
        b.line.answer(b.sim.now()).unwrap();
        b.line.release_door(b.sim.now(), n).unwrap();
        b.run_ms(3000);
        assert!(
            b.verdicts.contains(&PanelEvent::LockOpened),
            "{:?}",
            b.verdicts
        );
        assert!(
            b.seen
                .contains(&PulseLineEvent::DoorReleaseEnded { token: n })
        );
        b.line.hang_up(b.sim.now());
        b.run_ms(2500);
        assert_eq!(
            b.verdicts
                .iter()
                .filter(|v| **v == PanelEvent::LockOpened)
                .count(),
            1
        );
        assert_eq!(b.line.state(), PulseState::Idle);
        assert_eq!(b.line.drive(), Drive::SAFE);
        assert!(b.sim.now() > Duration::from_secs(5));
    }
}

#[test]
fn an_address_that_does_not_exist_gets_its_tone_and_no_call() {
    let mut b = Bench::new(&[230], 3);
    b.sim.dial(230);
    b.run_ms(2500);
    assert!(
        b.seen
            .contains(&PulseLineEvent::CallDetected { address: 230 })
    );
    assert!(
        !b.seen
            .iter()
            .any(|e| matches!(e, PulseLineEvent::RingConfirmed { .. }))
    );
    assert!(b.seen.iter().any(|e| matches!(
        e,
        PulseLineEvent::Tone { tone } if tone.name() == "wrong_code"
    )));
    assert_eq!(b.line.state(), PulseState::Idle);
}
