//! What a call is likely to sound like: the E-model of ITU-T G.107, reduced to what RTP and RTCP can tell.
//!
//! Every parameter but delay and loss has the default of the Recommendation (table 2), so the rating of a perfect call is
//! 93.2. Echo, loudness and noise are not in it.

use crate::Codec;

/// Rating with all defaults (G.107, clause 7.7).
const PERFECT: f32 = 93.2;

/// Equipment impairment Ie of a codec on the narrow-band scale, and its packet-loss robustness Bpl.
///
/// The line ends at 3.4 kHz, so the narrow-band scale counts, whatever the codec could carry. G.113 gives its values for
/// G.711 alone. For the others they are **assumptions**, each the published value of the nearest codec that is not better, so
/// that the estimate rather says too little:
/// * G.722: here only its lower sub-band is heard, ADPCM of 48 kbit/s. Ie of the next ADPCM below, G.726 at 40 kbit/s. What G.113
///   (appendix IV) gives for G.722 is for the whole band, on the scale up to 129 of G.107.1.
/// * Opus: no Recommendation gives a value for its narrow band. Ie of GSM-EFR, which has half the bits.
/// * Both remember, as G.729A does, and conceal at least as well: its Bpl.
fn impairment(codec: Codec) -> (f32, f32) {
    match codec {
        Codec::Pcma | Codec::Pcmu => G711,
        Codec::G722 => (G726_40_IE, G729A_BPL),
        Codec::Opus => (GSM_EFR_IE, G729A_BPL),
    }
}

/// G.711 with concealment (G.113, appendix I): Ie and Bpl.
const G711: (f32, f32) = (0.0, 25.1);
/// G.726 at 40 kbit/s (G.113, appendix I).
const G726_40_IE: f32 = 2.0;
/// GSM-EFR, 12.2 kbit/s (G.113, appendix I).
const GSM_EFR_IE: f32 = 5.0;
/// G.729A (G.113, appendix I).
const G729A_BPL: f32 = 19.0;

/// What the estimate is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallQuality {
    /// What the sound comes in.
    pub codec: Codec,
    /// Delay from mouth to ear, one way, ms; 0 and up.
    pub delay_ms: f32,
    /// Share of the packets that were not played, 0..=1.
    pub loss: f32,
    /// Mean length of a loss over the mean length that loss by chance would give, 1 and up (BurstR of G.107, 7.5).
    pub burst_ratio: f32,
}

impl CallQuality {
    /// The transmission rating R, 0..=93.2 (G.107, 7.1). Values out of range, and those that are no numbers, count as the nearest
    /// that makes sense.
    pub fn rating(&self) -> f32 {
        let loss_percent = 100.0 * within(self.loss, 0.0, 1.0);
        let burst_ratio = within(self.burst_ratio, 1.0, 1000.0);
        // G.107, equation 7-29.
        let (ie, bpl) = impairment(self.codec);
        let impaired = ie + (95.0 - ie) * loss_percent / (loss_percent / burst_ratio + bpl);
        (PERFECT - delay_impairment(self.delay_ms) - impaired).max(0.0)
    }

    /// The mean opinion score of the rating, 1.0..=4.5.
    pub fn mos(&self) -> f32 {
        mos_of_rating(self.rating())
    }
}

/// The mean opinion score for a rating R (G.107, annex B, equation B-4).
pub fn mos_of_rating(rating: f32) -> f32 {
    if rating.is_nan() || rating <= 0.0 {
        return 1.0;
    }
    if rating >= 100.0 {
        return 4.5;
    }
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    // The cubic dips below 1 for ratings under 6.5.
    score.max(1.0)
}

/// The mean length of losses over what chance would give (G.107, 7.5), from `lost` packets of `expected` in `losses` runs.
pub(crate) fn burst_ratio(lost: u64, expected: u64, losses: u64) -> f32 {
    if lost == 0 || losses == 0 || expected == 0 {
        return 1.0;
    }
    let share = (lost as f32 / expected as f32).min(1.0);
    let mean_length = lost as f32 / losses as f32;
    (mean_length * (1.0 - share)).max(1.0)
}

/// Impairment by delay alone, Idd (G.107, equations 7-27 and 7-28).
fn delay_impairment(delay_ms: f32) -> f32 {
    let delay_ms = within(delay_ms, 0.0, 100_000.0);
    if delay_ms <= 100.0 {
        return 0.0;
    }
    let x = (delay_ms / 100.0).log2();
    let sixth_root = |value: f32| value.powf(1.0 / 6.0);
    25.0 * (sixth_root(1.0 + x.powi(6)) - 3.0 * sixth_root(1.0 + (x / 3.0).powi(6)) + 2.0)
}

