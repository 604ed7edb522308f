//! Samples in by RTP timestamp, 10 ms blocks out by the line's clock.
//!
//! The buffer starts to play a margin after the first packet and then follows the line's clock. When it runs dry it makes
//! sound up and waits: the packet that was merely late is played in full, with the delay grown by as much (a lost one is
//! skipped when its successor comes). When every packet of the last seconds has come early enough, the delay is cut back by
//! a pitch period at a time.
//!
//! Opus brings means of its own. Where the buffer is dry its decoder goes on from the last packet. A packet behind a gap may hold a
//! copy of what was lost, which helps only if there is time to play it: while such copies come too late, a packet more is held.

use std::ops::Range;
use std::time::Duration;

use dsp::concealment::Concealer;
use dsp::time_scale::{MAX_CUT, MIN_CUT, shorten};

use super::slack::Slack;
use crate::codec::{Decoder, OPUS_STEP, begins_pause, has_redundancy};
use crate::{BLOCK_SAMPLES, Codec, JitterConfig};

/// The longest packet that is taken, samples (256 ms).
const LONGEST: usize = 2048;
/// A jump of the timestamp beyond this starts a new stretch, samples (0.5 s).
const LARGEST_JUMP: i32 = 4000;
/// Packets in a row that are too late before the peer's clock is taken to have been set back.
const LATE_RUN: u32 = 5;
/// After an overflow the buffer is kept short for this long.
const BURST: Duration = Duration::from_millis(50);
/// The longest gap that a codec's own means bridge, samples (120 ms).
const LONGEST_BRIDGE: i32 = 960;
/// How long a packet more is held after a loss that the codec could have mended.
const HOLD_FOR_COPIES: Duration = Duration::from_secs(10);
/// The longest packet that most peers send, samples (40 ms).
const USUAL: usize = 320;
const BLOCK: i32 = BLOCK_SAMPLES as i32;

/// What a place of the ring holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Empty,
    /// What the codec made up for a gap.
    MadeUp,
    Sound,
}

/// Counts since the session began.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) late: u64,
    pub(crate) concealed_ms: u64,
    /// Blocks pulled since the first packet.
    pub(crate) pulled: u64,
    pub(crate) shortened_samples: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has come.
    Idle,
    /// The first packets wait for the margin.
    Filling {
        play_at: Duration,
    },
    Playing,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    /// A power of two of samples, so that it goes on over the wrap of the timestamps. What was before the packet that comes is
    /// dropped before it is stored, so no more than the longest delay, or one packet, is ever in it.
    ring: Vec<i16>,
    places: Vec<Place>,
    state: State,
    margin: Duration,
    max_delay: i32,
    /// Timestamp of the next sample to play.
    next: u32,
    /// Samples from `next` to the end of the newest packet.
    held: i32,
    /// Samples made up while the buffer was dry and which may still come.
    owed: i32,
    late_run: u32,
    last_late: Option<Duration>,
    /// Delay to add because packets keep coming out of order, samples.
    grow: i32,
    last_pull: Option<Duration>,
    overflowed: Option<Duration>,
    slack: Slack,
    decoder: Decoder,
    /// Timestamp behind the newest sample that was decoded.
    decoded: u32,
    /// The same for the newest packet, without what was made up behind it.
    newest: u32,
    /// Whether these two mean anything yet.
    decoding: bool,
    /// The peer said that it pauses.
    quiet: bool,
    /// Until when a packet more is held, and how long it is, samples.
    hold_for_copies: Option<(Duration, i32)>,
    concealer: Concealer,
    /// The gap that is being bridged began while a key was down; it lasts until sound comes again.
    pausing: bool,
    /// Whether a part of the last block was made up.
    pub(crate) made_up: bool,
    pub(crate) counters: Counters,
}

