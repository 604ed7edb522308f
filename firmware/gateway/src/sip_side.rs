//! Between the SIP user agent and the controller.

use std::net::SocketAddr;
use std::time::Duration;

use call::{Event, LegId};
use config::Config;
use media::{Encryption, SdpErrorKind};
use sip::{CallId, OfferId, RegistrationState, SourcePolicy, UaConfig, UaEvent};

use crate::Gateway;
use crate::accounts::SipServer;
use crate::leg::{Kind, Leg};

/// The user agent's part of the configuration.
pub(crate) fn ua_config(
    config: &Config,
    registrars: &[Vec<SipServer>],
    local: SocketAddr,
    public: Option<SocketAddr>,
) -> UaConfig {
    let account = |(index, account): (usize, &config::Account)| sip::Account {
        name: account.name.clone(),
        user: account.extension.clone(),
        domain: account.domain.to_string(),
        registrar: (registrars.get(index))
            .and_then(|servers| servers.first())
            .map(|server| server.address),
        auth_user: account.auth_user.clone(),
        password: sip::Secret::new(account.password.reveal()),
        display_name: account.display_name.clone(),
        expires_s: account.expires_s,
        register: account.register,
        keepalive_s: account.keepalive_s,
        realm: account.realm.clone(),
    };
    UaConfig {
        local,
        advertised: public,
        user_agent: config.sip.user_agent.clone(),
        accounts: config.accounts.iter().enumerate().map(account).collect(),
        allowed_sources: if config.sip.direct_calls {
            SourcePolicy::AccountsAnd(config.sip.direct_sources.clone())
        } else {
            SourcePolicy::AccountsOnly
        },
    }
}

impl Gateway {
    pub(crate) fn drain_sip(&mut self, now: Duration) -> bool {
        let mut busy = false;
        while let Some(event) = self.ua.poll_event() {
            busy = true;
            self.sip_event(now, event);
        }
        busy
    }

    fn sip_event(&mut self, now: Duration, event: UaEvent) {
        match event {
            UaEvent::Registration { account, state } => {
                self.registration(account, &state);
                self.review_accounts();
            }
            UaEvent::RegistrarSwitched { account, address } => {
                let account = self.account_name(account);
                let server = address.to_string();
                self.tell(Event::RegistrarSwitched { account, server });
            }
            UaEvent::PeerUnreachable { account } => self.reachable(account, false),
            UaEvent::PeerReachable { account } => self.reachable(account, true),
            UaEvent::Incoming {
                call,
                account,
                accounts,
                from,
                asserted,
                request_user,
                source,
                sdp,
                replaces,
                ..
            } => {
                let asserted = asserted.filter(|_| self.config.access.asserted_identity);
                let caller = Caller {
                    account,
                    who: self.caller(
                        asserted.as_deref().unwrap_or(&from),
                        account,
                        &accounts,
                        source,
                    ),
                    ipv6: source.is_ipv6(),
                    replaces,
                };
                self.incoming(now, call, &caller, &request_user, sdp);
            }
            UaEvent::Provisional { call, status, sdp } => {
                if let Some(leg) = self.calls.get(&call).copied() {
                    self.order_is_heard(leg);
                    if let Some(sdp) = sdp {
                        self.early_media(now, leg, &sdp);
                    }
                    self.controller.leg_provisional(leg, status);
                }
            }
            UaEvent::Answered { call, sdp, .. } => self.answered(now, call, sdp.as_deref()),
            UaEvent::Confirmed { .. }
            | UaEvent::OfferWithdrawn { .. }
            | UaEvent::OfferRejected { .. } => {}
            UaEvent::AckSdp { call, sdp } => self.take_answer(now, call, &sdp),
            UaEvent::OfferAccepted { call, sdp } => {
                if let Some(sdp) = sdp {
                    self.take_answer(now, call, &sdp);
                }
            }
            UaEvent::Offer { call, offer, sdp } => self.offer(now, call, offer, &sdp),
            UaEvent::OfferlessReinvite { call, offer } => {
                if let Some(leg) = self.calls.get(&call).and_then(|leg| self.legs.get_mut(leg)) {
                    let sdp = leg.session.create_offer();
                    self.ua.answer_offer(now, call, offer, sdp);
                }
            }
            UaEvent::Info {
                call,
                content_type,
                body,
                ..
            } => {
                if let Some(leg) = self.calls.get(&call).and_then(|leg| self.legs.get_mut(leg)) {
                    // A body without a key is counted by the session.
                    let _ = leg.session.info_digit(now, &content_type, &body);
                }
            }
            UaEvent::Transfer {
                call,
                target,
                replaces,
                referred_by,
                ..
            } => {
                let mut headers = Vec::new();
                headers.extend(replaces.map(|value| ("Replaces".to_owned(), value)));
                let by = referred_by.map(|uri| ("Referred-By".to_owned(), format!("<{uri}>")));
                headers.extend(by);
                let leg = self.calls.get(&call).copied();
                let asked = leg.map(|leg| self.controller.leg_transfer(now, leg, &target, headers));
                match asked {
                    Some(Ok(())) => self.ua.accept_transfer(now, call),
                    Some(Err((status, _))) => self.ua.reject_transfer(now, call, status),
                    None => self.ua.reject_transfer(now, call, 481),
                }
            }
            UaEvent::Ended { call, cause } => {
                if let Some(leg) = self.calls.get(&call).copied() {
                    self.finish_leg(now, leg);
                    if self.place_again(now, leg, cause.status)
                        || self.place_elsewhere(now, leg, &cause)
                    {
                        return;
                    }
                    self.tell_if_encryption_failed(leg, cause.status, &cause.reason);
                    self.test_call_failed(leg, cause.status, &cause.reason);
                    self.legs.remove(&leg);
                    self.calls.remove(&call);
                    match cause.status {
                        Some(status @ 300..=399) => {
                            self.controller
                                .leg_redirected(now, leg, status, &cause.contacts);
                        }
                        status => self.controller.leg_ended(now, leg, status, &cause.reason),
                    }
                }
            }
            UaEvent::Refused {
                source,
                method,
                status,
                why,
            } => {
                self.tell(Event::SipRefused {
                    source: source.to_string(),
                    method,
                    status,
                    reason: why.to_owned(),
                });
            }
        }
    }

