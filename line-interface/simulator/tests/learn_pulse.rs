//! Learning a pulse line: whatever a panel's levels and pulses are, what comes out serves that panel;
//! where spikes and pulses cannot be told apart, nothing comes out and the reason is said.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::seed;
use line_interface::learn::{
    Fitting, Guide, Heard, Proposal, Refusal, Stamp, Step, guess_pulse, propose_pulse,
};
use line_interface::pulse::PulseProfile;
use line_interface::{
    AddressSense, BlockReading, Drive, DriveBlock, HandsetFitting, LineCode, LineEvent, LinePlan,
    PanelLine, SenseBlock,
};
use line_simulation::{Action, LineModel, PanelEvent, PulseSetup, PulseSignals, PulseSimulation};

const BASE: &str = include_str!("../../profiles/laskomex-class.toml");

fn setup(n: u64, signals: PulseSignals) -> PulseSetup {
    PulseSetup {
        signals,
        seed: seed(n),
        handset_at: vec![9],
        ..PulseSetup::brand("metakom").unwrap()
    }
}

/// A panel that is none of those that were ever measured.
fn any(n: u64) -> PulseSignals {
    // A small dice of its own: the same panel for the same number.
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let narrow = 14 + below(40);
    // 255 pulses have to fit before the ring.
    let every = (2 * narrow + 30 + below(50)).min(160);
    PulseSignals {
        fed_volts: 9.8 + below(30) as f32 / 10.0,
        low_volts: below(5) as f32 / 10.0,
        rest_volts: 5.0 + below(45) as f32 / 10.0,
        reset_ms: 120 + 10 * below(20),
        first_us: (1500 + narrow * 4, 2600 + narrow * 4),
        pulse_us: (narrow, narrow + narrow / 4),
        every_us: (every, every + narrow),
        glitch_us: (1, 1 + narrow / 10),
        ring_hz: 850.0 + below(300) as f32,
        opened_hz: 2250.0 + below(300) as f32,
    }
}

