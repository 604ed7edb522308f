//! One thread a line card: it opens the card, exchanges blocks in the card's own time, and opens
//! it again when it went away.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use board::SwitchWires;
use config::{CardKind, Config};
use line_interface::matrix::TapLayout;
use line_interface::virtual_card::VirtualCard;
use line_interface::{CardError, CardInfo, DriveBlock, LineCard, LinePlan, SenseBlock};

use crate::input::{Exchange, Inbox, Input};

/// A card that says nothing for so long, and then once more, is gone: half a second in all.
const SILENCE: Duration = Duration::from_millis(250);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);
/// The core answers a block within microseconds. One that stood still for so long would drive a line
/// that it does not know any more, so the card is let go and opened again.
const CORE_PATIENCE: Duration = Duration::from_secs(2);

/// What a card's line at a switch is wired to; none for a pair.
pub(crate) fn switch_wires(
    config: &Config,
    plans: &[LinePlan],
    card: usize,
) -> Option<SwitchWires> {
    let mut lines = config.lines.iter().zip(plans);
    let (_, plan) = lines.find(|(line, _)| line.card == card)?;
    match plan {
        LinePlan::Matrix {
            profile,
            addressing,
            ..
        } => Some(SwitchWires {
            layout: TapLayout::new(addressing.switch()),
            side: profile.matrix.sourced.value,
        }),
        LinePlan::Pair(_) | LinePlan::Pulse { .. } => None,
    }
}

/// A running card thread.
#[derive(Debug)]
pub(crate) struct CardThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CardThread {
    /// Starts the thread of card number `card`.
    pub(crate) fn start(
        card: usize,
        kind: CardKind,
        wires: Option<SwitchWires>,
        inbox: Inbox,
    ) -> std::io::Result<CardThread> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name(format!("card{card}"))
            .stack_size(256 * 1024)
            .spawn(move || serve(card, (&kind, wires.as_ref()), &inbox, &stopped))?;
        Ok(CardThread {
            stop,
            thread: Some(thread),
        })
    }
}

impl CardThread {
    /// Lets the thread end at its next block, with a safe drive as its last word.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for CardThread {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    card: usize,
    (kind, wires): (&CardKind, Option<&SwitchWires>),
    inbox: &Inbox,
    stop: &AtomicBool,
) {
    let mut retry = RETRY_FIRST;
    while !stop.load(Ordering::Relaxed) && !inbox.is_closed() {
        let why = match open(kind, wires) {
            Ok(opened) => {
                retry = RETRY_FIRST;
                match exchange(card, opened, inbox, stop) {
                    Some(why) => why,
                    None => return,
                }
            }
            Err(why) => why,
        };
        if inbox.blocking_send(Input::CardLost { card, why }).is_err() {
            return;
        }
        std::thread::sleep(retry);
        retry = (retry * 2).min(RETRY_LAST);
    }
}

/// The way to a virtual card. Where the whole machine stood still, the time for an answer is over before the card had any to
/// speak in, so silence counts only when it comes twice.
struct Patient(UnixStream);

impl Read for Patient {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.0.read(bytes)
            }
            other => other,
        }
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// An open card.
enum Opened {
    Virtual(VirtualCard<Patient>),
    Board(Box<dyn LineCard>),
}

impl Opened {
    fn info(&self) -> CardInfo {
        match self {
            Opened::Virtual(card) => card.info(),
            Opened::Board(card) => card.info(),
        }
    }

    fn exchange(
        &mut self,
        drive: &[DriveBlock],
        sense: &mut [SenseBlock],
    ) -> Result<(), CardError> {
        match self {
            Opened::Virtual(card) => card.exchange(drive, sense),
            Opened::Board(card) => card.exchange(drive, sense),
        }
    }

    /// Why the card failed, in words. On the board somebody has to go and look, so the hint
    /// stands with it.
    fn words(&self, error: &CardError) -> String {
        match self {
            Opened::Virtual(_) => error.to_string(),
            Opened::Board(_) => with_hint(error),
        }
    }

    /// The daemon ends. The board switches everything off by being let go.
    fn close(self) {
        if let Opened::Virtual(card) = self {
            let _ = card.close("the daemon ends");
        }
    }
}

fn with_hint(error: &CardError) -> String {
    format!("{error} ({})", error.hint)
}

fn open(kind: &CardKind, wires: Option<&SwitchWires>) -> Result<Opened, String> {
    match kind {
        CardKind::Virtual { socket } => open_virtual(socket).map(Opened::Virtual),
        CardKind::Linux(board) => board::open(board, wires)
            .map(Opened::Board)
            .map_err(|error| with_hint(&error)),
    }
}

fn open_virtual(socket: &Path) -> Result<VirtualCard<Patient>, String> {
    let stream = UnixStream::connect(socket)
        .map_err(|error| format!("cannot open {}: {error}", socket.display()))?;
    stream
        .set_read_timeout(Some(SILENCE))
        .and_then(|()| stream.set_write_timeout(Some(SILENCE)))
        .map_err(|error| error.to_string())?;
    VirtualCard::connect(Patient(stream), "trubkad").map_err(|error| error.to_string())
}

/// Exchanges blocks until the card fails (the reason) or the daemon ends (`None`).
fn exchange(card: usize, mut opened: Opened, inbox: &Inbox, stop: &AtomicBool) -> Option<String> {
    let info = opened.info();
    let lines = info.lines.len();
    inbox
        .blocking_send(Input::CardPresent { card, info })
        .ok()?;
    let (back, from_core) = std::sync::mpsc::channel();
    let mut blocks = Box::new(Exchange {
        sense: vec![SenseBlock::default(); lines],
        drive: vec![DriveBlock::default(); lines],
    });
    loop {
        if stop.load(Ordering::Relaxed) {
            // A last safe drive, so that nothing of ours stays on the line.
            blocks.drive.fill(DriveBlock::default());
            let _ = opened.exchange(&blocks.drive, &mut blocks.sense);
            opened.close();
            return None;
        }
        if let Err(error) = opened.exchange(&blocks.drive, &mut blocks.sense) {
            return Some(opened.words(&error));
        }
        inbox
            .blocking_send(Input::Block {
                card,
                exchange: blocks,
                back: back.clone(),
            })
            .ok()?;
        blocks = match from_core.recv_timeout(CORE_PATIENCE) {
            Ok(blocks) => blocks,
            Err(_) if stop.load(Ordering::Relaxed) || inbox.is_closed() => {
                // The core is ending: it let the block go.
                Box::new(Exchange {
                    sense: vec![SenseBlock::default(); lines],
                    drive: vec![DriveBlock::default(); lines],
                })
            }
            Err(_) => {
                opened.close();
                return Some(format!(
                    "the gateway stood still for {} ms",
                    CORE_PATIENCE.as_millis()
                ));
            }
        };
    }
}
