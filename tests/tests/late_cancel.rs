//! A caller whose CANCEL crosses our answer: CANCEL gets 200 and does nothing, the call goes on until BYE
//! (RFC 3261 9.2).

use trubka_tests::Outcome;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::words;
use trubka_tests::scripted::Scripted;
use trubka_tests::wait::seconds;

#[test]
fn late_cancel() -> Outcome {
    let mut visit = Scripted::caller("caller_cancels_late", 4_000)?;
    visit.gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
    visit.sipp.must_succeed(seconds(20.0))?;
    let heard = visit.phone.stop()?.packets.len();
    ensure(heard > 100, || format!("{heard} packets in 4 s"))?;
    visit.gateway.wait_idle(seconds(90.0))?;
    visit.gateway.must_have_stayed_shut()
}
