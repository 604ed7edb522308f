//! The one list of events behind the journal, the log and every interface. Names are stable and
//! documented in `docs/reference/events.md`.

use serde::{Deserialize, Serialize};

use crate::CallFigures;

/// What opened the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Keys pressed on a phone during an answered call.
    Dtmf,
    /// The button of the old handset.
    Handset,
    /// A technician on the command line.
    Cli,
    /// A technician on the serial console.
    Console,
}

/// Why a door stayed shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The party is not among those who may open.
    PartyNotAllowed,
    /// Too many wrong keys in this call.
    TooManyWrongDigits,
    /// No visitor is on this line.
    NoCall,
    /// An opening of this line is under way.
    AlreadyOpening,
    /// The line is in a fault or its card is gone.
    LineUnavailable,
}

impl Refusal {
    /// What a person can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Refusal::PartyNotAllowed => {
                "add the extension to may_open of the apartment's [[route]]"
            }
            Refusal::TooManyWrongDigits => {
                "hang up and call again; the limit is door.max_wrong_digits"
            }
            Refusal::NoCall => {
                "the panel releases its lock only while a visitor's call is up on the line"
            }
            Refusal::AlreadyOpening => "wait until the running release has ended",
            Refusal::LineUnavailable => "run: trubka doctor",
        }
    }
}

