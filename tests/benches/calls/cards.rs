//! Virtual line cards with many lines each, all alike: what one simulated line shows while it rings and while it is in a call is
//! made beforehand, and every line walks through it at its own time. So the cards cost the machine hardly more than the copying.
//! A quarter of what a line plays comes back in its sound a block later: the echo of the two-wire line.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use line_interface::virtual_card::{Frame, FrameReader};
use line_interface::{BLOCK_SAMPLES, Drive, DriveBlock, HandsetRelay, LineKind, Load, SenseBlock};
use line_simulation::{Script, Setup, Simulation};
use trubka_tests::{Failure, Outcome};

const BLOCK: Duration = Duration::from_millis(10);
/// Most lines of a card.
pub(crate) const LINES: usize = 64;
/// Blocks at rest before the panel calls: the daemon has found its cards by then.
const REST: usize = 300;
/// Blocks of ringing that are made; they begin anew.
const RINGING: usize = 600;
/// Blocks of a call that are made.
const TALKING: usize = 3000;
const HEADER: usize = 4 + 1 + 8 + 2;
/// The sound's place in a line without taps: before the tag, that says that there are none.
const SOUND_FROM_END: usize = 1 + 2 * BLOCK_SAMPLES;

/// What a line shows, block after block, as the frames carry it.
struct Shown {
    rest: Vec<Vec<u8>>,
    ringing: Vec<Vec<u8>>,
    talking: Vec<Vec<u8>>,
}

/// One line as the wire has it: a frame of one line without its head.
fn bytes(sense: &SenseBlock) -> Vec<u8> {
    let mut out = Vec::new();
    Frame::Block {
        sequence: 0,
        lines: vec![sense.clone()],
    }
    .encode(&mut out);
    out.split_off(HEADER)
}

fn shown() -> Result<Shown, Failure> {
    let setup = Setup::brand("vizit").map_err(|why| Failure::new(why.to_string()))?;
    let mut line =
        Simulation::new(setup, Script::default()).map_err(|why| Failure::new(why.to_string()))?;
    let mut sense = SenseBlock::default();
    let mut drive = DriveBlock::default();
    let mut blocks = |line: &mut Simulation, drive: &DriveBlock, count: usize| -> Vec<Vec<u8>> {
        (0..count)
            .map(|_| {
                line.step(drive, &mut sense);
                bytes(&sense)
            })
            .collect()
    };
    let rest = blocks(&mut line, &drive, REST);
    line.visitor_dial(42);
    let ringing = blocks(&mut line, &drive, RINGING);
    drive.drive = Drive {
        load: Load::OffHook,
        relay: HandsetRelay::Isolated,
    };
    let talk: Vec<i16> = (0..TALKING * 80)
        .map(|n| {
            let t = n as f64 / 8000.0;
            let swell = (std::f64::consts::TAU * 0.4 * t).sin().max(0.0);
            ((std::f64::consts::TAU * 190.0 * t).sin() * swell * 8000.0) as i16
        })
        .collect();
    let mut talking = blocks(&mut line, &drive, 30);
    line.visitor_say(&talk);
    talking.extend(blocks(&mut line, &drive, TALKING - 30));
    Ok(Shown {
        rest,
        ringing,
        talking,
    })
}

/// The cards' thread. Dropped, it ends.
pub(crate) struct Cards {
    stop: Arc<AtomicBool>,
    late: Arc<Mutex<Vec<Duration>>>,
    thread: Option<JoinHandle<()>>,
}

struct Card {
    stream: UnixStream,
    reader: FrameReader,
    /// For each line the block of the call that it shows next.
    talking: Vec<Option<usize>>,
    /// What each line played last.
    played: Vec<[i16; BLOCK_SAMPLES]>,
}

