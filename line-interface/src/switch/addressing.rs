//! From the number on the door to a pair and back: a switch at an entrance.

use std::fmt;

use super::{Cell, Switch};

/// A switch at an entrance (line-facts 2.2, entrance offset).
#[derive(Debug, Clone, PartialEq)]
pub struct Addressing {
    switch: Switch,
    first: u16,
    absolute: bool,
}

/// An entrance that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressingError {
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for AddressingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for AddressingError {}

/// Door numbers stay below this.
const MAX_APARTMENT: u16 = 9999;

impl Addressing {
    /// `first` is the lowest apartment of the entrance. Its pair is the switch's first one, unless
    /// `absolute` keeps the digits of the door number: apartment 142 then hangs on tens 4, units 2
    /// whatever the first apartment is.
    ///
    /// # Errors
    /// When the first apartment is 0 or the last one is above 9999.
    pub fn new(switch: Switch, first: u16, absolute: bool) -> Result<Self, AddressingError> {
        let last = u32::from(first) + u32::from(switch.capacity()) - 1;
        if first == 0 || last > u32::from(MAX_APARTMENT) {
            return Err(AddressingError {
                cause: format!("first apartment {first}, last {last}"),
                hint: "apartments are 1 to 9999; give the lowest apartment of this entrance",
            });
        }
        Ok(Self {
            switch,
            first,
            absolute,
        })
    }

    /// The switch.
    #[must_use]
    pub const fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Apartments that have a pair, from the first to the last.
    #[must_use]
    pub fn apartments(&self) -> std::ops::RangeInclusive<u16> {
        self.first..=self.first + self.switch.capacity() - 1
    }

    /// The pair of an apartment, or `None` when the entrance has no such apartment.
    #[must_use]
    pub fn cell(&self, apartment: u16) -> Option<Cell> {
        if !self.apartments().contains(&apartment) {
            return None;
        }
        let number = if self.absolute {
            (apartment - 1) % self.switch.capacity() + 1
        } else {
            apartment - self.first + 1
        };
        self.switch.cell(number)
    }

    /// The apartment of a pair, or `None` when the switch has no such pair.
    #[must_use]
    pub fn apartment(&self, cell: Cell) -> Option<u16> {
        let number = self.switch.number(cell)?;
        if !self.absolute {
            return Some(self.first + number - 1);
        }
        // The one number of the right remainder among `capacity` consecutive ones.
        let capacity = self.switch.capacity();
        let shift = (self.first - 1) % capacity;
        let steps = (number - 1 + capacity - shift) % capacity;
        Some(self.first + steps)
    }
}
