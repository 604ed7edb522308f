//! A stranger sends a thousand INVITEs a second before and while a visitor talks: he gets no answer, the call goes
//! on, the key opens, the account stays registered, and memory stays flat. Fifteen seconds; sixty with
//! `tests/run --long`.

use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as Pbx};
use trubka_tests::failure::ensure;
use trubka_tests::flood::Flood;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::process_cost::resident_kib;
use trubka_tests::wait::seconds;

/// More than this is a leak and not a buffer that found its size.
const GROWTH_KIB: u32 = 4 * 1024;

#[test]
fn invite_flood() -> Outcome {
    let long = std::env::var_os("TRUBKA_LONG").is_some();
    let dials_s = if long { 50.0 } else { 4.0 };
    let pbx = Asterisk::start_with(Pbx {
        listen_s: 1,
        ..Pbx::default()
    })?;
    let visit = Visit::usual(dials_s, dials_s + 40.0);
    let mut gateway = Gateway::start(&Settings::new("400", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;

    let flood = Flood::start(gateway.ip(), 1000)?;
    let began = std::time::Instant::now();
    std::thread::sleep(seconds(2.0));
    let early = resident_kib(gateway.daemon_id())?;
    gateway.wait_panel(words::ANSWERED, seconds(dials_s + 15.0))?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    let late = resident_kib(gateway.daemon_id())?;
    let lasted = began.elapsed().as_secs();
    let status = gateway.control(&["status"])?;
    let (sent, answered) = flood.stop();
    println!("{sent} INVITEs, {answered} answers; {early} KiB, then {late} KiB; {status}");

    ensure(sent > lasted * 700, || {
        format!("the flood was a trickle: {sent}")
    })?;
    ensure(answered == 0, || {
        format!("the stranger got {answered} answers")
    })?;
    ensure(late < early + GROWTH_KIB, || {
        format!("memory grew from {early} to {late} KiB")
    })?;
    ensure(status["accounts"][0]["state"] == words::REGISTERED, || {
        format!("no longer registered: {status}")
    })?;
    // The call's sound did not suffer: a packet in a hundred at most.
    let call = &status["calls"][0];
    let (came, lost) = (call["packets_received"].as_u64(), call["lost"].as_u64());
    ensure(
        came.is_some_and(|came| came > 300 && lost.is_some_and(|lost| lost * 100 <= came)),
        || format!("the call during the flood: {call}"),
    )?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()?;
    gateway.stop();
    gateway
        .visitor_heard()?
        .must_hold("the resident's", &pbx.speech()?)
        .map(drop)
}
