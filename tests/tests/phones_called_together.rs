//! The box itself calls several phones at once: one is busy, one rings for ever, the third answers and
//! opens; the one that rings is taken back. Meanwhile the PBX asks whether the box lives, and it does.

use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as Pbx};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn phones_called_together() -> Outcome {
    let pbx = Asterisk::start_with(Pbx {
        qualify_s: 1,
        ..Pbx::default()
    })?;
    let mut settings = Settings::new("402", Visit::usual(3.0, 60.0));
    settings.targets = ["402", "403", "400"].map(str::to_owned).to_vec();
    settings.route = "ring = \"together\"".into();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    wait::until_true("an answered OPTIONS of the PBX", seconds(5.0), || {
        Ok(pbx.rx("pjsip show contacts")?.contains("Avail"))
    })?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    wait::until_true("one channel left at the PBX", seconds(5.0), || {
        Ok(pbx.channels()? == 1)
    })?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(5.0))?;
    let placed = gateway.journal("call_placed")?;
    let ended = gateway.journal("call_ended")?;
    let elsewhere = ended
        .iter()
        .filter(|one| one["reason"] == "answered elsewhere");
    ensure(placed.len() == 3 && elsewhere.count() == 1, || {
        format!("placed {placed:?}, ended {ended:?}")
    })?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}
