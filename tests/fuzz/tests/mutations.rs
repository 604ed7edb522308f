//! Every target with its seeds as they are and with deterministic mutations of them, each for a bounded time:
//! 2 s, 60 s with `tests/run --long`, `TRUBKA_FUZZ_S` for another time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use trubka_fuzz::mutate::Mutator;
use trubka_fuzz::{TARGETS, Target};

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target.name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{} has too few seeds", target.name);
    files
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

fn limit() -> Duration {
    let set = std::env::var("TRUBKA_FUZZ_S")
        .ok()
        .and_then(|text| text.parse().ok());
    let usual = if std::env::var_os("TRUBKA_LONG").is_some() {
        60
    } else {
        2
    };
    Duration::from_secs(set.unwrap_or(usual))
}

fn feed(target: &Target, number: u64, input: &[u8]) {
    let fed = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if let Err(panic) = fed {
        let path = std::env::temp_dir().join(format!("trubka-fuzz-{}-{number}", target.name));
        std::fs::write(&path, input).unwrap();
        eprintln!(
            "{}: input {number} is kept in {}",
            target.name,
            path.display()
        );
        std::panic::resume_unwind(panic);
    }
}

fn run(name: &str) {
    let target = trubka_fuzz::find(name).unwrap();
    let seeds = seeds(&target);
    for (number, seed) in seeds.iter().enumerate() {
        feed(&target, number as u64, seed);
    }
    feed(&target, 999, b"");
    let (mut mutator, end) = (Mutator::new(4_475), Instant::now() + limit());
    let mut number = 1_000;
    // A machine that stood still meanwhile runs some all the same; an input without end is the test runner's matter.
    while Instant::now() < end || number < 1_006 {
        feed(&target, number, &mutator.next_input(&seeds));
        number += 1;
    }
    eprintln!("{name}: {} inputs", number - 1_000);
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let names = [$(stringify!($name)),*];
            for target in TARGETS {
                assert!(names.contains(&target.name), "{}", target.name);
            }
        }
    };
}

targets!(
    sip_message,
    sip_stream,
    sip_dialog,
    sdp,
    rtp,
    opus,
    srtp,
    rtcp,
    stun,
    keys,
    tones,
    sound_chain,
    card_frames,
    config,
    control,
    console,
    wav,
    capture
);
