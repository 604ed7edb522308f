//! What the simulator records on its wires, analysed by `trubka line analyze`, agrees with the simulator's
//! own log: on a pair, at a switch, and on a line with address pulses.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};
use line_interface::switch::{Addressing, Switch};
use line_interface::{DriveBlock, SenseBlock};
use line_simulation::matrix::{MatrixSetup, MatrixSimulation};
use line_simulation::{
    Action, LineModel, PanelEvent, PulseSetup, PulseSimulation, Script, Setup, Simulation,
};
use serde_json::Value;

/// A little more than the longest debounce and half a burst's edge.
const NEAR_MS: i64 = 150;

struct Heard {
    verdicts: Vec<(i64, PanelEvent)>,
    file: PathBuf,
    channels: String,
}

impl Drop for Heard {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// One call that the old handset answers at 5 s, opens at 8 s and ends at 10 s.
fn record(name: &str, mut line: Box<dyn LineModel>, number: u16) -> Heard {
    line.record();
    let file = std::env::temp_dir().join(format!("trubka-{name}-{}.wav", std::process::id()));
    let spec = WavSpec {
        channels: line.recorded().len() as u16,
        sample_rate: line.recorded_hz(),
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut wav = WavWriter::create(&file, spec).unwrap();
    let channels = line.recorded_channels();
    let (mut sense, mut verdicts) = (SenseBlock::default(), Vec::new());
    for ms in (0..16_000_u64).step_by(10) {
        match ms {
            1000 => line.visitor_dial(number),
            5000 => line.lift_handset(),
            8000 => line.act(&Action::Press(Duration::from_millis(500))),
            10_000 => line.replace_handset(),
            _ => {}
        }
        line.step(&DriveBlock::default(), &mut sense);
        let wires = line.recorded();
        for i in 0..wires[0].len() {
            for (wire, name) in wires.iter().zip(&channels) {
                let full = if name == "current" { 100.0 } else { 16.0 };
                wav.write_sample((wire[i] / full * 32767.0).clamp(-32768.0, 32767.0) as i16)
                    .unwrap();
            }
        }
        while let Some(verdict) = line.poll_event() {
            verdicts.push((verdict.t.as_millis() as i64, verdict.event));
        }
    }
    wav.finalize().unwrap();
    Heard {
        verdicts,
        file,
        channels: channels.join(","),
    }
}

impl Heard {
    fn analyze(&self, more: &[&str]) -> Vec<Value> {
        let out = Command::new(env!("CARGO_BIN_EXE_trubka"))
            .args(["line", "analyze", self.file.to_str().unwrap()])
            .args(["--full-scale-volts", "16", "--json"])
            .args(more)
            .output()
            .unwrap();
        let problem = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{problem}");
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }

    fn panel(&self, event: PanelEvent) -> i64 {
        self.verdicts.iter().find(|(_, e)| *e == event).unwrap().0
    }

    /// From the ring on: the resident's handset, the door, and no fault.
    fn must_tell_the_visit(&self, seen: &[Value]) {
        near(only(seen, "ring_started"), self.panel(PanelEvent::Ringing));
        near(only(seen, "handset_lifted"), 5000);
        near(only(seen, "door_button"), 8000);
        near(only(seen, "handset_replaced"), 10_000);
        assert!(
            !seen.iter().any(|e| e["event"] == "line_fault"),
            "{seen:#?}"
        );
    }
}

fn only<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let all: Vec<&Value> = events.iter().filter(|e| e["event"] == name).collect();
    assert_eq!(all.len(), 1, "{name} in {events:#?}");
    all[0]
}

fn near(event: &Value, ms: i64) {
    let t = event["t_ms"].as_i64().unwrap();
    assert!((t - ms).abs() <= NEAR_MS, "{event} should be at {ms}");
}

#[test]
fn a_pair() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        let sim = Simulation::new(Setup::brand(brand).unwrap(), Script::default()).unwrap();
        let heard = record(&format!("pair-{brand}"), Box::new(sim), 42);
        let seen = heard.analyze(&["--channels", &heard.channels, "--profile", brand]);
        near(
            only(&seen, "line_active"),
            heard.panel(PanelEvent::Selected),
        );
        heard.must_tell_the_visit(&seen);
    }
}

#[test]
fn a_switch() {
    for (brand, switch, apartment) in [("cyfral", "kmg-100", 142), ("metakom", "com-25u", 10)] {
        let at = Addressing::new(Switch::builtin(switch).unwrap(), 1, false).unwrap();
        let cell = at.cell(apartment).unwrap();
        let mut setup = MatrixSetup::new(brand, at).unwrap();
        setup.noise_rms_volts = 0.05;
        setup.hum_volts = 1.0;
        let sim = MatrixSimulation::new(setup).unwrap();
        let heard = record(&format!("matrix-{brand}"), Box::new(sim), apartment);
        let seen = heard.analyze(&[
            "--topology",
            "matrix",
            "--switch",
            switch,
            "--channels",
            &heard.channels,
            "--profile",
            brand,
        ]);
        let code = only(&seen, "apartment_code");
        near(code, heard.panel(PanelEvent::Selected));
        let named = (&code["tens"], &code["units"], &code["apartment"]);
        assert_eq!(
            named,
            (&cell.tens.into(), &cell.units.into(), &apartment.into())
        );
        heard.must_tell_the_visit(&seen);
    }
}

#[test]
fn a_pulse_line() {
    for address in [1, 63, 255] {
        let mut setup = PulseSetup::brand("vizit").unwrap();
        setup.handset_at = vec![address];
        let sim = PulseSimulation::new(setup).unwrap();
        let heard = record(&format!("pulse-{address}"), Box::new(sim), address);
        let seen = heard.analyze(&["--topology", "pulse"]);
        let code = only(&seen, "apartment_code");
        near(code, heard.panel(PanelEvent::Selected));
        assert_eq!(code["address"], address);
        near(
            only(&seen, "ring_started"),
            heard.panel(PanelEvent::Ringing),
        );
        let opened = seen
            .iter()
            .find(|e| e["event"] == "tone" && e["kind"] == "door_opened")
            .unwrap();
        near(opened, heard.panel(PanelEvent::LockOpened));
        assert!(
            !seen.iter().any(|e| e["event"] == "line_fault"),
            "{seen:#?}"
        );
    }
}
