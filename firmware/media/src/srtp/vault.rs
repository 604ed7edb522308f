//! The keys in force in one session.

use std::fmt;
use std::time::Duration;

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::{MasterKey, Protect, Refused, Unprotect};
use crate::CryptoSuite;

/// How long packets under the peer's last key are still taken after it has changed: they may be on their way.
const GRACE: Duration = Duration::from_secs(2);
/// Keys of a peer in one call at most; with more, nothing of the peer is heard. Forgetting one would let its packets in again.
const MAX_KEYS: usize = 32;

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
    /// One for each key of the peer that was ever in force, the one in force last: a key that comes back must not forget which
    /// packets have been taken, or a recording of them would be taken again.
    receiving: Vec<Receiver>,
    /// Until when packets under the key before the last are taken.
    grace: Option<Duration>,
}

/// The receiving side under one key of the peer, with its name.
struct Receiver {
    key: MasterKey,
    identifier: Vec<u8>,
    context: Box<dyn Unprotect>,
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
            receiving: Vec::new(),
            grace: None,
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
            self.grace = None;
            return;
        };
        let peer = |keys: &AgreedKeys| (keys.peer.clone(), keys.identifier.clone());
        let before = self.agreed.as_ref().map(peer);
        if before != Some(peer(agreed)) {
            self.grace = before.map(|_| now + GRACE);
            self.receive_with(agreed);
        }
        if !self.sending.iter().any(|(key, _)| *key == agreed.own)
            && let Some(outbound) = Outbound::new(&agreed.own)
        {
            self.sending.push((agreed.own.clone(), Box::new(outbound)));
        }
        self.agreed = Some(agreed.clone());
    }

    /// Puts a key of the peer in force, with what is remembered of it.
    fn receive_with(&mut self, agreed: &AgreedKeys) {
        let same =
            |known: &Receiver| known.key == agreed.peer && known.identifier == agreed.identifier;
        if let Some(known) = self.receiving.iter().position(same) {
            let known = self.receiving.remove(known);
            self.receiving.push(known);
            return;
        }
        if self.receiving.len() < MAX_KEYS
            && let Some(context) = Inbound::new(&agreed.peer, &agreed.identifier)
        {
            self.receiving.push(Receiver {
                key: agreed.peer.clone(),
                identifier: agreed.identifier.clone(),
                context: Box::new(context),
            });
        }
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
        let Some(agreed) = &self.agreed else {
            return Ok(packet);
        };
        let mut open = |context: &mut Box<dyn Unprotect>| {
            if rtcp {
                context.unprotect_rtcp(packet, out)
            } else {
                context.unprotect_rtp(packet, out)
            }
        };
        let mut newest = self.receiving.iter_mut().rev();
        // No other than the one that was agreed, even if there is no room for it.
        let current = newest
            .next()
            .filter(|known| known.key == agreed.peer && known.identifier == agreed.identifier);
        let mut outcome = match current {
            Some(known) => open(&mut known.context),
            None => Err(Refused::Forged),
        };
        if outcome == Err(Refused::Forged)
            && self.grace.is_some_and(|until| now <= until)
            && let Some(previous) = newest.next()
        {
            outcome = open(&mut previous.context);
        }
        outcome.map(|()| out.as_slice())
    }
}
