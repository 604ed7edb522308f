//! SIPp scenarios (`tests/sipp/*.xml`) as children: scripted SIP peers.

use crate::failure::{Doing, ensure};
use crate::{Failure, Outcome, folder::Folder, process::Process};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// One run of a scenario. Dropped, it is killed and its output and message trace are printed.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    scenario: String,
    trace: PathBuf,
    folder: Folder,
}

impl Sipp {
    /// Starts a scenario of `tests/sipp/`, once, at `local`:5060, towards `remote`:5060. `keys` fill the
    /// scenario's `[name]` fields (`pause_ms` sets its bare pauses); `user` and `password` fill its answer to a digest challenge.
    ///
    /// # Errors
    /// When SIPp cannot be started.
    pub fn start(
        scenario: &str,
        local: Ipv4Addr,
        remote: Ipv4Addr,
        user: &str,
        password: &str,
        keys: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let folder = Folder::new("sipp")?;
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("sipp/{scenario}.xml"));
        ensure(file.exists(), || format!("no scenario {}", file.display()))?;
        let trace = folder.join("messages.log");
        let mut command = Command::new("sipp");
        command
            .current_dir(folder.path())
            .arg(format!("{remote}:5060"))
            .args(["-sf".as_ref(), file.as_os_str()])
            .args(["-i", &local.to_string(), "-p", "5060"])
            .args(["-m", "1", "-nostdin", "-timeout", "120s", "-timeout_error"])
            .args(["-au", user, "-ap", password])
            .arg("-trace_msg")
            .args(["-message_file".as_ref(), trace.as_os_str()])
            .args(["-key", "user", user]);
        for (name, value) in keys {
            match *name {
                // SIPp's own setting for a pause without a length.
                "pause_ms" => command.args(["-d", value]),
                "transport" => command.args(["-t", value]),
                _ => command.args(["-key", name, value]),
            };
        }
        let mut process = Process::start("sipp", &mut command, folder.path())?;
        // Who is called before it listens is called in vain.
        let at = u32::from_le_bytes(local.octets());
        let at = format!(" {at:08X}:{:04X} ", 5060);
        crate::wait::until_true("SIPp that listens", Duration::from_secs(5), || {
            let tables = ["/proc/net/udp", "/proc/net/tcp"].map(std::fs::read_to_string);
            Ok(process.ended()?.is_some() || tables.into_iter().flatten().any(|t| t.contains(&at)))
        })?;
        Ok(Self {
            process,
            scenario: scenario.into(),
            trace,
            folder,
        })
    }

    /// Every message it sent and received so far.
    pub fn trace(&self) -> String {
        std::fs::read_to_string(&self.trace).unwrap_or_default()
    }

    /// Waits for the end of the scenario and tells whether it went as written.
    ///
    /// # Errors
    /// When it takes longer than the limit.
    pub fn went_well(&mut self, limit: Duration) -> Result<bool, Failure> {
        Ok(self.process.wait(limit)?.success())
    }

    /// Waits for the end of the scenario.
    ///
    /// # Errors
    /// When it fails (an unexpected message, a missing one) or takes longer than the limit.
    pub fn must_succeed(&mut self, limit: Duration) -> Outcome {
        let status = self.process.wait(limit)?;
        ensure(status.success(), || {
            format!(
                "SIPp scenario {} failed ({status}); {}",
                self.scenario,
                crate::process::tail(&self.process.errors(), 1500)
            )
        })
    }

    /// Waits until the trace holds a text, for example the first line of a message.
    ///
    /// # Errors
    /// When it does not within the limit.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Outcome {
        let what = format!("'{text}' in the messages of scenario {}", self.scenario);
        crate::wait::until_true(&what, limit, || Ok(self.trace().contains(text)))
    }

    /// Where the other side wants its audio, by the newest SDP that came.
    ///
    /// # Errors
    /// When none came yet.
    pub fn remote_media(&self) -> Result<std::net::SocketAddr, Failure> {
        let trace = self.trace();
        let received = trace.split("-----------------------------------------------");
        received
            .filter(|message| message.contains("message received"))
            .filter_map(|message| {
                let after = |key: &str| message.split_once(key)?.1.split_whitespace().next();
                let ip = after("c=IN IP4 ")?;
                format!("{ip}:{}", after("m=audio ")?).parse().ok()
            })
            .last()
            .ok_or_else(|| Failure::new("no SDP came to the scenario"))
    }

    /// Its folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        self.process.kill();
        let trace = self.trace();
        eprintln!(
            "--- messages of {}\n{}",
            self.scenario,
            crate::process::tail(&trace, 10_000)
        );
    }
}

/// A free UDP socket on an address, for a scenario's media.
///
/// # Errors
/// When none can be bound.
pub fn media_socket(ip: Ipv4Addr) -> Result<std::net::UdpSocket, Failure> {
    let socket = std::net::UdpSocket::bind((ip, 0)).doing(|| format!("a media socket on {ip}"))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    Ok(socket)
}
