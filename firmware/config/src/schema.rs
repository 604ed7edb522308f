//! The one table of settings: what exists, its type, its range, its default and what it means.
//!
//! The reader, `config explain`, `config show --effective` and the reference page are all made
//! from this table, so they cannot disagree.

/// The kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free text.
    Text,
    /// Text that must not be printed: shown as `***` everywhere.
    Secret,
    /// Whole number within the range, ends included.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// Decimal number within the range, ends included; the range is in thousandths.
    Decimal {
        /// Least value, in thousandths.
        min: i64,
        /// Greatest value, in thousandths.
        max: i64,
    },
    /// `true` or `false`.
    Bool,
    /// `ADDRESS:PORT`, IPv6 in brackets.
    SocketAddress,
    /// A host name or address, with an optional `:PORT`.
    Host,
    /// A path in the file system.
    Path,
    /// One of the listed words.
    OneOf(&'static [&'static str]),
    /// A list of texts.
    TextList,
    /// A string of DTMF keys `0-9 * # A-D`.
    Digits,
}

impl Kind {
    /// How the kind is named to a person.
    pub fn describe(self) -> String {
        match self {
            Kind::Text => "text".into(),
            Kind::Secret => "text, kept secret".into(),
            Kind::Integer { min, max } => format!("whole number {min}..{max}"),
            Kind::Decimal { min, max } => {
                format!("number {}..{}", thousandths(min), thousandths(max))
            }
            Kind::Bool => "true or false".into(),
            Kind::SocketAddress => "address:port".into(),
            Kind::Host => "host name or address, optional :port".into(),
            Kind::Path => "path".into(),
            Kind::OneOf(words) => format!("one of {}", words.join(", ")),
            Kind::TextList => "list of texts".into(),
            Kind::Digits => "DTMF keys 0-9 * # A-D".into(),
        }
    }
}

/// A number that is kept in thousandths, as a person writes it.
pub(crate) fn thousandths(number: i64) -> String {
    format!("{}", number as f64 / 1000.0)
}

