//! A real linphone (Debian's linphone-daemon) as the phone that is called: answers by itself, says a file,
//! presses keys when told. Driven over its pipe, a socket in /tmp. Lives on 127.0.0.1, as [`crate::baresip`] does.

use crate::failure::{Doing, ensure};
use crate::folder::Folder;
use crate::process::Process;
use crate::{Failure, Outcome, address, wait};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How it tells of a pressed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Events in RTP.
    Rfc4733,
    /// SIP INFO.
    Info,
}

/// A running linphone. Dropped, it is killed.
#[derive(Debug)]
pub struct Linphone {
    process: Process,
    pipe: UnixStream,
    path: PathBuf,
    user: String,
    ports: address::Ports,
    folder: Folder,
}

impl Linphone {
    /// Starts one that tells of keys in the given way.
    ///
    /// # Errors
    /// When it is missing or does not come up.
    pub fn start(keys: Keys) -> Result<Self, Failure> {
        Self::start_with("400", keys, "")
    }

    /// Starts one that is known by another user than 400.
    ///
    /// # Errors
    /// As [`Linphone::start`].
    pub fn start_as(user: &str, keys: Keys) -> Result<Self, Failure> {
        Self::start_with(user, keys, "")
    }

    /// Starts one that encrypts its sound with this suite alone.
    ///
    /// # Errors
    /// As [`Linphone::start`].
    pub fn start_encrypting(keys: Keys, suite: &str) -> Result<Self, Failure> {
        let sip = format!(
            "media_encryption=srtp\nmedia_encryption_mandatory=1\nsrtp_crypto_suites={suite}\n"
        );
        Self::start_with("400", keys, &sip)
    }

    fn start_with(user: &str, keys: Keys, sip: &str) -> Result<Self, Failure> {
        let (ports, (process, pipe, path, folder)) =
            address::Ports::start_on(|ports| Self::launch(user, keys, sip, ports.first()))?;
        Ok(Self {
            process,
            pipe,
            path,
            user: user.to_owned(),
            ports,
            folder,
        })
    }

    fn launch(
        user: &str,
        keys: Keys,
        sip: &str,
        first: u16,
    ) -> Result<(Process, UnixStream, PathBuf, Folder), Failure> {
        let folder = Folder::new("linphone")?;
        let settings = folder.write("linphonerc", &configuration(user, first, keys, sip))?;
        // It does not make the folder of its database, and goes no further without.
        std::fs::create_dir_all(folder.join(".local/share/linphone"))?;
        let name = format!("trubka-linphone-{first}");
        let path = PathBuf::from("/tmp").join(&name);
        let _ = std::fs::remove_file(&path);
        let mut command = Command::new("linphone-daemon");
        command
            .arg("--config")
            .arg(settings)
            .args(["--pipe", &name, "--auto-answer", "--disable-stats-events"])
            .arg("--log")
            .arg(folder.join("log"))
            .env("HOME", folder.path())
            .current_dir(folder.path());
        let mut process = Process::start("linphone", &mut command, folder.path())?;
        let pipe = wait::until("linphone's pipe", Duration::from_secs(10), || {
            process.must_live()?;
            Ok(UnixStream::connect(&path).ok())
        })?;
        pipe.set_read_timeout(Some(Duration::from_secs(30)))?;
        let log = std::fs::read(folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        ensure(!address::says_in_use(&log), || {
            format!("linphone on ports from {first}: {log}")
        })?;
        Ok((process, pipe, path, folder))
    }

    /// What a route names to reach it.
    pub fn target(&self) -> String {
        format!("sip:{}@127.0.0.1:{}", self.user, self.ports.first())
    }

    /// Where it listens.
    pub fn at(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.ports.first()).into()
    }

    /// Runs one of its commands and gives what it says.
    ///
    /// # Errors
    /// When it does not answer or the command fails.
    pub fn command(&mut self, line: &str) -> Result<String, Failure> {
        self.process.must_live()?;
        self.pipe.write_all(format!("{line}\n").as_bytes())?;
        let mut said = [0; 4096];
        let count = self
            .pipe
            .read(&mut said)
            .doing(|| format!("linphone, told {line}"))?;
        let said = String::from_utf8_lossy(said.get(..count).unwrap_or_default()).into_owned();
        ensure(said.contains("Status: Ok"), || {
            format!("linphone, told {line}: {said}")
        })?;
        Ok(said)
    }

    /// Says a WAV into the call, again and again.
    ///
    /// # Errors
    /// As [`Linphone::command`].
    pub fn says(&mut self, file: &Path) -> Outcome {
        // Without a sound card it does not survive the end of the file.
        let words = self.folder.join("words.wav");
        crate::process::run(
            Command::new("sox")
                .arg(file)
                .arg(&words)
                .args(["repeat", "30"]),
        )?;
        self.command(&format!("incall-player-start {}", words.display()))
            .map(drop)
    }

    /// Presses a key.
    ///
    /// # Errors
    /// As [`Linphone::command`].
    pub fn presses(&mut self, key: char) -> Outcome {
        self.command(&format!("dtmf {key}")).map(drop)
    }

    /// Hangs up.
    ///
    /// # Errors
    /// As [`Linphone::command`].
    pub fn hangs_up(&mut self) -> Outcome {
        self.command("terminate").map(drop)
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn configuration(user: &str, port: u16, keys: Keys, sip: &str) -> String {
    let info = i32::from(keys == Keys::Info);
    format!(
        "[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
bind_address=127.0.0.1
contact=sip:{user}@127.0.0.1
guess_hostname=0
use_info={info}
use_rfc2833={}
register_only_when_network_is_up=0
{sip}[rtp]
bind_address=127.0.0.1
audio_rtp_port={}
[sound]
echocancellation=0
",
        1 - info,
        port + 2
    )
}
