//! Session timers (RFC 4028): a call whose other end vanished ends by itself.

use super::call::{OurOffer, Phase};
use super::{Owner, TimerKey, UserAgent};
use crate::message::{Message, Method, Params};
use crate::options::MIN_SE_S;
use crate::{EndedBy, SessionRefresher};
use std::time::Duration;

/// Longest interval a peer may ask for, seconds.
const LONGEST_S: u32 = 86_400;
/// An interval below this would be a flood of refreshes; peers that answer with less than the 90 s
/// of RFC 4028 are taken down to here.
const SHORTEST_TAKEN_S: u32 = 20;
/// Times a request is repeated because of 422, one for each proxy on the way.
const MAX_422: u8 = 3;

/// The timer of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionTimer {
    interval_s: u32,
    we_refresh: bool,
    refresh_at: Option<Duration>,
    /// BYE is sent here, before the other side gives the session up.
    end_at: Duration,
}

/// What a call keeps for its session timer.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Interval we ask for, seconds; 0: no timer.
    wanted_s: u32,
    /// Largest Min-SE seen in a 422 or request, 0 if none.
    min_se_s: u32,
    retries: u8,
    timer: Option<SessionTimer>,
    /// The peer takes UPDATE.
    updates: bool,
    /// Last SDP of either side, to repeat it and to see a change.
    local_sdp: Vec<u8>,
    remote_sdp: Vec<u8>,
}

impl Session {
    /// Of a call of ours.
    pub(super) fn asking(wanted_s: u32, local_sdp: &[u8]) -> Self {
        Self {
            wanted_s,
            local_sdp: local_sdp.to_vec(),
            ..Self::default()
        }
    }
}

/// A Session-Expires value: seconds and refresher.
fn session_expires(message: &Message) -> Option<(u32, Option<bool>)> {
    let value = message.headers.get("Session-Expires")?;
    let (seconds, params) = value.split_once(';').unwrap_or((value, ""));
    let refresher = match Params::parse(params).get("refresher") {
        Some(who) if who.eq_ignore_ascii_case("uac") => Some(true),
        Some(who) if who.eq_ignore_ascii_case("uas") => Some(false),
        _ => None,
    };
    let seconds: u32 = seconds.trim().parse().ok()?;
    Some((seconds.min(LONGEST_S), refresher))
}

fn min_se(message: &Message) -> Option<u32> {
    let value = message.headers.get("Min-SE")?;
    let seconds = value.split(';').next()?.trim().parse().ok()?;
    (seconds <= LONGEST_S).then_some(seconds)
}

pub(super) fn lists(message: &Message, header: &str, tag: &str) -> bool {
    message
        .headers
        .list(header)
        .any(|listed| listed.eq_ignore_ascii_case(tag))
}

/// The word for who refreshes, seen from the sender of the request.
fn word(sender: bool) -> &'static str {
    if sender { "uac" } else { "uas" }
}

impl UserAgent {
    /// Interval and choice of an account; calls without one have the default.
    pub(super) fn session_settings(&self, account: Option<usize>) -> (u32, SessionRefresher) {
        let options = account.and_then(|a| self.options.get(a));
        let default = crate::AccountOptions::default();
        let options = options.unwrap_or(&default);
        (options.session_s().unwrap_or(0), options.session_refresher)
    }

    /// True if a request is for a shorter session than we allow, by a caller who can ask for a
    /// longer one (RFC 4028 9). Without `Supported: timer` a proxy set the value, and the caller
    /// could not act on 422.
    pub(super) fn session_too_short(&self, account: Option<usize>, request: &Message) -> bool {
        self.session_settings(account).0 > 0
            && lists(request, "Supported", "timer")
            && session_expires(request).is_some_and(|(seconds, _)| seconds < MIN_SE_S)
    }

