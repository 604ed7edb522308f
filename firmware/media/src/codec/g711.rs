//! Encoding of G.711, several samples at once: the segment and the four bits behind its first are exponent and fraction of the
//! sample as a float, so nothing depends on the sample and the compiler takes a vector of them. The crate
//! `audio-codec-algorithms`, which decodes, counts leading zeros of one sample after the other; the octets are the same.

/// Encodes as many samples by A-law as there are octets for.
pub(super) fn encode_alaw(samples: &[i16], out: &mut [u8]) {
    for (octet, sample) in out.iter_mut().zip(samples) {
        // 13 bits, the negative ones by their ones' complement.
        let sample = i32::from(*sample);
        let size = (sample >> 3) ^ (sample >> 31);
        let code = if size < 32 {
            size >> 1
        } else {
            float_code(size, 4)
        };
        *octet = (sign(sample) | code as u8) ^ 0xd5;
    }
}

/// Encodes as many samples by mu-law as there are octets for.
pub(super) fn encode_ulaw(samples: &[i16], out: &mut [u8]) {
    for (octet, sample) in out.iter_mut().zip(samples) {
        // 14 bits and the bias of 33, no further than the last segment goes.
        let sample = i32::from(*sample);
        let size = (((sample >> 2) ^ (sample >> 31)) + 33).min(8191);
        *octet = (sign(sample) | float_code(size, 5) as u8) ^ 0xff;
    }
}

fn sign(sample: i32) -> u8 {
    (sample >> 31) as u8 & 0x80
}

/// Segment and step of a size of at least 2 to the `first`: how many bits longer than that it is, and the four bits behind its
/// highest.
fn float_code(size: i32, first: i32) -> i32 {
    ((size as f32).to_bits() >> 19) as i32 - ((127 + first) << 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_the_octet_of_the_reference() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut octets = vec![0; samples.len()];
        encode_alaw(&samples, &mut octets);
        for (sample, octet) in samples.iter().zip(&octets) {
            assert_eq!(*octet, audio_codec_algorithms::encode_alaw(*sample));
        }
        encode_ulaw(&samples, &mut octets);
        for (sample, octet) in samples.iter().zip(&octets) {
            assert_eq!(*octet, audio_codec_algorithms::encode_ulaw(*sample));
        }
    }
}
