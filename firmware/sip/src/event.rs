//! What the user agent reports and the words its API speaks.

use std::fmt;
use std::net::SocketAddr;

/// Handle of one call, unique for the life of the user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Handle of one offer received in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfferId(pub u64);

/// A call to be made. `Debug` shows sizes of bodies only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OutgoingCall {
    /// `"400"` (in the account's domain) or `"sip:400@host[:port]"`.
    pub target: String,
    /// SDP offer.
    pub sdp_offer: Vec<u8>,
    /// Display name in From, instead of the account's.
    pub display_name: Option<String>,
    /// Further headers of the INVITE; names the user agent writes itself are ignored.
    pub headers: Vec<(String, String)>,
}

/// State of one account's registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RegistrationState {
    /// Not registered and not trying.
    #[default]
    Unregistered,
    /// A REGISTER is under way.
    Trying,
    /// Bound at the registrar.
    Registered {
        /// Granted time, seconds.
        expires_s: u32,
    },
    /// The last attempt failed; the next one is planned.
    Failed {
        /// Final status, `None` if nobody answered.
        status: Option<u16>,
        /// Cause in words.
        reason: String,
        /// Seconds until the next attempt.
        retry_in_s: u32,
        /// What to do about it.
        hint: &'static str,
    },
}

/// The other party of a call, as the SIP headers name it. Not authenticated by itself: trust it
/// as far as the PBX that sent it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// Display name without quotes.
    pub display_name: Option<String>,
    /// Normalised `sip:user@host`, without port and parameters, percent escapes decoded once.
    pub uri: String,
    /// User part.
    pub user: String,
    /// Host part, lower case.
    pub host: String,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// We did.
    Local,
    /// The other side did, or refused it.
    Remote,
    /// A protocol timer ran out.
    Timeout,
    /// The network refused our messages.
    Transport,
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndCause {
    /// Final SIP status if one decided it.
    pub status: Option<u16>,
    /// Reason phrase or Reason header text.
    pub reason: String,
    /// Who ended it.
    pub by: EndedBy,
    /// For a final 300, 301 or 302: the addresses of its Contact headers, best first, as written. They are
    /// never followed here; who does must check them, for they choose whom we call.
    pub contacts: Vec<String>,
}

