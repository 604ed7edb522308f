//! The very drivers of the card against models of their chips, down to registers and clocks, wired
//! to the electrical simulator.

#![allow(clippy::unwrap_used)]

mod chip_models;
mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chip_models::{Adc, Bus, Card, CrosspointBus, Pin, TALK, map, on, pin, sane};
use common::Dice;
use line_interface::chips::{AdcScale, Board, BoardMap, ChipErrorKind, CrosspointBoard, Mcp3208};
use line_interface::matrix::{MatrixReader, SCANS_PER_BLOCK, TapBlock, TapLayout};
use line_interface::switch::{Cell, Switch};
use line_interface::{Drive, DriveSide, HandsetRelay, Load, Profile};
use line_simulation::matrix::{BusParts, Buses};
use line_simulation::network::{Diode, Network, Node, Part};

fn board(card: &Rc<RefCell<Card>>) -> Result<Board<Bus, Pin>, ChipErrorKind> {
    Board::start(Bus(Rc::clone(card)), Pin(Rc::clone(card), false), map()).map_err(|e| {
        assert!(!e.hint().is_empty() && !e.cause.is_empty());
        e.kind
    })
}

/// A drive until everything has moved.
fn settle(board: &mut Board<Bus, Pin>, drive: Drive) {
    for _ in 0..20 {
        board.apply(Duration::ZERO, drive).unwrap();
    }
}

#[test]
fn start_up_switches_nothing_on_whatever_the_latch_held() {
    let pins = map().pins(map().line_expander());
    for latch in [0, 0xffff, 0x2222, pins.off] {
        for direction in [0xffff, 0x0000] {
            let card = Card::new();
            {
                // A restart of the program alone: the chip still is as the last run left it.
                let mut c = card.borrow_mut();
                c.registers[0x14..0x16].copy_from_slice(&u16::to_le_bytes(latch));
                c.registers[0..2].copy_from_slice(&u16::to_le_bytes(direction));
                c.outputs.clear();
                c.note();
            }
            let _board = board(&card).unwrap();
            let c = card.borrow();
            // Direction to inputs, latch off, and only then outputs: nothing comes on on the way.
            assert_eq!(
                c.writes,
                [(0x00, 0xffff), (0x14, pins.off), (0x00, !pins.outputs)]
            );
            for pair in c.outputs.windows(2) {
                assert_eq!(pair[1] & !pair[0], 0, "something was switched on");
            }
            assert_eq!((c.pins(), c.switched()), (0, 0));
        }
    }
}

#[test]
fn shutdown_panic_and_kill_leave_every_output_off() {
    let talking = || {
        let card = Card::new();
        let mut board = board(&card).unwrap();
        settle(&mut board, TALK);
        assert_eq!(card.borrow().switched(), on(TALK));
        (card, board)
    };
    let (card, mut board) = talking();
    board.stop().unwrap();
    drop(board);
    assert_eq!(card.borrow().pins(), 0);
    assert_eq!(card.borrow().writes.last(), Some(&(0x00, 0xffff)));

    let (card, board) = talking();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _board = board;
        panic!("the daemon fell over");
    }));
    assert!(unwound.is_err());
    assert_eq!(card.borrow().pins(), 0);

    // kill -9: nobody writes anything any more; the watchdog lets go.
    let (card, board) = talking();
    std::mem::forget(board);
    card.borrow_mut().now = Duration::from_millis(map().watchdog_max_ms - 1);
    assert_eq!(card.borrow().switched(), on(TALK));
    card.borrow_mut().now = Duration::from_millis(map().watchdog_max_ms);
    assert_eq!(card.borrow().switched(), 0);
}

#[test]
fn chips_that_fail_are_named_and_the_watchdog_starves() {
    type Break = fn(&mut Card);
    let faults: [(Break, ChipErrorKind); 3] = [
        (|c| c.present = false, ChipErrorKind::NoAnswer),
        (|c| c.stuck = true, ChipErrorKind::BusStuck),
        (|c| c.wrong = true, ChipErrorKind::WrongChip),
    ];
    for (fault, kind) in faults {
        let card = Card::new();
        fault(&mut card.borrow_mut());
        assert_eq!(board(&card).err(), Some(kind));
        assert_eq!(card.borrow().switched(), 0);
    }
    let card = Card::new();
    let mut board = board(&card).unwrap();
    let block = Duration::from_millis(10);
    let mut now = Duration::ZERO;
    let mut tick = |board: &mut Board<Bus, Pin>, drive| {
        now += block;
        card.borrow_mut().now = now;
        board.apply(now, drive).map_err(|e| e.kind)
    };
    tick(&mut board, TALK).unwrap();
    // One lost acknowledge is told, and the next block works again.
    card.borrow_mut().nacks = 1;
    assert_eq!(tick(&mut board, TALK), Err(ChipErrorKind::NoAnswer));
    tick(&mut board, TALK).unwrap();
    // A brown-out: the outputs fell off by themselves, and come back only by a new command.
    card.borrow_mut().brown_out();
    assert_eq!(card.borrow().pins(), 0);
    assert_eq!(tick(&mut board, TALK), Err(ChipErrorKind::Reset));
    assert_eq!(card.borrow().pins(), 0);
    tick(&mut board, TALK).unwrap();
    tick(&mut board, TALK).unwrap();
    assert_eq!(card.borrow().switched(), on(TALK));
    // A bus that hangs: within the watchdog's time everything is off.
    card.borrow_mut().stuck = true;
    for _ in 0..=map().watchdog_max_ms / 10 {
        assert!(tick(&mut board, TALK).is_err());
    }
    assert_eq!(card.borrow().switched(), 0);
}

