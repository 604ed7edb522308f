//! The partitioned-block frequency-domain filter with two paths (Soo and Pang 1990 for the filter, Ochiai 1977 for the two
//! paths, Valin 2007 for the step).

use realfft::num_complex::Complex32;

use super::control::{Astray, Control, Verdict};
use super::step::{Powers, StepControl};
use super::{BINS, BLOCK, WINDOW, settle};
use crate::sample::finite;
use crate::spectrum::Fft;

/// First-order emphasis of high frequencies: it flattens the spectrum of speech, so that all bins learn alike.
const EMPHASIS: f32 = 0.9;
/// Magnitude from which a sample counts as clipped: the path is not linear there, and nothing is learned.
const CLIPPED: f32 = 0.995;

type Spectrum = [Complex32; BINS];

/// What a block's processing says about the echo, for the suppressor and for meters.
#[derive(Debug, Clone)]
pub struct EchoReport {
    /// Power spectrum of the echo estimate over the last 20 ms, as [`crate::suppressor::Suppressor`] takes it.
    pub(crate) echo: [f32; BINS],
    /// Share of it that is estimated to be left in the output.
    pub(crate) leakage: f32,
    /// Mean square of the echo that may still be in the output block.
    pub left: f32,
    /// Echo return loss enhancement of the linear part over about a second of far-end speech, dB; 0 until something is known.
    pub erle_db: f32,
}

/// Removes the echo of `far` from `mic`. 8 kHz, blocks of 80 samples, no delay.
#[derive(Debug, Clone)]
pub struct EchoCanceller {
    fft: Fft,
    partitions: usize,
    /// Far-end spectra, newest at `newest`.
    far: Vec<Spectrum>,
    newest: usize,
    front: Vec<Spectrum>,
    back: Vec<Spectrum>,
    far_power: [f32; BINS],
    far_window: [f32; WINDOW],
    steps: StepControl,
    control: Control,
    astray: Astray,
    emphasis_far: f32,
    emphasis_mic: f32,
    emphasis_out: f32,
    constrained: usize,
    clipped_for: usize,
    echo_window: [f32; WINDOW],
    mic_mean: f32,
    out_mean: f32,
    plain: PlainEcho,
    report: EchoReport,
}

/// The echo estimate without the emphasis, for the suppressor.
#[derive(Debug, Clone)]
struct PlainEcho {
    emphasis: f32,
    window: [f32; WINDOW],
    hann: [f32; WINDOW],
}

impl EchoCanceller {
    /// A canceller for echo paths of up to `tail_ms`, rounded up to whole blocks; 10..=500 ms.
    pub fn new(tail_ms: u32) -> EchoCanceller {
        let partitions = (tail_ms.clamp(10, 500) as usize).div_ceil(10);
        let empty = vec![[Complex32::default(); BINS]; partitions];
        EchoCanceller {
            fft: Fft::new(WINDOW),
            partitions,
            far: empty.clone(),
            newest: 0,
            front: empty.clone(),
            back: empty,
            far_power: [0.0; BINS],
            far_window: [0.0; WINDOW],
            steps: StepControl::new(partitions),
            control: Control::default(),
            astray: Astray::default(),
            emphasis_far: 0.0,
            emphasis_mic: 0.0,
            emphasis_out: 0.0,
            constrained: 0,
            clipped_for: 0,
            echo_window: [0.0; WINDOW],
            mic_mean: 0.0,
            out_mean: 0.0,
            plain: PlainEcho {
                emphasis: 0.0,
                window: [0.0; WINDOW],
                hann: crate::suppressor::root_hann(),
            },
            report: EchoReport {
                echo: [0.0; BINS],
                leakage: 1.0,
                left: 0.0,
                erle_db: 0.0,
            },
        }
    }

    /// Forgets the echo path.
    pub fn reset(&mut self) {
        *self = EchoCanceller::new(self.partitions as u32 * 10);
    }

