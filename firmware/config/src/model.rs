//! The configuration as the program uses it: typed, checked, with every reference resolved.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use line_interface::switch::{Addressing, AddressingError, Switch};
use line_interface::{DriveSide, OVERRIDE_KEYS, Profile};

use crate::host::HostPort;
use crate::party::Party;
use crate::problem::{Problem, ProblemKind};
use crate::schedule::{LocalTime, Schedule};
use crate::template::{Header, Template};

/// Text that never shows itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself; for the one place that computes with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file, as it was named.
    pub(crate) file: String,
    /// SIP user agent.
    pub sip: Sip,
    /// Accounts, at least one.
    pub accounts: Vec<Account>,
    /// Line cards.
    pub cards: Vec<Card>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Values that apartments have of their own.
    pub overrides: Vec<Override>,
    /// Routes, at least one without a schedule for each apartment that has a line.
    pub routes: Vec<Route>,
    /// Parts of the week.
    pub schedules: Vec<Schedule>,
    /// Time zone, where one is set.
    pub time_zone: Option<String>,
    /// Who may call in and where calls may go.
    pub access: Access,
    /// Opening the door.
    pub door: Door,
    /// Limits of a call.
    pub call: Call,
    /// Audio over RTP.
    pub media: Media,
    /// Journal.
    pub journal: Journal,
    /// Path of the control socket.
    pub control_socket: PathBuf,
    /// A technician's headset on the box, where one is named.
    pub headset: Option<Headset>,
    /// Serial console, where one is set.
    pub console: Option<Console>,
    /// Captures.
    pub trace: Trace,
    /// Settings that work but are not wise, for the log and the technician.
    pub warnings: Vec<Problem>,
}

/// Section `sip`.
#[derive(Debug, Clone)]
pub struct Sip {
    /// Bound address of UDP and TCP.
    pub listen: SocketAddr,
    /// Second bound address, of IPv6.
    pub listen_ipv6: Option<SocketAddr>,
    /// Bound address for TLS connections of others.
    pub tls_listen: Option<SocketAddr>,
    /// Who must vouch for those who connect there.
    pub tls_listen_ca_file: Option<PathBuf>,
    /// Our certificate and key.
    pub tls_identity: Option<TlsIdentity>,
    /// Name servers; empty takes the system's.
    pub dns_servers: Vec<SocketAddr>,
    /// Whether calls by address are placed and taken.
    pub direct_calls: bool,
    /// Whence direct calls are taken.
    pub direct_sources: Vec<IpAddr>,
    /// User-Agent text.
    pub user_agent: String,
    /// Mark of SIP packets, 0..=63.
    pub dscp: u8,
    /// Server that tells our public address.
    pub stun_server: Option<HostPort>,
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM file of the certificate and its chain.
    pub certificate_file: PathBuf,
    /// PEM file of the private key.
    pub key_file: PathBuf,
}

/// What carries SIP to the PBX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SipTransport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream that others cannot read.
    Tls,
}

/// A proxy with credentials of its own where it has some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it is.
    pub host: HostPort,
    /// Authentication name, where it is not the account's.
    pub user: Option<String>,
    /// Password that goes with `user`.
    pub password: Secret,
    /// File that holds the password; read by the daemon at start.
    pub password_file: Option<PathBuf>,
}

/// How the PBX is asked whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keepalive {
    /// By OPTIONS.
    Options,
    /// By empty lines (RFC 5626).
    Crlf,
}

/// Who keeps a call's session timer alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRefresher {
    /// As the other side likes.
    Any,
    /// The box.
    Local,
    /// The PBX.
    Remote,
}

