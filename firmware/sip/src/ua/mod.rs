//! The user agent.

use crate::*;
use std::net::SocketAddr;
use std::time::Duration;

/// Counts since start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Datagrams from strangers, dropped unread.
    pub stranger_datagrams: u64,
    /// Datagrams that were no SIP message.
    pub unreadable: u64,
    /// In-dialog requests that did not come from the dialog's peer.
    pub wrong_dialog_source: u64,
    /// Responses that match no transaction or came from elsewhere.
    pub stray_responses: u64,
    /// Requests refused with a status.
    pub refused: u64,
    /// `Refused` events left out by the rate limit.
    pub refused_events_suppressed: u64,
}

/// A SIP user agent: accounts, registrations and calls.
pub struct UserAgent {
    config: UaConfig,
}

#[allow(unused_variables)]
impl UserAgent {
    /// A user agent that has not started. `seed` feeds tags, branches and jitter.
    pub fn new(config: UaConfig, seed: [u8; 32]) -> Self {
        Self { config }
    }
    /// Begins to register and probe.
    pub fn start(&mut self, now: Duration) {}
    /// Ends calls and unregisters.
    pub fn shutdown(&mut self, now: Duration) {}
    /// True when nothing is under way.
    pub fn is_idle(&self) -> bool {
        true
    }
    /// A new address of an account's registrar.
    pub fn set_registrar(&mut self, now: Duration, account: usize, registrar: SocketAddr) {}
    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {}
    /// To be called at `next_deadline`.
    pub fn handle_timeout(&mut self, now: Duration) {}
    /// Next time something is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        None
    }
    /// ICMP unreachable and alike.
    pub fn transport_failed(&mut self, now: Duration, destination: SocketAddr) {}
    /// Next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }
    /// Next event.
    pub fn poll_event(&mut self) -> Option<UaEvent> {
        None
    }
    /// Calls somebody.
    ///
    /// # Errors
    /// See [`UaErrorKind`].
    pub fn invite(
        &mut self,
        now: Duration,
        account: usize,
        request: OutgoingCall,
    ) -> Result<CallId, UaError> {
        Err(UaError::new(
            UaErrorKind::NoAccount,
            self.config.user_agent.clone(),
        ))
    }
    /// 180.
    pub fn ring(&mut self, now: Duration, call: CallId) {}
    /// 200.
    pub fn answer(&mut self, now: Duration, call: CallId, sdp: Vec<u8>) {}
    /// Final refusal.
    pub fn reject(
        &mut self,
        now: Duration,
        call: CallId,
        status: u16,
        reason_header: Option<&str>,
    ) {
    }
    /// Ends a call.
    pub fn hang_up(&mut self, now: Duration, call: CallId, reason_header: Option<&str>) {}
    /// Answers an offer.
    pub fn answer_offer(&mut self, now: Duration, call: CallId, offer: OfferId, sdp: Vec<u8>) {}
    /// Refuses an offer.
    pub fn reject_offer(&mut self, now: Duration, call: CallId, offer: OfferId, status: u16) {}
    /// Sends INFO.
    ///
    /// # Errors
    /// See [`UaErrorKind`].
    pub fn send_info(
        &mut self,
        now: Duration,
        call: CallId,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), UaError> {
        Ok(())
    }
    /// Sends a re-INVITE.
    ///
    /// # Errors
    /// See [`UaErrorKind`].
    pub fn reinvite(&mut self, now: Duration, call: CallId, sdp: Vec<u8>) -> Result<(), UaError> {
        Ok(())
    }
    /// Sends an UPDATE.
    ///
    /// # Errors
    /// See [`UaErrorKind`].
    pub fn update(&mut self, now: Duration, call: CallId, sdp: Vec<u8>) -> Result<(), UaError> {
        Ok(())
    }
    /// State of an account.
    pub fn registration(&self, account: usize) -> RegistrationState {
        RegistrationState::Unregistered
    }
    /// Calls under way.
    pub fn call_count(&self) -> usize {
        0
    }
    /// Counts since start.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
