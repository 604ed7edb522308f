//! A line in the gateway: the line core, where it sits, and who is joined to it.

use std::time::Duration;

use crate::sounds::Player;
use crate::voice::Voice;
use call::LegId;
use line_interface::{
    CardInfo, HandsetFitting, LineEvent, LineKind, LinePlan, LineState, Load, PanelLine, SenseBlock,
};

/// Mean readings of the last block.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) volts: f32,
    pub(crate) milliamps: f32,
    pub(crate) handset_volts: f32,
}

impl Reading {
    pub(crate) fn of(sense: &SenseBlock) -> Reading {
        let mean = |samples: &[f32]| samples.iter().sum::<f32>() / samples.len().max(1) as f32;
        Reading {
            volts: mean(&sense.line_volts),
            milliamps: mean(&sense.line_milliamps),
            handset_volts: mean(&sense.handset_volts),
        }
    }
}

#[derive(Debug)]
pub(crate) struct LineSlot {
    pub(crate) line: PanelLine,
    pub(crate) card: usize,
    pub(crate) channel: usize,
    pub(crate) joined: Option<LegId>,
    pub(crate) present: bool,
    /// Why the card that is there cannot carry this line.
    pub(crate) misfit: Option<String>,
    /// Faults that stand, the newest last, with the readings that each was seen with.
    pub(crate) faults: Vec<(&'static str, line_interface::Reading)>,
    pub(crate) last: Reading,
    pub(crate) voice: Voice,
    /// What the visitor hears while nobody is joined.
    pub(crate) player: Option<Player>,
    /// Until then the codec still swings from the step of a load that changed.
    mute_until: Duration,
    /// What comes from the line is far louder than anybody speaks.
    blasts: bool,
}

/// How long the coupling capacitors take to settle after our load changed.
const STEP_SETTLES: Duration = Duration::from_millis(60);
/// Mean square of a block, full scale 1, that is no voice: -6 dBFS. Some panels ring on when the visitor has left, for a second or more
/// before the line says that he has...
const BLAST: f32 = 0.25;
/// ...and it has ended when the block is below -20 dBFS.
const BLAST_OVER: f32 = 0.01;
/// The ring signal drives the codec far over this, half of full scale; speech stays below it.
const RING_PEAK: u16 = 16_384;

impl LineSlot {
    /// Whether the codec hears something that is not the visitor and would hurt the resident's
    /// ear: the step of a load that comes or goes, or the ring signal, which goes on until the
    /// panel has seen us off-hook and comes again where a panel rings on after its visitor has left.
    pub(crate) fn is_muted(&mut self, now: Duration, audio: &[i16]) -> bool {
        let switching = self.line.drive().load != Load::OffHook;
        let connecting = self.line.status().state == LineState::Answering;
        let loud = |sample: &i16| sample.unsigned_abs() > RING_PEAK;
        let energy: f32 = audio
            .iter()
            .map(|sample| (f32::from(*sample) / 32_768.0).powi(2))
            .sum();
        let mean_square = energy / audio.len().max(1) as f32;
        self.blasts = mean_square > if self.blasts { BLAST_OVER } else { BLAST };
        if switching || self.blasts || connecting && audio.iter().any(loud) {
            self.mute_until = now + STEP_SETTLES;
        }
        now < self.mute_until
    }

    pub(crate) fn new(line: &config::Line, plan: LinePlan, media: &config::Media) -> LineSlot {
        let fitting = match line.handset {
            config::Handset::Relayed => HandsetFitting::Relayed,
            config::Handset::Absent => HandsetFitting::Absent,
        };
        LineSlot {
            line: PanelLine::new(plan, fitting),
            card: line.card,
            channel: line.channel,
            joined: None,
            present: false,
            misfit: None,
            faults: Vec::new(),
            last: Reading::default(),
            mute_until: Duration::ZERO,
            blasts: false,
            voice: Voice::new(media),
            player: None,
        }
    }

    /// Whether a call of ours is on the line.
    pub(crate) fn in_call(&self) -> bool {
        self.line.line().busy()
    }

    /// The card is gone: safe state, nobody joined.
    pub(crate) fn card_lost(&mut self, now: Duration) {
        self.line.card_lost(now);
        self.joined = None;
        self.player = None;
        self.present = false;
        self.misfit = None;
        self.faults.clear();
        // What the loss ended is told by the card's own event.
        while self.line.poll_event().is_some() {}
    }

    fn stands(&mut self, name: &'static str, reading: line_interface::Reading) {
        self.faults.retain(|(known, _)| *known != name);
        self.faults.push((name, reading));
    }

    /// Remembers faults for the tools.
    pub(crate) fn note(&mut self, event: &LineEvent) {
        match event {
            LineEvent::Fault { kind, reading } => self.stands(kind.name(), *reading),
            LineEvent::Unclear { doubt, reading } => self.stands(doubt.kind().name(), *reading),
            LineEvent::FaultCleared { kind } => {
                self.faults.retain(|(name, _)| *name != kind.name());
            }
            _ => {}
        }
    }
}

/// What a card says of itself, in words.
pub(crate) fn describe(info: &CardInfo) -> String {
    let plain = info.lines.iter().all(|kind| *kind == LineKind::Pair);
    if plain {
        return format!("{}, {} line(s)", info.name, info.lines.len());
    }
    let kinds: Vec<String> = info.lines.iter().map(LineKind::to_string).collect();
    format!("{}, lines: {}", info.name, kinds.join(", "))
}

/// Why a card's line cannot be the one that is configured, or `None` when it can.
pub(crate) fn misfit(info: &CardInfo, channel: usize, wanted: LineKind) -> Option<String> {
    match info.lines.get(channel) {
        Some(kind) if *kind == wanted => None,
        Some(kind) => Some(format!("its card has a {kind} there, not a {wanted}")),
        None => Some(format!("its card has {} line(s) only", info.lines.len())),
    }
}
