//! What a call is likely to sound like: the E-model of ITU-T G.107, reduced to what RTP and RTCP can tell.
//!
//! Every parameter but delay and loss has the default of the Recommendation (table 2), so the rating of a perfect call is
//! 93.2. Echo, loudness and noise are not in it.

/// Rating with all defaults (G.107, clause 7.7).
const PERFECT: f32 = 93.2;
/// Packet-loss robustness of G.711 with concealment (G.113, table I.4: Ie = 0, Bpl = 25.1).
const G711_IE: f32 = 0.0;
const G711_BPL: f32 = 25.1;

/// What the estimate is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallQuality {
    /// Delay from mouth to ear, one way, ms; 0 and up.
    pub delay_ms: f32,
    /// Share of the packets that were not played, 0..=1.
    pub loss: f32,
    /// Mean length of a loss over the mean length that loss by chance would give, 1 and up (BurstR of G.107, 7.5).
    pub burst_ratio: f32,
}

impl CallQuality {
    /// The transmission rating R of G.711 with concealment, 0..=93.2 (G.107, 7.1). Values out of range, and those that are no
    /// numbers, count as the nearest that makes sense.
    pub fn rating(&self) -> f32 {
        let loss_percent = 100.0 * within(self.loss, 0.0, 1.0);
        let burst_ratio = within(self.burst_ratio, 1.0, 1000.0);
        // G.107, equation 7-29.
        let impaired =
            G711_IE + (95.0 - G711_IE) * loss_percent / (loss_percent / burst_ratio + G711_BPL);
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
