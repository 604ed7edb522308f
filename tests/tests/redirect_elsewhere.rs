//! A phone that answers with 302 to a host that nobody configured: that host hears nothing from us, and the
//! apartment's next target is called and opens.

use trubka_tests::Outcome;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Settings, Visit, words};
use trubka_tests::scripted::Scripted;
use trubka_tests::wait::seconds;

#[test]
fn redirect_elsewhere() -> Outcome {
    let settings = Settings::new("401", Visit::usual(4.0, 60.0));
    let mut visit = Scripted::phone("phone_moves", 0, settings)?;
    let elsewhere = std::net::UdpSocket::bind((visit.addresses().1, 5060))?;
    elsewhere.set_nonblocking(true)?;
    visit.sipp.must_succeed(seconds(20.0))?;
    visit
        .gateway
        .wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    visit.gateway.wait_idle(seconds(20.0))?;
    visit.gateway.must_have_opened(1)?;
    let heard = elsewhere.recv(&mut [0; 2000]);
    ensure(heard.is_err(), || {
        format!("{heard:?} bytes went to the foreign host")
    })
}
