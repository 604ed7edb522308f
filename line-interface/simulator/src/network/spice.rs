//! The same network as a deck for ngspice, so that another program can check our solver.

use std::fmt::Write as _;

use super::{Network, Part};
use crate::network::diode::THERMAL_VOLTS;

impl Network {
    /// A deck that prints the operating point of every node as `v(n0) = ...`.
    #[must_use]
    pub fn spice_deck(&self, title: &str) -> String {
        let mut deck = format!("* {title}\n");
        let name = |i: usize| {
            if i < self.volts.len() {
                format!("n{i}")
            } else {
                "0".to_owned()
            }
        };
        let mut line = |text: std::fmt::Arguments<'_>| {
            // Writing to a string does not fail.
            let _ = deck.write_fmt(text);
            deck.push('\n');
        };
        for (k, p) in self.parts.iter().enumerate() {
            let (a, b) = (name(p.a), name(p.b));
            match p.part {
                Part::Open | Part::Capacitor(_) => {}
                Part::Current(amps) => line(format_args!("I{k} {a} {b} {amps:e}")),
                Part::Resistor(ohms) => line(format_args!("R{k} {a} {b} {ohms:e}")),
                Part::Source { volts, ohms } => {
                    line(format_args!("R{k} {a} s{k} {ohms:e}"));
                    line(format_args!("V{k} s{k} {b} {volts:e}"));
                }
                Part::Diode(d) => {
                    let n = d.slope_volts / THERMAL_VOLTS;
                    line(format_args!("R{k} {a} d{k} {:e}", d.ohms));
                    line(format_args!("D{k} d{k} {b} M{k}"));
                    line(format_args!(
                        ".model M{k} D(IS={:e} N={n:e})",
                        d.saturation_amps
                    ));
                }
                Part::Knee { ohms, volts } => {
                    // ln(1 + e^x) without overflow, with x in knee widths.
                    let x = format!("((v({a})-v({b})-{volts:e})/0.05)");
                    line(format_args!(
                        "B{k} {a} {b} I=0.05/{ohms:e}*(max({x},0)+ln(1+exp(-abs({x}))))"
                    ));
                }
            }
        }
        for i in 0..self.volts.len() {
            line(format_args!("Rleak{i} n{i} 0 1e12"));
        }
        line(format_args!(".options temp=27 reltol=1e-6"));
        line(format_args!(".control\nop"));
        for i in 0..self.volts.len() {
            line(format_args!("print v(n{i})"));
        }
        line(format_args!("quit\n.endc\n.end"));
        deck
    }

    /// Voltages of all nodes, in the order of the deck.
    #[must_use]
    pub fn all_volts(&self) -> &[f64] {
        &self.volts
    }
}
