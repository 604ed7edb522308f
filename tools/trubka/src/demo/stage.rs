//! Everything the play needs, in one directory: configuration, script, speech, and later what
//! came of it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use line_interface::Profile;
use line_interface::pulse::PulseProfile;

use crate::exit::{FAILURE, Failed};

/// The apartment that the visitor dials.
pub(crate) const APARTMENT: u16 = 42;
/// A neighbour on the same switch or pulse line, whose phone nobody answers.
pub(crate) const NEIGHBOUR: u16 = 24;
/// The phone's extension.
pub(crate) const PHONE: &str = "400";

/// What the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    Pair,
    Matrix,
    Pulse,
}

impl Topology {
    /// By its name on the command line; a pair for any other.
    pub(crate) fn read(name: &str) -> Topology {
        match name {
            "matrix" => Topology::Matrix,
            "pulse" => Topology::Pulse,
            _ => Topology::Pair,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Topology::Pair => "pair",
            Topology::Matrix => "matrix",
            Topology::Pulse => "pulse",
        }
    }
}

/// The switch that a brand's panels come with.
fn switch_of(brand: &str) -> &'static str {
    match brand {
        "cyfral" => "kmg-100",
        "eltis" => "km100-7.1",
        "metakom" => "com-100u",
        _ => "bk-100",
    }
}

/// Where the PBX is and how the gateway is known to it.
#[derive(Debug, Clone)]
pub(crate) struct PbxAddress {
    pub(crate) ip: Ipv4Addr,
    pub(crate) extension: &'static str,
    /// Only a PBX of the demo's own on a loopback address knows it.
    pub(crate) password: &'static str,
    /// What its phone says.
    pub(crate) speech: Vec<i16>,
    /// From the panel's answer to the visitor's first word: one speaks after the other, so that
    /// each recording tells clearly who is heard.
    pub(crate) visitor_speaks_after_s: f32,
    /// What both say at once, afterwards.
    pub(crate) together: Option<Together>,
}

/// Words that fall together.
#[derive(Debug, Clone)]
pub(crate) struct Together {
    /// From the panel's answer to the visitor's words.
    pub(crate) visitor_after_s: f32,
    pub(crate) visitor: Vec<i16>,
    pub(crate) resident: Vec<i16>,
}

/// The stage.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: PathBuf,
    pub(crate) brand: String,
    pub(crate) topology: Topology,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) pbx: PbxAddress,
    pub(crate) visitor_speech: Vec<i16>,
    pub(crate) resident_speech: Vec<i16>,
}

impl Stage {
    pub(crate) fn build(
        directory: &Path,
        brand: &str,
        topology: Topology,
        pbx: PbxAddress,
    ) -> Result<Stage, Failed> {
        std::fs::create_dir_all(directory).map_err(|error| {
            Failed::new(
                FAILURE,
                format!(
                    "cannot create {}: {error}\n    hint: name another directory with --out DIR",
                    directory.display()
                ),
            )
        })?;
        let directory = directory.canonicalize()?;
        let gateway = free_address(1)?;
        let stage = Stage {
            directory,
            brand: brand.to_owned(),
            topology,
            gateway,
            visitor_speech: phone::speak(phone::Speaker::Visitor, 3_000),
            resident_speech: pbx.speech.clone(),
            pbx,
        };
        for old in [
            "visitor-heard.wav",
            "phone-heard.wav",
            "journal.json",
            "journal.sqlite",
            "journal.sqlite-wal",
            "journal.sqlite-shm",
            "capture.pcap",
            "line.svg",
            "line.csv",
            "story.txt",
            "result.json",
        ] {
            let _ = std::fs::remove_file(stage.path(old));
        }
        write_wav(&stage.path("visitor-says.wav"), &stage.visitor_speech)?;
        write_wav(&stage.path("phone-says.wav"), &stage.resident_speech)?;
        for old in ["visitor-says-too.wav", "phone-says-too.wav"] {
            let _ = std::fs::remove_file(stage.path(old));
        }
        if let Some(together) = &stage.pbx.together {
            write_wav(&stage.path("visitor-says-too.wav"), &together.visitor)?;
            write_wav(&stage.path("phone-says-too.wav"), &together.resident)?;
        }
        write_private(&stage.path("trubka.toml"), &stage.configuration())?;
        std::fs::write(stage.path("visitor.toml"), stage.script())?;
        Ok(stage)
    }

