//! The figures of a call beside what really happened on the line and on the network.

use call::{CallFigures, Event};
use phone::{Speaker, speak};

use crate::world::{Options, Weather, World, answers, ms, seconds};

/// Words of the resident, from one second after the answer on.
const RESIDENT_MS: u32 = 7000;

/// A call in which the phone says these words from one second after the answer on.
fn call(words: Vec<i16>, options: Options) -> World {
    let mut script = answers(ms(300));
    script.says = vec![0; 8000];
    script.says.extend(words);
    let mut world = World::ready(Options {
        keep_sound: true,
        phone: script,
        ..options
    });
    world.network.arrived = Some(Vec::new());
    world.visit_until("call_answered");
    world
}

fn resident() -> Vec<i16> {
    speak(Speaker::Resident, RESIDENT_MS)
}

/// As `rtp stats` tells them.
fn status(world: &World) -> CallFigures {
    world.gateway.call_statuses().remove(0).figures
}

fn figures(world: &World) -> CallFigures {
    match world.last("call_quality") {
        Some(Event::CallQuality(figures)) => (**figures).clone(),
        other => panic!("{other:?}"),
    }
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum()
}

fn last_seconds(samples: &[i16], count: f64) -> &[i16] {
    &samples[samples.len() - (count * 8000.0) as usize..]
}

/// Mean level of the blocks of 10 ms above -45 dBm0.
fn speech_dbm0(samples: &[i16]) -> f32 {
    // Of a sine of full scale (ITU-T G.711).
    let overload_dbm0 = 314.0 / 100.0;
    let dbm0 = |mean: f64| 10.0 * (mean / (32_768.0 * 32_768.0) * 2.0).log10() + overload_dbm0;
    let loud: Vec<f64> = samples
        .chunks_exact(80)
        .map(|block| energy(block) / 80.0)
        .filter(|mean| dbm0(*mean) > -45.0)
        .collect();
    dbm0(loud.iter().sum::<f64>() / loud.len() as f64) as f32
}

/// Delay of the first clear part of what comes back of `played`, noise, ms.
fn delay_ms(played: &[i16], heard: &[i16]) -> f32 {
    let lags: Vec<f64> = (0..500)
        .map(|lag| {
            let pairs = played.iter().zip(&heard[lag..]);
            pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        })
        .collect();
    let peak = lags.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    let first = lags.iter().position(|lag| lag.abs() >= 0.4 * peak);
    first.unwrap() as f32 / 8.0
}

/// Noise like a crowd behind the phone, at -20 dBFS.
fn noise(milliseconds: u32) -> Vec<i16> {
    let mut state = 7_u32;
    (0..milliseconds * 8)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 / 6
        })
        .collect()
}

#[test]
fn echo_figures_are_those_of_the_line() {
    // The linear canceller alone: what the phone hears is what it leaves.
    let mut world = call(
        noise(RESIDENT_MS),
        Options {
            config: "[media]\necho_control = \"linear\"",
            ..Options::default()
        },
    );
    world.run_for(seconds(7));
    let told = status(&world);
    let (played, heard) = (&world.line_played, &world.line_heard);
    let truth = delay_ms(last_seconds(played, 2.0), last_seconds(heard, 2.0));
    let delay = told.echo_delay_ms.expect("found within 6 s of speech");
    assert!(
        (delay - truth).abs() <= 1.0,
        "told {delay} ms, is {truth} ms"
    );
    // The telling reaches back half a second or so.
    let before = energy(last_seconds(heard, 0.8));
    let after = energy(last_seconds(world.phone.heard(), 0.8));
    let truth = 10.0 * (before / after).log10() as f32;
    assert!(
        (told.erle_db - truth).abs() < 4.0,
        "told {} dB, is {truth} dB",
        told.erle_db
    );
    assert!(told.erle_db > 6.0, "{told:?}");
    world.run_for(seconds(2));
    world.panel.visitor_leave();
    world.run_for(seconds(5));
    let last = figures(&world);
    assert_eq!(last.echo_delay_ms, Some(delay));
    assert!(last.erle_db > 6.0, "{last:?}");
}

