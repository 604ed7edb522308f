use std::collections::HashSet;

use super::*;

fn cell(module: u8, tens: u8, units: u8) -> Cell {
    Cell {
        module,
        tens,
        units,
    }
}

#[test]
fn every_switch_maps_every_apartment_to_a_pair_of_its_own_and_back() {
    for name in Switch::builtin_names() {
        let switch = Switch::builtin(name).unwrap();
        assert_eq!(switch.name, name);
        for (first, absolute) in [(1, false), (1, true), (81, false), (81, true), (437, true)] {
            let at = Addressing::new(switch.clone(), first, absolute).unwrap();
            let mut seen = HashSet::new();
            for apartment in at.apartments() {
                let pair = at.cell(apartment).unwrap();
                assert!(switch.tens_labels(pair.module).contains(&pair.tens));
                assert!(switch.units_labels().contains(&pair.units));
                assert!(seen.insert(pair), "{name}: {apartment} shares {pair:?}");
                assert_eq!(at.apartment(pair), Some(apartment), "{name}");
            }
            // Total the other way too: every pair of every module is some apartment's.
            let mut pairs = 0;
            for module in 0..switch.modules() as u8 {
                for tens in switch.tens_labels(module) {
                    for units in switch.units_labels() {
                        pairs += 1;
                        let apartment = at.apartment(cell(module, tens, units)).unwrap();
                        assert_eq!(at.cell(apartment), Some(cell(module, tens, units)));
                    }
                }
            }
            assert_eq!(pairs, usize::from(switch.capacity()));
            assert_eq!(seen.len(), pairs);
            for outside in [first - 1, first + switch.capacity(), 0, u16::MAX] {
                assert_eq!(at.cell(outside), None);
            }
        }
        for nowhere in [
            cell(0, 200, 1),
            cell(0, 1, 200),
            cell(200, 1, 1),
            cell(255, 255, 255),
        ] {
            assert_eq!(switch.number(nowhere), None);
        }
    }
}

#[test]
fn the_examples_of_both_numberings_come_out() {
    // line-facts 2.2.
    for name in ["bk-100", "kmg-100", "km100-7.2", "kkm-100s2"] {
        let s = Switch::builtin(name).unwrap();
        for (n, tens, units) in [(25, 2, 5), (7, 0, 7), (10, 1, 0), (90, 9, 0), (100, 0, 0)] {
            assert_eq!(s.cell(n), Some(cell(0, tens, units)), "{name} {n}");
        }
        assert_eq!(s.cell(200), Some(cell(1, 0, 0)));
    }
    let s = Switch::builtin("com-100u").unwrap();
    for (n, tens, units) in [
        (10, 0, 10),
        (20, 1, 10),
        (80, 7, 10),
        (100, 9, 10),
        (1, 0, 1),
    ] {
        assert_eq!(s.cell(n), Some(cell(0, tens, units)), "{n}");
    }
    // COM-25U counts its tens from 1, KM20-1 ends at 20, the third COM-220U has 16 tens.
    assert_eq!(
        Switch::builtin("COM-25U").unwrap().cell(1),
        Some(cell(0, 1, 1))
    );
    assert_eq!(
        Switch::builtin("КМ20-1").unwrap().cell(20),
        Some(cell(0, 0, 0))
    );
    assert_eq!(Switch::builtin("com-220ud").unwrap().capacity(), 600);
    assert!(Switch::builtin("km-1000").is_none());
}

#[test]
fn absolute_numbering_keeps_the_digits_of_the_door() {
    let at = Addressing::new(Switch::builtin("km100-7.1").unwrap(), 81, true).unwrap();
    assert_eq!(at.cell(142), Some(cell(0, 4, 2)));
    assert_eq!(at.cell(81), Some(cell(0, 8, 1)));
    assert_eq!(at.cell(180), Some(cell(0, 8, 0)));
    let at = Addressing::new(Switch::builtin("km100-7.1").unwrap(), 81, false).unwrap();
    assert_eq!(at.cell(142), Some(cell(0, 6, 2)));
    for first in [0, 9_950] {
        let bad = Addressing::new(Switch::builtin("km100-7.1").unwrap(), first, false).unwrap_err();
        assert!(bad.hint.contains("lowest apartment"));
    }
}

#[test]
fn absurd_switch_files_are_refused_with_a_hint() {
    let good = include_str!("../../switches/com-25u.toml");
    assert!(Switch::from_toml(good).is_ok());
    for (from, to, kind, hint) in [
        (
            "units = { value = 5",
            "units = { value = 0",
            SwitchErrorKind::OutOfRange,
            "count the units",
        ),
        (
            "units = { value = 5",
            "units = { value = 99",
            SwitchErrorKind::OutOfRange,
            "count the units",
        ),
        (
            "[5, 5, 5, 5, 5, 5, 5]",
            "[]",
            SwitchErrorKind::OutOfRange,
            "each module",
        ),
        (
            "[5, 5, 5, 5, 5, 5, 5]",
            "[5, 0]",
            SwitchErrorKind::OutOfRange,
            "each module",
        ),
        (
            "first_tens = { value = 1",
            "first_tens = { value = 7",
            SwitchErrorKind::OutOfRange,
            "D0",
        ),
        (
            "\"com-25u\"",
            "\"COM 25\"",
            SwitchErrorKind::OutOfRange,
            "lower-case",
        ),
        (
            "\"one_based\"",
            "\"two_based\"",
            SwitchErrorKind::Syntax,
            "copy",
        ),
        (
            "brand = ",
            "colour = 1\nbrand = ",
            SwitchErrorKind::UnknownKey,
            "spelling",
        ),
        (
            "\"SYS cmses, SwitchCapabilities\"",
            "\"\"",
            SwitchErrorKind::NoSource,
            "guess",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Switch::from_toml(&good.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.kind, kind, "{to}: {error}");
        assert!(error.hint.contains(hint), "{to}: {}", error.hint);
    }
    let error = Switch::from_toml(&good.replace("title", "titel")).unwrap_err();
    assert!(error.cause.contains("line"), "{}", error.cause);
}
