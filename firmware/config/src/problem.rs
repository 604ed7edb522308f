//! What is wrong with a configuration, said so that a person can mend it.

use std::fmt;

/// Why a setting was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The file is not TOML.
    Syntax,
    /// A section or key that does not exist.
    UnknownKey,
    /// A key that must be given is not there.
    MissingKey,
    /// The value is of another type.
    WrongType,
    /// The value is outside its range, or in the wrong unit.
    OutOfRange,
    /// Something that must be unique stands twice.
    Duplicate,
    /// A name that refers to nothing.
    UnknownReference,
    /// A call target that cannot be called.
    UnroutableTarget,
    /// The file, or one that it names, cannot be read.
    Unreadable,
    /// It would work, but not protect.
    Unwise,
}

impl ProblemKind {
    /// Stable name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            ProblemKind::Syntax => "syntax",
            ProblemKind::UnknownKey => "unknown_key",
            ProblemKind::MissingKey => "missing_key",
            ProblemKind::WrongType => "wrong_type",
            ProblemKind::OutOfRange => "out_of_range",
            ProblemKind::Duplicate => "duplicate",
            ProblemKind::UnknownReference => "unknown_reference",
            ProblemKind::UnroutableTarget => "unroutable_target",
            ProblemKind::Unreadable => "unreadable",
            ProblemKind::Unwise => "unwise",
        }
    }
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File the problem is in, as it was given.
    pub file: String,
    /// Line, from 1; 0 where the problem has no place.
    pub line: usize,
    /// Key, as `section.key`.
    pub key: String,
    /// Kind of the problem.
    pub kind: ProblemKind,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}\n    hint: {}", self.cause, self.hint)
    }
}

impl std::error::Error for Problem {}