    fn account_name(&self, account: usize) -> String {
        self.config
            .accounts
            .get(account)
            .map(|account| account.name.clone())
            .unwrap_or_default()
    }

    fn registration(&mut self, account: usize, state: &RegistrationState) {
        // Refreshes that change nothing are not told, so that journal and flash stay quiet.
        let last = self.registrations.get_mut(account);
        let (state, detail, hint) = registration_words(state);
        let told = last.map(|last| std::mem::replace(last, state));
        let unchanged = told == Some(state) && state != "failed";
        let retrying = state == "trying" && told != Some("unregistered");
        if unchanged || retrying {
            return;
        }
        let account = self.account_name(account);
        self.tell(Event::Registration {
            account,
            state: state.to_owned(),
            detail,
            hint: hint.to_owned(),
        });
    }

    fn reachable(&mut self, account: usize, reachable: bool) {
        self.set_reachable(account, reachable);
        let account = self.account_name(account);
        self.tell(Event::PbxReachable { account, reachable });
    }

    /// Who calls in: an extension of the PBX that the call came from, or somebody at the host he names whom that PBX only passes
    /// on. Who calls directly is known by his address alone: what he writes could be anybody's. `possible` are the accounts whose PBX
    /// it may have been.
    fn caller(
        &self,
        from: &sip::Party,
        account: Option<usize>,
        possible: &[usize],
        source: SocketAddr,
    ) -> call::Caller {
        let host = from.host.trim_matches(['[', ']']);
        let Some(carried) = account.filter(|account| *account < self.config.accounts.len()) else {
            return call::Caller::elsewhere(&from.user, &source.ip().to_string());
        };
        let Some(own) = self.extension_account(carried, host, source) else {
            return match host.is_empty() {
                true => call::Caller::unknown(&from.uri),
                false => call::Caller::elsewhere(&from.user, host),
            };
        };
        let others = possible.iter().filter(|one| !self.same_pbx(**one, carried));
        let others = others.map(|one| self.extension_account(*one, host, source).unwrap_or(*one));
        let accounts: Vec<usize> = [own].into_iter().chain(others).collect();
        let pbx = match accounts.len() {
            1 => config::pbx_name(&self.config.accounts, own),
            _ => Some(source.ip().to_string()),
        };
        call::Caller::extension(&accounts, &from.user, pbx.as_deref())
    }

    /// The account in whose domain a caller from the PBX of `account` is; none for somebody elsewhere whom that PBX passes on.
    fn extension_account(&self, account: usize, host: &str, source: SocketAddr) -> Option<usize> {
        let accounts = &self.config.accounts;
        // Several accounts may be extensions of one PBX, in one domain of it or in several.
        let ours = |index: &usize| {
            let other = accounts.get(*index);
            other.is_some_and(|other| other.domain.host.eq_ignore_ascii_case(host))
                && self.same_pbx(*index, account)
        };
        let mut by_domain = [account].into_iter().chain(0..accounts.len());
        let at_its_address = (host.parse() == Ok(source.ip())).then_some(account);
        by_domain.find(ours).or(at_its_address)
    }

