//! A visit in which SIPp plays the phone that is called, or the caller who calls in, without a PBX between:
//! what it writes reaches the box as it stands in the scenario.

use crate::asterisk::{Asterisk, Settings as Pbx};
use crate::gateway::{Gateway, Settings, Visit, words};
use crate::sipp::{Sipp, media_socket};
use crate::wait::seconds;
use crate::{Failure, Outcome, address::Address, rtp};

/// The box, a PBX that knows it, and the scripted party with its sound.
#[derive(Debug)]
pub struct Scripted {
    /// The box.
    pub gateway: Gateway,
    /// The scenario.
    pub sipp: Sipp,
    /// The scripted party's sound.
    pub phone: rtp::Phone,
    /// The PBX of the first account.
    pub pbx: Asterisk,
    address: Address,
}

impl Scripted {
    /// The visitor dials and the box calls the scenario. `settings` gets the scenario's address as its only
    /// target. `pause_ms` is the scenario's bare pause.
    ///
    /// # Errors
    /// When something does not start.
    pub fn phone(scenario: &str, pause_ms: u32, mut settings: Settings) -> Result<Self, Failure> {
        let address = Address::take()?;
        settings.targets.insert(0, format!("sip:400@{address}"));
        let mut visit = Self::start(scenario, pause_ms, &settings, address, false, |_| Ok(()))?;
        visit.gateway.visitor_comes()?;
        Ok(visit)
    }

    /// As [`Scripted::phone`], over TCP.
    ///
    /// # Errors
    /// When something does not start.
    pub fn phone_over_tcp(
        scenario: &str,
        pause_ms: u32,
        mut settings: Settings,
    ) -> Result<Self, Failure> {
        let address = Address::take()?;
        settings.targets.insert(0, "400".to_owned());
        settings.account = format!(
            "registrar = \"{address}\"\ntransport = \"tcp\"\nregister = false\nkeepalive = \"crlf\""
        );
        let mut visit = Self::start(scenario, pause_ms, &settings, address, true, |_| Ok(()))?;
        visit.gateway.visitor_comes()?;
        Ok(visit)
    }

    /// The visitor dials a phone that nobody answers, and the scenario calls the box as user 400 of a
    /// second account's PBX.
    ///
    /// # Errors
    /// When something does not start or the visitor's ring does not come.
    pub fn caller(scenario: &str, pause_ms: u32) -> Result<Self, Failure> {
        let address = Address::take()?;
        let mut settings = Settings::new("403", Visit::default().dials(3.0).speaks().leaves(90.0));
        settings.more = format!(
            "\n[[account]]\nname = \"scripted\"\nextension = \"100\"\ndomain = \"{address}\"\npassword = \"none\"\n"
        );
        Self::start(scenario, pause_ms, &settings, address, false, |gateway| {
            gateway.visitor_comes()?;
            gateway.wait_panel(words::RING_BURST, seconds(15.0))
        })
    }

    fn start(
        scenario: &str,
        pause_ms: u32,
        settings: &Settings,
        address: Address,
        tcp: bool,
        before: impl FnOnce(&mut Gateway) -> Outcome,
    ) -> Result<Self, Failure> {
        let pbx = Asterisk::start_with(Pbx::default())?;
        let mut gateway = Gateway::start(settings, pbx.ip())?;
        let state = if tcp { "direct" } else { words::REGISTERED };
        gateway.wait_account(state, seconds(10.0))?;
        before(&mut gateway)?;
        let socket = media_socket(address.ip())?;
        let (media, pause) = (
            socket.local_addr()?.port().to_string(),
            pause_ms.to_string(),
        );
        let elsewhere = pbx.phone_ip().to_string();
        let phone = rtp::Phone::start(socket, Some(pbx.speech()?))?;
        let mut keys = vec![
            ("media", media.as_str()),
            ("pause_ms", pause.as_str()),
            ("elsewhere", elsewhere.as_str()),
            // SIPp takes blanks off the beginning of a line; a folded one needs them.
            ("blank", " "),
        ];
        if tcp {
            keys.push(("transport", "t1"));
        }
        let sipp = Sipp::start(scenario, address.ip(), gateway.ip(), "400", "", &keys)?;
        Ok(Self {
            gateway,
            sipp,
            phone,
            pbx,
            address,
        })
    }

    /// Where the scenario speaks from, and where elsewhere it may point.
    pub fn addresses(&self) -> (std::net::Ipv4Addr, std::net::Ipv4Addr) {
        (self.address.ip(), self.pbx.phone_ip())
    }

    /// The usual end: the door opened once, the scenario went as written, the line is free, the visitor
    /// heard the phone and the phone the visitor, and the panel saw nothing odd.
    ///
    /// # Errors
    /// When one of it is not so.
    pub fn must_open_once(mut self) -> Outcome {
        self.gateway.wait_panel(words::LOCK_OPENED, seconds(75.0))?;
        self.sipp.must_succeed(seconds(20.0))?;
        self.gateway.wait_idle(seconds(20.0))?;
        self.gateway.must_have_opened(1)?;
        self.gateway.must_be_clean_for_the_panel()?;
        let heard = self.phone.stop()?.packets.len();
        crate::failure::ensure(heard > 50, || {
            format!("only {heard} packets came to the phone")
        })
    }
}