    /// Session headers of an INVITE, re-INVITE or UPDATE of ours.
    pub(super) fn write_session(&self, session: &Session, account: Option<usize>, m: &mut Message) {
        if session.wanted_s == 0 {
            return;
        }
        let refresher = match session.timer {
            // Within a session the roles stay.
            Some(timer) => Some(word(timer.we_refresh)),
            None => match self.session_settings(account).1 {
                SessionRefresher::Any => None,
                SessionRefresher::Local => Some(word(true)),
                SessionRefresher::Remote => Some(word(false)),
            },
        };
        let seconds = session.timer.map_or(session.wanted_s, |t| t.interval_s);
        let seconds = seconds.max(session.min_se_s).max(MIN_SE_S);
        let refresher = refresher.map_or(String::new(), |who| format!(";refresher={who}"));
        m.headers
            .push("Session-Expires", format!("{seconds}{refresher}"));
        if session.min_se_s > MIN_SE_S {
            m.headers.push("Min-SE", session.min_se_s.to_string());
        }
        add_supported(m, "timer");
    }

    /// Session headers of our 2xx to INVITE or UPDATE, and the timer they agree on (RFC 4028 9).
    pub(super) fn answer_session(
        &mut self,
        now: Duration,
        id: u64,
        request: &Message,
        response: &mut Message,
    ) {
        // A session has no timer before it begins, and PRACK sets none.
        let sets = matches!(request.method(), Some(&Method::INVITE | &Method::UPDATE));
        let begun = |c: &&super::Call| sets && c.phase != Phase::Ringing;
        let Some(account) = self.calls.get(&id).filter(begun).map(|c| c.account) else {
            return;
        };
        let (ours, choice) = self.session_settings(account);
        if ours == 0 {
            return;
        }
        add_supported(response, "timer");
        let can = lists(request, "Supported", "timer") || lists(request, "Require", "timer");
        let asked = session_expires(request);
        if let Some(call) = self.calls.get_mut(&id) {
            call.session.wanted_s = ours;
            call.session.updates |= lists(request, "Allow", "UPDATE");
            call.session.min_se_s = call.session.min_se_s.max(min_se(request).unwrap_or(0));
        }
        if asked.is_none() && !can {
            // Neither the caller nor a proxy wants a timer.
            self.set_session(id, None);
            return;
        }
        let least = min_se(request).unwrap_or(0).max(MIN_SE_S);
        let seconds = asked.map_or(ours, |(asked, _)| asked.min(ours));
        // Never above what was asked, never below the least of the way (RFC 4028 9).
        let seconds = seconds.max(least);
        let caller_refreshes = match asked.and_then(|(_, refresher)| refresher) {
            _ if !can => false,
            Some(refresher) => refresher,
            None => choice != SessionRefresher::Local,
        };
        let value = format!("{seconds};refresher={}", word(caller_refreshes));
        response.headers.push("Session-Expires", value);
        if caller_refreshes {
            response.headers.push("Require", "timer");
        }
        self.start_session(now, id, seconds, !caller_refreshes);
    }

