//! AES in counter mode and the keyed hash, as RFC 3711 uses them.

use std::fmt;

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit, consts::U16};
use aes::{Aes128Enc, Aes256Enc};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Blocks encrypted at once: a packet of 20 ms takes ten.
const AT_ONCE: usize = 8;
const BLOCK: usize = 16;

/// AES-CM with a key of 128 or 256 bits.
#[expect(
    clippy::large_enum_variant,
    reason = "one per context, never moved about"
)]
#[derive(Clone)]
pub(super) enum CounterMode {
    Aes128(Aes128Enc),
    Aes256(Aes256Enc),
}

impl fmt::Debug for CounterMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CounterMode::Aes128(_) => "AES-128",
            CounterMode::Aes256(_) => "AES-256",
        })
    }
}

impl CounterMode {
    /// The cipher of a key of 16 or 32 octets; `None` for another length.
    pub(super) fn new(key: &[u8]) -> Option<CounterMode> {
        match key.len() {
            16 => Some(CounterMode::Aes128(Aes128Enc::new_from_slice(key).ok()?)),
            32 => Some(CounterMode::Aes256(Aes256Enc::new_from_slice(key).ok()?)),
            _ => None,
        }
    }

    /// Adds the key stream to `data`. The last two octets of `start` count the blocks (RFC 3711, 4.1.1).
    pub(super) fn apply(&self, start: &[u8; BLOCK], data: &mut [u8]) {
        let mut counter = u16::from_be_bytes([start[14], start[15]]);
        for piece in data.chunks_mut(AT_ONCE * BLOCK) {
            let mut stream: [Array<u8, U16>; AT_ONCE] = [Array(*start); AT_ONCE];
            let blocks = piece.len().div_ceil(BLOCK);
            for block in stream.iter_mut().take(blocks) {
                block[14..].copy_from_slice(&counter.to_be_bytes());
                counter = counter.wrapping_add(1);
            }
            let stream = &mut stream[..blocks];
            match self {
                CounterMode::Aes128(cipher) => cipher.encrypt_blocks(stream),
                CounterMode::Aes256(cipher) => cipher.encrypt_blocks(stream),
            }
            for (octet, key) in piece.iter_mut().zip(stream.iter().flatten()) {
                *octet ^= key;
            }
        }
    }
}

/// HMAC-SHA1 with its key set.
#[derive(Clone)]
pub(super) struct Tag(Hmac<Sha1>);

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HMAC-SHA1")
    }
}

impl Tag {
    pub(super) fn new(key: &[u8]) -> Option<Tag> {
        Hmac::new_from_slice(key).ok().map(Tag)
    }

    /// The hash over the parts one after the other.
    pub(super) fn of(&self, parts: &[&[u8]]) -> [u8; 20] {
        self.over(parts).finalize().into_bytes().0
    }

    /// Whether `tag` is the beginning of the hash, in a time that does not tell where it differs.
    pub(super) fn fits(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.over(parts).verify_truncated_left(tag).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha1> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::bytes;

    fn key_stream(key: &str, start: &str, from_block: usize, length: usize) -> Vec<u8> {
        let cipher = CounterMode::new(&bytes(key)).unwrap();
        let start: [u8; 16] = bytes(start).try_into().unwrap();
        let mut data = vec![0; (from_block + length) * 16];
        cipher.apply(&start, &mut data);
        data.split_off(from_block * 16)
    }

    #[test]
    fn aes_128_counter_mode_of_rfc_3711_b_2() {
        let (key, start) = (
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000",
        );
        assert_eq!(
            key_stream(key, start, 0, 3),
            bytes(
                "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB \
                 41E95B3BB0A2E8DD477901E4FCA894C0"
            )
        );
        assert_eq!(
            key_stream(key, start, 0xfeff, 3),
            bytes(
                "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE \
                 6A2CC3787889374FBEB4C81B17BA6C44"
            )
        );
    }

    #[test]
    fn aes_256_counter_mode_of_rfc_6188_7_2() {
        let (key, start) = (
            "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
            "f0f1f2f3f4f5f6f7f8f9fafbfcfd0000",
        );
        assert_eq!(
            key_stream(key, start, 0, 3),
            bytes(
                "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac \
                 63c4868b7096d88421b563b8c94c9a31"
            )
        );
        assert_eq!(
            key_stream(key, start, 0xfeff, 3),
            bytes(
                "cea518c90fd91ced9cbb18c078a54711 3dbc4814f4da5f00a08772b63c6a046d \
                 6eb246913062a16891433e97dd01a57f"
            )
        );
    }

    #[test]
    fn the_length_of_the_data_does_not_change_the_stream() {
        let cipher = CounterMode::new(&[7; 16]).unwrap();
        let mut whole = vec![0; 1000];
        cipher.apply(&[3; 16], &mut whole);
        for length in 0..400 {
            let mut data = vec![0; length];
            cipher.apply(&[3; 16], &mut data);
            assert_eq!(data, whole[..length]);
        }
    }
}
