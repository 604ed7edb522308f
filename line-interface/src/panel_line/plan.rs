//! What a line is, as data.

use crate::card::LineKind;
use crate::matrix::TapLayout;
use crate::profile::Profile;
use crate::pulse::PulseProfile;
use crate::switch::Addressing;

/// A line's topology with everything that it needs.
#[derive(Debug, Clone, PartialEq)]
pub enum LinePlan {
    /// One apartment's pair.
    Pair(Profile),
    /// The buses of a switch.
    Matrix {
        /// The brand, with the bus that is fed.
        profile: Profile,
        /// The switch at this entrance.
        addressing: Box<Addressing>,
        /// Apartments that we may ever load.
        served: Vec<u16>,
        /// Profiles of apartments with values of their own.
        own: Vec<(u16, Profile)>,
    },
    /// A line with address pulses.
    Pulse {
        /// The brand.
        profile: PulseProfile,
        /// Our addresses, and whose they are.
        addresses: Vec<(u16, u16)>,
        /// The called line ([`PulseProfile::line`]) of apartments with values of their own.
        own: Vec<(u16, Profile)>,
    },
}

impl LinePlan {
    /// What the card's line must be wired to.
    #[must_use]
    pub fn kind(&self) -> LineKind {
        match self {
            Self::Pair(_) => LineKind::Pair,
            Self::Matrix { addressing, .. } => LineKind::Matrix {
                taps: u16::try_from(TapLayout::new(addressing.switch()).taps()).unwrap_or(u16::MAX),
            },
            Self::Pulse { .. } => LineKind::Pulse,
        }
    }
}

impl From<Profile> for LinePlan {
    fn from(profile: Profile) -> Self {
        Self::Pair(profile)
    }
}
