//! The sound in a WAV file, out of any stream of its octets.
//!
//! RIFF and RF64 (EBU Tech 3306); PCM of 8 to 64 bits, floats of 32 and 64 bits, A-law and mu-law (ITU-T G.711), each plain or as
//! `WAVE_FORMAT_EXTENSIBLE`, with any number of channels and any rate. Octets are read as they come, so a pipe will do. Numbers
//! that are none come out as 0.

use std::fmt;
use std::io::{self, Read};

/// Longest `fmt ` chunk that is read, octets; the extensible one has 40.
const LONGEST_FORMAT: u64 = 1 << 16;

/// How a sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Whole numbers; of one octet without a sign.
    Pcm,
    /// Numbers with full scale at 1.0.
    Float,
    /// ITU-T G.711, A-law.
    ALaw,
    /// ITU-T G.711, mu-law.
    MuLaw,
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavSpec {
    /// At least 1.
    pub channels: u16,
    /// Frames a second; what the header says, 0 among it.
    pub rate_hz: u32,
    /// Bits of a sample, without those that only fill an octet.
    pub bits: u16,
    /// How they are meant.
    pub coding: Coding,
}

/// Why there is no sound.
#[derive(Debug)]
pub enum WavError {
    /// Reading failed.
    Io(io::Error),
    /// It is no WAV file; what is wrong.
    NotWav(&'static str),
    /// Samples of a kind that is not read; which.
    Unsupported(String),
    /// It ends after this many frames, before what its header says.
    Truncated(u64),
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WavError::Io(error) => write!(f, "{error}"),
            WavError::NotWav(what) => f.write_str(what),
            WavError::Unsupported(what) => f.write_str(what),
            WavError::Truncated(frames) => write!(f, "ends after {frames} frames"),
        }
    }
}

impl std::error::Error for WavError {}

/// Reads the sound of a WAV file.
#[derive(Debug)]
pub struct WavReader<R> {
    input: R,
    spec: WavSpec,
    /// Octets of a sample.
    width: usize,
    frames: Option<u64>,
}

impl<R: Read> WavReader<R> {
    /// Reads the header, up to the first sample.
    ///
    /// # Errors
    /// [`WavError`], but never that the sound is cut off.
    pub fn new(mut input: R) -> Result<WavReader<R>, WavError> {
        let [kind, _, form] = words(&mut input)?;
        let long = match (&kind, &form) {
            (b"RIFF", b"WAVE") => false,
            (b"RF64" | b"BW64", b"WAVE") => true,
            (b"RIFX", b"WAVE") => {
                return Err(WavError::Unsupported(
                    "a WAV file with the high octet first (RIFX)".to_owned(),
                ));
            }
            _ => return Err(WavError::NotWav("does not begin as a WAV file does")),
        };
        let mut format: Option<(WavSpec, usize)> = None;
        let mut long_data = None;
        loop {
            let [name, size] = words(&mut input)?;
            let size = u64::from(u32::from_le_bytes(size));
            match &name {
                b"data" => {
                    let (spec, width) =
                        format.ok_or(WavError::NotWav("has sound before its format"))?;
                    let octets = match long_data {
                        Some(octets) if long && size == u64::from(u32::MAX) => Some(octets),
                        _ => (!is_unknown(size)).then_some(size),
                    };
                    let frame = (width * usize::from(spec.channels)) as u64;
                    return Ok(WavReader {
                        input,
                        spec,
                        width,
                        frames: octets.map(|octets| octets / frame),
                    });
                }
                b"fmt " if size > LONGEST_FORMAT => {
                    return Err(WavError::NotWav("has a format of absurd length"));
                }
                b"fmt " => {
                    format = Some(read_format(&chunk(&mut input, size)?)?);
                }
                b"ds64" if size <= LONGEST_FORMAT => {
                    let sizes = chunk(&mut input, size)?;
                    long_data = sizes
                        .get(8..16)
                        .and_then(|octets| octets.try_into().ok())
                        .map(u64::from_le_bytes);
                }
                _ => skip(&mut input, size)?,
            }
        }
    }

    /// What the header says.
    pub fn spec(&self) -> WavSpec {
        self.spec
    }

