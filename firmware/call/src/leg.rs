//! What the controller asks of the rest of the gateway.

use crate::event::Event;

/// One SIP call leg, outgoing or incoming, as the controller names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

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
