//! Callers that look like one who may open.

use crate::phone_does_not_answer::answer_invites;
use crate::world::{Dialog, Options, PBX_SIP, Port, World, answers, ms, seconds};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.77.0.2\r\ns=-\r\nc=IN IP4 127.77.0.2\r\nt=0 0\r\n\
                   m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// A caller whose From is `from` is joined to the visitor, acknowledges, and presses 9.
fn calls_and_presses(from: &str, extra: &str) -> World {
    let options = Options {
        route: "may_open = [\"200\"]",
        ..Options::with(answers(ms(300)))
    };
    calls_from(PBX_SIP, options, from, extra)
}

/// The same from anywhere.
fn calls_from(source: &'static str, options: Options, from: &str, extra: &str) -> World {
    let mut world = World::ready(options);
    answer_invites(&mut world, "400", 180, "");
    world.visit_until("call_placed");
    world.run_for(ms(500));
    let kind = format!("Content-Type: application/sdp\r\n{extra}");
    let invite = crate::world::outside_request("INVITE", "look", "42", from, &kind, SDP);
    world.inject(Port::GatewaySip, source, invite);
    world.run_for(ms(50));
    let to_pbx = world.network.sip.iter().filter(|(_, ours, _)| *ours);
    let to_pbx = to_pbx.map(|(_, _, bytes)| bytes);
    let to_others = world.network.to_strangers.iter().map(|(_, bytes)| bytes);
    let Some(answer) = to_pbx.chain(to_others).rev().find_map(|bytes| {
        let message = sip::message::read(bytes).ok()?;
        (message.status() == Some(200) && message.call_id() == Some("look@forged"))
            .then_some(message)
    }) else {
        return world;
    };
    let dialog = Dialog {
        call_id: "look@forged".into(),
        gateway_tag: answer.to_tag().unwrap(),
        phone_tag: "fromlook".into(),
        invite_branch: String::new(),
    };
    world.inject(Port::GatewaySip, source, dialog.request("ACK", 1, "", ""));
    world.run_for(seconds(2));
    world.promises.without_key = 1;
    world.inject(Port::GatewaySip, source, dialog.info(2));
    world.run_for(seconds(3));
    world
}

#[test]
fn the_caller_who_may_open_opens() {
    for from in [
        "<sip:200@127.77.0.2>",
        "sip:200@127.77.0.2",
        "\"Anybody\" <sip:200@127.77.0.2:5060;user=phone>",
    ] {
        let world = calls_and_presses(from, "");
        assert_eq!(
            (world.opened(), world.records("door_opened")),
            (1, 1),
            "{from}\n{}",
            world.story()
        );
    }
}

#[test]
fn look_alikes_are_refused_and_recorded() {
    for from in [
        "\"200\" <sip:201@127.77.0.2>",
        "\"<sip:200@127.77.0.2>\" <sip:201@127.77.0.2>",
        "200 <sip:201@127.77.0.2>",
        "<sip:2000@127.77.0.2>",
        "<sip:0200@127.77.0.2>",
        "<sip:200;x=1@127.77.0.2>",
        "<sip:200%20@127.77.0.2>",
        "<sip:200%00@127.77.0.2>",
        "<sip:%32%30%30@127.77.0.2>",
        "<sip:201@127.77.0.2;user=200>",
        "<sip:+200@127.77.0.2>",
        "<sip:anonymous@anonymous.invalid>",
        "<sip:@127.77.0.2>",
        "<sip:200@elsewhere.example>",
        "<tel:200>",
    ] {
        let world = calls_and_presses(from, "");
        assert_eq!(world.opened(), 0, "{from} opened\n{}", world.story());
        assert_eq!(world.records("door_opened"), 0, "{from}");
        let taken = world.happened("call_answered") == 1;
        assert_eq!(world.records("door_refused"), usize::from(taken), "{from}");
    }
}

#[test]
fn other_headers_that_name_a_caller_do_not_count() {
    for extra in [
        "P-Asserted-Identity: <sip:200@127.77.0.2>\r\n",
        "P-Preferred-Identity: <sip:200@127.77.0.2>\r\n",
        "Remote-Party-ID: <sip:200@127.77.0.2>;party=calling\r\n",
        "Diversion: <sip:200@127.77.0.2>\r\n",
        "History-Info: <sip:200@127.77.0.2>\r\n",
        "Referred-By: <sip:200@127.77.0.2>\r\n",
        "Reply-To: <sip:200@127.77.0.2>\r\n",
        "Authorization: Digest username=\"200\"\r\n",
    ] {
        let world = calls_and_presses("<sip:201@127.77.0.2>", extra);
        assert_eq!(world.opened(), 0, "{extra}");
        assert_eq!(
            world.records("door_refused"),
            1,
            "{extra}\n{}",
            world.story()
        );
    }
}