    /// Frames as the header has them; `None` when it does not know.
    pub fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// Gives every frame, one sample a channel, full scale at 1.0, to `take` until it says no; returns how many there were.
    ///
    /// # Errors
    /// [`WavError::Truncated`] when the header promises more, [`WavError::Io`] when reading fails.
    pub fn each_frame(mut self, mut take: impl FnMut(&[f32]) -> bool) -> Result<u64, WavError> {
        let channels = usize::from(self.spec.channels);
        let mut octets = vec![0; self.width * channels];
        let mut frame = vec![0.0; channels];
        let mut done = 0;
        while self.frames.is_none_or(|frames| done < frames) {
            if !fill(&mut self.input, &mut octets).map_err(WavError::Io)? {
                return match self.frames {
                    Some(_) => Err(WavError::Truncated(done)),
                    None => Ok(done),
                };
            }
            for (slot, octets) in frame.iter_mut().zip(octets.chunks_exact(self.width)) {
                *slot = crate::sample::finite(sample(octets, self.spec.coding));
            }
            done += 1;
            if !take(&frame) {
                break;
            }
        }
        Ok(done)
    }
}

/// Whether a size in a header says that the writer did not know it: what writes into a pipe puts the most that fits into 31 or
/// 32 bits there, or a little less (sox, arecord, ffmpeg).
fn is_unknown(octets: u64) -> bool {
    (0x7fff_0000..=0x8000_0000).contains(&octets) || octets >= 0xffff_0000
}

/// The next words of four octets.
fn words<const N: usize>(input: &mut impl Read) -> Result<[[u8; 4]; N], WavError> {
    let mut out = [[0; 4]; N];
    for word in &mut out {
        if !fill(input, word).map_err(WavError::Io)? {
            return Err(WavError::NotWav("ends within its header"));
        }
    }
    Ok(out)
}

/// Fills the octets; false when there are not as many.
fn fill(input: &mut impl Read, octets: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(octets) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The octets of a chunk, and past the one that makes its length even.
fn chunk(input: &mut impl Read, size: u64) -> Result<Vec<u8>, WavError> {
    let mut octets = Vec::new();
    let got = input
        .take(size)
        .read_to_end(&mut octets)
        .map_err(WavError::Io)?;
    skip(input, size % 2)?;
    if got as u64 == size {
        Ok(octets)
    } else {
        Err(WavError::NotWav("ends within its header"))
    }
}

/// Past a chunk, and the octet that makes its length even.
fn skip(input: &mut impl Read, size: u64) -> Result<(), WavError> {
    let padded = size + size % 2;
    io::copy(&mut input.take(padded), &mut io::sink())
        .map(drop)
        .map_err(WavError::Io)
}

/// The format chunk, and the octets of a sample.
fn read_format(octets: &[u8]) -> Result<(WavSpec, usize), WavError> {
    const SHORT: WavError = WavError::NotWav("has a format that is too short");
    let half = |at: usize| match octets.get(at..at + 2) {
        Some(&[low, high]) => Ok(u16::from_le_bytes([low, high])),
        _ => Err(SHORT),
    };
    let (mut tag, channels, block, bits) = (half(0)?, half(2)?, half(12)?, half(14)?);
    let rate_hz = u32::from(half(4)?) | u32::from(half(6)?) << 16;
    let mut valid = bits;
    if tag == 0xfffe {
        // The bits that are used, then a mask of loudspeakers, then the tag as the beginning of a longer name.
        let used = half(18)?;
        if (1..=bits).contains(&used) {
            valid = used;
        }
        tag = half(24)?;
    }
    let coding = match tag {
        1 => Coding::Pcm,
        3 => Coding::Float,
        6 => Coding::ALaw,
        7 => Coding::MuLaw,
        other => {
            return Err(WavError::Unsupported(format!(
                "sound of the kind {other:#06x}{}",
                name_of(other)
            )));
        }
    };
    if channels == 0 {
        return Err(WavError::NotWav("has no channel"));
    }
    // Bits that fill no octet lie at its top, and the header says how long a frame is.
    let width = match block {
        0 => usize::from(bits.div_ceil(8)),
        block => usize::from(block / channels),
    };
    let read = match coding {
        Coding::Pcm => (1..=8).contains(&width) && bits > 0 && usize::from(bits) <= 8 * width,
        Coding::Float => (width == 4 || width == 8) && usize::from(bits) == 8 * width,
        Coding::ALaw | Coding::MuLaw => width == 1,
    };
    if !read || (block != 0 && block % channels != 0) {
        return Err(WavError::Unsupported(format!(
            "samples of {bits} bits, {block} octets for {channels} of them"
        )));
    }
    let spec = WavSpec {
        channels,
        rate_hz,
        bits: valid,
        coding,
    };
    Ok((spec, width))
}

/// What people call a kind of sound.
fn name_of(tag: u16) -> &'static str {
    match tag {
        0x0002 | 0x0011 => " (ADPCM)",
        0x0031 => " (GSM 6.10)",
        0x0055 => " (MP3)",
        _ => "",
    }
}

