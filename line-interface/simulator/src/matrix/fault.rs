//! What can go wrong on the buses of a switch.

use line_interface::matrix::Bus;

/// A fault of one module; lines count from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BusFault {
    /// Two lines are joined by a few ohms.
    Short {
        /// One line.
        a: (Bus, usize),
        /// The other.
        b: (Bus, usize),
    },
    /// A line leaks to ground.
    Leak {
        /// Line.
        line: (Bus, usize),
        /// Resistance.
        ohms: f64,
    },
    /// Something feeds a line from outside.
    Foreign {
        /// Line.
        line: (Bus, usize),
        /// Volts behind 1 kOhm.
        volts: f64,
    },
    /// A tap's wire is off: the converter reads the bias alone.
    TapOff {
        /// Line.
        line: (Bus, usize),
    },
    /// The switch's key of a line does not close any more.
    KeyDead {
        /// Line.
        line: (Bus, usize),
    },
    /// The switch's key of a line never opens: it is always sunk.
    KeyStuck {
        /// Line of the sunk bus.
        line: usize,
    },
    /// Something else hangs between two lines.
    Fitted {
        /// Tens line.
        tens: usize,
        /// Units line.
        units: usize,
        /// What.
        what: super::buses::Fitted,
    },
}
