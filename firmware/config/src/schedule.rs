//! Times of the week at which a route is in force.

/// A moment of local time, as a clock on the wall shows it. The daemon knows time zone and
/// daylight saving; the cores only compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Day of the week, 0 is Monday, 6 is Sunday.
    pub weekday: u8,
    /// Seconds since local midnight, 0..86 400.
    pub second: u32,
}

/// Seconds of a day.
const DAY_S: u64 = 86_400;

impl LocalTime {
    /// The time so much later, as long as the clock is not changed.
    pub fn after(self, passed: std::time::Duration) -> LocalTime {
        let total = u64::from(self.second) + passed.as_secs() % (7 * DAY_S);
        let days = total / DAY_S;
        LocalTime {
            weekday: ((u64::from(self.weekday) + days) % 7) as u8,
            second: (total % DAY_S) as u32,
        }
    }
}

/// Section `schedule`: a part of each listed day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Short name by which routes refer to it.
    pub name: String,
    /// Days on which it begins, Monday first.
    pub days: [bool; 7],
    /// Minute of the day at which it begins, 0..1440.
    pub from_minute: u16,
    /// Minute of the day before which it ends, 0..=1440; not above `from_minute`: on the next day.
    pub to_minute: u16,
}

impl Schedule {
    /// Whether the schedule is on at `time`. What begins in the evening and ends in the morning
    /// belongs to the day on which it begins.
    pub fn is_on(&self, time: LocalTime) -> bool {
        let minute = time.second / 60;
        let (from, to) = (u32::from(self.from_minute), u32::from(self.to_minute));
        let on = |weekday: u8| self.days.get(usize::from(weekday % 7)) == Some(&true);
        if from < to {
            return on(time.weekday) && (from..to).contains(&minute);
        }
        let began_today = on(time.weekday) && minute >= from;
        let began_yesterday = on(time.weekday % 7 + 6) && minute < to;
        began_today || began_yesterday
    }
}

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn day(name: &str) -> Option<usize> {
    NAMES
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name.trim()))
}

/// Reads `"mon"`, `"mon-fri"`, `"sat-mon"`.
pub(crate) fn read_days(list: &[String]) -> Result<[bool; 7], String> {
    let mut days = [false; 7];
    for text in list {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let bad = || format!("\"{text}\" is neither a day nor a range of days");
        let (first, last) = (day(first).ok_or_else(bad)?, day(last).ok_or_else(bad)?);
        for step in 0..=(last + 7 - first) % 7 {
            days[(first + step) % 7] = true;
        }
    }
    if days == [false; 7] {
        return Err("no day is named".into());
    }
    Ok(days)
}

/// Reads `"22:00"`; `"24:00"` is the end of the day.
pub(crate) fn read_minute(text: &str) -> Result<u16, String> {
    let bad = || format!("\"{text}\" is no time of day");
    let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
    let number = |text: &str| -> Option<u16> {
        let two = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        two.then(|| text.parse().ok()).flatten()
    };
    let (hours, minutes) = (
        number(hours).ok_or_else(bad)?,
        number(minutes).ok_or_else(bad)?,
    );
    let minute = hours * 60 + minutes;
    if minutes > 59 || minute > 1440 {
        return Err(bad());
    }
    Ok(minute)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn schedule(days: &str, from: &str, to: &str) -> Schedule {
        Schedule {
            name: "s".into(),
            days: read_days(&days.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap(),
            from_minute: read_minute(from).unwrap(),
            to_minute: read_minute(to).unwrap(),
        }
    }

    fn at(weekday: u8, clock: &str) -> LocalTime {
        LocalTime {
            weekday,
            second: u32::from(read_minute(clock).unwrap()) * 60,
        }
    }

    #[test]
    fn working_hours_have_a_beginning_and_an_end() {
        let hours = schedule("mon-fri", "8:00", "18:30");
        for (weekday, clock, on) in [
            (0, "07:59", false),
            (0, "08:00", true),
            (4, "18:29", true),
            (4, "18:30", false),
            (5, "12:00", false),
            (6, "12:00", false),
        ] {
            assert_eq!(hours.is_on(at(weekday, clock)), on, "{weekday} {clock}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = schedule("fri sat", "22:00", "07:00");
        for (weekday, clock, on) in [
            (4, "06:00", false),
            (4, "23:00", true),
            (5, "06:59", true),
            (5, "07:00", false),
            (6, "03:00", true),
            (6, "22:00", false),
            (0, "03:00", false),
        ] {
            assert_eq!(night.is_on(at(weekday, clock)), on, "{weekday} {clock}");
        }
        // From Sunday into Monday, over the end of the week.
        assert!(schedule("sun", "22:00", "07:00").is_on(at(0, "06:59")));
    }

    #[test]
    fn ranges_of_days_may_go_over_the_weekend() {
        let days = read_days(&["sat-mon".to_owned()]).unwrap();
        assert_eq!(days, [true, false, false, false, false, true, true]);
        for bad in ["", "mo", "mon-", "mon-fri-sat", "8"] {
            assert!(read_days(&[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(read_days(&[]).is_err());
    }

    #[test]
    fn times_of_day_are_read_and_nonsense_is_not() {
        assert_eq!(read_minute("24:00"), Ok(1440));
        assert_eq!(read_minute("7:05"), Ok(425));
        for bad in [
            "24:01", "8", "8:60", "-1:00", "+1:00", "08:000", "8.30", ":", "99999:0",
        ] {
            assert!(read_minute(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_clock_goes_on_over_midnight_and_the_end_of_the_week() {
        let sunday = at(6, "23:59");
        let later = sunday.after(std::time::Duration::from_secs(90));
        assert_eq!((later.weekday, later.second), (0, 30));
        let year = sunday.after(std::time::Duration::from_secs(364 * DAY_S));
        assert_eq!(year, sunday);
    }
}