impl JitterBuffer {
    pub(crate) fn new(config: &JitterConfig) -> JitterBuffer {
        let max_delay_ms = config.max_delay_ms.clamp(60, 500) as usize;
        let capacity = (max_delay_ms * 8).max(LONGEST).next_power_of_two();
        JitterBuffer {
            ring: vec![0; capacity],
            places: vec![Place::Empty; capacity],
            state: State::Idle,
            margin: Duration::from_millis(u64::from(config.margin_ms.min(100))),
            max_delay: max_delay_ms as i32 * 8,
            next: 0,
            held: 0,
            owed: 0,
            late_run: 0,
            last_late: None,
            grow: 0,
            last_pull: None,
            overflowed: None,
            slack: Slack::new(config.memory_ms),
            decoder: Decoder::new(),
            decoded: 0,
            newest: 0,
            decoding: false,
            quiet: false,
            hold_for_copies: None,
            concealer: Concealer::new(),
            pausing: false,
            made_up: false,
            counters: Counters::default(),
        }
    }

    /// Audio waiting, ms.
    pub(crate) fn held_ms(&self) -> u32 {
        (self.held.max(0) / 8) as u32
    }

    /// Another stream follows: what waits is dropped, the joint is concealed.
    pub(crate) fn restart(&mut self) {
        self.places.fill(Place::Empty);
        self.decoder.restart();
        self.decoding = false;
        self.quiet = false;
        self.state = State::Idle;
        self.held = 0;
        self.owed = 0;
        self.late_run = 0;
        self.grow = 0;
        self.slack.reset();
    }

    /// Takes the audio of a packet.
    pub(crate) fn insert(&mut self, now: Duration, timestamp: u32, codec: Codec, payload: &[u8]) {
        let Some(samples) = codec.samples_in(payload).filter(|n| *n <= LONGEST) else {
            return;
        };
        let length = samples as i32;
        self.quiet = begins_pause(codec, payload);
        if self.state == State::Idle {
            self.begin(now, timestamp);
        }
        let mut offset = timestamp.wrapping_sub(self.next) as i32;
        if self.held <= 0 && self.owed > 0 && offset > 0 {
            // What was made up while dry stands for what was lost (or never sent) before this packet.
            let stood_for = offset.min(self.owed);
            self.advance(stood_for);
            self.owed -= stood_for;
            offset -= stood_for;
        }
        if !(-LARGEST_JUMP..=LARGEST_JUMP).contains(&offset) {
            self.restart();
            self.begin(now, timestamp);
            offset = 0;
        }
        if matches!(self.state, State::Filling { .. }) && (-BLOCK * 6..0).contains(&offset) {
            // The second packet of the stream came first.
            self.next = timestamp;
            self.held += -offset;
            offset = 0;
        }
        if self.held <= 0 && offset + length > 0 {
            // The delay has grown by what was made up in vain.
            self.slack.shift(self.owed);
            self.owed = 0;
        }
        self.note_slack(now, offset);
        if offset + length <= 0 {
            self.too_late(now, -offset);
            if self.late_run < LATE_RUN {
                return;
            }
            self.restart();
            self.begin(now, timestamp);
            offset = 0;
        }
        self.late_run = 0;
        offset -= self.limit(now, offset, length);
        self.write(now, (timestamp, offset, length), codec, payload);
        self.held = self.held.max(offset + length);
    }

    /// Drops the oldest audio that would be above the limit with a packet to come, and gives how many samples that were. After an
    /// outage everything comes in one burst; only its end is kept.
    fn limit(&mut self, now: Duration, offset: i32, length: i32) -> i32 {
        let in_burst = self
            .overflowed
            .is_some_and(|at| now.saturating_sub(at) < BURST);
        let kept = (self.max_delay / 4).max(length);
        let held = self.held.max(offset + length);
        if held <= if in_burst { kept } else { self.max_delay } {
            return 0;
        }
        self.overflowed = Some(now);
        let surplus = held - kept;
        self.advance(surplus);
        self.slack.shift(-surplus);
        self.counters.shortened_samples += surplus as u64;
        surplus
    }

