//! Names of the channels: which wire is which.

use line_interface::matrix::{Bus, TapLayout};
use line_interface::switch::Switch;

use super::failed;
use crate::exit::{Failed, USAGE};

/// A named channel of a matrix recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) module: u8,
    pub(super) bus: Bus,
    pub(super) label: u8,
}

const HINT: &str =
    "name each channel in order: D0,..,D9,E0,..,E9; a second module is 2:D0,..; `..` fills in";

/// Reads `D0,..,D9,E0,..,E9`; a module is written before its line, `2:D0`, counted from 1.
pub(super) fn taps(text: &str, switch: &Switch) -> Result<Vec<Tap>, Failed> {
    let mut out: Vec<Tap> = Vec::new();
    let mut fill = false;
    for word in text.split(',').map(str::trim) {
        if word.chars().all(|c| c == '.' || c == '…') && !word.is_empty() {
            fill = true;
            continue;
        }
        let (first, last) = match word.split_once("..").or_else(|| word.split_once('-')) {
            Some((a, b)) => (one(a)?, Some(one(b)?)),
            None => (one(word)?, None),
        };
        if std::mem::take(&mut fill) {
            let from = *out.last().ok_or_else(|| bad(word))?;
            between(from, first, switch, &mut out)?;
        }
        out.push(first);
        if let Some(last) = last {
            between(first, last, switch, &mut out)?;
            out.push(last);
        }
    }
    if fill || out.is_empty() {
        return Err(bad(text));
    }
    for (i, tap) in out.iter().enumerate() {
        if out.iter().take(i).any(|t| t == tap) {
            return Err(bad(&format!("{text:?}: a line is named twice")));
        }
    }
    Ok(out)
}

fn bad(what: &str) -> Failed {
    failed(USAGE, format!("--channels: {what}"), HINT)
}

fn one(word: &str) -> Result<Tap, Failed> {
    let (module, line) = match word.split_once(':') {
        Some((m, line)) => {
            let m: u8 = m.parse().map_err(|_| bad(word))?;
            (m.checked_sub(1).ok_or_else(|| bad(word))?, line)
        }
        None => (0, word),
    };
    let mut letters = line.chars();
    let bus = match letters.next() {
        Some('D' | 'd') => Bus::Tens,
        Some('E' | 'e') => Bus::Units,
        _ => return Err(bad(word)),
    };
    let label = letters.as_str().parse().map_err(|_| bad(word))?;
    Ok(Tap { module, bus, label })
}

/// What lies between two named lines, neither included.
fn between(from: Tap, to: Tap, switch: &Switch, out: &mut Vec<Tap>) -> Result<(), Failed> {
    if from.module != to.module {
        return Err(bad(".. does not reach over modules"));
    }
    if from.bus == to.bus {
        if to.label <= from.label {
            return Err(bad(".. counts upwards"));
        }
        out.extend((from.label + 1..to.label).map(|label| Tap { label, ..from }));
        return Ok(());
    }
    let labels = |bus| match bus {
        Bus::Tens => switch.tens_labels(from.module),
        Bus::Units => switch.units_labels(),
    };
    out.extend(
        labels(from.bus)
            .filter(|label| *label > from.label)
            .map(|label| Tap { label, ..from }),
    );
    out.extend(
        labels(to.bus)
            .filter(|label| *label < to.label)
            .map(|label| Tap { label, ..to }),
    );
    Ok(())
}

/// For every channel the index of its tap.
pub(super) fn indexes(taps: &[Tap], layout: &TapLayout) -> Result<Vec<usize>, Failed> {
    taps.iter()
        .map(|tap| {
            layout.index(tap.module, tap.bus, tap.label).ok_or_else(|| {
                let letter = if tap.bus == Bus::Tens { 'D' } else { 'E' };
                failed(
                    USAGE,
                    format!(
                        "the switch has no {letter}{} in module {}",
                        tap.label,
                        tap.module + 1
                    ),
                    "name the right --switch; Metakom counts units from E1, others from E0",
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ranges_and_fillers_name_every_tap() {
        let switch = Switch::builtin("km100-7.1").unwrap();
        let layout = TapLayout::new(&switch);
        let every: Vec<usize> = (0..20).collect();
        for text in [
            "D0,..,D9,E0,..,E9",
            "D0-D9,E0-E9",
            "d0..d9,e0..e9",
            "D0,..,E9",
        ] {
            assert_eq!(
                indexes(&taps(text, &switch).unwrap(), &layout).unwrap(),
                every
            );
        }
        let some = taps("E3, D4", &switch).unwrap();
        assert_eq!(indexes(&some, &layout).unwrap(), [13, 4]);
        for text in ["", "..", "D0,..", "X1", "D0,D0", "D9,..,D0", "0:D1", "D"] {
            assert!(taps(text, &switch).is_err(), "{text}");
        }
        let metakom = Switch::builtin("com-100u").unwrap();
        assert!(indexes(&taps("E0", &metakom).unwrap(), &TapLayout::new(&metakom)).is_err());
        assert_eq!(taps("D0,..,E10", &metakom).unwrap().len(), 20);
    }
}
