//! The virtual card against a stream that dribbles, lies and breaks.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use line_interface::matrix::TapBlock;
use line_interface::switch::Cell;
use line_interface::virtual_card::{Frame, FrameReader, MAX_LINES, VirtualCard};
use line_interface::{
    AddressSense, CardErrorKind, Drive, DriveBlock, HandsetRelay, LineCard, LineKind, Load,
    PulseBurst, SenseBlock,
};

/// Gives its bytes in pieces of the given sizes, then ends or times out.
#[derive(Debug)]
struct Dribble {
    input: VecDeque<u8>,
    written: Vec<u8>,
    pieces: usize,
    times_out: bool,
}

impl Dribble {
    fn new(frames: &[Frame]) -> Self {
        let mut bytes = Vec::new();
        frames.iter().for_each(|f| f.encode(&mut bytes));
        Self {
            input: bytes.into(),
            written: Vec::new(),
            pieces: 0,
            times_out: false,
        }
    }
}

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pieces += 1;
        if self.pieces.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.input.is_empty() && self.times_out {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = (1 + self.pieces % 7)
            .min(buffer.len())
            .min(self.input.len());
        for (to, from) in buffer.iter_mut().zip(self.input.drain(..n)) {
            *to = from;
        }
        Ok(n)
    }
}

