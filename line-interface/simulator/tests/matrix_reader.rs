//! The apartment from the taps: right for every pair of every switch, never wrong under any fault.

#![allow(clippy::unwrap_used)]

use line_interface::DriveSide;
use line_interface::matrix::{Address, Doubt};
use line_interface::switch::Cell;
use line_simulation::figures::matrix::{TapBench, apartments, faults};
use line_simulation::matrix::Buses;
use line_simulation::network::Part;

#[test]
fn every_apartment_of_every_switch_is_read_right_and_never_ambiguous() {
    let read = apartments(1).unwrap();
    assert_eq!(read.right, read.all, "{read:?}");
    assert_eq!(read.ambiguous, 0);
    assert!(read.all > 5000);
}

#[test]
fn no_single_fault_ever_makes_a_wrong_apartment() {
    let read = faults(14).unwrap();
    assert_eq!(read.wrong, 0, "{read:?}");
    assert!(read.right > 500 && read.ambiguous > 100, "{read:?}");
}

#[test]
fn a_tap_or_key_that_fails_is_told_and_never_another_apartment() {
    for i in 0..20 {
        for reading in [0.0, 5.0] {
            let mut b = TapBench::new("km100-7.1", DriveSide::Tens, i).unwrap();
            let mut rest = b.taps().unwrap();
            rest[i as usize] = reading;
            for cell in b.cells().into_iter().step_by(9) {
                b.select(cell, true);
                let mut fed = b.taps().unwrap();
                b.select(cell, false);
                fed[i as usize] = reading;
                for address in b.read(&fed, 200) {
                    if let Address::Cell(read) = address {
                        assert_eq!(read, cell, "tap {i} reads {reading}");
                    }
                }
                b.read(&rest, 100);
            }
        }
    }
}

#[test]
fn two_panels_and_bus_shorts_are_named() {
    let mut b = TapBench::new("km100-7.1", DriveSide::Tens, 3).unwrap();
    let cell = |tens, units| Cell {
        module: 0,
        tens,
        units,
    };
    b.select(cell(4, 2), true);
    b.select(cell(7, 5), true);
    let fed = b.taps().unwrap();
    let seen = b.read(&fed, 300);
    assert!(
        matches!(seen.as_slice(), [Address::Doubtful(Doubt::TwoFed(_))]),
        "{seen:?}"
    );
    for (a, c) in [(4, 5), (12, 13)] {
        let mut b = TapBench::new("km100-7.1", DriveSide::Tens, 3).unwrap();
        let node = |b: &Buses, i: usize| if i < 10 { b.tens(i) } else { b.units(i - 10) };
        let (x, y) = (node(&b.modules[0], a), node(&b.modules[0], c));
        b.modules[0].network().place(x, y, Part::Resistor(1.0));
        b.select(cell(4, 2), true);
        let fed = b.taps().unwrap();
        let seen = b.read(&fed, 300);
        assert_eq!(seen, [Address::Doubtful(Doubt::BusShort)], "{a} {c}");
        assert!(Doubt::BusShort.hint().contains("metal case"));
    }
}
