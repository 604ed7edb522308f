//! What the tools show.

use control::reply::{
    AccountStatus, Bus as BusReply, CallStatus, CardStatus, LineReading, LineStatus,
};
use line_interface::matrix::Bus;
use line_interface::{BusLevels, LineCode, LineState};

use crate::Gateway;
use crate::sip_side::registration_words;

/// What a gateway keeps of calls; all of it is zero a while after the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnderWay {
    /// Legs.
    pub legs: usize,
    /// SIP calls, those still being closed included.
    pub sip_calls: usize,
    /// SIP transactions.
    pub transactions: usize,
    /// Deadlines of SIP calls and transactions.
    pub timers: usize,
    /// Pairs of audio ports.
    pub audio_ports: usize,
    /// Calls that another account would take over.
    pub orders: usize,
}

fn bus(levels: &BusLevels) -> BusReply {
    let letter = match levels.bus {
        Bus::Tens => 'D',
        Bus::Units => 'E',
    };
    BusReply {
        module: levels.module + 1,
        bus: letter.to_string(),
        first: levels.first,
        volts: levels.volts.clone(),
    }
}

impl Gateway {
    /// What is kept of calls.
    pub fn under_way(&self) -> UnderWay {
        UnderWay {
            legs: self.legs.len().max(self.calls.len()),
            sip_calls: self.ua.call_count(),
            transactions: self.ua.transaction_count(),
            timers: self.ua.timer_count(),
            audio_ports: self.audio_ports_in_use(),
            orders: self.placed.len(),
        }
    }

    /// Every line as it is now.
    pub fn line_statuses(&self) -> Vec<LineStatus> {
        self.lines
            .iter()
            .enumerate()
            .map(|(index, slot)| {
                let settings = &self.config.lines[index];
                let view = self.controller.view(index);
                let status = slot.line.status();
                let pair = settings.apartment();
                let calls = status.state != LineState::Idle;
                let named = slot.line.named().filter(|_| calls);
                let apartment = pair.or(named.and_then(|(_, apartment)| apartment));
                LineStatus {
                    name: settings.name.clone(),
                    topology: settings.topology.name().to_owned(),
                    apartment,
                    code: named.map(|(code, _)| code.to_string()).unwrap_or_default(),
                    connected: slot
                        .line
                        .connect()
                        .map(|cell| LineCode::Cell(cell).to_string()),
                    buses: slot.line.bus_levels().iter().map(bus).collect(),
                    profile: settings.profile.clone(),
                    overrides: apartment
                        .and_then(|apartment| self.config.override_of(apartment))
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
                    fault: slot.faults.last().map(|(name, _)| (*name).to_owned()),
                    fault_seen: slot.faults.last().map(|(_, seen)| {
                        format!(
                            "{:.2} V, {:.1} mA, handset {:.2} V",
                            seen.volts, seen.milliamps, seen.handset_volts
                        )
                    }),
                    present: slot.present,
                    misfit: slot.misfit.clone(),
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
            pulses_us: slot.line.pulse_runs().to_vec(),
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
            .map(|leg| CallStatus {
                state: leg.state().to_owned(),
                figures: self.figures(leg, None),
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