    /// Gives the next 10 ms. `pause` says that a key is down at the peer and no audio is to be expected.
    pub(crate) fn pull(&mut self, now: Duration, pause: bool, out: &mut [i16; BLOCK_SAMPLES]) {
        self.made_up = false;
        self.pausing |= pause;
        let began = self.counters.pulled > 0;
        self.last_pull = Some(now);
        self.counters.pulled += u64::from(began || self.state != State::Idle);
        match self.state {
            State::Idle => {
                self.made_up = self.concealer.conceal(out);
                return;
            }
            State::Filling { play_at } if now < play_at => {
                self.made_up = self.concealer.conceal(out);
                return;
            }
            State::Filling { .. } => self.state = State::Playing,
            State::Playing => {}
        }
        if self.held < BLOCK || self.grow >= BLOCK {
            self.wait(out);
        } else if !self.cut(out) {
            self.play(out);
        }
    }

    fn begin(&mut self, now: Duration, timestamp: u32) {
        self.next = timestamp;
        self.state = State::Filling {
            play_at: now + self.margin,
        };
    }

    fn note_slack(&mut self, now: Duration, offset: i32) {
        if self.state != State::Playing {
            return;
        }
        if let Some(last_pull) = self.last_pull {
            let since = (now.saturating_sub(last_pull).as_micros() * 8 / 1000).min(8000) as i32;
            self.slack.note(now, BLOCK - since + offset);
        }
    }

    fn too_late(&mut self, now: Duration, by: i32) {
        self.counters.late += 1;
        self.late_run += 1;
        // Once may be chance. Again within two seconds means that the network reorders, and waiting longer would help.
        if self
            .last_late
            .is_some_and(|before| now.saturating_sub(before) < Duration::from_secs(2))
        {
            self.grow = self.grow.max(by.min(480));
        }
        self.last_late = Some(now);
    }

    /// Nothing to play yet: make up a block without moving on.
    fn wait(&mut self, out: &mut [i16; BLOCK_SAMPLES]) {
        if self.held >= BLOCK {
            self.make_up(out);
            self.grow -= BLOCK;
            self.slack.shift(BLOCK);
            return;
        }
        self.grow = 0;
        self.pausing |= self.quiet;
        let rest = self.held.max(0);
        let (here, missing) = out.split_at_mut(rest as usize);
        if self.copy(here) {
            self.good(here);
            self.go_on(missing);
        } else {
            self.go_on(out);
        }
        self.advance(rest);
        self.owed = self.owed.saturating_add(BLOCK - rest);
    }

    /// Makes up what follows the last packet, by the codec's own means where it has such.
    fn go_on(&mut self, out: &mut [i16]) {
        let mut whole = [0; BLOCK_SAMPLES];
        let steps = out.len().next_multiple_of(OPUS_STEP).min(BLOCK_SAMPLES);
        let made = whole.get_mut(..steps).is_some_and(|whole| {
            self.decoding && !self.concealer.in_gap() && self.decoder.conceal(whole)
        });
        if !made {
            return self.make_up(out);
        }
        self.made_up = true;
        self.decoded = self.decoded.wrapping_add(steps as u32);
        for (sample, made) in out.iter_mut().zip(whole) {
            *sample = made;
        }
        self.concealer.good(out);
        self.made_up_samples(out.len());
    }

    fn make_up(&mut self, out: &mut [i16]) {
        self.made_up = true;
        if self.concealer.conceal(out) {
            self.made_up_samples(out.len());
        }
    }

    /// Silence that a key asked for is no loss.
    fn made_up_samples(&mut self, samples: usize) {
        if !self.pausing {
            self.counters.concealed_ms += (samples as u64).div_ceil(8);
        }
    }

    fn good(&mut self, played: &mut [i16]) {
        self.concealer.good(played);
        self.pausing &= played.is_empty();
    }

