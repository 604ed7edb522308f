//! A technician's look at a pair of sound devices: a tone out, what comes in, how the clocks run.

use std::time::{Duration, Instant};

use dsp::sample::{dbm0_of_mean_square, sine_peak_of_dbm0, to_f32, to_i16};
use line_interface::{BLOCK_MS, BLOCK_SAMPLES, CardError, SAMPLE_RATE_HZ};

use super::{Port, PortReport};

/// Level of the tone, dBm0.
pub const TONE_DBM0: f32 = -10.0;
/// Its frequency, Hz.
pub const TONE_HZ: f32 = 1000.0;
/// The tone is looked for in pieces of so many blocks: two clocks that are being joined move it by some hertz.
const PIECE_BLOCKS: u64 = 4;

/// One second of the check.
#[derive(Debug, Clone, PartialEq)]
pub struct Second {
    /// Which one, from 1.
    pub second: u32,
    /// Level of everything that came in, dBm0.
    pub level_dbm0: f32,
    /// Level of the tone in it, dBm0.
    pub tone_dbm0: f32,
    /// The devices.
    pub port: PortReport,
}

/// Plays the tone for some seconds and tells each of them.
///
/// # Errors
/// As [`Port::open`]; devices that cannot be opened are told by the seconds.
pub fn check(
    sound: &config::Sound,
    seconds: u32,
    mut tell: impl FnMut(Second),
) -> Result<(), CardError> {
    let port = Port::open(sound)?;
    let step = std::f32::consts::TAU * TONE_HZ / SAMPLE_RATE_HZ as f32;
    let peak = sine_peak_of_dbm0(TONE_DBM0);
    let blocks_a_second = 1000 / BLOCK_MS;
    let mut due = Instant::now();
    let mut at = 0_u32;
    for second in 1..=seconds {
        let (mut square, mut sine, mut cosine) = (0.0_f32, 0.0_f32, 0.0_f32);
        let mut tone_square = 0.0_f32;
        for block in 1..=blocks_a_second {
            let mut audio = [0; BLOCK_SAMPLES];
            port.hear(&mut audio);
            let mut tone = [0; BLOCK_SAMPLES];
            for (heard, slot) in audio.iter().zip(&mut tone) {
                // The tone has a whole number of turns each second.
                let phase = step * (at % SAMPLE_RATE_HZ) as f32;
                at = at.wrapping_add(1);
                let heard = to_f32(*heard);
                square += heard * heard;
                sine += heard * phase.sin();
                cosine += heard * phase.cos();
                *slot = to_i16(peak * phase.sin());
            }
            if block.is_multiple_of(PIECE_BLOCKS) {
                tone_square += sine * sine + cosine * cosine;
                (sine, cosine) = (0.0, 0.0);
            }
            port.play(&tone);
            due += Duration::from_millis(BLOCK_MS);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let n = SAMPLE_RATE_HZ as f32;
        let piece = (PIECE_BLOCKS * BLOCK_SAMPLES as u64) as f32;
        tell(Second {
            second,
            level_dbm0: dbm0_of_mean_square(square / n),
            tone_dbm0: dbm0_of_mean_square(2.0 * tone_square / (n * piece)),
            port: port.report(),
        });
    }
    Ok(())
}
