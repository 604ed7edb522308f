//! The replay list (RFC 3711, 3.3.2).

/// Packets behind the newest that can still be told from copies.
const WIDTH: u64 = 128;

/// Which of the last 128 indices have been taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    newest: u64,
    /// Bit n: the index `newest - n` has been taken.
    taken: u128,
}

impl Window {
    /// Whether a packet with this index would be new.
    pub(super) fn is_new(&self, index: u64) -> bool {
        if self.taken == 0 || index > self.newest {
            return true;
        }
        let behind = self.newest - index;
        behind < WIDTH && self.taken & (1 << behind) == 0
    }

    /// Takes the index of an authenticated packet.
    pub(super) fn take(&mut self, index: u64) {
        if self.taken == 0 || index > self.newest {
            let ahead = index.saturating_sub(self.newest);
            let shifted = u32::try_from(ahead)
                .ok()
                .and_then(|ahead| self.taken.checked_shl(ahead));
            self.taken = shifted.unwrap_or(0) | 1;
            self.newest = index;
        } else if let Some(bit) = u32::try_from(self.newest - index)
            .ok()
            .and_then(|behind| 1_u128.checked_shl(behind))
        {
            self.taken |= bit;
        }
    }

    /// The highest index taken.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn it_agrees_with_a_list_of_everything() {
        // Steps forwards and back, from a fixed sequence, against the plain rule.
        let mut window = Window::default();
        let (mut all, mut newest, mut state) = (HashSet::new(), None::<u64>, 12345_u64);
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let step = (state >> 33) % 300;
            let index = (newest.unwrap_or(1000) + step).saturating_sub(200);
            let new = !all.contains(&index)
                && newest.is_none_or(|newest| index > newest || newest - index < WIDTH);
            assert_eq!(window.is_new(index), new, "{index} after {newest:?}");
            if new {
                window.take(index);
                all.insert(index);
                newest = Some(newest.map_or(index, |newest| newest.max(index)));
            }
        }
        assert_eq!(Some(window.newest()), newest);
    }

    #[test]
    fn far_jumps_forget_what_was() {
        let mut window = Window::default();
        window.take(0);
        assert!(!window.is_new(0));
        window.take(1 << 40);
        assert!(!window.is_new(0) && !window.is_new(1 << 40) && window.is_new((1 << 40) - 127));
        assert!(!window.is_new((1 << 40) - 128));
    }
}
