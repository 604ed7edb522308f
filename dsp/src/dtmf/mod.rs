//! DTMF: the sixteen two-tone keys of ITU-T Q.23, made and found.

mod detector;
mod extent;
mod fit;
mod front;
mod generator;
mod history;
mod voice;

pub use detector::{DtmfDetector, DtmfEvent, DtmfGrade};
pub use extent::extent;
pub use generator::DtmfGenerator;

/// Low-group frequencies, Hz.
pub const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// High-group frequencies, Hz.
pub const HIGH_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// Row and column of a key; letters in either case.
pub fn row_and_column(digit: char) -> Option<(usize, usize)> {
    let digit = digit.to_ascii_uppercase();
    KEYS.iter().enumerate().find_map(|(row, keys)| {
        keys.iter()
            .position(|key| *key == digit)
            .map(|column| (row, column))
    })
}
