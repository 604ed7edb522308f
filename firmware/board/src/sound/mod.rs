//! A pair of sound devices in the line's time: 80 samples each 10 ms out, 80 in, whatever the devices
//! do. A device that is not there, or goes away, is silence; it is opened again when it comes back.

#[cfg(feature = "sound")]
mod bridge;
pub mod check;
#[cfg(feature = "sound")]
mod device;
#[cfg(not(feature = "sound"))]
mod none;
#[cfg(feature = "sound")]
mod pace;
#[cfg(feature = "sound")]
mod port;

#[cfg(not(feature = "sound"))]
pub use none::Port;
#[cfg(feature = "sound")]
pub use port::Port;

/// What is known of a port.
#[derive(Debug, Clone, PartialEq)]
pub struct PortReport {
    /// The recorded device.
    pub capture: SideReport,
    /// The device that is played to.
    pub playback: SideReport,
}

/// What is known of one device of a port.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SideReport {
    /// It runs: it is open, and it has brought or fetched sound since.
    pub present: bool,
    /// Why it does not, or how it runs.
    pub detail: String,
    /// Overruns or underruns that the device told, each survived.
    pub xruns: u32,
    /// Times the device began to run.
    pub opened: u32,
    /// Times that nothing was there for the reader.
    pub gaps: u32,
    /// How much faster the device's clock is than ours, parts per million.
    pub drift_ppm: f32,
    /// Sound that is kept, milliseconds.
    pub delay_ms: f32,
}