/// A sample of one to eight octets, the lowest first.
fn sample(octets: &[u8], coding: Coding) -> f32 {
    match (coding, octets) {
        (Coding::ALaw, &[octet]) => alaw(octet),
        (Coding::MuLaw, &[octet]) => mulaw(octet),
        (Coding::Float, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (Coding::Float, &[a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32
        }
        (Coding::Pcm, &[octet]) => (f32::from(octet) - 128.0) / 128.0,
        _ => {
            // At the top of 64 bits, so that the sign is where it belongs.
            let value = octets
                .iter()
                .fold(0_u64, |value, octet| value >> 8 | u64::from(*octet) << 56);
            (value.cast_signed() as f64 / 2.0_f64.powi(63)) as f32
        }
    }
}

/// ITU-T G.711, A-law, table 1.
fn alaw(octet: u8) -> f32 {
    let code = octet ^ 0x55;
    let (segment, step) = (code >> 4 & 7, i32::from(code & 15));
    let size = match segment {
        0 => 16 * step + 8,
        _ => (16 * step + 264) << (segment - 1),
    };
    let sign = if code & 0x80 == 0 { -1.0 } else { 1.0 };
    sign * size as f32 / 32_768.0
}

/// ITU-T G.711, mu-law, table 2.
fn mulaw(octet: u8) -> f32 {
    let code = !octet;
    let (segment, step) = (code >> 4 & 7, i32::from(code & 15));
    let size = ((8 * step + 132) << segment) - 132;
    let sign = if code & 0x80 == 0 { 1.0 } else { -1.0 };
    sign * size as f32 / 32_768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of these chunks.
    fn file(kind: &[u8; 4], chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let mut out = [kind.as_slice(), &[255; 4], b"WAVE"].concat();
        for (name, size, octets) in chunks {
            out.extend([name.as_slice(), &size.to_le_bytes(), octets].concat());
        }
        out
    }

    fn format(tag: u16, channels: u16, width: u16, bits: u16) -> Vec<u8> {
        let mut out = Vec::new();
        for half in [tag, channels] {
            out.extend(half.to_le_bytes());
        }
        out.extend(8000_u32.to_le_bytes());
        out.extend((8000 * u32::from(channels * width)).to_le_bytes());
        for half in [channels * width, bits] {
            out.extend(half.to_le_bytes());
        }
        out
    }

    /// Samples of a mono file with this format, and what the header says.
    fn read(format: &[u8], data: &[u8]) -> Result<(WavSpec, Vec<f32>), WavError> {
        let bytes = file(
            b"RIFF",
            &[
                (b"fmt ", format.len() as u32, format),
                (b"data", data.len() as u32, data),
            ],
        );
        collect(&bytes)
    }

    fn collect(bytes: &[u8]) -> Result<(WavSpec, Vec<f32>), WavError> {
        let reader = WavReader::new(bytes)?;
        let (spec, mut out) = (reader.spec(), Vec::new());
        reader.each_frame(|frame| {
            out.extend(frame);
            true
        })?;
        Ok((spec, out))
    }

    #[test]
    fn every_coding_gives_the_same_samples() {
        let wanted = [0.0, 0.5, -0.5, -1.0];
        let int = |width: usize| {
            wanted
                .iter()
                .flat_map(|x| {
                    let value = (f64::from(*x) * 2.0_f64.powi(63)) as i64;
                    value.to_le_bytes()[8 - width..].to_vec()
                })
                .collect::<Vec<u8>>()
        };
        let float: Vec<u8> = wanted.iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
        let double: Vec<u8> = wanted
            .iter()
            .flat_map(|x| f64::from(*x).to_le_bytes())
            .collect();
        let cases = [
            (format(1, 1, 1, 8), vec![128, 192, 64, 0]),
            (format(1, 1, 2, 16), int(2)),
            (format(1, 1, 2, 12), int(2)),
            (format(1, 1, 3, 24), int(3)),
            (format(1, 1, 4, 24), int(4)),
            (format(1, 1, 4, 32), int(4)),
            (format(1, 1, 8, 64), int(8)),
            (format(3, 1, 4, 32), float),
            (format(3, 1, 8, 64), double),
        ];
        for (format, data) in cases {
            let (spec, got) = read(&format, &data).unwrap();
            assert_eq!(got, wanted, "{spec:?}");
            // The same said at greater length.
            let mut long = format.clone();
            long[..2].copy_from_slice(&[0xfe, 0xff]);
            long.extend([22, 0]);
            long.extend(spec.bits.to_le_bytes());
            long.extend([0; 4]);
            long.extend(&format[..2]);
            long.extend([0; 14]);
            assert_eq!(read(&long, &data).unwrap().1, wanted, "{spec:?}");
        }
    }

    #[test]
    fn both_laws_are_those_of_the_recommendation() {
        for octet in 0..=255 {
            let near = |got: f32, wanted: i16| (got - f32::from(wanted) / 32_768.0).abs() < 1e-6;
            assert!(near(
                alaw(octet),
                audio_codec_algorithms::decode_alaw(octet)
            ));
            assert!(near(
                mulaw(octet),
                audio_codec_algorithms::decode_ulaw(octet)
            ));
        }
        assert_eq!(read(&format(6, 1, 1, 8), &[0xd5; 3]).unwrap().1.len(), 3);
        assert_eq!(read(&format(7, 1, 1, 8), &[0xff; 3]).unwrap().1, [0.0; 3]);
    }

    #[test]
    fn what_stands_around_the_sound_is_passed_over() {
        let format = format(1, 2, 2, 16);
        let data = [0, 64, 0, 192, 0, 0, 0, 0];
        let list = b"odd";
        // An odd chunk has an octet more than it says; behind the sound anything may stand.
        let odd = [list.as_slice(), b"\0"].concat();
        let bytes = file(
            b"RIFF",
            &[
                (b"LIST", 3, &odd),
                (b"fmt ", 16, &format),
                (b"fact", 4, &[9; 4]),
                (b"data", 8, &data),
                (b"LIST", 3, &odd),
            ],
        );
        let (spec, got) = collect(&bytes).unwrap();
        assert_eq!((spec.channels, got), (2, vec![0.5, -0.5, 0.0, 0.0]));
        // Asked to stop, it stops.
        let count = WavReader::new(bytes.as_slice())
            .unwrap()
            .each_frame(|_| false);
        assert_eq!(count.unwrap(), 1);
    }

    #[test]
    fn a_size_that_nobody_knew_ends_with_the_file() {
        let format = format(1, 1, 2, 16);
        for size in [u32::MAX, 0x7fff_ffff, 0x7fff_f000, 0x8000_0000, 0xffff_ff00] {
            let bytes = file(b"RIFF", &[(b"fmt ", 16, &format), (b"data", size, &[0; 7])]);
            assert_eq!(WavReader::new(bytes.as_slice()).unwrap().frames(), None);
            assert_eq!(collect(&bytes).unwrap().1.len(), 3);
        }
        let long = |octets: u64| {
            let sizes = [[255; 8], octets.to_le_bytes(), [255; 8]].concat();
            let chunks: [(&[u8; 4], u32, &[u8]); 3] = [
                (b"ds64", 24, &sizes),
                (b"fmt ", 16, &format),
                (b"data", u32::MAX, &[0; 9]),
            ];
            file(b"RF64", &chunks)
        };
        assert_eq!(collect(&long(6)).unwrap().1.len(), 3);
        let cut = collect(&long(1 << 40)).unwrap_err();
        assert!(matches!(cut, WavError::Truncated(4)), "{cut}");
    }

    #[test]
    fn nonsense_is_refused() {
        let good = format(1, 1, 2, 16);
        let whole = file(b"RIFF", &[(b"fmt ", 16, &good), (b"data", 4, &[0; 4])]);
        for length in 0..whole.len() {
            let error = collect(&whole[..length]).unwrap_err();
            let within = matches!(error, WavError::NotWav(_));
            assert_eq!(within, length < 44, "{length}: {error}");
        }
        for (tag, channels, width, bits) in [
            (0x55, 1, 2, 16),
            (1, 1, 9, 72),
            (1, 1, 1, 16),
            (1, 1, 2, 0),
            (3, 1, 2, 16),
            (6, 1, 2, 16),
        ] {
            let error = read(&format(tag, channels, width, bits), &[0; 32]).unwrap_err();
            assert!(matches!(error, WavError::Unsupported(_)), "{tag}: {error}");
        }
        assert!(matches!(
            read(&format(1, 0, 2, 16), &[0; 32]).unwrap_err(),
            WavError::NotWav(_)
        ));
        let mut uneven = format(1, 2, 2, 16);
        uneven[12] = 3;
        assert!(matches!(
            read(&uneven, &[0; 32]).unwrap_err(),
            WavError::Unsupported(_)
        ));
        let early = file(b"RIFF", &[(b"data", 4, &[0; 4])]);
        assert!(matches!(collect(&early).unwrap_err(), WavError::NotWav(_)));
        let absurd = file(b"RIFF", &[(b"fmt ", 1 << 30, &good)]);
        assert!(matches!(collect(&absurd).unwrap_err(), WavError::NotWav(_)));
        let numbers = [f32::NAN, f32::INFINITY, 2.0]
            .map(f32::to_le_bytes)
            .concat();
        assert_eq!(
            read(&format(3, 1, 4, 32), &numbers).unwrap().1,
            [0.0, 0.0, 2.0]
        );
    }
}