    /// A file of the stage.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Sockets have short names only: a deep directory gets them beside the system's others.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.path(name)
    }

    fn configuration(&self) -> String {
        let path = |name: &str| toml_text(&self.path(name));
        format!(
            "# Written by trubka demo.\n\
             [sip]\nlisten = \"{gateway}:5060\"\n\n\
             [[account]]\nname = \"demo\"\nextension = \"{extension}\"\ndomain = \"{pbx}\"\npassword = \"{password}\"\ndisplay_name = \"Entrance 1\"\n\n\
             [[card]]\nname = \"simulator\"\nkind = \"virtual\"\nsocket = {card}\n\n\
             [[line]]\nname = \"{name}\"\ncard = \"simulator\"\n{line}\n\n\
             [[route]]\napartment = {APARTMENT}\ntargets = [\"{PHONE}\"]\ndisplay_name = \"Entrance 1, apt {APARTMENT}\"\n\n{neighbour}\
             [door]\ndigits = \"9\"\nhangup_after_open_s = 3\n\n\
             [journal]\npath = {journal}\n\n\
             [control]\nsocket = {control}\n\n\
             [trace]\npcap = {pcap}\npcap_rtp = \"all\"\n",
            gateway = self.gateway,
            pbx = self.pbx.ip,
            extension = self.pbx.extension,
            password = self.pbx.password,
            name = if self.topology == Topology::Pair {
                "apt42"
            } else {
                "entrance1"
            },
            line = self.line(),
            neighbour = self.neighbour(),
            card = toml_text(&self.socket("card.sock")),
            journal = path("journal.sqlite"),
            control = toml_text(&self.socket("control.sock")),
            pcap = path("capture.pcap"),
        )
    }

    /// The keys of the line besides its name and card.
    fn line(&self) -> String {
        let brand = &self.brand;
        match self.topology {
            Topology::Pair => format!("profile = \"{brand}\"\napartment = {APARTMENT}"),
            Topology::Matrix => format!(
                "profile = \"{brand}\"\ntopology = \"matrix\"\nswitch = \"{}\"",
                switch_of(brand)
            ),
            Topology::Pulse => format!(
                "profile = \"laskomex-class\"\ntopology = \"pulse\"\naddresses = [\"{NEIGHBOUR}\", \"{APARTMENT}\"]"
            ),
        }
    }

    /// A line of many apartments has another one whose phone must stay silent.
    fn neighbour(&self) -> String {
        if self.topology == Topology::Pair {
            return String::new();
        }
        format!("[[route]]\napartment = {NEIGHBOUR}\ntargets = [\"499\"]\n\n")
    }

    /// The line as the gateway's profile has it.
    pub(crate) fn profile(&self) -> Option<Profile> {
        match self.topology {
            Topology::Pulse => {
                PulseProfile::builtin("laskomex-class").map(|profile| profile.line())
            }
            Topology::Pair | Topology::Matrix => Profile::builtin(&self.brand),
        }
    }

    /// What the panel is wired to, in words.
    pub(crate) fn wires(&self) -> String {
        match self.topology {
            Topology::Pair => "on the pair of one apartment".to_owned(),
            Topology::Matrix => format!("at a {} switch", switch_of(&self.brand)),
            Topology::Pulse => "that counts out its addresses".to_owned(),
        }
    }

    /// Arguments of the simulator.
    pub(crate) fn simulated(&self) -> Vec<String> {
        let mut words = vec!["--topology".to_owned(), self.topology.name().to_owned()];
        match self.topology {
            Topology::Pair => {}
            Topology::Matrix => {
                words.extend(["--switch", switch_of(&self.brand)].map(str::to_owned))
            }
            Topology::Pulse => {
                let own = format!("{NEIGHBOUR},{APARTMENT}");
                words.extend(["--handset-at".to_owned(), own]);
            }
        }
        words
    }

    fn script(&self) -> String {
        let speech = toml_text(&self.path("visitor-says.wav"));
        let after = self.pbx.visitor_speaks_after_s;
        let too = self.pbx.together.as_ref().map_or_else(String::new, |too| {
            format!(
                "[[step]]\nafter_answer_s = {:.1}\nsays = {}\n\n",
                too.visitor_after_s,
                toml_text(&self.path("visitor-says-too.wav"))
            )
        });
        format!(
            "# Written by trubka demo.\n\
             [[step]]\nat_s = 0.5\ndials = {APARTMENT}\n\n\
             [[step]]\nafter_answer_s = {after:.1}\nsays = {speech}\n\n{too}\
             [[step]]\nat_s = 60.0\nleaves = true\n"
        )
    }
}

/// Writes a file that only its owner reads: the configuration holds a password.
fn write_private(path: &Path, text: &str) -> Result<(), Failed> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn toml_text(path: &Path) -> String {
    serde_json::Value::from(path.display().to_string()).to_string()
}

/// A loopback address on which nobody has taken the SIP port; `last` is its last byte. Demos that begin in the same moment see the
/// same addresses free, so each begins its search elsewhere.
pub(crate) fn free_address(last: u8) -> Result<Ipv4Addr, Failed> {
    let free = |address: &Ipv4Addr| UdpSocket::bind(SocketAddr::from((*address, 5060))).is_ok();
    let begin = (std::process::id() % 250) as u8;
    (begin..250).chain(0..begin).map(|n| Ipv4Addr::new(127, 84, n, last)).find(free).ok_or_else(|| {
        Failed::new(
            FAILURE,
            "no free loopback address for the demo\n    hint: end the other programs that hold UDP port 5060 on 127.84.x",
        )
    })
}

/// Writes 8 kHz mono 16 bit.
pub(crate) fn write_wav(path: &Path, samples: &[i16]) -> Result<(), Failed> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let write = || {
        let mut wav = hound::WavWriter::create(path, spec)?;
        for sample in samples {
            wav.write_sample(*sample)?;
        }
        wav.finalize()
    };
    write()
        .map_err(|error: hound::Error| Failed::new(FAILURE, format!("{}: {error}", path.display())))
}

/// Reads what [`write_wav`] or the simulator wrote.
pub(crate) fn read_wav(path: &Path) -> Result<Vec<i16>, Failed> {
    let read = || {
        hound::WavReader::open(path)?
            .samples::<i16>()
            .collect::<Result<Vec<i16>, hound::Error>>()
    };
    read().map_err(|error| Failed::new(FAILURE, format!("{}: {error}", path.display())))
}