/// A phone that may call directly is what its address says, whatever name it writes: it is no extension of the PBX.
#[test]
fn a_direct_caller_is_known_by_his_address_alone() {
    let phone = "127.77.0.66:5060";
    let with = |route: &'static str| Options {
        route,
        sip: "direct_calls = true\ndirect_sources = [\"127.77.0.66\"]",
        ..Options::with(answers(ms(300)))
    };
    for from in [
        "<sip:200@127.77.0.2>",
        "<sip:200@127.77.0.66>",
        "<sip:200@127.77.0.1>",
        "<sip:200>",
        "<sip:200@elsewhere.example>",
    ] {
        let world = calls_from(phone, with("may_open = [\"200\"]"), from, "");
        assert_eq!(world.happened("call_answered"), 1, "{from}");
        assert_eq!(world.opened(), 0, "{from} opened\n{}", world.story());
        assert_eq!(world.records("door_refused"), 1, "{from}");
    }
    let route = "may_open = [\"200@127.77.0.66\"]";
    let world = calls_from(phone, with(route), "<sip:200@anything.example>", "");
    assert_eq!(world.opened(), 1, "{}", world.story());
}

/// The PBX of one account does not speak for the extensions of another one's.
#[test]
fn one_pbx_does_not_speak_for_another() {
    let other = "127.77.0.67:5060";
    let second = "[[account]]\nname = \"second\"\nextension = \"700\"\ndomain = \"127.77.0.67\"\nregister = false\n";
    let options = Options {
        route: "may_open = [\"200\"]",
        config: second,
        ..Options::with(answers(ms(300)))
    };
    let world = calls_from(other, options, "<sip:200@127.77.0.2>", "");
    assert_eq!(world.opened(), 0, "{}", world.story());
    assert_eq!(world.records("door_opened"), 0);
}

const SECOND: &str = "[[account]]\nname = \"second\"\nextension = \"700\"\ndomain = \"b.example\"\n\
    registrar = \"127.77.0.67\"\nregister = false\n";

/// Each form of an entry opens for those whom it names, and for nobody else of the same number.
#[test]
fn an_entry_with_a_host_names_the_extension_of_one_pbx() {
    let (first, second, phone) = (PBX_SIP, "127.77.0.67:5060", "127.77.0.66:5060");
    let callers = [
        (first, "<sip:200@127.77.0.2>"),
        (first, "<sip:200@b.example>"),
        (first, "<sip:200@elsewhere.example>"),
        (second, "<sip:200@B.Example>"),
        (second, "<sip:200@127.77.0.67>"),
        (second, "<sip:200@127.77.0.2>"),
        (second, "<sip:200@Elsewhere.example>"),
        (second, "<sip:201@b.example>"),
        (phone, "<sip:200@127.77.0.2>"),
        (phone, "<sip:200@b.example>"),
    ];
    for (route, open) in [
        ("may_open = [\"200\"]", &[0, 3, 4][..]),
        ("may_open = [\"200@127.77.0.2\"]", &[0]),
        ("may_open = [\"sip:200@b.example\"]", &[3, 4]),
        ("may_open = [\"200@127.77.0.67\"]", &[3, 4]),
        ("may_open = [\"200@elsewhere.Example\"]", &[2, 6]),
        ("may_open = [\"200@127.77.0.66\"]", &[8, 9]),
        ("may_open = [\"201\", \"200@127.77.0.2\"]", &[0, 7]),
        ("may_open = [\"called\"]", &[]),
    ] {
        for (index, (source, from)) in callers.into_iter().enumerate() {
            let options = Options {
                route,
                config: SECOND,
                sip: "direct_calls = true\ndirect_sources = [\"127.77.0.66\"]",
                ..Options::with(answers(ms(300)))
            };
            let world = calls_from(source, options, from, "");
            let opens = usize::from(open.contains(&index));
            assert_eq!(
                (world.opened(), world.records("door_opened")),
                (opens, opens),
                "{route}: {from} by {source}\n{}",
                world.story()
            );
            assert_eq!(world.records("door_refused"), 1 - opens, "{route}: {from}");
        }
    }
}

