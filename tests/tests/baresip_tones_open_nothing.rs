//! Tones of the key 9 in the phone's sound open nothing: only events of the session are commands. The same
//! phone's event then opens.

use std::process::Command;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::baresip::Baresip;
use trubka_tests::folder::Folder;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Outcome, process};

#[test]
fn baresip_tones_open_nothing() -> Outcome {
    let folder = Folder::new("tones")?;
    let tones = folder.join("tones.wav");
    // 852 and 1477 Hz: 9, pressed for half a second, again and again.
    process::run(
        Command::new("sox")
            .args(["-n", "-r", "8000", "-c", "1", "-b", "16"])
            .arg(&tones)
            .args([
                "synth", "0.5", "sine", "852", "sine", "1477", "remix", "-", "gain", "-6",
            ])
            .args(["pad", "0", "0.3", "repeat", "40"]),
    )?;
    let pbx = Asterisk::start()?;
    let mut phone = Baresip::start(&tones)?;
    let settings = Settings::new(&phone.target(), Visit::usual(3.0, 60.0));
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    // They reach the visitor, for some seconds.
    wait::until_true("the tones at the panel", seconds(15.0), || {
        let heard = gateway.visitor_heard()?;
        let (from, to) = (heard.seconds() - 3.0, heard.seconds());
        Ok(heard.tone_db(852.0, from, to) > heard.tone_db(1000.0, from, to) + 20.0)
    })?;
    std::thread::sleep(seconds(3.0));
    gateway.must_have_stayed_shut()?;
    phone.presses("9")?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)
}
