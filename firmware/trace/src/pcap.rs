//! Capture files: pcap of both byte orders and resolutions, pcapng; pcap written.
//! Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use crate::CaptureError;

/// Link type RAW: packets begin with the IP header.
const LINKTYPE_RAW: u32 = 101;
/// Largest frame or block that is read, in bytes.
const MAX_FRAME_BYTES: usize = 1 << 20;
/// Most interfaces of one pcapng section.
const MAX_INTERFACES: usize = 256;

/// One frame of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When it was taken, since the Unix epoch.
    pub at: Duration,
    /// Link type, as tcpdump.org numbers them.
    pub link: u32,
    /// The bytes that were kept.
    pub bytes: Vec<u8>,
}

/// The beginning of a pcap file whose packets begin with the IP header.
pub fn file_header() -> Vec<u8> {
    let mut header = Vec::with_capacity(24);
    header.extend(0xa1b2_c3d4_u32.to_le_bytes());
    header.extend([2, 0, 4, 0]);
    header.extend([0; 8]);
    header.extend(65_535_u32.to_le_bytes());
    header.extend(LINKTYPE_RAW.to_le_bytes());
    header
}

/// A record for a file begun with [`file_header`]: the first `kept` bytes of a packet that was taken at
/// `at` since the Unix epoch.
pub fn record(at: Duration, packet: &[u8], kept: usize) -> Vec<u8> {
    let bytes = packet.get(..kept).unwrap_or(packet);
    let mut record = Vec::with_capacity(16 + bytes.len());
    record.extend((at.as_secs() as u32).to_le_bytes());
    record.extend(at.subsec_micros().to_le_bytes());
    record.extend((bytes.len() as u32).to_le_bytes());
    record.extend((packet.len() as u32).to_le_bytes());
    record.extend(bytes);
    record
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u32,
    ticks_per_s: u64,
}

#[derive(Debug)]
enum Form {
    Classic { ticks_per_s: u64, link: u32 },
    Ng { interfaces: Vec<Interface> },
}

/// Reads frames out of a capture file.
#[derive(Debug)]
pub struct PcapReader<R> {
    input: R,
    big_endian: bool,
    form: Form,
}

impl<R: Read> PcapReader<R> {
    /// Reads the beginning of a capture.
    ///
    /// # Errors
    /// When it cannot be read or is no capture.
    pub fn new(mut input: R) -> Result<PcapReader<R>, CaptureError> {
        let mut magic = [0; 4];
        if !fill(&mut input, &mut magic)? {
            return Err(CaptureError::form("the file is too short for a capture"));
        }
        let known = |magic| match magic {
            0xa1b2_c3d4 => Some(1_000_000),
            0xa1b2_3c4d => Some(1_000_000_000),
            _ => None,
        };
        let (big, little) = (u32::from_be_bytes(magic), u32::from_le_bytes(magic));
        if big == 0x0a0d_0d0a {
            let mut reader = PcapReader {
                input,
                big_endian: false,
                form: Form::Ng {
                    interfaces: Vec::new(),
                },
            };
            reader.section()?;
            return Ok(reader);
        }
        let (big_endian, ticks_per_s) = match (known(big), known(little)) {
            (Some(ticks), _) => (true, ticks),
            (_, Some(ticks)) => (false, ticks),
            _ => return Err(CaptureError::form("the file is no capture")),
        };
        let mut rest = [0; 20];
        if !fill(&mut input, &mut rest)? {
            return Err(CaptureError::form("the file is too short for a capture"));
        }
        let mut reader = PcapReader {
            input,
            big_endian,
            form: Form::Classic {
                ticks_per_s,
                link: 0,
            },
        };
        // The upper half of the word may tell of check sequences.
        let link = reader.u32_at(&rest, 16) & 0xffff;
        reader.form = Form::Classic { ticks_per_s, link };
        Ok(reader)
    }