#[test]
fn no_schedule_ever_shows_two_loads() {
    let loads = [Load::Off, Load::OnHook, Load::OffHook, Load::Residue];
    for n in 0..20 {
        let mut dice = Dice::new(n);
        let card = Card::new();
        let mut board = board(&card).unwrap();
        for i in 0..500 {
            let drive = Drive {
                load: loads[dice.below(4) as usize],
                relay: if dice.below(2) == 0 {
                    HandsetRelay::Through
                } else {
                    HandsetRelay::Isolated
                },
            };
            match dice.below(20) {
                0 => card.borrow_mut().nacks = 1,
                1 => card.borrow_mut().brown_out(),
                _ => {}
            }
            let _ = board.apply(Duration::from_millis(i * 10), drive);
        }
        assert!(card.borrow().outputs.iter().all(|pins| sane(*pins)));
    }
}

#[test]
fn the_crosspoint_is_on_one_pair_or_none_whatever_its_chips_do() {
    for n in 0..20 {
        let mut dice = Dice::new(n + 500);
        let bus = CrosspointBus::new();
        let mut x = CrosspointBoard::start(|| bus.clone(), map()).unwrap();
        let mut held = None;
        for _ in 0..300 {
            let card = &bus.0[dice.below(bus.0.len() as u64) as usize];
            match dice.below(15) {
                0 => card.borrow_mut().nacks = 1 + dice.below(3) as u32,
                1 => card.borrow_mut().brown_out(),
                _ => {}
            }
            let pair =
                (dice.below(4) > 0).then(|| (dice.below(22) as usize, dice.below(10) as usize));
            let before = x.closed().or(held);
            let done = x.connect(pair);
            let (tens, units) = bus.closed();
            if done.is_ok() {
                assert_eq!(x.closed(), pair);
                assert_eq!(tens.first().copied().zip(units.first().copied()), pair);
                assert_eq!(tens.len() + units.len(), if pair.is_some() { 2 } else { 0 });
            } else {
                // A chip that answers no more may hold what it had closed: where both contacts sit
                // on it that is the old pair, until the watchdog resets it. Never a new one.
                assert!(x.closed().is_none());
                held = tens.first().copied().zip(units.first().copied());
                assert!(held.is_none() || held == before);
                if let Some((tens, units)) = held {
                    assert_eq!(map().tens[tens].expander, map().units[units].expander);
                }
                continue;
            }
            held = None;
        }
        // No chip ever shows two contacts of one bus at once.
        for card in &bus.0 {
            let card = card.borrow();
            for pins in &card.outputs {
                for contacts in [&map().tens, &map().units] {
                    let own = contacts.iter().filter(|c| c.expander == card.address);
                    let mask = own.fold(0, |all, c| all | c.mask());
                    assert!((pins & mask).count_ones() <= 1);
                }
            }
        }
        for card in &bus.0 {
            card.borrow_mut().nacks = 0;
        }
        drop(x);
        assert_eq!(bus.closed(), (vec![], vec![]));
    }
    let bus = CrosspointBus::new();
    let mut x = CrosspointBoard::start(|| bus.clone(), map()).unwrap();
    for pair in [(22, 0), (0, 10)] {
        let error = x.connect(Some(pair)).unwrap_err();
        assert_eq!(error.kind, ChipErrorKind::NoSuchChannel);
        assert_eq!(bus.closed(), (vec![], vec![]));
    }
}

/// Taps of a card that reads -16 to +16 V.
const TAPS: AdcScale = AdcScale {
    volts_per_count: 32.0 / 4096.0,
    zero_counts: 2048.0,
};

