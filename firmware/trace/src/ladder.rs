//! Messages as arrows between parties.

use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;

use crate::sighting::What;
use crate::text::{WIDTH, clip, harmless};
use crate::{Sighting, Summary};

/// Parties that stand side by side; with one more the ladder begins anew with the two of that message.
const MAX_PARTIES: usize = 4;
/// Calls that keep their number; older ones get a new one when they are seen again.
const MAX_CALLS: usize = 1_000;
/// Messages that a repetition is known by.
const MAX_REMEMBERED: usize = 256;
/// Time, call number.
const LEFT: usize = 17;

/// Draws one line for each message, and lines that explain in between.
#[derive(Debug, Default)]
pub struct Ladder {
    parties: Vec<SocketAddr>,
    calls: VecDeque<(u64, String)>,
    next_call: u64,
    remembered: VecDeque<u64>,
}

impl Ladder {
    /// An empty ladder.
    pub fn new() -> Ladder {
        Ladder::default()
    }

    /// The lines of a message.
    pub fn lines(&mut self, sighting: &Sighting) -> String {
        let mut out = String::new();
        let summary = sighting.summary();
        if self.admit(sighting) {
            self.heading(&mut out);
        }
        let call = self.call(&summary, &mut out);
        let mut label = summary.label();
        if self.is_repeated(sighting) {
            label.insert_str(0, "again: ");
        }
        let time = sighting.time();
        let time = time.get(11..23).unwrap_or("");
        let arrow = self.arrow(sighting.from, sighting.to, &harmless(&label));
        let _ = writeln!(out, "{}", format!("{time} {call:>3} {arrow}").trim_end());
        out
    }

    /// Gives both ends a place; `true` when the heading changed.
    fn admit(&mut self, sighting: &Sighting) -> bool {
        let mut changed = false;
        for end in [sighting.from, sighting.to] {
            if self.parties.contains(&end) {
                continue;
            }
            if self.parties.len() >= MAX_PARTIES {
                self.parties = vec![sighting.from, sighting.to];
                self.parties.dedup();
                return true;
            }
            self.parties.push(end);
            changed = true;
        }
        changed
    }

    /// Column of a party, counted from behind the call number.
    fn column(&self, index: usize) -> usize {
        let gaps = self.parties.len().saturating_sub(1).max(1);
        index * (WIDTH - LEFT - 1) / gaps
    }

    fn heading(&self, out: &mut String) {
        let names: Vec<String> = self.parties.iter().map(ToString::to_string).collect();
        let room = (WIDTH - LEFT) / names.len().max(1) - 1;
        let long = names.iter().any(|name| name.chars().count() > room);
        out.push('\n');
        let mut line: Vec<char> = vec![' '; WIDTH - LEFT];
        for (index, name) in names.iter().enumerate() {
            let name = if long {
                let _ = writeln!(out, "{:LEFT$}({}) {name}", "", index + 1);
                format!("({})", index + 1)
            } else {
                name.clone()
            };
            let half = match index {
                0 => 0,
                _ if index + 1 == names.len() => name.len().saturating_sub(1),
                _ => name.len() / 2,
            };
            let from = self.column(index).saturating_sub(half);
            for (cell, c) in line.iter_mut().skip(from).zip(name.chars()) {
                *cell = c;
            }
        }
        let line: String = line.into_iter().collect();
        let _ = writeln!(out, "{:LEFT$}{}", "", line.trim_end());
    }

    /// Number of the call of a message; a call that begins is introduced.
    fn call(&mut self, summary: &Summary, out: &mut String) -> String {
        if summary.call_id.is_empty() {
            return String::new();
        }
        let known = self.calls.iter().find(|(_, id)| *id == summary.call_id);
        if let Some((number, _)) = known {
            return (number % 1_000).to_string();
        }
        if !matches!(&summary.what, What::Request { method, .. } if method == "INVITE") {
            return String::new();
        }
        self.next_call += 1;
        if self.calls.len() >= MAX_CALLS {
            self.calls.pop_front();
        }
        self.calls
            .push_back((self.next_call, summary.call_id.clone()));
        let number = self.next_call % 1_000;
        let parties = format!(
            "{number:>16} {} calls {}",
            harmless(&summary.from),
            harmless(&summary.to)
        );
        let id = format!("{:>16} Call-ID {}", "", harmless(&summary.call_id));
        let _ = writeln!(out, "{}\n{}", clip(&parties, WIDTH), clip(&id, WIDTH));
        number.to_string()
    }

    fn is_repeated(&mut self, sighting: &Sighting) -> bool {
        let mut hasher = DefaultHasher::new();
        (sighting.from, sighting.to, sighting.bytes()).hash(&mut hasher);
        let hash = hasher.finish();
        if self.remembered.contains(&hash) {
            return true;
        }
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back(hash);
        false
    }

    fn arrow(&self, from: SocketAddr, to: SocketAddr, label: &str) -> String {
        let place = |end| self.parties.iter().position(|party| *party == end);
        let (Some(from), Some(to)) = (place(from), place(to)) else {
            return clip(label, WIDTH - LEFT);
        };
        if from == to {
            return clip(&format!("|-> {label}"), WIDTH - LEFT);
        }
        let mut line: Vec<char> = vec![' '; WIDTH - LEFT];
        for index in 0..self.parties.len() {
            line[self.column(index)] = '|';
        }
        let (left, right) = (self.column(from.min(to)), self.column(from.max(to)));
        line[left + 1..right].fill('-');
        if from < to {
            line[right - 1] = '>';
        } else {
            line[left + 1] = '<';
        }
        // At least one dash and one blank on each side of the label.
        let room = (right - left).saturating_sub(7);
        let label = format!(" {} ", clip(label, room));
        let free = (right - left - 1).saturating_sub(label.chars().count());
        for (cell, c) in line[left + 1 + free / 2..right]
            .iter_mut()
            .zip(label.chars())
        {
            *cell = c;
        }
        line.into_iter().collect()
    }
}
