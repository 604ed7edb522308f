//! The chain of a call as the gateway runs it: block by block, far end first.

#![allow(missing_docs, clippy::unwrap_used)]

use dsp::agc::AgcConfig;
use dsp::chain::{Chain, ChainConfig, Duplex, EchoMode};
use dsp::echo::BLOCK;

/// Noise in syllables.
fn babble(seconds: usize, seed: u32, level: f32) -> Vec<f32> {
    let (mut state, mut low) = (seed, 0.0);
    (0..seconds * 8000)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low += 0.3 * ((state >> 8) as f32 / 8_388_608.0 - 1.0 - low);
            level * 3.0 * low * (1.0 + (n as f32 / 1200.0).sin())
        })
        .collect()
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
}

/// What the phone hears and what the line plays, with this gain of the line's echo 4 ms later.
fn call(chain: &mut Chain, phone: &[f32], line: &[f32], echo: f32) -> (Vec<f32>, Vec<f32>) {
    let (mut heard, mut played) = (Vec::new(), Vec::new());
    for at in (0..phone.len() / BLOCK * BLOCK).step_by(BLOCK) {
        let mut block: [f32; BLOCK] = phone[at..at + BLOCK].try_into().unwrap();
        chain.play(&mut block);
        played.extend(block);
        let mut block: [f32; BLOCK] = std::array::from_fn(|i| {
            let back = (at + i).checked_sub(32).map_or(0.0, |n| played[n]);
            line[at + i] + echo * back
        });
        chain.hear(&mut block);
        heard.extend(block);
    }
    (heard, played)
}

#[test]
fn an_echo_goes_and_a_voice_stays() {
    let mut chain = Chain::new(ChainConfig::default());
    let phone = babble(10, 1, 0.1);
    let silence = vec![0.0; phone.len()];
    let (heard, played) = call(&mut chain, &phone, &silence, 0.4);
    // 0 dB and below the limit: nothing changes, but that the limiter has looked ahead.
    assert!(played[6..] == phone[..phone.len() - 6]);
    let left = rms(&heard[40_000..]) / rms(&phone[40_000..]) / 0.4;
    assert!(left < 0.01, "{left}");
    let status = chain.status();
    assert!(status.erle_db > 20.0, "{status:?}");
    assert_eq!(status.duplex, Duplex::Full);
    assert!(status.echo_loss_db.unwrap() > 30.0, "{status:?}");
    let voice = babble(4, 2, 0.1);
    let (heard, _) = call(&mut chain, &vec![0.0; voice.len()], &voice, 0.4);
    let kept = rms(&heard[16_000..]) / rms(&voice[16_000..]);
    assert!((0.8..1.1).contains(&kept), "{kept}");
}

#[test]
fn gains_mutes_and_push_to_talk_reach_their_direction_only() {
    let mut chain = Chain::new(ChainConfig {
        echo: EchoMode::Off,
        to_line_db: -6.0,
        to_phone_db: 6.0,
        voice_switch: false,
        ..ChainConfig::default()
    });
    let (phone, line) = (babble(2, 3, 0.05), babble(2, 4, 0.05));
    let ratios = |chain: &mut Chain| {
        let (heard, played) = call(chain, &phone, &line, 0.0);
        let half = 8000;
        (
            rms(&played[half..]) / rms(&phone[half..]),
            rms(&heard[half..]) / rms(&line[half..]),
        )
    };
    let near = |got: f32, expected: f32| (got - expected).abs() < 0.01;
    let (to_line, to_phone) = ratios(&mut chain);
    assert!(
        near(to_line, 0.501) && near(to_phone, 1.995),
        "{to_line} {to_phone}"
    );
    chain.set_to_line_db(0.0);
    chain.set_to_phone_db(0.0);
    for (pressed, expected) in [
        (None, (1.0, 1.0)),
        (Some(true), (1.0, 0.0)),
        (Some(false), (0.0, 1.0)),
    ] {
        chain.push_to_talk(pressed);
        let (to_line, to_phone) = ratios(&mut chain);
        assert!(
            near(to_line, expected.0) && near(to_phone, expected.1),
            "{pressed:?}"
        );
    }
}

#[test]
fn without_a_canceller_a_strong_echo_makes_the_directions_take_turns() {
    let mut chain = Chain::new(ChainConfig {
        echo: EchoMode::Off,
        howl_guard: false,
        ..ChainConfig::default()
    });
    let phone = babble(12, 5, 0.1);
    let silence = vec![0.0; phone.len()];
    let (heard, _) = call(&mut chain, &phone, &silence, 0.7);
    let status = chain.status();
    assert_eq!(status.duplex, Duplex::Half, "{status:?}");
    let left = rms(&heard[64_000..]) / rms(&phone[64_000..]);
    assert!(left < 0.15, "{left}");
}

#[test]
fn the_automatic_gain_does_not_lift_the_echo() {
    let mut chain = Chain::new(ChainConfig {
        agc: Some(AgcConfig::default()),
        ..ChainConfig::default()
    });
    let quiet = babble(8, 6, 0.02);
    let silence = vec![0.0; quiet.len()];
    call(&mut chain, &silence, &quiet, 0.4);
    let up = chain.status().agc_db;
    assert!(up > 5.0, "{up} dB");
    let phone = babble(20, 7, 0.1);
    let silence = vec![0.0; phone.len()];
    call(&mut chain, &phone, &silence, 0.4);
    assert!(
        (chain.status().agc_db - up).abs() < 1.0,
        "{:?}",
        chain.status()
    );
}

/// What the chain says about the delay is the delay: of echoes up to 60 ms, alone and under somebody who speaks, and of one that
/// moves.
#[test]
fn the_delay_that_is_told_is_the_delay_of_the_echo() {
    for rate in [dsp::Rate::Hz8000, dsp::Rate::Hz16000] {
        let per_ms = rate.hz() as usize / 1000;
        for (n, ms) in [0, 1, 3, 10, 17, 25, 40, 60].into_iter().enumerate() {
            let mut chain = Chain::new(ChainConfig {
                rate,
                ..ChainConfig::default()
            });
            let count = 4 * rate.hz() as usize;
            let far = babble(3 * count / 8000, 40 + n as u32, 0.1);
            let near = babble(3 * count / 8000, 80 + n as u32, 0.05);
            let mut played = Vec::new();
            let mut told = Vec::new();
            for at in (0..3 * count).step_by(rate.block()) {
                let mut block = far[at..at + rate.block()].to_vec();
                chain.play(&mut block);
                played.extend(block);
                // After 4 s it comes 20 ms later, and somebody speaks; what was heard before fades out of the memory of 4 s.
                let late = if at < count { ms } else { ms + 20 } * per_ms;
                let mut block: Vec<f32> = (at..at + rate.block())
                    .map(|n| {
                        let beside = if n < count { 0.0 } else { near[n] };
                        beside + n.checked_sub(late).map_or(0.0, |at| 0.4 * played[at])
                    })
                    .collect();
                chain.hear(&mut block);
                told.push(chain.status().echo_delay_ms);
            }
            let is =
                |told: &Option<f32>, ms: usize| told.is_some_and(|t| (t - ms as f32).abs() <= 1.0);
            assert_eq!(told[40], None, "too early to know");
            // Known within 2 s, and right from then on.
            for (block, told) in told.iter().enumerate().take(count / rate.block()).skip(200) {
                assert!(is(told, ms), "{rate:?}, {ms} ms: {told:?} in block {block}");
            }
            let last = told.last().unwrap();
            assert!(is(last, ms + 20), "{rate:?}, {ms} + 20 ms: {last:?}");
        }
    }
}
