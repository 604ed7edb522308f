//! What the tools show.

use std::time::Duration;

use control::reply::{
    AccountStatus, Bus as BusReply, CallStatus, CardStatus, LineReading, LineStatus,
};
use line_interface::matrix::Bus;
use line_interface::{BusLevels, LineCode, LineState};

use crate::Gateway;
use crate::sip_side::registration_words;

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
        let (r, drive) = (slot.line.line().reading(), slot.line.drive());
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
                let figures = self.figures(leg, Duration::ZERO);
                CallStatus {
                    line: figures.line,
                    party: figures.party,
                    account: figures.account,
                    state: leg.state().to_owned(),
                    codec: figures.codec,
                    ptime_ms: figures.ptime_ms,
                    encryption: figures.encryption,
                    dtmf_mode: figures.dtmf_mode,
                    packets_received: figures.packets_received,
                    packets_sent: figures.packets_sent,
                    lost: figures.lost,
                    lost_percent: figures.lost_percent,
                    late: figures.late,
                    jitter_ms: figures.jitter_ms,
                    buffer_ms: figures.buffer_ms,
                    concealed_ms: figures.concealed_ms,
                    concealed_percent: figures.concealed_percent,
                    rtt_ms: figures.rtt_ms,
                    remote_lost_percent: figures.remote_lost_percent,
                    mos: figures.mos,
                    dropped: figures.dropped,
                    erle_db: figures.erle_db,
                    echo_delay_ms: figures.echo_delay_ms,
                    from_line_dbm0: figures.from_line_dbm0,
                    to_phone_dbm0: figures.to_phone_dbm0,
                    from_phone_dbm0: figures.from_phone_dbm0,
                    to_line_dbm0: figures.to_line_dbm0,
                    half_duplex: figures.half_duplex,
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