impl Write for Dribble {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let n = buffer.len().min(5);
        self.written.extend_from_slice(&buffer[..n]);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hello(lines: usize) -> Frame {
    hello_of(&vec![LineKind::Pair; lines])
}

fn hello_of(lines: &[LineKind]) -> Frame {
    Frame::Hello {
        lines: lines.to_vec(),
        name: "a simulator".to_owned(),
    }
}

fn sense(seed: i16) -> SenseBlock {
    let mut block = SenseBlock::default();
    for i in 0..80 {
        block.line_volts[i] = f32::from(seed) + i as f32 * 0.125;
        block.line_milliamps[i] = -f32::from(seed);
        block.handset_volts[i] = 0.5;
        block.audio[i] = seed.wrapping_mul(i as i16);
    }
    block
}

#[test]
fn blocks_and_drives_pass_unchanged_in_pieces() {
    let kinds = [
        LineKind::Pair,
        LineKind::Matrix { taps: 14 },
        LineKind::Pulse,
    ];
    let mut blocks = vec![sense(3), sense(-700), sense(9)];
    blocks[0].applied = None;
    blocks[1].applied = Some(Drive {
        load: Load::Residue,
        relay: HandsetRelay::Isolated,
    });
    let mut taps = TapBlock::new(14);
    taps.scan_mut(9).fill(2.5);
    blocks[1].address = AddressSense::Taps(taps);
    blocks[2].address = AddressSense::Pulses(PulseBurst {
        low_us: 150_000,
        bits: vec![0x0f; 777],
    });
    let mut stream = Dribble::new(&[
        hello_of(&kinds),
        Frame::Block {
            sequence: 4,
            lines: blocks.clone(),
        },
        Frame::Block {
            sequence: 7,
            lines: blocks.clone(),
        },
        Frame::Bye {
            reason: "done".to_owned(),
        },
    ]);
    stream.times_out = true;
    let mut card = VirtualCard::connect(stream, "gateway").unwrap();
    assert_eq!(
        (card.info().lines.as_slice(), card.info().name.as_str()),
        (kinds.as_slice(), "a simulator")
    );
    let mut drives = [DriveBlock::default(); 3];
    drives[1].drive = Drive {
        load: Load::Residue,
        relay: HandsetRelay::Isolated,
    };
    drives[1].audio[79] = -32768;
    let mut read = vec![SenseBlock::default(); 3];
    card.exchange(&drives, &mut read).unwrap();
    assert_eq!(read, blocks);
    card.exchange(&drives, &mut read).unwrap();
    assert_eq!(card.missed_blocks(), 2);
    let bye = card.exchange(&drives, &mut read).unwrap_err();
    assert_eq!(bye.kind, CardErrorKind::Closed);
    assert!(bye.cause.contains("done"));
    assert_eq!(
        card.exchange(&drives, &mut read).unwrap_err().kind,
        CardErrorKind::Timeout
    );
    let wrong = card.exchange(&drives[..1], &mut read).unwrap_err();
    assert_eq!(wrong.kind, CardErrorKind::LineCount);
}

#[test]
fn the_card_sees_what_was_sent() {
    let mut bytes = Vec::new();
    let drive = Frame::Drive {
        sequence: 9,
        lines: vec![
            DriveBlock::default(),
            DriveBlock {
                connect: Some(Cell {
                    module: 2,
                    tens: 9,
                    units: 10,
                }),
                ..DriveBlock::default()
            },
        ],
    };
    for frame in [
        hello(0),
        drive.clone(),
        Frame::Bye {
            reason: String::new(),
        },
    ] {
        frame.encode(&mut bytes);
    }
    let mut reader = FrameReader::default();
    let mut got = Vec::new();
    for byte in bytes {
        reader.push(&[byte]);
        got.extend(reader.next_frame().unwrap());
    }
    assert_eq!(
        got,
        [
            hello(0),
            drive,
            Frame::Bye {
                reason: String::new()
            }
        ]
    );
}

#[test]
fn bad_greetings_are_told_apart() {
    let connect = |bytes: &[u8]| {
        let stream = Dribble {
            input: bytes.iter().copied().collect(),
            written: Vec::new(),
            pieces: 0,
            times_out: false,
        };
        VirtualCard::connect(stream, "gateway").unwrap_err()
    };
    let mut good = Vec::new();
    hello(1).encode(&mut good);
    assert_eq!(connect(&[]).kind, CardErrorKind::Lost);
    assert_eq!(connect(&good[..9]).kind, CardErrorKind::Lost);
    let mut version = good.clone();
    version[9] = 99;
    let error = connect(&version);
    assert_eq!(error.kind, CardErrorKind::Version);
    assert!(error.cause.contains("99") && error.hint.contains("update"));
    // The version before this one, which carried pairs only.
    version[9] = 1;
    assert_eq!(connect(&version).kind, CardErrorKind::Version);
    for (at, value) in [
        (0, 0),
        (3, 255),
        (4, 77),
        (5, b'X'),
        (12, 255),
        (13, 1),
        (20, 255),
    ] {
        let mut bad = good.clone();
        bad[at] = value;
        let error = connect(&bad);
        assert!(
            matches!(error.kind, CardErrorKind::BadFrame | CardErrorKind::Lost),
            "{at}: {error:?}"
        );
        assert!(!error.hint.is_empty());
    }
    let mut none = Vec::new();
    hello(0).encode(&mut none);
    assert_eq!(connect(&none).kind, CardErrorKind::BadFrame);
}

#[test]
fn no_bytes_make_the_decoder_panic_or_grow() {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    let mut sample = Vec::new();
    let mut switch = sense(2);
    switch.address = AddressSense::Taps(TapBlock::new(20));
    let mut pulses = sense(3);
    pulses.address = AddressSense::Pulses(PulseBurst {
        low_us: 1,
        bits: vec![3; 40],
    });
    Frame::Block {
        sequence: 1,
        lines: vec![sense(1), switch, pulses],
    }
    .encode(&mut sample);
    Frame::Drive {
        sequence: 1,
        lines: vec![DriveBlock::default()],
    }
    .encode(&mut sample);
    for _ in 0..3000 {
        let mut bytes = sample.clone();
        for _ in 0..4 {
            let at = (usize::from(next()) * 256 + usize::from(next())) % bytes.len();
            bytes[at] = next();
        }
        let mut reader = FrameReader::default();
        reader.push(&bytes);
        while let Ok(Some(frame)) = reader.next_frame() {
            if let Frame::Block { lines, .. } = frame {
                assert!(lines.len() <= MAX_LINES);
                assert!(
                    lines
                        .iter()
                        .all(|l| l.line_volts.iter().all(|v| v.is_finite()))
                );
            }
        }
    }
    let long = Frame::Bye {
        reason: "ü".repeat(500),
    };
    let mut bytes = Vec::new();
    long.encode(&mut bytes);
    assert!(matches!(
        Frame::decode(&bytes),
        Ok(Some((Frame::Bye { .. }, _)))
    ));
}
