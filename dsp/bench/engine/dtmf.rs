//! `hits|cost dialling|door`: 16-bit samples at 8 kHz on standard input; prints what `anchors/dtmf.c` prints.

use std::io::Read;
use std::time::Instant;

use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGrade};
use dsp::sample::to_f32;

fn grade(name: &str) -> DtmfGrade {
    match name {
        "dialling" => DtmfGrade::Dialling,
        _ => DtmfGrade::Door,
    }
}

fn pressed(detector: &mut DtmfDetector) -> usize {
    std::iter::from_fn(|| detector.poll())
        .filter(|event| matches!(event, DtmfEvent::Pressed { .. }))
        .count()
}

/// Digits in the input.
pub(crate) fn hits(name: &str) {
    let mut detector = DtmfDetector::new(grade(name));
    let mut input = std::io::stdin().lock();
    let mut bytes = [0; 320];
    let mut hits = 0;
    while input.read_exact(&mut bytes).is_ok() {
        let samples: [i16; 160] =
            std::array::from_fn(|i| i16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]));
        // A packet full of the lowest number is one that was lost.
        let erased = samples.iter().all(|s| *s == i16::MIN);
        let block = samples.map(|s| if erased { 0.0 } else { to_f32(s) });
        detector.process(&block, erased);
        hits += pressed(&mut detector);
    }
    println!("{hits}");
}

/// Least time of many runs, us per 20 ms.
pub(crate) fn cost(name: &str) {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    let all: Vec<f32> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|b| to_f32(i16::from_le_bytes(*b)))
        .collect();
    let mut best = f64::MAX;
    for _ in 0..50 {
        let mut detector = DtmfDetector::new(grade(name));
        let start = Instant::now();
        for block in all.chunks_exact(160) {
            detector.process(block, false);
            pressed(&mut detector);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / (all.len() / 160) as f64);
    }
    println!("{best:.3}");
}
