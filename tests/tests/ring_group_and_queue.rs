//! The apartment's number is a ring group of the PBX, or a queue: the phone in it that answers gets the
//! visitor, and its key opens once.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;

fn opens_through(number: &str) -> Outcome {
    let pbx = Asterisk::start()?;
    let visit = Visit::usual(3.0, 60.0);
    let mut gateway = Gateway::start(&Settings::new(number, visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(8.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}

#[test]
fn ring_group() -> Outcome {
    opens_through("410")
}

#[test]
fn queue() -> Outcome {
    opens_through("411")
}
