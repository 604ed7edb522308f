//! From what a pulse line showed to profile values with margins, or the reasons why not.

use super::propose::{Change, Proposal, Refusal, Stamp, bands, missing, sourced};
use super::pulses::PulseBook;
use crate::observe::{LevelBook, LevelRange};
use crate::pulse::PulseProfile;

/// Fewer pulses say nothing of their spread.
const MIN_PULSES: usize = 5;
/// The widest pulse may be this many times the narrowest.
const MAX_SPREAD: f32 = 2.0;
/// A spike may be this part of the narrowest pulse; the filter has to stand between both.
const MAX_SPIKE: f32 = 0.35;
/// A wire's low and rest lie at least so far apart.
const MIN_SWING_VOLTS: f32 = 1.0;
const NOISE_SWINGS: f32 = 6.0;
/// A tone is read to a hundredth of its frequency.
const MIN_TOLERANCE: f32 = 0.03;
/// Tones are told apart from this part of their frequency on, and are one below that.
const APART: f32 = 0.12;
const SAME: f32 = 0.03;
/// Where the thresholds stand between low and rest: as those of the shipped profile.
const LOW_PART: f32 = 0.45;
const HIGH_PART: f32 = 0.77;

fn least(of: &[u32]) -> f32 {
    of.iter().copied().min().unwrap_or(0) as f32
}

fn most(of: &[u32]) -> f32 {
    of.iter().copied().max().unwrap_or(0) as f32
}

/// Proposes values for a pulse profile file: levels, bands, pulses and tones.
///
/// # Errors
/// All reasons why the measurements do not carry a profile.
pub fn propose_pulse(
    base: &str,
    book: &PulseBook,
    levels: &LevelBook,
    stamp: &Stamp,
) -> Result<Proposal, Vec<Refusal>> {
    // Between calls a pulse wire is no line of anybody's: the called one's lowest state is its low.
    let mut levels = levels.clone();
    levels.idle = book.low;
    let levels = &levels;
    let mut refusals = missing(levels);
    refusals.extend(unfit(book));
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut changes = bands(levels, &mut refusals);
    wire(book, levels.noise_volts(), &mut changes, &mut refusals);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    address(book, &mut changes);
    tones(base, book, levels, &mut changes);
    let toml = sourced(base, &mut changes, stamp);
    if let Err(e) = PulseProfile::from_toml(&toml) {
        return Err(vec![Refusal {
            cause: format!("the readings make no profile: {e}"),
            hint: e.hint,
        }]);
    }
    Ok(Proposal { changes, toml })
}

/// What keeps the pulses from being told apart from everything else.
fn unfit(book: &PulseBook) -> Vec<Refusal> {
    let mut out = Vec::new();
    let mut refuse = |cause: String, hint| out.push(Refusal { cause, hint });
    if book.widths_us.len() < MIN_PULSES {
        refuse(
            format!("{} address pulse(s) were seen", book.widths_us.len()),
            "dial an apartment whose address is 5 or more, or several; a recording needs 96000 Hz or more",
        );
        return out;
    }
    let (narrow, wide) = (least(&book.widths_us), most(&book.widths_us));
    if wide > MAX_SPREAD * narrow {
        refuse(
            format!(
                "pulses last from {narrow:.0} to {wide:.0} us: they cannot be told from spikes"
            ),
            "look for interference and bad joints, and measure again; a recording at 200000 Hz or more shows widths truly",
        );
    }
    let spike = most(&book.spikes_us);
    if spike > MAX_SPIKE * narrow {
        refuse(
            format!(
                "{} spike(s) of up to {spike:.0} us beside pulses of {narrow:.0} us",
                book.spikes_us.len()
            ),
            "the wire picks up interference: keep it away from mains cables, look for bad joints, and measure again",
        );
    }
    if !book.long_us.is_empty() {
        refuse(
            format!(
                "{} low(s) of up to {:.0} us among pulses of {wide:.0} us",
                book.long_us.len(),
                most(&book.long_us)
            ),
            "something else pulls the wire down while the panel counts: take other devices off it and measure again",
        );
    }
    if 2.0 * most(&book.gaps_us) >= least(&book.firsts_us) * 4.0 {
        refuse(
            format!(
                "pulses are up to {:.0} us apart, the first one comes {:.0} us after the reset",
                most(&book.gaps_us),
                least(&book.firsts_us)
            ),
            "the end of an address cannot be told from a pause in it: measure again, and record the wire if it stays",
        );
    }
    out
}

