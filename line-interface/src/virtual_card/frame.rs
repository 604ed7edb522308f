//! Frames of the virtual line card, without I/O (`docs/reference/virtual-line-card.md`).

use crate::card::{
    AddressSense, BLOCK_SAMPLES, CardError, CardErrorKind, Drive, DriveBlock, HandsetRelay,
    LineKind, Load, PulseBurst, SAMPLE_RATE_HZ, SenseBlock,
};
use crate::matrix::{SCANS_PER_BLOCK, TapBlock};
use crate::switch::Cell;

/// Version of the protocol. Both sides must speak the same.
pub const VERSION: u16 = 3;
/// Most lines one card carries.
pub const MAX_LINES: usize = 64;
/// Longest name in a HELLO, in bytes.
pub const MAX_NAME: usize = 64;
/// Longest text in a BYE, in bytes.
pub const MAX_TEXT: usize = 200;
/// Most taps of one line: the largest switch has 10 modules of 32 tens and 32 units lines.
pub const MAX_TAPS: usize = 640;
/// Longest pulse capture, in bytes: half a second.
pub const MAX_BURST: usize = 65_536;

const MAGIC: [u8; 4] = *b"TRLC";
/// Bytes of one line's pair in a BLOCK: what was applied, three series of f32 and one of i16.
const PAIR_BYTES: usize = 2 + BLOCK_SAMPLES * (3 * 4 + 2);
/// Instead of load and relay: the watchdog has let go.
const LET_GO: [u8; 2] = [255, 255];
/// Most bytes that tell the address of one line: a tag, and the longer of taps and pulses.
const ADDRESS_BYTES: usize = 1 + 8 + MAX_BURST;
const _: () = assert!(MAX_TAPS * SCANS_PER_BLOCK * 4 < MAX_BURST);
/// Bytes of one line in a DRIVE: load, relay, crosspoint, audio.
const DRIVE_BYTES: usize = 2 + 4 + BLOCK_SAMPLES * 2;
/// Largest body of any frame.
const MAX_BODY: usize = 1 + 8 + 2 + MAX_LINES * (PAIR_BYTES + ADDRESS_BYTES);

const HELLO: u8 = 1;
const BLOCK: u8 = 2;
const DRIVE: u8 = 3;
const BYE: u8 = 4;

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// The first frame of either side.
    Hello {
        /// What each line is wired to; the gateway sends none, which means "whatever you have".
        lines: Vec<LineKind>,
        /// Who speaks.
        name: String,
    },
    /// Readings of the last 10 ms of every line.
    Block {
        /// Counts blocks from 0.
        sequence: u64,
        /// One entry per line.
        lines: Vec<SenseBlock>,
    },
    /// What to do during the coming block on every line.
    Drive {
        /// Counts the gateway's drives from 0.
        sequence: u64,
        /// One entry per line.
        lines: Vec<DriveBlock>,
    },
    /// The last frame of either side.
    Bye {
        /// Why.
        reason: String,
    },
}

pub(super) fn bad(cause: String) -> CardError {
    CardError {
        kind: CardErrorKind::BadFrame,
        cause,
        hint: "the other side does not speak the virtual line card protocol; check what listens on this socket",
    }
}

