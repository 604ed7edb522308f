//! What a building is made of.

use std::time::Duration;

use config::Config;
use line_interface::DriveSide;
use line_interface::switch::{Addressing, Switch};
use line_simulation::matrix::{MatrixSetup, MatrixSimulation};
use line_simulation::{
    LineModel, PanelSpec, PulseSetup, PulseSimulation, Script as VisitorScript, Setup, Simulation,
};
use phone::{Algorithm, Behaviour, KeyBy, KeyPress, Script};

use super::{GATEWAY_SIP, PBX_SIP, ms, seconds};

/// How the network treats datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) delay: Duration,
    /// Up to so much is added at random, which reorders.
    pub(crate) jitter: Duration,
    /// Per mille.
    pub(crate) loss: u32,
    /// Per mille.
    pub(crate) duplicates: u32,
}

impl Weather {
    pub(crate) fn fine() -> Weather {
        Weather {
            delay: ms(1),
            ..Weather::default()
        }
    }
}

/// How the disk treats records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    TakesIn(Duration),
    /// Never answers.
    Stuck,
}

/// What the line is. Apartment 42 is on every one of them and has the route of the options; where
/// there are neighbours, 41 has a route to a phone that nobody has, and 43 has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    Pair,
    /// A switch and the bus that it feeds; its first apartment is 41.
    Matrix(&'static str, DriveSide),
    /// Addresses 6 and 7 are apartments 42 and 41; 5 is somebody else's.
    Pulse,
}

impl Topology {
    /// What the visitor dials for an apartment.
    pub(crate) fn number(self, apartment: u16) -> u16 {
        match self {
            Topology::Pulse => 48 - apartment,
            Topology::Pair | Topology::Matrix(..) => apartment,
        }
    }

    fn line(self, brand: &str) -> String {
        match self {
            Topology::Pair => format!("profile = \"{brand}\"\napartment = 42"),
            Topology::Matrix(switch, side) => {
                let side = match side {
                    DriveSide::Tens => "tens",
                    DriveSide::Units => "units",
                };
                format!(
                    "profile = \"{brand}\"\ntopology = \"matrix\"\nswitch = \"{switch}\"\nfirst_apartment = 41\nsourced = \"{side}\""
                )
            }
            Topology::Pulse => "profile = \"laskomex-class\"\ntopology = \"pulse\"\naddresses = [\"6=42\", \"7=41\"]".to_owned(),
        }
    }
}

pub(crate) struct Options {
    pub(crate) topology: Topology,
    pub(crate) brand: &'static str,
    pub(crate) phone: Script,
    pub(crate) weather: Weather,
    pub(crate) disk: Disk,
    pub(crate) seed: u64,
    /// Lines added to the end of the configuration.
    pub(crate) config: &'static str,
    /// Keys of the route besides its targets.
    pub(crate) route: &'static str,
    /// Keys of `[sip]`.
    pub(crate) sip: &'static str,
    /// Keys of the account.
    pub(crate) account: &'static str,
    /// Whom the route calls.
    pub(crate) targets: &'static str,
    /// The password that the PBX wants.
    pub(crate) password: &'static str,
    pub(crate) visitor: VisitorScript,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Spread of the parts of panel and handset, 0 for nominal ones.
    pub(crate) spread: f32,
    /// Whether the old handset hangs behind the relay; without it the box takes its place.
    pub(crate) handset: bool,
    /// Whether what the visitor hears is kept.
    pub(crate) keep_sound: bool,
    /// The panel's talk limit, where it is not the brand's.
    pub(crate) panel_talk: Option<Duration>,
    pub(crate) phone_encryption: media::Encryption,
    pub(crate) phone_codecs: Vec<media::Codec>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            topology: Topology::Pair,
            brand: "vizit",
            phone: Script::answer_and_press(ms(400), seconds(3), '9'),
            weather: Weather::fine(),
            disk: Disk::TakesIn(ms(5)),
            seed: 1,
            config: "",
            route: "",
            sip: "",
            account: "",
            targets: "\"400\"",
            password: "secret",
            visitor: VisitorScript::default(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            spread: 0.0,
            handset: true,
            keep_sound: false,
            panel_talk: None,
            phone_encryption: media::Encryption::Off,
            phone_codecs: Vec::new(),
        }
    }
}

