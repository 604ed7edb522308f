//! Which of the two filters is heard.
//!
//! Both learn. The scout learns fast and errs in double talk; the filter that is heard learns slowly and does not. The scout
//! is copied to it when it has been so much better for a while that it cannot be chance: then the path has changed. When it
//! has gone astray, it is thrown away and starts again from the filter that is heard.

/// What to do with the two filters after a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// The scout is better.
    Promote,
    /// The scout has gone astray.
    Reset,
}

/// Share of the heard filter's error by which the scout's must be smaller. A far end and a near end that happen to be alike for a
/// moment let the scout gain less.
const CLEARLY: f32 = 0.25;
/// A scout whose echo has this many times the power that the filter's echo may have by all that is known has rather learned a loud near
/// end...
const GROWN: f32 = 10.0;
/// ...unless it takes away this share of the error: then there is a path where there was hardly any.
const MOST: f32 = 0.75;
/// Squared harm over its variance from which a filter is given up...
const SURE: f32 = 2.0;
/// ...and from which it is when the harm is also this share of what the microphone brings. Beside a talker who is 20 dB louder than
/// the echo the former alone happens by chance in a few seconds, the latter does not.
const LIKELY: f32 = 0.5;
const NOTICED: f32 = 0.1;

/// Compares the two errors over three spans: this block, some blocks, many blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Control {
    short_gain: f32,
    short_variance: f32,
    long_gain: f32,
    long_variance: f32,
    short_front: f32,
    long_front: f32,
    scout_echo: f32,
    plausible: f32,
}

impl Control {
    /// To be called before [`Control::judge`] with the energy of the scout's echo in this block, and the largest that the filter's may
    /// have by all that is known.
    pub(super) fn weigh(&mut self, scout_echo: f32, plausible: f32) {
        follow(&mut self.scout_echo, scout_echo, 0.15);
        follow(&mut self.plausible, plausible, 0.15);
    }

    /// `front` and `back` are the energies of the errors of filter and scout, `apart` that of the difference of the two echo estimates. The
    /// difference of the energies is noise of variance `front * apart` as long as both are equally good.
    pub(super) fn judge(&mut self, front: f32, back: f32, apart: f32) -> Verdict {
        let gain = front - back;
        let variance = front * apart;
        follow(&mut self.short_gain, gain, 0.4);
        follow(&mut self.long_gain, gain, 0.15);
        // Squares of the weights: the variance of a weighted sum.
        self.short_variance = super::settle(0.36 * self.short_variance + 0.16 * variance);
        self.long_variance = super::settle(0.7225 * self.long_variance + 0.0225 * variance);
        let beyond = |gain: f32, variance: f32, times: f32| gain * gain.abs() > times * variance;
        follow(&mut self.short_front, front, 0.4);
        follow(&mut self.long_front, front, 0.15);
        let clear = |gain: f32, front: f32| gain > CLEARLY * front;
        if beyond(gain, variance, 16.0) && clear(gain, front)
            || beyond(self.short_gain, self.short_variance, 8.0)
                && clear(self.short_gain, self.short_front)
            || beyond(self.long_gain, self.long_variance, 4.0)
                && clear(self.long_gain, self.long_front)
        {
            let grown = self.scout_echo > GROWN * self.plausible;
            if grown && self.long_gain < MOST * self.long_front {
                return Verdict::Keep;
            }
            *self = Control::default();
            return Verdict::Promote;
        }
        if beyond(-gain, variance, 4.0)
            || beyond(-self.short_gain, self.short_variance, 4.0)
            || beyond(-self.long_gain, self.long_variance, 4.0)
        {
            *self = Control::default();
            return Verdict::Reset;
        }
        Verdict::Keep
    }
}

/// Whether the filter that is heard does more harm than good: after a change of the path it adds the echo of the old one.
#[derive(Debug, Clone, Default)]
pub(super) struct Astray {
    harm: f32,
    variance: f32,
    mic: f32,
}

impl Astray {
    /// `error` and `mic` are the energies with and without the filter, `echo` that of what it takes out. True once the harm
    /// cannot be chance: then everything starts over.
    pub(super) fn judge(&mut self, error: f32, mic: f32, echo: f32) -> bool {
        self.judge_by(error, mic, echo, SURE, LIKELY)
    }

    /// The same with other squared harms over their variance: one that is enough, and one that is when the harm is noticed.
    pub(super) fn judge_by(
        &mut self,
        error: f32,
        mic: f32,
        echo: f32,
        sure: f32,
        likely: f32,
    ) -> bool {
        follow(&mut self.harm, error - mic, 0.15);
        self.variance = super::settle(0.7225 * self.variance + 0.0225 * error * echo);
        follow(&mut self.mic, mic, 0.15);
        let square = self.harm * self.harm;
        let noticed = self.harm > NOTICED * self.mic;
        let astray = self.harm > 0.0
            && (square > sure * self.variance || noticed && square > likely * self.variance);
        if astray {
            *self = Astray::default();
        }
        astray
    }
}

fn follow(mean: &mut f32, value: f32, weight: f32) {
    *mean = super::settle(*mean + weight * (value - *mean));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_filter_is_heard_and_the_worse_one_thrown_away() {
        assert_eq!(Control::default().judge(1.0, 0.1, 0.05), Verdict::Promote);
        assert_eq!(Control::default().judge(0.1, 1.0, 0.5), Verdict::Reset);
        let mut control = Control::default();
        // Better by not much: not at once, but when it lasts.
        let verdicts: Vec<_> = (0..20).map(|_| control.judge(1.0, 0.6, 0.25)).collect();
        assert_eq!(verdicts[0], Verdict::Keep);
        assert!(verdicts.contains(&Verdict::Promote));
    }

    #[test]
    fn a_filter_that_adds_echo_is_given_up_and_one_that_takes_some_is_not() {
        let mut astray = Astray::default();
        assert!((0..20).any(|_| astray.judge(2.0, 1.0, 1.0)));
        let mut useful = Astray::default();
        assert!((0..1000).all(|_| !useful.judge(0.9, 1.0, 0.5)));
        // A near end beside it makes the energies differ by chance, either way.
        let mut beside = Astray::default();
        assert!((0..1000).all(|n| !beside.judge(1.0 + 0.05 * (n % 3) as f32, 1.05, 0.01)));
    }

    #[test]
    fn a_scout_with_the_voice_of_a_loud_near_end_is_not_heard() {
        let heard = |back: f32, scout_echo: f32| {
            let mut control = Control::default();
            (0..50).any(|_| {
                control.weigh(scout_echo, 0.01);
                control.judge(1.0, back, 0.25) == Verdict::Promote
            })
        };
        assert!(!heard(0.6, 0.4), "the near end is a hundred times the echo");
        assert!(heard(0.6, 0.05), "a path that is louder by 7 dB");
        assert!(heard(0.1, 0.9), "a path where there was hardly any");
    }

    #[test]
    fn a_talker_far_louder_than_the_echo_is_no_harm() {
        // A good filter beside a talker 30 dB louder: what it takes out happens to be a sixth in step with his voice.
        let mut good = Astray::default();
        assert!((0..1000).all(|_| !good.judge(100.0 + 2.0 * 0.17 * 10.0_f32.sqrt(), 100.0, 0.1)));
        // The same, and the path is another one and ten times as loud as the talker.
        assert!((0..20).any(|_| good.judge(2000.0, 1000.0, 1000.0)));
    }

    #[test]
    fn equal_filters_stay() {
        let mut control = Control::default();
        assert!((0..100).all(|_| control.judge(1.0, 1.0, 0.01) == Verdict::Keep));
    }
}
