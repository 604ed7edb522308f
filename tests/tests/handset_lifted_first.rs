//! Somebody in the apartment lifts the old handset while the phone rings: the phone stops ringing, the
//! panel talks to the handset, and the gateway leaves the line alone until it is put back.

use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

#[test]
fn handset_lifted_first() -> Outcome {
    let pbx = Asterisk::start()?;
    let visit = Visit::default()
        .dials(3.0)
        .lifts_handset(9.0)
        .replaces_handset(16.0)
        .leaves(18.0);
    let mut gateway = Gateway::start(&Settings::new("403", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;

    wait::until_true("ringing phone", seconds(15.0), || Ok(pbx.channels()? == 1))?;
    // The panel's own word: it talks to the handset, and our phone is silent a moment later.
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    pbx.wait_idle(seconds(2.0))?;
    // It keeps its hands off while people talk on the old handset: the talk ends when that is put back, not before.
    wait::until_true("end of the talk", seconds(20.0), || {
        ensure(pbx.channels()? == 0, || "the phone was called again".into())?;
        Ok(gateway.panel_count(words::CALL_DROPPED)? == 1)
    })?;
    let at = |event: &str| -> Result<u64, Failure> {
        let events = gateway.panel_events()?;
        let one = events.iter().find(|one| one["event"] == event);
        let at = one.and_then(|one| one["t_ms"].as_u64());
        at.ok_or_else(|| Failure::new(format!("no {event} in {events:?}")))
    };
    let talked_ms = at(words::CALL_DROPPED)? - at(words::ANSWERED)?;
    ensure((6_500..9_000).contains(&talked_ms), || {
        format!("the talk on the handset lasted {talked_ms} ms")
    })?;

    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
