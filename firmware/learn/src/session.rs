//! One line, followed and measured.

use std::path::Path;
use std::time::{Duration, Instant};

use control::reply::{LineReading, Readings};
use control::{Client, Failure, FailureKind};
use line_interface::learn::{Fitting, Guide, Heard, Refusal, Step};
use line_interface::observe::LevelBook;
use line_interface::{BlockReading, Drive, HandsetRelay, Load};

use crate::LearnError;
use crate::plan::{Base, Plan, Target};

/// A card that delivers delivers all the time.
const SILENCE: Duration = Duration::from_secs(5);
/// Somebody who learns a line does not take longer; a forgotten session ends by itself.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// A line being learned.
#[derive(Debug)]
pub struct Session {
    client: Client,
    guide: Guide,
    base: Base,
    told: Option<Step>,
    troubles: Vec<Refusal>,
    began: Instant,
    last_reading: Instant,
    calls: u32,
    /// The last question was answered at once, so the next may be too.
    more: bool,
}

impl Session {
    /// Begins to follow a line. `wait` is how long [`Session::poll`] blocks when nothing comes.
    ///
    /// # Errors
    /// When the line is not in the configuration file, its profile cannot be read, or the daemon
    /// refuses.
    pub fn begin(
        mut client: Client,
        config_file: &Path,
        line: &str,
        calls: u32,
        wait: Duration,
    ) -> Result<Session, LearnError> {
        let base = Base::read(config_file, line)?;
        client.set_timeout(Some(SILENCE))?;
        client.call("line tap", &[line.to_owned()])?;
        client.set_timeout(Some(wait))?;
        let fitting = match base.handset {
            config::Handset::Relayed => Fitting::Handset,
            config::Handset::Absent => Fitting::Box,
        };
        Ok(Session {
            client,
            guide: if base.pulse {
                Guide::of_pulses(fitting)
            } else {
                Guide::new(fitting)
            },
            base,
            told: None,
            troubles: Vec::new(),
            began: Instant::now(),
            last_reading: Instant::now(),
            calls: calls.max(1),
            more: false,
        })
    }

    /// What is about to happen, for people.
    #[must_use]
    pub fn introduction(&self) -> String {
        format!(
            "Learning line {}, {}, profile {}.\n\
             Nothing is loaded and nothing is written before you say so; calls go on.\n",
            self.base.line, self.base.whose, self.base.profile
        )
    }

    /// Takes what has come and returns what to tell, one line each.
    ///
    /// # Errors
    /// When the daemon leaves or the line card stays silent.
    pub fn poll(&mut self) -> Result<Vec<String>, LearnError> {
        let mut told = Vec::new();
        if self.began.elapsed() > LIMIT {
            return Err(LearnError::Refused(vec![Refusal {
                cause: "half an hour has passed".into(),
                hint: "begin again when somebody stands at the panel",
            }]));
        }
        self.tell_step(&mut told);
        let event = self.client.poll_event()?;
        self.more = event.is_some();
        match event {
            Some(event) => {
                let batch: Readings = serde_json::from_value(event).map_err(|error| {
                    control::ClientError::Failed(Failure::new(
                        FailureKind::Internal,
                        format!("the readings make no sense: {error}"),
                        "daemon and tool must be of one version",
                    ))
                })?;
                self.last_reading = Instant::now();
                if batch.missed > 0 {
                    self.guide.handle_gap();
                    let lost = batch.missed * 10;
                    told.push(format!("  {lost} ms of readings were lost on the way"));
                }
                for reading in &batch.readings {
                    self.guide.handle_pulses(
                        &block_reading(reading),
                        &reading.pulses_us,
                        drive(reading),
                    );
                    while let Some(heard) = self.guide.poll() {
                        told.extend(self.words(&heard));
                    }
                    self.tell_step(&mut told);
                }
            }
            None if self.last_reading.elapsed() > SILENCE => {
                return Err(LearnError::Silent {
                    line: self.base.line.clone(),
                });
            }
            None => {}
        }
        Ok(told)
    }

