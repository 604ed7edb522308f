//! Answers as text for a terminal of 80 columns, without colour.

use std::fmt::Write as _;

use serde_json::Value;

use crate::reply::{
    CallStatus, Doctor, Journal, LineStatus, Readings, Record, Status, TestCall, Verdict,
};

/// Width that no line of output passes.
pub const WIDTH: usize = 80;

/// Renders the answer of a command; unknown forms as JSON.
pub fn answer(command: &str, result: &Value) -> String {
    fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
        serde_json::from_value(value.clone()).ok()
    }
    let text = match command {
        "status" => read(result).map(|reply| status(&reply)),
        "line levels" => read(result).map(|reply: crate::reply::Levels| levels(&reply.lines)),
        "rtp stats" => read(result).map(|reply: crate::reply::RtpStats| rtp_stats(&reply.calls)),
        "journal" => read(result).map(|reply| journal(&reply)),
        "doctor" => read(result).map(|reply| doctor(&reply)),
        "sip test-call" => read(result).map(|reply| test_call(&reply)),
        _ => result.as_str().map(|text| format!("{text}\n")),
    };
    text.unwrap_or_else(|| format!("{result:#}\n"))
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('~');
    short
}

/// Breaks a sentence into lines that are indented by `indent` blanks.
pub fn wrapped(text: &str, indent: usize) -> String {
    let (mut out, mut column) = (" ".repeat(indent), indent);
    for word in text.split_whitespace() {
        if column > indent && column + 1 + word.chars().count() > WIDTH {
            let _ = write!(out, "\n{}", " ".repeat(indent));
            column = indent;
        }
        if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out.push('\n');
    out
}

fn shown_apartment(line: &LineStatus) -> String {
    line.apartment
        .map_or_else(|| "-".to_owned(), |apartment| apartment.to_string())
}

/// The party, and before it what a switch or a pulse line read.
fn party(line: &LineStatus) -> String {
    let party = line.party.as_deref();
    if line.code.is_empty() {
        party.unwrap_or("-").to_owned()
    } else {
        format!("{} {}", line.code, party.unwrap_or(""))
            .trim_end()
            .to_owned()
    }
}

/// The taps of one bus, as many in a row as fit.
fn bus_rows(bus: &crate::reply::Bus) -> String {
    let (mut out, mut row) = (String::new(), String::new());
    for (label, volts) in (u16::from(bus.first)..).zip(&bus.volts) {
        let word = format!(" {}{label} {volts:.2}", bus.bus);
        if row.len() + word.len() > WIDTH - 12 {
            let _ = writeln!(out, "    module {}{row}", bus.module);
            row.clear();
        }
        row += &word;
    }
    let _ = writeln!(out, "    module {}{row}", bus.module);
    out
}

/// What the apartment has of its own; nothing when it is all the profile's.
fn own_values(line: &LineStatus) -> String {
    if line.overrides.is_empty() {
        return String::new();
    }
    let values = line.overrides.join(", ");
    wrapped(&format!("own values: {values}"), 4)
}

/// `status`.
pub fn status(status: &Status) -> String {
    let mut out = String::new();
    let (hours, minutes) = (status.uptime_s / 3600, status.uptime_s / 60 % 60);
    let _ = writeln!(
        out,
        "trubka {}, up {hours} h {minutes:02} min {:02} s\n",
        status.version,
        status.uptime_s % 60
    );
    if status.do_not_disturb {
        out.push_str("do-not-disturb is on: calls to the box are refused\n\n");
    }
    let _ = writeln!(
        out,
        "{:<12} {:>4} {:<10} {:<11} {:>7} {:>8}  {:<9} PARTY",
        "LINE", "APT", "PROFILE", "PHASE", "VOLTS", "MILLIAMP", "BAND"
    );
    for line in &status.lines {
        let phase = if line.present {
            line.fault.as_deref().unwrap_or(&line.phase)
        } else {
            "no card"
        };
        let row = format!(
            "{:<12} {:>4} {:<10} {:<11} {:>7.2} {:>8.1}  {:<9} {}",
            clip(&line.name, 12),
            shown_apartment(line),
            clip(&line.profile, 10),
            clip(phase, 11),
            line.volts,
            line.milliamps,
            clip(&line.band, 9),
            party(line),
        );
        let _ = writeln!(out, "{}", clip(&row, WIDTH));
        out.push_str(&own_values(line));
    }
    let _ = writeln!(
        out,
        "\n{:<12} {:<26} {:<12} DETAIL",
        "ACCOUNT", "ADDRESS", "STATE"
    );
    for account in &status.accounts {
        let row = format!(
            "{:<12} {:<26} {:<12} {}",
            clip(&account.name, 12),
            clip(&account.address, 26),
            clip(&account.state, 12),
            account.detail
        );
        let _ = writeln!(out, "{}", clip(&row, WIDTH));
        if !account.hint.is_empty() {
            out.push_str(&wrapped(&format!("hint: {}", account.hint), 4));
        }
    }
    if let Some(headset) = &status.headset {
        let row = format!("headset on {}: {}", headset.line, headset.mode);
        let _ = writeln!(out, "\n{}", clip(&row, WIDTH));
        for (name, device) in [
            ("microphone", &headset.capture),
            ("earpiece", &headset.playback),
        ] {
            let what = if device.present { "" } else { "AWAY, " };
            out.push_str(&wrapped(&format!("{name}: {what}{}", device.detail), 4));
        }
    }
    for card in status.cards.iter().filter(|card| !card.present) {
        let _ = writeln!(
            out,
            "\n{}",
            clip(
                &format!("card {} is away: {}", card.name, card.detail),
                WIDTH
            )
        );
    }
    if status.calls.is_empty() {
        out.push_str("\nno calls\n");
    } else {
        let _ = writeln!(
            out,
            "\n{:<12} {:<14} {:<9} {:<6} {:>7} {:>7} {:>5} {:>7}",
            "CALL", "PARTY", "STATE", "CODEC", "RX", "TX", "LOST", "JITTER"
        );
        for call in &status.calls {
            let line = if call.figures.line.is_empty() {
                "test"
            } else {
                &call.figures.line
            };
            let _ = writeln!(
                out,
                "{:<12} {:<14} {:<9} {:<6} {:>7} {:>7} {:>5} {:>4.1} ms",
                clip(line, 12),
                clip(&call.figures.party, 14),
                call.state,
                call.figures.codec,
                call.figures.packets_received,
                call.figures.packets_sent,
                call.figures.lost,
                call.figures.jitter_ms,
            );
        }
    }
    out
}

/// `rtp stats`.
pub fn rtp_stats(calls: &[CallStatus]) -> String {
    if calls.is_empty() {
        return "no calls\n".to_owned();
    }
    let mut out = String::new();
    for call in calls {
        let line = if call.figures.line.is_empty() {
            "test"
        } else {
            &call.figures.line
        };
        let head = format!("{line} with {} ({})", call.figures.party, call.state);
        let _ = writeln!(out, "{}", clip(&head, WIDTH));
        let known = |value: Option<f32>, unit: &str| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}{unit}"))
        };
        let mut row = |name: &str, text: String| {
            let _ = writeln!(out, "{}", clip(&format!("  {name:<11} {text}"), WIDTH));
        };
        row(
            "codec",
            format!(
                "{} {} ms, encryption {}, keys {}",
                call.figures.codec,
                call.figures.ptime_ms,
                call.figures.encryption,
                call.figures.dtmf_mode
            ),
        );
        row(
            "received",
            format!(
                "{} packets, lost {} ({:.1} %), late {}, dropped {}",
                call.figures.packets_received,
                call.figures.lost,
                call.figures.lost_percent,
                call.figures.late,
                call.figures.dropped
            ),
        );
        row(
            "sent",
            format!(
                "{} packets, lost {} on the way, round trip {}",
                call.figures.packets_sent,
                known(call.figures.remote_lost_percent, " %"),
                known(call.figures.rtt_ms, " ms")
            ),
        );
        row(
            "sound",
            format!(
                "score {}, jitter {:.1} ms, buffer {} ms, made up {} ms ({:.1} %)",
                call.figures
                    .mos
                    .map_or_else(|| "-".to_owned(), |mos| format!("{mos:.2}")),
                call.figures.jitter_ms,
                call.figures.buffer_ms,
                call.figures.concealed_ms,
                call.figures.concealed_percent
            ),
        );
        row(
            "echo",
            format!(
                "cancelled {:.1} dB, delay {}, {}",
                call.figures.erle_db,
                known(call.figures.echo_delay_ms, " ms"),
                if call.figures.half_duplex {
                    "one side at a time"
                } else {
                    "both sides at once"
                }
            ),
        );
        row(
            "visitor",
            format!(
                "{} from the line, {} to the phone",
                known(call.figures.from_line_dbm0, " dBm0"),
                known(call.figures.to_phone_dbm0, " dBm0")
            ),
        );
        row(
            "resident",
            format!(
                "{} from the phone, {} to the line",
                known(call.figures.from_phone_dbm0, " dBm0"),
                known(call.figures.to_line_dbm0, " dBm0")
            ),
        );
    }
    out
}