/// Section `account`.
#[derive(Debug, Clone)]
pub struct Account {
    /// Short name.
    pub name: String,
    /// User part of the address of record.
    pub extension: String,
    /// Domain of the address of record.
    pub domain: HostPort,
    /// Where requests go: the outbound proxy, the registrar, or the domain.
    pub registrar: HostPort,
    /// What carries requests.
    pub transport: SipTransport,
    /// Outbound proxy, where one is set.
    pub outbound_proxy: Option<Proxy>,
    /// Server used while the first does not answer.
    pub backup_proxy: Option<Proxy>,
    /// Index into [`Config::accounts`] of the account that steps in.
    pub backup_account: Option<usize>,
    /// Certificates that may vouch for the PBX; none takes the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// Name that the PBX's certificate has to carry.
    pub tls_server_name: String,
    /// Certificate and key shown to the PBX.
    pub tls_identity: Option<TlsIdentity>,
    /// The only realm that gets a digest of the password; learned unless given.
    pub realm: Option<String>,
    /// Authentication name.
    pub auth_user: Option<String>,
    /// Password, where one is set.
    pub password: Secret,
    /// File that holds the password; read by the daemon at start.
    pub password_file: Option<PathBuf>,
    /// Name shown on phones.
    pub display_name: Option<String>,
    /// Whether to register.
    pub register: bool,
    /// Registration period asked for, in seconds.
    pub expires_s: u32,
    /// Keep-alive period in seconds; 0 is off.
    pub keepalive_s: u32,
    /// Kind of keep-alive.
    pub keepalive: Keepalive,
    /// Lost keep-alives that mean that the PBX is away.
    pub keepalive_losses: u32,
    /// Session interval in seconds; 0 is off.
    pub session_expires_s: u32,
    /// Who refreshes sessions.
    pub session_refresher: SessionRefresher,
    /// Whether 100rel is announced.
    pub reliable_provisionals: bool,
    /// Whether the sound is encrypted.
    pub media_encryption: MediaEncryption,
    /// Whether tones in the sound are keys.
    pub inband_keys: InbandKeys,
    /// Codecs in order of preference; empty for those of section `media`.
    pub codecs: Vec<Codec>,
}

/// Section `card`.
#[derive(Debug, Clone)]
pub struct Card {
    /// Short name.
    pub name: String,
    /// What it is.
    pub kind: CardKind,
}

/// What a card is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardKind {
    /// A process behind a local stream socket.
    Virtual {
        /// The socket.
        socket: PathBuf,
    },
    /// The board on devices of this computer.
    Linux(Box<Board>),
}

/// The real board and its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The matrix variant, else the pair variant.
    pub matrix: bool,
    /// SPI device of the converter.
    pub spi: PathBuf,
    /// Its clock.
    pub spi_hz: u32,
    /// I2C bus of the expanders.
    pub i2c: PathBuf,
    /// GPIO device.
    pub gpio_chip: PathBuf,
    /// Line of the watchdog when it is not the board's own.
    pub watchdog_gpio: Option<u32>,
    /// Its sound, where there is any.
    pub sound: Option<Sound>,
}

/// A pair of sound devices, one channel of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// ALSA name of the PCM that is recorded.
    pub capture: String,
    /// ALSA name of the PCM that is played to.
    pub playback: String,
    /// Channel of `capture`, from 0.
    pub capture_channel: u16,
    /// Channel of `playback`, from 0.
    pub playback_channel: u16,
    /// 8000, 16000 or 48000.
    pub rate_hz: u32,
    /// Sound kept each way, milliseconds.
    pub delay_ms: u32,
}

/// Section `headset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headset {
    /// Its devices.
    pub sound: Sound,
    /// It leaves the line by itself after this.
    pub limit: Duration,
}

/// Whether an old handset is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handset {
    /// Behind the box's relay.
    Relayed,
    /// The box takes its place.
    Absent,
}

/// Section `line`.
#[derive(Debug, Clone)]
pub struct Line {
    /// Short name.
    pub name: String,
    /// Index into [`Config::cards`].
    pub card: usize,
    /// Number on the card.
    pub channel: usize,
    /// Built-in profile name or path of a profile file.
    pub profile: String,
    /// How its panel names the apartment it calls.
    pub topology: Topology,
    /// Old handset.
    pub handset: Handset,
    /// Name of the panel for people, or the line's name.
    pub panel: String,
}

/// How the targets of a route are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// One after another.
    InTurn,
    /// All at once.
    Together,
}

impl Line {
    /// The one apartment of a pair.
    pub fn apartment(&self) -> Option<u16> {
        match self.topology {
            Topology::Pair { apartment } => Some(apartment),
            Topology::Matrix(_) | Topology::Pulse { .. } => None,
        }
    }