impl Frame {
    /// Appends the frame's bytes. Lines beyond [`MAX_LINES`] and over-long texts are cut off.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match self {
            Self::Hello { lines, name } => {
                out.push(HELLO);
                out.extend_from_slice(&MAGIC);
                out.extend_from_slice(&VERSION.to_le_bytes());
                out.extend_from_slice(&(lines.len().min(MAX_LINES) as u16).to_le_bytes());
                out.extend_from_slice(&SAMPLE_RATE_HZ.to_le_bytes());
                out.extend_from_slice(&(BLOCK_SAMPLES as u16).to_le_bytes());
                for kind in lines.iter().take(MAX_LINES) {
                    let (tag, taps) = match kind {
                        LineKind::Pair => (0, 0),
                        LineKind::Matrix { taps } => (1, *taps),
                        LineKind::Pulse => (2, 0),
                    };
                    out.push(tag);
                    out.extend_from_slice(&taps.to_le_bytes());
                }
                out.extend_from_slice(cut(name, MAX_NAME).as_bytes());
            }
            Self::Block { sequence, lines } => {
                out.push(BLOCK);
                out.extend_from_slice(&sequence.to_le_bytes());
                out.extend_from_slice(&(lines.len().min(MAX_LINES) as u16).to_le_bytes());
                for line in lines.iter().take(MAX_LINES) {
                    out.extend_from_slice(&line.applied.map_or(LET_GO, drive_bytes));
                    for series in [&line.line_volts, &line.line_milliamps, &line.handset_volts] {
                        series
                            .iter()
                            .for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
                    }
                    line.audio
                        .iter()
                        .for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
                    encode_address(&line.address, out);
                }
            }
            Self::Drive { sequence, lines } => encode_drive(*sequence, lines, out),
            Self::Bye { reason } => {
                out.push(BYE);
                out.extend_from_slice(cut(reason, MAX_TEXT).as_bytes());
            }
        }
        seal(start, out);
    }

    /// Takes one frame off the front of `bytes` and says how many bytes it took, or `None` while
    /// the frame is incomplete.
    ///
    /// # Errors
    /// [`CardErrorKind::BadFrame`] or [`CardErrorKind::Version`]; the stream is then useless.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, CardError> {
        let Some(length) = length(bytes)? else {
            return Ok(None);
        };
        let Some(body) = bytes.get(4..length) else {
            return Ok(None);
        };
        let mut body = Reader(body);
        let frame = match body.u8()? {
            HELLO => body.hello()?,
            BLOCK => body.block()?,
            DRIVE => body.drive()?,
            BYE => Self::Bye {
                reason: body.text(MAX_TEXT)?,
            },
            other => return Err(bad(format!("frame type {other} is unknown"))),
        };
        Ok(Some((frame, length)))
    }
}

/// Length of the frame that `bytes` begin with, head and all, or `None` while its head is incomplete.
pub(super) fn length(bytes: &[u8]) -> Result<Option<usize>, CardError> {
    let Some((header, _)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*header) as usize;
    if length == 0 || length > MAX_BODY {
        return Err(bad(format!(
            "a frame of {length} bytes; 1 to {MAX_BODY} are possible"
        )));
    }
    Ok(Some(4 + length))
}

/// Reads the whole frame `bytes` into the lines' readings when it is a BLOCK, and gives its number; `None` when it is another one.
/// After an error the readings mean nothing.
pub(super) fn read_block(bytes: &[u8], sense: &mut [SenseBlock]) -> Result<Option<u64>, CardError> {
    let Some((BLOCK, body)) = bytes
        .get(4..)
        .and_then(<[u8]>::split_first)
        .map(|(tag, body)| (*tag, body))
    else {
        return Ok(None);
    };
    let mut body = Reader(body);
    let (sequence, count) = body.block_head()?;
    if count != sense.len() {
        return Err(bad(format!(
            "a block of {count} lines, not {}",
            sense.len()
        )));
    }
    body.lines(sense)?;
    Ok(Some(sequence))
}

/// Appends a DRIVE frame without owning its lines.
pub(super) fn encode_drive_frame(sequence: u64, lines: &[DriveBlock], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    encode_drive(sequence, lines, out);
    seal(start, out);
}

fn encode_address(address: &AddressSense, out: &mut Vec<u8>) {
    match address {
        AddressSense::Taps(block) if block.taps() <= MAX_TAPS => {
            out.push(1);
            out.extend_from_slice(&(block.taps() as u16).to_le_bytes());
            for v in (0..SCANS_PER_BLOCK).flat_map(|scan| block.scan(scan)) {
                out.extend_from_slice(&v.to_le_bytes());
            }
        }
        AddressSense::Pulses(burst) if burst.bits.len() <= MAX_BURST => {
            out.push(2);
            out.extend_from_slice(&burst.low_us.to_le_bytes());
            out.extend_from_slice(&(burst.bits.len() as u32).to_le_bytes());
            out.extend_from_slice(&burst.bits);
        }
        AddressSense::None | AddressSense::Taps(_) | AddressSense::Pulses(_) => out.push(0),
    }
}

const fn drive_bytes(drive: Drive) -> [u8; 2] {
    [
        match drive.load {
            Load::Off => 0,
            Load::OnHook => 1,
            Load::OffHook => 2,
            Load::Residue => 3,
        },
        match drive.relay {
            HandsetRelay::Through => 0,
            HandsetRelay::Isolated => 1,
        },
    ]
}

