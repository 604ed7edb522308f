//! Lines at a switch and lines with address pulses: what they need, and what is refused with which
//! line and hint.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use trubka_config::{Config, Problem, ProblemKind, Topology};

fn text(line: &str, routes: &[u16]) -> String {
    let routes: String = routes
        .iter()
        .map(|apartment| format!("[[route]]\napartment = {apartment}\ntargets = [\"400\"]\n"))
        .collect();
    format!(
        "[[account]]\nname = \"pbx\"\nextension = \"600\"\ndomain = \"127.0.0.2\"\n\
         [[card]]\nname = \"card\"\nkind = \"virtual\"\nsocket = \"/s\"\n\
         [[line]]\nname = \"riser\"\ncard = \"card\"\n{line}\n{routes}"
    )
}

fn problem(line: &str, routes: &[u16]) -> Problem {
    let problems = Config::parse(&text(line, routes), "t.toml").unwrap_err();
    problems.into_iter().next().unwrap()
}

#[test]
fn a_switch_serves_its_apartments_from_the_first_on() {
    let line = "profile = \"cyfral\"\ntopology = \"matrix\"\nswitch = \"kmg-100\"\nmodules = 1\n\
                sourced = \"units\"\nfirst_apartment = 101";
    let config = Config::parse(&text(line, &[101, 142, 200]), "t.toml").unwrap();
    let line = &config.lines[0];
    assert_eq!(line.apartment(), None);
    assert!(line.serves(101) && line.serves(200) && !line.serves(100) && !line.serves(201));
    let Topology::Matrix(matrix) = &line.topology else {
        panic!("{:?}", line.topology);
    };
    assert_eq!((matrix.modules, matrix.absolute), (Some(1), false));
    assert_eq!(matrix.sourced, Some(line_interface::DriveSide::Units));
}

#[test]
fn a_pulse_line_owns_addresses_one_by_one_and_in_rows() {
    let line = "profile = \"laskomex-class\"\ntopology = \"pulse\"\naddresses = [\"17\", \"18=118\", \"1-3=201\"]";
    let config = Config::parse(&text(line, &[17, 118, 201, 202, 203]), "t.toml").unwrap();
    let addresses = vec![(17, 17), (18, 118), (1, 201), (2, 202), (3, 203)];
    assert_eq!(config.lines[0].topology, Topology::Pulse { addresses });
}

#[test]
fn what_makes_no_line_is_refused_at_its_place() {
    let matrix = |more: &str| format!("profile = \"cyfral\"\ntopology = \"matrix\"\n{more}");
    let pulse = |more: &str| format!("profile = \"laskomex-class\"\ntopology = \"pulse\"\n{more}");
    for (line, routes, at, key, kind, hint) in [
        (
            "profile = \"cyfral\"".to_owned(),
            &[42][..],
            9,
            "line.apartment",
            ProblemKind::MissingKey,
            "apartment = 42",
        ),
        (
            matrix(""),
            &[42],
            9,
            "line.switch",
            ProblemKind::MissingKey,
            "kmg-100",
        ),
        (
            matrix("switch = \"kmg-1000\""),
            &[42],
            14,
            "line.switch",
            ProblemKind::UnknownReference,
            "kmg-100",
        ),
        (
            matrix("switch = \"kmg-100\"\nmodules = 3"),
            &[42],
            15,
            "line.modules",
            ProblemKind::OutOfRange,
            "fitted",
        ),
        (
            matrix("switch = \"bk-400\"\nfirst_apartment = 9700"),
            &[9800],
            15,
            "line.first_apartment",
            ProblemKind::OutOfRange,
            "lowest",
        ),
        (
            matrix("switch = \"bk-10\""),
            &[42],
            16,
            "route.apartment",
            ProblemKind::UnknownReference,
            "more of its switch",
        ),
        (
            matrix("switch = \"bk-10\""),
            &[],
            14,
            "line.switch",
            ProblemKind::UnroutableTarget,
            "[[route]]",
        ),
        (
            matrix("switch = \"bk-10\"\napartment = 4"),
            &[4],
            15,
            "line.apartment",
            ProblemKind::UnknownKey,
            "remove apartment",
        ),
        (
            matrix("switch = \"bk-10\"\naddresses = [\"4\"]"),
            &[4],
            15,
            "line.addresses",
            ProblemKind::UnknownKey,
            "\"pulse\"",
        ),
        (
            pulse(""),
            &[4],
            9,
            "line.addresses",
            ProblemKind::MissingKey,
            "addresses = [",
        ),
        (
            pulse("addresses = []"),
            &[],
            14,
            "line.addresses",
            ProblemKind::OutOfRange,
            "at least one",
        ),
        (
            pulse("addresses = [\"256\"]"),
            &[4],
            14,
            "line.addresses",
            ProblemKind::OutOfRange,
            "1 to 255",
        ),
        (
            pulse("addresses = [\"9-3\"]"),
            &[4],
            14,
            "line.addresses",
            ProblemKind::OutOfRange,
            "1-20=101",
        ),
        (
            pulse("addresses = [\"4\", \"1-9\"]"),
            &[4],
            14,
            "line.addresses",
            ProblemKind::OutOfRange,
            "write",
        ),
        (
            pulse("addresses = [\"4\", \"5\"]"),
            &[4],
            14,
            "line.addresses",
            ProblemKind::UnroutableTarget,
            "apartment = 5",
        ),
        (
            "profile = \"cyfral\"\ntopology = \"pulse\"\naddresses = [\"4\"]".to_owned(),
            &[4],
            12,
            "line.profile",
            ProblemKind::UnknownReference,
            "laskomex-class",
        ),
        (
            "profile = \"laskomex-class\"\napartment = 4".to_owned(),
            &[4],
            12,
            "line.profile",
            ProblemKind::UnknownReference,
            "vizit",
        ),
        (
            "profile = \"cyfral\"\ntopology = \"star\"\napartment = 4".to_owned(),
            &[4],
            13,
            "line.topology",
            ProblemKind::OutOfRange,
            "matrix",
        ),
    ] {
        let p = problem(&line, routes);
        assert_eq!(
            (p.line, p.key.as_str(), p.kind),
            (at, key, kind),
            "{line}: {p}"
        );
        assert!(p.hint.contains(hint), "{line}: {p}");
    }
}
