//! The sound devices themselves, through cpal on ALSA. One thread opens them and opens them again;
//! cpal's own threads bring and fetch the samples.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, DeviceId, ErrorKind, HostId, Stream, StreamConfig};
use dsp::resample::Resampler;
use dsp::sample::{to_f32, to_i16};
use line_interface::{CardError, CardErrorKind, SAMPLE_RATE_HZ};

use super::bridge::{Bridges, locked};
use super::pace::{BRAKE, Pace};

/// How often the devices are looked after.
const LOOK: Duration = Duration::from_millis(100);
/// A device that could not be opened is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// A device that calls no more is opened anew.
const SILENT: Duration = Duration::from_secs(2);
/// So many slips in a row without a call between them are a device that is gone and does not say so: ALSA's plug-in for
/// PipeWire goes on like that, as fast as the processor can, when its node vanishes.
const SLIPS_IN_A_ROW: u32 = 50;
/// Calls of the devices in a second: 10 ms each.
const CALLS_PER_SECOND: u32 = 100;
/// Slips in a row that are nothing special yet.
const SLIPS_UNBRAKED: u32 = 3;
/// Most frames that a call may bring; beyond that the rest is let go.
const MOST_FRAMES: usize = 16_384;

/// The thread that keeps both devices open.
#[derive(Debug)]
pub(crate) struct Devices {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Devices {
    pub(crate) fn start(
        sound: config::Sound,
        bridges: Bridges,
        began: Instant,
    ) -> Result<Devices, CardError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("sound".to_owned())
            .spawn(move || keep(&sound, &bridges, began, &stopped))
            .map_err(|error| CardError {
                kind: CardErrorKind::Lost,
                cause: format!("no thread for the sound: {error}"),
                hint: "the computer is out of threads or memory: look at what else runs on it",
            })?;
        Ok(Devices {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Capture,
    Playback,
}

/// One device, open or waited for.
struct Kept {
    direction: Direction,
    stream: Option<Stream>,
    opened: Duration,
    retry: Duration,
    /// How it runs, once it does.
    runs: String,
}

fn keep(sound: &config::Sound, bridges: &Bridges, began: Instant, stop: &AtomicBool) {
    let mut all = [Direction::Capture, Direction::Playback].map(|direction| Kept {
        direction,
        stream: None,
        opened: Duration::ZERO,
        retry: Duration::ZERO,
        runs: String::new(),
    });
    while !stop.load(Ordering::Relaxed) {
        for kept in &mut all {
            kept.look(sound, bridges, began);
        }
        std::thread::park_timeout(LOOK);
    }
}

impl Kept {
    fn look(&mut self, sound: &config::Sound, bridges: &Bridges, began: Instant) {
        let (side, name) = match self.direction {
            Direction::Capture => (&bridges.capture, &sound.capture),
            Direction::Playback => (&bridges.playback, &sound.playback),
        };
        let now = began.elapsed();
        if self.stream.is_some() {
            let failed = {
                let mut side = locked(side);
                // A device that opens but brings nothing is not there yet: sound servers open for names of nobody.
                if side.called.is_some() && !side.report.present {
                    side.report.present = true;
                    side.report.opened += 1;
                    side.report.detail.clone_from(&self.runs);
                    tracing::info!("sound device runs: {}", side.report.detail);
                }
                let last = side.called.unwrap_or_default().max(self.opened);
                let silent = now.saturating_sub(last) > SILENT;
                let quiet = || format!("no call from it for {} s", SILENT.as_secs());
                side.failed.take().or_else(|| silent.then(quiet))
            };
            let Some(why) = failed else { return };
            // Its threads end here; they may hold the lock, so it is not held now.
            self.stream = None;
            let mut side = locked(side);
            let ran = std::mem::take(&mut side.report.present);
            self.retry = now + if ran { LOOK } else { RETRY };
            side.bridge.reset();
            let detail = format!("{name}: {why}");
            if ran || side.report.detail != detail {
                tracing::warn!("sound device lost, waiting for it: {detail}");
            }
            side.report.detail = detail;
            return;
        }
        if now < self.retry {
            return;
        }
        {
            let mut side = locked(side);
            side.bridge.reset();
            side.failed = None;
            side.called = None;
            side.slips = 0;
        }
        let opened = match self.direction {
            Direction::Capture => open_capture(sound, bridges, began),
            Direction::Playback => open_playback(sound, bridges, began),
        };
        let mut side = locked(side);
        match opened {
            Ok((stream, channels)) => {
                self.stream = Some(stream);
                self.opened = began.elapsed();
                self.runs = format!("{name}, {} Hz, {channels} channel(s)", sound.rate_hz);
                if side.report.detail.is_empty() {
                    side.report.detail = format!("{name}: opened, no sound yet");
                }
            }
            Err(why) => {
                self.retry = now + RETRY;
                let detail = format!("{name}: {why}");
                if side.report.detail != detail {
                    tracing::warn!("sound device cannot be opened, trying on: {detail}");
                }
                side.report.detail = detail;
            }
        }
    }
}

/// The device of that name, or why there is none.
fn device(name: &str) -> Result<cpal::Device, String> {
    let host = cpal::host_from_id(HostId::Alsa).map_err(|error| error.to_string())?;
    host.device_by_id(&DeviceId::new(HostId::Alsa, name))
        .ok_or_else(|| {
            "no such PCM (arecord -L and aplay -L list them; one of an asound.conf needs a hint with show on)".to_owned()
        })
}

/// Tries the least number of channels that has ours, then what sound cards usually have.
fn with_channels<T>(
    channel: u16,
    rate_hz: u32,
    mut build: impl FnMut(StreamConfig) -> Result<T, cpal::Error>,
) -> Result<(T, u16), String> {
    let mut why = String::new();
    let mut tried = 0;
    for channels in [channel + 1, 2, 4, 8] {
        if channels <= tried || channels <= channel {
            continue;
        }
        tried = channels;
        let config = StreamConfig {
            channels,
            sample_rate: rate_hz,
            buffer_size: BufferSize::Fixed(rate_hz / CALLS_PER_SECOND),
        };
        match build(config) {
            Ok(built) => return Ok((built, channels)),
            Err(error) => {
                let settle = error.kind() != ErrorKind::UnsupportedConfig;
                why = format!("{error} (16 bit, {rate_hz} Hz, {channels} channel(s))");
                if settle {
                    break;
                }
            }
        }
    }
    Err(why)
}

/// What the device's errors mean for its side.
fn note(side: &std::sync::Mutex<super::bridge::Side>, direction: Direction, error: &cpal::Error) {
    if take(&mut locked(side), direction, error) {
        // In the device's own thread, which would report the same again at once.
        std::thread::sleep(BRAKE);
    }
}

/// Takes note of an error; tells whether the device's thread should be kept waiting.
fn take(side: &mut super::bridge::Side, direction: Direction, error: &cpal::Error) -> bool {
    match error.kind() {
        // cpal starts it again by itself.
        ErrorKind::Xrun => {
            side.report.xruns += 1;
            side.slips += 1;
            if side.slips >= SLIPS_IN_A_ROW {
                side.failed = Some("it slips all the time and brings nothing".to_owned());
            }
            match direction {
                Direction::Capture => side.bridge.writer_slipped(),
                Direction::Playback => side.bridge.reader_slipped(),
            }
            side.slips > SLIPS_UNBRAKED
        }
        ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => false,
        _ => {
            side.failed = Some(error.to_string());
            true
        }
    }
}

fn converter(from_hz: u32, to_hz: u32) -> Result<Option<Resampler>, String> {
    if from_hz == to_hz {
        return Ok(None);
    }
    Resampler::new(from_hz, to_hz)
        .map(Some)
        .ok_or_else(|| format!("no way from {from_hz} to {to_hz} Hz"))
}

fn open_capture(
    sound: &config::Sound,
    bridges: &Bridges,
    began: Instant,
) -> Result<(Stream, u16), String> {
    let device = device(&sound.capture)?;
    let channel = sound.capture_channel;
    let built = with_channels(channel, sound.rate_hz, |config| {
        let (side, told) = (bridges.capture.clone(), bridges.capture.clone());
        let step = usize::from(config.channels);
        let mut resampler = converter(sound.rate_hz, SAMPLE_RATE_HZ)
            .map_err(|why| cpal::Error::with_message(ErrorKind::UnsupportedConfig, why))?;
        let mut samples = Vec::with_capacity(MOST_FRAMES);
        let mut line = vec![0.0; MOST_FRAMES];
        let mut pace = Pace::of_capture(sound.rate_hz);
        device.build_input_stream::<i16, _, _>(
            config,
            move |data, _| {
                samples.clear();
                let ours = data.iter().skip(usize::from(channel)).step_by(step);
                samples.extend(ours.take(MOST_FRAMES).map(|sample| to_f32(*sample)));
                let count = match &mut resampler {
                    Some(resampler) => resampler.process(&samples, &mut line),
                    None => {
                        line[..samples.len()].copy_from_slice(&samples);
                        samples.len()
                    }
                };
                let now = began.elapsed();
                {
                    let mut side = locked(&side);
                    side.called = Some(now);
                    side.slips = 0;
                    side.bridge.push(now, line.get(..count).unwrap_or_default());
                }
                // Only now: what was brought does not wait.
                pace.keep(began, data.len() / step);
            },
            move |error| note(&told, Direction::Capture, &error),
            None,
        )
    });
    started(built?)
}

fn open_playback(
    sound: &config::Sound,
    bridges: &Bridges,
    began: Instant,
) -> Result<(Stream, u16), String> {
    let device = device(&sound.playback)?;
    let channel = sound.playback_channel;
    let built = with_channels(channel, sound.rate_hz, |config| {
        let (side, told) = (bridges.playback.clone(), bridges.playback.clone());
        let step = usize::from(config.channels);
        let mut resampler = converter(SAMPLE_RATE_HZ, sound.rate_hz)
            .map_err(|why| cpal::Error::with_message(ErrorKind::UnsupportedConfig, why))?;
        let times = (sound.rate_hz / SAMPLE_RATE_HZ).max(1) as usize;
        let mut line = vec![0.0; MOST_FRAMES];
        let mut samples = vec![0.0; MOST_FRAMES];
        // At a higher rate the line's samples come in whole ones: the rest of the last one waits.
        let mut ready = 0..0;
        let mut pace = Pace::of_playback(sound.rate_hz);
        device.build_output_stream::<i16, _, _>(
            config,
            move |data, _| {
                let frames = (data.len() / step).min(MOST_FRAMES / 2);
                pace.keep(began, frames);
                let now = began.elapsed();
                let wanted = frames.saturating_sub(ready.len()).div_ceil(times);
                let fresh = line.get_mut(..wanted).unwrap_or_default();
                {
                    let mut side = locked(&side);
                    side.called = Some(now);
                    side.slips = 0;
                    side.bridge.pull(now, fresh);
                }
                samples.copy_within(ready.clone(), 0);
                let kept = ready.len();
                let rest = samples.get_mut(kept..).unwrap_or_default();
                let count = match &mut resampler {
                    Some(resampler) => resampler.process(fresh, rest),
                    None => {
                        rest[..fresh.len()].copy_from_slice(fresh);
                        fresh.len()
                    }
                };
                let have = kept + count;
                for (frame, sample) in data.chunks_mut(step).zip(&samples[..have]) {
                    frame.fill(0);
                    if let Some(slot) = frame.get_mut(usize::from(channel)) {
                        *slot = to_i16(*sample);
                    }
                }
                ready = frames.min(have)..have;
            },
            move |error| note(&told, Direction::Playback, &error),
            None,
        )
    });
    started(built?)
}

fn started((stream, channels): (Stream, u16)) -> Result<(Stream, u16), String> {
    stream.play().map_err(|error| error.to_string())?;
    Ok((stream, channels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::bridge::Side;

    #[test]
    fn slips_without_end_are_braked_and_then_a_lost_device() {
        let mut side = Side::new(30);
        let slip = cpal::Error::from(ErrorKind::Xrun);
        let mut braked = 0;
        for _ in 0..SLIPS_IN_A_ROW {
            assert_eq!(side.failed, None);
            braked += u32::from(take(&mut side, Direction::Playback, &slip));
        }
        assert_eq!(braked, SLIPS_IN_A_ROW - SLIPS_UNBRAKED);
        assert!(side.failed.is_some());
        assert_eq!(side.report.xruns, SLIPS_IN_A_ROW);
    }
}