    /// More readings may be there already.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.more
    }

    /// As many calls as were asked for are measured, and the line is at rest again; or something is
    /// in the way of ever measuring one.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.guide.complete_calls() >= self.calls && self.guide.at_rest()
            || !self.troubles.is_empty()
    }

    /// Levels so far.
    #[must_use]
    pub fn levels(&self) -> LevelBook {
        self.guide.levels()
    }

    /// What would change. `date` becomes the source of the figures.
    ///
    /// # Errors
    /// [`LearnError::Refused`] with every reason, [`LearnError::File`].
    pub fn plan(&self, target: Target, date: &str) -> Result<Plan, LearnError> {
        if !self.troubles.is_empty() {
            return Err(LearnError::Refused(self.troubles.clone()));
        }
        self.base
            .plan(target, (&self.guide.levels(), self.guide.pulses()), date)
    }

    fn tell_step(&mut self, told: &mut Vec<String>) {
        let step = self.guide.step();
        if self.told.replace(step) != Some(step) {
            let words = step.words(self.guide.fitting());
            told.push(format!("{:<10} {words}", step.name()));
        }
    }

    fn words(&mut self, heard: &Heard) -> Option<String> {
        let mean = |range: &line_interface::observe::LevelRange| range.mean_volts();
        Some(match heard {
            Heard::Address { pulses } => {
                let whose = match self.base.apartment_at(*pulses) {
                    Some(apartment) => format!("apartment {apartment}"),
                    None => "no apartment of this line: is that what was dialled?".to_owned(),
                };
                format!("  address {pulses}: {whose}")
            }
            Heard::Active => {
                format!(
                    "  the pair is fed; at rest it read {:.2} V",
                    mean(&self.levels().idle)
                )
            }
            Heard::Burst {
                frequency_hz,
                duration_ms,
                pause_ms,
            } => {
                let pause = pause_ms.map_or(String::new(), |ms| format!(" after {ms} ms"));
                format!("  ring of {frequency_hz:.0} Hz, {duration_ms} ms{pause}")
            }
            Heard::Lifted { volts } => format!(
                "  lifted: {volts:.2} V; on its hook it was {:.2} V",
                mean(&self.levels().on_hook)
            ),
            Heard::Button { volts, duration_ms } => {
                format!("  button: {volts:.2} V for {duration_ms} ms")
            }
            Heard::Replaced => "  back on its hook".into(),
            Heard::PhoneAnswered => "  a phone answered: this call is not measured".into(),
            Heard::Over { complete: true } => {
                format!("  call {} is measured", self.guide.complete_calls())
            }
            Heard::Over { complete: false } => {
                "  the call ended before everything was measured".into()
            }
            Heard::Trouble(refusal) => {
                self.troubles.push(refusal.clone());
                return None;
            }
        })
    }
}

fn block_reading(r: &LineReading) -> BlockReading {
    BlockReading {
        mean_volts: r.volts,
        milliamps: r.milliamps,
        handset_volts: r.handset_volts,
        swing_volts: r.swing_volts,
        fill: r.fill,
        low_volts: r.low_volts,
        high_volts: r.high_volts,
        tone_hz: r.tone_hz,
        chopped: r.chopped,
        level_volts: r.level_volts,
    }
}

/// What the box put across the line, as far as it matters: nothing, or something.
fn drive(r: &LineReading) -> Drive {
    let load = [Load::OnHook, Load::OffHook, Load::Residue]
        .into_iter()
        .find(|load| load.name() == r.load)
        .unwrap_or(Load::Off);
    let relay = if r.relay == HandsetRelay::Isolated.name() {
        HandsetRelay::Isolated
    } else {
        HandsetRelay::Through
    };
    Drive { load, relay }
}
