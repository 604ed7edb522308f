//! What an Opus packet says about itself without being decoded (RFC 6716, 3).

/// Line samples in 2.5 ms, the smallest step of Opus.
pub(crate) const STEP: usize = 20;
/// Line samples in the longest packet, 120 ms (RFC 6716, 3.4).
const LONGEST: usize = 960;
/// Longest frame, octets (RFC 6716, 3.2.1).
const LARGEST_FRAME: usize = 1275;

/// Line samples in one frame of the configuration in a packet's first octet (table 2).
fn frame_samples(first: u8) -> usize {
    let configuration = usize::from(first >> 3);
    match configuration {
        0..=11 => [80, 160, 320, 480][configuration % 4],
        12..=15 => [80, 160][configuration % 2],
        _ => [20, 40, 80, 160][configuration % 4],
    }
}

/// Line samples in a packet; `None` when its length or its count of frames is impossible.
pub(crate) fn samples(packet: &[u8]) -> Option<usize> {
    let (first, rest) = packet.split_first()?;
    let frames = match first & 3 {
        0 => 1,
        1 if rest.len() % 2 != 0 => return None,
        1 | 2 => 2,
        _ => usize::from(rest.first()? & 0x3f),
    };
    let largest = LARGEST_FRAME * frames + 2 * frames + LARGEST_FRAME;
    let samples = frame_samples(*first) * frames;
    (samples > 0 && samples <= LONGEST && packet.len() <= largest).then_some(samples)
}

/// Whether the packet carries a redundant copy of the frame before it: the LBRR flag behind the voice activity flags of its first
/// frame (RFC 6716, 4.2.3 and 4.2.4). Packets of several frames are taken to have none.
pub(crate) fn has_redundancy(packet: &[u8]) -> bool {
    let [first, frame, ..] = packet else {
        return false;
    };
    if first >> 3 >= 16 || first & 3 != 0 {
        return false;
    }
    let inner = frame_samples(*first).div_ceil(160);
    let middle = frame >> (7 - inner) & 1 != 0;
    let side = first & 4 != 0 && frame >> (6 - 2 * inner) & 1 != 0;
    middle || side
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_follow_table_2_of_the_rfc() {
        // SILK narrow 20 ms, SILK wide 60 ms, hybrid 10 ms, CELT full 2.5 and 20 ms.
        for (configuration, expected) in [(1, 160), (11, 480), (12, 80), (28, 20), (31, 160)] {
            assert_eq!(samples(&[configuration << 3, 0]), Some(expected));
            assert_eq!(
                samples(&[configuration << 3 | 2, 0]),
                Some(expected * 2).filter(|n| *n <= 960)
            );
        }
        // Three frames of 40 ms, then four, which are too long; none at all.
        assert_eq!(samples(&[2 << 3 | 3, 3]), Some(960));
        assert_eq!(samples(&[2 << 3 | 3, 4]), None);
        assert_eq!(samples(&[3, 0]), None);
        // Two equal frames need an even rest.
        assert_eq!(samples(&[1, 0]), None);
        assert_eq!(samples(&[3]), None);
        assert_eq!(samples(&[]), None);
        assert_eq!(samples(&[8; 4000]), None);
    }

    #[test]
    fn the_flag_of_redundancy_is_found() {
        assert!(has_redundancy(&[1 << 3, 0b0100_0000]));
        assert!(!has_redundancy(&[1 << 3, 0b1011_1111]));
        // 60 ms are three inner frames: the flag is the fourth bit.
        assert!(has_redundancy(&[3 << 3, 0b0001_0000]));
        // Stereo: the side's flag behind those of the middle.
        assert!(has_redundancy(&[1 << 3 | 4, 0b0001_0000]));
        // CELT has none, and neither has an empty frame.
        assert!(!has_redundancy(&[31 << 3, 0xff]));
        assert!(!has_redundancy(&[1 << 3]));
    }
}
