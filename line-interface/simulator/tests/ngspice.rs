//! Another program solves the same circuits: every node within 1 % (and 2 mV near zero).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use line_interface::matrix::TapLayout;
use line_interface::switch::Switch;
use line_interface::{DriveSide, Load};
use line_simulation::matrix::{BusParts, Buses, Fitted};
use line_simulation::network::{Diode, Network, Node, Part};

/// Operating point by ngspice, node by node.
fn ngspice(net: &Network, title: &str) -> Vec<f64> {
    let mut child = Command::new("ngspice")
        .args(["-b", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| {
            panic!("ngspice does not start: {e}\nhint: this test compares with the Debian package ngspice: apt-get install ngspice")
        });
    let deck = net.spice_deck(title);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(deck.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let volts: Vec<f64> = (0..net.size())
        .map(|i| {
            let key = format!("v(n{i}) = ");
            let line = text
                .lines()
                .find(|l| l.starts_with(&key))
                .unwrap_or_else(|| {
                    panic!(
                        "{title}: no {key} in\n{text}\n{}\n{deck}",
                        String::from_utf8_lossy(&out.stderr)
                    )
                });
            line[key.len()..].trim().parse().unwrap()
        })
        .collect();
    assert_eq!(volts.len(), net.size());
    volts
}

fn compare(net: &mut Network, title: &str) -> f64 {
    assert!(net.settle(), "{title} does not settle");
    let theirs = ngspice(net, title);
    let mut worst = 0.0_f64;
    for (i, (ours, theirs)) in net.all_volts().iter().zip(&theirs).enumerate() {
        let allowed = (theirs.abs() * 0.01).max(0.002);
        assert!(
            (ours - theirs).abs() <= allowed,
            "{title}: node {i} is {ours} V, ngspice says {theirs} V"
        );
        worst = worst.max((ours - theirs).abs() / allowed);
    }
    worst
}

#[test]
fn the_pair_in_all_states() {
    for (volts, ohms) in [(10.5, 220.0), (11.0, 240.0), (12.0, 300.0), (12.0, 470.0)] {
        for load in [None, Some(50.0), Some(300.0), Some(9400.0), Some(7000.0)] {
            for handset in [None, Some(46.0), Some(300.0)] {
                for reversed in [1.0, -1.0] {
                    for knee in [false, true] {
                        let mut net = Network::default();
                        let (panel, line) = (net.node(), net.node());
                        let source = Part::Source {
                            volts: volts * reversed,
                            ohms,
                        };
                        net.place(panel, Node::GROUND, source);
                        net.place(panel, line, Part::Resistor(15.0));
                        net.place(line, Node::GROUND, Part::Resistor(1e6));
                        for ohms in [load, handset].into_iter().flatten() {
                            let part = if knee {
                                Part::Knee { ohms, volts: 0.65 }
                            } else {
                                Part::Diode(Diode::handset(ohms))
                            };
                            net.place(line, Node::GROUND, part);
                        }
                        let title =
                            format!("pair {volts} {ohms} {load:?} {handset:?} {reversed} {knee}");
                        compare(&mut net, &title);
                    }
                }
            }
        }
    }
}

fn matrix(side: DriveSide, bias_volts: f64) -> Buses {
    let layout = TapLayout::new(&Switch::builtin("km100-7.1").unwrap());
    let parts = BusParts {
        bias_volts,
        ..BusParts::default()
    };
    let mut buses = Buses::new(layout.modules()[0], side, parts);
    let (fed, sunk) = if side == DriveSide::Tens {
        (4, 2)
    } else {
        (2, 4)
    };
    buses.feed(fed, Some((11.0, 250.0)));
    buses.sink(sunk, true);
    buses
}

#[test]
fn ten_by_ten_taps_of_both_drive_sides() {
    for side in [DriveSide::Tens, DriveSide::Units] {
        for bias in [0.0, 5.0] {
            compare(
                matrix(side, bias).network(),
                &format!("taps {side:?} {bias}"),
            );
        }
    }
    // The table of line-facts 8, plain taps.
    let mut b = matrix(DriveSide::Tens, 0.0);
    assert!(b.network().settle());
    for i in 0..20 {
        let (volts, near) = match i {
            4 => (2.47, 0.08),
            12 => (0.17, 0.01),
            0..10 => (0.01, 0.02),
            _ => (2.12, 0.15),
        };
        assert!((b.tap(i) - volts).abs() < near, "tap {i}: {}", b.tap(i));
    }
}

#[test]
fn phantom_paths_missing_handsets_and_shorts() {
    for side in [DriveSide::Tens, DriveSide::Units] {
        let mut b = matrix(side, 5.0);
        b.hang(7, 3, Fitted::BodyDiode);
        compare(b.network(), "body diode");
        // The body diode feeds row 7 from a floating line: its handsets see a voltage.
        let phantom = b.tap(7);
        if side == DriveSide::Tens {
            assert!(phantom > 0.8, "{phantom}");
        }
        let mut b = matrix(side, 5.0);
        for (t, u) in [(4, 7), (4, 2), (9, 2), (0, 0)] {
            b.hang(t, u, Fitted::Missing);
            compare(b.network(), "missing");
        }
        for (a, c) in [(4, 5), (12, 13), (5, 12), (4, 12), (4, 17)] {
            let mut b = matrix(side, 5.0);
            let node = |b: &Buses, i: usize| if i < 10 { b.tens(i) } else { b.units(i - 10) };
            let (x, y) = (node(&b, a), node(&b, c));
            b.network().place(x, y, Part::Resistor(1.0));
            compare(b.network(), &format!("short {a} {c}"));
        }
        for what in [
            Fitted::OffHook,
            Fitted::Button,
            Fitted::Reversed,
            Fitted::Shorted,
        ] {
            let mut b = matrix(side, 5.0);
            b.hang(4, 2, what);
            b.hang(6, 2, what);
            b.hang(4, 8, what);
            compare(b.network(), &format!("{what:?}"));
        }
        for load in [Load::Off, Load::OnHook, Load::OffHook, Load::Residue] {
            let mut b = matrix(side, 5.0);
            b.isolate(true);
            b.connect(Some((4, 2)), load);
            compare(b.network(), &format!("our {load:?}"));
        }
    }
}
