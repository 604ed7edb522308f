//! A real Asterisk in the part of the PBX. Its phone 400 is an extension of the dialplan that
//! answers, speaks, presses 9 as RFC 4733 and records what it hears.

use std::sync::mpsc::Sender;
use std::time::Duration;

use peers::asterisk::{Asterisk, PASSWORD, Settings};

use super::pbx::Pbx;
use super::stage::{PbxAddress, Stage, write_wav};
use super::story::{Source, Told};
use crate::exit::{ABSENT, FAILURE, Failed};

/// Silence between the phone's words and its key, for the visitor to be heard.
const LISTENS_S: u32 = 4;

pub(crate) struct RealAsterisk {
    asterisk: Asterisk,
    address: PbxAddress,
}

impl RealAsterisk {
    /// Starts it; half a second on a quiet machine.
    pub(crate) fn prepare() -> Result<RealAsterisk, Failed> {
        let settings = Settings {
            listen_s: LISTENS_S,
            ..Settings::default()
        };
        let mut asterisk = Asterisk::start_with(settings).map_err(|failure| {
            let hint = "tests/setup fetches an Asterisk into the cache folder, with espeak-ng and sox for its voice";
            Failed::new(ABSENT, format!("no Asterisk: {failure}\n    hint: {hint}"))
        })?;
        asterisk.keep_quiet();
        let speech = asterisk
            .speech()
            .map_err(|failure| Failed::new(FAILURE, failure.to_string()))?
            .samples;
        let address = PbxAddress {
            ip: asterisk.ip(),
            extension: "100",
            password: PASSWORD,
            visitor_speaks_after_s: speech.len() as f32 / 8000.0 + 0.2,
            speech,
            together: None,
        };
        Ok(RealAsterisk { asterisk, address })
    }
}

impl Pbx for RealAsterisk {
    fn address(&self) -> PbxAddress {
        self.address.clone()
    }

    fn start(&mut self, _stage: &Stage, tell: Sender<Told>) -> Result<(), Failed> {
        let version = serde_json::json!({ "event": "version", "version": self.asterisk.version() });
        // The story may have ended already.
        let _ = tell.send(Told::now(Source::Phone, version));
        Ok(())
    }

    fn stop(self: Box<Self>, stage: &Stage) -> Result<Vec<i16>, Failed> {
        let failed = |failure: peers::Failure| Failed::new(FAILURE, failure.to_string());
        self.asterisk
            .wait_idle(Duration::from_secs(5))
            .map_err(failed)?;
        let heard = self.asterisk.heard("400").map_err(failed)?.samples;
        write_wav(&stage.path("phone-heard.wav"), &heard)?;
        Ok(heard)
    }
}
