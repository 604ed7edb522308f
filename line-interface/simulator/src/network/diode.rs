//! A silicon diode with a resistor in series, in closed form.

/// Shockley's law with a series resistance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diode {
    /// Resistance in series.
    pub ohms: f64,
    /// Saturation current.
    pub saturation_amps: f64,
    /// Emission coefficient times the thermal voltage.
    pub slope_volts: f64,
}

/// Thermal voltage at 27 degrees, as circuit simulators use it.
pub(super) const THERMAL_VOLTS: f64 = 0.025_865;

impl Diode {
    /// The diode of a handset (rectifier class: 0.7 V at 30 mA, 1 nA backwards) behind its load.
    #[must_use]
    pub const fn handset(ohms: f64) -> Self {
        Self {
            ohms,
            saturation_amps: 1e-9,
            slope_volts: 1.57 * THERMAL_VOLTS,
        }
    }

    /// Current and slope at `v` across diode and resistor.
    #[must_use]
    pub fn current(&self, v: f64) -> (f64, f64) {
        self.ready().current(v, &mut 0.0)
    }

    /// With everything computed that does not depend on the voltage.
    pub(super) fn ready(&self) -> Ready {
        let reach_volts = self.saturation_amps * self.ohms;
        Ready {
            floor_volts: FLOOR * self.slope_volts - reach_volts,
            reach_volts,
            per_slope: 1.0 / self.slope_volts,
            ln_scale: (self.saturation_amps * self.ohms / self.slope_volts).ln(),
            gain: self.slope_volts / self.ohms,
            siemens: 1.0 / self.ohms,
            saturation_amps: self.saturation_amps,
        }
    }
}

/// A diode ready to be asked many times.
///
/// With `w` the Wright omega function, `i = n Vt / R * w(x) - Is`, so no inner iteration on the
/// resistor is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// Below this it carries its saturation current and no more.
    pub(super) floor_volts: f64,
    reach_volts: f64,
    per_slope: f64,
    ln_scale: f64,
    gain: f64,
    siemens: f64,
    pub(super) saturation_amps: f64,
}

impl Ready {
    /// Current and slope. `near` is where the last answer of this diode lay, 0 before the first.
    pub(super) fn current(&self, v: f64, near: &mut f64) -> (f64, f64) {
        if v < self.floor_volts {
            return (-self.saturation_amps, 0.0);
        }
        let w = omega(
            self.ln_scale + (v + self.reach_volts) * self.per_slope,
            *near,
        );
        *near = w;
        (
            self.gain * w - self.saturation_amps,
            w / (1.0 + w) * self.siemens,
        )
    }
}

/// Thermal voltages below zero at which the exponential is less than 10^-4 of the saturation
/// current: less than a picoampere.
const FLOOR: f64 = -9.5;

/// Wright omega: the `w` with `w + ln w = x`. `near` may be a first guess.
fn omega(x: f64, near: f64) -> f64 {
    // The series in e^x: here the next term is less than one in 10^9.
    if x < -8.0 {
        let e = x.exp();
        return e * (1.0 - e * (1.0 - 1.5 * e));
    }
    // Fourth-order steps: one from nearby, two from the rough guess are exact to rounding.
    let step = |w: f64, r: f64| {
        let p = 1.0 + w;
        let q = 2.0 * p * (p + 2.0 / 3.0 * r);
        w * (1.0 + r / p * (q - r) / (q - 2.0 * r))
    };
    if near > 0.0 {
        let r = x - near - near.ln();
        if r.abs() < NEARBY {
            return step(near, r);
        }
    }
    let mut w = if x > 1.0 {
        x - x.ln()
    } else if x > -1.0 {
        0.567 + 0.36 * x
    } else {
        let e = x.exp();
        e / (1.0 + e)
    };
    for _ in 0..2 {
        let r = x - w - w.ln();
        w = step(w, r);
    }
    w
}

/// A guess whose equation is wrong by less than this needs one step only.
const NEARBY: f64 = 1e-2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omega_solves_its_equation() {
        for i in -170..400 {
            let x = f64::from(i) * 0.1;
            let w = omega(x, 0.0);
            assert!((w + w.ln() - x).abs() < 1e-9, "{x}: {w}");
            // From a guess nearby, and from a useless one.
            for guess in [w * 1.005, w * 0.995, w * 3.0, 1e-300] {
                let again = omega(x, guess);
                assert!((again / w - 1.0).abs() < 1e-9, "{x} from {guess}: {again}");
            }
        }
    }

    #[test]
    fn the_current_obeys_diode_and_resistor_together() {
        let d = Diode::handset(45.0);
        for v in [-10.0, -0.5, 0.0, 0.3, 0.7, 2.5, 11.0] {
            let (i, slope) = d.current(v);
            let back = d.slope_volts * (i / d.saturation_amps).ln_1p() + i * d.ohms;
            if v > -0.3 {
                assert!((back - v).abs() < 1e-6, "{v}: {back}");
            } else {
                assert!(i < 0.0 && i > -1e-8);
            }
            let (next, _) = d.current(v + 1e-6);
            assert!((next - i - slope * 1e-6).abs() < 1e-10);
        }
        let (i, _) = d.current(0.7 + 0.03 * 45.0);
        assert!((i - 0.03).abs() < 0.002, "{i}");
    }
}