/// Everything the gateway reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The daemon runs.
    Started {
        /// Version of the software.
        version: String,
    },
    /// The daemon ends in order.
    Stopped,
    /// An account's registration changed.
    Registration {
        /// Account name.
        account: String,
        /// `registered`, `trying`, `failed` or `unregistered`.
        state: String,
        /// Details, for example the status and the next try.
        detail: String,
        /// What to do, for failures.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        hint: String,
    },
    /// The PBX does not answer, or answers again.
    PbxReachable {
        /// Account name.
        account: String,
        /// Whether it answers.
        reachable: bool,
    },
    /// Calls of an account go through another one now, or through itself again.
    AccountSwitched {
        /// Account whose calls they are.
        account: String,
        /// Account that carries them.
        using: String,
    },
    /// Another server of an account is in use.
    RegistrarSwitched {
        /// Account name.
        account: String,
        /// Address now in use.
        server: String,
    },
    /// A name of an account does not resolve, or does again.
    NameService {
        /// Account name.
        account: String,
        /// Whether all its names resolve.
        resolved: bool,
        /// The name that does not.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        name: String,
        /// What the name service said.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        detail: String,
        /// What to do.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        hint: String,
    },
    /// TLS with a PBX does not come about; told once until it does.
    TlsFailed {
        /// Account name; empty for the box's own listener.
        account: String,
        /// Stable name: `untrusted`, `wrong_name`, `expired`, `key_mismatch` and so on.
        kind: String,
        /// What TLS said.
        detail: String,
        /// What to do.
        hint: String,
    },
    /// A certificate ends soon, or has ended.
    CertificateExpires {
        /// `own` or `server`.
        whose: String,
        /// Account name; empty for the box's own listener.
        account: String,
        /// When it ends, RFC 3339.
        until: String,
        /// Whole days until then.
        days_left: i64,
        /// What to do.
        hint: String,
    },
    /// A line card came or went.
    LineCard {
        /// Card name.
        card: String,
        /// Whether it is there.
        present: bool,
        /// Details.
        detail: String,
    },
    /// The watchdog of a line card let go of all loads and relays, because nothing reached the card
    /// in time. Calls of ours on its lines end; a call that nobody answered yet goes on.
    OutputsDropped {
        /// Card name.
        card: String,
        /// For how long the gateway stood still, in milliseconds; 0 where it did not.
        stood_ms: u64,
        /// What to do.
        hint: String,
    },
    /// A visitor's call reached an apartment: the ring rule is met.
    Ring {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// What was read from the wires, `D4 E2` or `address 17`; not on a pair.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        code: String,
        /// From the selection of the pair to here, in milliseconds.
        after_ms: u64,
    },
    /// The panel rings for an apartment that has no route: its old handset has the visitor, nothing
    /// of ours is on the line.
    UnknownApartment {
        /// Line name.
        line: String,
        /// Apartment, where the code belongs to one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        apartment: Option<u16>,
        /// What was read from the wires.
        code: String,
    },
    /// The panel of a pulse line plays a tone: `wrong_code` or `door_opened`.
    PanelTone {
        /// Line name.
        line: String,
        /// Which tone.
        tone: String,
    },
    /// A phone is being called.
    CallPlaced {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// Target as configured.
        target: String,
        /// Account name.
        account: String,
    },
    /// The line was taken for what the PBX of a called phone plays before the answer.
    CallEarlyMedia {
        /// Line name.
        line: String,
        /// Target.
        party: String,
    },
    /// The phone rings.
    CallRinging {
        /// Line name.
        line: String,
        /// Target or caller.
        party: String,
    },
    /// A party and the line talk.
    CallAnswered {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// The party.
        party: String,
        /// `outgoing` or `incoming`.
        direction: String,
    },
    /// A call attempt failed.
    CallFailed {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// Target.
        target: String,
        /// SIP status, where there was one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        status: Option<u16>,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A target sends the visitor's call elsewhere, and that is followed.
    CallRedirected {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// Target as it was called.
        target: String,
        /// Where the call goes on to.
        to: String,
    },
    /// Nobody took the visitor: every target failed, or the ringing lasted long enough.
    CallUnanswered {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// How many targets were called.
        tried: usize,
        /// Why the last of them failed.
        reason: String,
    },
    /// A phone passes its visitor on to another one.
    CallTransfer {
        /// Line name.
        line: String,
        /// The party that passes the visitor on.
        party: String,
        /// To whom.
        target: String,
        /// `asked`, `done`, `failed` or `refused`.
        state: String,
        /// Why, for failures and refusals; `taken over` when the other one called in for it.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        reason: String,
    },
    /// Do-not-disturb was switched.
    DoNotDisturb {
        /// Whether it is on now.
        on: bool,
        /// Who did it: an extension, `cli` or `console`.
        by: String,
    },
    /// An incoming call was not taken.
    CallRefused {
        /// The caller.
        party: String,
        /// SIP status sent.
        status: u16,
        /// Why.
        reason: String,
    },
    /// A call did not come about because of its encryption.
    EncryptionRefused {
        /// Account name.
        account: String,
        /// Target or caller.
        party: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A call ended.
    CallEnded {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// The party.
        party: String,
        /// Why.
        reason: String,
        /// Length of the conversation in milliseconds.
        talk_ms: u64,
    },
    /// What an answered call sounded like, told at its end.
    CallQuality(Box<CallFigures>),
    /// A key was pressed on the phone.
    Digit {
        /// Line name.
        line: String,
        /// The party.
        party: String,
        /// How it came: `rfc4733`, `info_dtmf_relay`, `info_dtmf`, `inband`.
        via: String,
        /// Whether it completed the opening keys; which key it was is not told.
        complete: bool,
    },
    /// The door was opened: written before the release starts.
    DoorOpened {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// Who.
        party: String,
        /// How.
        cause: Cause,
    },
    /// The door was not opened.
    DoorRefused {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// Who.
        party: String,
        /// How it was asked.
        cause: Cause,
        /// Why not.
        reason: Refusal,
    },
    /// The release of an authorised opening is on the wires.
    DoorReleaseStarted {
        /// Line name.
        line: String,
    },
    /// The release is over and the line restored.
    DoorReleaseEnded {
        /// Line name.
        line: String,
    },
    /// An authorised opening could not be carried out on the line.
    DoorReleaseFailed {
        /// Line name.
        line: String,
        /// Why.
        reason: String,
    },
    /// The old handset was lifted.
    HandsetLifted {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
    },
    /// The old handset was put back.
    HandsetReplaced {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
    },
    /// The panel ended its call: `gave_up` unanswered, or `ended` while talking.
    PanelEnded {
        /// Line name.
        line: String,
        /// Apartment.
        apartment: u16,
        /// `gave_up` or `ended`.
        how: String,
    },
    /// The line is free again.
    LineIdle {
        /// Line name.
        line: String,
    },
    /// Something is wrong with the line.
    LineFault {
        /// Line name.
        line: String,
        /// Stable name of the fault.
        kind: String,
        /// The reading that shows it.
        reading: String,
        /// What a technician should check.
        hint: String,
    },
    /// A fault went away.
    LineFaultCleared {
        /// Line name.
        line: String,
        /// Stable name of the fault.
        kind: String,
    },
    /// A request was turned away before it became a call.
    SipRefused {
        /// Address it came from.
        source: String,
        /// Method.
        method: String,
        /// Status sent, 0 for silence.
        status: u16,
        /// Why.
        reason: String,
    },
    /// A technician's headset joined a line's sound, or left it.
    Headset {
        /// Line name.
        line: String,
        /// `listen`, `talk`, or `off`.
        mode: String,
        /// Why it left.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        reason: String,
    },
    /// A sound device of the headset began to run or went away while the headset is on a line; the call goes on.
    HeadsetDevice {
        /// Line name.
        line: String,
        /// `microphone` or `earpiece`.
        device: String,
        /// Whether it runs.
        present: bool,
        /// How it runs, or why it does not.
        detail: String,
    },
    /// A test call was placed and ended.
    TestCall {
        /// Target.
        target: String,
        /// Whether it was answered.
        answered: bool,
        /// What happened.
        detail: String,
    },
    /// The journal cannot be written, or can again.
    JournalAlarm {
        /// Whether it fails now.
        failing: bool,
        /// Records waiting in memory.
        waiting: usize,
        /// Records dropped because the queue was full.
        dropped: u64,
        /// Details.
        detail: String,
    },
}

impl Event {
    /// Stable name, the same as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Started { .. } => "started",
            Event::Stopped => "stopped",
            Event::Registration { .. } => "registration",
            Event::PbxReachable { .. } => "pbx_reachable",
            Event::AccountSwitched { .. } => "account_switched",
            Event::RegistrarSwitched { .. } => "registrar_switched",
            Event::NameService { .. } => "name_service",
            Event::TlsFailed { .. } => "tls_failed",
            Event::CertificateExpires { .. } => "certificate_expires",
            Event::LineCard { .. } => "line_card",
            Event::OutputsDropped { .. } => "outputs_dropped",
            Event::Ring { .. } => "ring",
            Event::UnknownApartment { .. } => "unknown_apartment",
            Event::PanelTone { .. } => "panel_tone",
            Event::CallPlaced { .. } => "call_placed",
            Event::CallEarlyMedia { .. } => "call_early_media",
            Event::CallRinging { .. } => "call_ringing",
            Event::CallAnswered { .. } => "call_answered",
            Event::CallFailed { .. } => "call_failed",
            Event::CallRedirected { .. } => "call_redirected",
            Event::CallUnanswered { .. } => "call_unanswered",
            Event::CallTransfer { .. } => "call_transfer",
            Event::DoNotDisturb { .. } => "do_not_disturb",
            Event::CallRefused { .. } => "call_refused",
            Event::EncryptionRefused { .. } => "encryption_refused",
            Event::CallEnded { .. } => "call_ended",
            Event::CallQuality(_) => "call_quality",
            Event::Digit { .. } => "digit",
            Event::DoorOpened { .. } => "door_opened",
            Event::DoorRefused { .. } => "door_refused",
            Event::DoorReleaseStarted { .. } => "door_release_started",
            Event::DoorReleaseEnded { .. } => "door_release_ended",
            Event::DoorReleaseFailed { .. } => "door_release_failed",
            Event::HandsetLifted { .. } => "handset_lifted",
            Event::HandsetReplaced { .. } => "handset_replaced",
            Event::PanelEnded { .. } => "panel_ended",
            Event::LineIdle { .. } => "line_idle",
            Event::LineFault { .. } => "line_fault",
            Event::LineFaultCleared { .. } => "line_fault_cleared",
            Event::SipRefused { .. } => "sip_refused",
            Event::Headset { .. } => "headset",
            Event::HeadsetDevice { .. } => "headset_device",
            Event::TestCall { .. } => "test_call",
            Event::JournalAlarm { .. } => "journal_alarm",
        }
    }

    /// Whether the event belongs in the journal. Passing states (a phone rings, a line is free)
    /// are only logged, so that flash memory is not worn by them.
    pub fn is_journalled(&self) -> bool {
        !matches!(
            self,
            Event::CallRinging { .. }
                | Event::CallEarlyMedia { .. }
                | Event::PanelTone { .. }
                | Event::Digit { .. }
                | Event::DoorReleaseStarted { .. }
                | Event::DoorReleaseEnded { .. }
                | Event::LineIdle { .. }
                | Event::SipRefused { .. }
                | Event::HeadsetDevice { .. }
        )
    }
}
