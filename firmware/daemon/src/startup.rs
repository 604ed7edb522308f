//! From the command line to everything the core needs; nothing starts half-way.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, Problem, ProblemKind, Secret};
use gateway::Gateway;
use jiff::tz::TimeZone;
use line_interface::LinePlan;
use tokio::net::UdpSocket;

use crate::{recording, state, wall_clock};

const USAGE: &str = "usage: trubkad [--config FILE] [--check] [--log error|warn|info|debug]
  --config FILE   configuration, /etc/trubka/trubka.toml unless given
  --check         check the configuration and end
  --sound-test CAPTURE PLAYBACK [SECONDS [RATE_HZ [CHANNEL]]]
                  play a 1 kHz tone to an ALSA PCM, tell each second what comes in and how the
                  devices run, and end; 5 s, 8000 Hz and channel 0 unless given";

/// What `--sound-test` is told.
#[derive(Debug, Clone)]
pub(crate) struct SoundTest {
    pub(crate) capture: String,
    pub(crate) playback: String,
    pub(crate) seconds: u32,
    pub(crate) rate_hz: u32,
    pub(crate) channel: u16,
}

impl SoundTest {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<SoundTest> {
        let (capture, playback) = (words.next()?, words.next()?);
        let mut number = |default: u32| match words.next() {
            Some(word) => word.parse().ok(),
            None => Some(default),
        };
        Some(SoundTest {
            capture,
            playback,
            seconds: number(5)?,
            rate_hz: number(8000)?,
            channel: u16::try_from(number(0)?).ok()?,
        })
    }
}

/// The command line.
#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    pub(crate) config: PathBuf,
    pub(crate) check: bool,
    pub(crate) log_level: tracing::Level,
    pub(crate) sound_test: Option<SoundTest>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut arguments = Arguments {
            config: PathBuf::from("/etc/trubka/trubka.toml"),
            check: false,
            log_level: tracing::Level::INFO,
            sound_test: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--config" => arguments.config = words.next().ok_or(USAGE)?.into(),
                "--check" => arguments.check = true,
                "--sound-test" => {
                    arguments.sound_test = Some(SoundTest::parse(&mut words).ok_or(USAGE)?);
                }
                "--log" => {
                    let level = words.next().ok_or(USAGE)?;
                    arguments.log_level = level.parse().map_err(|_| USAGE)?;
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(arguments)
    }
}

/// Longest configuration, profile or password file that is read, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(FILE_LIMIT)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn unreadable(file: &Path, key: &str, error: &std::io::Error, hint: &str) -> Problem {
    Problem {
        file: file.display().to_string(),
        line: 0,
        key: key.to_owned(),
        kind: ProblemKind::Unreadable,
        cause: error.to_string(),
        hint: hint.to_owned(),
    }
}

/// The configuration with its passwords, and the plan of each line.
pub(crate) fn load(path: &Path) -> Result<(Config, Vec<LinePlan>), Vec<Problem>> {
    let text = read_file(path).map_err(|error| {
        vec![unreadable(
            path,
            "",
            &error,
            "name the file with --config FILE; docs/guide/first-start.md shows one to begin with",
        )]
    })?;
    let mut config = Config::parse(&text, &path.display().to_string())?;
    warn_if_readable(path, &config);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let mut problems = Vec::new();
    for account in &mut config.accounts {
        let own = (
            "account.password_file",
            &account.password_file,
            &mut account.password,
        );
        let first = account.outbound_proxy.as_mut();
        let first = first.map(|p| {
            (
                "account.proxy_password_file",
                &p.password_file,
                &mut p.password,
            )
        });
        let backup = account.backup_proxy.as_mut();
        let backup = backup.map(|p| {
            let key = "account.backup_proxy_password_file";
            (key, &p.password_file, &mut p.password)
        });
        for (key, file, password) in [Some(own), first, backup].into_iter().flatten() {
            let Some(file) = file else { continue };
            match read_file(file) {
                Ok(text) => *password = Secret::new(text.lines().next().unwrap_or("").trim_end()),
                Err(error) => problems.push(unreadable(
                    file,
                    key,
                    &error,
                    "create the file with the password as its first line, mode 0600",
                )),
            }
        }
    }
    let mut plans = Vec::new();
    for line in &config.lines {
        match gateway::line_plan(&config, line, |name| read_file(Path::new(name))) {
            Ok(plan) => plans.push(plan),
            Err(problem) => problems.push(problem),
        }
    }
    if let Err(cause) = wall_clock::zone(config.time_zone.as_deref()) {
        problems.push(Problem {
            file: path.display().to_string(),
            line: 0,
            key: "time.zone".to_owned(),
            kind: ProblemKind::UnknownReference,
            cause,
            hint: "use a name such as \"Europe/Berlin\", or leave it out for the system's zone"
                .to_owned(),
        });
    }
    if let Some(file) = &config.call.unanswered_wav
        && let Err(cause) = recording::read(file)
    {
        problems.push(Problem {
            file: file.display().to_string(),
            line: 0,
            key: "call.unanswered_wav".to_owned(),
            kind: ProblemKind::Unreadable,
            cause,
            hint: "name a WAV file with PCM, 20 s at the most, that the daemon may read".to_owned(),
        });
    }
    problems.extend(codecs_not_built(
        &config,
        path,
        media::Codec::Opus.is_built(),
    ));
    if problems.is_empty() {
        Ok((config, plans))
    } else {
        Err(problems)
    }
}