    /// The next frame; none at the end, also where the last frame is still in the writing.
    ///
    /// # Errors
    /// When the file cannot be read or contradicts itself.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, CaptureError> {
        if let Form::Classic { ticks_per_s, link } = self.form {
            return self.classic_frame(ticks_per_s, link);
        }
        self.ng_frame()
    }

    fn classic_frame(
        &mut self,
        ticks_per_s: u64,
        link: u32,
    ) -> Result<Option<Frame>, CaptureError> {
        let mut header = [0; 16];
        if !fill(&mut self.input, &mut header)? {
            return Ok(None);
        }
        let seconds = self.u32_at(&header, 0);
        let ticks = self.u32_at(&header, 4);
        let length = self.u32_at(&header, 8) as usize;
        let Some(bytes) = self.bytes(length)? else {
            return Ok(None);
        };
        Ok(Some(Frame {
            at: time(
                u64::from(seconds) * ticks_per_s + u64::from(ticks),
                ticks_per_s,
            ),
            link,
            bytes,
        }))
    }

    fn ng_frame(&mut self) -> Result<Option<Frame>, CaptureError> {
        loop {
            let mut head = [0; 4];
            if !fill(&mut self.input, &mut head)? {
                return Ok(None);
            }
            if head == [0x0a, 0x0d, 0x0d, 0x0a] {
                self.section()?;
                continue;
            }
            let kind = self.u32_at(&head, 0);
            if !fill(&mut self.input, &mut head)? {
                return Ok(None);
            }
            let total = self.u32_at(&head, 0) as usize;
            let body = total
                .checked_sub(12)
                .ok_or_else(|| CaptureError::damaged("a block without length"))?;
            let Some(block) = self.bytes(body)? else {
                return Ok(None);
            };
            if !fill(&mut self.input, &mut head)? {
                return Ok(None);
            }
            if let Some(frame) = self.block(kind, &block)? {
                return Ok(Some(frame));
            }
        }
    }

    /// Reads the section header behind its block type.
    fn section(&mut self) -> Result<(), CaptureError> {
        let mut head = [0; 8];
        if !fill(&mut self.input, &mut head)? {
            return Err(CaptureError::form("the file is too short for a capture"));
        }
        self.big_endian = match head[4..] {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return Err(CaptureError::form("a pcapng section without byte order")),
        };
        let total = self.u32_at(&head, 0) as usize;
        let rest = total
            .checked_sub(12)
            .ok_or_else(|| CaptureError::damaged("a section without length"))?;
        if self.bytes(rest)?.is_none() {
            return Err(CaptureError::form("the file is too short for a capture"));
        }
        self.form = Form::Ng {
            interfaces: Vec::new(),
        };
        Ok(())
    }

    fn block(&mut self, kind: u32, block: &[u8]) -> Result<Option<Frame>, CaptureError> {
        match kind {
            1 if block.len() >= 8 => {
                let interface = Interface {
                    link: u32::from(self.u16_at(block, 0)),
                    ticks_per_s: self.resolution(block.get(8..).unwrap_or(&[])),
                };
                if let Form::Ng { interfaces } = &mut self.form {
                    if interfaces.len() >= MAX_INTERFACES {
                        return Err(CaptureError::damaged("interfaces without end"));
                    }
                    interfaces.push(interface);
                }
                Ok(None)
            }
            6 if block.len() >= 20 => {
                let interface = self.interface(self.u32_at(block, 0))?;
                let ticks =
                    u64::from(self.u32_at(block, 4)) << 32 | u64::from(self.u32_at(block, 8));
                let kept = self.u32_at(block, 12) as usize;
                let bytes = block
                    .get(20..)
                    .and_then(|rest| rest.get(..kept))
                    .ok_or_else(|| CaptureError::damaged("a packet longer than its block"))?;
                Ok(Some(Frame {
                    at: time(ticks, interface.ticks_per_s),
                    link: interface.link,
                    bytes: bytes.to_vec(),
                }))
            }
            3 if block.len() >= 4 => {
                let interface = self.interface(0)?;
                let length = self.u32_at(block, 0) as usize;
                let bytes = block.get(4..).unwrap_or(&[]);
                Ok(Some(Frame {
                    at: Duration::ZERO,
                    link: interface.link,
                    bytes: bytes.get(..length).unwrap_or(bytes).to_vec(),
                }))
            }
            _ => Ok(None),
        }
    }

    fn interface(&self, index: u32) -> Result<Interface, CaptureError> {
        match &self.form {
            Form::Ng { interfaces } => interfaces.get(index as usize).copied(),
            Form::Classic { .. } => None,
        }
        .ok_or_else(|| CaptureError::damaged("a packet of an unknown interface"))
    }

    /// Ticks per second by the option if_tsresol, else microseconds.
    fn resolution(&self, mut options: &[u8]) -> u64 {
        while options.len() >= 4 {
            let (code, length) = (self.u16_at(options, 0), self.u16_at(options, 2) as usize);
            if code == 9
                && let Some(value) = options.get(4)
            {
                let power = u32::from(value & 0x7f);
                let base: u64 = if value & 0x80 == 0 { 10 } else { 2 };
                return base.checked_pow(power).unwrap_or(1_000_000);
            }
            if code == 0 {
                break;
            }
            options = options.get(4 + length.div_ceil(4) * 4..).unwrap_or(&[]);
        }
        1_000_000
    }

    /// That many bytes; none where the file ends before.
    fn bytes(&mut self, length: usize) -> Result<Option<Vec<u8>>, CaptureError> {
        if length > MAX_FRAME_BYTES {
            return Err(CaptureError::damaged(format!("a frame of {length} bytes")));
        }
        let mut bytes = vec![0; length];
        Ok(fill(&mut self.input, &mut bytes)?.then_some(bytes))
    }

    fn u32_at(&self, bytes: &[u8], at: usize) -> u32 {
        let word = bytes
            .get(at..at + 4)
            .and_then(|word| word.try_into().ok())
            .unwrap_or([0; 4]);
        if self.big_endian {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        }
    }

    fn u16_at(&self, bytes: &[u8], at: usize) -> u16 {
        let word = bytes
            .get(at..at + 2)
            .and_then(|word| word.try_into().ok())
            .unwrap_or([0; 2]);
        if self.big_endian {
            u16::from_be_bytes(word)
        } else {
            u16::from_le_bytes(word)
        }
    }
}

fn time(ticks: u64, ticks_per_s: u64) -> Duration {
    let rest = u128::from(ticks % ticks_per_s) * 1_000_000_000 / u128::from(ticks_per_s);
    Duration::new(ticks / ticks_per_s, rest as u32)
}

/// Fills the buffer; `false` where the input ends before.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<bool, CaptureError> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}
