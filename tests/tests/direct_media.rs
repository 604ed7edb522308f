//! The PBX takes itself out of the sound with a re-INVITE after the answer (direct media): sound and keys
//! then come from the phone's own address, both hear each other, and the key opens.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::baresip::Baresip;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn direct_media() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut phone = Baresip::start(&pbx.folder().join("speech.wav"))?;
    let target = phone.target();
    let address = target.rsplit('@').next().unwrap_or_default();
    pbx.rx(&format!("dialplan set global PHONE {address}"))?;
    pbx.rx("core set verbose 5")?;
    let mut settings = Settings::new("460", Visit::usual(3.0, 60.0));
    settings.extension = "106".into();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    wait::until_true("direct media at the PBX", seconds(8.0), || {
        Ok(pbx.log().contains("media will flow directly"))
    })?;
    let speech = pbx.speech()?;
    wait::until_true("the resident's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    phone.presses("9")?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(8.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}
