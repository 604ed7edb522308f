//! Whatever the wires and the callers do: no load of ours on a line that is not our call.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use line_interface::{
    Drive, HandsetFitting, HandsetRelay, Line, LineErrorKind, LineEvent, LineState, Load, Profile,
    SenseBlock,
};

/// A small generator: the schedules must be the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A block of some situation, held for a while so that debounces are reached, or plain nonsense.
fn block(dice: &mut Dice, situation: u64) -> SenseBlock {
    let mut sense = SenseBlock::default();
    let (volts, milliamps) = match situation {
        0 => (0.0, 0.0),
        1 => (2.4, 30.0),
        2 => (6.4, 19.0),
        3 => (10.6, 0.0),
        4 => (0.1, 45.0),
        5 => (-10.0, 0.0),
        _ => (2.4, 30.0),
    };
    let handset = [0.05, 0.7, 0.7, 0.7, 3.3, 5.0][dice.below(6) as usize];
    for i in 0..80 {
        sense.line_volts[i] = match situation {
            6 => {
                if i / 4 % 2 == 0 {
                    2.5
                } else {
                    0.05
                }
            }
            7 => [f32::NAN, f32::INFINITY, -1e30, 1e30, 3.0][dice.below(5) as usize],
            8 => dice.below(24) as f32 - 12.0,
            _ => volts,
        };
        sense.line_milliamps[i] = milliamps;
        sense.handset_volts[i] = if situation == 7 { f32::NAN } else { handset };
    }
    sense
}

/// Says from the outside whether a call of ours can be on the line.
#[derive(Default)]
struct Model {
    ours: bool,
    hanging_up: Option<Duration>,
    open_token: Option<u64>,
}

#[test]
fn no_load_without_a_call_of_ours_over_random_schedules() {
    let (mut calls, mut doors, mut lifts, mut falls) = (0, 0, 0, 0);
    for n in 0..4000_u64 {
        let mut dice = Dice(n);
        let names: Vec<_> = Profile::builtin_names().collect();
        let profile = Profile::builtin(names[dice.below(4) as usize]).unwrap();
        let fitting = if n % 3 == 0 {
            HandsetFitting::Absent
        } else {
            HandsetFitting::Relayed
        };
        let resting = match fitting {
            HandsetFitting::Relayed => Load::Off,
            HandsetFitting::Absent => Load::OnHook,
        };
        let hang_up_bound = Duration::from_millis(profile.timing.on_hook_ms.value + 20);
        let mut line = Line::new(profile, fitting);
        let mut model = Model::default();
        let mut now = Duration::from_millis(dice.below(100_000));
        let (mut situation, mut left) = (0, 0);
        for step in 0..500_u64 {
            if left == 0 {
                situation = [0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 6, 6, 7, 8][dice.below(14) as usize];
                left = 1 + dice.below(60);
            }
            left -= 1;
            now += Duration::from_millis(10);
            if dice.below(200) == 0 {
                now += Duration::from_millis(dice.below(5000));
            }
            for phase in 0..2 {
                if phase == 0 {
                    let mut sense = block(&mut dice, situation);
                    // Mostly as ordered, sometimes later than ordered, sometimes let go.
                    let fallen = dice.below(300) == 0;
                    sense.applied = match dice.below(30) {
                        _ if fallen => None,
                        0 => Some(Drive::SAFE),
                        _ => Some(line.drive()),
                    };
                    line.handle_block(now, &sense);
                    if fallen {
                        falls += 1;
                        assert_eq!(line.drive(), Drive::SAFE, "driven after a fall");
                        model.ours = false;
                    }
                } else {
                    match dice.below(40) {
                        0..=4 if line.answer(now).is_ok() => {
                            assert!(!model.ours, "answered twice");
                            model = Model {
                                ours: true,
                                ..Model::default()
                            };
                            calls += 1;
                        }
                        5..=7 => match line.release_door(now, step) {
                            Ok(()) => {
                                assert!(model.ours && model.open_token.is_none());
                                model.open_token = Some(step);
                            }
                            Err(e) => assert!(
                                e.kind != LineErrorKind::DoorBusy || model.open_token.is_some(),
                                "busy without a release"
                            ),
                        },
                        8 if dice.below(4) == 0 => line.hang_up(now),
                        9 if dice.below(30) == 0 => {
                            line.card_lost(now);
                            assert_eq!(line.drive(), Drive::SAFE);
                        }
                        _ => {}
                    }
                }
                while let Some(event) = line.poll_event() {
                    match event {
                        LineEvent::PanelEnded => model.ours = false,
                        LineEvent::HandsetLifted => {
                            model.ours = false;
                            lifts += 1;
                        }
                        LineEvent::DoorReleaseEnded { token } => {
                            assert_eq!(model.open_token.take(), Some(token));
                            doors += 1;
                        }
                        LineEvent::DoorReleaseFailed { token, .. } => {
                            assert_eq!(model.open_token.take(), Some(token), "told twice");
                        }
                        _ => {}
                    }
                }
            }
            let status = line.status();
            if status.state == LineState::HangingUp {
                let since = *model.hanging_up.get_or_insert(now);
                assert!(
                    now - since <= hang_up_bound + Duration::from_secs(5),
                    "stuck on-hook"
                );
            } else if model.hanging_up.take().is_some() {
                model.ours = false;
            }
            let drive = line.drive();
            if !model.ours {
                assert!(
                    matches!(drive.load, Load::Off) || drive.load == resting,
                    "{drive:?} in {} after {n}/{step}",
                    status.state.name()
                );
                assert_eq!(drive.relay, HandsetRelay::Through, "{n}/{step}");
                assert!(model.open_token.is_none(), "a release outlived its call");
            }
            if drive.load == Load::Residue {
                assert_eq!(status.state, LineState::DoorRelease);
                assert!(model.open_token.is_some());
            }
            if fitting == HandsetFitting::Absent {
                assert_eq!(drive.relay, HandsetRelay::Through);
            }
        }
    }
    assert!(
        calls > 500 && doors > 50 && lifts > 100 && falls > 500,
        "{calls} {doors} {lifts} {falls}: too tame"
    );
}

#[test]
fn an_undrained_line_keeps_its_memory_bounded() {
    let mut line = Line::new(Profile::builtin("vizit").unwrap(), HandsetFitting::Relayed);
    let mut dice = Dice(1);
    for i in 0..200_000_u64 {
        let situation = if i / 40 % 2 == 0 { 0 } else { 6 };
        line.handle_block(Duration::from_millis(i * 10), &block(&mut dice, situation));
    }
    let mut events = 0;
    while line.poll_event().is_some() {
        events += 1;
    }
    assert!((1..=256).contains(&events), "{events}");
}
