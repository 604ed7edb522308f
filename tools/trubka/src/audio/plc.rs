//! `trubka audio plc`: packets are lost on purpose and concealed as on a call.

use std::path::Path;

use dsp::concealment::Concealer;
use dsp::sample::{to_f32, to_i16};
use serde_json::json;

use super::error::{AudioError, ErrorKind};
use super::wav;

/// Samples in a packet, 20 ms.
const PACKET: usize = 160;
/// Samples concealed at a time, 10 ms.
const BLOCK: usize = 80;
/// Longest pattern file, octets: two hours of packets and as many line ends.
const LONGEST_PATTERN: u64 = 1_000_000;

/// Which packets are lost.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Loss {
    /// By chance: a share, in bursts of this mean length when it is given (Gilbert 1960), independently otherwise.
    Random {
        percent: f64,
        burst: Option<f64>,
        seed: u64,
    },
    /// As a file says; what comes after its end arrives.
    Pattern(Vec<bool>),
}

/// What was lost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) packets: usize,
    pub(super) lost: usize,
    pub(super) losses: usize,
    pub(super) longest: usize,
}

/// Reads a pattern: `0` comes, `1` is lost; white space and lines that begin with `#` mean nothing.
pub(super) fn read_pattern(path: &Path) -> Result<Vec<bool>, AudioError> {
    let refuse = |kind, cause: String| {
        let hint = "a text file with one 0 (comes) or 1 (lost) for every packet of 20 ms";
        AudioError::new(kind, format!("{}: {cause}", path.display()), hint)
    };
    let unreadable = |error: std::io::Error| refuse(ErrorKind::Unreadable, error.to_string());
    if std::fs::metadata(path).map_err(unreadable)?.len() > LONGEST_PATTERN {
        return Err(refuse(
            ErrorKind::TooLong,
            "longer than two hours of packets".to_owned(),
        ));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let mut pattern = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        for letter in line.chars().filter(|letter| !letter.is_whitespace()) {
            pattern.push(match letter {
                '0' => false,
                '1' => true,
                other => {
                    let cause = format!("line {} has {other:?} in it", number + 1);
                    return Err(refuse(ErrorKind::Usage, cause));
                }
            });
        }
    }
    if pattern.is_empty() {
        return Err(refuse(ErrorKind::Usage, "no packet in it".to_owned()));
    }
    Ok(pattern)
}

impl Loss {
    /// Which of `packets` packets are lost.
    fn draw(&self, packets: usize) -> Result<Vec<bool>, AudioError> {
        match self {
            Loss::Pattern(pattern) => Ok((0..packets)
                .map(|n| pattern.get(n).copied().unwrap_or(false))
                .collect()),
            Loss::Random {
                percent,
                burst,
                seed,
            } => {
                let share = percent / 100.0;
                if !(0.0..=1.0).contains(&share) {
                    return Err(AudioError::new(
                        ErrorKind::Usage,
                        format!("{percent} % of the packets cannot be lost"),
                        "--loss takes 0 to 100",
                    ));
                }
                // Independent losses follow each other with the probability of any loss.
                let (start, go_on) = match burst {
                    None => (share, share),
                    Some(burst) => {
                        let start = share / (burst * (1.0 - share));
                        if !(*burst >= 1.0 && start <= 1.0) {
                            return Err(AudioError::new(
                                ErrorKind::Usage,
                                format!("{percent} % in losses of {burst} packets is impossible"),
                                "--burst takes 1 or more, and the more is lost the longer it must be",
                            ));
                        }
                        (start, 1.0 - 1.0 / burst)
                    }
                };
                let mut random = Random(*seed);
                let mut lost = false;
                Ok((0..packets)
                    .map(|_| {
                        lost = random.unit() < if lost { go_on } else { start };
                        lost
                    })
                    .collect())
            }
        }
    }
}

/// Loses and conceals; 8 kHz.
pub(super) fn conceal(samples: &[f32], loss: &Loss) -> Result<(Vec<f32>, Summary), AudioError> {
    let lost = loss.draw(samples.len().div_ceil(PACKET))?;
    let mut concealer = Concealer::new();
    let mut out = Vec::with_capacity(samples.len());
    for (packet, lost) in samples.chunks(PACKET).zip(&lost) {
        for block in packet.chunks(BLOCK) {
            let mut block: Vec<i16> = block.iter().map(|s| to_i16(*s)).collect();
            if *lost {
                concealer.conceal(&mut block);
            } else {
                concealer.good(&mut block);
            }
            out.extend(block.iter().map(|s| to_f32(*s)));
        }
    }
    let runs = lost.split(|lost| !lost).filter(|run| !run.is_empty());
    let summary = Summary {
        packets: lost.len(),
        lost: lost.iter().filter(|lost| **lost).count(),
        losses: runs.clone().count(),
        longest: runs.map(<[bool]>::len).max().unwrap_or(0),
    };
    Ok((out, summary))
}

