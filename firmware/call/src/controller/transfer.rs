//! A phone passes its visitor on (RFC 3515, RFC 5589): the box calls the target, and joins it to
//! the line when it answers. Until then the visitor stays with the phone that asked.

use std::time::Duration;

use super::{Controller, Phase, Talker, Transfer};
use crate::access::{Caller, may_forward};
use crate::event::Event;
use crate::leg::{Action, LegId};

impl Controller {
    /// The party of a leg asks to pass the visitor on to `target`, a `sip:` URI. `headers` come
    /// into the call to it (Replaces, Referred-By).
    ///
    /// # Errors
    /// SIP status and reason of the refusal, which is told.
    pub fn leg_transfer(
        &mut self,
        now: Duration,
        leg: LegId,
        target: &str,
        headers: Vec<(String, String)>,
    ) -> Result<(), (u16, &'static str)> {
        let line = self.talk_of(leg).ok_or((603, "no visitor to pass on"))?;
        let Phase::Talking(talk) = &self.phases[line] else {
            return Err((603, "no visitor to pass on"));
        };
        let account = self.route(line).map_or(0, |route| route.account);
        let hosts = self.settings.accounts.get(account);
        let hosts = hosts.map_or(&[][..], |account| &account.hosts);
        let allowed = if !self.settings.access.transfer {
            Err((603, "transfers are switched off (access.transfer)"))
        } else if talk.transfer.is_some() {
            Err((603, "another transfer is under way"))
        } else {
            may_forward(
                &self.settings.access,
                self.settings.direct_calls,
                hosts,
                target,
            )
            .map_err(|why| (403, why))
        };
        let party = talk.talker.shown().to_owned();
        let event = |state: &str, target: &str, reason: &str| Event::CallTransfer {
            line: self.line_name(line),
            party: party.clone(),
            target: target.to_owned(),
            state: state.to_owned(),
            reason: reason.to_owned(),
        };
        let address = match allowed {
            Ok(address) => address,
            Err(refusal) => {
                let shown: String = target
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(128)
                    .collect();
                let event = event("refused", &shown, refusal.1);
                self.tell(event);
                return Err(refusal);
            }
        };
        let event = event("asked", &address, "");
        self.tell(event);
        let new = self.new_leg();
        let account = self.route(line).map_or(0, |route| route.account);
        if let Phase::Talking(talk) = &mut self.phases[line] {
            talk.transfer = Some(Transfer {
                leg: new,
                target: address.clone(),
                account,
                since: now,
            });
        }
        self.place(line, new, address, headers);
        Ok(())
    }

    /// Whether the leg is the call to a target of a transfer, and on which line.
    fn transfer_of(&self, leg: LegId) -> Option<usize> {
        let of = |phase: &Phase| match phase {
            Phase::Talking(talk) => talk.transfer.as_ref().is_some_and(|one| one.leg == leg),
            _ => false,
        };
        self.phases.iter().position(of)
    }

    pub(super) fn is_transferring(&self, line: usize) -> bool {
        matches!(&self.phases[line], Phase::Talking(talk) if talk.transfer.is_some())
    }

    pub(super) fn transfer_placed(&mut self, leg: LegId, account: usize) {
        if let Some(line) = self.transfer_of(leg)
            && let Phase::Talking(talk) = &mut self.phases[line]
            && let Some(transfer) = &mut talk.transfer
        {
            transfer.account = account;
        }
    }

    pub(super) fn transfer_provisional(&mut self, leg: LegId, status: u16) -> bool {
        let Some(line) = self.transfer_of(leg) else {
            return false;
        };
        if let Phase::Talking(talk) = &self.phases[line]
            && let Some(old) = talk.leg
        {
            self.actions
                .push_back(Action::TransferProgress { leg: old, status });
        }
        true
    }

    /// The target answered: it has the visitor now, and whoever passed him on has nothing to do
    /// with this line any more.
    pub(super) fn transfer_answered(&mut self, now: Duration, leg: LegId) -> bool {
        let Some(line) = self.transfer_of(leg) else {
            return false;
        };
        let Phase::Talking(talk) = &mut self.phases[line] else {
            return false;
        };
        let Some(transfer) = talk.transfer.take() else {
            return false;
        };
        let called_in = matches!(talk.talker, Talker::Caller(_));
        let (account, target) = (transfer.account, &transfer.target);
        let pbx = self.settings.accounts.get(account);
        let pbx = pbx.and_then(|account| account.pbx.as_deref());
        let talker = match called_in {
            true => Talker::Caller(Caller::called_at(account, target, pbx)),
            false => Talker::Called(self.shown_called(account, target)),
        };
        self.hand_over(now, line, leg, talker, false);
        true
    }

    pub(super) fn transfer_leg_ended(
        &mut self,
        now: Duration,
        leg: LegId,
        status: Option<u16>,
        reason: &str,
    ) -> bool {
        let Some(line) = self.transfer_of(leg) else {
            return false;
        };
        let status = status.filter(|status| *status >= 300).unwrap_or(480);
        self.transfer_failed(now, line, status, reason, false);
        true
    }

    /// The target does not take the visitor: he stays with the phone that asked, if that is still
    /// there.
    pub(super) fn transfer_failed(
        &mut self,
        now: Duration,
        line: usize,
        status: u16,
        reason: &str,
        hang_up: bool,
    ) {
        let name = self.line_name(line);
        let Phase::Talking(talk) = &mut self.phases[line] else {
            return;
        };
        let Some(transfer) = talk.transfer.take() else {
            return;
        };
        let old = talk.leg;
        let party = talk.talker.shown().to_owned();
        if hang_up {
            self.actions.push_back(Action::HangUp {
                leg: transfer.leg,
                why: "no answer",
            });
        }
        self.tell(Event::CallTransfer {
            line: name,
            party,
            target: transfer.target,
            state: "failed".to_owned(),
            reason: reason.to_owned(),
        });
        match old {
            Some(leg) => self
                .actions
                .push_back(Action::TransferProgress { leg, status }),
            None => self.end_talk(now, line, "transfer failed", true),
        }
    }
}