    /// Takes what goes to the loudspeaker and replaces `mic`, what came from the microphone at the same time, by what is left
    /// without the echo.
    pub fn process(&mut self, far: &[f32; BLOCK], mic: &mut [f32; BLOCK]) -> &EchoReport {
        let (mut near, clipped) = self.prepare(far, mic);
        let mic_energy = energy(&near);

        let mut front_echo = self.echo_of(true);
        let mut back_echo = self.echo_of(false);
        let mut front_error: [f32; BLOCK] = std::array::from_fn(|i| near[i] - front_echo[i]);
        let useless = self
            .astray
            .judge(energy(&front_error), mic_energy, energy(&front_echo));
        if useless {
            self.start_over();
            front_error = near;
            front_echo = [0.0; BLOCK];
            back_echo = [0.0; BLOCK];
        }
        let mut back_error: [f32; BLOCK] = std::array::from_fn(|i| near[i] - back_echo[i]);
        let apart: f32 = front_echo
            .iter()
            .zip(&back_echo)
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        let verdict = self
            .control
            .judge(energy(&front_error), energy(&back_error), apart + 1e-12);
        match verdict {
            Verdict::Keep => {}
            Verdict::Promote => {
                self.front.copy_from_slice(&self.back);
                for (i, front) in front_error.iter_mut().enumerate() {
                    // From one filter to the other within the block, without a click.
                    let weight = (i + 1) as f32 / BLOCK as f32;
                    *front += weight * (back_error[i] - *front);
                }
            }
            Verdict::Reset => {
                self.back.copy_from_slice(&self.front);
                back_error = front_error;
                back_echo = front_echo;
            }
        }
        self.learn(&back_error, &back_echo, clipped);

        for (i, error) in front_error.iter().enumerate() {
            self.emphasis_out = settle(finite(error + EMPHASIS * self.emphasis_out));
            mic[i] = self.emphasis_out;
            near[i] -= error;
        }
        // `near` is now the echo that was taken out.
        self.describe(&near, mic_energy, energy(&front_error));
        &self.report
    }

    /// Forgets the path, and what is known about how well it is known.
    fn start_over(&mut self) {
        for weights in self.front.iter_mut().chain(&mut self.back) {
            weights.fill(Complex32::default());
        }
        self.steps = StepControl::new(self.partitions);
        self.control = Control::default();
    }

    /// Emphasises both inputs and takes the far end into the ring of spectra.
    fn prepare(&mut self, far: &[f32; BLOCK], mic: &[f32; BLOCK]) -> ([f32; BLOCK], bool) {
        self.far_window.copy_within(BLOCK.., 0);
        for (slot, sample) in self.far_window.iter_mut().skip(BLOCK).zip(far) {
            let x = finite(*sample).clamp(-4.0, 4.0);
            *slot = x - EMPHASIS * self.emphasis_far;
            self.emphasis_far = x;
        }
        let near = std::array::from_fn(|i| {
            let x = finite(mic[i]).clamp(-4.0, 4.0);
            let emphasised = x - EMPHASIS * self.emphasis_mic;
            self.emphasis_mic = x;
            emphasised
        });
        self.newest = if self.newest == 0 {
            self.partitions - 1
        } else {
            self.newest - 1
        };
        self.fft
            .forward(&self.far_window, &mut self.far[self.newest]);
        // What is clipped now is in the tail for some blocks to come.
        if mic.iter().chain(far).any(|s| s.abs() >= CLIPPED) {
            self.clipped_for = 2;
        }
        let clipped = self.clipped_for > 0;
        self.clipped_for = self.clipped_for.saturating_sub(1);
        (near, clipped)
    }

    fn far_spectrum(&self, partition: usize) -> &Spectrum {
        &self.far[(self.newest + partition) % self.partitions]
    }

    /// The echo that a filter expects in this block.
    fn echo_of(&mut self, front: bool) -> [f32; BLOCK] {
        let filter = if front { &self.front } else { &self.back };
        let mut sum = [Complex32::default(); BINS];
        for (partition, weights) in filter.iter().enumerate() {
            let far = self.far_spectrum(partition);
            for ((slot, w), x) in sum.iter_mut().zip(weights).zip(far) {
                *slot += w * x;
            }
        }
        let mut both = [0.0; WINDOW];
        self.fft.inverse(&sum, &mut both);
        // The first half is circular; the second is the block.
        std::array::from_fn(|i| both[BLOCK + i])
    }

