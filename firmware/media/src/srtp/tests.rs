//! Both directions of the transform: known packets, long streams, and everything that must not be taken.

use std::collections::HashSet;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::*;

/// Octets of hexadecimal text as the RFCs print it, blanks left out.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn pair(suite: CryptoSuite, seed: u8) -> (Outbound, Inbound) {
    let mut random = ChaCha12Rng::from_seed([seed; 32]);
    let key = MasterKey::generate(suite, &mut random);
    (
        Outbound::new(&key).unwrap(),
        Inbound::new(&key, &[]).unwrap(),
    )
}

fn rtp(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(sequence.to_be_bytes());
    packet.extend(u32::from(sequence).wrapping_mul(160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn protected(out: &mut Outbound, mut packet: Vec<u8>) -> Vec<u8> {
    assert!(out.protect_rtp(&mut packet));
    packet
}

/// The packets that libsrtp checks itself with (test/srtp_driver.c, srtp_validate and srtp_validate_aes_256).
#[test]
fn packets_of_the_reference_implementation() {
    let cases = [
        (
            CryptoSuite::AesCm128HmacSha1_80,
            "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6",
            "4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
        ),
        (
            CryptoSuite::AesCm256HmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
            "f1d9de17ff251ff1aa007774b0b4b40d a08d9d9a5b3a55d8873b",
        ),
    ];
    let plain = bytes("800f1234decafbadcafebabe abababababababababababababababab");
    for (suite, key, cipher) in cases {
        let key = MasterKey::from_octets(suite, &bytes(key)).unwrap();
        let packet = protected(&mut Outbound::new(&key).unwrap(), plain.clone());
        assert_eq!(packet[..12], plain[..12]);
        assert_eq!(packet[12..], bytes(cipher), "{suite:?}");
        let mut out = Vec::new();
        let mut inbound = Inbound::new(&key, &[]).unwrap();
        assert_eq!(inbound.unprotect_rtp(&packet, &mut out), Ok(()));
        assert_eq!(out, plain);
    }
    let key = bytes("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
    let key = MasterKey::from_octets(CryptoSuite::AesCm128HmacSha1_80, &key).unwrap();
    let report = bytes("81c8000bcafebabe abababababababababababababababab");
    let mut outbound = Outbound::new(&key).unwrap();
    // That implementation counts its reports from 1.
    assert!(outbound.protect_rtcp(&mut report.clone()));
    let mut packet = report.clone();
    assert!(outbound.protect_rtcp(&mut packet));
    assert_eq!(
        packet,
        bytes("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798")
    );
    let mut out = Vec::new();
    let mut inbound = Inbound::new(&key, &[]).unwrap();
    assert_eq!(inbound.unprotect_rtcp(&packet, &mut out), Ok(()));
    assert_eq!(out, report);
}

#[test]
fn two_wraps_of_the_counter_with_loss_reordering_and_copies() {
    for suite in CryptoSuite::ALL {
        let (mut outbound, mut inbound) = pair(suite, 1);
        let mut random = ChaCha12Rng::from_seed([2; 32]);
        let (mut out, mut flying, mut taken) = (Vec::new(), Vec::new(), 0_u32);
        let total = 140_000_u32;
        for count in 0..total {
            let plain = rtp(
                65_000_u16.wrapping_add(count as u16),
                7,
                &count.to_be_bytes(),
            );
            let packet = protected(&mut outbound, plain.clone());
            match random.next_u32() % 100 {
                0..2 => continue,
                2..6 => {
                    flying.push((packet, plain));
                    continue;
                }
                _ => {}
            }
            assert_eq!(inbound.unprotect_rtp(&packet, &mut out), Ok(()), "{count}");
            assert_eq!(out, plain);
            taken += 1;
            if random.next_u32() % 50 == 0 {
                assert_eq!(
                    inbound.unprotect_rtp(&packet, &mut out),
                    Err(Refused::Replayed)
                );
            }
            if flying.len() > 3 {
                for (packet, plain) in flying.drain(..) {
                    // Those held back for longer than the window are refused, like copies.
                    match inbound.unprotect_rtp(&packet, &mut out) {
                        Ok(()) => {
                            assert_eq!(out, plain);
                            taken += 1;
                        }
                        refused => assert_eq!(refused, Err(Refused::Replayed)),
                    }
                }
            }
        }
        assert!(taken > total / 100 * 95, "{taken}");
    }
}

#[test]
fn a_stream_that_wrapped_before_we_listened_is_understood() {
    let (mut outbound, mut inbound) = pair(CryptoSuite::AesCm128HmacSha1_80, 3);
    for sequence in 65_000..=65_535 {
        protected(&mut outbound, rtp(sequence, 1, b"early"));
    }
    let mut out = Vec::new();
    for sequence in 0..5 {
        let packet = protected(&mut outbound, rtp(sequence, 1, b"heard"));
        assert_eq!(inbound.unprotect_rtp(&packet, &mut out), Ok(()));
        assert_eq!(&out[12..], b"heard");
    }
}

#[test]
fn a_step_back_of_our_own_numbers_does_not_leave() {
    let (mut outbound, _) = pair(CryptoSuite::AesCm128HmacSha1_80, 3);
    assert!(outbound.protect_rtp(&mut rtp(100, 1, b"x")));
    assert!(!outbound.protect_rtp(&mut rtp(100, 1, b"y")));
    assert!(!outbound.protect_rtp(&mut rtp(99, 1, b"y")));
    assert!(outbound.protect_rtp(&mut rtp(101, 1, b"y")));
    // What is no packet does not leave either.
    for foul in [&[][..], &[0x80; 11], &[0; 40], &[0x9f; 12]] {
        assert!(!outbound.protect_rtp(&mut foul.to_vec()));
    }
    for foul in [&[][..], &[0x80; 7], &[0; 40]] {
        assert!(!outbound.protect_rtcp(&mut foul.to_vec()));
    }
}

#[test]
fn every_changed_bit_is_found() {
    for suite in CryptoSuite::ALL {
        let (mut outbound, mut inbound) = pair(suite, 4);
        let packet = protected(&mut outbound, rtp(9, 1, &[1, 2, 3, 4, 5]));
        let mut report = bytes("80c90001 00000001");
        assert!(outbound.protect_rtcp(&mut report));
        let mut out = Vec::new();
        for bit in 0..packet.len() * 8 {
            let mut forged = packet.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(inbound.unprotect_rtp(&forged, &mut out).is_err(), "{bit}");
        }
        for bit in 0..report.len() * 8 {
            let mut forged = report.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(inbound.unprotect_rtcp(&forged, &mut out).is_err(), "{bit}");
        }
        // None of them has left a trace.
        assert_eq!(inbound.unprotect_rtp(&packet, &mut out), Ok(()));
        assert_eq!(inbound.unprotect_rtcp(&report, &mut out), Ok(()));
        assert_eq!(
            inbound.unprotect_rtcp(&report, &mut out),
            Err(Refused::Replayed)
        );
    }
}

#[test]
fn header_extensions_and_sources_stay_in_the_clear() {
    let (mut outbound, mut inbound) = pair(CryptoSuite::AesCm256HmacSha1_32, 5);
    let mut plain = vec![0x80 | 0x10 | 1, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9];
    plain.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4, 0xd5, 0xd5]);
    let packet = protected(&mut outbound, plain.clone());
    assert_eq!(packet[..24], plain[..24]);
    assert_ne!(packet[24..26], plain[24..26]);
    let mut out = Vec::new();
    assert_eq!(inbound.unprotect_rtp(&packet, &mut out), Ok(()));
    assert_eq!(out, plain);
}

#[test]
fn a_named_key_is_wanted_in_every_packet() {
    let mut random = ChaCha12Rng::from_seed([6; 32]);
    let key = MasterKey::generate(CryptoSuite::AesCm128HmacSha1_80, &mut random);
    let mut outbound = Outbound::new(&key).unwrap();
    let mut inbound = Inbound::new(&key, &[0, 0, 0, 1]).unwrap();
    let packet = protected(&mut outbound, rtp(1, 1, b"named"));
    let (body, tag) = packet.split_at(packet.len() - 10);
    let named = |name: &[u8]| [body, name, tag].concat();
    let mut out = Vec::new();
    assert!(inbound.unprotect_rtp(&packet, &mut out).is_err());
    assert!(
        inbound
            .unprotect_rtp(&named(&[0, 0, 0, 2]), &mut out)
            .is_err()
    );
    assert_eq!(
        inbound.unprotect_rtp(&named(&[0, 0, 0, 1]), &mut out),
        Ok(())
    );
    assert_eq!(&out[12..], b"named");
}

#[test]
fn sources_are_remembered_and_bounded() {
    let (mut outbound, mut inbound) = pair(CryptoSuite::AesCm128HmacSha1_80, 7);
    let packets: Vec<Vec<u8>> = (0..40)
        .map(|ssrc| protected(&mut outbound, rtp(1, ssrc, b"x")))
        .collect();
    let mut out = Vec::new();
    for (count, packet) in packets.iter().enumerate() {
        let taken = inbound.unprotect_rtp(packet, &mut out).is_ok();
        assert_eq!(taken, count < 32);
    }
    for packet in &packets {
        assert!(inbound.unprotect_rtp(packet, &mut out).is_err());
    }
}

/// Mangled packets never panic, are never taken, and never spoil the context for the next honest one.
#[test]
fn mangled_packets() {
    let mut random = ChaCha12Rng::from_seed([8; 32]);
    for suite in CryptoSuite::ALL {
        let (mut outbound, mut inbound) = pair(suite, 9);
        let mut out = Vec::new();
        let mut honest = HashSet::new();
        for round in 0..20_000_u32 {
            let packet = protected(&mut outbound, rtp(round as u16, 1, &[round as u8; 40]));
            let mut report = bytes("80c90001 00000001");
            assert!(outbound.protect_rtcp(&mut report));
            honest.insert(packet.clone());
            for original in [&packet, &report] {
                let mut mangled = original.clone();
                for _ in 0..=random.next_u32() % 3 {
                    let at = random.next_u32() as usize % (mangled.len() + 1);
                    match random.next_u32() % 4 {
                        0 => mangled.truncate(at),
                        1 => mangled.insert(at, random.next_u32() as u8),
                        2 => {
                            if let Some(octet) = mangled.get_mut(at) {
                                *octet = random.next_u32() as u8;
                            }
                        }
                        _ => mangled.extend_from_slice(&original[at.min(original.len())..]),
                    }
                }
                if !honest.contains(&mangled) && mangled != report {
                    assert!(inbound.unprotect_rtp(&mangled, &mut out).is_err());
                    assert!(inbound.unprotect_rtcp(&mangled, &mut out).is_err());
                }
            }
            assert_eq!(inbound.unprotect_rtp(&packet, &mut out), Ok(()), "{round}");
            assert_eq!(inbound.unprotect_rtcp(&report, &mut out), Ok(()), "{round}");
        }
    }
}
