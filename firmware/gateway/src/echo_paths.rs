//! The echo path of each apartment, kept between its calls: the canceller then starts with what it knew.

use std::collections::BTreeMap;

use dsp::echo::EchoPath;

use crate::{Gateway, Output};

/// Apartments remembered at most; a path of 64 ms takes 2 KiB.
pub(crate) const MAX_APARTMENTS: usize = 1024;

impl Gateway {
    /// What was kept of an earlier life, by apartment; more than 1024 are not taken.
    pub fn restore_echo_paths(&mut self, paths: BTreeMap<u16, EchoPath>) {
        self.echo_paths = paths.into_iter().take(MAX_APARTMENTS).collect();
    }

    /// A call begins on a line: its canceller starts with the path of the apartment, as far as it is known.
    pub(crate) fn start_echo(&mut self, line: usize) {
        let apartment = self.controller.view(line).and_then(|view| view.apartment);
        if let Some(apartment) = apartment
            && let Some(path) = self.echo_paths.get(&apartment)
            && let Some(slot) = self.lines.get_mut(line)
        {
            slot.voice.know(apartment, path);
        }
    }

    /// A call leaves a line: what its canceller has learned is kept for the apartment.
    pub(crate) fn keep_echo(&mut self, line: usize) {
        let Some(slot) = self
            .lines
            .get_mut(line)
            .filter(|slot| slot.joined.is_some())
        else {
            return;
        };
        let Some((apartment, path)) = slot.voice.learned() else {
            return;
        };
        let known = self.echo_paths.contains_key(&apartment);
        if known || self.echo_paths.len() < MAX_APARTMENTS {
            self.echo_paths.insert(apartment, path.clone());
            self.outputs
                .push_back(Output::KeepEchoPath { apartment, path });
        }
    }
}