    /// Whether visitors of the apartment can come on this line. A switch that is a file of its own
    /// is taken to have any apartment from the first on.
    pub fn serves(&self, apartment: u16) -> bool {
        match &self.topology {
            Topology::Pair { apartment: own } => *own == apartment,
            Topology::Matrix(matrix) => match matrix.builtin() {
                Some(Ok(addressing)) => addressing.apartments().contains(&apartment),
                Some(Err(_)) => true,
                None => apartment >= matrix.first_apartment,
            },
            Topology::Pulse { addresses } => addresses.iter().any(|(_, own)| *own == apartment),
        }
    }
}

/// How a line's panel names the apartment it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// It does not: the pair is one apartment's.
    Pair {
        /// Whose.
        apartment: u16,
    },
    /// By a tens and a units line of a switch.
    Matrix(Matrix),
    /// By a number of pulses.
    Pulse {
        /// Our addresses, and whose they are.
        addresses: Vec<(u16, u16)>,
    },
}

impl Topology {
    /// As the configuration writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Topology::Pair { .. } => "pair",
            Topology::Matrix(_) => "matrix",
            Topology::Pulse { .. } => "pulse",
        }
    }
}

/// A line at a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// Built-in switch name or path of a switch file.
    pub switch: String,
    /// Modules that are fitted, where not all are.
    pub modules: Option<usize>,
    /// The fed bus, where it is not the profile's.
    pub sourced: Option<DriveSide>,
    /// Lowest apartment of the entrance.
    pub first_apartment: u16,
    /// Whether the digits of the door number are those on the terminals.
    pub absolute: bool,
}

impl Matrix {
    /// The switch at this entrance.
    ///
    /// # Errors
    /// When more modules are fitted than the switch has, or apartments would pass 9999.
    pub fn addressing(&self, mut switch: Switch) -> Result<Addressing, AddressingError> {
        if let Some(modules) = self.modules {
            if modules > switch.modules() {
                return Err(AddressingError {
                    cause: format!(
                        "{modules} modules, but {} has {}",
                        switch.title,
                        switch.modules()
                    ),
                    hint: "remove modules, or give the number that is fitted",
                });
            }
            switch.module_tens.value.truncate(modules);
        }
        Addressing::new(switch, self.first_apartment, self.absolute)
    }

    /// The same for a switch that ships with the program; none for a file.
    pub fn builtin(&self) -> Option<Result<Addressing, AddressingError>> {
        Switch::builtin(&self.switch).map(|switch| self.addressing(switch))
    }
}

/// Section `override`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Apartment.
    pub apartment: u16,
    /// Where the values come from.
    pub source: String,
    /// Values by the names of [`line_interface::OVERRIDE_KEYS`], in that order.
    pub values: Vec<(&'static str, f32)>,
    /// Where the section and each of its values stands in the file.
    pub(crate) lines: (usize, Vec<usize>),
}

impl Override {
    /// The profile with these values.
    pub(crate) fn apply(&self, base: &Profile) -> Result<Profile, Problem> {
        base.overridden(&self.values, &self.source)
            .map_err(|error| {
                let own = |figure: &(&str, &str)| {
                    let named = format!("{}.{}", figure.0, figure.1);
                    error.cause.contains(&named)
                };
                let first = self.values.iter().position(|(name, _)| {
                    OVERRIDE_KEYS
                        .iter()
                        .any(|key| key.name == *name && own(&key.figure))
                });
                let line = first.and_then(|at| self.lines.1.get(at)).copied();
                let key = first.and_then(|at| self.values.get(at));
                Problem {
                    file: String::new(),
                    line: line.unwrap_or(self.lines.0),
                    key: format!("override.{}", key.map_or("apartment", |(name, _)| name)),
                    kind: ProblemKind::OutOfRange,
                    cause: format!("with profile {}: {}", base.name, error.cause),
                    hint: error.hint.to_owned(),
                }
            })
    }

    /// The values as a person writes them, `on_hook_max_volts = 4.4`.
    pub fn words(&self) -> Vec<String> {
        let word = |(name, value): &(&str, f32)| format!("{name} = {value}");
        self.values.iter().map(word).collect()
    }
}

