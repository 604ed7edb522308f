//! A caller who never acknowledges our answer: it is repeated for 64*T1, then the call is ended and the
//! line is free (RFC 3261 13.3.1.4). The door stays shut.

use trubka_tests::Outcome;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::words;
use trubka_tests::scripted::Scripted;
use trubka_tests::wait::{self, seconds};

#[test]
fn no_ack() -> Outcome {
    let mut visit = Scripted::caller("caller_without_ack", 0)?;
    visit.gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
    visit.sipp.must_succeed(seconds(45.0))?;
    let trace = visit.sipp.trace();
    let answers = trace.matches("SIP/2.0 200 OK").count();
    // At 0, 0.5, 1.5, 3.5, 7.5 and then every 4 s until 32 s; and our own answer to the BYE.
    ensure((9..=13).contains(&answers), || format!("{answers} answers"))?;
    wait::until_true("no call", seconds(5.0), || {
        let status = visit.gateway.control(&["status"])?;
        Ok(status["calls"].as_array().is_some_and(Vec::is_empty))
    })?;
    visit.gateway.must_have_stayed_shut()
}
