//! What the simulator leaves behind: events, recordings, traces.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use line_interface::{DriveBlock, SAMPLE_RATE_HZ, SenseBlock};
use line_simulation::{LineModel, PanelEvent, Stamped};
use serde_json::{Value, json};

use crate::{Args, Failure};

/// Full scale of a recording.
const RECORDED_VOLTS: f32 = 16.0;
const RECORDED_MILLIAMPS: f32 = 100.0;

/// All open outputs.
pub(crate) struct Outputs {
    events: Box<dyn Write>,
    heard: Vec<hound::WavWriter<BufWriter<File>>>,
    recorded: Vec<hound::WavWriter<BufWriter<File>>>,
    trace: Option<BufWriter<File>>,
}

fn failure(path: &Path, e: impl std::fmt::Display) -> Failure {
    Failure::new(
        format!("{}: {e}", path.display()),
        "the folder must exist, be writable and have room",
    )
}

impl Outputs {
    pub(crate) fn open(args: &Args) -> Result<Self, Failure> {
        let events: Box<dyn Write> = if args.events.as_os_str() == "-" {
            Box::new(std::io::stdout())
        } else {
            Box::new(File::create(&args.events).map_err(|e| failure(&args.events, e))?)
        };
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE_HZ,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut heard = Vec::new();
        if let Some(path) = &args.heard {
            for line in 0..args.lines {
                let path = numbered(path, line);
                heard.push(hound::WavWriter::create(&path, spec).map_err(|e| failure(&path, e))?);
            }
        }
        let trace = match &args.trace {
            Some(path) => {
                let mut file = BufWriter::new(File::create(path).map_err(|e| failure(path, e))?);
                writeln!(
                    file,
                    "t_ms,line,min_volts,mean_volts,max_volts,milliamps,handset_volts,load,relay,panel"
                )
                .map_err(|e| failure(path, e))?;
                Some(file)
            }
            None => None,
        };
        Ok(Self {
            events,
            heard,
            recorded: Vec::new(),
            trace,
        })
    }

    /// Begins the recordings, one for each line, and tells how they are read.
    pub(crate) fn record_lines(
        &mut self,
        path: &Path,
        lines: &[Box<dyn LineModel>],
    ) -> Result<(), Failure> {
        for (number, line) in (0_u16..).zip(lines) {
            let path = numbered(path, number);
            let spec = hound::WavSpec {
                channels: u16::try_from(line.recorded().len()).unwrap_or(u16::MAX),
                sample_rate: line.recorded_hz(),
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let wav = hound::WavWriter::create(&path, spec).map_err(|e| failure(&path, e))?;
            self.recorded.push(wav);
            let more = json!({
                "file": path.display().to_string(),
                "full_scale_volts": RECORDED_VOLTS,
                "topology": line.kind().name(),
                "channels": line.recorded_channels().join(","),
            });
            self.event(0, Some(number.into()), "recording", more);
        }
        Ok(())
    }

    /// One JSON object on one line, at once.
    pub(crate) fn event(&mut self, t_ms: u64, line: Option<usize>, name: &str, more: Value) {
        let mut object = json!({ "t_ms": t_ms, "event": name });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            if let Some(line) = line {
                object.insert("line".to_owned(), json!(line));
            }
            object.extend(more);
        }
        // A reader that went away is no reason to stop the line.
        let _ = writeln!(self.events, "{object}").and_then(|()| self.events.flush());
    }

    pub(crate) fn verdict(&mut self, line: usize, stamped: &Stamped, dialled: u16) {
        let more = match stamped.event {
            PanelEvent::Dialled { apartment } | PanelEvent::DialIgnored { apartment } => {
                json!({ "apartment": apartment })
            }
            PanelEvent::CallDropped { why } | PanelEvent::LineError { why } => {
                json!({ "why": why.name() })
            }
            // Whose door it is, by the panel that opens it.
            PanelEvent::LockOpened => json!({ "apartment": dialled }),
            _ => json!({}),
        };
        let t_ms = u64::try_from(stamped.t.as_millis()).unwrap_or(u64::MAX);
        self.event(t_ms, Some(line), stamped.event.name(), more);
    }

    pub(crate) fn heard(&mut self, line: usize, samples: &[i16]) {
        if let Some(wav) = self.heard.get_mut(line) {
            for v in samples {
                let _ = wav.write_sample(*v);
            }
        }
    }

    /// What a recorder on the wires read, for `trubka line analyze`.
    pub(crate) fn record(&mut self, line: usize, wires: &[Vec<f32>]) {
        let Some(wav) = self.recorded.get_mut(line) else {
            return;
        };
        let pair = wires.len() == 2;
        let samples = wires.first().map_or(0, Vec::len);
        for i in 0..samples {
            for (wire, series) in wires.iter().enumerate() {
                let full = if pair && wire == 1 {
                    RECORDED_MILLIAMPS
                } else {
                    RECORDED_VOLTS
                };
                let v = series.get(i).copied().unwrap_or(0.0) / full * 32767.0;
                let _ = wav.write_sample(v.clamp(-32768.0, 32767.0) as i16);
            }
        }
    }

    /// Brings headers up to date, so that even a killed simulator leaves whole files.
    pub(crate) fn flush(&mut self) {
        for wav in self.heard.iter_mut().chain(&mut self.recorded) {
            let _ = wav.flush();
        }
        if let Some(trace) = &mut self.trace {
            let _ = trace.flush();
        }
    }

    pub(crate) fn trace(
        &mut self,
        t_ms: u64,
        line: usize,
        sense: &SenseBlock,
        drive: &DriveBlock,
        panel: &str,
    ) {
        let Some(trace) = &mut self.trace else { return };
        let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len().max(1) as f32;
        let low = sense
            .line_volts
            .iter()
            .copied()
            .fold(f32::INFINITY, f32::min);
        let high = sense
            .line_volts
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        let _ = writeln!(
            trace,
            "{t_ms},{line},{low:.3},{:.3},{high:.3},{:.3},{:.3},{},{},{panel}",
            mean(&sense.line_volts),
            mean(&sense.line_milliamps),
            mean(&sense.handset_volts),
            drive.drive.load.name(),
            drive.drive.relay.name(),
        );
    }

    /// Closes everything.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush();
        for wav in self.heard.into_iter().chain(self.recorded) {
            wav.finalize().map_err(|e| {
                Failure::new(
                    format!("the recording is incomplete: {e}"),
                    "is the disk full?",
                )
            })?;
        }
        Ok(())
    }
}

/// `heard.wav` for line 0, `heard-1.wav` for line 1.
fn numbered(path: &Path, line: u16) -> PathBuf {
    if line == 0 {
        return path.to_path_buf();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{line}.{extension}"))
}
