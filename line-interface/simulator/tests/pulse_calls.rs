//! Calls on a pulse line: the panel says whether the door opened.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{Dice, seed};
use line_interface::pulse::{PanelTone, PulseProfile};
use line_interface::{
    AddressSense, Drive, DriveBlock, HandsetFitting, HandsetRelay, LineCode, LineEvent, LinePlan,
    LineState, Load, PanelLine, PulseBurst, SenseBlock,
};
use line_simulation::{LineModel as _, PanelEvent, PulseSetup, PulseSimulation};

struct Bench {
    sim: PulseSimulation,
    line: PanelLine,
    sense: SenseBlock,
    seen: Vec<LineEvent>,
    verdicts: Vec<PanelEvent>,
}

impl Bench {
    /// `own` addresses are the apartments a hundred above them.
    fn new(own: &[u16], n: u64, fitting: HandsetFitting) -> Self {
        let mut setup = PulseSetup::brand("vizit").unwrap();
        setup.known = (1..=200).collect();
        setup.seed = seed(n);
        setup.noise_volts = 0.05;
        if fitting == HandsetFitting::Relayed {
            setup.handset_at = own.to_vec();
        }
        let plan = LinePlan::Pulse {
            profile: PulseProfile::builtin("laskomex-class").unwrap(),
            addresses: own.iter().map(|a| (*a, a + 100)).collect(),
            own: Vec::new(),
        };
        Self {
            sim: PulseSimulation::new(setup).unwrap(),
            line: PanelLine::new(plan, fitting),
            sense: SenseBlock::default(),
            seen: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    fn block(&mut self) {
        let drive = DriveBlock {
            drive: self.line.drive(),
            ..DriveBlock::default()
        };
        let ours = self.line.named().is_some_and(|(_, a)| a.is_some());
        assert!(ours || drive.drive == Drive::SAFE);
        self.sim.step(&drive, &mut self.sense);
        let now = self.sim.now();
        self.line.handle_block(now, &self.sense);
        self.seen
            .extend(std::iter::from_fn(|| self.line.poll_event()));
        let verdicts = std::iter::from_fn(|| self.sim.poll_event());
        self.verdicts.extend(verdicts.map(|v| v.event));
    }

    fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.block();
        }
    }

    fn until(&mut self, what: impl Fn(&Self) -> bool, ms: u64) {
        for _ in 0..ms / 10 {
            if what(self) {
                return;
            }
            self.block();
        }
        panic!(
            "not seen\n{:?}\n{:?}\n{:?}",
            self.seen, self.verdicts, self.line
        );
    }

    fn count(&self, verdict: PanelEvent) -> usize {
        self.verdicts.iter().filter(|v| **v == verdict).count()
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
        let fitting = if n % 4 < 2 {
            HandsetFitting::Relayed
        } else {
            HandsetFitting::Absent
        };
        let mut b = Bench::new(&own, n, fitting);
        b.run_ms(300);
        b.sim.dial(address);
        b.run_ms(1500 + dice.below(3000));
        let told = LineEvent::Addressed {
            code: LineCode::Address(address),
            apartment: ours.then_some(address + 100),
        };
        assert!(b.seen.contains(&told), "{n}: {:?}", b.seen);
        assert!(
            b.seen.contains(&LineEvent::RingConfirmed),
            "{n}: {:?}",
            b.seen
        );
        if !ours {
            assert!(b.line.answer(b.sim.now()).is_err());
            assert_eq!(b.line.drive(), Drive::SAFE);
            continue;
        }
        b.line.answer(b.sim.now()).unwrap();
        b.line.release_door(b.sim.now(), n).unwrap();
        b.until(|b| b.verdicts.contains(&PanelEvent::LockOpened), 5000);
        b.until(
            |b| b.seen.contains(&LineEvent::DoorReleaseEnded { token: n }),
            2000,
        );
        b.run_ms(800);
        assert!(b.seen.contains(&LineEvent::Tone {
            tone: PanelTone::Opened
        }));
        b.line.hang_up(b.sim.now());
        b.run_ms(3000);
        assert_eq!(b.count(PanelEvent::LockOpened), 1);
        assert_eq!(b.line.line().status().state, LineState::Idle);
        assert_eq!(b.line.drive(), Drive::SAFE);
        let faults =
            |e: &&LineEvent| matches!(e, LineEvent::Fault { .. } | LineEvent::Unclear { .. });
        assert_eq!(b.seen.iter().find(faults), None, "{n}");
        assert!(b.sim.now() > Duration::from_secs(5));
        // And the next call is served like the first.
        b.sim.dial(own[0]);
        let ringing = |b: &Bench| {
            let rings = |e: &&LineEvent| **e == LineEvent::RingConfirmed;
            b.seen.iter().filter(rings).count() == 2
        };
        b.until(ringing, 3000);
    }
}

