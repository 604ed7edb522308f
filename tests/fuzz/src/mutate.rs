//! Mutations for the run without coverage: seeded, so that a failure can be had again.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// Longest input made, in bytes.
const MAX_BYTES: usize = 8_192;
/// Numbers that stand at the edges of something.
const EDGES: &[&[u8]] = &[
    b"0",
    b"-1",
    b"65535",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"4294967296",
    b"18446744073709551615",
    b"18446744073709551616",
    b"1e999",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff",
    b"\x80\x00",
    b"\xef\xbb\xbf",
    b"%00",
];

/// Makes inputs out of seeds.
#[derive(Debug)]
pub struct Mutator {
    random: ChaCha12Rng,
}

impl Mutator {
    /// The same number gives the same inputs.
    pub fn new(seed: u64) -> Mutator {
        Mutator {
            random: ChaCha12Rng::seed_from_u64(seed),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random.next_u32() as usize % limit.max(1)
    }

    /// One input.
    pub fn next_input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut out = seeds
            .get(self.below(seeds.len()))
            .cloned()
            .unwrap_or_default();
        for _ in 0..=self.below(6) {
            let at = self.below(out.len() + 1);
            let until = (at + self.below(40) + 1).min(out.len());
            match self.below(10) {
                0 => {
                    if let Some(byte) = out.get_mut(at) {
                        *byte ^= 1 << (self.random.next_u32() % 8);
                    }
                }
                1 => {
                    if let Some(byte) = out.get_mut(at) {
                        *byte = self.random.next_u32() as u8;
                    }
                }
                2 => out.insert(at, self.random.next_u32() as u8),
                3 => drop(out.drain(at.min(until)..until)),
                4 => out.truncate(at),
                5 => {
                    let piece = out.get(at..until).unwrap_or(&[]).to_vec();
                    out.splice(at..at, piece);
                }
                6 => {
                    let edge = EDGES.get(self.below(EDGES.len())).copied().unwrap_or(b"");
                    out.splice(at..at, edge.iter().copied());
                }
                7 | 8 => {
                    let other = seeds.get(self.below(seeds.len())).cloned();
                    let other = other.unwrap_or_default();
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(200)).min(other.len());
                    let piece = other.get(from..to).unwrap_or(&[]).to_vec();
                    out.splice(at..at, piece);
                }
                _ => {
                    // A word in another case.
                    for byte in out.get_mut(at.min(until)..until).unwrap_or(&mut []) {
                        *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0 };
                    }
                }
            }
        }
        out.truncate(MAX_BYTES);
        out
    }
}
