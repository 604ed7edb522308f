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
    ///
    /// With `w` the Wright omega function, `i = n Vt / R * w(x) - Is`, so no inner iteration on the
    /// resistor is needed.
    #[must_use]
    pub fn current(&self, v: f64) -> (f64, f64) {
        let scale = self.saturation_amps * self.ohms / self.slope_volts;
        let reach = (v + self.saturation_amps * self.ohms) / self.slope_volts;
        if reach < -25.0 {
            return (-self.saturation_amps, 0.0);
        }
        let w = omega(scale.ln() + reach);
        (
            self.slope_volts / self.ohms * w - self.saturation_amps,
            w / (1.0 + w) / self.ohms,
        )
    }
}

/// Wright omega: the `w` with `w + ln w = x`.
fn omega(x: f64) -> f64 {
    // Below, exp(x) differs from omega by less than one in 10^8.
    if x < -18.0 {
        return x.exp();
    }
    let mut w = if x > 1.0 {
        x - x.ln()
    } else if x > -1.0 {
        0.567 + 0.36 * x
    } else {
        let e = x.exp();
        e / (1.0 + e)
    };
    // Fourth-order steps: two are exact to rounding.
    for _ in 0..2 {
        let r = x - w - w.ln();
        let p = 1.0 + w;
        let q = 2.0 * p * (p + 2.0 / 3.0 * r);
        w *= 1.0 + r / p * (q - r) / (q - 2.0 * r);
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omega_solves_its_equation() {
        for i in -170..400 {
            let x = f64::from(i) * 0.1;
            let w = omega(x);
            assert!((w + w.ln() - x).abs() < 1e-9, "{x}: {w}");
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