/// A technician who obeys until `calls` calls are measured.
fn learn(setup: PulseSetup, calls: u32) -> (Guide, Vec<Heard>, Vec<Step>) {
    let mut sim = PulseSimulation::new(setup).unwrap();
    let mut guide = Guide::of_pulses(Fitting::Handset);
    let (mut heard, mut steps) = (Vec::new(), Vec::new());
    let (drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let (mut told, mut since) = (None, 0_u64);
    for block in 0..u64::from(calls) * 6000 {
        sim.step(&drive, &mut sense);
        let runs = match &sense.address {
            AddressSense::Pulses(burst) => burst.runs(10_000, 600),
            AddressSense::None | AddressSense::Taps(_) => Vec::new(),
        };
        guide.handle_pulses(&BlockReading::of(&sense), &runs, Drive::SAFE);
        heard.extend(std::iter::from_fn(|| guide.poll()));
        let step = guide.step();
        if told.replace(step) != Some(step) {
            steps.push(step);
            since = block;
        }
        // A person needs a moment to read.
        if block == since + 70 {
            match step {
                Step::Dial | Step::Again => sim.dial(9),
                Step::Lift => sim.act(&Action::Lift),
                Step::Press => sim.act(&Action::Press(Duration::from_millis(600))),
                Step::Replace => sim.act(&Action::Replace),
                Step::Rest | Step::Ring | Step::Talk | Step::End => {}
            }
        }
        if guide.complete_calls() >= calls && guide.at_rest() {
            break;
        }
    }
    (guide, heard, steps)
}

fn proposal(guide: &Guide) -> Result<Proposal, Vec<Refusal>> {
    let stamp = Stamp {
        line: "Riser 3".into(),
        date: "2026-11-21".into(),
    };
    propose_pulse(BASE, guide.pulses().unwrap(), &guide.levels(), &stamp)
}

fn words(refusals: &[Refusal]) -> String {
    refusals.iter().map(|r| format!("{}; ", r.cause)).collect()
}

/// The profile reads every address of that panel, and our box answers and opens with it.
fn serves(profile: &PulseProfile, setup: PulseSetup, what: &str) {
    let plan = LinePlan::Pulse {
        profile: profile.clone(),
        addresses: vec![(9, 42)],
        own: Vec::new(),
    };
    let mut line = PanelLine::new(plan, HandsetFitting::Relayed);
    let mut sim = PulseSimulation::new(setup).unwrap();
    let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let (mut events, mut verdicts) = (Vec::new(), Vec::new());
    let mut read = Vec::new();
    for block in 0..4200_u64 {
        match block {
            100 => sim.dial(9),
            700 => line
                .answer(sim.now())
                .unwrap_or_else(|e| panic!("{what}: {e} {events:?}")),
            1000 => line.release_door(sim.now(), 7).unwrap(),
            1300 => line.hang_up(sim.now()),
            // Others' addresses are read and left alone.
            2000 | 2600 | 3200 | 3800 => sim.dial([3, 57, 200, 255][(block as usize - 2000) / 600]),
            2500 | 3100 | 3700 => sim.act(&Action::Leave),
            _ => {}
        }
        sim.step(&drive, &mut sense);
        line.handle_block(sim.now(), &sense);
        (drive.drive, drive.connect) = (line.drive(), line.connect());
        while let Some(event) = line.poll_event() {
            if let LineEvent::Addressed {
                code: LineCode::Address(address),
                ..
            } = event
            {
                read.push(address);
            }
            events.push(event);
        }
        verdicts.extend(std::iter::from_fn(|| sim.poll_event()).map(|stamped| stamped.event));
    }
    assert_eq!(read, [9, 3, 57, 200, 255], "{what}: {events:?}");
    assert!(
        verdicts.contains(&PanelEvent::LockOpened),
        "{what}: {events:?} {verdicts:?}"
    );
    let wrong = |event: &&LineEvent| {
        matches!(
            event,
            LineEvent::Fault { .. } | LineEvent::HandsetLifted | LineEvent::Unclear { .. }
        )
    };
    assert_eq!(events.iter().find(wrong), None, "{what}");
}

#[test]
fn the_usual_panel_is_learned_and_served() {
    let (guide, heard, steps) = learn(setup(1, PulseSignals::default()), 2);
    assert!(heard.contains(&Heard::Address { pulses: 9 }), "{heard:?}");
    assert!(steps.starts_with(&[Step::Rest, Step::Dial]), "{steps:?}");
    let made = proposal(&guide).unwrap_or_else(|r| panic!("{} {heard:?} {steps:?}", words(&r)));
    let profile = PulseProfile::from_toml(&made.toml).unwrap();
    assert_eq!(profile.name, "riser-3-learned");
    for part in [
        "[level]\nlow_max_volts = { value = ",
        "mark = \"M\", source = \"measured on Riser 3 2026-11-21: ",
    ] {
        assert!(made.toml.contains(part), "{}", made.toml);
    }
    assert!((profile.tone.opened_hz.value - 2360.0).abs() < 50.0);
    let (brand, confidence, why) = guess_pulse(guide.pulses().unwrap(), &guide.levels());
    assert!(
        brand == "laskomex-class" && confidence == 1.0,
        "{confidence} {why}"
    );
    serves(
        &profile,
        setup(1, PulseSignals::default()),
        "the usual panel",
    );
}

#[test]
fn any_panel_is_learned_and_served_with_what_came_out() {
    let mut unlike = 0;
    for n in 0..24 {
        let signals = any(n);
        let what = format!("panel {n}: {signals:?}");
        let (guide, heard, steps) = learn(setup(n, signals.clone()), 1);
        let made = proposal(&guide)
            .unwrap_or_else(|r| panic!("{what}: {} {heard:?} {steps:?}", words(&r)));
        let profile = PulseProfile::from_toml(&made.toml).unwrap();
        let a = &profile.address;
        let (narrow, wide) = signals.pulse_us;
        // Room on both sides, and the filter stands between spikes and pulses.
        assert!(a.pulse_min_us.value * 10 <= narrow * 7, "{what}: {a:?}");
        assert!(a.pulse_max_us.value * 10 >= wide * 15, "{what}: {a:?}");
        assert!(
            a.glitch_max_us.value > signals.glitch_us.1 && a.glitch_max_us.value < narrow,
            "{what}: {a:?}"
        );
        assert!(a.reset_min_ms.value < signals.reset_ms && a.reset_max_ms.value > signals.reset_ms);
        assert!(
            (profile.tone.ring_hz.value / signals.ring_hz - 1.0).abs() < 0.03,
            "{what}"
        );
        let (_, confidence, why) = guess_pulse(guide.pulses().unwrap(), &guide.levels());
        unlike += u32::from(confidence < 1.0);
        assert!((0.2..=1.0).contains(&confidence), "{confidence} {why}");
        // Five parts count alike: whichever is named takes more than half of its fifth.
        assert_eq!(
            why.starts_with("not seen"),
            confidence < 0.9,
            "{confidence} {why}"
        );
        serves(&profile, setup(n + 100, signals), &what);
    }
    assert!(unlike > 4, "all like the usual one: {unlike}");
}

#[test]
fn spikes_as_wide_as_half_a_pulse_are_refused() {
    for (glitch_us, pulse_us, cause) in [
        ((7, 9), (20, 24), "spike(s) of up to"),
        ((1, 2), (12, 40), "pulses last from"),
    ] {
        let signals = PulseSignals {
            glitch_us,
            pulse_us,
            ..PulseSignals::default()
        };
        let (guide, ..) = learn(setup(5, signals), 2);
        let refused = proposal(&guide)
            .err()
            .unwrap_or_else(|| panic!("{cause}: accepted"));
        assert!(words(&refused).contains(cause), "{}", words(&refused));
        assert!(refused.iter().all(|r| !r.hint.is_empty()));
    }
}

#[test]
fn a_wire_that_hardly_falls_or_a_noisy_one_is_refused() {
    let weak = PulseSignals {
        rest_volts: 2.0,
        low_volts: 1.3,
        ..PulseSignals::default()
    };
    let (guide, ..) = learn(setup(6, weak), 1);
    assert!(proposal(&guide).is_err());
    let noisy = PulseSetup {
        noise_volts: 2.5,
        ..setup(7, PulseSignals::default())
    };
    let (guide, ..) = learn(noisy, 1);
    let refused = proposal(&guide).err().unwrap();
    assert!(!refused.is_empty());
}

#[test]
fn nobody_called_and_too_few_pulses_are_said() {
    let (guide, ..) = (Guide::of_pulses(Fitting::Handset), ());
    let refused = proposal(&guide).err().unwrap();
    assert!(
        words(&refused).contains("0 address pulse(s)"),
        "{}",
        words(&refused)
    );
}

/// A recording of the wire says the same as the capture.
#[test]
fn a_recorded_wire_is_counted_like_the_capture() {
    use line_interface::learn::WireRuns;
    let mut sim = PulseSimulation::new(setup(8, PulseSignals::default())).unwrap();
    LineModel::record(&mut sim);
    let (drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let (mut wire, mut runs, mut captured) = (WireRuns::default(), Vec::new(), Vec::new());
    let mut at = 0_u64;
    for block in 0..300 {
        if block == 50 {
            sim.dial(9);
        }
        LineModel::step(&mut sim, &drive, &mut sense);
        for volts in &LineModel::recorded(&sim)[0] {
            at += 1;
            if let Some(found) = wire.sample(at * 5, *volts) {
                runs.push(found);
            }
        }
        if let AddressSense::Pulses(burst) = &sense.address {
            captured.push(burst.runs(10_000, 600));
        }
    }
    let lows = |runs: &[u32]| {
        runs.iter()
            .skip(2)
            .step_by(2)
            .filter(|us| **us > 12)
            .count()
    };
    assert_eq!((runs.len(), captured.len()), (1, 1));
    assert_eq!((lows(&runs[0]), lows(&captured[0])), (9, 9));
    assert!(
        runs[0][0].abs_diff(captured[0][0]) < 30_000,
        "{} {}",
        runs[0][0],
        captured[0][0]
    );
}

/// A call that is learned, behind one to an address of nobody.
fn learn_with_a_wrong_code(wrong_hz: Option<f32>) -> Guide {
    let setup = PulseSetup {
        known: vec![9],
        ..setup(31, PulseSignals::default())
    };
    let mut sim = PulseSimulation::new(setup).unwrap();
    let mut guide = Guide::of_pulses(Fitting::Handset);
    let mut sense = SenseBlock::default();
    for block in 0..4000_u64 {
        match block {
            300 if wrong_hz.is_some() => sim.dial(77),
            1200 => sim.dial(9),
            1700 => sim.act(&Action::Lift),
            2000 => sim.act(&Action::Press(Duration::from_millis(600))),
            2300 => sim.act(&Action::Replace),
            _ => {}
        }
        sim.step(&DriveBlock::default(), &mut sense);
        let runs = match &sense.address {
            AddressSense::Pulses(burst) => burst.runs(10_000, 600),
            AddressSense::None | AddressSense::Taps(_) => Vec::new(),
        };
        guide.handle_pulses(&BlockReading::of(&sense), &runs, Drive::SAFE);
        while guide.poll().is_some() {}
    }
    guide
}

#[test]
fn the_tone_of_a_wrong_code_is_learned_when_one_was_dialled() {
    for wrong in [None, Some(1890.0)] {
        let guide = learn_with_a_wrong_code(wrong);
        let made = proposal(&guide).unwrap_or_else(|r| panic!("{}", words(&r)));
        let change = made.changes.iter().find(|c| c.key == "wrong_code_hz");
        assert_eq!(change.is_some(), wrong.is_some(), "{:?}", made.changes);
        let profile = PulseProfile::from_toml(&made.toml).unwrap();
        // The wrong code is no ring, and takes nothing from what the ring is.
        assert!((profile.tone.ring_hz.value / 1000.0 - 1.0).abs() < 0.03);
        assert!((profile.tone.wrong_code_hz.value / 1890.0 - 1.0).abs() < 0.03);
        assert!(
            profile.level.low_max_volts.value > 2.0,
            "{:?}",
            profile.level
        );
    }
    // Two tones that are nobody's ring say nothing; one like the ring is the ring.
    let guide = learn_with_a_wrong_code(Some(1890.0));
    for (more, proposed) in [(1500.0, false), (1880.0, true), (1000.0, true)] {
        let mut book = guide.pulses().unwrap().clone();
        book.unanswered_hz.push(more);
        let stamp = Stamp {
            line: "Riser 3".into(),
            date: "2026-11-21".into(),
        };
        let made = propose_pulse(BASE, &book, &guide.levels(), &stamp);
        let made = made.unwrap_or_else(|r| panic!("{}", words(&r)));
        let found = made.changes.iter().any(|c| c.key == "wrong_code_hz");
        assert_eq!(found, proposed, "{more}");
    }
}
