//! A line in the gateway: the line core, where it sits, and who is joined to it.

use std::time::Duration;

use crate::headset::Headset;
use crate::leg::Leg;
use crate::sounds::Player;
use crate::voice::Voice;
use call::LegId;
use dsp::sample::{block_to_f32, mean_square, sum};
use line_interface::{
    BLOCK_SAMPLES, CardInfo, Drive, DriveBlock, HandsetFitting, LineEvent, LineKind, LinePlan,
    LineState, Load, PanelLine, SenseBlock,
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
        let mean = |samples: &[f32]| sum(samples) / samples.len().max(1) as f32;
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
    /// The phone hears nothing of the present block.
    pub(crate) muted: bool,
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
    pub(crate) fn is_muted(&mut self, now: Duration, audio: &[i16; BLOCK_SAMPLES]) -> bool {
        let switching = self.line.drive().load != Load::OffHook;
        let connecting = self.line.status().state == LineState::Answering;
        let loud = |sample: &i16| sample.unsigned_abs() > RING_PEAK;
        let mut samples = [0.0; BLOCK_SAMPLES];
        block_to_f32(audio, &mut samples);
        self.blasts = mean_square(&samples) > if self.blasts { BLAST_OVER } else { BLAST };
        if switching || self.blasts || connecting && audio.iter().any(loud) {
            self.mute_until = now + STEP_SETTLES;
        }
        now < self.mute_until
    }

    /// Gives the phone, and the headset, what came from the line.
    pub(crate) fn hear(
        &mut self,
        now: Duration,
        sense: &SenseBlock,
        leg: Option<&mut Leg>,
        headset: Option<&mut Headset>,
    ) {
        if leg.is_none() && headset.is_none() {
            return;
        }
        let mut audio = if self.muted {
            [0; BLOCK_SAMPLES]
        } else {
            self.voice.hear(&sense.audio)
        };
        if let Some(headset) = headset {
            audio = headset.towards_phone(&audio);
        }
        if let Some(leg) = leg {
            // Before the answer nobody hears the visitor.
            if !leg.connected {
                audio.fill(0);
            }
            leg.session.push_audio(now, &audio);
        }
    }

    /// Fills what the line does and plays in the coming block.
    pub(crate) fn play(
        &mut self,
        now: Duration,
        block: &mut DriveBlock,
        leg: Option<&mut Leg>,
        headset: Option<&mut Headset>,
    ) {
        block.audio.fill(0);
        if !self.present {
            (block.drive, block.connect) = (Drive::SAFE, None);
            return;
        }
        (block.drive, block.connect) = (self.line.drive(), self.line.connect());
        let heard_back = leg.is_some() || headset.is_some();
        if let Some(leg) = leg {
            leg.session.pull_audio(now, &mut block.audio);
        } else if let Some(player) = &mut self.player {
            player.fill(&mut block.audio);
        }
        if let Some(headset) = headset {
            headset.towards_street(&mut block.audio);
        }
        if heard_back {
            self.voice.play(&mut block.audio);
        }
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
            muted: false,
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