/// `line levels`.
pub fn levels(lines: &[LineStatus]) -> String {
    let mut out = format!(
        "{:<12} {:>7} {:>8}  {:<9} {:<12} {:<9} {:<9} {:>7}\n",
        "LINE", "VOLTS", "MILLIAMP", "BAND", "STATE", "LOAD", "RELAY", "HANDSET"
    );
    for line in lines {
        let _ = writeln!(
            out,
            "{:<12} {:>7.2} {:>8.1}  {:<9} {:<12} {:<9} {:<9} {:>5.2} V",
            clip(&line.name, 12),
            line.volts,
            line.milliamps,
            clip(&line.band, 9),
            clip(&line.state, 12),
            clip(&line.load, 9),
            clip(&line.relay, 9),
            line.handset_volts,
        );
        out.push_str(&own_values(line));
        if let Some(fault) = &line.fault {
            let seen = line.fault_seen.as_deref().unwrap_or("no reading");
            out.push_str(&wrapped(&format!("fault: {fault}, seen at {seen}"), 4));
        }
        if let Some(misfit) = &line.misfit {
            out.push_str(&wrapped(&format!("not in use: {misfit}"), 4));
        } else if !line.present {
            out.push_str("    the line card is away: readings are old\n");
        }
        if let Some(pair) = &line.connected {
            out.push_str(&wrapped(&format!("crosspoint on {pair}"), 4));
        }
        // One line's taps are worth a screen, those of many are not.
        if lines.len() == 1 {
            line.buses
                .iter()
                .for_each(|bus| out.push_str(&bus_rows(bus)));
        }
    }
    out
}