#[test]
fn the_converter_reads_the_pair_that_the_expander_loads() {
    let card = Card::new();
    let mut board = board(&card).unwrap();
    let wire = Rc::clone(&card);
    let mut adc = Mcp3208::new(Adc {
        // The pair as the pins behind the watchdog load it.
        volts: move |_, _| {
            let mut net = Network::default();
            let line = net.node();
            let source = Part::Source {
                volts: 11.0,
                ohms: 240.0,
            };
            net.place(line, Node::GROUND, source);
            let pins = wire.borrow().switched();
            let loads = [
                ("load_on_hook", 55.7),
                ("load_off_hook", 314.0),
                ("load_residue", 9363.0),
            ];
            for (name, ohms) in loads {
                if pins & pin(name) != 0 {
                    net.place(line, Node::GROUND, Part::Diode(Diode::handset(ohms)));
                }
            }
            assert!(net.settle());
            net.volts(line)
        },
        scale: map().line_volts.scale,
        clocks: Rc::default(),
        dead: false,
    });
    let line = map().line_volts;
    let profile = Profile::builtin("vizit").unwrap();
    for (load, band) in [
        (Load::Off, "open"),
        (Load::OnHook, "on_hook"),
        (Load::OffHook, "off_hook"),
        (Load::Residue, "open"),
        (Load::OffHook, "off_hook"),
    ] {
        let drive = Drive {
            load,
            relay: HandsetRelay::Isolated,
        };
        settle(&mut board, drive);
        let volts = line.scale.volts(adc.read(line.channel).unwrap());
        assert_eq!(profile.band(volts).name(), band, "{load:?} {volts}");
    }
    drop(board);
    assert!(line.scale.volts(adc.read(line.channel).unwrap()) > 10.9);
    assert_eq!(adc.read(8).unwrap_err().kind, ChipErrorKind::NoSuchChannel);
    let mut none = Mcp3208::new(Adc {
        volts: |_, _| 0.0,
        scale: TAPS,
        clocks: Rc::default(),
        dead: true,
    });
    assert_eq!(none.read(3).unwrap_err().kind, ChipErrorKind::NoAnswer);
}

#[test]
fn three_converters_read_the_apartment_from_the_taps() {
    let switch = Switch::builtin("km100-7.1").unwrap();
    let layout = TapLayout::new(&switch);
    let mut profile = Profile::builtin("eltis").unwrap();
    profile.matrix.sourced.value = DriveSide::Tens;
    for (tens, units) in [(4, 2), (0, 0), (9, 9)] {
        let mut buses = Buses::new(layout.modules()[0], DriveSide::Tens, BusParts::default());
        buses.feed(tens, Some((11.0, 250.0)));
        buses.sink(units, true);
        assert!(buses.network().settle());
        let clocks = Rc::new(RefCell::new(0));
        let mut converters: Vec<_> = (0..3)
            .map(|chip| {
                let buses = buses.clone();
                Mcp3208::new(Adc {
                    // Hum goes on while the converters take one tap after the other.
                    volts: move |channel, at| {
                        let tap = chip * 8 + usize::from(channel);
                        let t = at as f64 / 1e6;
                        buses.tap(tap) + (std::f64::consts::TAU * 50.0 * t).sin()
                    },
                    scale: TAPS,
                    clocks: Rc::clone(&clocks),
                    dead: false,
                })
            })
            .collect();
        let mut reader = MatrixReader::new(&profile, &switch);
        let mut block = TapBlock::new(20);
        for b in 0..10 {
            for scan in 0..SCANS_PER_BLOCK {
                *clocks.borrow_mut() = (b * SCANS_PER_BLOCK + scan) as u64 * 1000;
                for tap in 0..20 {
                    let counts = converters[tap / 8].read((tap % 8) as u8).unwrap();
                    block.scan_mut(scan)[tap] = TAPS.volts(counts);
                }
                // All 20 taps fit into the millisecond of their scan.
                assert!(*clocks.borrow() % 1000 <= 20 * 24);
            }
            reader.handle_block(&block);
        }
        let cell = Cell {
            module: 0,
            tens: tens as u8,
            units: units as u8,
        };
        assert_eq!(
            reader.address(),
            line_interface::matrix::Address::Cell(cell)
        );
    }
}

#[test]
fn the_schematics_parameters_and_the_drivers_agree() {
    let map = map();
    assert_eq!((map.tens.len(), map.units.len()), (22, 10));
    // The three readings lie on channels of their own and reach the bands of every profile.
    let channels = [
        map.line_volts.channel,
        map.line_milliamps.channel,
        map.handset_volts.channel,
    ];
    assert!(
        channels.iter().all(|c| *c < 8) && channels[0] != channels[1] && channels[1] != channels[2]
    );
    assert!(map.line_volts.scale.volts(4095) > 14.0 && map.line_volts.scale.volts(0) < -2.0);
    assert!(
        map.line_milliamps.scale.volts(4095) > 89.0,
        "the board limits at 89 mA"
    );
    // A block of 10 ms kicks the watchdog well before it may let go.
    assert!(map.watchdog_min_ms >= 50 && map.watchdog_max_ms <= 1000);
    // Without a drive nothing is on, and what the drivers read is never driven.
    assert_eq!(on(Drive::SAFE), 0);
    assert_eq!(
        map.pins(map.line_expander()).outputs & pin("matrix_fitted"),
        0
    );

    let text = include_str!("../../../board-schematics/parameters.toml");
    assert_eq!(&BoardMap::from_toml(text).unwrap(), map);
    for (from, to) in [
        ("load_off_hook = {", "load_offhook = {"),
        ("bit = 3, active_low", "bit = 4, active_low"),
        ("line_counts_per_volt = ", "line_counts_per_volt = -"),
        ("line_9 = ", "line_99 = "),
        ("schema = 1", "schema = 2"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{from}");
        let error = BoardMap::from_toml(&broken).unwrap_err();
        assert_eq!(error.kind, ChipErrorKind::Parameters, "{from}");
        assert!(error.hint().contains("board-schematics/check"));
    }
}
