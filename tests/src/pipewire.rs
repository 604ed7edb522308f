//! A real PipeWire with its session manager, of this test alone and without a sound card: its devices are null sinks with a
//! real clock, which come and go as USB devices do. ALSA's own plug-in for PipeWire makes PCMs of them, so that a program
//! under test walks through the real libasound.
//!
//! No system service is touched: everything lives in a folder of its own and needs no D-Bus.

use crate::failure::{Doing, ensure};
use crate::folder::Folder;
use crate::process::{self, Process};
use crate::wav::Recording;
use crate::{Failure, Outcome, wait};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Rate of the devices, Hz.
pub const RATE_HZ: u32 = 48_000;
/// What all its programs take to come up at most, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// The server: no modules that want D-Bus or real-time scheduling, cycles of 10 ms.
const SERVER: &str = "
context.properties = {
    core.daemon = true
    core.name = pipewire-0
    support.dbus = false
    default.clock.rate = 48000
    default.clock.quantum = 480
    default.clock.min-quantum = 32
    default.clock.max-quantum = 480
}
context.spa-libs = {
    audio.convert.* = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}
context.modules = [
    { name = libpipewire-module-protocol-native }
    { name = libpipewire-module-metadata }
    { name = libpipewire-module-spa-node-factory }
    { name = libpipewire-module-client-node }
    { name = libpipewire-module-access }
    { name = libpipewire-module-adapter }
    { name = libpipewire-module-link-factory }
    { name = libpipewire-module-session-manager }
]
context.objects = [
    { factory = spa-node-factory
      args = { factory.name = support.node.driver node.name = Dummy-Driver node.group = pipewire.dummy priority.driver = 20000 } }
]
";

/// The session manager: it links streams to the devices they name, nothing else.
const MANAGER: &str = "
context.properties = { log.level = 2 wireplumber.script-engine = lua-scripting support.dbus = false }
context.spa-libs = {
    audio.convert.* = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}
context.modules = [
    { name = libpipewire-module-protocol-native }
    { name = libpipewire-module-client-node }
    { name = libpipewire-module-adapter }
    { name = libpipewire-module-metadata }
    { name = libpipewire-module-session-manager }
]
wireplumber.components = [
    { name = libwireplumber-module-lua-scripting, type = module }
    { name = main.lua, type = config/lua }
]
";

/// Its parts. `si-audio-endpoint` only names a type that the linking script asks for.
const MANAGER_PARTS: &str = r#"
components = {}
local function part(kind, name, args) components[name] = { name, type = kind, args = args } end
local function module(name, args) part("module", "libwireplumber-module-" .. name, args) end
local policy = { ["move"] = true, ["follow"] = true, ["filter.forward-format"] = false, ["audio.no-dsp"] = false }
for _, name in ipairs { "metadata", "si-node", "si-audio-adapter", "si-audio-endpoint", "si-standard-link", "default-nodes-api" } do
  module(name)
end
module("default-nodes", { ["use-persistent-storage"] = false })
part("script/lua", "access/access-default.lua", { rules = {} })
part("script/lua", "create-item.lua", policy)
part("script/lua", "policy-node.lua", policy)
"#;

/// A running PipeWire. Dropped, it is ended.
#[derive(Debug)]
pub struct Pipewire {
    // The order is the order of the drop.
    manager: Process,
    server: Process,
    folder: Folder,
}

impl Pipewire {
    /// Starts one with these devices plugged in, each a PCM of its name for both directions: what is played to a device is
    /// what is recorded from it.
    ///
    /// # Errors
    /// When a program of it is missing or does not come up.
    pub fn start(devices: &[&str]) -> Result<Self, Failure> {
        let folder = Folder::new("pw")?;
        let run = folder.join("run");
        std::fs::create_dir(&run).doing(|| format!("making {}", run.display()))?;
        folder.write("server/pipewire.conf", SERVER)?;
        folder.write("manager/wireplumber.conf", MANAGER)?;
        folder.write("manager/main.lua.d/10-parts.lua", MANAGER_PARTS)?;
        let pcms: String = devices.iter().map(|device| pcm(device)).collect();
        folder.write(
            "asound.conf",
            &format!("</usr/share/alsa/alsa.conf>\n{pcms}"),
        )?;
        let plugin = Path::new("/usr/share/alsa/alsa.conf.d/50-pipewire.conf");
        ensure(plugin.exists(), || {
            "ALSA's plug-in for PipeWire is missing; tests/setup installs it".into()
        })?;

        let missing = |why: Failure| Failure::new(format!("{why}; tests/setup installs it"));
        let mut command = own(&folder, "pipewire");
        command.env("PIPEWIRE_CONFIG_DIR", folder.join("server"));
        let mut server =
            Process::start("pipewire", &mut command, folder.path()).map_err(missing)?;
        wait::until_true("socket of PipeWire", PATIENCE, || {
            server.must_live()?;
            Ok(run.join("pipewire-0").exists())
        })?;
        let mut command = own(&folder, "wireplumber");
        command.env("WIREPLUMBER_CONFIG_DIR", folder.join("manager"));
        let manager =
            Process::start("wireplumber", &mut command, folder.path()).map_err(missing)?;
        let mut pipewire = Self {
            manager,
            server,
            folder,
        };
        for device in devices {
            pipewire.plug(device)?;
        }
        Ok(pipewire)
    }

