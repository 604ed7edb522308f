//! From the command line to everything the core needs; nothing starts half-way.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use config::{Config, HostPort, Problem, ProblemKind, Secret};
use line_interface::LinePlan;
use tokio::net::UdpSocket;

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
        let Some(file) = &account.password_file else {
            continue;
        };
        match read_file(file) {
            Ok(text) => {
                account.password = Secret::new(text.lines().next().unwrap_or("").trim_end())
            }
            Err(error) => problems.push(unreadable(
                file,
                "account.password_file",
                &error,
                "create the file with the password as its first line, mode 0600",
            )),
        }
    }
    let mut plans = Vec::new();
    for line in &config.lines {
        match gateway::line_plan(&config, line, |name| read_file(Path::new(name))) {
            Ok(plan) => plans.push(plan),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok((config, plans))
    } else {
        Err(problems)
    }
}

/// A password in a file that others can read is worth a word, not a refusal: the door must work.
fn warn_if_readable(path: &Path, config: &Config) {
    let holds_secrets = config
        .accounts
        .iter()
        .any(|account| !account.password.reveal().is_empty());
    let mode = std::fs::metadata(path).map_or(0, |data| data.permissions().mode());
    if holds_secrets && mode & 0o044 != 0 {
        tracing::warn!(
            "{} holds a password and others can read it: chmod 600, or use password_file",
            path.display()
        );
    }
}

/// The first address of a SIP host, or `None` when its name does not resolve now.
pub(crate) async fn resolve(host: &HostPort) -> Option<SocketAddr> {
    resolve_at(host, 5060).await
}

/// The first address of a host, with this port unless it has one.
pub(crate) async fn resolve_at(host: &HostPort, port: u16) -> Option<SocketAddr> {
    if let Some(address) = host.socket_addr(port) {
        return Some(address);
    }
    let port = host.port.unwrap_or(port);
    tokio::net::lookup_host((host.host.as_str(), port))
        .await
        .ok()?
        .next()
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
