//! What learning would change: a profile file and the line's `profile` key.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use config::{Change, Config, Handset, Topology, apply_changes, write_whole};
use line_interface::learn::{
    Proposal, PulseBook, Stamp, guess_brand, guess_pulse, propose, propose_pulse, slug,
};
use line_interface::observe::{LevelBook, LevelRange};
use line_interface::pulse::PulseProfile;
use line_interface::{OVERRIDE_KEYS, Profile};

use crate::{LearnError, diff};

/// Today, as the source of a figure says it.
#[must_use]
pub fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.get(..10).unwrap_or(&now).to_owned()
}

/// The line as it is configured.
#[derive(Debug)]
pub(crate) struct Base {
    config_file: PathBuf,
    config: String,
    index: usize,
    /// The apartment's own override, or the place of a new one.
    override_index: usize,
    pub(crate) line: String,
    /// Whose line: an apartment, or a switch with many.
    pub(crate) whose: String,
    apartment: Option<u16>,
    /// A pulse line, and whose its addresses are.
    pub(crate) pulse: bool,
    addresses: Vec<(u16, u16)>,
    pub(crate) profile: String,
    pub(crate) handset: Handset,
    profile_text: String,
}

fn file_error(path: &Path, error: impl std::fmt::Display, hint: &str) -> LearnError {
    LearnError::File {
        cause: format!("{}: {error}", path.display()),
        hint: hint.to_owned(),
    }
}

impl Base {
    pub(crate) fn read(config_file: &Path, line: &str) -> Result<Base, LearnError> {
        let config = std::fs::read_to_string(config_file)
            .map_err(|e| file_error(config_file, e, "name the file with --config FILE"))?;
        let name = config_file.display().to_string();
        let parsed = Config::parse(&config, &name).map_err(LearnError::Config)?;
        let Some(index) = parsed.lines.iter().position(|known| known.name == line) else {
            let names: Vec<&str> = parsed.lines.iter().map(|l| l.name.as_str()).collect();
            return Err(LearnError::File {
                cause: format!("{name} has no line \"{line}\""),
                hint: format!("lines: {}", names.join(", ")),
            });
        };
        let settings = &parsed.lines[index];
        let addresses = match &settings.topology {
            Topology::Pulse { addresses } => Some(addresses.clone()),
            Topology::Pair { .. } | Topology::Matrix(_) => None,
        };
        let builtin = match addresses {
            Some(_) => PulseProfile::builtin_toml(&settings.profile),
            None => Profile::builtin_toml(&settings.profile),
        };
        let profile_text = match builtin {
            Some(text) => text.to_owned(),
            None => {
                let path = Path::new(&settings.profile);
                std::fs::read_to_string(path)
                    .map_err(|e| file_error(path, e, "line.profile names a profile file"))?
            }
        };
        Ok(Base {
            config_file: config_file.to_owned(),
            index,
            override_index: parsed
                .overrides
                .iter()
                .position(|entry| Some(entry.apartment) == settings.apartment())
                .unwrap_or(parsed.overrides.len()),
            line: line.to_owned(),
            apartment: settings.apartment(),
            pulse: addresses.is_some(),
            addresses: addresses.unwrap_or_default(),
            whose: match settings.apartment() {
                Some(apartment) => format!("apartment {apartment}"),
                None => settings.topology.name().to_owned(),
            },
            profile: settings.profile.clone(),
            handset: settings.handset,
            profile_text,
            config,
        })
    }

    /// The plan of a target.
    pub(crate) fn plan(
        &self,
        target: Target,
        (levels, pulses): (&LevelBook, Option<&PulseBook>),
        date: &str,
    ) -> Result<Plan, LearnError> {
        let stamp = Stamp {
            line: self.line.clone(),
            date: date.to_owned(),
        };
        let proposal = match pulses {
            Some(book) => propose_pulse(&self.profile_text, book, levels, &stamp),
            None => propose(&self.profile_text, levels, &stamp),
        };
        let proposal = proposal.map_err(LearnError::Refused)?;
        let (brand, confidence, why) = match pulses {
            Some(book) => guess_pulse(book, levels),
            None => guess_brand(levels),
        };
        let files = match target {
            Target::Profile => self.profile_files(&proposal)?,
            Target::Override => vec![self.override_file(&proposal, date)?],
        };
        Ok(Plan {
            line: self.line.clone(),
            brand,
            confidence,
            why,
            levels: levels.clone(),
            pulses: pulses.cloned(),
            files,
            proposal,
        })
    }

