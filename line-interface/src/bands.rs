//! Which of the panel's voltage bands the line is in (line-facts 1.2).

use crate::profile::Profile;

/// A band of the line voltage. The lighter the load, the higher the voltage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Band {
    /// The panel does not feed this pair.
    #[default]
    Idle,
    /// Almost no voltage, yet a current flows: a short behind our terminals.
    Short,
    /// About 50 Ohm: a handset on its hook.
    OnHook,
    /// About 300 Ohm: a lifted handset.
    OffHook,
    /// No load, or the door button.
    Open,
}

impl Band {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Short => "short",
            Self::OnHook => "on_hook",
            Self::OffHook => "off_hook",
            Self::Open => "open",
        }
    }
}

/// Classifies a series of readings; inside the gap between two bands the last band stays.
#[derive(Debug, Clone, Default)]
pub struct BandTracker {
    band: Band,
}

impl BandTracker {
    /// The band of the last reading.
    #[must_use]
    pub const fn band(&self) -> Band {
        self.band
    }

    /// Takes one reading and returns its band. A reading that is not a number changes nothing.
    pub fn update(&mut self, profile: &Profile, volts: f32, milliamps: f32) -> Band {
        if !volts.is_finite() {
            return self.band;
        }
        let b = &profile.bands;
        let (idle, on_min, on_max) = (
            b.idle_max_volts.value,
            b.on_hook_min_volts.value,
            b.on_hook_max_volts.value,
        );
        let (off_min, off_max, open) = (
            b.off_hook_min_volts.value,
            b.off_hook_max_volts.value,
            b.open_min_volts.value,
        );
        let low = if milliamps >= b.short_min_milliamps.value {
            Band::Short
        } else {
            Band::Idle
        };
        self.band = if volts <= idle {
            low
        } else if volts < on_min {
            keep(self.band, low, Band::OnHook, volts, idle, on_min)
        } else if volts <= on_max {
            Band::OnHook
        } else if volts < off_min {
            keep(
                self.band,
                Band::OnHook,
                Band::OffHook,
                volts,
                on_max,
                off_min,
            )
        } else if volts <= off_max {
            Band::OffHook
        } else if volts < open {
            keep(self.band, Band::OffHook, Band::Open, volts, off_max, open)
        } else {
            Band::Open
        };
        self.band
    }
}

/// In a gap: the band we were in if it borders the gap, else the nearer neighbour.
fn keep(last: Band, below: Band, above: Band, volts: f32, from: f32, to: f32) -> Band {
    if last == below || last == above {
        last
    } else if volts < (from + to) / 2.0 {
        below
    } else {
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readings_of_the_source_model_fall_into_their_bands() {
        // line-facts 1.4, all three rows.
        for name in Profile::builtin_names() {
            let profile = Profile::builtin(name).unwrap();
            for (volts, band) in [
                (0.0, Band::Idle),
                (1.8, Band::OnHook),
                (2.5, Band::OnHook),
                (5.1, Band::OffHook),
                (6.4, Band::OffHook),
                (10.3, Band::Open),
                (11.7, Band::Open),
            ] {
                assert_eq!(profile.band(volts), band, "{name} at {volts} V");
            }
        }
    }

    #[test]
    fn a_gap_keeps_the_last_band_and_a_current_tells_short_from_idle() {
        let profile = Profile::builtin("vizit").unwrap();
        let gap =
            (profile.bands.on_hook_max_volts.value + profile.bands.off_hook_min_volts.value) / 2.0;
        let mut tracker = BandTracker::default();
        assert_eq!(tracker.update(&profile, 2.5, 30.0), Band::OnHook);
        assert_eq!(tracker.update(&profile, gap + 0.1, 20.0), Band::OnHook);
        assert_eq!(tracker.update(&profile, 6.4, 19.0), Band::OffHook);
        assert_eq!(tracker.update(&profile, gap - 0.1, 20.0), Band::OffHook);
        assert_eq!(tracker.update(&profile, 0.2, 45.0), Band::Short);
        assert_eq!(tracker.update(&profile, 0.2, 0.0), Band::Idle);
        assert_eq!(tracker.update(&profile, f32::NAN, 0.0), Band::Idle);
    }
}
