//! Carrying out what the controller orders.

use std::time::Duration;

use call::{Action, LegId};
use media::Encryption;
use sip::OutgoingCall;

use crate::leg::{Again, Kind, Leg};
use crate::sounds::Player;
use crate::voice::Gains;
use crate::{Gateway, Output};

/// A call to be placed.
pub(crate) struct CallOrder<'a> {
    pub(crate) account: usize,
    pub(crate) target: &'a str,
    pub(crate) display_name: Option<String>,
    /// Headers of our own.
    pub(crate) headers: Vec<(String, String)>,
    /// Line whose visitor the call is for.
    pub(crate) line: Option<usize>,
    pub(crate) kind: Kind,
}

impl Gateway {
    pub(crate) fn carry_out(&mut self, now: Duration, action: Action) {
        match action {
            Action::PlaceCall {
                leg,
                line,
                account,
                target,
                display_name,
                headers,
            } => {
                let order = CallOrder {
                    account,
                    target: &target,
                    display_name,
                    headers,
                    line: Some(line),
                    kind: Kind::Outgoing,
                };
                if let Err(why) = self.place_call(now, leg, order) {
                    self.controller.leg_ended(now, leg, None, &why);
                }
            }
            Action::HangUp { leg, why } => self.end_leg(now, leg, why),
            Action::AnswerIncoming { leg, line } => self.answer_incoming(now, leg, line),
            Action::RejectIncoming { leg, status, why } => {
                if let Some(call) = self.legs.get(&leg).map(|leg| leg.call) {
                    let reason = format!("SIP;cause={status};text=\"{why}\"");
                    self.ua.reject(now, call, status, Some(&reason));
                    self.finish_leg(now, leg);
                }
            }
            Action::AnswerLine { line, leg } => {
                self.join_line(line, leg);
                self.take_line(now, line);
            }
            Action::TakeLine { line } => self.take_line(now, line),
            Action::JoinLine { line, leg } => self.join_line(line, leg),
            Action::PlayFailure { line } => {
                let sound = self.failure_sound.clone();
                if let Some(slot) = self.lines.get_mut(line) {
                    slot.player = Some(Player::new(sound));
                }
            }
            Action::PlayToLeg { leg, sound, last } => self.play_to_leg(now, leg, sound, last),
            Action::KeepDoNotDisturb { on } => {
                self.outputs.push_back(Output::KeepDoNotDisturb { on });
            }
            Action::TransferProgress { leg, status } => {
                if let Some(leg) = self.legs.get(&leg) {
                    self.ua.transfer_progress(now, leg.call, status);
                }
            }
            Action::HangUpLine { line } => {
                self.keep_echo(line);
                if let Some(slot) = self.lines.get_mut(line) {
                    slot.joined = None;
                    slot.player = None;
                    slot.line.hang_up(now);
                }
            }
            Action::ReleaseDoor { line, token } => {
                let released = self
                    .lines
                    .get_mut(line)
                    .map(|slot| slot.line.release_door(now, token));
                if let Some(Err(error)) = released {
                    self.controller.release_failed(line, error.to_string());
                }
            }
            Action::Record { record, event } => {
                self.outputs.push_back(Output::Record { record, event })
            }
            Action::Tell(event) => self.tell(event),
        }
    }