/// Everything the user agent reports. `Debug` shows only the sizes of bodies: SDP may hold media
/// keys and INFO holds digits.
#[derive(Clone, PartialEq, Eq)]
pub enum UaEvent {
    /// A registration changed its state.
    Registration {
        /// Account index.
        account: usize,
        /// New state.
        state: RegistrationState,
    },
    /// OPTIONS probes to the registrar stay unanswered.
    PeerUnreachable {
        /// Account index.
        account: usize,
    },
    /// Probes are answered again.
    PeerReachable {
        /// Account index.
        account: usize,
    },
    /// Another of the account's registrar addresses is in use now.
    RegistrarSwitched {
        /// Account index.
        account: usize,
        /// The address now in use.
        address: SocketAddr,
    },
    /// Somebody calls us. 100 Trying has been sent.
    Incoming {
        /// Call handle.
        call: CallId,
        /// Account the call came in on; `None` for a direct call.
        account: Option<usize>,
        /// Accounts whose PBX it may have come from: several PBXs at one host cannot be told apart where a call comes from none of
        /// their ports.
        accounts: Vec<usize>,
        /// Caller as From names it.
        from: Party,
        /// Caller as P-Asserted-Identity names it (RFC 3325); only taken from the PBX of an
        /// account, since anybody can write it.
        asserted: Option<Box<Party>>,
        /// User part of To.
        to_user: String,
        /// User part of the Request-URI.
        request_user: String,
        /// Where the datagram came from.
        source: SocketAddr,
        /// Offer, `None` if we have to make one in `answer`.
        sdp: Option<Vec<u8>>,
        /// The call whose peer the caller wants to replace (RFC 3891), its signalling checked;
        /// after [`crate::UserAgent::answer`] it is to be hung up.
        replaces: Option<CallId>,
    },
    /// 18x to our INVITE.
    Provisional {
        /// Call handle.
        call: CallId,
        /// 180..199.
        status: u16,
        /// Early media description, if it is another than the last one of the same phone: of several phones behind one call the
        /// one that described its sound last is the one to listen to.
        sdp: Option<Vec<u8>>,
    },
    /// Our INVITE got 2xx; the ACK is queued.
    Answered {
        /// Call handle.
        call: CallId,
        /// Who we called.
        party: Party,
        /// SDP answer.
        sdp: Option<Vec<u8>>,
    },
    /// The ACK to our 2xx came.
    Confirmed {
        /// Call handle.
        call: CallId,
    },
    /// The ACK to our 2xx carried SDP: the answer to the offer we put into the 2xx. Comes before
    /// `Confirmed`. Or the PRACK did, for an offer in our early description.
    AckSdp {
        /// Call handle.
        call: CallId,
        /// SDP answer.
        sdp: Vec<u8>,
    },
    /// The peer offers new SDP (re-INVITE or UPDATE): `answer_offer` or `reject_offer`.
    Offer {
        /// Call handle.
        call: CallId,
        /// Offer handle.
        offer: OfferId,
        /// SDP offer.
        sdp: Vec<u8>,
    },
    /// The peer asks for an offer of ours: pass it to `answer_offer`; the answer comes as `AckSdp`.
    OfferlessReinvite {
        /// Call handle.
        call: CallId,
        /// Offer handle.
        offer: OfferId,
    },
    /// An offer the peer made is void (the request timed out or was cancelled).
    OfferWithdrawn {
        /// Call handle.
        call: CallId,
        /// Offer handle.
        offer: OfferId,
    },
    /// Our re-INVITE or UPDATE was accepted.
    OfferAccepted {
        /// Call handle.
        call: CallId,
        /// SDP of the 2xx.
        sdp: Option<Vec<u8>>,
    },
    /// Our re-INVITE or UPDATE was refused; the session goes on as it was.
    OfferRejected {
        /// Call handle.
        call: CallId,
        /// Final status; 408 if nobody answered.
        status: u16,
    },
    /// INFO with a DTMF body, in a confirmed dialog, once per CSeq, from the dialog's peer.
    Info {
        /// Call handle.
        call: CallId,
        /// Where the datagram came from.
        source: SocketAddr,
        /// `application/dtmf-relay` or `application/dtmf`, lower case without parameters.
        content_type: String,
        /// Body as received.
        body: Vec<u8>,
    },
    /// The peer asks us to pass the call on (RFC 3515): `accept_transfer` or `reject_transfer`.
    Transfer {
        /// Call handle.
        call: CallId,
        /// Account of the call.
        account: Option<usize>,
        /// Whom to call, a URI as written, without headers. Others choose it: check it.
        target: String,
        /// Value for the Replaces header of that call (RFC 3891).
        replaces: Option<String>,
        /// Who asks, as Referred-By names him (RFC 3892); not authenticated.
        referred_by: Option<String>,
    },
    /// The call is over. Exactly once per call, the last event of the call.
    Ended {
        /// Call handle.
        call: CallId,
        /// Why.
        cause: EndCause,
    },
    /// A message was refused or ignored. Rate-limited; see also [`crate::Counters`].
    Refused {
        /// Where it came from.
        source: SocketAddr,
        /// Its method or, for responses, `"response"`.
        method: String,
        /// Status of our answer, 0 if none was sent.
        status: u16,
        /// Why.
        why: &'static str,
    },
}

/// Shows how long a body is and nothing of it.
struct Hidden<'a>(Option<&'a [u8]>);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(body) => write!(f, "{} bytes", body.len()),
            None => f.write_str("none"),
        }
    }
}