    /// Copies the next samples; false when one of them has not come.
    fn copy(&self, out: &mut [i16]) -> bool {
        let (first, second) = self.parts(self.next, out.len());
        let (head, tail) = out.split_at_mut(first.len());
        [(head, first), (tail, second)]
            .into_iter()
            .all(|(out, part)| {
                let sound = |places: &[Place]| places.iter().all(|place| *place == Place::Sound);
                match (self.ring.get(part.clone()), self.places.get(part)) {
                    (Some(samples), Some(places)) if sound(places) => {
                        out.copy_from_slice(samples);
                        true
                    }
                    _ => false,
                }
            })
    }

    /// Plays a block shortened by a pitch period when the delay is longer than the last seconds needed.
    fn cut(&mut self, out: &mut [i16; BLOCK_SAMPLES]) -> bool {
        let held_back = self
            .hold_for_copies
            .filter(|(until, _)| self.last_pull.is_some_and(|now| now < *until))
            .map_or(0, |(_, samples)| samples);
        let margin = self.margin.as_millis() as i32 * 8 + held_back;
        let surplus = self.slack.least().map_or(0, |least| least - margin - BLOCK);
        if surplus < MIN_CUT as i32 || self.concealer.in_gap() {
            return false;
        }
        let longest = (surplus as usize)
            .min(MAX_CUT)
            .min((self.held - BLOCK).max(0) as usize);
        let mut input = [0; BLOCK_SAMPLES + MAX_CUT];
        let (input, _) = input.split_at_mut(BLOCK_SAMPLES + longest);
        if !self.copy(input) {
            return false;
        }
        let Some(cut) = shorten(input, out, longest) else {
            return false;
        };
        self.good(out);
        self.advance(BLOCK + cut as i32);
        self.slack.shift(-(cut as i32));
        self.counters.shortened_samples += cut as u64;
        true
    }

    fn play(&mut self, out: &mut [i16; BLOCK_SAMPLES]) {
        if self.copy(out) {
            self.made_up = false;
            self.good(out);
            self.advance(BLOCK);
        } else {
            self.play_with_gaps(out);
        }
    }

    fn play_with_gaps(&mut self, out: &mut [i16; BLOCK_SAMPLES]) {
        let mut missing = 0;
        let mut empty = [false; BLOCK_SAMPLES];
        for (i, (slot, empty)) in out.iter_mut().zip(empty.iter_mut()).enumerate() {
            let index = self.index(self.next.wrapping_add(i as u32));
            let place = self.places.get(index).copied().unwrap_or(Place::Empty);
            *empty = place == Place::Empty;
            *slot = self.ring.get(index).copied().unwrap_or(0);
            missing += usize::from(place != Place::Sound);
        }
        self.made_up = missing > 0;
        if empty.contains(&true) {
            let mut made_up = [0; BLOCK_SAMPLES];
            self.concealer.conceal(&mut made_up);
            for ((slot, made_up), empty) in out.iter_mut().zip(made_up).zip(empty) {
                if empty {
                    *slot = made_up;
                }
            }
        } else {
            self.good(out);
        }
        if missing > 0 {
            self.made_up_samples(missing);
        }
        self.advance(BLOCK);
    }

    fn write(
        &mut self,
        now: Duration,
        (timestamp, offset, length): (u32, i32, i32),
        codec: Codec,
        payload: &[u8],
    ) {
        let ahead = timestamp.wrapping_sub(self.decoded).cast_signed();
        let behind = ahead < 0 && self.held > 0 && self.decoding;
        let length = length.unsigned_abs() as usize;
        let (mut short, mut long);
        let samples: &mut [i16] = if length <= USUAL {
            short = [0; USUAL];
            &mut short
        } else {
            long = [0; LONGEST];
            &mut long
        };
        let (samples, _) = samples.split_at_mut(length.min(LONGEST));
        if !behind && self.decoding {
            self.bridge(timestamp, offset, ahead, codec, payload);
            let lost = timestamp.wrapping_sub(self.newest).cast_signed();
            if (1..=LONGEST_BRIDGE).contains(&lost) && has_redundancy(codec, payload) {
                self.redundancy_seen(now, offset, samples.len() as i32);
            }
        }
        if !self.decoder.decode(codec, payload, behind, samples) {
            return;
        }
        if !behind {
            self.decoded = timestamp.wrapping_add(samples.len() as u32);
            self.newest = self.decoded;
            self.decoding = true;
        }
        // A packet of Opus that was overtaken is decoded without its past: a copy of it that came in time sounds better.
        let over = !(behind && codec == Codec::Opus);
        self.store(timestamp, offset, samples, (Place::Sound, over));
    }

