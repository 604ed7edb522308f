//! A technician's test call: calls a phone without a line, plays a tone, and reports.

use std::time::Duration;

use call::{Event, LegId};
use control::reply::TestCall;

use crate::actions::CallOrder;
use crate::leg::Kind;
use crate::{Gateway, Output};

const BLOCK: Duration = Duration::from_millis(10);
/// How long the phone may ring.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long the tone plays.
const TALK: Duration = Duration::from_secs(4);

/// A running test call.
#[derive(Debug)]
pub(crate) struct TestCallState {
    report: TestCall,
    started: Duration,
    next_block: Option<Duration>,
    end: Duration,
    phase: f32,
}

impl TestCallState {
    pub(crate) fn next_deadline(&self) -> Duration {
        self.next_block.unwrap_or(self.end)
    }

    /// 10 ms of the test tone: 440 Hz at about -16 dBm0.
    fn tone(&mut self) -> [i16; 80] {
        let step = std::f32::consts::TAU * 440.0 / 8000.0;
        std::array::from_fn(|_| {
            self.phase = (self.phase + step) % std::f32::consts::TAU;
            (self.phase.sin() * 3700.0) as i16
        })
    }
}

impl Gateway {
    /// Places a test call. The report follows as [`Output::TestCallDone`].
    ///
    /// # Errors
    /// Why the call could not be placed, in words.
    pub fn test_call(
        &mut self,
        now: Duration,
        account: usize,
        target: &str,
    ) -> Result<LegId, String> {
        config::check_target(target).map_err(str::to_owned)?;
        let leg = self.controller.new_leg();
        let report = TestCall {
            target: target.to_owned(),
            answered: false,
            answered_after_ms: None,
            codec: String::new(),
            packets_sent: 0,
            packets_received: 0,
            digits: String::new(),
            detail: String::new(),
            hint: String::new(),
        };
        let state = TestCallState {
            report,
            started: now,
            next_block: None,
            end: now + ANSWER_WITHIN,
            phase: 0.0,
        };
        let kind = Kind::Test(Box::new(state));
        let order = CallOrder {
            account,
            target,
            display_name: None,
            headers: Vec::new(),
            line: None,
            kind,
        };
        self.place_call(now, leg, order)?;
        self.pump(now);
        Ok(leg)
    }

    fn test_state(&mut self, id: LegId) -> Option<&mut TestCallState> {
        match &mut self.legs.get_mut(&id)?.kind {
            Kind::Test(state) => Some(state),
            _ => None,
        }
    }

    pub(crate) fn test_call_answered(&mut self, now: Duration, id: LegId) {
        if let Some(state) = self.test_state(id) {
            state.report.answered = true;
            state.report.answered_after_ms =
                Some(now.saturating_sub(state.started).as_millis() as u64);
            state.next_block = Some(now);
            state.end = now + TALK;
        }
    }

    pub(crate) fn test_call_digit(&mut self, id: LegId, digit: char) {
        if let Some(state) = self.test_state(id)
            && state.report.digits.len() < 32
        {
            state.report.digits.push(digit);
        }
    }

    pub(crate) fn test_call_silent(&mut self, id: LegId) {
        if let Some(state) = self.test_state(id) {
            state.report.hint =
                "no audio came back: check NAT and the firewall between box and PBX".into();
        }
    }

    /// Plays the tones and ends the test calls whose time is over.
    pub(crate) fn run_test_calls(&mut self, now: Duration) {
        let due: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, leg)| matches!(leg.kind, Kind::Test(_)))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(leg) = self.legs.get_mut(&id) else {
                continue;
            };
            let Kind::Test(state) = &mut leg.kind else {
                continue;
            };
            while let Some(at) = state.next_block.filter(|at| *at <= now) {
                leg.session.push_audio(now, &state.tone());
                leg.session.pull_audio(now, &mut [0; 80]);
                // After a long stall the tone goes on from now instead of in a burst.
                state.next_block = Some((at + BLOCK).max(now.saturating_sub(BLOCK * 10)));
            }
            if now >= state.end {
                let answered = state.report.answered;
                let detail = if answered {
                    "answered, tone played"
                } else {
                    "no answer within 30 s"
                };
                self.finish_test_call(
                    now,
                    id,
                    detail,
                    if answered {
                        ""
                    } else {
                        "check that the phone is registered at the PBX and not forwarded"
                    },
                );
            }
        }
    }

    /// The call ended before we ended it.
    pub(crate) fn test_call_failed(&mut self, id: LegId, status: Option<u16>, reason: &str) {
        let Some(state) = self.test_state(id) else {
            return;
        };
        let answered = state.report.answered;
        let status = status.map_or(String::new(), |status| format!("{status} "));
        let detail = if answered {
            "answered; the other side hung up".to_owned()
        } else {
            format!("not answered: {status}{reason}")
        };
        let hint = if answered {
            ""
        } else {
            "run: trubka status; and look into the PBX's log for this call"
        };
        self.report_test_call(id, &detail, hint);
    }

    fn finish_test_call(&mut self, now: Duration, id: LegId, detail: &str, hint: &str) {
        self.report_test_call(id, detail, hint);
        self.end_leg(now, id, "test call over");
    }

    /// Reports once: afterwards the leg is an ordinary one on its way out.
    fn report_test_call(&mut self, id: LegId, detail: &str, hint: &str) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if !matches!(leg.kind, Kind::Test(_)) {
            return;
        }
        let Kind::Test(state) = std::mem::replace(&mut leg.kind, Kind::Outgoing) else {
            return;
        };
        let stats = leg.session.stats();
        let mut report = state.report;
        report.codec = stats
            .codec
            .map(|codec| format!("{codec:?}").to_uppercase())
            .unwrap_or_default();
        report.packets_sent = stats.packets_sent;
        report.packets_received = stats.packets_received;
        report.detail = detail.to_owned();
        if report.answered && report.packets_received == 0 && report.hint.is_empty() {
            report.hint =
                "no audio came back: check NAT, the firewall, and the media address of the PBX"
                    .into();
        } else if report.hint.is_empty() {
            report.hint = hint.to_owned();
        }
        self.tell(Event::TestCall {
            target: report.target.clone(),
            answered: report.answered,
            detail: report.detail.clone(),
        });
        self.outputs
            .push_back(Output::TestCallDone { leg: id, report });
    }
}