/// The thresholds of the comparator.
fn wire(book: &PulseBook, noise: f32, changes: &mut Vec<Change>, refusals: &mut Vec<Refusal>) {
    let (low, rest): (&LevelRange, &LevelRange) = (&book.low, &book.rest);
    let swing = rest.min_volts - low.max_volts;
    let need = MIN_SWING_VOLTS.max(NOISE_SWINGS * noise);
    if swing < need {
        refusals.push(Refusal {
            cause: format!(
                "the wire rests at {:.2} V and is low up to {:.2} V: {swing:.2} V apart, {need:.2} V are needed with {noise:.2} V of noise",
                rest.min_volts, low.max_volts
            ),
            hint: "look for hum, moisture and bad joints, and measure again",
        });
        return;
    }
    for (key, part) in [("low_max_volts", LOW_PART), ("high_min_volts", HIGH_PART)] {
        changes.push(Change {
            section: "level",
            key,
            value: format!("{:.2}", low.max_volts + part * swing),
            source: format!(
                "low {:.2} V, rest {:.2} V",
                low.mean_volts(),
                rest.mean_volts()
            ),
        });
    }
}

fn address(book: &PulseBook, changes: &mut Vec<Change>) {
    let mut push = |key, value: f32, source: String| {
        changes.push(Change {
            section: "address",
            key,
            value: format!("{value:.0}"),
            source,
        });
    };
    let (short, long) = (
        least(&book.resets_us) / 1000.0,
        most(&book.resets_us) / 1000.0,
    );
    let resets = format!("resets of {short:.0} to {long:.0} ms");
    push("reset_min_ms", (short * 0.7).floor(), resets.clone());
    push("reset_max_ms", (long * 1.3).ceil(), resets);
    let (narrow, wide) = (least(&book.widths_us), most(&book.widths_us));
    let widths = format!(
        "{} pulses of {narrow:.0} to {wide:.0} us",
        book.widths_us.len()
    );
    let glitch = (narrow / 4.0)
        .max(most(&book.spikes_us) + 1.0)
        .floor()
        .max(1.0);
    push(
        "pulse_min_us",
        (narrow / 2.0).floor().max(glitch + 1.0),
        widths.clone(),
    );
    push("pulse_max_us", (wide * 2.5).ceil(), widths.clone());
    push("glitch_max_us", glitch, widths);
    let first = most(&book.firsts_us);
    // A panel may pause longer within an address than it did here (line-facts 3: up to 900 us).
    let end = (2.0 * most(&book.gaps_us)).max(2000.0).max(wide * 5.0);
    push(
        "end_us",
        end,
        format!(
            "pulses up to {:.0} us apart, with margin",
            most(&book.gaps_us)
        ),
    );
    push(
        "first_pulse_max_us",
        (first * 3.5).max(end * 2.0).ceil(),
        format!("the first pulse after {first:.0} us, with margin"),
    );
}

