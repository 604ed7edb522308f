//! Chance that is the same every time.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A source of chance.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha12Rng);

impl Dice {
    /// The chance with this number.
    #[must_use]
    pub fn new(n: u64) -> Self {
        Self(ChaCha12Rng::from_seed(Self::seed(n ^ 0x5eed)))
    }

    /// A seed with this number.
    #[must_use]
    pub fn seed(n: u64) -> [u8; 32] {
        let mut seed = [0; 32];
        if let Some(part) = seed.first_chunk_mut::<8>() {
            *part = n.to_le_bytes();
        }
        seed
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number of normal distribution: four sums of two even ones from one draw.
    pub fn gauss(&mut self) -> f32 {
        let bits = self.below(1 << 48);
        let part = |shift: u32| (bits >> shift & 0xfff) as f32 / 2048.0 - 1.0;
        (part(0) + part(12) + part(24) + part(36)) * 0.866
    }
}