#[test]
fn an_address_that_does_not_exist_gets_its_tone_and_no_call() {
    let mut b = Bench::new(&[230], 3, HandsetFitting::Relayed);
    b.sim.dial(230);
    b.run_ms(2500);
    assert!(!b.seen.contains(&LineEvent::RingConfirmed));
    assert!(b.seen.contains(&LineEvent::Tone {
        tone: PanelTone::WrongCode
    }));
    assert_eq!(b.line.line().status().state, LineState::Idle);
    assert_eq!(b.line.drive(), Drive::SAFE);
}

#[test]
fn a_lifted_old_handset_wins_while_it_rings_and_while_we_talk() {
    for talking in [false, true] {
        let mut b = Bench::new(&[17], 4, HandsetFitting::Relayed);
        b.sim.dial(17);
        b.until(|b| b.seen.contains(&LineEvent::RingConfirmed), 3000);
        if talking {
            b.line.answer(b.sim.now()).unwrap();
            b.until(|b| b.seen.contains(&LineEvent::OffHookSettled), 5000);
            assert_eq!(b.line.drive().relay, HandsetRelay::Isolated);
        }
        b.sim.lift_handset();
        b.until(|b| b.seen.contains(&LineEvent::HandsetLifted), 1500);
        assert_eq!(b.line.drive().load, Load::Off);
        b.run_ms(1000);
        b.sim.press_handset_button(true);
        b.until(|b| b.seen.contains(&LineEvent::DoorButton), 1000);
        b.until(|b| b.verdicts.contains(&PanelEvent::LockOpened), 1000);
        b.sim.press_handset_button(false);
        b.run_ms(500);
        b.sim.replace_handset();
        b.until(|b| b.seen.contains(&LineEvent::HandsetReplaced), 2000);
        b.until(|b| b.seen.last() == Some(&LineEvent::Idle), 3000);
        assert_eq!(b.count(PanelEvent::LockOpened), 1);
    }
}

#[test]
fn a_new_selection_ends_our_call_and_bad_pulses_are_told() {
    let mut b = Bench::new(&[17], 5, HandsetFitting::Relayed);
    b.sim.dial(17);
    b.until(|b| b.seen.contains(&LineEvent::RingConfirmed), 3000);
    b.line.answer(b.sim.now()).unwrap();
    b.line.release_door(b.sim.now(), 3).unwrap();
    b.run_ms(200);
    b.sim.visitor_leave();
    b.until(|b| b.seen.contains(&LineEvent::PanelEnded), 1000);
    assert_eq!(b.line.drive(), Drive::SAFE);
    assert_eq!(b.count(PanelEvent::LockOpened), 0);
    // 300 pulses of 22 us every 100 us behind a reset.
    let mut bits = vec![0_u8; 20_000];
    for (i, byte) in bits.iter_mut().enumerate() {
        for bit in 0..8 {
            let at = i as i64 * 8 + bit - 22_000;
            let pulse = (0..30_000).contains(&at) && at % 100 < 22;
            if at >= -2_000 && !pulse {
                *byte |= 0x80 >> bit;
            }
        }
    }
    b.run_ms(2000);
    b.sense.address = AddressSense::Pulses(PulseBurst {
        low_us: 180_000,
        bits,
    });
    let now = b.sim.now();
    b.line.handle_block(now, &b.sense.clone());
    let told: Vec<LineEvent> = std::iter::from_fn(|| b.line.poll_event()).collect();
    assert!(
        matches!(told.as_slice(), [LineEvent::Unclear { doubt, .. }] if doubt.name() == "too_many"),
        "{told:?}"
    );
    b.until(
        |b| matches!(b.seen.last(), Some(LineEvent::FaultCleared { .. })),
        6000,
    );
}
