//! A WAV file for the line: any rate and form of PCM, made into what the core plays.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use dsp::resample::Resampler;
use dsp::sample;
use dsp::wav::WavReader;

/// What the core plays, samples a second.
const RATE_HZ: u32 = 8_000;
/// Longest recording, in seconds.
const LONGEST_S: u32 = 20;

/// Reads a recording.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn read(path: &Path) -> Result<Vec<i16>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = WavReader::new(BufReader::new(file)).map_err(|error| error.to_string())?;
    from_wav(reader)
}

fn from_wav<R: std::io::Read>(reader: WavReader<R>) -> Result<Vec<i16>, String> {
    let (rate, channels) = (reader.spec().rate_hz, reader.spec().channels);
    if rate == 0 {
        return Err("says that it has 0 samples a second".into());
    }
    let longest = u64::from(LONGEST_S) * u64::from(rate);
    let mut mono = Vec::new();
    let done = reader.each_frame(|frame| {
        mono.push(frame.iter().sum::<f32>() / f32::from(channels));
        (mono.len() as u64) < longest
    });
    match done.map_err(|error| error.to_string())? {
        0 => return Err("holds no sound".into()),
        frames if frames >= longest => return Err(format!("is longer than {LONGEST_S} s")),
        _ => {}
    }
    let at_line_rate = if rate == RATE_HZ {
        mono
    } else {
        let mut resampler = Resampler::for_recording(rate, RATE_HZ)
            .ok_or_else(|| format!("{rate} samples a second cannot be converted"))?;
        resample(&mut resampler, &mono)
    };
    Ok(at_line_rate.into_iter().map(sample::to_i16).collect())
}

fn resample(resampler: &mut Resampler, mono: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    for part in mono.chunks(1_024) {
        let mut block = vec![0.0; resampler.most_outputs(part.len())];
        let count = resampler.process(part, &mut block);
        block.truncate(count);
        out.extend(block);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// One second of 440 Hz at half of full scale.
    fn wav(rate: u32, channels: u16, bits: u16, format: hound::SampleFormat) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: bits,
            sample_format: format,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..rate {
            let value = 0.5 * (std::f32::consts::TAU * 440.0 * n as f32 / rate as f32).sin();
            for _ in 0..channels {
                match format {
                    hound::SampleFormat::Float => writer.write_sample(value).unwrap(),
                    hound::SampleFormat::Int => {
                        let full = (1_i64 << (bits - 1)) as f32;
                        writer.write_sample((value * (full - 1.0)) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<i16>, String> {
        from_wav(WavReader::new(Cursor::new(bytes)).map_err(|error| error.to_string())?)
    }

    #[test]
    fn every_rate_and_form_gives_the_same_tone() {
        use hound::SampleFormat::{Float, Int};
        for (rate, channels, bits, format) in [
            (8_000, 1, 16, Int),
            (8_000, 1, 8, Int),
            (11_025, 1, 16, Int),
            (16_000, 2, 24, Int),
            (22_050, 1, 16, Int),
            (44_100, 2, 16, Int),
            (48_000, 1, 32, Int),
            (48_000, 2, 32, Float),
        ] {
            let samples = read(wav(rate, channels, bits, format)).unwrap();
            let what = format!("{rate} Hz, {channels} channels, {bits} bits");
            assert!(
                (7_800..=8_200).contains(&samples.len()),
                "{what}: {}",
                samples.len()
            );
            let middle = &samples[2_000..6_000];
            let peak = middle.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!((15_000..18_000).contains(&peak), "{what}: peak {peak}");
            let rising = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0);
            let hertz = rising.count() * 2;
            assert!((434..=446).contains(&hertz), "{what}: {hertz} Hz");
        }
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        assert!(read(b"no wav at all".to_vec()).is_err());
        let mut cut = wav(8_000, 1, 16, hound::SampleFormat::Int);
        cut.truncate(100);
        assert!(read(cut).is_err());
    }
}