    /// One step of the background filter.
    fn learn(&mut self, error: &[f32; BLOCK], echo: &[f32; BLOCK], clipped: bool) {
        let mut padded = [0.0; WINDOW];
        padded[BLOCK..].copy_from_slice(error);
        let mut error_spectrum = [Complex32::default(); BINS];
        self.fft.forward(&padded, &mut error_spectrum);
        padded[BLOCK..].copy_from_slice(echo);
        let mut echo_spectrum = [Complex32::default(); BINS];
        self.fft.forward(&padded, &mut echo_spectrum);

        let mut far_energy = 0.0;
        for (power, x) in self.far_power.iter_mut().zip(&self.far[self.newest]) {
            // The power over about the length of the filter.
            *power += (x.norm_sqr() - *power) * 0.1;
            *power = settle(*power);
            far_energy += x.norm_sqr();
        }
        far_energy /= WINDOW as f32;
        let powers = Powers {
            error: &error_spectrum.map(|e| e.norm_sqr()),
            echo: &echo_spectrum.map(|y| y.norm_sqr()),
            error_energy: energy(error),
            echo_energy: energy(echo),
            far_energy,
            cross: error.iter().zip(echo).map(|(a, b)| a * b).sum(),
        };
        let mut steps = [0.0; BINS];
        self.steps.steps(&powers, &mut steps);
        if clipped || far_energy < 1e-7 {
            return;
        }
        for (step, power) in steps.iter_mut().zip(&self.far_power) {
            *step /= power + 1e-4;
        }
        let shares = self.shares();
        for (partition, share) in shares.iter().enumerate().take(self.partitions) {
            let far = self.far[(self.newest + partition) % self.partitions];
            for i in 0..BINS {
                self.back[partition][i] += far[i].conj() * error_spectrum[i] * (steps[i] * share);
            }
        }
        self.constrain(0);
        if self.partitions > 1 {
            self.constrained = self.constrained % (self.partitions - 1) + 1;
            self.constrain(self.constrained);
        }
    }

    /// How the step is shared out among the partitions: more for those that already hold much of the echo.
    fn shares(&self) -> [f32; 50] {
        let mut shares = [0.0; 50];
        let mut largest = 0.0_f32;
        for (share, weights) in shares.iter_mut().zip(&self.back) {
            *share = weights.iter().map(Complex32::norm_sqr).sum::<f32>().sqrt();
            largest = largest.max(*share);
        }
        let count = self.partitions;
        let floor = 0.1 * largest + 1e-4;
        let mut sum = 0.0;
        for share in shares.iter_mut().take(count) {
            *share += floor;
            sum += *share;
        }
        shares
            .iter_mut()
            .take(count)
            .for_each(|share| *share /= sum);
        shares
    }

    /// Keeps a partition a filter of 80 taps: what circular convolution has put beyond is taken out.
    fn constrain(&mut self, partition: usize) {
        let mut taps = [0.0; WINDOW];
        self.fft.inverse(&self.back[partition], &mut taps);
        taps[BLOCK..].fill(0.0);
        self.fft.forward(&taps, &mut self.back[partition]);
    }

    /// Keeps the books for the suppressor and the meter.
    fn describe(&mut self, echo: &[f32; BLOCK], mic_energy: f32, out_energy: f32) {
        let plain = &mut self.plain;
        plain.window.copy_within(BLOCK.., 0);
        for (slot, sample) in plain.window.iter_mut().skip(BLOCK).zip(echo) {
            plain.emphasis = settle(finite(sample + EMPHASIS * plain.emphasis));
            *slot = plain.emphasis;
        }
        for i in 0..WINDOW {
            self.echo_window[i] = plain.window[i] * plain.hann[i];
        }
        let mut spectrum = [Complex32::default(); BINS];
        self.fft.forward(&self.echo_window, &mut spectrum);
        self.report.echo = spectrum.map(|y| y.norm_sqr());
        self.report.leakage = self.steps.leakage_now();
        let plain: f32 = plain.window[BLOCK..].iter().map(|s| s * s).sum();
        self.report.left = self.report.leakage * plain / BLOCK as f32;
        if energy(echo) > 1e-5 {
            self.mic_mean += 0.02 * (mic_energy - self.mic_mean);
            self.out_mean += 0.02 * (out_energy - self.out_mean);
            let ratio = (self.mic_mean + 1e-12) / (self.out_mean + 1e-12);
            self.report.erle_db = 10.0 * ratio.log10();
        }
    }
}

fn energy(samples: &[f32; BLOCK]) -> f32 {
    samples.iter().map(|s| s * s).sum()
}
