//! Settings of who is called, who may call, and who may open.

use super::Fallback::{Literal, None as Unset, Required};
use super::{Kind, Section, int, key};

pub(super) const ROUTE: Section = Section {
    name: "route",
    many: true,
    doc: "Who is called for an apartment and who may open its door.",
    keys: &[
        key(
            "apartment",
            int(1, 9_999),
            Required,
            "Apartment this route is for.",
        ),
        key(
            "when",
            Kind::Text,
            Unset,
            "Name of a [[schedule]]: the route is in force only then, and goes before the one without \"when\", which must be there too. What is in force when the visitor rings counts for the whole visit.",
        ),
        key(
            "account",
            Kind::Text,
            Unset,
            "Account the call leaves by; the first account unless given.",
        ),
        key(
            "targets",
            Kind::TextList,
            Required,
            "Whom to call: extensions (\"400\") or addresses (\"sip:400@host\"), 16 at the most.",
        ),
        key(
            "ring",
            Kind::OneOf(&["in_turn", "together"]),
            Literal("\"in_turn\""),
            "in_turn: the targets are called one after another; together: all at once, the first that answers has the visitor and the others stop ringing.",
        ),
        key(
            "target_timeout_s",
            int(5, 300),
            Literal("30"),
            "How long one target may ring before the next is tried, in seconds.",
        ),
        key(
            "display_name",
            Kind::Text,
            Unset,
            "Name shown on the phone instead of call.display_name; places as there.",
        ),
        key(
            "alert_info",
            Kind::Text,
            Unset,
            "Value of the Alert-Info header, which chooses a ring tone on many phones, for example \"<http://127.0.0.1/door>;info=alert-external\"; places as in call.display_name.",
        ),
        key(
            "may_open",
            Kind::TextList,
            Literal("[\"called\"]"),
            "Who may open the door: \"called\" is the party the box called; others call in: \"200\" is that extension of the PBX of any account; \"200@HOST\" with an account's domain, registrar or proxy that extension of this account's PBX alone, \"200@HOST:PORT\" where two are at one host; \"200@HOST\" with any other host whom a PBX passes on from there, or a phone of direct_sources at that address. \"sip:\" may stand before it.",
        ),
        key(
            "gain_to_line_db",
            int(-20, 20),
            Unset,
            "Gain of the resident's voice in this apartment, in decibels; media.gain_to_line_db unless given.",
        ),
        key(
            "gain_to_phone_db",
            int(-20, 20),
            Unset,
            "Gain of the visitor's voice for this apartment, in decibels; media.gain_to_phone_db unless given.",
        ),
    ],
};

pub(super) const SCHEDULE: Section = Section {
    name: "schedule",
    many: true,
    doc: "A part of the week, for routes that are not always in force.",
    keys: &[
        key(
            "name",
            Kind::Text,
            Required,
            "Short name by which routes refer to the schedule.",
        ),
        key(
            "days",
            Kind::TextList,
            Literal("[\"mon-sun\"]"),
            "Days on which it begins: mon, tue, wed, thu, fri, sat, sun, or ranges such as \"mon-fri\".",
        ),
        key(
            "from",
            Kind::Text,
            Literal("\"00:00\""),
            "Local time at which it begins, \"HH:MM\".",
        ),
        key(
            "to",
            Kind::Text,
            Literal("\"24:00\""),
            "Local time at which it ends, \"HH:MM\"; one before \"from\" is on the next day.",
        ),
    ],
};

pub(super) const TIME: Section = Section {
    name: "time",
    many: false,
    doc: "The clock on the wall, for schedules.",
    keys: &[key(
        "zone",
        Kind::Text,
        Unset,
        "Time zone, for example \"Europe/Berlin\"; that of the system unless given.",
    )],
};