/// Section `route`.
#[derive(Debug, Clone)]
pub struct Route {
    /// Apartment.
    pub apartment: u16,
    /// Index into [`Config::schedules`]; none: always in force.
    pub when: Option<usize>,
    /// Index into [`Config::accounts`].
    pub account: usize,
    /// Targets in order.
    pub targets: Vec<String>,
    /// How they are called.
    pub ring: Ring,
    /// How long one target may ring.
    pub target_timeout: Duration,
    /// Name shown on the phone.
    pub display_name: Option<Template>,
    /// Value of Alert-Info.
    pub alert_info: Option<Template>,
    /// Whether the party that the box called may open.
    pub called_may_open: bool,
    /// Who may call in and open.
    pub callers_may_open: Vec<Party>,
    /// Gain towards the line, dB, where it differs from the box's.
    pub gain_to_line_db: Option<i8>,
    /// Gain towards the phone, dB, where it differs from the box's.
    pub gain_to_phone_db: Option<i8>,
}

/// Section `door`.
#[derive(Debug, Clone)]
pub struct Door {
    /// Keys that open.
    pub digits: String,
    /// Wrong keys after which a call can no longer open.
    pub max_wrong_digits: u32,
    /// From the opening to the end of the call; none leaves it up.
    pub hangup_after_open: Option<Duration>,
}

/// What happens when nobody took a visitor's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// A tone where the box takes the handset's place, else nothing.
    Auto,
    /// The visitor hears a tone or a recording, then the line is freed.
    Tone,
    /// Nothing; an old handset rings on.
    Leave,
}

/// Section `call`.
#[derive(Debug, Clone)]
pub struct Call {
    /// Name shown on phones.
    pub display_name: Option<Template>,
    /// Headers of our own.
    pub headers: Vec<Header>,
    /// Whether a phone that declines ends all ringing.
    pub decline_stops: bool,
    /// Redirections followed for one target.
    pub max_redirects: u8,
    /// What happens when nobody answers.
    pub unanswered: Unanswered,
    /// Whether the line is taken for what a PBX plays before a phone answers.
    pub early_media: bool,
    /// Recording played then, instead of the tone.
    pub unanswered_wav: Option<PathBuf>,
    /// Longest ringing.
    pub ring_limit: Duration,
    /// Longest conversation.
    pub talk_limit: Duration,
    /// Longest silence of RTP.
    pub rtp_timeout: Duration,
}

/// Who may call in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// Whoever the PBX lets through.
    Managed,
    /// Listed callers.
    Listed,
    /// Nobody.
    Off,
}

/// Section `access`.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who may call in.
    pub incoming: Incoming,
    /// Callers that may, with [`Incoming::Listed`].
    pub callers: Vec<Party>,
    /// SIP status for callers who may not.
    pub refuse_status: u16,
    /// Whether P-Asserted-Identity names the caller.
    pub asserted_identity: bool,
    /// SIP status while do-not-disturb is on.
    pub dnd_status: u16,
    /// Whether do-not-disturb also keeps phones from ringing for visitors.
    pub dnd_covers_visitors: bool,
    /// Feature code that switches do-not-disturb on.
    pub dnd_on: String,
    /// Feature code that switches it off.
    pub dnd_off: String,
    /// Who may use feature codes.
    pub feature_callers: Vec<Party>,
    /// Further hosts that calls may be forwarded to, lower case.
    pub forward_hosts: Vec<String>,
    /// Numbers that calls may be forwarded to, `*` at the end for any rest.
    pub forward_targets: Vec<String>,
    /// Whether phones may transfer.
    pub transfer: bool,
    /// Requests taken from one address each second.
    pub requests_per_second: u32,
    /// Where do-not-disturb is kept.
    pub state_file: PathBuf,
}

/// Codec of the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus, in builds that have it.
    Opus,
}

/// Whether the sound of an account's calls is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEncryption {
    /// Never.
    Off,
    /// When the other side can.
    Optional,
    /// Always.
    Required,
}

/// Whether tones in the phone's sound are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InbandKeys {
    /// Never.
    Off,
    /// While the other side has not agreed to RFC 4733.
    WithoutEvents,
    /// Always.
    Always,
}

/// What SRTP encrypts with (RFC 4568, RFC 6188).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CryptoSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    AesCm256HmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`.
    AesCm256HmacSha1_32,
}

/// What is done about echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoControl {
    /// Cancelled and suppressed.
    Full,
    /// Cancelled only.
    Linear,
    /// Left as it is.
    Off,
}

