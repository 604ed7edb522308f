//! What the line's thread and the devices' threads share.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dsp::drift::Bridge;
use dsp::sample::{to_f32, to_i16};
use line_interface::BLOCK_SAMPLES;

use super::{PortReport, SideReport};

/// One direction.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) bridge: Bridge,
    pub(crate) report: SideReport,
    /// When the device last called.
    pub(crate) called: Option<Duration>,
    /// Overruns or underruns since it last called.
    pub(crate) slips: u32,
    /// The device failed and must be opened anew.
    pub(crate) failed: Option<String>,
}

impl Side {
    pub(crate) fn new(delay_ms: u32) -> Side {
        Side {
            bridge: Bridge::new(delay_ms),
            report: SideReport::default(),
            called: None,
            slips: 0,
            failed: None,
        }
    }

    fn report(&self, sign: f32) -> SideReport {
        let bridge = self.bridge.report();
        SideReport {
            gaps: bridge.underruns,
            drift_ppm: sign * bridge.drift_ppm,
            delay_ms: bridge.delay_ms,
            ..self.report.clone()
        }
    }
}

/// Both directions. Each lock is held for as long as a block takes to be copied.
#[derive(Debug, Clone)]
pub(crate) struct Bridges {
    pub(crate) capture: Arc<Mutex<Side>>,
    pub(crate) playback: Arc<Mutex<Side>>,
}

/// A thread that panicked while it held the lock has left samples, nothing worse.
pub(crate) fn locked(side: &Mutex<Side>) -> MutexGuard<'_, Side> {
    side.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Bridges {
    pub(crate) fn new(delay_ms: u32) -> Bridges {
        Bridges {
            capture: Arc::new(Mutex::new(Side::new(delay_ms))),
            playback: Arc::new(Mutex::new(Side::new(delay_ms))),
        }
    }

    pub(crate) fn play(&self, now: Duration, audio: &[i16; BLOCK_SAMPLES]) {
        locked(&self.playback).bridge.push(now, &audio.map(to_f32));
    }

    pub(crate) fn hear(&self, now: Duration, audio: &mut [i16; BLOCK_SAMPLES]) {
        let mut samples = [0.0; BLOCK_SAMPLES];
        locked(&self.capture).bridge.pull(now, &mut samples);
        *audio = samples.map(to_i16);
    }

    pub(crate) fn report(&self) -> PortReport {
        PortReport {
            capture: locked(&self.capture).report(1.0),
            playback: locked(&self.playback).report(-1.0),
        }
    }
}