/// One message of `line tap`: the mean of its readings, and a tone if there is one.
pub fn readings(event: &Value) -> String {
    let Ok(batch) = serde_json::from_value::<Readings>(event.clone()) else {
        return format!("{event}\n");
    };
    let count = batch.readings.len().max(1) as f32;
    let mean = |of: fn(&crate::reply::LineReading) -> f32| {
        batch.readings.iter().map(of).sum::<f32>() / count
    };
    let last = batch.readings.last();
    let tone = batch.readings.iter().rev().find_map(|r| r.tone_hz);
    let lost = if batch.missed > 0 {
        format!("  {} ms lost", batch.missed * 10)
    } else {
        String::new()
    };
    format!(
        "{:>9.1} s {:>7.2} V {:>7.1} mA  load {:<8} {}{lost}\n",
        batch.t_ms as f32 / 1000.0,
        mean(|r| r.level_volts),
        mean(|r| r.milliamps),
        last.map_or("", |r| r.load.as_str()),
        tone.map_or(String::new(), |hz| format!("tone {hz:.0} Hz")),
    )
}

/// `journal`.
pub fn journal(journal: &Journal) -> String {
    if journal.records.is_empty() {
        return "the journal is empty\n".into();
    }
    journal
        .records
        .iter()
        .map(|record| format!("{}\n", clip(&record_line(record), WIDTH)))
        .collect()
}

fn record_line(record: &Record) -> String {
    let name = record
        .event
        .get("event")
        .and_then(Value::as_str)
        .unwrap_or("?");
    let time = record
        .time
        .get(5..23)
        .unwrap_or(&record.time)
        .replace('T', " ");
    format!("{time} {name:<14} {}", event_fields(&record.event))
}

/// The fields of an event as `name=value`, the event's own name left out.
pub fn event_fields(event: &serde_json::Map<String, Value>) -> String {
    let field = |(name, value): (&String, &Value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let quoted = text.is_empty() || text.contains(' ');
        (name != "event" && name != "time").then(|| {
            if quoted {
                format!("{name}=\"{text}\"")
            } else {
                format!("{name}={text}")
            }
        })
    };
    event.iter().filter_map(field).collect::<Vec<_>>().join(" ")
}

/// `doctor`.
pub fn doctor(doctor: &Doctor) -> String {
    let mut out = String::new();
    for check in &doctor.checks {
        let mark = match check.verdict {
            Verdict::Pass => "pass",
            Verdict::Warn => "WARN",
            Verdict::Fail => "FAIL",
        };
        let _ = writeln!(
            out,
            "{}",
            clip(
                &format!("{mark}  {:<16} {}", clip(&check.name, 16), check.finding),
                WIDTH
            )
        );
        if check.verdict != Verdict::Pass && !check.hint.is_empty() {
            out.push_str(&wrapped(&format!("hint: {}", check.hint), 6));
        }
    }
    out.push_str(match doctor.verdict() {
        Verdict::Pass => "\nall checks passed\n",
        Verdict::Warn => "\nworks, with warnings\n",
        Verdict::Fail => "\nsomething does not work: see the hints above\n",
    });
    out
}

/// `sip test-call`.
pub fn test_call(call: &TestCall) -> String {
    let mut out = wrapped(&format!("{}: {}", call.target, call.detail), 0);
    if call.answered {
        let after = call.answered_after_ms.unwrap_or_default();
        let _ = writeln!(
            out,
            "answered after {after} ms, codec {}, packets out {} in {}, keys \"{}\"",
            call.codec, call.packets_sent, call.packets_received, call.digits
        );
    }
    if !call.hint.is_empty() {
        out.push_str(&wrapped(&format!("hint: {}", call.hint), 4));
    }
    out
}
