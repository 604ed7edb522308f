//! The harness itself: a real Asterisk starts, knows its extensions, takes and makes calls.
//! If this file fails, look here before the other end-to-end tests.

use std::time::Duration;
use trubka_tests::asterisk::{Asterisk, PASSWORD, Settings};
use trubka_tests::failure::ensure;
use trubka_tests::sipp::{Sipp, media_socket};
use trubka_tests::wait::seconds;
use trubka_tests::{Failure, Outcome, address::Address, rtp};

fn register(pbx: &Asterisk, from: &Address, user: &str, password: &str) -> Result<Sipp, Failure> {
    Sipp::start("register", from.ip(), pbx.ip(), user, password, &[])
}

/// A scripted caller at phone `target` for `talk_s`; gives what it heard.
fn call(pbx: &Asterisk, target: &str, talk_s: f64, speaks: bool) -> Result<rtp::Heard, Failure> {
    let from = Address::take()?;
    let socket = media_socket(from.ip())?;
    let media = socket.local_addr()?.port().to_string();
    let pause_ms = format!("{:.0}", talk_s * 1000.0);
    let phone = rtp::Phone::start(socket, speaks.then(|| pbx.speech()).transpose()?)?;
    let keys = [
        ("target", target),
        ("media", media.as_str()),
        ("pause_ms", pause_ms.as_str()),
    ];
    Sipp::start("call", from.ip(), pbx.ip(), "100", PASSWORD, &keys)?
        .must_succeed(seconds(talk_s + 15.0))?;
    phone.stop()
}

#[test]
fn an_extension_registers_with_md5() -> Outcome {
    let pbx = Asterisk::start()?;
    let from = Address::take()?;
    register(&pbx, &from, "100", PASSWORD)?.must_succeed(seconds(10.0))?;
    let contact = pbx.wait_registered("100", seconds(5.0))?;
    ensure(contact.contains(&from.to_string()), || {
        format!("registered as {contact}")
    })
}

#[test]
fn a_wrong_password_is_refused_and_a_new_one_taken() -> Outcome {
    let mut pbx = Asterisk::start()?;
    let from = Address::take()?;
    let taken = register(&pbx, &from, "100", "wrong")?.went_well(seconds(10.0))?;
    ensure(!taken, || "a wrong password was taken".into())?;
    ensure(pbx.contact("100")?.is_none(), || {
        "registered with a wrong password".into()
    })?;
    pbx.set_password("another")?;
    register(&pbx, &from, "100", "another")?.must_succeed(seconds(10.0))?;
    pbx.wait_registered("100", seconds(5.0)).map(drop)
}

#[test]
fn a_restart_forgets_registrations_when_told() -> Outcome {
    let mut pbx = Asterisk::start()?;
    let from = Address::take()?;
    register(&pbx, &from, "100", PASSWORD)?.must_succeed(seconds(10.0))?;
    pbx.wait_registered("100", seconds(5.0))?;
    pbx.restart(false)?;
    ensure(pbx.contact("100")?.is_none(), || {
        "the registration survived".into()
    })?;
    register(&pbx, &from, "100", PASSWORD)?.must_succeed(seconds(10.0))?;
    pbx.wait_registered("100", seconds(5.0)).map(drop)
}

#[test]
fn sha256_is_offered_to_extension_101() -> Outcome {
    let pbx = Asterisk::start()?;
    pbx.must_be_modern("digest with SHA-256")?;
    let from = Address::take()?;
    // SIPp 3.6 knows MD5 only, so it gives up: what counts is what the PBX asks for.
    let mut scenario = register(&pbx, &from, "101", PASSWORD)?;
    scenario.wait_for("401 Unauthorized", seconds(10.0))?;
    let challenge = scenario.trace();
    ensure(challenge.contains("algorithm=SHA-256"), || {
        format!("challenge: {challenge}")
    })?;
    ensure(!challenge.contains("algorithm=MD5"), || {
        format!("challenge: {challenge}")
    })
}

#[test]
fn phone_400_speaks_and_presses_9_as_rfc_4733() -> Outcome {
    let pbx = Asterisk::start_with(Settings {
        listen_s: 1,
        ..Settings::default()
    })?;
    let heard = call(&pbx, "400", 9.0, true)?;
    let presses = heard.presses();
    ensure(
        matches!(presses[..], [(9, packets)] if packets >= 4),
        || format!("{presses:?}"),
    )?;
    heard
        .recording()
        .must_hold("the resident's", &pbx.speech()?)?;
    // And the PBX's own recording holds what the caller said (here the same words).
    pbx.wait_idle(seconds(5.0))?;
    pbx.heard("400")?
        .must_hold("the caller's", &pbx.speech()?)
        .map(drop)
}