fn tones(base: &str, book: &PulseBook, levels: &LevelBook, changes: &mut Vec<Change>) {
    let mut push = |key, value: String, source: String| {
        changes.push(Change {
            section: "tone",
            key,
            value,
            source,
        });
    };
    let bursts = levels.bursts.len().max(1) as f32;
    let ring = levels.bursts.iter().map(|burst| burst.0).sum::<f32>() / bursts;
    push(
        "ring_hz",
        format!("{ring:.0}"),
        format!("{bursts} burst(s)"),
    );
    if let Some((swing, _)) = levels.weakest_ring {
        push(
            "min_swing_volts",
            format!("{:.2}", (swing / 2.0).max(0.3)),
            "half of the weakest ring".to_owned(),
        );
    }
    // A tone like the ring's says nothing of the door.
    let opened: Vec<f32> = book
        .opened_hz
        .iter()
        .copied()
        .filter(|hz| (hz / ring - 1.0).abs() > 0.2)
        .collect();
    let heard = (!opened.is_empty()).then(|| opened.iter().sum::<f32>() / opened.len() as f32);
    if let Some(mean) = heard {
        push(
            "opened_hz",
            format!("{mean:.0}"),
            "the panel's tone after the handset's button".to_owned(),
        );
    }
    // A selection that nobody answered rang, or said that the code is wrong. Two tones that are
    // neither the ring's nor the door's say nothing.
    let known = PulseProfile::from_toml(base);
    let door = heard.or(known.as_ref().ok().map(|known| known.tone.opened_hz.value));
    let apart = |hz: f32, other: f32| (hz / other - 1.0).abs() > APART;
    let refused: Vec<f32> = book
        .unanswered_hz
        .iter()
        .copied()
        .filter(|hz| apart(*hz, ring) && door.is_none_or(|door| apart(*hz, door)))
        .collect();
    let mean = refused.iter().sum::<f32>() / refused.len().max(1) as f32;
    let alike = refused.iter().all(|hz| (hz / mean - 1.0).abs() < SAME);
    let wrong = (!refused.is_empty() && alike).then_some(mean);
    if let Some(mean) = wrong {
        push(
            "wrong_code_hz",
            format!("{mean:.0}"),
            format!("{} selection(s) of nobody", refused.len()),
        );
    }
    // The tones as they now are may lie closer together than those of the file.
    let Ok(known) = known else {
        return;
    };
    let tone = &known.tone;
    let mut all = [
        ring,
        wrong.unwrap_or(tone.wrong_code_hz.value),
        heard.unwrap_or(tone.opened_hz.value),
    ];
    all.sort_by(f32::total_cmp);
    let apart = all
        .windows(2)
        .map(|two| (two[1] - two[0]) / (two[1] + two[0]))
        .fold(f32::INFINITY, f32::min);
    let fits = (apart * 100.0 - 0.5).floor() / 100.0;
    if fits < tone.tolerance.value && fits >= MIN_TOLERANCE {
        push(
            "tolerance",
            format!("{fits:.2}"),
            "half of the least distance of two tones".to_owned(),
        );
    }
}

/// How much of what is known of pulse lines this one shows, 0 to 1, and what does not fit: the mean of
/// five parts, each the share of its readings that lie where they are known to, the ring by its distance
/// too; what was not seen counts nothing. Only one class of pulse lines has ever been measured
/// (line-facts 3), so there is no other name to guess.
#[must_use]
pub fn guess_pulse(book: &PulseBook, levels: &LevelBook) -> (String, f32, String) {
    let Some(known) = PulseProfile::builtin("laskomex-class") else {
        return (String::new(), 0.0, String::new());
    };
    let a = &known.address;
    let share = |of: &[u32], low: u64, high: u64| {
        let inside = of
            .iter()
            .filter(|us| (low..=high).contains(&u64::from(**us)));
        inside.count() as f32 / of.len().max(1) as f32
    };
    let volts =
        |range: &LevelRange, fits: bool| f32::from(u8::from(range.blocks > 0 && fits)) / 2.0;
    let (low, rest) = (book.low.mean_volts(), book.rest.mean_volts());
    let level = volts(&book.low, low <= known.level.low_max_volts.value)
        + volts(&book.rest, rest >= known.level.high_min_volts.value);
    let (ring, tolerance) = (known.tone.ring_hz.value, known.tone.tolerance.value);
    let near = |hz: f32| (1.0 - ((hz / ring - 1.0).abs() / tolerance)).max(0.0);
    let rung = levels.bursts.iter().map(|burst| near(burst.0)).sum::<f32>();
    let parts = [
        ("levels", level),
        (
            "resets",
            share(
                &book.resets_us,
                a.reset_min_ms.value * 1000,
                a.reset_max_ms.value * 1000,
            ),
        ),
        (
            "pulse widths",
            share(&book.widths_us, a.pulse_min_us.value, a.pulse_max_us.value),
        ),
        // A single pulse has no spacing.
        (
            "spacing",
            if book.widths_us.len() == 1 {
                1.0
            } else {
                share(&book.gaps_us, 0, a.end_us.value)
            },
        ),
        ("ring", rung / levels.bursts.len().max(1) as f32),
    ];
    let odd: Vec<&str> = parts.iter().filter(|p| p.1 < 0.5).map(|p| p.0).collect();
    let fit = parts.iter().map(|p| p.1).sum::<f32>() / parts.len() as f32;
    let why = if odd.is_empty() {
        "levels, resets, pulses and ring are those of the one class of pulse lines that is known"
            .to_owned()
    } else {
        format!(
            "not seen, or not as on the one known class of pulse lines: {}",
            odd.join(", ")
        )
    };
    // Nothing of it: then it is no such line.
    let name = if fit < 0.3 { "" } else { "laskomex-class" };
    (name.to_owned(), (fit * 100.0).round() / 100.0, why)
}