fn drive_of([load, relay]: [u8; 2]) -> Result<Drive, CardError> {
    Ok(Drive {
        load: match load {
            0 => Load::Off,
            1 => Load::OnHook,
            2 => Load::OffHook,
            3 => Load::Residue,
            other => return Err(bad(format!("load {other} is unknown"))),
        },
        relay: match relay {
            0 => HandsetRelay::Through,
            1 => HandsetRelay::Isolated,
            other => return Err(bad(format!("relay position {other} is unknown"))),
        },
    })
}

fn encode_drive(sequence: u64, lines: &[DriveBlock], out: &mut Vec<u8>) {
    out.push(DRIVE);
    out.extend_from_slice(&sequence.to_le_bytes());
    for line in lines.iter().take(MAX_LINES) {
        out.extend_from_slice(&drive_bytes(line.drive));
        out.extend_from_slice(&match line.connect {
            None => [0; 4],
            Some(cell) => [1, cell.module, cell.tens, cell.units],
        });
        let mut audio = [[0; 2]; BLOCK_SAMPLES];
        for (bytes, v) in audio.iter_mut().zip(line.audio) {
            *bytes = v.to_le_bytes();
        }
        out.extend_from_slice(audio.as_flattened());
    }
}

fn seal(start: usize, out: &mut [u8]) {
    let length = (out.len() - start - 4) as u32;
    if let Some(header) = out.get_mut(start..start + 4) {
        header.copy_from_slice(&length.to_le_bytes());
    }
}

fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CardError> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or_else(|| bad("a frame ends too early".to_owned()))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, CardError> {
        Ok(u8::from_le_bytes(self.take()?))
    }

    fn u16(&mut self) -> Result<u16, CardError> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    fn text(&mut self, max: usize) -> Result<String, CardError> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.len() > max {
            return Err(bad(format!(
                "a text of {} bytes; at most {max}",
                bytes.len()
            )));
        }
        String::from_utf8(bytes.to_vec()).map_err(|_| bad("a text is not UTF-8".to_owned()))
    }

    fn hello(&mut self) -> Result<Frame, CardError> {
        if self.take::<4>()? != MAGIC {
            return Err(bad("the greeting does not begin with TRLC".to_owned()));
        }
        let version = self.u16()?;
        if version != VERSION {
            return Err(CardError {
                kind: CardErrorKind::Version,
                cause: format!("the other side speaks version {version}, this one {VERSION}"),
                hint: "update the older of the two; gateway and simulator of one release fit",
            });
        }
        let lines = usize::from(self.u16()?);
        if lines > MAX_LINES {
            return Err(bad(format!("{lines} lines; at most {MAX_LINES}")));
        }
        let rate = u32::from_le_bytes(self.take()?);
        let samples = usize::from(self.u16()?);
        if rate != SAMPLE_RATE_HZ || samples != BLOCK_SAMPLES {
            return Err(bad(format!(
                "blocks of {samples} samples at {rate} Hz; 80 at 8000 Hz fit"
            )));
        }
        let mut kinds = Vec::with_capacity(lines);
        for _ in 0..lines {
            let (kind, taps) = (self.u8()?, self.u16()?);
            kinds.push(match (kind, taps) {
                (0, 0) => LineKind::Pair,
                (1, taps) if usize::from(taps) <= MAX_TAPS => LineKind::Matrix { taps },
                (2, 0) => LineKind::Pulse,
                (other, taps) => {
                    return Err(bad(format!(
                        "line kind {other} with {taps} taps is unknown"
                    )));
                }
            });
        }
        Ok(Frame::Hello {
            lines: kinds,
            name: self.text(MAX_NAME)?,
        })
    }

    /// The next `count` values of `SIZE` bytes each.
    fn series<const SIZE: usize>(&mut self, count: usize) -> Result<&[[u8; SIZE]], CardError> {
        let (head, rest) = self
            .0
            .split_at_checked(count * SIZE)
            .ok_or_else(|| bad("a frame ends too early".to_owned()))?;
        self.0 = rest;
        Ok(head.as_chunks().0)
    }

    /// Readings of one wire. All are looked at before the first is refused: none ever is.
    fn readings(&mut self, to: &mut [f32]) -> Result<(), CardError> {
        let mut all = true;
        let series = self.series(to.len())?;
        for (v, bytes) in to.iter_mut().zip(series) {
            *v = f32::from_le_bytes(*bytes);
            all &= v.is_finite();
        }
        if all {
            Ok(())
        } else {
            Err(bad("a reading is not a number".to_owned()))
        }
    }

    fn audio(&mut self, to: &mut [i16; BLOCK_SAMPLES]) -> Result<(), CardError> {
        for (v, bytes) in to.iter_mut().zip(self.series(BLOCK_SAMPLES)?) {
            *v = i16::from_le_bytes(*bytes);
        }
        Ok(())
    }

    fn address(&mut self) -> Result<AddressSense, CardError> {
        match self.u8()? {
            0 => Ok(AddressSense::None),
            1 => {
                let taps = usize::from(self.u16()?);
                if taps > MAX_TAPS {
                    return Err(bad(format!("{taps} taps; at most {MAX_TAPS}")));
                }
                let mut block = TapBlock::new(taps);
                for scan in 0..SCANS_PER_BLOCK {
                    self.readings(block.scan_mut(scan))?;
                }
                Ok(AddressSense::Taps(block))
            }
            2 => {
                let low_us = u32::from_le_bytes(self.take()?);
                let length = u32::from_le_bytes(self.take()?) as usize;
                let Some((bits, rest)) = self
                    .0
                    .split_at_checked(length)
                    .filter(|_| length <= MAX_BURST)
                else {
                    return Err(bad(format!("a pulse capture of {length} bytes")));
                };
                self.0 = rest;
                let bits = bits.to_vec();
                Ok(AddressSense::Pulses(PulseBurst { low_us, bits }))
            }
            other => Err(bad(format!("address readings of kind {other} are unknown"))),
        }
    }

    fn block(&mut self) -> Result<Frame, CardError> {
        let (sequence, count) = self.block_head()?;
        let mut lines = vec![SenseBlock::default(); count];
        self.lines(&mut lines)?;
        Ok(Frame::Block { sequence, lines })
    }

    /// Number and lines of a block, for which there is room in it.
    fn block_head(&mut self) -> Result<(u64, usize), CardError> {
        let sequence = u64::from_le_bytes(self.take()?);
        let count = usize::from(self.u16()?);
        if count == 0 || count > MAX_LINES || self.0.len() < count * PAIR_BYTES {
            return Err(bad(format!("{count} lines in {} bytes", self.0.len())));
        }
        Ok((sequence, count))
    }

    fn lines(&mut self, lines: &mut [SenseBlock]) -> Result<(), CardError> {
        for line in lines {
            line.applied = match self.take()? {
                LET_GO => None,
                applied => Some(drive_of(applied)?),
            };
            self.readings(&mut line.line_volts)?;
            self.readings(&mut line.line_milliamps)?;
            self.readings(&mut line.handset_volts)?;
            self.audio(&mut line.audio)?;
            line.address = self.address()?;
        }
        if !self.0.is_empty() {
            return Err(bad("a block is longer than its lines".to_owned()));
        }
        Ok(())
    }

    fn drive(&mut self) -> Result<Frame, CardError> {
        let sequence = u64::from_le_bytes(self.take()?);
        let bytes = self.0.len();
        if bytes == 0 || !bytes.is_multiple_of(DRIVE_BYTES) || bytes / DRIVE_BYTES > MAX_LINES {
            return Err(bad(format!(
                "{bytes} bytes of lines do not divide by {DRIVE_BYTES}"
            )));
        }
        let mut lines = vec![DriveBlock::default(); bytes / DRIVE_BYTES];
        for line in &mut lines {
            line.drive = drive_of(self.take()?)?;
            line.connect = match self.take::<4>()? {
                [0, ..] => None,
                [1, module, tens, units] => Some(Cell {
                    module,
                    tens,
                    units,
                }),
                [other, ..] => return Err(bad(format!("crosspoint order {other} is unknown"))),
            };
            self.audio(&mut line.audio)?;
        }
        Ok(Frame::Drive { sequence, lines })
    }
}