    fn same_pbx(&self, one: usize, other: usize) -> bool {
        let registrar = |account: usize| Some(&self.config.accounts.get(account)?.registrar);
        registrar(one) == registrar(other)
    }

    fn incoming(
        &mut self,
        now: Duration,
        call: CallId,
        caller: &Caller,
        request_user: &str,
        sdp: Option<Vec<u8>>,
    ) {
        let id = self.controller.new_leg();
        let encryption = self.encryption_of(caller.account);
        let (account, ipv6) = (caller.account, caller.ipv6);
        let Some((slot, mut session)) = self.new_session(now, id, encryption, account, ipv6) else {
            let reason = "SIP;cause=486;text=\"all audio ports are in use\"";
            self.ua.reject(now, call, 486, Some(reason));
            return;
        };
        // A call that we could not answer may not take the visitor away from the phones that ring.
        let answer = match &sdp {
            Some(offer) => session.answer_offer(now, offer),
            None => Ok(session.create_offer()),
        };
        match answer {
            Ok(sdp) => {
                let kind = Kind::Incoming { answer: Some(sdp) };
                let mut leg = Leg::new(call, slot, session, kind, caller.who.name().to_owned());
                leg.account = caller.account;
                self.keep_leg(id, leg);
                let old = caller.replaces.map(|call| self.calls.get(&call).copied());
                match old {
                    None => self
                        .controller
                        .leg_incoming(now, id, request_user, &caller.who),
                    // A call that only is still being closed has no leg any more.
                    Some(old) => {
                        let old = old.unwrap_or(id);
                        self.controller.leg_replaces(now, id, old, &caller.who);
                    }
                }
            }
            Err(error) => {
                self.slot_of[slot] = None;
                let status = error.kind.sip_status();
                self.ua.reject(now, call, status, None);
                self.tell(Event::CallRefused {
                    party: caller.who.name().to_owned(),
                    status,
                    reason: error.to_string(),
                });
                if is_about_encryption(error.kind) {
                    self.encryption_refused(
                        caller.account,
                        caller.who.name(),
                        &error.cause,
                        error.hint,
                    );
                }
            }
        }
    }

    fn answered(&mut self, now: Duration, call: CallId, sdp: Option<&[u8]>) {
        let Some(id) = self.calls.get(&call).copied() else {
            return;
        };
        self.order_is_heard(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let mut about_encryption = None;
        let taken = match sdp {
            Some(sdp) => leg.session.accept_answer(now, sdp).map_err(|error| {
                about_encryption = is_about_encryption(error.kind).then_some(error.hint);
                error.to_string()
            }),
            None => Err("the answer holds no session description".to_owned()),
        };
        match taken {
            Ok(()) => {
                leg.session.start(now);
                leg.connected = true;
                leg.since = Some(now);
                if matches!(leg.kind, Kind::Test(_)) {
                    self.test_call_answered(now, id);
                } else {
                    self.controller.leg_answered(now, id);
                }
            }
            Err(why) => {
                if let Some(hint) = about_encryption {
                    let (account, party) = (leg.account, leg.party.clone());
                    self.encryption_refused(account, &party, &why, hint);
                }
                self.ua
                    .hang_up(now, call, Some("SIP;cause=488;text=\"no common media\""));
                self.test_call_failed(id, Some(488), &why);
                self.controller.leg_ended(now, id, Some(488), &why);
                self.finish_leg(now, id);
            }
        }
    }

    /// A description comes before the answer. Of several phones that ring behind one call the last
    /// one is heard; whose sound is taken in the end is decided by the answer.
    fn early_media(&mut self, now: Duration, id: LegId, sdp: &[u8]) {
        if !self.config.call.early_media {
            return;
        }
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.connected) else {
            return;
        };
        // What is wrong with it may be right in the answer.
        if leg.session.accept_answer(now, sdp).is_ok()
            && self.controller.leg_early_media(id)
            && let Some(leg) = self.legs.get_mut(&id)
        {
            leg.session.start(now);
        }
    }

