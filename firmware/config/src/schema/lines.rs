//! Settings of cards, lines and what one apartment has of its own.

use super::Fallback::{Literal, None as Unset, Required};
use super::{Kind, Section, int, key, volts};

pub(super) const CARD: Section = Section {
    name: "card",
    many: true,
    doc: "A line card: the hardware, or a simulator, that carries the analog lines.",
    keys: &[
        key(
            "name",
            Kind::Text,
            Required,
            "Short name by which lines refer to the card.",
        ),
        key(
            "kind",
            Kind::OneOf(&["virtual", "linux"]),
            Literal("\"virtual\""),
            "virtual: a process that speaks the virtual line card protocol on a local socket; linux: the real board on this computer's SPI, I2C and sound devices.",
        ),
        key(
            "socket",
            Kind::Path,
            Unset,
            "Local stream socket of a virtual line card; only and always for that kind.",
        ),
        key(
            "board",
            Kind::OneOf(&["pair", "matrix"]),
            Literal("\"pair\""),
            "Assembly variant of the board: pair (one apartment's two wires) or matrix (taps and crosspoint on a switch). The board says itself which it is; another one is refused.",
        ),
        key(
            "spi",
            Kind::Path,
            Literal("\"/dev/spidev0.0\""),
            "SPI device of the board's converter.",
        ),
        key(
            "spi_hz",
            int(500_000, 2_000_000),
            Literal("1000000"),
            "Clock of the converter, in hertz.",
        ),
        key(
            "i2c",
            Kind::Path,
            Literal("\"/dev/i2c-1\""),
            "I2C bus of the board's port expanders; their addresses are the board's.",
        ),
        key(
            "gpio_chip",
            Kind::Path,
            Literal("\"/dev/gpiochip0\""),
            "GPIO device that has the watchdog's line.",
        ),
        key(
            "watchdog_gpio",
            int(0, 511),
            Unset,
            "Line of gpio_chip that kicks the board's watchdog; the board's own (17) unless given.",
        ),
        key(
            "sound_capture",
            Kind::Text,
            Unset,
            "ALSA name of the PCM on which the board's codec is heard, for example \"plughw:CARD=trubka,DEV=0\" (arecord -L lists them); \"none\" for a board without sound.",
        ),
        key(
            "sound_playback",
            Kind::Text,
            Unset,
            "ALSA name of the PCM on which the board's codec is played to; \"none\" as above.",
        ),
        key(
            "sound_capture_channel",
            int(0, 7),
            Literal("0"),
            "Channel of sound_capture that is the line, from 0 (left).",
        ),
        key(
            "sound_playback_channel",
            int(0, 7),
            Literal("0"),
            "Channel of sound_playback that is the line, from 0 (left); the others are silent.",
        ),
        key(
            "sound_rate_hz",
            int(8_000, 48_000),
            Literal("8000"),
            "Sample rate at which the sound devices are opened: 8000, 16000 or 48000.",
        ),
        key(
            "sound_delay_ms",
            int(15, 200),
            Literal("25"),
            "Sound that is kept between the device and the line, each way, in milliseconds; it grows by itself where a device needs more.",
        ),
    ],
};

pub(super) const LINE: Section = Section {
    name: "line",
    many: true,
    doc: "One panel's line: the pair of one apartment, the buses of a switch, or a two-wire line with address pulses.",
    keys: &[
        key(
            "name",
            Kind::Text,
            Required,
            "Short name, for example the apartment and riser.",
        ),
        key(
            "card",
            Kind::Text,
            Required,
            "Name of the card that carries the line.",
        ),
        key(
            "channel",
            int(0, 63),
            Literal("0"),
            "Number of the line on its card, from 0.",
        ),
        key(
            "profile",
            Kind::Text,
            Required,
            "Built-in line profile, for example \"vizit\" (\"laskomex-class\" for pulse lines), or a path to a profile file ending in .toml.",
        ),
        key(
            "topology",
            Kind::OneOf(&["pair", "matrix", "pulse"]),
            Literal("\"pair\""),
            "pair: one apartment's two wires; matrix: taps and crosspoint at a switch, the apartment is read from its buses; pulse: a two-wire line on which the panel counts out the address.",
        ),
        key(
            "apartment",
            int(1, 9_999),
            Unset,
            "Pair only, and needed there: the apartment whose pair this is.",
        ),
        key(
            "switch",
            Kind::Text,
            Unset,
            "Matrix only, and needed there: built-in switch, for example \"kmg-100\", or a path to a switch file ending in .toml.",
        ),
        key(
            "modules",
            int(1, 10),
            Unset,
            "Matrix only: how many modules (hundreds) of the switch are fitted and tapped; as many as the panel handles unless given.",
        ),
        key(
            "sourced",
            Kind::OneOf(&["tens", "units"]),
            Unset,
            "Matrix only: which bus the panel feeds, the other one is sunk; the profile's figure unless given.",
        ),
        key(
            "first_apartment",
            int(1, 9_999),
            Unset,
            "Matrix only: lowest apartment of this entrance; 1 unless given.",
        ),
        key(
            "numbering",
            Kind::OneOf(&["relative", "absolute"]),
            Unset,
            "Matrix only: relative (unless given): the lowest apartment hangs on the switch's first pair; absolute: the digits of the door number are those on the terminals.",
        ),
        key(
            "addresses",
            Kind::TextList,
            Unset,
            "Pulse only, and needed there: our addresses and whose they are: \"17\" is apartment 17, \"17=42\" apartment 42, \"1-20=101\" the apartments 101 to 120.",
        ),
        key(
            "handset",
            Kind::OneOf(&["relayed", "absent"]),
            Literal("\"relayed\""),
            "relayed: the old handset is wired behind the box's relay; absent: the box takes its place.",
        ),
        key(
            "panel",
            Kind::Text,
            Unset,
            "Name of the panel that the line belongs to, for display names and headers, for example \"Entrance 2\"; the line's name unless given.",
        ),
    ],
};

pub(super) const OVERRIDE: Section = Section {
    name: "override",
    many: true,
    doc: "Values of the line profile that one apartment has of its own, because its cable or its handset differs. trubka line learn --live LINE --override proposes them.",
    keys: &[
        key(
            "apartment",
            int(1, 9_999),
            Required,
            "Apartment whose calls these values are for.",
        ),
        key(
            "source",
            Kind::Text,
            Literal("\"override in the configuration\""),
            "Where the values come from, for example \"measured 2026-05-31\".",
        ),
        volts(0),
        volts(1),
        volts(2),
        volts(3),
        volts(4),
        volts(5),
        volts(6),
        volts(7),
        volts(8),
        volts(9),
        volts(10),
        volts(11),
    ],
};
