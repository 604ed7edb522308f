//! The Q.24-style table of both grades.

use std::time::Instant;

use dsp::dtmf::DtmfGrade;

use crate::battery::*;

const TRIALS: u64 = 100;

pub fn print() {
    for grade in [DtmfGrade::Dialling, DtmfGrade::Door] {
        println!("\n## DTMF, grade {grade:?}");
        table(grade);
    }
    speech();
    cost();
}

fn table(grade: DtmfGrade) {
    // Long enough for both grades.
    let plain = Burst::new('5', 80.0, -10.0);
    let score = |burst, condition| score(grade, burst, condition, TRIALS).0;
    let row = |name: &str, value: String| println!("{name:<44} {value}");
    row(
        "decoded, 80 ms, -7 dBm0",
        format!(
            "{:.0} %",
            score(Burst::new('5', 80.0, -7.0), Condition::Clean)
        ),
    );
    for (name, low, sign) in [
        ("low tone, + %", true, 1.0),
        ("low tone, - %", true, -1.0),
        ("high tone, + %", false, 1.0),
        ("high tone, - %", false, -1.0),
    ] {
        let at = |step: u32| {
            let error = sign * step as f32 / 1000.0;
            let burst = if low {
                Burst {
                    low_error: error,
                    ..plain
                }
            } else {
                Burst {
                    high_error: error,
                    ..plain
                }
            };
            score(burst, Condition::Clean)
        };
        let accept = (0..60).take_while(|step| at(*step) >= 99.0).last();
        let reject = (0..60).find(|step| at(*step) <= 1.0);
        row(
            &format!("{name}: accept / reject"),
            format!("{:?} / {:?} permille", accept, reject),
        );
    }
    let twist = |db: f32| {
        let burst = Burst {
            low_dbm0: -12.0 - db.max(0.0),
            high_dbm0: -12.0 + db.min(0.0),
            ..plain
        };
        score(burst, Condition::Clean)
    };
    let steps = |sign: f32| {
        (0..30)
            .take_while(|n| twist(sign * *n as f32 * 0.5) >= 99.0)
            .last()
    };
    row("normal twist accepted", format!("{:?} half dB", steps(1.0)));
    row(
        "reverse twist accepted",
        format!("{:?} half dB", steps(-1.0)),
    );
    let lowest = (10..60)
        .take_while(|n| score(Burst::new('5', 80.0, -(*n as f32)), Condition::Clean) >= 99.0);
    row(
        "lowest level per tone",
        format!("-{:?} dBm0", lowest.last()),
    );
    for ms in [23.0, 30.0, 40.0, 50.0, 60.0, 70.0] {
        row(
            &format!("found at {ms} ms"),
            format!(
                "{:.0} %",
                score(Burst::new('5', ms, -10.0), Condition::Clean)
            ),
        );
    }
    let snr = (5..30)
        .rev()
        .take_while(|db| score(Burst::new('5', 80.0, -10.0), Condition::Noise(*db as f32)) >= 99.0);
    row("lowest signal to noise", format!("{:?} dB", snr.last()));
    for gap in [10.0, 15.0, 20.0, 25.0, 30.0, 40.0] {
        row(
            &format!("pause of {gap} ms splits"),
            format!("{:.0} %", splits(grade, gap, TRIALS)),
        );
    }
    let digit = Burst::new('5', 80.0, -13.0);
    for (name, condition) in [
        ("50 Hz hum -20 dBm0", Condition::Hum(-20.0)),
        ("50 Hz hum -13 dBm0", Condition::Hum(-13.0)),
        ("DC offset 10 %", Condition::Offset),
        (
            "dial tone 350+440 -25 dBm0",
            Condition::Tones(350.0, 440.0, -25.0),
        ),
        (
            "dial tone 425 -20 dBm0",
            Condition::Tones(425.0, 0.0, -20.0),
        ),
        ("clipped by 6 dB", Condition::Clipped(6.0)),
    ] {
        row(name, format!("{:.0} %", score(digit, condition)));
    }
    let long = Burst::new('5', 160.0, -13.0);
    for (name, burst, condition) in [
        (
            "20 ms lost in 160 ms, told",
            long,
            Condition::Dropout(70.0, 90.0, true),
        ),
        (
            "20 ms lost in 160 ms, not told",
            long,
            Condition::Dropout(70.0, 90.0, false),
        ),
        (
            "20 ms lost in 100 ms, told",
            Burst::new('5', 100.0, -13.0),
            Condition::Dropout(40.0, 60.0, true),
        ),
        (
            "20 ms lost at the start of 100 ms, told",
            Burst::new('5', 100.0, -13.0),
            Condition::Dropout(15.0, 35.0, true),
        ),
        (
            "6 ms dropout in 160 ms",
            long,
            Condition::Dropout(70.0, 76.0, false),
        ),
    ] {
        let (once, twice) = crate::battery::score(grade, burst, condition, TRIALS);
        row(name, format!("{once:.0} %, doubled {twice:.0} %"));
    }
    let voice = imitating_voice(1152, 11);
    row(
        "voice imitating DTMF, 0.32 h",
        format!("{:.1} per hour", hits(grade, &voice) as f64 / 0.32),
    );
}

fn speech() {
    let recordings = crate::speech::recordings();
    if recordings.is_empty() {
        println!("\n(no DSP_SPEECH folder: no speech rows)");
        return;
    }
    let (mut hours, mut found) = (0.0, [0, 0]);
    for raw in recordings {
        let rms = (raw.iter().map(|s| s * s).sum::<f32>() / raw.len() as f32).sqrt();
        for level in [-16.0, -28.0] {
            let gain = dsp::sample::rms_of_dbm0(level) / rms.max(1e-6);
            let mut samples: Vec<f32> = raw.iter().map(|s| s * gain).collect();
            code(&mut samples);
            hours += samples.len() as f64 / 8000.0 / 3600.0;
            for (slot, grade) in found.iter_mut().zip([DtmfGrade::Dialling, DtmfGrade::Door]) {
                *slot += hits(grade, &samples);
            }
        }
    }
    println!(
        "\nspeech, {hours:.2} h: {} false digits (Dialling), {} (Door)",
        found[0], found[1]
    );
}

fn cost() {
    let voice = imitating_voice(60, 3);
    let start = Instant::now();
    hits(DtmfGrade::Dialling, &voice);
    let blocks = voice.len() as f64 / 160.0;
    println!(
        "cost: {:.2} us per 20 ms",
        start.elapsed().as_secs_f64() * 1e6 / blocks
    );
}
