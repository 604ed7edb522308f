//! What learning would change: a profile file and the line's `profile` key.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use config::{Change, Config, Handset, Topology, apply_changes, write_whole};
use line_interface::Profile;
use line_interface::learn::{Proposal, Stamp, guess_brand, propose, slug};
use line_interface::observe::{LevelBook, LevelRange};

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
    pub(crate) line: String,
    /// Whose line: an apartment, or a switch with many.
    pub(crate) whose: String,
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
        if matches!(settings.topology, Topology::Pulse { .. }) {
            return Err(LearnError::File {
                cause: format!("{line} is a pulse line: its levels are told by its pulses"),
                hint: "record a call and look at it: trubka line analyze FILE.wav --topology pulse"
                    .to_owned(),
            });
        }
        let profile_text = match Profile::builtin_toml(&settings.profile) {
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
            line: line.to_owned(),
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

    pub(crate) fn plan(&self, levels: &LevelBook, date: &str) -> Result<Plan, LearnError> {
        let stamp = Stamp {
            line: self.line.clone(),
            date: date.to_owned(),
        };
        let proposal = propose(&self.profile_text, levels, &stamp).map_err(LearnError::Refused)?;
        let folder = self
            .config_file
            .canonicalize()
            .ok()
            .and_then(|path| path.parent().map(Path::to_owned))
            .unwrap_or_default();
        let profile_file = folder.join(format!("{}-learned.toml", slug(&self.line)));
        let change = Change {
            section: "line".into(),
            index: self.index,
            key: "profile".into(),
            value: profile_file.display().to_string(),
        };
        let name = self.config_file.display().to_string();
        let config = apply_changes(&self.config, &name, &[change]).map_err(LearnError::Config)?;
        let (brand, confidence, why) = guess_brand(levels);
        Ok(Plan {
            line: self.line.clone(),
            brand,
            confidence,
            why,
            levels: levels.clone(),
            files: vec![
                File {
                    from: self.profile.clone(),
                    old: self.profile_text.clone(),
                    new: proposal.toml.clone(),
                    path: profile_file,
                    mode: 0o644,
                },
                File {
                    from: name,
                    mode: std::fs::metadata(&self.config_file)
                        .map_or(0o600, |data| data.permissions().mode() & 0o777),
                    old: self.config.clone(),
                    new: config,
                    path: self.config_file.clone(),
                },
            ],
            proposal,
        })
    }
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
        for (name, range) in [
            ("idle", &l.idle),
            ("on-hook", &l.on_hook),
            ("off-hook", &l.off_hook),
            ("button", &l.button),
        ] {
            let _ = writeln!(out, "{name:<10} {}", row(range));
        }
        let _ = writeln!(
            out,
            "noise {:.2} V, {} ring burst(s)",
            l.noise_volts(),
            l.bursts.len()
        );
        let guess = if self.brand.is_empty() {
            self.why.clone()
        } else {
            format!(
                "{}, confidence {:.2}: {}",
                self.brand, self.confidence, self.why
            )
        };
        let _ = writeln!(out, "brand: {guess}");
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
