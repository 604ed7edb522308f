//! The one table of settings: what exists, its type, its range, its default and what it means.
//!
//! The reader, `config explain`, `config show --effective` and the reference page are all made
//! from this table, so they cannot disagree.

mod calls;
mod lines;
mod machine;
mod network;

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
    key(known.name, kind, Fallback::None, known.doc)
}

/// Every section and key of the configuration file.
pub static SECTIONS: &[Section] = &[
    network::SIP,
    network::ACCOUNT,
    lines::CARD,
    lines::LINE,
    lines::OVERRIDE,
    calls::ROUTE,
    calls::SCHEDULE,
    calls::TIME,
    calls::ACCESS,
    calls::DOOR,
    calls::CALL,
    machine::MEDIA,
    machine::HEADSET,
    machine::JOURNAL,
    machine::CONTROL,
    machine::CONSOLE,
    machine::TRACE,
];

/// Whether `literal`, a TOML value, is a valid value of the key.
pub fn is_valid(key: &Key, literal: &str) -> bool {
    crate::document::default_value(key, literal).is_ok()
}