    /// Whose an address is.
    pub(crate) fn apartment_at(&self, address: u16) -> Option<u16> {
        let mut all = self.addresses.iter();
        all.find(|(of, _)| *of == address).map(|(_, whose)| *whose)
    }

    /// A profile file of the line's own, and the key that names it.
    fn profile_files(&self, proposal: &Proposal) -> Result<Vec<File>, LearnError> {
        let folder = self
            .config_file
            .canonicalize()
            .ok()
            .and_then(|path| path.parent().map(Path::to_owned))
            .unwrap_or_default();
        let path = folder.join(format!("{}-learned.toml", slug(&self.line)));
        let change = Change {
            section: "line".into(),
            index: self.index,
            key: "profile".into(),
            value: path.display().to_string(),
        };
        let profile = File {
            from: self.profile.clone(),
            // A profile that was learned before is compared with itself.
            old: self.profile_text.clone(),
            new: proposal.toml.clone(),
            path,
            mode: 0o644,
        };
        Ok(vec![profile, self.changed(&[change])?])
    }

    /// The values that an apartment may have of its own, where they are not the profile's.
    fn override_file(&self, proposal: &Proposal, date: &str) -> Result<File, LearnError> {
        let own = |change: &&line_interface::learn::Change| {
            OVERRIDE_KEYS
                .iter()
                .find(|key| key.figure == (change.section, change.key))
                .map(|key| (key.name, change.value.clone()))
        };
        let values = proposal.changes.iter().filter_map(|change| own(&change));
        let source = ("source", format!("measured on {} {date}", self.line));
        let Some(of) = self.apartment else {
            return Err(LearnError::File {
                cause: format!("{} is a line of many apartments", self.line),
                hint: "learn into the profile, or write the [[override]] of the apartment by hand"
                    .to_owned(),
            });
        };
        let apartment = ("apartment", of.to_string());
        let changes: Vec<Change> = [apartment, source]
            .into_iter()
            .chain(values)
            .map(|(key, value)| Change {
                section: "override".into(),
                index: self.override_index,
                key: key.into(),
                value,
            })
            .collect();
        let file = self.changed(&changes)?;
        // What a profile file makes of the values is seen here, not at the next start.
        let name = self.config_file.display().to_string();
        let config = Config::parse(&file.new, &name).map_err(LearnError::Config)?;
        let base = if self.pulse {
            PulseProfile::from_toml(&self.profile_text).map(|profile| profile.line())
        } else {
            Profile::from_toml(&self.profile_text)
        };
        base.map_err(|error| file_error(Path::new(&self.profile), &error, error.hint))
            .and_then(|base| {
                config
                    .profile_for(of, &base)
                    .map_err(|problem| LearnError::Config(vec![problem]))
            })?;
        Ok(file)
    }

    fn changed(&self, changes: &[Change]) -> Result<File, LearnError> {
        let name = self.config_file.display().to_string();
        let new = apply_changes(&self.config, &name, changes).map_err(LearnError::Config)?;
        Ok(File {
            from: name,
            mode: std::fs::metadata(&self.config_file)
                .map_or(0o600, |data| data.permissions().mode() & 0o777),
            old: self.config.clone(),
            new,
            path: self.config_file.clone(),
        })
    }
}

/// Where the values shall go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Into a profile file of the line's own.
    Profile,
    /// Into an `[[override]]` of the apartment; the line keeps its profile.
    Override,
}

/// A file that would be written.
#[derive(Debug, Clone)]
struct File {
    /// What the new text is compared with.
    from: String,
    path: PathBuf,
    old: String,
    new: String,
    mode: u32,
}