pub(super) const ACCESS: Section = Section {
    name: "access",
    many: false,
    doc: "Who may call the box, do-not-disturb, and where calls may be forwarded to.",
    keys: &[
        key(
            "incoming",
            Kind::OneOf(&["managed", "listed", "off"]),
            Literal("\"managed\""),
            "Who may call in: managed leaves it to the SIP server (whoever the PBX lets through), listed only takes the callers below, off refuses all.",
        ),
        key(
            "callers",
            Kind::TextList,
            Literal("[]"),
            "With incoming = \"listed\": callers, written as in may_open.",
        ),
        key(
            "refuse_status",
            int(400, 699),
            Literal("403"),
            "SIP status given to callers who may not call in.",
        ),
        key(
            "asserted_identity",
            Kind::Bool,
            Literal("false"),
            "Whether a caller is known by P-Asserted-Identity instead of From; only where the PBX writes that header itself. It counts only in requests from the PBX.",
        ),
        key(
            "do_not_disturb_status",
            int(400, 699),
            Literal("480"),
            "SIP status given to callers while do-not-disturb is on.",
        ),
        key(
            "do_not_disturb_covers",
            Kind::OneOf(&["callers", "all"]),
            Literal("\"callers\""),
            "callers: only calls to the box are refused; all: no phone rings for visitors either.",
        ),
        key(
            "do_not_disturb_on",
            Kind::Digits,
            Literal("\"78\""),
            "Feature code that switches do-not-disturb on: called as a number at the box, or pressed after calling its extension.",
        ),
        key(
            "do_not_disturb_off",
            Kind::Digits,
            Literal("\"79\""),
            "Feature code that switches do-not-disturb off.",
        ),
        key(
            "feature_callers",
            Kind::TextList,
            Literal("[]"),
            "Who may use feature codes, written as in may_open; none unless given.",
        ),
        key(
            "forward_hosts",
            Kind::TextList,
            Literal("[]"),
            "Hosts besides the account's own PBX to which a redirection or a transfer may lead; an address is called there directly, which wants sip.direct_calls.",
        ),
        key(
            "forward_targets",
            Kind::TextList,
            Literal("[\"*\"]"),
            "Numbers to which a redirection or a transfer may lead; a * at the end stands for any rest.",
        ),
        key(
            "transfer",
            Kind::Bool,
            Literal("true"),
            "Whether a phone in a call may pass the visitor on: with REFER, or to a caller whose INVITE says so (Replaces). Such a caller opens only if he is in the route's may_open.",
        ),
        key(
            "requests_per_second",
            int(1, 1_000),
            Literal("50"),
            "Requests outside calls that are taken from one address each second in the long run; the rest of a flood gets no answer.",
        ),
        key(
            "state_file",
            Kind::Path,
            Literal("\"/var/lib/trubka/state\""),
            "File in which do-not-disturb outlives a restart.",
        ),
    ],
};

pub(super) const DOOR: Section = Section {
    name: "door",
    many: false,
    doc: "Opening the door.",
    keys: &[
        key(
            "digits",
            Kind::Digits,
            Literal("\"9\""),
            "Keys that open the door during an answered call.",
        ),
        key(
            "max_wrong_digits",
            int(3, 1_000),
            Literal("20"),
            "Wrong keys in one call after which that call can no longer open the door.",
        ),
        key(
            "hangup_after_open_s",
            int(0, 120),
            Literal("5"),
            "Seconds from the opening to the end of the call; 0 leaves the call up.",
        ),
    ],
};

pub(super) const CALL: Section = Section {
    name: "call",
    many: false,
    doc: "Limits of a call.",
    keys: &[
        key(
            "ring_limit_s",
            int(5, 300),
            Literal("45"),
            "Longest time the phones ring for one visitor, in seconds.",
        ),
        key(
            "talk_limit_s",
            int(10, 3_600),
            Literal("90"),
            "Longest conversation, in seconds.",
        ),
        key(
            "display_name",
            Kind::Text,
            Unset,
            "Name shown on phones for every visitor, with places {panel}, {apartment} and {line}, for example \"{panel}, apt {apartment}\"; the account's display_name unless given.",
        ),
        key(
            "headers",
            Kind::TextList,
            Literal("[]"),
            "Headers of our own in every visitor's call, for routing and labels in the PBX, with places as in display_name, for example [\"X-Apartment: {apartment}\", \"X-Panel: {panel}\"]; 8 at the most.",
        ),
        key(
            "when_declined",
            Kind::OneOf(&["next", "stop"]),
            Literal("\"next\""),
            "A phone declines the visitor (603, 607 or 608): next goes on with the other targets, stop ends all ringing.",
        ),
        key(
            "max_redirects",
            int(0, 5),
            Literal("3"),
            "How many 3xx answers of one target are followed (a phone that forwards to a mobile), and only where access.forward_hosts and forward_targets allow; 0 follows none.",
        ),
        key(
            "early_media",
            Kind::OneOf(&["off", "line"]),
            Literal("\"off\""),
            "What a PBX plays before a phone answers (a ringing tone, an announcement): off, the visitor hears the panel's own ringing; line takes the line for it as for an answered call, so that he hears the PBX, an old handset falls silent and the panel's talk time begins. Nothing goes to the PBX and no key counts before the answer.",
        ),
        key(
            "unanswered",
            Kind::OneOf(&["auto", "tone", "leave"]),
            Literal("\"auto\""),
            "Nobody took the visitor's call: tone takes the line, plays a failure tone or unanswered_wav and frees the line; leave does nothing, so that an old handset rings on; auto is tone where the box takes the handset's place, else leave.",
        ),
        key(
            "unanswered_wav",
            Kind::Path,
            Unset,
            "WAV file (PCM, any rate, 20 s at the most) played instead of the failure tone.",
        ),
        key(
            "rtp_timeout_s",
            int(2, 300),
            Literal("10"),
            "A call without audio packets from the PBX for so many seconds is ended (not while on hold).",
        ),
    ],
};
