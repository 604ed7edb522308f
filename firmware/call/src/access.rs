//! Who may open which door.

use config::Route;

/// A party that asks for the door, as the signalling has proven it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener<'a> {
    /// The phone that the box called for this visitor and that answered.
    Called,
    /// A party that called in through the PBX; its user part.
    Caller(&'a str),
}

/// Whether the party may open the apartment's door. The names are compared whole and to the
/// letter: `200` is not `200;x` nor `%32%30%30`.
pub fn may_open(route: &Route, opener: Opener<'_>) -> bool {
    match opener {
        Opener::Called => route.called_may_open,
        Opener::Caller(user) => route.callers_may_open.iter().any(|allowed| allowed == user),
    }
}
