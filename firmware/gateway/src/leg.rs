//! One call leg: its SIP call, its media session, its RTP ports.

use std::collections::VecDeque;
use std::time::Duration;

use media::{Session, TransmitKind};
use sip::CallId;

use crate::Output;
use crate::service::Service;
use crate::test_call::TestCallState;

/// What a leg is for.
pub(crate) enum Kind {
    /// A phone called for a visitor.
    Outgoing,
    /// A phone that called us, with the description for our 200.
    Incoming { answer: Option<Vec<u8>> },
    /// A phone that dials a feature code and hears what becomes of it.
    Service(Service),
    /// A technician's test call.
    Test(Box<TestCallState>),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The description of an incoming call may hold keys.
        f.write_str(match self {
            Kind::Outgoing => "Outgoing",
            Kind::Incoming { .. } => "Incoming",
            Kind::Service(_) => "Service",
            Kind::Test(_) => "Test",
        })
    }
}

/// What is needed to place a call once more.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    pub(crate) target: String,
    pub(crate) display_name: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// One call leg.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) call: CallId,
    pub(crate) session: Session,
    pub(crate) slot: usize,
    pub(crate) line: Option<usize>,
    pub(crate) kind: Kind,
    pub(crate) party: String,
    pub(crate) connected: bool,
    /// When it was answered, until its figures have been told.
    pub(crate) since: Option<Duration>,
    /// Account the call belongs to.
    pub(crate) account: Option<usize>,
    /// How to place the call again with encryption that must be, after the PBX has refused encryption that may be.
    pub(crate) again: Option<Again>,
}

impl Leg {
    /// A leg that is not connected yet, on the audio ports of `slot`.
    pub(crate) fn new(
        call: CallId,
        slot: usize,
        session: Session,
        kind: Kind,
        party: String,
    ) -> Leg {
        Leg {
            call,
            session,
            slot,
            line: None,
            kind,
            party,
            connected: false,
            since: None,
            account: None,
            again: None,
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let test = match &self.kind {
            Kind::Test(test) => Some(test.next_deadline()),
            Kind::Service(service) => service.next_deadline(),
            _ => None,
        };
        [self.session.next_deadline(), test]
            .into_iter()
            .flatten()
            .min()
    }

    /// Moves the packets that wait in the session to the outputs.
    pub(crate) fn collect(&mut self, outputs: &mut VecDeque<Output>) {
        while let Some(transmit) = self.session.poll_transmit() {
            outputs.push_back(Output::Rtp {
                slot: self.slot,
                rtcp: transmit.kind == TransmitKind::Rtcp,
                destination: transmit.destination,
                payload: transmit.payload,
            });
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        match (&self.kind, self.connected) {
            (_, true) => "talking",
            (Kind::Incoming { .. }, false) => "incoming",
            (_, false) => "calling",
        }
    }
}