/// What a key falls back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The key must be given.
    Required,
    /// The key may be left out and then has no value.
    None,
    /// This TOML literal.
    Literal(&'static str),
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Name inside its section; the unit is part of the name.
    pub name: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Default value.
    pub default: Fallback,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

/// One section, `[name]` or, when `many`, `[[name]]`.
#[derive(Debug)]
pub struct Section {
    /// Section name.
    pub name: &'static str,
    /// Whether the section may stand many times.
    pub many: bool,
    /// What the section is for.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

impl Section {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// The section of that name.
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

const fn key(name: &'static str, kind: Kind, default: Fallback, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        doc,
    }
}

const fn int(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}

/// A value that an apartment may have of its own: the line interface says which there are.
const fn volts(index: usize) -> Key {
    let known = &line_interface::OVERRIDE_KEYS[index];
    // Volts and milliamps of a low-voltage line; the rules of a profile narrow it down.
    let kind = Kind::Decimal {
        min: 10,
        max: 100_000,
    };
    key(known.name, kind, Unset, known.doc)
}

use Fallback::{Literal, None as Unset, Required};

/// Every section and key of the configuration file.
pub static SECTIONS: &[Section] = &[
    Section {
        name: "sip",
        many: false,
        doc: "The SIP user agent.",
        keys: &[
            key(
                "listen",
                Kind::SocketAddress,
                Literal("\"0.0.0.0:5060\""),
                "Address and port on which SIP over UDP and TCP is sent and received. With 0.0.0.0 the address of the route to the first account's PBX is used in messages. For IPv6 write [::]:5060 or an address in brackets.",
            ),
            key(
                "listen_ipv6",
                Kind::SocketAddress,
                Unset,
                "A second address and port, of IPv6, for accounts whose PBX is reached over IPv6 while listen is an IPv4 address. Calls of those accounts use IPv6 for their audio too.",
            ),
            key(
                "tls_listen",
                Kind::SocketAddress,
                Unset,
                "Address and port on which TLS connections of a PBX are taken, usually port 5061. Needs tls_certificate_file and tls_key_file. Without it only the connections that the box opens itself are used, which is what most PBXs want.",
            ),
            key(
                "tls_certificate_file",
                Kind::Path,
                Unset,
                "PEM file with the box's certificate, followed by its chain: shown on tls_listen, and to a PBX that asks for a client certificate.",
            ),
            key(
                "tls_key_file",
                Kind::Path,
                Unset,
                "PEM file with the private key of tls_certificate_file, mode 0600.",
            ),
            key(
                "dns_servers",
                Kind::TextList,
                Literal("[]"),
                "Addresses of name servers, each with an optional :port; empty takes those of the system. PBX names are asked for NAPTR, SRV, A and AAAA records, and again when their time runs out.",
            ),
            key(
                "direct_calls",
                Kind::Bool,
                Literal("false"),
                "Whether routes may name phones by their address (\"sip:400@192.168.1.50\") that are no account's PBX, and whether the phones in direct_sources may call in, on the port of listen.",
            ),
            key(
                "direct_sources",
                Kind::TextList,
                Literal("[]"),
                "IP addresses from which direct calls are taken, with direct_calls on. Who may open is still decided by the route.",
            ),
            key(
                "user_agent",
                Kind::Text,
                Literal("\"Trubka\""),
                "Text of the User-Agent and Server headers.",
            ),
            key(
                "dscp",
                int(0, 63),
                Literal("24"),
                "Mark of SIP packets for the network (DSCP): 24 is CS3, 0 leaves them unmarked.",
            ),
            key(
                "stun_server",
                Kind::Host,
                Unset,
                "STUN server (port 3478 unless given) that tells the address of the NAT in front of the box; it is then written into Contact and SDP. Only for a PBX on the other side of that NAT.",
            ),
        ],
    },
    Section {
        name: "account",
        many: true,
        doc: "An extension of the PBX that the box registers as.",
        keys: &[
            key(
                "name",
                Kind::Text,
                Required,
                "Short name by which routes and tools refer to the account.",
            ),
            key(
                "extension",
                Kind::Text,
                Required,
                "User part of the address of record: the extension number.",
            ),
            key(
                "domain",
                Kind::Host,
                Required,
                "Domain of the address of record: the PBX's host name or address.",
            ),
            key(
                "registrar",
                Kind::Host,
                Unset,
                "Where REGISTER and INVITE are sent when it is not the domain itself. Without a port the name is looked up with NAPTR and SRV, and 5060, or 5061 for TLS, is the last resort.",
            ),
            key(
                "transport",
                Kind::OneOf(&["udp", "tcp", "tls"]),
                Literal("\"udp\""),
                "What carries SIP to the PBX. tcp and tls keep one connection open; tls also keeps listeners out and checks that the PBX is the right one.",
            ),
            key(
                "outbound_proxy",
                Kind::Host,
                Unset,
                "Proxy through which everything of this account goes, named in a Route header; in place of registrar.",
            ),
            key(
                "proxy_user",
                Kind::Text,
                Unset,
                "Authentication name at the outbound proxy when it has credentials of its own.",
            ),
            key(
                "proxy_password",
                Kind::Secret,
                Unset,
                "Password at the outbound proxy; goes with proxy_user. Better kept in proxy_password_file.",
            ),
            key(
                "proxy_password_file",
                Kind::Path,
                Unset,
                "File whose first line is the password at the outbound proxy.",
            ),
            key(
                "backup_proxy",
                Kind::Host,
                Unset,
                "Server that is used while the outbound proxy, or the registrar, does not answer.",
            ),
            key(
                "backup_proxy_user",
                Kind::Text,
                Unset,
                "Authentication name at the backup proxy when it has credentials of its own.",
            ),
            key(
                "backup_proxy_password",
                Kind::Secret,
                Unset,
                "Password at the backup proxy; goes with backup_proxy_user.",
            ),
            key(
                "backup_proxy_password_file",
                Kind::Path,
                Unset,
                "File whose first line is the password at the backup proxy.",
            ),
            key(
                "backup_account",
                Kind::Text,
                Unset,
                "Name of another [[account]] through which calls are placed while this one is not registered, or when its PBX does not answer an INVITE.",
            ),
            key(
                "tls_ca_file",
                Kind::Path,
                Unset,
                "PEM file with the certificates that may vouch for the PBX, or with the PBX's own self-signed one; without it the system's store decides.",
            ),
            key(
                "tls_server_name",
                Kind::Text,
                Unset,
                "Name or address that the PBX's certificate has to carry; the domain unless given.",
            ),
            key(
                "tls_certificate_file",
                Kind::Path,
                Unset,
                "PEM file with the certificate shown to this PBX, in place of sip.tls_certificate_file.",
            ),
            key(
                "tls_key_file",
                Kind::Path,
                Unset,
                "PEM file with the private key of the account's tls_certificate_file, mode 0600.",
            ),
            key(
                "auth_user",
                Kind::Text,
                Unset,
                "Authentication name when it differs from the extension.",
            ),
            key(
                "password",
                Kind::Secret,
                Unset,
                "Password of the account. Better kept in a file of mode 0600 named by password_file.",
            ),
            key(
                "password_file",
                Kind::Path,
                Unset,
                "File whose first line is the password of the account.",
            ),
            key(
                "display_name",
                Kind::Text,
                Unset,
                "Name shown on phones, for example \"Entrance 2\".",
            ),
            key(
                "register",
                Kind::Bool,
                Literal("true"),
                "Whether to register; without it calls are placed directly, to the domain or to a fixed SIP URI in the route.",
            ),
            key(
                "expires_s",
                int(60, 86_400),
                Literal("300"),
                "Registration period asked for, in seconds; the PBX may grant another.",
            ),
            key(
                "keepalive_s",
                int(0, 3_600),
                Literal("20"),
                "Period of keep-alives in seconds; 0 turns them off.",
            ),
            key(
                "keepalive",
                Kind::OneOf(&["options", "crlf"]),
                Literal("\"options\""),
                "options asks the PBX and takes any answer. crlf sends the empty lines of RFC 5626: over tcp and tls their answer counts once the PBX has given one, over udp they only keep a NAT open.",
            ),
            key(
                "keepalive_losses",
                int(1, 10),
                Literal("2"),
                "Keep-alives in a row that may stay unanswered before the PBX counts as away.",
            ),
            key(
                "session_expires_s",
                int(0, 7_200),
                Literal("1800"),
                "Interval of the session timer asked for in calls (RFC 4028), 90..7200 seconds; 0 turns session timers off.",
            ),
            key(
                "session_refresher",
                Kind::OneOf(&["any", "local", "remote"]),
                Literal("\"any\""),
                "Who keeps a call's session timer alive: the box (local), the PBX (remote), or as the other side likes (any).",
            ),
            key(
                "reliable_provisionals",
                Kind::Bool,
                Literal("true"),
                "Whether calls announce 100rel (RFC 3262).",
            ),
            key(
                "media_encryption",
                Kind::OneOf(&["off", "optional", "required"]),
                Literal("\"off\""),
                "SRTP with keys in the session description (SDES): off; optional encrypts when the other side can and falls back to plain RTP; required refuses calls without it. Wants SIP over TLS, because the keys travel in SIP.",
            ),
            key(
                "media_encryption_without_tls",
                Kind::Bool,
                Literal("false"),
                "Allow media_encryption although SIP itself is not encrypted: who can read the SIP messages can then decrypt the sound.",
            ),
            key(
                "codecs",
                Kind::TextList,
                Unset,
                "Codecs of this account in order of preference; media.codecs unless given.",
            ),
            key(
                "inband_keys",
                Kind::OneOf(&["off", "without_events", "always"]),
                Literal("\"off\""),
                "Keys as tones in the phone's sound: off; without_events while the other side has not agreed to RFC 4733; always. Tones that may be the street's own, come back from the phone, are never keys.",
            ),
        ],
    },
    Section {
        name: "card",
        many: true,
        doc: "A line card: the hardware, or a simulator, that carries the analog lines.",
        keys: &[
            key(
                "name",
                Kind::Text,
                Required,
                "Short name by which lines refer to the card.",
            ),
            key(
                "kind",
                Kind::OneOf(&["virtual", "linux"]),
                Literal("\"virtual\""),
                "virtual: a process that speaks the virtual line card protocol on a local socket; linux: the real board on this computer's SPI, I2C and sound devices.",
            ),
            key(
                "socket",
                Kind::Path,
                Unset,
                "Local stream socket of a virtual line card; only and always for that kind.",
            ),
            key(
                "board",
                Kind::OneOf(&["pair", "matrix"]),
                Literal("\"pair\""),
                "Assembly variant of the board: pair (one apartment's two wires) or matrix (taps and crosspoint on a switch). The board says itself which it is; another one is refused.",
            ),
            key(
                "spi",
                Kind::Path,
                Literal("\"/dev/spidev0.0\""),
                "SPI device of the board's converter.",
            ),
            key(
                "spi_hz",
                int(500_000, 2_000_000),
                Literal("1000000"),
                "Clock of the converter, in hertz.",
            ),
            key(
                "i2c",
                Kind::Path,
                Literal("\"/dev/i2c-1\""),
                "I2C bus of the board's port expanders; their addresses are the board's.",
            ),
            key(
                "gpio_chip",
                Kind::Path,
                Literal("\"/dev/gpiochip0\""),
                "GPIO device that has the watchdog's line.",
            ),
            key(
                "watchdog_gpio",
                int(0, 511),
                Unset,
                "Line of gpio_chip that kicks the board's watchdog; the board's own (17) unless given.",
            ),
            key(
                "sound_capture",
                Kind::Text,
                Unset,
                "ALSA name of the PCM on which the board's codec is heard, for example \"plughw:CARD=trubka,DEV=0\" (arecord -L lists them); \"none\" for a board without sound.",
            ),
            key(
                "sound_playback",
                Kind::Text,
                Unset,
                "ALSA name of the PCM on which the board's codec is played to; \"none\" as above.",
            ),
            key(
                "sound_capture_channel",
                int(0, 7),
                Literal("0"),
                "Channel of sound_capture that is the line, from 0 (left).",
            ),
            key(
                "sound_playback_channel",
                int(0, 7),
                Literal("0"),
                "Channel of sound_playback that is the line, from 0 (left); the others are silent.",
            ),
            key(
                "sound_rate_hz",
                int(8_000, 48_000),
                Literal("8000"),
                "Sample rate at which the sound devices are opened: 8000, 16000 or 48000.",
            ),
            key(
                "sound_delay_ms",
                int(15, 200),
                Literal("25"),
                "Sound that is kept between the device and the line, each way, in milliseconds; it grows by itself where a device needs more.",
            ),
        ],
    },
    Section {
        name: "line",
        many: true,
        doc: "One panel's line: the pair of one apartment, the buses of a switch, or a two-wire line with address pulses.",
        keys: &[
            key(
                "name",
                Kind::Text,
                Required,
                "Short name, for example the apartment and riser.",
            ),
            key(
                "card",
                Kind::Text,
                Required,
                "Name of the card that carries the line.",
            ),
            key(
                "channel",
                int(0, 63),
                Literal("0"),
                "Number of the line on its card, from 0.",
            ),
            key(
                "profile",
                Kind::Text,
                Required,
                "Built-in line profile, for example \"vizit\" (\"laskomex-class\" for pulse lines), or a path to a profile file ending in .toml.",
            ),
            key(
                "topology",
                Kind::OneOf(&["pair", "matrix", "pulse"]),
                Literal("\"pair\""),
                "pair: one apartment's two wires; matrix: taps and crosspoint at a switch, the apartment is read from its buses; pulse: a two-wire line on which the panel counts out the address.",
            ),
            key(
                "apartment",
                int(1, 9_999),
                Unset,
                "Pair only, and needed there: the apartment whose pair this is.",
            ),
            key(
                "switch",
                Kind::Text,
                Unset,
                "Matrix only, and needed there: built-in switch, for example \"kmg-100\", or a path to a switch file ending in .toml.",
            ),
            key(
                "modules",
                int(1, 10),
                Unset,
                "Matrix only: how many modules (hundreds) of the switch are fitted and tapped; as many as the panel handles unless given.",
            ),
            key(
                "sourced",
                Kind::OneOf(&["tens", "units"]),
                Unset,
                "Matrix only: which bus the panel feeds, the other one is sunk; the profile's figure unless given.",
            ),
            key(
                "first_apartment",
                int(1, 9_999),
                Unset,
                "Matrix only: lowest apartment of this entrance; 1 unless given.",
            ),
            key(
                "numbering",
                Kind::OneOf(&["relative", "absolute"]),
                Unset,
                "Matrix only: relative (unless given): the lowest apartment hangs on the switch's first pair; absolute: the digits of the door number are those on the terminals.",
            ),
            key(
                "addresses",
                Kind::TextList,
                Unset,
                "Pulse only, and needed there: our addresses and whose they are: \"17\" is apartment 17, \"17=42\" apartment 42, \"1-20=101\" the apartments 101 to 120.",
            ),
            key(
                "handset",
                Kind::OneOf(&["relayed", "absent"]),
                Literal("\"relayed\""),
                "relayed: the old handset is wired behind the box's relay; absent: the box takes its place.",
            ),
            key(
                "panel",
                Kind::Text,
                Unset,
                "Name of the panel that the line belongs to, for display names and headers, for example \"Entrance 2\"; the line's name unless given.",
            ),
        ],
    },
    Section {
        name: "override",
        many: true,
        doc: "Values of the line profile that one apartment has of its own, because its cable or its handset differs. trubka line learn --live LINE --override proposes them.",
        keys: &[
            key(
                "apartment",
                int(1, 9_999),
                Required,
                "Apartment whose calls these values are for.",
            ),
            key(
                "source",
                Kind::Text,
                Literal("\"override in the configuration\""),
                "Where the values come from, for example \"measured 2026-05-31\".",
            ),
            volts(0),
            volts(1),
            volts(2),
            volts(3),
            volts(4),
            volts(5),
            volts(6),
            volts(7),
            volts(8),
            volts(9),
            volts(10),
            volts(11),
        ],
    },
    Section {
        name: "route",
        many: true,
        doc: "Who is called for an apartment and who may open its door.",
        keys: &[
            key(
                "apartment",
                int(1, 9_999),
                Required,
                "Apartment this route is for.",
            ),
            key(
                "when",
                Kind::Text,
                Unset,
                "Name of a [[schedule]]: the route is in force only then, and goes before the one without \"when\", which must be there too. What is in force when the visitor rings counts for the whole visit.",
            ),
            key(
                "account",
                Kind::Text,
                Unset,
                "Account the call leaves by; the first account unless given.",
            ),
            key(
                "targets",
                Kind::TextList,
                Required,
                "Whom to call: extensions (\"400\") or addresses (\"sip:400@host\"), 16 at the most.",
            ),
            key(
                "ring",
                Kind::OneOf(&["in_turn", "together"]),
                Literal("\"in_turn\""),
                "in_turn: the targets are called one after another; together: all at once, the first that answers has the visitor and the others stop ringing.",
            ),
            key(
                "target_timeout_s",
                int(5, 300),
                Literal("30"),
                "How long one target may ring before the next is tried, in seconds.",
            ),
            key(
                "display_name",
                Kind::Text,
                Unset,
                "Name shown on the phone instead of call.display_name; places as there.",
            ),
            key(
                "alert_info",
                Kind::Text,
                Unset,
                "Value of the Alert-Info header, which chooses a ring tone on many phones, for example \"<http://127.0.0.1/door>;info=alert-external\"; places as in call.display_name.",
            ),
            key(
                "may_open",
                Kind::TextList,
                Literal("[\"called\"]"),
                "Who may open the door: \"called\" is the party the box called; other entries are extensions that may call in and open.",
            ),
            key(
                "gain_to_line_db",
                int(-20, 20),
                Unset,
                "Gain of the resident's voice in this apartment, in decibels; media.gain_to_line_db unless given.",
            ),
            key(
                "gain_to_phone_db",
                int(-20, 20),
                Unset,
                "Gain of the visitor's voice for this apartment, in decibels; media.gain_to_phone_db unless given.",
            ),
        ],
    },
    Section {
        name: "schedule",
        many: true,
        doc: "A part of the week, for routes that are not always in force.",
        keys: &[
            key(
                "name",
                Kind::Text,
                Required,
                "Short name by which routes refer to the schedule.",
            ),
            key(
                "days",
                Kind::TextList,
                Literal("[\"mon-sun\"]"),
                "Days on which it begins: mon, tue, wed, thu, fri, sat, sun, or ranges such as \"mon-fri\".",
            ),
            key(
                "from",
                Kind::Text,
                Literal("\"00:00\""),
                "Local time at which it begins, \"HH:MM\".",
            ),
            key(
                "to",
                Kind::Text,
                Literal("\"24:00\""),
                "Local time at which it ends, \"HH:MM\"; one before \"from\" is on the next day.",
            ),
        ],
    },
    Section {
        name: "time",
        many: false,
        doc: "The clock on the wall, for schedules.",
        keys: &[key(
            "zone",
            Kind::Text,
            Unset,
            "Time zone, for example \"Europe/Berlin\"; that of the system unless given.",
        )],
    },
    Section {
        name: "access",
        many: false,
        doc: "Who may call the box, do-not-disturb, and where calls may be forwarded to.",
        keys: &[
            key(
                "incoming",
                Kind::OneOf(&["managed", "listed", "off"]),
                Literal("\"managed\""),
                "Who may call in: managed leaves it to the SIP server (whoever the PBX lets through), listed only takes the callers below, off refuses all.",
            ),
            key(
                "callers",
                Kind::TextList,
                Literal("[]"),
                "With incoming = \"listed\": extensions (\"200\") of the PBX, or addresses it passes on (\"200@host\").",
            ),
            key(
                "refuse_status",
                int(400, 699),
                Literal("403"),
                "SIP status given to callers who may not call in.",
            ),
            key(
                "asserted_identity",
                Kind::Bool,
                Literal("false"),
                "Whether a caller is known by P-Asserted-Identity instead of From; only where the PBX writes that header itself. It counts only in requests from the PBX.",
            ),
            key(
                "do_not_disturb_status",
                int(400, 699),
                Literal("480"),
                "SIP status given to callers while do-not-disturb is on.",
            ),
            key(
                "do_not_disturb_covers",
                Kind::OneOf(&["callers", "all"]),
                Literal("\"callers\""),
                "callers: only calls to the box are refused; all: no phone rings for visitors either.",
            ),
            key(
                "do_not_disturb_on",
                Kind::Digits,
                Literal("\"78\""),
                "Feature code that switches do-not-disturb on: called as a number at the box, or pressed after calling its extension.",
            ),
            key(
                "do_not_disturb_off",
                Kind::Digits,
                Literal("\"79\""),
                "Feature code that switches do-not-disturb off.",
            ),
            key(
                "feature_callers",
                Kind::TextList,
                Literal("[]"),
                "Extensions that may use feature codes; none unless given.",
            ),
            key(
                "forward_hosts",
                Kind::TextList,
                Literal("[]"),
                "Hosts besides the account's own PBX to which a redirection or a transfer may lead.",
            ),
            key(
                "forward_targets",
                Kind::TextList,
                Literal("[\"*\"]"),
                "Numbers to which a redirection or a transfer may lead; a * at the end stands for any rest.",
            ),
            key(
                "transfer",
                Kind::Bool,
                Literal("true"),
                "Whether a phone in a call may pass the visitor on with REFER.",
            ),
            key(
                "requests_per_second",
                int(1, 1_000),
                Literal("50"),
                "Requests outside calls that are taken from one address each second in the long run; the rest of a flood gets no answer.",
            ),
            key(
                "state_file",
                Kind::Path,
                Literal("\"/var/lib/trubka/state\""),
                "File in which do-not-disturb outlives a restart.",
            ),
        ],
    },
    Section {
        name: "door",
        many: false,
        doc: "Opening the door.",
        keys: &[
            key(
                "digits",
                Kind::Digits,
                Literal("\"9\""),
                "Keys that open the door during an answered call.",
            ),
            key(
                "max_wrong_digits",
                int(3, 1_000),
                Literal("20"),
                "Wrong keys in one call after which that call can no longer open the door.",
            ),
            key(
                "hangup_after_open_s",
                int(0, 120),
                Literal("5"),
                "Seconds from the opening to the end of the call; 0 leaves the call up.",
            ),
        ],
    },
    Section {
        name: "call",
        many: false,
        doc: "Limits of a call.",
        keys: &[
            key(
                "ring_limit_s",
                int(5, 300),
                Literal("45"),
                "Longest time the phones ring for one visitor, in seconds.",
            ),
            key(
                "talk_limit_s",
                int(10, 3_600),
                Literal("90"),
                "Longest conversation, in seconds.",
            ),
            key(
                "display_name",
                Kind::Text,
                Unset,
                "Name shown on phones for every visitor, with places {panel}, {apartment} and {line}, for example \"{panel}, apt {apartment}\"; the account's display_name unless given.",
            ),
            key(
                "headers",
                Kind::TextList,
                Literal("[]"),
                "Headers of our own in every visitor's call, for routing and labels in the PBX, with places as in display_name, for example [\"X-Apartment: {apartment}\", \"X-Panel: {panel}\"]; 8 at the most.",
            ),
            key(
                "when_declined",
                Kind::OneOf(&["next", "stop"]),
                Literal("\"next\""),
                "A phone declines the visitor (603, 607 or 608): next goes on with the other targets, stop ends all ringing.",
            ),
            key(
                "max_redirects",
                int(0, 5),
                Literal("3"),
                "How many 3xx answers of one target are followed (a phone that forwards to a mobile), and only where access.forward_hosts and forward_targets allow; 0 follows none.",
            ),
            key(
                "unanswered",
                Kind::OneOf(&["auto", "tone", "leave"]),
                Literal("\"auto\""),
                "Nobody took the visitor's call: tone takes the line, plays a failure tone or unanswered_wav and frees the line; leave does nothing, so that an old handset rings on; auto is tone where the box takes the handset's place, else leave.",
            ),
            key(
                "unanswered_wav",
                Kind::Path,
                Unset,
                "WAV file (PCM, any rate, 20 s at the most) played instead of the failure tone.",
            ),
            key(
                "rtp_timeout_s",
                int(2, 300),
                Literal("10"),
                "A call without audio packets from the PBX for so many seconds is ended (not while on hold).",
            ),
        ],
    },
    Section {
        name: "media",
        many: false,
        doc: "Audio over RTP.",
        keys: &[
            key(
                "rtp_port_first",
                int(1_024, 65_534),
                Literal("16384"),
                "First UDP port for RTP; even. Each call takes two ports.",
            ),
            key(
                "rtp_port_last",
                int(1_025, 65_535),
                Literal("16399"),
                "Last UDP port for RTP.",
            ),
            key(
                "codecs",
                Kind::TextList,
                Literal("[\"pcma\", \"pcmu\", \"g722\"]"),
                "Codecs in order of preference: pcma and pcmu (G.711), g722.",
            ),
            key(
                "crypto_suites",
                Kind::TextList,
                Literal(
                    "[\"AES_CM_128_HMAC_SHA1_80\", \"AES_256_CM_HMAC_SHA1_80\", \"AES_CM_128_HMAC_SHA1_32\"]",
                ),
                "What SRTP encrypts with, in order of preference, for accounts with media_encryption; AES_256_CM_HMAC_SHA1_32 is known too.",
            ),
            key(
                "ptime_ms",
                int(10, 60),
                Literal("20"),
                "Packet length sent, in milliseconds; a multiple of 10.",
            ),
            key(
                "telephone_event_payload_type",
                int(96, 127),
                Literal("101"),
                "RTP payload type offered for RFC 4733 key events.",
            ),
            key(
                "dscp",
                int(0, 63),
                Literal("46"),
                "Mark of RTP and RTCP packets for the network (DSCP): 46 is EF, 0 leaves them unmarked.",
            ),
            key(
                "gain_to_line_db",
                int(-20, 20),
                Literal("0"),
                "Gain of the resident's voice on its way to the line, in decibels; a limiter follows.",
            ),
            key(
                "gain_to_phone_db",
                int(-20, 20),
                Literal("0"),
                "Gain of the visitor's voice on its way to the phone, in decibels; a limiter follows.",
            ),
            key(
                "echo_control",
                Kind::OneOf(&["full", "linear", "off"]),
                Literal("\"full\""),
                "Echo of the phone's voice from the two-wire line: full cancels it and suppresses what is left and steady noise (7 ms of delay); linear only cancels; off leaves it.",
            ),
            key(
                "echo_paths_file",
                Kind::Path,
                Literal("\"/var/lib/trubka/echo-paths\""),
                "File in which what was learned of each apartment's echo outlives a restart, so that the first word of a call is free of it.",
            ),
            key(
                "echo_tail_ms",
                int(16, 256),
                Literal("64"),
                "Longest echo path that is cancelled, in milliseconds; longer ones cost more processor time.",
            ),
        ],
    },
    Section {
        name: "headset",
        many: false,
        doc: "A headset on the box, with which a technician listens to a line's calls and speaks in them: trubka headset.",
        keys: &[
            key(
                "capture",
                Kind::Text,
                Unset,
                "ALSA name of its microphone, for example \"plughw:CARD=Headset\" (arecord -L lists them); left out, there is no headset.",
            ),
            key(
                "playback",
                Kind::Text,
                Unset,
                "ALSA name of its earpiece (aplay -L lists them).",
            ),
            key(
                "capture_channel",
                int(0, 7),
                Literal("0"),
                "Channel of capture, from 0 (left).",
            ),
            key(
                "playback_channel",
                int(0, 7),
                Literal("0"),
                "Channel of playback, from 0 (left).",
            ),
            key(
                "rate_hz",
                int(8_000, 48_000),
                Literal("48000"),
                "Sample rate at which the devices are opened: 8000, 16000 or 48000.",
            ),
            key(
                "delay_ms",
                int(15, 200),
                Literal("30"),
                "Sound that is kept between the headset and the line, each way, in milliseconds; it grows by itself where a device needs more.",
            ),
            key(
                "limit_s",
                int(10, 86_400),
                Literal("900"),
                "The headset leaves the line by itself after so many seconds: a forgotten one does not listen for ever.",
            ),
        ],
    },
    Section {
        name: "journal",
        many: false,
        doc: "The record of every opening and refusal.",
        keys: &[
            key(
                "path",
                Kind::Path,
                Literal("\"/var/lib/trubka/journal.sqlite\""),
                "SQLite file of the journal.",
            ),
            key(
                "open_wait_ms",
                int(10, 2_000),
                Literal("250"),
                "How long an authorised opening waits for the disk before it goes ahead without it, in milliseconds.",
            ),
            key(
                "syslog_socket",
                Kind::Path,
                Literal("\"/dev/log\""),
                "Socket of the system log, which takes the records that the disk could not.",
            ),
            key(
                "keep_days",
                int(1, 3_650),
                Literal("365"),
                "Records older than this are removed.",
            ),
        ],
    },
    Section {
        name: "control",
        many: false,
        doc: "The local control socket, used by the trubka command and the console.",
        keys: &[key(
            "socket",
            Kind::Path,
            Literal("\"/run/trubka/control.sock\""),
            "Path of the socket; only its owner and group may use it.",
        )],
    },
    Section {
        name: "console",
        many: false,
        doc: "The serial console.",
        keys: &[
            key(
                "device",
                Kind::Path,
                Unset,
                "Serial device, for example /dev/ttyS0; left out, there is no console.",
            ),
            key(
                "baud",
                int(1_200, 4_000_000),
                Literal("115200"),
                "Line speed in bits per second, 8N1.",
            ),
            key(
                "password_file",
                Kind::Path,
                Literal("\"/var/lib/trubka/console.password\""),
                "File with the salted hash of the console password; the first login sets it.",
            ),
            key(
                "idle_logout_s",
                int(30, 86_400),
                Literal("600"),
                "Seconds without a key after which the console logs out.",
            ),
        ],
    },
    Section {
        name: "trace",
        many: false,
        doc: "Recording what goes over the network, for diagnosis.",
        keys: &[
            key(
                "pcap",
                Kind::Path,
                Unset,
                "File for a capture of SIP and RTP with secrets removed, for trubka sip trace FILE or Wireshark; left out, nothing is captured. SIP over TCP and TLS is written as UDP, decrypted.",
            ),
            key(
                "pcap_limit_kib",
                int(64, 1_048_576),
                Literal("16384"),
                "The capture stops at this size, in KiB.",
            ),
            key(
                "pcap_limit_s",
                int(10, 2_592_000),
                Literal("3600"),
                "The capture stops after this time, in seconds.",
            ),
            key(
                "pcap_rtp",
                Kind::OneOf(&["headers", "all", "none"]),
                Literal("\"headers\""),
                "What the capture holds of RTP: headers, enough to see loss and jitter; all, which records what people say and which keys they press; or none.",
            ),
        ],
    },
];

/// Whether `literal`, a TOML value, is a valid value of the key.
pub fn is_valid(key: &Key, literal: &str) -> bool {
    crate::document::default_value(key, literal).is_ok()
}
