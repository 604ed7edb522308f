//! A pulse line: an address opens the way to the wire, the end of the call closes it.

use std::time::Duration;

use super::Verdict;
use crate::card::{AddressSense, BLOCK_MS, PulseBurst, SenseBlock};
use crate::line::{AddressDoubt, FaultKind, Line, LineCode, LineEvent, LineState, Reading};
use crate::pulse::{Capture, PanelTone, PulseDoubt, PulseEvent, PulseProfile, ToneReader};
use crate::reading::BlockReading;

/// A rejected address is shown as a fault for this long; the next good one ends it too.
const DOUBT_MS: u64 = 5000;

#[derive(Debug)]
pub(super) struct Pulses {
    profile: PulseProfile,
    addresses: Vec<(u16, u16)>,
    /// An address was called and its call is not over: since when.
    called: Option<Duration>,
    /// The line state machine has begun with it.
    begun: bool,
    tones: ToneReader,
    doubt_ms: u64,
    /// The wire itself in the last block, whoever's it was.
    pub(super) reading: BlockReading,
    /// Runs of the capture that was completed in it.
    pub(super) runs: Vec<u32>,
}

/// A high this long after a reset ends what was counted out; the ring comes later.
const COUNTED_US: u32 = 10_000;
/// Runs that are kept of a capture: those of more pulses than any address has.
const MAX_RUNS: usize = 600;

impl Pulses {
    pub(super) fn new(profile: PulseProfile, addresses: Vec<(u16, u16)>) -> Self {
        Self {
            profile,
            addresses,
            called: None,
            begun: false,
            tones: ToneReader::default(),
            doubt_ms: 0,
            reading: BlockReading::default(),
            runs: Vec::new(),
        }
    }

    pub(super) fn reset(&mut self) {
        self.called = None;
        self.begun = false;
        self.tones = ToneReader::default();
        self.doubt_ms = 0;
    }

    pub(super) const fn open(&self) -> bool {
        self.called.is_some()
    }

    pub(super) fn update(
        &mut self,
        now: Duration,
        sense: &SenseBlock,
        address: &AddressSense,
        line: &Line,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        self.close(now, line, &mut verdict);
        self.runs.clear();
        if let AddressSense::Pulses(burst) = address {
            self.runs = burst.runs(COUNTED_US, MAX_RUNS);
            self.burst(now, burst, line, &mut verdict);
        } else if self.doubt_ms > 0 {
            self.doubt_ms = self.doubt_ms.saturating_sub(BLOCK_MS);
            if self.doubt_ms == 0 {
                let kind = FaultKind::BadAddress;
                verdict.told.push(LineEvent::FaultCleared { kind });
            }
        }
        self.reading = BlockReading::of(sense);
        let tone = self.tones.update(&self.profile.tone, &self.reading);
        if let Some(tone) = tone.filter(|tone| self.open() && *tone != PanelTone::Ring) {
            verdict.told.push(LineEvent::Tone { tone });
        }
        verdict.open = self.open();
        verdict
    }

    /// The call is over when the line state machine is at rest again, or never began to ring.
    fn close(&mut self, now: Duration, line: &Line, verdict: &mut Verdict) {
        let Some(since) = self.called else { return };
        let state = line.status().state;
        self.begun |= state != LineState::Idle;
        let wait = Duration::from_millis(self.profile.timing.ring_wait_ms.value);
        let waits = matches!(state, LineState::Idle | LineState::Selected);
        if self.begun && state == LineState::Idle {
            self.called = None;
        } else if waits && now.saturating_sub(since) > wait {
            self.called = None;
            verdict.over = true;
        }
    }

    fn burst(&mut self, now: Duration, burst: &PulseBurst, line: &Line, verdict: &mut Verdict) {
        for event in Capture::read(&self.profile.address, burst) {
            match event {
                // Any new selection ends the old one, also our own (line-facts 3: the second low).
                PulseEvent::Reset => {
                    self.called = None;
                    verdict.over |= line.status().state != LineState::Idle;
                }
                PulseEvent::Address { address, .. } => {
                    if std::mem::take(&mut self.doubt_ms) > 0 {
                        let kind = FaultKind::BadAddress;
                        verdict.told.push(LineEvent::FaultCleared { kind });
                    }
                    self.called = Some(now);
                    self.begun = false;
                    self.tones = ToneReader::default();
                    let own = self.addresses.iter().find(|(own, _)| *own == address);
                    verdict.told.push(LineEvent::Addressed {
                        code: LineCode::Address(address),
                        apartment: own.map(|(_, apartment)| *apartment),
                    });
                }
                // A reset without an address is how a selection ends.
                PulseEvent::Rejected {
                    why: PulseDoubt::NoPulse,
                    ..
                } => {}
                PulseEvent::Rejected { why, .. } => {
                    self.doubt_ms = DOUBT_MS;
                    verdict.told.push(LineEvent::Unclear {
                        doubt: AddressDoubt::Pulses(why),
                        reading: Reading::default(),
                    });
                }
            }
        }
    }
}
