//! Figures of a call: what the media session and the sound processing know, put together.

use std::time::Duration;

use call::{CallFigures, LegId};
use dsp::chain::Duplex;

use crate::Gateway;
use crate::leg::Leg;

impl Gateway {
    /// What a leg sounds like; `talk` is how long it was up, once it is over.
    pub(crate) fn figures(&self, leg: &Leg, talk: Option<Duration>) -> CallFigures {
        let stats = leg.session.stats();
        let account = leg
            .account
            .and_then(|account| self.config.accounts.get(account));
        let slot = leg.line.and_then(|line| self.lines.get(line));
        let echo = slot.map(|slot| slot.voice.status()).unwrap_or_default();
        let levels = slot.map(|slot| slot.voice.levels()).unwrap_or_default();
        CallFigures {
            line: leg
                .line
                .map(|line| self.config.lines[line].name.clone())
                .unwrap_or_default(),
            party: leg.party.clone(),
            account: account.map_or_else(String::new, |account| account.name.clone()),
            talk_ms: talk.map(|talk| talk.as_millis() as u64),
            codec: stats
                .codec
                .map(|codec| codec.name().to_owned())
                .unwrap_or_default(),
            ptime_ms: stats.ptime_ms,
            encryption: stats
                .encryption
                .map_or("none", media::CryptoSuite::name)
                .to_owned(),
            dtmf_mode: stats.digit_mode.name().to_owned(),
            packets_received: stats.packets_received,
            packets_sent: stats.packets_sent,
            lost: u64::try_from(stats.lost).unwrap_or(0),
            lost_percent: rounded(stats.lost_percent()),
            late: stats.late,
            jitter_ms: rounded(stats.jitter_ms),
            buffer_ms: stats.held_ms,
            concealed_ms: stats.concealed_ms,
            concealed_percent: rounded(stats.concealed_percent()),
            rtt_ms: stats.rtt_ms.map(rounded),
            remote_lost_percent: stats.remote_loss.map(|share| rounded(share * 100.0)),
            mos: stats.mos.map(rounded),
            dropped: stats.dropped.total(),
            erle_db: rounded(echo.erle_db),
            echo_delay_ms: echo.echo_delay_ms.map(rounded),
            from_line_dbm0: levels.from_line.map(rounded),
            to_phone_dbm0: levels.to_phone.map(rounded),
            from_phone_dbm0: levels.from_phone.map(rounded),
            to_line_dbm0: levels.to_line.map(rounded),
            half_duplex: echo.duplex == Duplex::Half,
        }
    }

    /// Tells what an answered call sounded like, once, at its end.
    pub(crate) fn tell_figures(&mut self, now: Duration, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let Some(since) = leg.since.take() else {
            return;
        };
        let talk = now.saturating_sub(since);
        let Some(leg) = self.legs.get(&id) else {
            return;
        };
        let figures = self.figures(leg, Some(talk));
        self.tell(call::Event::CallQuality(Box::new(figures)));
    }
}

/// Two decimals are more than any of the figures is worth.
fn rounded(value: f32) -> f32 {
    (value * 100.0).round() / 100.0
}
