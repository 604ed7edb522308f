//! What an analog intercom line is: profiles, bands, detectors, timed sequences, the line card border.
//!
//! Nothing here opens a device or reads a clock. A [`LineCard`] hands over 10 ms blocks of readings,
//! [`Line`] turns them into events and says what our load and the handset relay must do, and a
//! [`Profile`] (a validated data file) holds every figure that differs between brands.

mod bands;
pub mod card;
pub mod chips;
pub mod learn;
mod line;
pub mod matrix;
pub mod observe;
mod panel_line;
mod profile;
pub mod pulse;
mod reading;
mod ring;
pub mod switch;
pub mod virtual_card;

pub use bands::{Band, BandTracker};
pub use card::{
    AddressSense, BLOCK_MS, BLOCK_SAMPLES, CardError, CardErrorKind, CardInfo, Drive, DriveBlock,
    HandsetRelay, LineCard, LineKind, Load, PulseBurst, SAMPLE_RATE_HZ, SenseBlock,
};
pub use line::{
    AddressDoubt, DoorFailure, FaultKind, HandsetFitting, Line, LineCode, LineError, LineErrorKind,
    LineEvent, LineState, LineStatus, Reading,
};
pub use panel_line::{BusLevels, LinePlan, PanelLine};
pub use profile::{
    DoorManner, DriveSide, FaultRule, Figure, Mark, Matrix, OVERRIDE_KEYS, OverrideKey, Profile,
    ProfileError, ProfileErrorKind,
};
pub use reading::BlockReading;
pub use ring::RingDetector;