/// Section `media`.
#[derive(Debug, Clone)]
pub struct Media {
    /// RTP ports, even; RTCP is one above.
    pub rtp_ports: Vec<u16>,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// What SRTP encrypts with, in order of preference.
    pub crypto_suites: Vec<CryptoSuite>,
    /// Packet length.
    pub ptime_ms: u32,
    /// Whether key events are taken that the other side did not agree to.
    pub unnegotiated_events: bool,
    /// Payload type offered for key events.
    pub telephone_event_payload_type: u8,
    /// Where learned echo paths are kept.
    pub echo_paths_file: PathBuf,
    /// Mark of RTP and RTCP packets, 0..=63.
    pub dscp: u8,
    /// Gain towards the line, dB.
    pub gain_to_line_db: i8,
    /// Gain towards the phone, dB.
    pub gain_to_phone_db: i8,
    /// Treatment of echo.
    pub echo_control: EchoControl,
    /// Longest echo path.
    pub echo_tail_ms: u32,
}

/// Section `journal`.
#[derive(Debug, Clone)]
pub struct Journal {
    /// SQLite file.
    pub path: PathBuf,
    /// How long an opening waits for the disk.
    pub open_wait: Duration,
    /// Socket of the system log.
    pub syslog_socket: PathBuf,
    /// Age at which records are removed, in days.
    pub keep_days: u32,
}

/// Section `console`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Serial device.
    pub device: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// File of the password hash.
    pub password_file: PathBuf,
    /// Idle time before logout.
    pub idle_logout: Duration,
}

/// Section `trace`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Capture file.
    pub pcap: Option<PathBuf>,
    /// Size at which the capture stops, in bytes.
    pub pcap_limit_bytes: u64,
    /// Time after which the capture stops.
    pub pcap_limit: Duration,
    /// What it holds of RTP.
    pub pcap_rtp: PcapRtp,
}

/// What a capture holds of RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PcapRtp {
    /// Headers: no sound, no keys.
    Headers,
    /// Everything.
    All,
    /// Nothing.
    None,
}

impl Config {
    /// The values that an apartment has of its own.
    pub fn override_of(&self, apartment: u16) -> Option<&Override> {
        self.overrides
            .iter()
            .find(|entry| entry.apartment == apartment)
    }

    /// The profile for the calls of an apartment: the line's, with the apartment's own values.
    ///
    /// # Errors
    /// The problem when the values make no profile, with the line of the first value it names.
    pub fn profile_for(&self, apartment: u16, base: &Profile) -> Result<Profile, Problem> {
        match self.override_of(apartment) {
            None => Ok(base.clone()),
            Some(entry) => entry.apply(base).map_err(|problem| Problem {
                file: self.file.clone(),
                ..problem
            }),
        }
    }

    /// The route of an apartment that is always in force.
    pub fn route(&self, apartment: u16) -> Option<&Route> {
        self.route_at(apartment, None)
    }

    /// The route of an apartment at a time: the first in the file whose schedule is on, else the one
    /// without a schedule. As long as the time is not known, schedules are off.
    pub fn route_at(&self, apartment: u16, time: Option<LocalTime>) -> Option<&Route> {
        let index = route_at(&self.routes, &self.schedules, apartment, time)?;
        self.routes.get(index)
    }
}

/// Index of the route that is in force for the apartment at `time`: the first with a schedule that is on,
/// else the one without a schedule.
pub fn route_at(
    routes: &[Route],
    schedules: &[Schedule],
    apartment: u16,
    time: Option<LocalTime>,
) -> Option<usize> {
    let in_force = |route: &&Route| match route.when {
        None => true,
        Some(index) => schedules
            .get(index)
            .zip(time)
            .is_some_and(|(schedule, time)| schedule.is_on(time)),
    };
    let first = |scheduled: bool| {
        routes.iter().position(|route| {
            route.apartment == apartment && route.when.is_some() == scheduled && in_force(&route)
        })
    };
    first(true).or_else(|| first(false))
}

impl Route {
    /// A route that calls nobody and lets nobody open.
    pub fn to_nobody(apartment: u16) -> Route {
        Route {
            apartment,
            when: None,
            account: 0,
            targets: Vec::new(),
            ring: Ring::InTurn,
            target_timeout: Duration::from_secs(30),
            display_name: None,
            alert_info: None,
            called_may_open: false,
            callers_may_open: Vec::new(),
            gain_to_line_db: None,
            gain_to_phone_db: None,
        }
    }
}