    /// What was lost right before a packet, by the codec's own means.
    fn bridge(&mut self, timestamp: u32, offset: i32, gap: i32, codec: Codec, payload: &[u8]) {
        let gap = gap / OPUS_STEP as i32 * OPUS_STEP as i32;
        if !(1..=LONGEST_BRIDGE).contains(&gap) {
            return;
        }
        let mut samples = [0; LONGEST_BRIDGE as usize];
        let (samples, _) = samples.split_at_mut(gap as usize);
        let Some(copied) = self.decoder.bridge(codec, payload, samples) else {
            return;
        };
        let (made_up, copy) = samples.split_at(samples.len() - copied);
        let start = timestamp.wrapping_sub(gap as u32);
        self.store(start, offset - gap, made_up, (Place::MadeUp, false));
        let start = timestamp.wrapping_sub(copied as u32);
        self.store(start, offset - copied as i32, copy, (Place::Sound, false));
    }

    /// A packet of `length` with a copy of a lost one came `offset` samples before it is due.
    fn redundancy_seen(&mut self, now: Duration, offset: i32, length: i32) {
        if offset < length {
            // Its copy came after it was due; the next one shall not.
            self.grow = self.grow.max((length - offset.max(0)).min(480));
        }
        self.hold_for_copies = Some((now + HOLD_FOR_COPIES, length));
    }

    /// Puts samples into the ring, over sound that is there or not, and not before what is played next.
    fn store(&mut self, timestamp: u32, offset: i32, samples: &[i16], (what, over): (Place, bool)) {
        let past = (-offset).max(0) as usize;
        let Some(samples) = samples.get(past..) else {
            return;
        };
        let (first, second) = self.parts(timestamp.wrapping_add(past as u32), samples.len());
        let (head, tail) = samples.split_at(first.len());
        for (samples, part) in [(head, first), (tail, second)] {
            let (Some(ring), Some(places)) =
                (self.ring.get_mut(part.clone()), self.places.get_mut(part))
            else {
                continue;
            };
            if over {
                ring.copy_from_slice(samples);
                places.fill(what);
                continue;
            }
            for ((sample, place), decoded) in ring.iter_mut().zip(places).zip(samples) {
                if *place != Place::Sound {
                    *sample = *decoded;
                    *place = what;
                }
            }
        }
    }

    /// Moves on by `samples`, forgetting what lies before.
    fn advance(&mut self, samples: i32) {
        let forgotten = samples.min(self.held).max(0) as usize;
        let (first, second) = self.parts(self.next, forgotten);
        for part in [first, second] {
            if let Some(places) = self.places.get_mut(part) {
                places.fill(Place::Empty);
            }
        }
        self.next = self.next.wrapping_add(samples as u32);
        self.held = (self.held - samples).max(0);
    }

    /// The places of samples in the ring, no more than it has: up to the end of the ring, and on from its start.
    fn parts(&self, timestamp: u32, samples: usize) -> (Range<usize>, Range<usize>) {
        let start = self.index(timestamp);
        let samples = samples.min(self.ring.len());
        let end = (start + samples).min(self.ring.len());
        (start..end, 0..samples - (end - start))
    }

    fn index(&self, timestamp: u32) -> usize {
        timestamp as usize & (self.ring.len() - 1)
    }
}