/// What learning would change.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The line.
    pub line: String,
    /// Which brand the readings fit; empty when none does. Never applied.
    pub brand: String,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
    /// Why.
    pub why: String,
    /// What was measured.
    pub levels: LevelBook,
    /// And of the pulses of a pulse line.
    pub pulses: Option<PulseBook>,
    /// The values.
    pub proposal: Proposal,
    files: Vec<File>,
}

impl Plan {
    /// What was measured, as a table of 80 columns.
    #[must_use]
    pub fn measured(&self) -> String {
        let mut out = format!(
            "\n{:<10} {:>8} {:>8} {:>8} {:>8}\n",
            "LEVEL", "MEAN V", "LEAST", "MOST", "MS"
        );
        let l = &self.levels;
        let rest = match &self.pulses {
            Some(book) => vec![("low", &book.low), ("rest", &book.rest)],
            None => vec![("idle", &l.idle)],
        };
        let called = [
            ("on-hook", &l.on_hook),
            ("off-hook", &l.off_hook),
            ("button", &l.button),
        ];
        for (name, range) in rest.into_iter().chain(called) {
            let _ = writeln!(out, "{name:<10} {}", row(range));
        }
        if let Some(book) = &self.pulses {
            out.push_str(&pulse_rows(book));
        }
        let _ = writeln!(
            out,
            "noise {:.2} V, {} ring burst(s)",
            l.noise_volts(),
            l.bursts.len()
        );
        let guess = if self.brand.is_empty() {
            format!("brand: {}", self.why)
        } else {
            let (brand, confidence) = (&self.brand, self.confidence);
            format!("brand: {brand}, confidence {confidence:.2}: {}", self.why)
        };
        out.push_str(&control::render::wrapped(&guess, 0));
        out.push_str("(a guess; the brand is not applied)\n");
        out
    }

    /// The diff of every file that would change.
    #[must_use]
    pub fn diff(&self) -> String {
        self.files
            .iter()
            .map(|file| {
                let path = file.path.display().to_string();
                diff((&file.from, &path), &file.old, &file.new)
            })
            .collect()
    }

    /// Paths of the files that would be written.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Writes them, the configuration last, each whole or not at all.
    ///
    /// # Errors
    /// [`LearnError::File`], also when the configuration changed meanwhile; then nothing is written.
    pub fn write(&self) -> Result<(), LearnError> {
        if let Some(config) = self.files.last()
            && std::fs::read_to_string(&config.path).ok().as_ref() != Some(&config.old)
        {
            let cause = "it was changed while the line was learned";
            return Err(file_error(&config.path, cause, "learn again"));
        }
        for file in &self.files {
            write_whole(&file.path, &file.new, file.mode).map_err(|error| {
                file_error(
                    &file.path,
                    error,
                    "run as the user who may write the configuration",
                )
            })?;
        }
        Ok(())
    }
}

fn pulse_rows(book: &PulseBook) -> String {
    let mut out = format!(
        "{:<10} {:>8} {:>8} {:>8}\n",
        "PULSES", "COUNT", "LEAST", "MOST us"
    );
    for (name, of) in [
        ("reset", &book.resets_us),
        ("first", &book.firsts_us),
        ("width", &book.widths_us),
        ("spacing", &book.gaps_us),
        ("spikes", &book.spikes_us),
    ] {
        let edge = |edge: Option<&u32>| edge.map_or_else(|| "-".to_owned(), u32::to_string);
        let (count, least, most) = (of.len(), edge(of.iter().min()), edge(of.iter().max()));
        let _ = writeln!(out, "{name:<10} {count:>8} {least:>8} {most:>8}");
    }
    out
}

fn row(range: &LevelRange) -> String {
    if range.blocks == 0 {
        return format!("{:>8}", "-");
    }
    format!(
        "{:>8.2} {:>8.2} {:>8.2} {:>8}",
        range.mean_volts(),
        range.min_volts,
        range.max_volts,
        range.blocks * 10
    )
}
