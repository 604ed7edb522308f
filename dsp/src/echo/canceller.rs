//! The partitioned-block frequency-domain filter with two paths (Soo and Pang 1990 for the filter, Ochiai 1977 for the two
//! paths).

use std::cell::Cell;
use std::thread::LocalKey;

use super::bend::Bend;
use super::bulk::BulkWatch;
use super::control::{Astray, Control, Verdict};
use super::far::{FarEnd, emphasise};
use super::filter::Filter;
use super::kalman::Kalman;
use super::path::EchoPath;
use super::spectra::Spectra;
use super::step::{Powers, StepControl};
use super::{EMPHASIS, LEAST, Shape, differ, settle};
use crate::Rate;
use crate::lanes::{energy, product};
use crate::sample::finite;
use crate::transform::Transform;

/// Magnitude from which a sample counts as clipped: the path is not linear there, and nothing is learned.
const CLIPPED: f32 = 0.995;
/// Share of the echo that may be wrong in a path that was kept from an earlier call, and in one that was moved.
const KEPT: f32 = 0.1;

/// Taps of the longest filter, 500 ms at 16 kHz.
const MOST_TAPS: usize = 8000;

/// Share of the heard filter's error energy below which the scout's says that it is clearly ahead.
const AHEAD: f32 = 0.7;

/// Share of the heard filter's error energy below which the scout's says that the filters move...
const MOVING: f32 = 0.8;
/// ...and for how many more blocks they are taken to, 0.5 s.
const MOVING_BLOCKS: u32 = 50;

/// What a canceller is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoSettings {
    /// Sample rate.
    pub rate: Rate,
    /// Longest echo path behind the bulk delay, ms; 10..=500, rounded up to whole blocks.
    pub tail_ms: u32,
    /// Longest bulk delay that is looked for, removed and followed, ms; 20..=2000, or 0 for none.
    pub search_ms: u32,
}

impl Default for EchoSettings {
    /// 8 kHz, a tail of 64 ms, bulk delays of up to 250 ms.
    fn default() -> EchoSettings {
        EchoSettings {
            rate: Rate::Hz8000,
            tail_ms: 64,
            search_ms: 250,
        }
    }
}

/// What a block's processing says about the echo, for the suppressor and for meters.
#[derive(Debug, Clone)]
pub struct EchoReport {
    /// The echo that was taken out of this block.
    pub(crate) echo: Vec<f32>,
    /// Share of its power that is estimated to be left, bin by bin of 50 Hz.
    pub(crate) doubt: Vec<f32>,
    /// Echo return loss enhancement of the linear part over about a second of far-end speech, dB; 0 until something is known.
    pub erle_db: f32,
    /// Delay of the first clear part of the echo, ms; `None` until it is found, or when it is not looked for.
    pub delay_ms: Option<f32>,
    /// Bulk delay that is removed before the filter, ms.
    pub removed_ms: f32,
}

/// Removes the echo of `far` from `mic`. Blocks of 10 ms, no delay.
#[derive(Debug, Clone)]
pub struct EchoCanceller {
    settings: EchoSettings,
    shape: Shape,
    far: FarEnd,
    bulk: Option<BulkWatch>,
    /// The filter that is heard, and the doubt about it.
    front: Filter,
    kalman: Kalman,
    /// What the loudspeaker bends.
    bend: Bend,
    /// The one that learns faster.
    scout: Filter,
    steps: StepControl,
    control: Control,
    astray: Astray,
    far_power: Vec<f32>,
    emphasis_mic: f32,
    emphasis_out: f32,
    /// Whose turn it is to be constrained, and for how many more blocks the filters count as moving.
    turn: usize,
    moving_for: u32,
    clipped_for: u32,
    mic_mean: f32,
    out_mean: f32,
    report: EchoReport,
}

/// Room for the blocks and spectra of one step.
#[derive(Debug, Clone)]
struct Scratch {
    /// What goes to the loudspeaker and what the microphone brought, whole and clean.
    far: Vec<f32>,
    mic: Vec<f32>,
    /// What the microphone brought, emphasised, and the same without what was bent.
    heard: Vec<f32>,
    near: Vec<f32>,
    echo: Vec<f32>,
    error: Vec<f32>,
    scout_echo: Vec<f32>,
    scout_error: Vec<f32>,
    /// The scout's echo without the filter's.
    apart: Vec<f32>,
    /// Room for two blocks.
    window: Vec<f32>,
    spectrum: Spectra,
    error_power: Vec<f32>,
    echo_power: Vec<f32>,
    steps: Vec<f32>,
}

