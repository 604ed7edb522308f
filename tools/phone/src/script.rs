//! What the phone does with a call.

use std::time::Duration;

/// How the phone meets an incoming call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Rings, then answers.
    Answer {
        /// Time of ringing.
        after: Duration,
    },
    /// 486.
    Busy,
    /// Rings for ever.
    NoAnswer,
}

/// How a key travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyBy {
    /// RFC 4733 event in RTP.
    Rfc4733,
    /// SIP INFO with `application/dtmf-relay`.
    InfoRelay,
    /// SIP INFO with `application/dtmf`.
    InfoDtmf,
}

/// One press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPress {
    /// From the answer.
    pub after: Duration,
    /// The key.
    pub digit: char,
    /// How it travels.
    pub by: KeyBy,
}

/// The script of every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// How an incoming call is met.
    pub behaviour: Behaviour,
    /// What is spoken from the answer on, 8 kHz.
    pub says: Vec<i16>,
    /// Keys in order of time.
    pub keys: Vec<KeyPress>,
    /// From the answer to hanging up; none leaves it to the other side.
    pub hang_up_after: Option<Duration>,
}

impl Script {
    /// Answers after `ring_for` and presses `digit` by RFC 4733 `press_after` later.
    pub fn answer_and_press(ring_for: Duration, press_after: Duration, digit: char) -> Script {
        Script {
            behaviour: Behaviour::Answer { after: ring_for },
            says: Vec::new(),
            keys: vec![KeyPress {
                after: press_after,
                digit,
                by: KeyBy::Rfc4733,
            }],
            hang_up_after: None,
        }
    }
}