pub(super) fn run(
    file: &Path,
    to: &Path,
    channel: Option<u16>,
    loss: &Loss,
    json: bool,
) -> Result<String, AudioError> {
    let samples = wav::read(file, channel)?;
    let (out, summary) = conceal(&samples, loss)?;
    wav::write(to, &out)?;
    let share = 100.0 * summary.lost as f64 / summary.packets.max(1) as f64;
    if json {
        let object = json!({
            "packets": summary.packets, "packet_ms": 20, "lost": summary.lost,
            "lost_percent": (share * 100.0).round() / 100.0,
            "losses": summary.losses, "longest_ms": summary.longest * 20,
        });
        return Ok(format!("{object:#}\n"));
    }
    Ok(format!(
        "{} of {} packets of 20 ms lost ({share:.1} %)\n{} losses, the longest {} ms\n",
        summary.lost,
        summary.packets,
        summary.losses,
        summary.longest * 20
    ))
}

/// Reproducible chance (splitmix64, Steele 2014).
struct Random(u64);

impl Random {
    /// 0..1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Format, Scratch, babble};
    use super::*;

    fn random(percent: f64, burst: Option<f64>) -> Loss {
        Loss::Random {
            percent,
            burst,
            seed: 7,
        }
    }

    #[test]
    fn as_much_is_lost_as_was_asked_for() {
        let sound = vec![0.0; 20_000 * PACKET];
        for (percent, burst, mean) in [
            (0.0, None, 0.0),
            (5.0, None, 1.05),
            (4.0, Some(2.5), 2.5),
            (20.0, Some(4.0), 4.0),
        ] {
            let (_, summary) = conceal(&sound, &random(percent, burst)).unwrap();
            let share = 100.0 * summary.lost as f64 / 20_000.0;
            assert!(
                (share - percent).abs() <= 0.15 * percent,
                "{percent}: {share}"
            );
            let length = summary.lost as f64 / summary.losses.max(1) as f64;
            assert!((length - mean).abs() <= 0.1 * mean, "{percent}: {length}");
        }
        let (_, all) = conceal(&sound[..1600], &random(100.0, None)).unwrap();
        assert_eq!((all.lost, all.losses, all.longest), (10, 1, 10));
    }

    #[test]
    fn impossible_losses_are_refused() {
        let impossible = [
            (-1.0, None),
            (101.0, None),
            (f64::NAN, None),
            (5.0, Some(0.5)),
            (5.0, Some(f64::NAN)),
            (90.0, Some(1.0)),
            (100.0, Some(2.0)),
        ];
        for (percent, burst) in impossible {
            let error = conceal(&[0.0; 800], &random(percent, burst)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Usage, "{percent} {burst:?}");
        }
    }

    #[test]
    fn what_comes_is_untouched_and_what_is_lost_is_filled() {
        let sound = babble(20 * PACKET, 3);
        let loss = Loss::Pattern((0..9).map(|n| n == 8).collect());
        let (out, summary) = conceal(&sound, &loss).unwrap();
        assert_eq!(
            summary,
            Summary {
                packets: 20,
                lost: 1,
                losses: 1,
                longest: 1
            }
        );
        assert_eq!(out.len(), sound.len());
        let same =
            |range: std::ops::Range<usize>| range.clone().all(|n| (out[n] - sound[n]).abs() < 1e-4);
        assert!(same(0..8 * PACKET) && same(10 * PACKET..20 * PACKET));
        let gap = &out[8 * PACKET..9 * PACKET];
        assert!(!same(8 * PACKET..9 * PACKET) && gap.iter().any(|s| s.abs() > 0.01));
    }

    #[test]
    fn patterns_are_read_and_nonsense_named() {
        let scratch = Scratch::new("pattern");
        let path = scratch.path("p.txt");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_pattern(&path)
        };
        assert_eq!(
            read("# one of four\n00 1\r\n0\n").unwrap(),
            [false, false, true, false]
        );
        assert_eq!(read("").unwrap_err().kind, ErrorKind::Usage);
        assert!(read("01\n0x").unwrap_err().cause.contains("line 2"));
        assert_eq!(
            read(&"0".repeat(1_000_001)).unwrap_err().kind,
            ErrorKind::TooLong
        );
        let missing = read_pattern(&scratch.path("none")).unwrap_err();
        assert_eq!(missing.kind, ErrorKind::Unreadable);
    }

    #[test]
    fn the_file_is_written_and_described() {
        let scratch = Scratch::new("plc");
        let file = scratch.wav("in.wav", 16_000, 1, Format::Int16, &[babble(32_000, 8)]);
        let to = scratch.path("out.wav");
        let text = run(&file, &to, None, &random(10.0, None), true).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["packets"], 100);
        assert!(value["lost"].as_u64().unwrap() > 2, "{text}");
        assert_eq!(wav::read(&to, None).unwrap().len(), 16_000);
        // The same seed loses the same packets.
        assert_eq!(
            run(&file, &to, None, &random(10.0, None), true).unwrap(),
            text
        );
    }
}