    fn join_line(&mut self, line: usize, leg: LegId) {
        self.start_echo(line);
        let gains = self.gains_of(line);
        let apartment = self.controller.view(line).and_then(|view| view.apartment);
        if let Some(slot) = self.lines.get_mut(line) {
            slot.joined = Some(leg);
            slot.voice.begin(apartment, gains);
            slot.player = None;
        }
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.line = Some(line);
        }
    }

    /// Gains of the apartment on a line, where its route sets them, or else of the box.
    fn gains_of(&self, line: usize) -> Gains {
        let route = self.controller.route(line);
        let media = &self.config.media;
        let to_line = route.and_then(|route| route.gain_to_line_db);
        let to_phone = route.and_then(|route| route.gain_to_phone_db);
        Gains {
            to_line_db: to_line.unwrap_or(media.gain_to_line_db).into(),
            to_phone_db: to_phone.unwrap_or(media.gain_to_phone_db).into(),
        }
    }

    /// Silences directions of the call on a line until it ends, or opens them again; false without a call there.
    pub fn mute(&mut self, line: usize, to_line: bool, to_phone: bool) -> bool {
        let slot = self
            .lines
            .get_mut(line)
            .filter(|slot| slot.joined.is_some());
        slot.map(|slot| slot.voice.mute(to_line, to_phone))
            .is_some()
    }

    /// Goes off-hook; a line that cannot be taken any more ends the call that wanted it.
    fn take_line(&mut self, now: Duration, line: usize) {
        let taken = self.lines.get_mut(line).map(|slot| slot.line.answer(now));
        if let Some(Err(_)) = taken {
            self.controller.line_lost(now, line);
        }
    }

    /// Places a call; the error is the reason in words.
    pub(crate) fn place_call(
        &mut self,
        now: Duration,
        id: LegId,
        order: CallOrder<'_>,
    ) -> Result<(), String> {
        let wanted = order.account;
        let account = self.account_for(wanted);
        let order = CallOrder { account, ..order };
        self.remember_order(id, &order, wanted);
        self.place_through(now, id, order)
    }

    /// Places a call through the account that it names, usable or not.
    pub(crate) fn place_through(
        &mut self,
        now: Duration,
        id: LegId,
        order: CallOrder<'_>,
    ) -> Result<(), String> {
        let encryption = self.encryption_towards(order.account, order.target)?;
        self.place_encrypted(now, id, order, encryption)
    }

    fn place_encrypted(
        &mut self,
        now: Duration,
        id: LegId,
        order: CallOrder<'_>,
        encryption: Encryption,
    ) -> Result<(), String> {
        let server = self.ua.active_registrar(order.account);
        let ipv6 = server.is_some_and(|server| server.is_ipv6()) || order.target.contains('[');
        let (slot, mut session) = self
            .new_session(now, id, encryption, Some(order.account), ipv6)
            .ok_or("all audio ports are in use")?;
        let again = (encryption == Encryption::Optional).then(|| Again {
            target: order.target.to_owned(),
            display_name: order.display_name.clone(),
            headers: order.headers.clone(),
        });
        let request = OutgoingCall {
            target: order.target.to_owned(),
            sdp_offer: session.create_offer(),
            display_name: order.display_name,
            headers: order.headers,
        };
        match self.ua.invite(now, order.account, request) {
            Ok(call) => {
                let pbx = config::pbx_name(&self.config.accounts, order.account);
                let party = call::extension_name(order.target, pbx.as_deref());
                self.controller.leg_placed(id, order.account);
                let mut leg = Leg::new(call, slot, session, order.kind, party);
                leg.line = order.line;
                leg.account = Some(order.account);
                leg.again = again;
                self.keep_leg(id, leg);
                Ok(())
            }
            Err(error) => {
                self.slot_of[slot] = None;
                Err(error.to_string())
            }
        }
    }

    /// An offer that leaves the choice (`RTP/AVP` with keys) was refused: some PBXs that want encryption take only
    /// `RTP/SAVP`. Places the call once more in that form; false when there is nothing more to try.
    pub(crate) fn place_again(&mut self, now: Duration, id: LegId, status: Option<u16>) -> bool {
        let refused = matches!(status, Some(415 | 488 | 606));
        let again = self
            .legs
            .get_mut(&id)
            .filter(|leg| refused && !leg.connected);
        let Some(((again, account), leg)) = again
            .and_then(|leg| leg.again.take().zip(leg.account))
            .and_then(|again| Some((again, self.legs.remove(&id)?)))
        else {
            return false;
        };
        self.calls.remove(&leg.call);
        let order = CallOrder {
            account,
            target: &again.target,
            display_name: again.display_name,
            headers: again.headers,
            line: leg.line,
            kind: leg.kind,
        };
        self.place_encrypted(now, id, order, Encryption::Required)
            .is_ok()
    }

    fn answer_incoming(&mut self, now: Duration, id: LegId, line: usize) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let answer = match &mut leg.kind {
            Kind::Incoming { answer } => answer.take(),
            _ => None,
        };
        if let Some(sdp) = answer {
            leg.line = Some(line);
            leg.connected = true;
            leg.since = Some(now);
            leg.session.start(now);
            self.ua.answer(now, leg.call, sdp);
        }
    }
}