/// Codecs that are named although this build has them not.
fn codecs_not_built(config: &Config, path: &Path, opus: bool) -> Vec<Problem> {
    let mut named = vec![("media.codecs".to_owned(), &config.media.codecs)];
    for account in &config.accounts {
        named.push((format!("account {}: codecs", account.name), &account.codecs));
    }
    named.retain(|(_, codecs)| !opus && codecs.contains(&config::Codec::Opus));
    let problem = |(key, _)| {
        Problem {
        file: path.display().to_string(),
        line: 0,
        key,
        kind: ProblemKind::OutOfRange,
        cause: "this trubkad was built without Opus".to_owned(),
        hint: "remove \"opus\", or build it with: cargo build -p trubkad --features opus (needs libopus-dev)"
            .to_owned(),
    }
    };
    named.into_iter().map(problem).collect()
}

/// Gives a new gateway what it cannot find out itself: local time, the recording for visitors whom
/// nobody answers, and do-not-disturb as it was. The time zone comes back.
pub(crate) fn outside_world(gateway: &mut Gateway, now: Duration, config: &Config) -> TimeZone {
    // Checked when the configuration was loaded; a file that went since then gives the tone.
    let zone = wall_clock::zone(config.time_zone.as_deref()).unwrap_or(TimeZone::UTC);
    gateway.set_local_time(now, wall_clock::local_now(&zone));
    if let Some(Ok(samples)) = config.call.unanswered_wav.as_deref().map(recording::read) {
        gateway.set_failure_sound(samples);
    }
    gateway.restore_do_not_disturb(state::read(&config.access.state_file));
    zone
}

/// A password in a file that others can read is worth a word, not a refusal: the door must work.
fn warn_if_readable(path: &Path, config: &Config) {
    let of_proxies = |account: &config::Account| {
        let proxies = [account.outbound_proxy.clone(), account.backup_proxy.clone()];
        let mut proxies = proxies.into_iter().flatten();
        proxies.any(|proxy| !proxy.password.reveal().is_empty())
    };
    let holds_secrets = config
        .accounts
        .iter()
        .any(|account| !account.password.reveal().is_empty() || of_proxies(account));
    let mode = std::fs::metadata(path).map_or(0, |data| data.permissions().mode());
    if holds_secrets && mode & 0o044 != 0 {
        tracing::warn!(
            "{} holds a password and others can read it: chmod 600, or use password_file",
            path.display()
        );
    }
}

/// The address under which `peer` reaches us: the bound one, or the one the route to it has.
pub(crate) async fn own_address(bound: SocketAddr, peer: Option<SocketAddr>) -> IpAddr {
    if !bound.ip().is_unspecified() {
        return bound.ip();
    }
    let Some(peer) = peer else { return bound.ip() };
    // Connecting a UDP socket sends nothing; it only asks the kernel for the route.
    let probe = async {
        let socket = UdpSocket::bind(SocketAddr::new(bound.ip(), 0)).await.ok()?;
        socket.connect(peer).await.ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    probe.await.unwrap_or(bound.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_that_is_not_built_is_told_wherever_it_is_named() {
        let text = "[media]\ncodecs = [\"opus\", \"pcma\"]\n[[account]]\nname = \"pbx\"\nextension = \"100\"\ndomain = \"192.0.2.1\"\ncodecs = [\"g722\", \"opus\"]\n";
        let config = Config::parse(text, "x.toml").unwrap();
        let told = codecs_not_built(&config, Path::new("x.toml"), false);
        let keys: Vec<&str> = told.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["media.codecs", "account pbx: codecs"]);
        assert!(
            told.iter()
                .all(|problem| problem.hint.contains("--features opus"))
        );
        assert!(codecs_not_built(&config, Path::new("x.toml"), true).is_empty());
    }
}