/// Two PBXs at one host are told apart by their ports, and what comes from neither port is nobody's whom an entry with a port means.
/// The journal says which one it was.
#[test]
fn two_pbxs_at_one_host_are_told_apart_by_the_port_they_call_from() {
    const NEIGHBOUR: &str = "[[account]]\nname = \"second\"\nextension = \"700\"\n\
        domain = \"127.77.0.2:5070\"\nregister = false\n";
    let callers = [
        (PBX_SIP, "200@127.77.0.2:5060"),
        ("127.77.0.2:5070", "200@127.77.0.2:5070"),
        ("127.77.0.2:6000", "200@127.77.0.2"),
    ];
    for (route, open) in [
        ("may_open = [\"200\"]", &[0, 1, 2][..]),
        ("may_open = [\"200@127.77.0.2\"]", &[0, 1, 2]),
        ("may_open = [\"200@127.77.0.2:5060\"]", &[0]),
        ("may_open = [\"200@127.77.0.2:5070\"]", &[1]),
    ] {
        for (index, (source, name)) in callers.into_iter().enumerate() {
            let options = Options {
                route,
                config: NEIGHBOUR,
                ..Options::with(answers(ms(300)))
            };
            let world = calls_from(source, options, "<sip:200@127.77.0.2>", "");
            let opens = usize::from(open.contains(&index));
            assert_eq!(
                world.opened(),
                opens,
                "{route}: {source}\n{}",
                world.story()
            );
            let told = world.last_words(match opens {
                1 => "door_opened",
                _ => "door_refused",
            });
            assert!(told.contains(&format!("\"{name}\"")), "{told}");
        }
    }
}

/// With one PBX a number says enough; with several each party is told with the PBX that carried its call.
#[test]
fn the_journal_names_the_pbx_of_each_party_where_there_are_several() {
    for (config, party) in [("", "\"400\""), (SECOND, "\"400@127.77.0.2\"")] {
        let mut world = World::ready(Options {
            config,
            ..Options::with(answers(ms(300)))
        });
        world.visit_until("call_answered");
        world.run_for(seconds(1));
        world.press('9', phone::KeyBy::Rfc4733);
        world.wait("door_release_ended", 1);
        world.wait("call_ended", 1);
        for event in [
            "call_ringing",
            "call_answered",
            "digit",
            "door_opened",
            "call_ended",
            "call_quality",
        ] {
            let told = world.last_words(event);
            assert!(told.contains(&format!("party: {party}")), "{told}");
        }
        // What is configured stays as it is written.
        assert!(world.last_words("call_placed").contains("target: \"400\""));
    }
}

/// The lists of callers and of those who dial feature codes are read the same way.
#[test]
fn who_may_call_in_can_be_told_by_his_pbx() {
    let list = "[access]\nincoming = \"listed\"\ncallers = [\"200@b.example\"]\nfeature_callers = [\"200@127.77.0.2\"]\n";
    let config: &'static str = Box::leak(format!("{list}{SECOND}").into_boxed_str());
    for (source, from, taken) in [
        (PBX_SIP, "<sip:200@127.77.0.2>", false),
        ("127.77.0.67:5060", "<sip:200@b.example>", true),
        ("127.77.0.67:5060", "<sip:200@127.77.0.2>", false),
    ] {
        let options = Options {
            config,
            ..Options::with(answers(ms(300)))
        };
        let world = calls_from(source, options, from, "");
        let answered = world.happened("call_answered") == 1;
        assert_eq!(answered, taken, "{from} by {source}\n{}", world.story());
    }
    for (source, from, switches) in [
        (PBX_SIP, "<sip:200@127.77.0.2>", true),
        ("127.77.0.67:5060", "<sip:200@b.example>", false),
    ] {
        let mut world = World::ready(Options {
            config,
            ..Options::with(answers(ms(300)))
        });
        let invite = crate::world::outside_request(
            "INVITE",
            "code",
            "78",
            from,
            "Content-Type: application/sdp\r\n",
            SDP,
        );
        world.inject(Port::GatewaySip, source, invite);
        world.run_for(ms(200));
        assert_eq!(
            world.happened("do_not_disturb"),
            usize::from(switches),
            "{from}"
        );
    }
}