    /// What a program needs in its environment to find the devices. A stream whose device is gone waits for it instead of
    /// moving to another.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        [
            ("XDG_RUNTIME_DIR", path("run")),
            ("PIPEWIRE_RUNTIME_DIR", path("run")),
            ("ALSA_CONFIG_PATH", path("asound.conf")),
            (
                "PIPEWIRE_ALSA",
                "{ node.dont-reconnect = true stream.capture.sink = true }".into(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Plugs a device in and waits until it can be used.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn plug(&mut self, device: &str) -> Outcome {
        let properties = format!(
            "{{ factory.name = support.null-audio-sink node.name = {device} media.class = Audio/Sink \
             audio.position = [ MONO ] object.linger = true }}"
        );
        process::run(own(&self.folder, "pw-cli").args(["create-node", "adapter", &properties]))?;
        let port = format!("{device}:monitor");
        wait::until_true(&format!("device {device}"), PATIENCE, || {
            self.manager.must_live()?;
            self.server.must_live()?;
            let ports = process::run(own(&self.folder, "pw-link").arg("--output"))?;
            Ok(ports.contains(&port))
        })
    }

    /// Unplugs a device, whoever uses it.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn unplug(&mut self, device: &str) -> Outcome {
        process::run(own(&self.folder, "pw-cli").args(["destroy", device])).map(drop)
    }

    /// The whole of it stands still for a while, as on a computer that has no time.
    ///
    /// # Errors
    /// When it is gone.
    pub fn stall(&mut self, time: Duration) -> Outcome {
        self.server.must_live()?;
        let stopped = self.server.signal("STOP");
        std::thread::sleep(time);
        ensure(self.server.signal("CONT") && stopped, || {
            "PipeWire takes no signals".into()
        })
    }

    /// Plays a tone of `hz` and a peak of `dbfs` into a device until the player is dropped or the device goes.
    ///
    /// # Errors
    /// When it cannot be made or played.
    pub fn play_tone(&self, device: &str, hz: u32, dbfs: f64) -> Result<Process, Failure> {
        let file = self.folder.join(&format!("tone-{hz}.wav"));
        process::run(
            Command::new("sox")
                .args([
                    "-n",
                    "-r",
                    &RATE_HZ.to_string(),
                    "-c",
                    "1",
                    "-b",
                    "16",
                    "-D",
                ])
                .arg(&file)
                .args(["synth", "120", "sine", &hz.to_string()])
                .args(["gain", &dbfs.to_string()]),
        )?;
        let mut command = own(&self.folder, "pw-play");
        command
            .args(["--target", device, "-P", "{ node.dont-reconnect = true }"])
            .arg(&file);
        Process::start("pw-play", &mut command, self.folder.path())
    }

    /// Records what a device plays.
    ///
    /// # Errors
    /// When the recorder does not start.
    pub fn record(&self, device: &str) -> Result<Recorder, Failure> {
        let file = self.folder.join(&format!("{device}.wav"));
        let mut command = own(&self.folder, "pw-record");
        command
            .args(["--target", device, "--rate", &RATE_HZ.to_string()])
            .args(["--channels", "1", "--format", "s16"])
            .args(["-P", "{ stream.capture.sink = true }"])
            .arg(&file);
        let process = Process::start("pw-record", &mut command, self.folder.path())?;
        Ok(Recorder { process, file })
    }
}

/// A recording in the making.
#[derive(Debug)]
pub struct Recorder {
    process: Process,
    file: PathBuf,
}

impl Recorder {
    /// What was recorded so far.
    ///
    /// # Errors
    /// When the recorder has ended or there is nothing yet.
    pub fn so_far(&mut self) -> Result<Recording, Failure> {
        self.process.must_live()?;
        Recording::read(&self.file)
    }
}

/// A program of PipeWire in this folder's world. A sound server goes before other programs on a real box, too; never with
/// real-time priority: a program under test that spins would take the whole machine with it.
fn own(folder: &Folder, program: &str) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "-11", program]);
    let run = folder.join("run");
    command
        .env("XDG_RUNTIME_DIR", &run)
        .env("PIPEWIRE_RUNTIME_DIR", &run)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("HOME", folder.path())
        .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
        .current_dir(folder.path());
    command
}

fn pcm(device: &str) -> String {
    format!(
        "pcm.{device} {{ type pipewire server \"pipewire-0\" playback_node \"{device}\" capture_node \"{device}\" \
         hint {{ show on description \"{device}\" }} }}\n"
    )
}