#[test]
fn phone_401_presses_9_as_info() -> Outcome {
    let pbx = Asterisk::start_with(Settings {
        listen_s: 0,
        ..Settings::default()
    })?;
    let from = Address::take()?;
    let socket = media_socket(from.ip())?;
    let media = socket.local_addr()?.port().to_string();
    let phone = rtp::Phone::start(socket, None)?;
    let keys = [
        ("target", "401"),
        ("media", media.as_str()),
        ("pause_ms", "12000"),
    ];
    let mut caller = Sipp::start("call", from.ip(), pbx.ip(), "100", PASSWORD, &keys)?;
    caller.wait_for("application/dtmf-relay", seconds(15.0))?;
    ensure(caller.trace().contains("Signal=9"), || "another key".into())?;
    let presses = phone.stop()?.presses();
    ensure(presses.is_empty(), || {
        format!("also as RTP events: {presses:?}")
    })
}

#[test]
fn the_pbx_calls_a_registered_extension() -> Outcome {
    let pbx = Asterisk::start()?;
    let from = Address::take()?;
    register(&pbx, &from, "100", PASSWORD)?.must_succeed(seconds(10.0))?;
    // The SIPp process is gone, its address still ours: the PBX's INVITE must arrive there.
    let ear = std::net::UdpSocket::bind((from.ip(), 5060))?;
    ear.set_read_timeout(Some(Duration::from_secs(10)))?;
    pbx.call("100")?;
    let mut buffer = [0; 4096];
    loop {
        let (length, _) = ear.recv_from(&mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        // OPTIONS come as well: the PBX asks whether the extension lives.
        if text.starts_with("INVITE sip:100@") {
            break ensure(text.contains("Concierge"), || text);
        }
    }
}

#[test]
fn phone_450_holds_and_resumes_through_the_pbx() -> Outcome {
    let pbx = Asterisk::start()?;
    let socket = media_socket(pbx.phone_ip())?;
    let media = socket.local_addr()?.port().to_string();
    let held = rtp::Phone::start(socket, Some(pbx.speech()?))?;
    let keys = [("media", media.as_str()), ("pause_ms", "8000")];
    let mut holder = Sipp::start("hold_phone", pbx.phone_ip(), pbx.ip(), "450", "", &keys)?;

    let from = Address::take()?;
    let socket = media_socket(from.ip())?;
    let media = socket.local_addr()?.port().to_string();
    let caller = rtp::Phone::start(socket, Some(pbx.speech()?))?;
    let keys = [
        ("target", "450"),
        ("media", media.as_str()),
        ("pause_ms", "12000"),
    ];
    let mut scenario = Sipp::start("held_call", from.ip(), pbx.ip(), "100", PASSWORD, &keys)?;
    holder.wait_for("ACK sip:450@", seconds(10.0))?;
    held.open_towards(holder.remote_media()?)?;
    holder.must_succeed(seconds(40.0))?;
    scenario.must_succeed(seconds(10.0))?;
    let presses = caller.stop()?.presses();
    ensure(presses.len() == 1, || {
        format!("keys after the resume: {presses:?}")
    })?;
    held.stop()?
        .recording()
        .must_hold("the caller's", &pbx.speech()?)
        .map(drop)
}

#[test]
fn two_instances_side_by_side() -> Outcome {
    let (one, two) = (Asterisk::start()?, Asterisk::start()?);
    ensure(one.ip() != two.ip(), || "same address".into())?;
    let from = Address::take()?;
    register(&one, &from, "100", PASSWORD)?.must_succeed(seconds(10.0))?;
    one.wait_registered("100", seconds(5.0))?;
    ensure(two.contact("100")?.is_none(), || {
        "the other PBX knows it too".into()
    })?;
    let talks = std::thread::scope(|scope| {
        [&one, &two]
            .map(|pbx| scope.spawn(move || call(pbx, "408", 4.0, false)))
            .map(|talk| talk.join().map_err(|_| Failure::new("a caller died")))
    });
    for talk in talks {
        let presses: Vec<_> = talk??.presses().into_iter().map(|(code, _)| code).collect();
        ensure(presses == [5, 9], || format!("{presses:?}"))?;
    }
    one.wait_idle(seconds(5.0))?;
    two.wait_idle(seconds(5.0))
}

#[test]
fn busy_and_unknown_phones_answer_so() -> Outcome {
    let pbx = Asterisk::start()?;
    for (phone, status) in [
        ("402", "486 Busy Here"),
        ("404", "404 Not Found"),
        ("407", "403 Forbidden"),
    ] {
        let from = Address::take()?;
        let keys = [("target", phone), ("media", "30000"), ("pause_ms", "10")];
        let mut caller = Sipp::start("call", from.ip(), pbx.ip(), "100", PASSWORD, &keys)?;
        caller.wait_for(status, seconds(10.0))?;
    }
    Ok(())
}
