//! The checks of `trubka doctor`, in the order in which a technician goes: supply, line,
//! registration, codec, disk.

use std::path::Path;

use config::Config;
use control::reply::{Check, Doctor, Verdict};
use gateway::Gateway;

fn check(
    name: impl Into<String>,
    verdict: Verdict,
    finding: impl Into<String>,
    hint: impl Into<String>,
) -> Check {
    Check {
        name: name.into(),
        verdict,
        finding: finding.into(),
        hint: hint.into(),
    }
}

/// Everything that can be told without waiting.
pub(crate) fn examine(gateway: &Gateway, config: &Config, last_codec: Option<&str>) -> Doctor {
    let mut checks = Vec::new();
    for card in gateway.card_statuses() {
        let name = format!("card {}", card.name);
        checks.push(if card.present {
            check(name, Verdict::Pass, card.detail, "")
        } else {
            check(
                name,
                Verdict::Fail,
                card.detail,
                "check the card's supply and its connection; the old handset works meanwhile",
            )
        });
    }
    if checks.is_empty() {
        checks.push(check(
            "card",
            Verdict::Warn,
            "no line card is configured",
            "add a [[card]] and a [[line]]",
        ));
    }
    checks.push(supply(gateway));
    checks.extend(gateway.line_statuses().iter().map(line_levels));
    for account in gateway.account_statuses() {
        let finding = format!("{} {} {}", account.address, account.state, account.detail);
        let verdict = match account.state.as_str() {
            "registered" | "direct" => Verdict::Pass,
            "trying" => Verdict::Warn,
            _ => Verdict::Fail,
        };
        let hint = if account.hint.is_empty() {
            "wait a few seconds and look again"
        } else {
            &account.hint
        };
        checks.push(check(
            format!("account {}", account.name),
            verdict,
            finding,
            hint,
        ));
    }
    let offered: Vec<String> = config
        .media
        .codecs
        .iter()
        .map(|codec| format!("{codec:?}").to_uppercase())
        .collect();
    checks.push(match last_codec {
        Some(codec) => check(
            "codec",
            Verdict::Pass,
            format!("the last call used {codec}"),
            "",
        ),
        None => check(
            "codec",
            Verdict::Warn,
            format!("{} offered, no call yet", offered.join(", ")),
            "prove it with: trubka sip test-call EXTENSION",
        ),
    });
    Doctor { checks }
}

/// The supply of the lines. A virtual card has none of its own; the board's is read with its ADC.
fn supply(gateway: &Gateway) -> Check {
    let present = gateway.card_statuses().iter().any(|card| card.present);
    if present {
        check(
            "supply",
            Verdict::Pass,
            "the card delivers readings (a virtual card has no supply to measure)",
            "",
        )
    } else {
        check(
            "supply",
            Verdict::Fail,
            "no card delivers readings",
            "check the supply of the box: without it the old handsets still work",
        )
    }
}

fn line_levels(line: &control::reply::LineStatus) -> Check {
    let name = format!("line {}", line.name);
    let own = match line.overrides.len() {
        0 => String::new(),
        count => format!(", {count} own value(s)"),
    };
    let taps: usize = line.buses.iter().map(|bus| bus.volts.len()).sum();
    let wires = match line.topology.as_str() {
        "matrix" => format!("matrix, {taps} taps, "),
        "pulse" => "pulse, ".to_owned(),
        _ => String::new(),
    };
    let finding = format!(
        "{wires}{:.2} V {:.1} mA, band {}, {}{own}",
        line.volts, line.milliamps, line.band, line.state
    );
    if let Some(misfit) = &line.misfit {
        return check(
            name,
            Verdict::Fail,
            misfit,
            "check card, channel, topology and switch of the [[line]]",
        );
    }
    match &line.fault {
        _ if !line.present => check(
            name,
            Verdict::Fail,
            "its card does not carry it",
            "check card and channel of the [[line]]",
        ),
        Some(fault) => {
            let hint = line_interface::FaultKind::ALL
                .iter()
                .find(|kind| kind.name() == fault)
                .map_or("", |kind| kind.hint());
            let seen = line.fault_seen.as_deref().unwrap_or("no reading");
            let finding = format!("{fault}, seen at {seen}");
            check(name, Verdict::Fail, finding, hint)
        }
        None => check(name, Verdict::Pass, finding, ""),
    }
}

/// The journal's disk.
pub(crate) fn disk(path: &Path, found: Result<String, String>) -> Check {
    match found {
        Ok(finding) if finding.contains("were lost") => check(
            "disk",
            Verdict::Warn,
            finding,
            "records were lost while the disk failed: see the system log",
        ),
        Ok(finding) => check("disk", Verdict::Pass, finding, ""),
        Err(why) => check(
            "disk",
            Verdict::Fail,
            why,
            format!(
                "free space or mount the disk of {}; doors open all the same, records go to the system log",
                path.display()
            ),
        ),
    }
}