impl Scratch {
    fn new(shape: Shape) -> Scratch {
        let block = vec![0.0; shape.block];
        let bins = vec![0.0; shape.stride];
        Scratch {
            far: block.clone(),
            mic: block.clone(),
            heard: block.clone(),
            near: block.clone(),
            echo: block.clone(),
            error: block.clone(),
            scout_echo: block.clone(),
            scout_error: block.clone(),
            apart: block,
            window: vec![0.0; shape.window],
            spectrum: Spectra::new(shape, 1),
            error_power: bins.clone(),
            echo_power: bins.clone(),
            steps: bins,
        }
    }

    /// The thread's, to be given back.
    fn take(shape: Shape) -> Box<Scratch> {
        let kept = Scratch::of(shape.transform).take();
        kept.unwrap_or_else(|| Box::new(Scratch::new(shape)))
    }

    fn give_back(self: Box<Scratch>, shape: Shape) {
        Scratch::of(shape.transform).set(Some(self));
    }

    fn of(transform: Transform) -> &'static LocalKey<Cell<Option<Box<Scratch>>>> {
        match transform {
            Transform::Short => &SHORT,
            Transform::Long => &LONG,
        }
    }
}

thread_local! {
    // One for all calls of a thread and a rate, so that it stays in the cache; made with the first canceller of the rate.
    static SHORT: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
    static LONG: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Replaces `spectrum` by that of silence and `block` behind it; `window` is room for both.
fn transform(spectrum: &mut Spectra, window: &mut [f32], block: &[f32]) {
    let (silence, second) = window.split_at_mut(block.len());
    silence.fill(0.0);
    second.copy_from_slice(block);
    spectrum.transform(0, window);
}

impl EchoCanceller {
    /// A canceller at 8 kHz for echo paths of up to `tail_ms`, 10..=500, rounded up to whole blocks, that looks for no bulk
    /// delay.
    pub fn new(tail_ms: u32) -> EchoCanceller {
        EchoCanceller::with(EchoSettings {
            tail_ms,
            search_ms: 0,
            ..EchoSettings::default()
        })
    }

    /// A canceller that has heard nothing.
    pub fn with(settings: EchoSettings) -> EchoCanceller {
        let shape = Shape::new(settings.rate, settings.tail_ms);
        let searches = settings.search_ms > 0;
        let longest = if searches {
            settings.search_ms.clamp(20, 2000) as usize * settings.rate.hz() as usize / 1000
        } else {
            0
        };
        // The thread's room is made now, not in the first block.
        Scratch::take(shape).give_back(shape);
        EchoCanceller {
            settings,
            shape,
            far: FarEnd::new(shape, longest),
            bulk: searches.then(|| BulkWatch::new(settings.rate, settings.search_ms)),
            front: Filter::new(shape),
            kalman: Kalman::suspicious(shape),
            bend: Bend::new(shape, longest),
            scout: Filter::new(shape),
            steps: StepControl::new(shape),
            control: Control::default(),
            astray: Astray::default(),
            far_power: vec![0.0; shape.stride],
            emphasis_mic: 0.0,
            emphasis_out: 0.0,
            turn: 0,
            moving_for: 0,
            clipped_for: 0,
            mic_mean: 0.0,
            out_mean: 0.0,
            report: EchoReport {
                echo: vec![0.0; shape.block],
                doubt: vec![1.0; shape.bins],
                erle_db: 0.0,
                delay_ms: None,
                removed_ms: 0.0,
            },
        }
    }

    /// What it was made for.
    pub fn settings(&self) -> EchoSettings {
        self.settings
    }

    /// Samples of a block: 10 ms.
    pub fn block(&self) -> usize {
        self.shape.block
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = EchoCanceller::with(self.settings);
    }

    /// The path that was learned; `None` before it takes out more than 6 dB.
    pub fn path(&mut self) -> Option<EchoPath> {
        if self.report.erle_db < 6.0 {
            return None;
        }
        let mut taps = vec![0.0; self.shape.partitions * self.shape.block];
        self.front.taps(&mut taps);
        Some(EchoPath::new(self.settings.rate, self.far.delay(), taps))
    }

    /// Starts from a path that was learned before; it is learned on from there, and given up like any other when it does not
    /// fit. One of another sample rate, or later than any delay that is looked for, is left alone. This belongs between calls: it
    /// allocates.
    pub fn start_from(&mut self, path: &EchoPath) {
        let fits = path.delay == 0
            || path.delay <= self.settings.search_ms as usize * self.shape.block / 10;
        if path.rate != self.settings.rate || !fits {
            return;
        }
        self.start_over();
        // What was found of the path before says nothing of this one.
        if let Some(bulk) = &mut self.bulk {
            *bulk = BulkWatch::new(self.settings.rate, self.settings.search_ms);
        }
        self.far.set_delay(path.delay);
        self.bend.set_delay(path.delay);
        self.report.removed_ms = path.delay as f32 * 1000.0 / self.settings.rate.hz() as f32;
        self.front.set_taps(&path.taps);
        self.scout.copy_from(&self.front);
        self.kalman.restart(&self.front, KEPT);
    }

    /// Takes what goes to the loudspeaker and replaces `mic`, what came from the microphone at the same time, by what is left
    /// without the echo. Both are one block; what is missing is silence, what is more is left alone.
    pub fn process(&mut self, far: &[f32], mic: &mut [f32]) -> &EchoReport {
        let mut room = Scratch::take(self.shape);
        self.cancel(far, mic, &mut room);
        room.give_back(self.shape);
        &self.report
    }

    fn cancel(&mut self, far: &[f32], mic: &mut [f32], scratch: &mut Scratch) {
        let clipped = self.prepare(far, mic, scratch);
        let window = &mut scratch.window;
        let mic_energy = self
            .bend
            .cancel(&scratch.far, &scratch.heard, &mut scratch.near, window);
        self.front.echo(&self.far, window, &mut scratch.echo);
        self.scout.echo(&self.far, window, &mut scratch.scout_echo);
        let mut front = differ(&mut scratch.error, &scratch.near, &scratch.echo);
        let mut echo_energy = energy(&scratch.echo);
        if self.astray.judge(front, mic_energy, echo_energy) {
            self.start_over();
            scratch.echo.fill(0.0);
            scratch.scout_echo.fill(0.0);
            scratch.error.copy_from_slice(&scratch.near);
            (front, echo_energy) = (mic_energy, 0.0);
        }
        let (front, scout) = self.compare(front, scratch);
        let front = self
            .bend
            .judge(&mut scratch.error, front, &mut scratch.window);
        self.learn(clipped, front, scout, scratch);
        self.give(mic, echo_energy, scratch);
    }

    /// Writes what is left to `mic`, without the emphasis, and what was taken out to the report.
    fn give(&mut self, mic: &mut [f32], echo_energy: f32, scratch: &mut Scratch) {
        let out = &mut scratch.near;
        flatten(&scratch.error, &mut self.emphasis_out, out);
        let mut left = energy(out);
        if !left.is_finite() {
            // No input does that, but it must not stay.
            out.fill(0.0);
            (left, self.emphasis_out) = (0.0, 0.0);
            self.start_over();
            self.kalman.reset();
        }
        for (slot, sample) in mic.iter_mut().zip(&*out) {
            *slot = *sample;
        }
        differ(&mut self.report.echo, &scratch.mic, out);
        self.describe(energy(&scratch.mic), left, echo_energy);
    }

    /// Forgets the path, and what is known about how well it is known.
    fn start_over(&mut self) {
        // Another path is about as strong as this one was. With more doubt than that the filter would learn the near end.
        self.kalman.restart(&self.front, 2.0);
        self.front.clear();
        self.bend.forget();
        self.scout.clear();
        self.steps.reset();
        self.control = Control::default();
    }

    /// Emphasises both inputs, takes the far end into the ring of spectra and looks after the bulk delay. True while anything is
    /// clipped.
    fn prepare(&mut self, far: &[f32], mic: &[f32], scratch: &mut Scratch) -> bool {
        if let Some(bulk) = &mut self.bulk {
            let other = bulk.watch(far, mic, self.far.delay(), self.report.erle_db);
            self.report.delay_ms = bulk.delay_ms();
            if let Some(delay) = other {
                self.move_to(delay);
            }
        }
        clean(far, &mut scratch.far);
        clean(mic, &mut scratch.mic);
        self.far.push(&scratch.far, &mut scratch.window);
        emphasise(&scratch.mic, &mut self.emphasis_mic, &mut scratch.heard);
        // What is clipped now is in the tail for some blocks to come.
        if is_clipped(mic) || is_clipped(far) {
            self.clipped_for = 2;
        }
        let clipped = self.clipped_for > 0;
        self.clipped_for = self.clipped_for.saturating_sub(1);
        clipped
    }

    /// Holds the far end back by another delay and moves the filter the other way, so that what it knows stays true.
    fn move_to(&mut self, delay: usize) {
        let before = self.far.delay();
        self.far.set_delay(delay);
        self.bend.set_delay(delay);
        let now = self.far.delay();
        let mut taps = [0.0; MOST_TAPS];
        let taps = &mut taps[..self.shape.partitions * self.shape.block];
        self.front.taps(taps);
        if now > before {
            let by = (now - before).min(taps.len());
            taps.copy_within(by.., 0);
            let kept = taps.len() - by;
            taps[kept..].fill(0.0);
        } else {
            let by = (before - now).min(taps.len());
            let kept = taps.len() - by;
            taps.copy_within(..kept, by);
            taps[..by].fill(0.0);
        }
        let empty = energy(taps) < 1e-6;
        self.front.set_taps(taps);
        self.scout.copy_from(&self.front);
        if empty {
            self.start_over();
            self.kalman.reset();
        } else {
            self.kalman.doubt_at_least(&self.front, KEPT);
        }
        self.control = Control::default();
        self.report.removed_ms = now as f32 * 1000.0 / self.settings.rate.hz() as f32;
    }

    /// Lets filter and scout learn from each other. `front` is the energy of the filter's error; gives those of both afterwards.
    fn compare(&mut self, front: f32, scratch: &mut Scratch) -> (f32, f32) {
        let scout = differ(&mut scratch.scout_error, &scratch.near, &scratch.scout_echo);
        let apart = differ(&mut scratch.apart, &scratch.echo, &scratch.scout_echo);
        let plausible = energy(&scratch.echo) + self.kalman.left_energy();
        self.control.weigh(energy(&scratch.scout_echo), plausible);
        match self.control.judge(front, scout, apart + 1e-12) {
            Verdict::Keep => (front, scout),
            Verdict::Promote => {
                self.front.copy_from(&self.scout);
                self.kalman.doubt_at_least(&self.front, self.steps.leakage);
                let length = scratch.error.len() as f32;
                for (i, (front, scout)) in scratch
                    .error
                    .iter_mut()
                    .zip(&scratch.scout_error)
                    .enumerate()
                {
                    // From one filter to the other within the block, without a click.
                    *front += (i + 1) as f32 / length * (scout - *front);
                }
                (energy(&scratch.error), scout)
            }
            Verdict::Reset => {
                self.scout.copy_from(&self.front);
                scratch.scout_error.copy_from_slice(&scratch.error);
                scratch.scout_echo.copy_from_slice(&scratch.echo);
                (front, front)
            }
        }
    }

    /// One step of both filters, whose errors have these energies.
    fn learn(&mut self, clipped: bool, front: f32, scout: f32, scratch: &mut Scratch) {
        let (spectrum, window) = (&mut scratch.spectrum, &mut scratch.window);
        if self.far.is_silent() {
            scratch.echo_power.fill(0.0);
        } else {
            transform(spectrum, window, &scratch.scout_echo);
            spectrum.view(0).powers(&mut scratch.echo_power);
        }
        transform(spectrum, window, &scratch.scout_error);
        spectrum.view(0).powers(&mut scratch.error_power);

        let newest = self.far.spectrum(0);
        for ((mean, re), im) in self.far_power.iter_mut().zip(newest.re).zip(newest.im) {
            // The power over about the length of the filter.
            *mean += (re * re + im * im - *mean) * 0.1 + LEAST;
        }
        let far_energy = newest.power() / self.shape.window as f32;
        let known = Powers {
            error: &scratch.error_power,
            echo: &scratch.echo_power,
            error_energy: scout,
            echo_energy: energy(&scratch.scout_echo),
            far_energy,
            cross: product(&scratch.scout_error, &scratch.scout_echo),
        };
        self.steps.steps(&known, &mut scratch.steps);
        if clipped || far_energy < 1e-7 {
            return;
        }
        for (step, power) in scratch.steps.iter_mut().zip(&self.far_power) {
            *step /= power + 1e-4;
        }
        let shares = shares(&self.scout, self.shape.partitions);
        for (partition, share) in shares.iter().enumerate().take(self.shape.partitions) {
            let (far, error) = (self.far.spectrum(partition), spectrum.view(0));
            self.scout
                .step(partition, far, error, &scratch.steps, *share);
        }
        transform(spectrum, window, &scratch.error);
        let error = spectrum.view(0);
        self.kalman.weigh(&self.far);
        self.bend.weigh();
        self.kalman
            .learn(&mut self.front, &self.far, error, self.bend.left());
        // While the scout is clearly ahead the path has changed, and the error is not what the loudspeaker bends.
        if scout > AHEAD * front {
            self.bend.learn(error, self.kalman.left(), window);
        }
        self.kalman.tell(&mut self.report.doubt);

        self.constrain(scout < MOVING * front || !self.steps.adapted, window);
    }

    /// Keeps partitions as long as a block. The first holds most of the echo; the others take turns. While the filters move, the
    /// first and one other of each are seen to; once they hardly do, one or the other is enough.
    fn constrain(&mut self, moves: bool, window: &mut [f32]) {
        if moves {
            self.moving_for = MOVING_BLOCKS;
        }
        self.turn = self.turn.wrapping_add(1);
        if self.moving_for > 0 {
            self.moving_for -= 1;
            let other = self.front.turn(self.turn);
            for filter in [&mut self.front, &mut self.scout] {
                filter.constrain(0, window);
                if other > 0 {
                    filter.constrain(other, window);
                }
            }
        } else {
            self.front.constrain_in_turn(self.turn, window);
            self.scout.constrain_in_turn(self.turn, window);
        }
    }

    /// Keeps the books for the meters, without the emphasis that the filters work with: it would count noise for more than a
    /// listener hears.
    fn describe(&mut self, mic_energy: f32, out_energy: f32, echo_energy: f32) {
        if echo_energy > 1e-5 {
            self.mic_mean += 0.02 * (mic_energy - self.mic_mean);
            self.out_mean += 0.02 * (out_energy - self.out_mean);
            let ratio = (self.mic_mean + 1e-12) / (self.out_mean + 1e-12);
            self.report.erle_db = 10.0 * ratio.log10();
        }
    }
}

/// How the scout's step is shared out among the partitions: more for those that already hold much of the echo.
fn shares(filter: &Filter, partitions: usize) -> [f32; 50] {
    let mut shares = [0.0; 50];
    let mut largest = 0.0_f32;
    for (partition, share) in shares.iter_mut().enumerate().take(partitions) {
        *share = filter.partition(partition).power().sqrt();
        largest = largest.max(*share);
    }
    let floor = 0.1 * largest + 1e-4;
    let mut sum = 0.0;
    for share in shares.iter_mut().take(partitions) {
        *share += floor;
        sum += *share;
    }
    shares
        .iter_mut()
        .take(partitions)
        .for_each(|share| *share /= sum);
    shares
}

/// Makes a whole block of samples that may be too few or nonsense.
fn clean(from: &[f32], to: &mut [f32]) {
    let given = from.len().min(to.len());
    let (slots, missing) = to.split_at_mut(given);
    for (slot, sample) in slots.iter_mut().zip(from) {
        *slot = finite(*sample).clamp(-4.0, 4.0);
    }
    missing.fill(0.0);
}

fn is_clipped(samples: &[f32]) -> bool {
    samples
        .iter()
        .fold(false, |clipped, s| clipped | (s.abs() >= CLIPPED))
}

/// Undoes the emphasis of a block; `last` is the output before it. Four samples at a time, since each waits for the one before.
fn flatten(block: &[f32], last: &mut f32, out: &mut [f32]) {
    const E1: f32 = EMPHASIS;
    const E2: f32 = E1 * E1;
    for (slots, x) in out
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(block.as_chunks::<4>().0)
    {
        let first = x[1] + E1 * x[0];
        let second = x[2] + E1 * x[1];
        let third = x[3] + E1 * x[2];
        let before = E1 * *last;
        *slots = [
            x[0] + before,
            first + E1 * before,
            second + E2 * x[0] + E2 * before,
            third + E2 * first + E1 * E2 * before,
        ];
        *last = slots[3];
    }
    *last = settle(*last);
}
