//! The keys in force in one session.

use std::fmt;
use std::time::Duration;

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::{MasterKey, Protect, Refused, Unprotect};
use crate::CryptoSuite;

/// How long packets under the peer's last key are still taken after it has changed: they may be on their way.
const GRACE: Duration = Duration::from_secs(2);

/// What both sides agreed to encrypt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgreedKeys {
    /// What we send with.
    pub(crate) own: MasterKey,
    /// What the peer sends with.
    pub(crate) peer: MasterKey,
    /// The name of the peer's key in its packets, empty when it has none.
    pub(crate) identifier: Vec<u8>,
}

/// The contexts of a session: none while it is in the clear.
pub(crate) struct Vault {
    agreed: Option<AgreedKeys>,
    /// One for each key of ours that was ever in force: a key that comes back must not begin its counters anew.
    sending: Vec<(MasterKey, Box<dyn Protect>)>,
    receiving: Option<Box<dyn Unprotect>>,
    previous: Option<(Duration, Box<dyn Unprotect>)>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?})", self.suite())
    }
}

impl Vault {
    pub(crate) fn new() -> Vault {
        Vault {
            agreed: None,
            sending: Vec::new(),
            receiving: None,
            previous: None,
        }
    }

    /// The suite in force, `None` in the clear.
    pub(crate) fn suite(&self) -> Option<CryptoSuite> {
        self.agreed.as_ref().map(|agreed| agreed.own.suite())
    }

    /// Puts the outcome of a negotiation in force. Keys that stay keep their counters (RFC 4568, 7.1.4).
    pub(crate) fn set(&mut self, now: Duration, agreed: Option<&AgreedKeys>) {
        let Some(agreed) = agreed else {
            self.agreed = None;
            self.receiving = None;
            self.previous = None;
            return;
        };
        let peer = |keys: &AgreedKeys| (keys.peer.clone(), keys.identifier.clone());
        if self.agreed.as_ref().map(peer) != Some(peer(agreed)) {
            let next = Inbound::new(&agreed.peer, &agreed.identifier);
            let next = next.map(|inbound| Box::new(inbound) as Box<dyn Unprotect>);
            let last = std::mem::replace(&mut self.receiving, next);
            self.previous = last.map(|last| (now + GRACE, last));
        }
        if !self.sending.iter().any(|(key, _)| *key == agreed.own)
            && let Some(outbound) = Outbound::new(&agreed.own)
        {
            self.sending.push((agreed.own.clone(), Box::new(outbound)));
        }
        self.agreed = Some(agreed.clone());
    }

    /// Encrypts a packet that is about to leave, when the call is encrypted; false when it must not leave.
    pub(crate) fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> bool {
        match self.protector() {
            Some(protector) => protector.is_some_and(|protector| protector.protect_rtp(packet)),
            None => true,
        }
    }

    /// The same for RTCP.
    pub(crate) fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> bool {
        match self.protector() {
            Some(protector) => protector.is_some_and(|protector| protector.protect_rtcp(packet)),
            None => true,
        }
    }

    /// `None` in the clear; `Some(None)` when there ought to be a context and is none, which lets nothing out.
    fn protector(&mut self) -> Option<Option<&mut Box<dyn Protect>>> {
        let own = &self.agreed.as_ref()?.own;
        let found = self.sending.iter_mut().find(|(key, _)| key == own);
        Some(found.map(|(_, protector)| protector))
    }

    /// Gives the packet in the clear, from `out`, whose contents are lost. In a call without encryption that is the packet
    /// itself.
    pub(crate) fn open<'a>(
        &mut self,
        now: Duration,
        rtcp: bool,
        packet: &'a [u8],
        out: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Refused> {
        if self.agreed.is_none() {
            return Ok(packet);
        }
        let mut open = |context: &mut Box<dyn Unprotect>| {
            if rtcp {
                context.unprotect_rtcp(packet, out)
            } else {
                context.unprotect_rtp(packet, out)
            }
        };
        let mut outcome = match &mut self.receiving {
            Some(context) => open(context),
            None => Err(Refused::Forged),
        };
        if let Some((until, context)) = &mut self.previous
            && outcome == Err(Refused::Forged)
        {
            if now <= *until {
                outcome = open(context);
            } else {
                self.previous = None;
            }
        }
        outcome.map(|()| out.as_slice())
    }
}