    /// A 2xx to a request of ours says how the session goes on (RFC 4028 7.2).
    pub(super) fn session_answered(&mut self, now: Duration, id: u64, response: &Message) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.session.updates |= lists(response, "Allow", "UPDATE");
        call.session.retries = 0;
        if call.session.wanted_s == 0 {
            return;
        }
        match session_expires(response) {
            Some((seconds, refresher)) => {
                let seconds = seconds.max(SHORTEST_TAKEN_S);
                self.start_session(now, id, seconds, refresher.unwrap_or(true));
            }
            // The peer knows no timers: the session does not expire.
            None => self.set_session(id, None),
        }
    }

    fn start_session(&mut self, now: Duration, id: u64, interval_s: u32, we_refresh: bool) {
        let interval = Duration::from_secs(u64::from(interval_s));
        let margin = Duration::from_secs(32).min(interval / 3);
        let timer = SessionTimer {
            interval_s,
            we_refresh,
            refresh_at: we_refresh.then(|| now + interval / 2),
            end_at: now + interval - margin,
        };
        self.set_session(id, Some(timer));
    }

    pub(super) fn set_session(&mut self, id: u64, timer: Option<SessionTimer>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.session.timer = timer;
            let at = timer.map(|t| t.refresh_at.map_or(t.end_at, |at| at.min(t.end_at)));
            self.timers.set(TimerKey::Session(id), at);
        }
    }

    pub(super) fn session_timer(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(mut timer) = call.session.timer else {
            return;
        };
        if call.ended || !matches!(call.phase, Phase::Answered | Phase::Confirmed) {
            return;
        }
        if timer.end_at <= now {
            let text = "the session was not refreshed".to_owned();
            self.set_session(id, None);
            self.report_end(id, Some(408), text, EndedBy::Timeout);
            self.end_dialog(
                now,
                id,
                Some("SIP;cause=408;text=\"session expired\"".into()),
            );
            return;
        }
        // The next try if this one fails for another reason than a lost dialog.
        timer.refresh_at = Some(now + (timer.end_at - now) / 2 + Duration::from_secs(1));
        let free = call.our_offer.is_none();
        let update = call.session.updates || call.session.local_sdp.is_empty();
        if free {
            call.our_offer = Some(OurOffer {
                update,
                sdp: if update {
                    Vec::new()
                } else {
                    call.session.local_sdp.clone()
                },
                client: None,
                refresh: true,
            });
        }
        self.set_session(id, Some(timer));
        if free {
            self.retry_offer(now, id);
        }
    }

    /// 422 to a request of ours: the interval to ask for next, unless it was raised too often or
    /// the peer names no usable one (RFC 4028 7.4).
    pub(super) fn raise_session(&mut self, id: u64, response: &Message) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        let session = &mut call.session;
        let least = min_se(response).filter(|least| *least > session.min_se_s);
        let (Some(least), true) = (least, session.retries < MAX_422) else {
            return false;
        };
        session.retries += 1;
        session.min_se_s = least;
        session.wanted_s > 0
    }

    /// Sends the INVITE again with the interval a 422 asks for.
    pub(super) fn invite_with_longer_session(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
    ) -> Option<u64> {
        if !self.raise_session(id, response) {
            return None;
        }
        let account = self.calls.get(&id)?.account;
        let old = self.clients.get(&client)?;
        let destination = old.destination;
        let mut request = old.request.clone();
        let cseq = request.cseq()?.0 + 1;
        request.headers.set("CSeq", format!("{cseq} INVITE"));
        for name in ["Session-Expires", "Min-SE"] {
            request.headers.remove(name);
        }
        self.write_session(&self.calls.get(&id)?.session, account, &mut request);
        self.renew_credentials(account, destination, &mut request);
        self.send_request(now, request, destination, Owner::Invite(id))
    }

    /// A refused refresh by UPDATE is repeated as re-INVITE if the peer does not know UPDATE.
    pub(super) fn refresh_refused(&mut self, now: Duration, id: u64, status: u16) {
        let Some(state) = self.calls.get_mut(&id) else {
            return;
        };
        if !matches!(status, 405 | 501) || !std::mem::take(&mut state.session.updates) {
            return;
        }
        if !state.session.local_sdp.is_empty() {
            state.our_offer = Some(OurOffer {
                update: false,
                sdp: state.session.local_sdp.clone(),
                client: None,
                refresh: true,
            });
            self.retry_offer(now, id);
        }
    }

    /// Notes the SDP both sides agreed on; true if the peer's differs from the one before.
    pub(super) fn note_sdp(
        &mut self,
        id: u64,
        local: Option<&[u8]>,
        remote: Option<&[u8]>,
    ) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        if let Some(local) = local.filter(|sdp| !sdp.is_empty()) {
            call.session.local_sdp = local.to_vec();
        }
        let Some(remote) = remote else { return false };
        let changed = call.session.remote_sdp != remote;
        if changed {
            call.session.remote_sdp = remote.to_vec();
        }
        changed
    }
}

/// Adds an extension to Supported.
pub(super) fn add_supported(message: &mut Message, tag: &str) {
    if lists(message, "Supported", tag) {
        return;
    }
    let value = match message.headers.get("Supported") {
        Some(value) => format!("{value}, {tag}"),
        None => tag.to_owned(),
    };
    message.headers.set("Supported", value);
}

/// Extensions a request requires and we do not know.
pub(super) fn unsupported(request: &Message) -> Vec<&str> {
    let unknown = |tag: &&str| {
        let known = ["timer", "100rel", "replaces"];
        !known.iter().any(|own| tag.eq_ignore_ascii_case(own))
    };
    request.headers.list("Require").filter(unknown).collect()
}
