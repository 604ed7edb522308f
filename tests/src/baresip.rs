//! A real baresip (Debian package) as the phone that is called: answers by itself, says a file, presses keys
//! when told, and keeps what it heard. Driven over its ctrl_tcp module (JSON in netstrings).
//!
//! It sends sound from a socket without an address of its own, which on the loopback interface means 127.0.0.1:
//! so that is where it lives, on ports of its own.

use crate::failure::{Doing, ensure};
use crate::folder::Folder;
use crate::process::Process;
use crate::wav::Recording;
use crate::{Failure, Outcome, address, wait};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A running baresip. Dropped, it is killed.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    control: TcpStream,
    ports: address::Ports,
    folder: Folder,
}

impl Baresip {
    /// Starts one that says `says`, an 8 kHz WAV of one channel, again and again to everybody who calls.
    ///
    /// # Errors
    /// When it is missing or does not come up.
    pub fn start(says: &Path) -> Result<Self, Failure> {
        let (ports, (process, control, folder)) =
            address::Ports::start_on(|ports| Self::launch(says, ports.first()))?;
        Ok(Self {
            process,
            control,
            ports,
            folder,
        })
    }

    fn launch(says: &Path, first: u16) -> Result<(Process, TcpStream, Folder), Failure> {
        let folder = Folder::new("baresip")?;
        // It hangs up at the end of its file.
        let words = folder.join("words.wav");
        crate::process::run(
            Command::new("sox")
                .arg(says)
                .arg(&words)
                .args(["repeat", "30"]),
        )?;
        folder.write("config", &configuration(first, &words, folder.path()))?;
        folder.write(
            "accounts",
            &format!("<sip:400@127.0.0.1:{first}>;regint=0;answermode=auto\n"),
        )?;
        folder.write("contacts", "")?;
        let mut command = Command::new("baresip");
        command
            .arg("-f")
            .arg(folder.path())
            .current_dir(folder.path());
        let mut process = Process::start("baresip", &mut command, folder.path())?;
        let control = wait::until("baresip's control port", Duration::from_secs(10), || {
            process.must_live()?;
            // It goes on without a port that it does not get.
            let said = process.output() + &process.errors();
            ensure(!address::says_in_use(&said), || {
                format!("baresip on ports from {first}: {said}")
            })?;
            Ok(TcpStream::connect(("127.0.0.1", first + 2)).ok())
        })?;
        control.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok((process, control, folder))
    }

    /// What a route names to reach it.
    pub fn target(&self) -> String {
        format!("sip:400@127.0.0.1:{}", self.ports.first())
    }

    /// Runs one of its commands and gives what it says.
    ///
    /// # Errors
    /// When it does not answer or the command fails.
    pub fn command(&mut self, name: &str, parameters: &str) -> Result<String, Failure> {
        self.process.must_live()?;
        let order = json!({ "command": name, "params": parameters, "token": "t" }).to_string();
        self.control
            .write_all(format!("{}:{order},", order.len()).as_bytes())?;
        // Events come on the same connection; the answer is the one that says so.
        loop {
            let said = self.netstring()?;
            if said["response"] == Value::Bool(true) {
                ensure(said["ok"] == Value::Bool(true), || {
                    format!("baresip, told {order}: {said}")
                })?;
                return Ok(said["data"].as_str().unwrap_or_default().to_owned());
            }
        }
    }

    fn netstring(&mut self) -> Result<Value, Failure> {
        let mut length = 0_usize;
        loop {
            let mut byte = [0];
            self.control
                .read_exact(&mut byte)
                .doing(|| "reading from baresip".into())?;
            match byte {
                [b':'] => break,
                [digit @ b'0'..=b'9'] => length = length * 10 + usize::from(digit - b'0'),
                [other] => return Err(Failure::new(format!("no netstring of baresip: {other}"))),
            }
        }
        let mut text = vec![0; length + 1];
        self.control.read_exact(&mut text)?;
        serde_json::from_slice(text.get(..length).unwrap_or_default())
            .doing(|| "reading baresip's JSON".into())
    }

    /// Presses keys one after another, as RFC 4733 events.
    ///
    /// # Errors
    /// As [`Baresip::command`].
    pub fn presses(&mut self, keys: &str) -> Outcome {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string())?;
            std::thread::sleep(Duration::from_millis(400));
        }
        Ok(())
    }

    /// Hangs up.
    ///
    /// # Errors
    /// As [`Baresip::command`].
    pub fn hangs_up(&mut self) -> Outcome {
        self.command("hangup", "").map(drop)
    }

    /// What it heard in its last call, once the call is over.
    ///
    /// # Errors
    /// When there is no recording.
    pub fn heard(&self) -> Result<Recording, Failure> {
        let mut found: Vec<_> = std::fs::read_dir(self.folder.path())?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        found.sort();
        let last = found
            .last()
            .ok_or_else(|| Failure::new("baresip recorded nothing"))?;
        // It records at the rate and with the channels of the codec, and tells the length at the end.
        let plain = self.folder.join("heard.wav");
        crate::process::run(
            Command::new("sox")
                .arg("--ignore-length")
                .arg(last)
                .args(["-r", "8000", "-c", "1"])
                .arg(&plain),
        )?;
        Recording::read(&plain)
    }
}

fn configuration(port: u16, says: &Path, folder: &Path) -> String {
    format!(
        "sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
rtp_ports {}-{}
call_local_timeout 120
call_max_calls 4
audio_path {folder}
audio_source aufile,{says}
audio_player aubridge,ear
audio_alert aubridge,bell
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtcp_mux no
module_path /usr/lib/baresip/modules
module g711.so
module opus.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {folder}
module_app account.so
module_app menu.so
module ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{}
",
        // Its TLS listens one above its UDP; RTP ports are even.
        port + 4,
        port + 9,
        port + 2,
        folder = folder.display(),
        says = says.display(),
    )
}
