//! Both devices for the line's thread.

use std::time::Instant;

use line_interface::{BLOCK_SAMPLES, CardError};

use super::PortReport;
use super::bridge::Bridges;
use super::device::Devices;

/// Two sound devices in the line's time.
#[derive(Debug)]
pub struct Port {
    bridges: Bridges,
    began: Instant,
    _devices: Devices,
}

impl Port {
    /// Opens both devices; one that is not there yet is waited for.
    ///
    /// # Errors
    /// When this program was built without sound, or has no thread left for it.
    pub fn open(sound: &config::Sound) -> Result<Port, CardError> {
        let bridges = Bridges::new(sound.delay_ms);
        let began = Instant::now();
        let devices = Devices::start(sound.clone(), bridges.clone(), began)?;
        Ok(Port {
            bridges,
            began,
            _devices: devices,
        })
    }

    /// Hands over 10 ms for the device.
    pub fn play(&self, audio: &[i16; BLOCK_SAMPLES]) {
        self.bridges.play(self.began.elapsed(), audio);
    }

    /// The next 10 ms of the device; silence where there is nothing.
    pub fn hear(&self, audio: &mut [i16; BLOCK_SAMPLES]) {
        self.bridges.hear(self.began.elapsed(), audio);
    }

    /// How the devices are.
    #[must_use]
    pub fn report(&self) -> PortReport {
        self.bridges.report()
    }
}