    fn take_answer(&mut self, now: Duration, call: CallId, sdp: &[u8]) {
        let Some(id) = self.calls.get(&call).copied() else {
            return;
        };
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if let Err(error) = leg.session.accept_answer(now, sdp) {
            if is_about_encryption(error.kind) {
                let (account, party) = (leg.account, leg.party.clone());
                self.encryption_refused(account, &party, &error.cause, error.hint);
            }
            self.end_leg(now, id, "no common codec");
            self.controller
                .leg_ended(now, id, Some(488), &error.to_string());
        }
    }

    /// The peer changes the session: hold, resume, another address.
    fn offer(&mut self, now: Duration, call: CallId, offer: OfferId, sdp: &[u8]) {
        let leg = self.calls.get(&call).and_then(|leg| self.legs.get_mut(leg));
        match leg.map(|leg| leg.session.answer_offer(now, sdp)) {
            Some(Ok(answer)) => self.ua.answer_offer(now, call, offer, answer),
            Some(Err(error)) => self
                .ua
                .reject_offer(now, call, offer, error.kind.sip_status()),
            None => self.ua.reject_offer(now, call, offer, 488),
        }
    }

    /// A call that had to be encrypted was refused the way a PBX refuses encryption.
    fn tell_if_encryption_failed(&mut self, id: LegId, status: Option<u16>, reason: &str) {
        let Some(leg) = self.legs.get(&id) else {
            return;
        };
        let account = leg.account;
        let required = self.encryption_of(account) == Encryption::Required;
        if required && !leg.connected && matches!(status, Some(415 | 488 | 606)) {
            let party = leg.party.clone();
            let hint = media::SdpErrorKind::EncryptionMissing.hint();
            self.encryption_refused(account, &party, reason, hint);
        }
    }

    /// Ends a leg in whatever state it is.
    pub(crate) fn end_leg(&mut self, now: Duration, id: LegId, why: &str) {
        self.order_is_heard(id);
        let Some(leg) = self.legs.get(&id) else {
            return;
        };
        let call = leg.call;
        let reason = reason_header(why);
        self.ua.hang_up(now, call, Some(&reason));
        self.finish_leg(now, id);
    }

    /// Closes the media of a leg and frees its ports; what it still has to send is collected.
    pub(crate) fn finish_leg(&mut self, now: Duration, id: LegId) {
        self.tell_figures(now, id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.session.close(now);
        leg.collect(&mut self.outputs);
        if self.slot_of.get(leg.slot) == Some(&Some(id)) {
            self.slot_of[leg.slot] = None;
        }
        for line in 0..self.lines.len() {
            if self.lines[line].joined == Some(id) {
                self.keep_echo(line);
                self.lines[line].joined = None;
            }
        }
    }
}

/// The Reason header (RFC 3326) of a call that we end. Phones that see that a call was completed
/// elsewhere do not count it among the missed ones.
fn reason_header(why: &str) -> String {
    match why {
        "answered elsewhere" | "handset lifted" => {
            "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned()
        }
        "no answer" | "ring limit" => format!("Q.850;cause=19;text=\"{why}\""),
        "no audio from the PBX" | "line card gone" | "shutting down" => {
            format!("Q.850;cause=41;text=\"{why}\"")
        }
        _ => format!("Q.850;cause=16;text=\"{why}\""),
    }
}

/// Who calls in, and by which account.
struct Caller {
    account: Option<usize>,
    who: call::Caller,
    ipv6: bool,
    /// The call whose place he takes.
    replaces: Option<CallId>,
}

/// Whether the two sides differ about encryption.
fn is_about_encryption(kind: SdpErrorKind) -> bool {
    matches!(
        kind,
        SdpErrorKind::EncryptionMissing
            | SdpErrorKind::NoCommonCrypto
            | SdpErrorKind::UnsupportedTransport
    )
}

/// A registration state as name, detail and hint.
pub(crate) fn registration_words(
    state: &RegistrationState,
) -> (&'static str, String, &'static str) {
    match state {
        RegistrationState::Unregistered => ("unregistered", String::new(), ""),
        RegistrationState::Trying => ("trying", String::new(), ""),
        RegistrationState::Registered { expires_s } => {
            ("registered", format!("for {expires_s} s"), "")
        }
        RegistrationState::Failed {
            status,
            reason,
            retry_in_s,
            hint,
        } => {
            // The reason of a refusal begins with its status already.
            let status = status
                .map(|status| format!("{status} "))
                .filter(|status| !reason.starts_with(status.as_str()))
                .unwrap_or_default();
            (
                "failed",
                format!("{status}{reason}, next try in {retry_in_s} s"),
                hint,
            )
        }
    }
}
