//! Calls to the box itself: a feature code is dialled and confirmed by a tone.

use std::time::Duration;

use call::{LegId, Sound};
use line_interface::BLOCK_SAMPLES;

use crate::Gateway;
use crate::leg::Kind;
use crate::sounds::{Player, tones};

const BLOCK: Duration = Duration::from_millis(10);
/// A phone needs a moment from its answer to the first sound that is heard.
const BEFORE_SOUND_MS: u32 = 300;

/// What a call to the box itself plays.
#[derive(Debug)]
pub(crate) struct Service {
    player: Player,
    /// The call ends with the sound.
    last: bool,
    next_block: Option<Duration>,
}

impl Service {
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.next_block
    }
}

fn sound_of(sound: Sound) -> Vec<i16> {
    let pause = (0.0, BEFORE_SOUND_MS);
    match sound {
        Sound::Ready => tones(&[pause, (425.0, 400)]),
        Sound::SwitchedOn => tones(&[pause, (800.0, 150), (0.0, 100), (1_000.0, 400), pause]),
        Sound::SwitchedOff => tones(&[pause, (1_000.0, 150), (0.0, 100), (800.0, 400), pause]),
        Sound::Refused => tones(&[pause, (425.0, 250), (0.0, 250), (425.0, 250), pause]),
    }
}

impl Gateway {
    /// Answers the leg if it is not yet, and plays.
    pub(crate) fn play_to_leg(&mut self, now: Duration, id: LegId, sound: Sound, last: bool) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let service = Service {
            player: Player::new(sound_of(sound).into()),
            last,
            next_block: Some(now),
        };
        let before = std::mem::replace(&mut leg.kind, Kind::Service(service));
        if let Kind::Incoming { answer: Some(sdp) } = before {
            leg.connected = true;
            leg.session.start(now);
            self.ua.answer(now, leg.call, sdp);
        }
    }

    /// Plays to the calls to the box itself and ends those that have heard all.
    pub(crate) fn run_services(&mut self, now: Duration) {
        let mut over = Vec::new();
        for (id, leg) in &mut self.legs {
            let Kind::Service(service) = &mut leg.kind else {
                continue;
            };
            while let Some(at) = service.next_block.filter(|at| *at <= now) {
                let mut block = [0; BLOCK_SAMPLES];
                service.player.fill(&mut block);
                leg.session.push_audio(now, &block);
                leg.session.pull_audio(now, &mut [0; BLOCK_SAMPLES]);
                // After a long stall the sound goes on from now instead of in a burst.
                service.next_block = Some((at + BLOCK).max(now.saturating_sub(BLOCK * 10)));
                if service.last && service.player.is_over() {
                    service.next_block = None;
                    over.push(*id);
                }
            }
        }
        for id in over {
            self.end_leg(now, id, "feature code taken");
        }
    }
}
