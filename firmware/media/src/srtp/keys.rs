//! Master keys, and the keys of a stream made from them (RFC 3711, 4.3).

use std::fmt;

use rand_core::Rng;
use zeroize::Zeroize;

use super::CryptoSuite;
use super::cipher::{CounterMode, Tag};

/// Octets of the master salt.
pub(crate) const SALT: usize = 14;
/// Key and salt at most.
const LONGEST: usize = 32 + SALT;

/// A master key with its salt. Wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MasterKey {
    suite: CryptoSuite,
    octets: [u8; LONGEST],
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, ***)", self.suite.name())
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl MasterKey {
    /// A key of `random`, which must be a generator that nobody can predict.
    pub(crate) fn generate(suite: CryptoSuite, random: &mut impl Rng) -> MasterKey {
        let mut octets = [0; LONGEST];
        random.fill_bytes(&mut octets[..suite.key_length() + SALT]);
        MasterKey { suite, octets }
    }

    /// Key and salt one after the other, as they stand in `a=crypto`; `None` when the length is not the suite's.
    pub(crate) fn from_octets(suite: CryptoSuite, key_and_salt: &[u8]) -> Option<MasterKey> {
        let length = suite.key_length() + SALT;
        if key_and_salt.len() != length {
            return None;
        }
        let mut octets = [0; LONGEST];
        octets[..length].copy_from_slice(key_and_salt);
        Some(MasterKey { suite, octets })
    }

    pub(crate) fn suite(&self) -> CryptoSuite {
        self.suite
    }

    /// Key and salt, for the one place that writes `a=crypto`.
    pub(super) fn reveal(&self) -> &[u8] {
        &self.octets[..self.suite.key_length() + SALT]
    }

    fn parts(&self) -> (&[u8], [u8; SALT]) {
        let (key, rest) = self.octets.split_at(self.suite.key_length());
        let mut salt = [0; SALT];
        salt.copy_from_slice(&rest[..SALT]);
        (key, salt)
    }
}

/// Which of the two protocols a key is for; the value is the first of its three labels.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    Rtp = 0,
    Rtcp = 3,
}

/// The keys of RTP or RTCP in one direction.
#[derive(Clone)]
pub(super) struct StreamKeys {
    cipher: CounterMode,
    pub(super) tag: Tag,
    salt: [u8; SALT],
}

impl fmt::Debug for StreamKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamKeys({:?}, ***)", self.cipher)
    }
}

impl Drop for StreamKeys {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

impl StreamKeys {
    /// `None` is impossible for a [`MasterKey`], whose lengths are those of its suite.
    pub(super) fn derive(master: &MasterKey, usage: Use) -> Option<StreamKeys> {
        let (key, salt) = master.parts();
        let generator = CounterMode::new(key)?;
        let label = usage as u8;
        let mut cipher_key = [0; 32];
        let cipher_key_part = &mut cipher_key[..key.len()];
        stretch(&generator, &salt, label, cipher_key_part);
        let mut tag_key = [0; 20];
        stretch(&generator, &salt, label + 1, &mut tag_key);
        let mut stream_salt = [0; SALT];
        stretch(&generator, &salt, label + 2, &mut stream_salt);
        let keys = StreamKeys {
            cipher: CounterMode::new(cipher_key_part)?,
            tag: Tag::new(&tag_key)?,
            salt: stream_salt,
        };
        cipher_key.zeroize();
        tag_key.zeroize();
        Some(keys)
    }

    /// Encrypts or decrypts the payload of the packet with this 48-bit index (RFC 3711, 4.1.1).
    pub(super) fn crypt(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut start = [0; 16];
        start[..SALT].copy_from_slice(&self.salt);
        for (octet, ssrc) in start[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
            *octet ^= ssrc;
        }
        for (octet, index) in start[8..SALT].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *octet ^= index;
        }
        self.cipher.apply(&start, data);
    }
}

/// The key derivation with a rate of 0: the label meets the salt at its eighth octet (RFC 3711, 4.3.1).
fn stretch(generator: &CounterMode, salt: &[u8; SALT], label: u8, out: &mut [u8]) {
    let mut start = [0; 16];
    start[..SALT].copy_from_slice(salt);
    start[7] ^= label;
    out.fill(0);
    generator.apply(&start, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::bytes;

    fn derived(key: &str, salt: &str, label: u8, length: usize) -> Vec<u8> {
        let generator = CounterMode::new(&bytes(key)).unwrap();
        let mut out = vec![0xaa; length];
        stretch(
            &generator,
            &bytes(salt).try_into().unwrap(),
            label,
            &mut out,
        );
        out
    }

    #[test]
    fn keys_of_rfc_3711_b_3() {
        let (key, salt) = (
            "E1F97A0D3E018BE0D64FA32C06DE4139",
            "0EC675AD498AFEEBB6960B3AABE6",
        );
        assert_eq!(
            derived(key, salt, 0, 16),
            bytes("C61E7A93744F39EE10734AFE3FF7A087")
        );
        assert_eq!(
            derived(key, salt, 2, 14),
            bytes("30CBBC08863D8C85D49DB34A9AE1")
        );
        assert_eq!(
            derived(key, salt, 1, 94),
            bytes(
                "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE \
                 E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25 \
                 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2"
            )
        );
    }

    #[test]
    fn keys_of_rfc_6188_7_4() {
        let (key, salt) = (
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
        );
        assert_eq!(
            derived(key, salt, 0, 32),
            bytes("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4")
        );
        assert_eq!(
            derived(key, salt, 2, 14),
            bytes("fa31791685ca444a9e07c6c64e93")
        );
        assert_eq!(
            derived(key, salt, 1, 20),
            bytes("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
        );
    }

    #[test]
    fn nothing_shows_a_key() {
        let mut random = rand_chacha::ChaCha12Rng::from_seed([3; 32]);
        use rand_core::SeedableRng as _;
        let master = MasterKey::generate(CryptoSuite::AesCm256HmacSha1_80, &mut random);
        let keys = StreamKeys::derive(&master, Use::Rtp).unwrap();
        assert_eq!(
            format!("{master:?} {keys:?}"),
            "MasterKey(AES_256_CM_HMAC_SHA1_80, ***) StreamKeys(AES-256, ***)"
        );
    }
}
