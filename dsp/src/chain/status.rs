//! What a chain says about itself.

/// Whether both may speak at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplex {
    /// Both directions are open.
    #[default]
    Full,
    /// The echo is too strong for that: the direction of the quieter talker is turned down.
    Half,
}

/// Figures of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ChainStatus {
    /// Echo return loss enhancement of the linear canceller over about a second in which only the phone's side talked, dB; 0 until
    /// it is known.
    pub erle_db: f32,
    /// Loss between what is sent to the line and what comes back to the phone while only the phone's side talks, dB; `None`
    /// until it is known.
    pub echo_loss_db: Option<f32>,
    /// Delay of the first clear part of the echo, ms; `None` until it is known.
    pub echo_delay_ms: Option<f32>,
    /// What comes from the line, dBm0.
    pub from_line_dbm0: f32,
    /// What the phone hears, dBm0.
    pub to_phone_dbm0: f32,
    /// What the line plays, dBm0.
    pub to_line_dbm0: f32,
    /// Gain of the AGC, dB; 0 without one.
    pub agc_db: f32,
    /// Whether both may speak at once.
    pub duplex: Duplex,
}
