//! The headset's sound devices, open while it is on a line.

use std::time::Duration;

use board::sound::{Port, PortReport, SideReport};
use config::Config;
use control::reply::{HeadsetStatus, SoundDevice};
use control::{Failure, FailureKind};
use gateway::{Gateway, HeadsetMode};
use line_interface::BLOCK_SAMPLES;

/// The devices are looked at every so many blocks of the headset's card: 100 ms.
const LOOK_BLOCKS: u32 = 10;

/// The headset of the box.
#[derive(Debug, Default)]
pub(crate) struct Headset {
    port: Option<Port>,
    /// Microphone and earpiece as they were last told.
    told: [bool; 2],
    blocks: u32,
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
            self.told = [false; 2];
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
    pub(crate) fn after(&mut self, gateway: &mut Gateway, card: usize) {
        match gateway.headset_card() {
            None => self.port = None,
            Some(of) if of == card => {
                if let Some(port) = &self.port {
                    port.play(&gateway.headset_hears());
                    self.blocks = self.blocks.wrapping_add(1);
                    if self.blocks.is_multiple_of(LOOK_BLOCKS) {
                        tell_changes(&mut self.told, &port.report(), gateway);
                    }
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

/// Tells of devices that began to run, or went away, since the last look.
fn tell_changes(told: &mut [bool; 2], report: &PortReport, gateway: &mut Gateway) {
    let sides = [
        ("microphone", &report.capture),
        ("earpiece", &report.playback),
    ];
    for (told, (name, side)) in told.iter_mut().zip(sides) {
        if *told != side.present {
            *told = side.present;
            gateway.headset_device(name, side.present, &side.detail);
        }
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