impl Cards {
    /// Listens on the sockets; once the daemon has come to all of them, their lines rest, ring, and go off-hook when they are told.
    pub(crate) fn start(sockets: &[(PathBuf, usize)]) -> Result<Self, Failure> {
        let shown = shown()?;
        let mut listeners = Vec::new();
        for (path, lines) in sockets {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            listeners.push((listener, *lines));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let late = Arc::new(Mutex::new(Vec::new()));
        let noted = late.clone();
        let thread = std::thread::spawn(move || {
            if let Err(why) = serve(&shown, &listeners, &stopped, &noted) {
                eprintln!("the cards ended: {why}");
            }
        });
        Ok(Self {
            stop,
            late,
            thread: Some(thread),
        })
    }

    /// How late each block since the last question was handed over, for want of the processor on our side.
    pub(crate) fn late(&self) -> Vec<Duration> {
        self.late
            .lock()
            .map(|mut late| std::mem::take(&mut *late))
            .unwrap_or_default()
    }
}

impl Drop for Cards {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    shown: &Shown,
    listeners: &[(UnixListener, usize)],
    stop: &AtomicBool,
    late: &Mutex<Vec<Duration>>,
) -> Outcome {
    let mut cards = Vec::new();
    for (listener, lines) in listeners {
        let mut stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                    return Err(error.into());
                }
                Err(_) if stop.load(Ordering::Relaxed) => return Ok(()),
                Err(_) => std::thread::sleep(BLOCK),
            }
        };
        stream.set_nonblocking(false)?;
        let mut hello = Vec::new();
        Frame::Hello {
            lines: vec![LineKind::Pair; *lines],
            name: "bench".into(),
        }
        .encode(&mut hello);
        stream.write_all(&hello)?;
        stream.set_nonblocking(true)?;
        cards.push(Card {
            stream,
            reader: FrameReader::default(),
            talking: vec![None; *lines],
            played: vec![[0; BLOCK_SAMPLES]; *lines],
        });
    }
    let began = Instant::now();
    let mut buffer = vec![0; 1 << 16];
    let mut frame = Vec::new();
    let count = cards.len() as u32;
    for block in 0.. {
        for (at, card) in (0_u32..).zip(&mut cards) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let due = BLOCK * block + BLOCK * at / count;
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            card.take_drives(&mut buffer)?;
            card.fill(shown, block as usize, &mut frame);
            card.write(&frame)?;
            if let Ok(mut late) = late.lock() {
                late.push(began.elapsed().saturating_sub(due));
            }
        }
    }
    Ok(())
}

impl Card {
    fn take_drives(&mut self, buffer: &mut [u8]) -> Outcome {
        while let Ok(size @ 1..) = self.stream.read(buffer) {
            self.reader.push(&buffer[..size]);
        }
        while let Some(frame) = self
            .reader
            .next_frame()
            .map_err(|why| Failure::new(why.to_string()))?
        {
            if let Frame::Drive { lines, .. } = frame {
                for ((talking, played), drive) in
                    self.talking.iter_mut().zip(&mut self.played).zip(&lines)
                {
                    *played = drive.audio;
                    if drive.drive.load == Load::OffHook && talking.is_none() {
                        *talking = Some(0);
                    }
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, shown: &Shown, block: usize, frame: &mut Vec<u8>) {
        frame.clear();
        let length = 1 + 8 + 2 + self.talking.len() * shown.rest[0].len();
        frame.extend((length as u32).to_le_bytes());
        frame.push(2);
        frame.extend((block as u64).to_le_bytes());
        frame.extend((self.talking.len() as u16).to_le_bytes());
        let waiting = match block.checked_sub(REST) {
            None => &shown.rest[block],
            Some(rung) => &shown.ringing[rung % RINGING],
        };
        for (talking, played) in self.talking.iter_mut().zip(&self.played) {
            match talking {
                None => frame.extend(waiting),
                Some(at) => {
                    frame.extend(&shown.talking[(*at).min(TALKING - 1)]);
                    *at += 1;
                    let sound = frame.len() - SOUND_FROM_END;
                    for (sample, played) in frame[sound..].as_chunks_mut().0.iter_mut().zip(played)
                    {
                        let heard = i16::from_le_bytes(*sample);
                        *sample = heard.saturating_add(played / 4).to_le_bytes();
                    }
                }
            }
        }
    }

    /// Writes all of it: the daemon reads in time, or the figures would be worth nothing.
    fn write(&mut self, mut frame: &[u8]) -> Outcome {
        while !frame.is_empty() {
            match self.stream.write(frame) {
                Ok(size) => frame = &frame[size..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