#[test]
fn levels_are_those_of_the_sound() {
    let mut world = call(
        resident(),
        Options {
            route: "gain_to_line_db = -4\ngain_to_phone_db = 5",
            ..Options::default()
        },
    );
    let (line, heard) = (world.line_played.len(), world.phone.heard().len());
    world.run_for(seconds(9));
    let told = status(&world);
    let said = speech_dbm0(&speak(Speaker::Resident, RESIDENT_MS));
    let is = |told: Option<f32>, truth: f32, what: &str| {
        let told = told.unwrap();
        assert!(
            (told - truth).abs() < 1.0,
            "{what}: told {told}, is {truth} dBm0"
        );
    };
    is(told.from_phone_dbm0, said, "from the phone");
    is(
        told.to_line_dbm0,
        speech_dbm0(&world.line_played[line..]),
        "to the line",
    );
    // The gain of the apartment is between them, as far as the voice switch leaves it.
    let gain = told.to_line_dbm0.unwrap() - told.from_phone_dbm0.unwrap();
    assert!((gain + 4.0).abs() < 1.0, "{gain} dB");
    let line = world.line_heard.len();
    let words = speak(Speaker::Visitor, 5000);
    world.panel.visitor_say(&words);
    world.run_for(seconds(6));
    let told = status(&world);
    let to_phone = speech_dbm0(&world.phone.heard()[heard..]);
    is(told.to_phone_dbm0, to_phone, "to the phone");
    // What came from the line before was our own echo; it counts as what comes from there.
    let from_line = speech_dbm0(&world.line_heard[line..]);
    let gain = told.to_phone_dbm0.unwrap() - from_line;
    assert!((gain - 5.0).abs() < 1.5, "{gain} dB");
    // This panel rings on at full scale for a second after its visitor has left: nothing of it gets into ear or figures.
    let (line, heard) = (world.line_heard.len(), world.phone.heard().len());
    world.panel.visitor_leave();
    world.run_for(seconds(5));
    let loudest = |samples: &[i16]| samples.iter().map(|s| s.unsigned_abs()).max();
    assert_eq!(
        loudest(&world.line_heard[line..]),
        Some(32_767),
        "a poor test"
    );
    let ear = loudest(&world.phone.heard()[heard..]);
    assert!(ear < Some(4000), "{ear:?} in the ear");
    let last = figures(&world);
    is(last.to_phone_dbm0, to_phone, "to the phone at the end");
    is(
        last.from_line_dbm0,
        told.from_line_dbm0.unwrap(),
        "from the line at the end",
    );
    assert_eq!(last.from_phone_dbm0, told.from_phone_dbm0);
}

/// Interarrival jitter by RFC 3550, A.8, ms.
fn jitter_ms(arrived: &[(std::time::Duration, Vec<u8>)]) -> f32 {
    let transit = |(at, packet): &(std::time::Duration, Vec<u8>)| {
        let stamp = u32::from_be_bytes(packet[4..8].try_into().unwrap());
        at.as_secs_f64() * 8000.0 - f64::from(stamp)
    };
    let mut jitter = 0.0;
    for pair in arrived.windows(2) {
        let moved = (transit(&pair[1]) - transit(&pair[0])).abs();
        jitter += (moved - jitter) / 16.0;
    }
    (jitter / 8.0) as f32
}

#[test]
fn network_figures_are_those_of_the_network() {
    for (loss, jitter) in [(0, 0), (30, 8), (80, 25)] {
        let mut world = call(
            resident(),
            Options {
                weather: Weather {
                    delay: ms(30),
                    loss,
                    jitter: ms(jitter),
                    ..Weather::fine()
                },
                ..Options::default()
            },
        );
        world.run_for(seconds(14));
        let told = status(&world);
        let arrived = world.network.arrived.clone().unwrap();
        let number = |packet: &[u8]| u16::from_be_bytes(packet[2..4].try_into().unwrap());
        let numbers: Vec<u16> = arrived.iter().map(|(_, packet)| number(packet)).collect();
        let (first, last) = (numbers[0], *numbers.iter().max().unwrap());
        assert!(last > first, "the numbers must not wrap for this count");
        let due = u64::from(last - first) + 1;
        let lost = due - arrived.len() as u64;
        assert_eq!(
            (told.packets_received, told.lost),
            (arrived.len() as u64, lost)
        );
        let percent = 100.0 * lost as f32 / due as f32;
        assert!((told.lost_percent - percent).abs() < 0.05, "{told:?}");
        let truth = jitter_ms(&arrived);
        assert!(
            (told.jitter_ms - truth).abs() < 0.3,
            "told {}, is {truth} ms",
            told.jitter_ms
        );
        // What was lost or late was made up, and hardly anything else: 20 ms a packet; the beginning is silence.
        let made_up = 20.0 * (lost + told.late) as f32;
        let concealed = told.concealed_ms as f32;
        assert!(
            concealed >= 0.8 * made_up && concealed <= 1.25 * made_up + 100.0,
            "{concealed} ms made up, {lost} lost, {} late",
            told.late
        );
        let played = 20.0 * due as f32;
        assert!(
            (told.concealed_percent - 100.0 * concealed / played).abs() < 0.3,
            "{told:?}"
        );
        // ITU-T G.107 with its defaults, G.711 with concealment: 30 ms of network each way, a packet, the buffer.
        assert!(
            told.rtt_ms
                .is_none_or(|rtt| (55.0..=70.0 + 2.0 * jitter as f32).contains(&rtt)),
            "{told:?}"
        );
        let delay = 30.0 + 20.0 + told.buffer_ms as f32;
        assert!(delay < 177.0, "the formula below is for short delays");
        let share = (lost + told.late) as f32 / due as f32;
        let rating = 93.2 - 0.024 * delay - 95.0 * 100.0 * share / (100.0 * share + 25.1);
        let truth = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
        let mos = told.mos.unwrap();
        assert!((mos - truth).abs() < 0.15, "told {mos}, is {truth}");
        assert_eq!(told.dtmf_mode, "rfc4733");
        world.panel.visitor_leave();
        world.run_for(seconds(5));
        let last = figures(&world);
        assert!(
            last.lost >= told.lost && (last.mos.unwrap() - mos).abs() < 0.2,
            "{last:?}"
        );
    }
}
