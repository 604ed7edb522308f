//! A program that was built without sound: a port cannot be had.

use std::convert::Infallible;

use line_interface::{BLOCK_SAMPLES, CardError, CardErrorKind};

use super::PortReport;

/// Two sound devices in the line's time; never had in this build.
#[derive(Debug)]
pub struct Port(Infallible);

impl Port {
    /// Tells that there is no sound in this build.
    ///
    /// # Errors
    /// Always.
    pub fn open(sound: &config::Sound) -> Result<Port, CardError> {
        Err(CardError {
            kind: CardErrorKind::Lost,
            cause: format!(
                "sound device {} is wanted, but this trubkad was built without sound",
                sound.capture
            ),
            hint: "install libasound2-dev and pkg-config and build with: cargo build -p trubkad --features sound",
        })
    }

    /// Hands over 10 ms for the device.
    pub fn play(&self, _audio: &[i16; BLOCK_SAMPLES]) {
        match self.0 {}
    }

    /// The next 10 ms of the device.
    pub fn hear(&self, _audio: &mut [i16; BLOCK_SAMPLES]) {
        match self.0 {}
    }

    /// How the devices are.
    #[must_use]
    pub fn report(&self) -> PortReport {
        match self.0 {}
    }
}