/// `value` within the range; the lower end for NaN.
fn within(value: f32, least: f32, most: f32) -> f32 {
    if value.is_nan() {
        least
    } else {
        value.clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(delay_ms: f32, loss: f32, burst_ratio: f32) -> CallQuality {
        CallQuality {
            codec: Codec::Pcma,
            delay_ms,
            loss,
            burst_ratio,
        }
    }

    #[test]
    fn the_score_of_a_rating_is_that_of_the_recommendation() {
        // G.107, table B.1 (limits of user satisfaction), which rounds 4.024 up to 4.03, and the default rating.
        let table = [
            (93.2, 4.41),
            (90.0, 4.34),
            (80.0, 4.03),
            (70.0, 3.60),
            (60.0, 3.10),
            (50.0, 2.58),
            (0.0, 1.0),
            (-5.0, 1.0),
            (100.0, 4.5),
            (120.0, 4.5),
        ];
        for (rating, mos) in table {
            assert!((mos_of_rating(rating) - mos).abs() < 0.007, "R {rating}");
        }
        assert_eq!(mos_of_rating(f32::NAN), 1.0);
    }

    #[test]
    fn delay_costs_what_the_formula_says() {
        // At 200, 400 and 800 ms X of equation 7-28 is 1, 2 and 3.
        for (delay_ms, idd) in [(0.0, 0.0), (100.0, 0.0), (200.0, 3.04), (400.0, 24.09)] {
            let cost = PERFECT - call(delay_ms, 0.0, 1.0).rating();
            assert!((cost - idd).abs() < 0.05, "{delay_ms} ms: {cost}");
        }
        let at_800 = 25.0 * (730_f32.powf(1.0 / 6.0) - 3.0 * 2_f32.powf(1.0 / 6.0) + 2.0);
        assert!((PERFECT - call(800.0, 0.0, 1.0).rating() - at_800).abs() < 0.01);
    }

    #[test]
    fn loss_costs_what_the_formula_says() {
        for (loss, burst_ratio, ie_eff) in [
            (0.01, 1.0, 95.0 / 26.1),
            (0.05, 1.0, 475.0 / 30.1),
            (0.05, 2.0, 475.0 / 27.6),
            (0.251, 1.0, 47.5),
        ] {
            let cost = PERFECT - call(0.0, loss, burst_ratio).rating();
            assert!((cost - ie_eff).abs() < 0.01, "{loss} {burst_ratio}: {cost}");
        }
    }

    #[test]
    fn each_codec_costs_what_was_worked_by_hand() {
        // Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl); R = 93.2 - Ie,eff; MOS by equation B-4.
        for (codec, loss, burst_ratio, rating, mos) in [
            (Codec::Pcmu, 0.0, 1.0, 93.2, 4.409),
            (Codec::G722, 0.0, 1.0, 91.2, 4.367),
            (Codec::Opus, 0.0, 1.0, 88.2, 4.292),
            // 475 / 30.1; 2 + 465 / 24; 5 + 450 / 24
            (Codec::Pcma, 0.05, 1.0, 77.419, 3.923),
            (Codec::G722, 0.05, 1.0, 71.825, 3.681),
            (Codec::Opus, 0.05, 1.0, 69.45, 3.571),
            // 2 + 465 / 21.5; 5 + 450 / 21.5
            (Codec::G722, 0.05, 2.0, 69.572, 3.577),
            (Codec::Opus, 0.05, 2.0, 67.27, 3.466),
        ] {
            let call = CallQuality {
                codec,
                ..call(0.0, loss, burst_ratio)
            };
            let told = (call.rating(), call.mos());
            assert!((told.0 - rating).abs() < 0.01, "{codec:?} {loss}: {told:?}");
            assert!((told.1 - mos).abs() < 0.002, "{codec:?} {loss}: {told:?}");
        }
    }

    #[test]
    fn worse_is_never_better_and_nonsense_gives_a_score() {
        let mut before = 5.0;
        for step in 0..=100_u8 {
            let mos = call(f32::from(step) * 10.0, f32::from(step) / 100.0, 1.5).mos();
            assert!((1.0..=before).contains(&mos), "step {step}: {mos}");
            before = mos;
        }
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, f32::MAX] {
            let mos = call(odd, odd, odd).mos();
            assert!((1.0..=4.5).contains(&mos), "{odd}: {mos}");
        }
    }

    #[test]
    fn losses_by_chance_have_no_burst() {
        assert_eq!(burst_ratio(0, 100, 0), 1.0);
        assert_eq!(burst_ratio(5, 100, 5), 1.0);
        assert!((burst_ratio(10, 100, 4) - 2.25).abs() < 1e-6);
        // Late or copied packets can leave fewer losses than runs.
        assert_eq!(burst_ratio(2, 100, 6), 1.0);
        assert_eq!(burst_ratio(100, 100, 1), 1.0);
    }
}
