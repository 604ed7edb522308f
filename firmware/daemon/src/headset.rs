//! The headset's sound devices, open while it is on a line.

use std::time::Duration;

use board::sound::{Port, SideReport};
use config::Config;
use control::reply::{HeadsetStatus, SoundDevice};
use control::{Failure, FailureKind};
use gateway::{Gateway, HeadsetMode};
use line_interface::BLOCK_SAMPLES;

/// The headset of the box.
#[derive(Debug, Default)]
pub(crate) struct Headset {
    port: Option<Port>,
}

impl Headset {
    /// Puts it on a line; its devices open in the background and are waited for.
    pub(crate) fn join(
        &mut self,
        now: Duration,
        gateway: &mut Gateway,
        config: &Config,
        line: usize,
        mode: HeadsetMode,
    ) -> Result<(), Failure> {
        let Some(settings) = &config.headset else {
            return Err(Failure::new(
                FailureKind::NotFound,
                "this box has no headset",
                "name its sound devices in the section [headset]: trubka config explain headset",
            ));
        };
        if self.port.is_none() {
            let port = Port::open(&settings.sound).map_err(|error| {
                Failure::new(FailureKind::Refused, error.cause.clone(), error.hint)
            })?;
            self.port = Some(port);
        }
        gateway.join_headset(now, line, mode, settings.limit);
        Ok(())
    }

    /// What it says goes into the coming block of its card.
    pub(crate) fn before(&mut self, gateway: &mut Gateway, card: usize) {
        if gateway.headset_card() != Some(card) {
            return;
        }
        if let Some(port) = &self.port {
            let mut audio = [0; BLOCK_SAMPLES];
            port.hear(&mut audio);
            gateway.headset_speaks(&audio);
        }
    }

    /// What it hears of the block; the devices are let go once it is off the line.
    pub(crate) fn after(&mut self, gateway: &Gateway, card: usize) {
        match gateway.headset_card() {
            None => self.port = None,
            Some(of) if of == card => {
                if let Some(port) = &self.port {
                    port.play(&gateway.headset_hears());
                }
            }
            Some(_) => {}
        }
    }

    /// How it is, while it is on a line.
    pub(crate) fn status(&self, gateway: &Gateway) -> Option<HeadsetStatus> {
        let (line, mode) = gateway.headset_line()?;
        let report = self.port.as_ref()?.report();
        Some(HeadsetStatus {
            line: line.to_owned(),
            mode: mode.name().to_owned(),
            capture: device(report.capture),
            playback: device(report.playback),
        })
    }
}

fn device(side: SideReport) -> SoundDevice {
    SoundDevice {
        present: side.present,
        detail: side.detail,
        xruns: side.xruns,
        gaps: side.gaps,
        drift_ppm: side.drift_ppm,
        delay_ms: side.delay_ms,
    }
}
