//! The journal's disk is away: the door opens all the same, the record goes to the system log and waits,
//! an alarm says so, and when the disk returns the record is written, once.

use std::os::unix::net::UnixDatagram;
use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::{Doing, ensure};
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn failing_disk() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut settings = Settings::new("400", Visit::usual(3.0, 40.0));
    // A file stands where the journal's folder should be.
    settings.journal = "disk/journal.sqlite".into();
    let mut gateway = Gateway::start_with(&settings, pbx.ip(), |folder| {
        std::fs::write(folder.join("disk"), "not a folder")?;
        Ok(())
    })?;
    let syslog = UnixDatagram::bind(gateway.path("syslog.sock"))
        .doing(|| "binding the system log".into())?;
    syslog.set_nonblocking(true)?;

    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(40.0))?;
    let mut logged = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = syslog.recv(&mut buffer) {
        logged.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    let openings = logged
        .iter()
        .filter(|line| line.contains("\"door_opened\""))
        .count();
    ensure(openings == 1, || {
        format!("{openings} openings in the system log: {logged:?}")
    })?;
    ensure(gateway.log().contains("journal_alarm"), || {
        "no alarm in the log".into()
    })?;

    // The disk returns.
    std::fs::remove_file(gateway.path("disk"))?;
    wait::until_true("the record on the disk", seconds(10.0), || {
        Ok(gateway
            .journal(words::DOOR_OPENED)
            .is_ok_and(|records| records.len() == 1))
    })?;
    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}