impl fmt::Debug for OutgoingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingCall")
            .field("target", &self.target)
            .field("sdp_offer", &Hidden(Some(&self.sdp_offer)))
            .field("display_name", &self.display_name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UaEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut with = |name: &str, fields: &[(&str, &dyn fmt::Debug)]| {
            let mut shown = f.debug_struct(name);
            for (field, value) in fields {
                shown.field(field, value);
            }
            shown.finish()
        };
        match self {
            Self::Registration { account, state } => {
                with("Registration", &[("account", account), ("state", state)])
            }
            Self::PeerUnreachable { account } => with("PeerUnreachable", &[("account", account)]),
            Self::RegistrarSwitched { account, address } => with(
                "RegistrarSwitched",
                &[("account", account), ("address", address)],
            ),
            Self::PeerReachable { account } => with("PeerReachable", &[("account", account)]),
            Self::Incoming {
                call,
                account,
                accounts: _,
                from,
                asserted,
                to_user,
                request_user,
                source,
                sdp,
                replaces,
            } => with(
                "Incoming",
                &[
                    ("call", call),
                    ("account", account),
                    ("from", from),
                    ("asserted", asserted),
                    ("to_user", to_user),
                    ("request_user", request_user),
                    ("source", source),
                    ("sdp", &Hidden(sdp.as_deref())),
                    ("replaces", replaces),
                ],
            ),
            Self::Provisional { call, status, sdp } => with(
                "Provisional",
                &[
                    ("call", call),
                    ("status", status),
                    ("sdp", &Hidden(sdp.as_deref())),
                ],
            ),
            Self::Answered { call, party, sdp } => with(
                "Answered",
                &[
                    ("call", call),
                    ("party", party),
                    ("sdp", &Hidden(sdp.as_deref())),
                ],
            ),
            Self::Confirmed { call } => with("Confirmed", &[("call", call)]),
            Self::AckSdp { call, sdp } => {
                with("AckSdp", &[("call", call), ("sdp", &Hidden(Some(sdp)))])
            }
            Self::Offer { call, offer, sdp } => with(
                "Offer",
                &[
                    ("call", call),
                    ("offer", offer),
                    ("sdp", &Hidden(Some(sdp))),
                ],
            ),
            Self::OfferlessReinvite { call, offer } => {
                with("OfferlessReinvite", &[("call", call), ("offer", offer)])
            }
            Self::OfferWithdrawn { call, offer } => {
                with("OfferWithdrawn", &[("call", call), ("offer", offer)])
            }
            Self::OfferAccepted { call, sdp } => with(
                "OfferAccepted",
                &[("call", call), ("sdp", &Hidden(sdp.as_deref()))],
            ),
            Self::OfferRejected { call, status } => {
                with("OfferRejected", &[("call", call), ("status", status)])
            }
            Self::Info {
                call,
                source,
                content_type,
                body,
            } => with(
                "Info",
                &[
                    ("call", call),
                    ("source", source),
                    ("content_type", content_type),
                    ("body", &Hidden(Some(body))),
                ],
            ),
            Self::Transfer {
                call,
                account,
                target,
                replaces,
                referred_by,
            } => with(
                "Transfer",
                &[
                    ("call", call),
                    ("account", account),
                    ("target", target),
                    ("replaces", replaces),
                    ("referred_by", referred_by),
                ],
            ),
            Self::Ended { call, cause } => with("Ended", &[("call", call), ("cause", cause)]),
            Self::Refused {
                source,
                method,
                status,
                why,
            } => with(
                "Refused",
                &[
                    ("source", source),
                    ("method", method),
                    ("status", status),
                    ("why", why),
                ],
            ),
        }
    }
}

/// Kind of a [`UaError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UaErrorKind {
    /// No such account, or it has no usable address.
    NoAccount,
    /// The target is no number and no SIP URI.
    BadTarget,
    /// No such call.
    NoCall,
    /// The call is in a state that does not allow it.
    WrongState,
    /// Too many calls or transactions at once.
    TooMany,
}

/// Why the API refused a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UaError {
    /// Kind, for programs.
    pub kind: UaErrorKind,
    /// Cause in words.
    pub cause: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl UaError {
    pub(crate) fn new(kind: UaErrorKind, cause: impl Into<String>) -> Self {
        let hint = match kind {
            UaErrorKind::NoAccount => "set the account's registrar address",
            UaErrorKind::BadTarget => "give an extension such as 400 or a URI such as sip:400@host",
            UaErrorKind::NoCall => "the call is over; drop the handle after Ended",
            UaErrorKind::WrongState => "wait for the event that allows it",
            UaErrorKind::TooMany => "end calls that are no longer needed",
        };
        Self {
            kind,
            cause: cause.into(),
            hint,
        }
    }
}

impl fmt::Display for UaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.cause, self.hint)
    }
}

impl std::error::Error for UaError {}
