//! A phone calls the feature codes 78 and 79 at the box: do-not-disturb goes on, refuses other callers,
//! outlives a crash, and goes off again. Many such calls in a row leave nothing behind.

use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

/// Calls in a row; with `TRUBKA_LONG` two hundred.
fn calls() -> usize {
    match std::env::var_os("TRUBKA_LONG") {
        Some(_) => 200,
        None => 10,
    }
}

fn box_with_codes(pbx: &Asterisk) -> Result<Gateway, Failure> {
    let mut settings = Settings::new("400", Visit::default());
    settings.more =
        "[access]\nfeature_callers = [\"406\"]\nstate_file = \"{folder}/state\"\n".into();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    Ok(gateway)
}

/// Phone 406 calls a number at the box.
fn dials(pbx: &Asterisk, gateway: &Gateway, number: &str) -> Outcome {
    pbx.call(&format!("100/sip:{number}@{}:5060", gateway.ip()))
}

fn wait_state(gateway: &mut Gateway, on: bool) -> Outcome {
    wait::until_true("do-not-disturb as dialled", seconds(10.0), || {
        Ok(gateway.control(&["status"])?["do_not_disturb"] == on)
    })
}

#[test]
fn do_not_disturb() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut gateway = box_with_codes(&pbx)?;
    dials(&pbx, &gateway, "78")?;
    wait_state(&mut gateway, true)?;
    pbx.wait_idle(seconds(8.0))?;
    gateway.kill_daemon();
    gateway.start_daemon_again()?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    wait_state(&mut gateway, true)?;
    // The box's extension itself: 406 might want to dial a code, so it is heard and then ended.
    dials(&pbx, &gateway, "42")?;
    wait::until_true("the refusal in the journal", seconds(8.0), || {
        let refused = gateway.journal("call_refused")?;
        Ok(refused
            .iter()
            .any(|one| one["reason"] == "do-not-disturb is on"))
    })?;
    dials(&pbx, &gateway, "79")?;
    wait_state(&mut gateway, false)?;
    let switched = gateway.journal("do_not_disturb")?;
    ensure(switched.iter().all(|one| one["by"] == "406"), || {
        format!("switched by others: {switched:?}")
    })?;
    let shown = gateway.control(&["do-not-disturb", "on"])?;
    ensure(shown == "do-not-disturb is on", || format!("{shown:?}"))?;
    gateway.must_have_stayed_shut()
}

/// Resident memory of the daemon in KiB.
fn resident_kib(gateway: &Gateway) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.daemon_id()))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.ok_or_else(|| Failure::new("no VmRSS of the daemon"))
}

#[test]
fn calls_in_a_row() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut gateway = box_with_codes(&pbx)?;
    let mut settled = 0;
    for number in 0..calls() {
        let on = number % 2 == 0;
        dials(&pbx, &gateway, if on { "78" } else { "79" })?;
        wait_state(&mut gateway, on)?;
        pbx.wait_idle(seconds(10.0))?;
        if number == 4 {
            settled = resident_kib(&gateway)?;
        }
    }
    gateway.wait_idle(seconds(10.0))?;
    let grown = resident_kib(&gateway)?.saturating_sub(settled);
    println!("{} calls, {grown} KiB more than after 5", calls());
    ensure(grown < 2048, || {
        format!("{grown} KiB more than after 5 calls")
    })?;
    gateway.must_have_stayed_shut()
}
