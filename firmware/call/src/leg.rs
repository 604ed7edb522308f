//! What the controller asks of the rest of the gateway.

use crate::event::Event;

/// One SIP call leg, outgoing or incoming, as the controller names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

/// A sound to a party that dials a feature code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// The code may be dialled.
    Ready,
    /// Do-not-disturb is on now.
    SwitchedOn,
    /// Do-not-disturb is off now.
    SwitchedOff,
    /// That was no code.
    Refused,
}

/// One journal record that something waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub u64);

/// An order of the controller. The gateway carries it out at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Place a call. The answer comes back as one of the `leg_*` inputs.
    PlaceCall {
        /// Name of the new leg.
        leg: LegId,
        /// Line that rings.
        line: usize,
        /// Index of the account.
        account: usize,
        /// Extension or `sip:` address.
        target: String,
        /// Name to show on the phone.
        display_name: Option<String>,
        /// Further headers.
        headers: Vec<(String, String)>,
    },
    /// End a leg in whatever state it is: CANCEL, BYE or a refusal. `leg_ended` need not follow.
    HangUp {
        /// The leg.
        leg: LegId,
        /// Why, for the Reason header and the trace.
        why: &'static str,
    },
    /// Answer an incoming leg towards the line.
    AnswerIncoming {
        /// The leg.
        leg: LegId,
        /// Line it is joined to.
        line: usize,
    },
    /// Refuse an incoming leg.
    RejectIncoming {
        /// The leg.
        leg: LegId,
        /// SIP status.
        status: u16,
        /// Text of the Reason header.
        why: &'static str,
    },
    /// Go off-hook on the line and join it to the leg.
    AnswerLine {
        /// The line.
        line: usize,
        /// The leg whose audio goes to it.
        leg: LegId,
    },
    /// Go off-hook on the line without a phone, for a technician's test opening.
    TakeLine {
        /// The line.
        line: usize,
    },
    /// Leave the line.
    HangUpLine {
        /// The line.
        line: usize,
    },
    /// Play to the line that nobody answers, then call [`crate::Controller::sound_ended`].
    PlayFailure {
        /// The line, off-hook.
        line: usize,
    },
    /// Join the line, which is off-hook already, to another leg.
    JoinLine {
        /// The line.
        line: usize,
        /// The leg whose audio goes to it from now on.
        leg: LegId,
    },
    /// Play a sound to a party that dials a feature code; the leg is answered for it if it is not
    /// yet.
    PlayToLeg {
        /// The leg.
        leg: LegId,
        /// The sound.
        sound: Sound,
        /// Whether the leg is hung up after it.
        last: bool,
    },
    /// Do-not-disturb was switched: keep it over a restart.
    KeepDoNotDisturb {
        /// Whether it is on.
        on: bool,
    },
    /// Tell the party that passes a visitor on how it goes (RFC 3515).
    TransferProgress {
        /// Its leg.
        leg: LegId,
        /// SIP status of the call to the target; from 200 on the last word.
        status: u16,
    },
    /// Release the door of the line.
    ReleaseDoor {
        /// The line.
        line: usize,
        /// Names the release in the line's answers.
        token: u64,
    },
    /// Write the record durably and answer with [`crate::Controller::journal_done`].
    Record {
        /// Names the record in the answer.
        record: RecordId,
        /// What to write.
        event: Event,
    },
    /// Tell the world; nothing waits for it.
    Tell(Event),
}
