//! What the tools show.

use control::reply::{AccountStatus, CallStatus, CardStatus, LineReading, LineStatus};

use crate::Gateway;
use crate::sip_side::registration_words;

impl Gateway {
    /// Every line as it is now.
    pub fn line_statuses(&self) -> Vec<LineStatus> {
        self.lines
            .iter()
            .enumerate()
            .map(|(index, slot)| {
                let settings = &self.config.lines[index];
                let view = self.controller.view(index);
                let status = slot.line.status();
                LineStatus {
                    name: settings.name.clone(),
                    apartment: settings.apartment,
                    profile: settings.profile.clone(),
                    overrides: self
                        .config
                        .override_of(settings.apartment)
                        .map(config::Override::words)
                        .unwrap_or_default(),
                    phase: view.as_ref().map_or("idle", |view| view.phase).to_owned(),
                    state: status.state.name().to_owned(),
                    party: view.and_then(|view| view.party),
                    volts: slot.last.volts,
                    milliamps: slot.last.milliamps,
                    handset_volts: slot.last.handset_volts,
                    band: status.band.name().to_owned(),
                    load: status.drive.load.name().to_owned(),
                    relay: status.drive.relay.name().to_owned(),
                    fault: slot.fault.clone(),
                    present: slot.present,
                }
            })
            .collect()
    }

    /// The last block of a line, if `card` carries it.
    pub fn line_reading(&self, line: usize, card: usize) -> Option<LineReading> {
        let slot = self.lines.get(line).filter(|slot| slot.card == card)?;
        let (r, drive) = (slot.line.reading(), slot.line.drive());
        Some(LineReading {
            volts: r.mean_volts,
            milliamps: r.milliamps,
            handset_volts: r.handset_volts,
            level_volts: r.level_volts,
            low_volts: r.low_volts,
            high_volts: r.high_volts,
            swing_volts: r.swing_volts,
            fill: r.fill,
            tone_hz: r.tone_hz,
            chopped: r.chopped,
            load: drive.load.name().to_owned(),
            relay: drive.relay.name().to_owned(),
        })
    }

    /// Every account as it is now.
    pub fn account_statuses(&self) -> Vec<AccountStatus> {
        self.config
            .accounts
            .iter()
            .enumerate()
            .map(|(index, account)| {
                let registration = self.ua.registration(index);
                let (mut state, mut detail, hint) = registration_words(&registration);
                if !account.register {
                    (state, detail) = ("direct", "no registration wanted".to_owned());
                }
                AccountStatus {
                    name: account.name.clone(),
                    address: format!("sip:{}@{}", account.extension, account.domain),
                    state: state.to_owned(),
                    detail,
                    hint: hint.to_owned(),
                }
            })
            .collect()
    }

    /// Every call leg as it is now.
    pub fn call_statuses(&self) -> Vec<CallStatus> {
        self.legs
            .values()
            .map(|leg| {
                let stats = leg.session.stats();
                CallStatus {
                    line: leg
                        .line
                        .map(|line| self.config.lines[line].name.clone())
                        .unwrap_or_default(),
                    party: leg.party.clone(),
                    state: leg.state().to_owned(),
                    codec: stats
                        .codec
                        .map(|codec| format!("{codec:?}").to_uppercase())
                        .unwrap_or_default(),
                    encryption: stats
                        .encryption
                        .map_or("none", media::CryptoSuite::name)
                        .to_owned(),
                    packets_received: stats.packets_received,
                    packets_sent: stats.packets_sent,
                    lost: u64::try_from(stats.lost).unwrap_or(0),
                    jitter_ms: stats.jitter_ms,
                    concealed_ms: stats.concealed_ms,
                    dropped: stats.dropped.total(),
                    erle_db: leg
                        .line
                        .map_or(0.0, |line| self.lines[line].voice.status().erle_db),
                }
            })
            .collect()
    }

    /// Pairs of audio ports that calls hold at the moment.
    pub fn audio_ports_in_use(&self) -> usize {
        self.slot_of.iter().flatten().count()
    }

    /// Every line card as it is now.
    pub fn card_statuses(&self) -> Vec<CardStatus> {
        self.cards
            .iter()
            .zip(&self.config.cards)
            .map(|(slot, card)| CardStatus {
                name: card.name.clone(),
                present: slot.present,
                detail: slot.detail.clone(),
            })
            .collect()
    }
}