impl Options {
    /// A building whose phone does `phone`.
    pub(crate) fn with(phone: Script) -> Options {
        Options {
            phone,
            ..Options::default()
        }
    }

    /// Panel, wires and handsets.
    pub(crate) fn building(&self, seed: [u8; 32]) -> Box<dyn LineModel> {
        let visitor = self.visitor.clone();
        let limit = self.panel_talk.map(|limit| limit.as_millis() as u64);
        let talk = |panel: &mut PanelSpec| {
            if let Some(limit) = limit {
                panel.talk.limit_ms.value = limit;
            }
        };
        match self.topology {
            Topology::Pair => {
                let mut setup = Setup::brand(self.brand).unwrap();
                setup.seed = seed;
                if !self.handset {
                    setup.handset = None;
                }
                talk(&mut setup.panel);
                if self.spread > 0.0 {
                    setup = setup.spread(seed, self.spread);
                }
                Box::new(Simulation::new(setup, visitor).unwrap())
            }
            Topology::Matrix(switch, side) => {
                let switch = Switch::builtin(switch).unwrap();
                let at = Addressing::new(switch, 41, false).unwrap();
                let mut setup = MatrixSetup::new(self.brand, at).unwrap();
                setup.seed = seed;
                setup.side = side;
                setup.noise_rms_volts = 0.05;
                setup.hum_volts = 1.0;
                talk(&mut setup.panel);
                let sim = MatrixSimulation::new(setup).unwrap();
                Box::new(sim.with_script(visitor))
            }
            Topology::Pulse => {
                let mut setup = PulseSetup::brand(self.brand).unwrap();
                setup.seed = seed;
                setup.noise_volts = 0.05;
                setup.handset_at = vec![5, 6, 7];
                talk(&mut setup.panel);
                let sim = PulseSimulation::new(setup).unwrap();
                Box::new(sim.with_script(visitor))
            }
        }
    }

    pub(crate) fn config(&self) -> Config {
        let fitting = if self.handset { "relayed" } else { "absent" };
        let neighbour = if self.topology == Topology::Pair {
            ""
        } else {
            "[[route]]\napartment = 41\ntargets = [\"499\"]\n"
        };
        let text = format!(
            "[sip]\nlisten = \"{GATEWAY_SIP}\"\n{}\n\
             [[account]]\nname = \"pbx\"\nextension = \"600\"\ndomain = \"{PBX_SIP}\"\npassword = \"secret\"\n{}\n\
             [[card]]\nname = \"card\"\nkind = \"virtual\"\nsocket = \"/nowhere\"\n\
             [[line]]\nname = \"apt42\"\ncard = \"card\"\n{}\nhandset = \"{}\"\n\
             [[route]]\napartment = 42\ntargets = [{}]\n{}\n\
             {}{}",
            self.sip,
            self.account,
            self.topology.line(self.brand),
            fitting,
            self.targets,
            self.route,
            neighbour,
            self.config
        );
        Config::parse(&text, "world.toml").unwrap_or_else(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", problems.join("\n"))
        })
    }
}

/// A phone that answers after `ring_for` and presses the keys `(after the answer, key, how)`.
pub(crate) fn presses(ring_for: Duration, keys: &[(u64, char, KeyBy)]) -> Script {
    Script {
        behaviour: Behaviour::Answer { after: ring_for },
        says: Vec::new(),
        keys: keys
            .iter()
            .map(|(after_ms, digit, by)| KeyPress {
                after: ms(*after_ms),
                digit: *digit,
                by: *by,
            })
            .collect(),
        hang_up_after: None,
    }
}

/// A phone that answers after `ring_for` and does nothing more.
pub(crate) fn answers(ring_for: Duration) -> Script {
    presses(ring_for, &[])
}

/// A phone that rings for ever.
pub(crate) fn never_answers() -> Script {
    Script {
        behaviour: Behaviour::NoAnswer,
        ..answers(Duration::ZERO)
    }
}
