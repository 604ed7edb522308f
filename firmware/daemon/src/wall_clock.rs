//! Local time for schedules: time zone and daylight saving.

use std::time::Duration;

use config::LocalTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::input::{Inbox, Input};

/// How often the core is told the time: so late may it notice a change of the clock.
const TELL_EVERY: Duration = Duration::from_secs(20);

/// The configured time zone, or the system's.
///
/// # Errors
/// What is wrong with the name, in words.
pub(crate) fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        Some(name) => TimeZone::get(name).map_err(|error| error.to_string()),
        // A box without a zone lives in UTC.
        None => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
    }
}

fn local(zoned: &Zoned) -> LocalTime {
    LocalTime {
        weekday: zoned.weekday().to_monday_zero_offset().unsigned_abs(),
        second: (u32::from(zoned.hour().unsigned_abs()) * 60
            + u32::from(zoned.minute().unsigned_abs()))
            * 60
            + u32::from(zoned.second().unsigned_abs()),
    }
}

/// Local time now.
pub(crate) fn local_now(zone: &TimeZone) -> LocalTime {
    local(&Timestamp::now().to_zoned(zone.clone()))
}

/// Tells the core the time until it is gone.
pub(crate) async fn keep_telling(zone: TimeZone, inbox: Inbox) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        let time = local_now(&zone);
        if inbox.send(Input::LocalTime(time)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(utc: &str, zone_name: &str) -> (u8, u32, u32) {
        let timestamp: Timestamp = utc.parse().unwrap();
        let time = local(&timestamp.to_zoned(zone(Some(zone_name)).unwrap()));
        (time.weekday, time.second / 3600, time.second / 60 % 60)
    }

    #[test]
    fn daylight_saving_moves_the_clock_and_not_the_core() {
        // The last Sunday of March 2026 is the 29th, of October the 25th.
        let berlin = "Europe/Berlin";
        assert_eq!(at("2026-03-29T00:59:00Z", berlin), (6, 1, 59));
        assert_eq!(at("2026-03-29T01:00:00Z", berlin), (6, 3, 0));
        assert_eq!(at("2026-10-25T00:59:00Z", berlin), (6, 2, 59));
        assert_eq!(at("2026-10-25T01:00:00Z", berlin), (6, 2, 0));
        // Over midnight into another day of the week.
        assert_eq!(at("2026-10-25T19:30:00Z", "Asia/Yekaterinburg"), (0, 0, 30));
    }

    #[test]
    fn an_unknown_zone_is_refused() {
        assert!(zone(Some("Europe/Entenhausen")).is_err());
        assert!(zone(None).is_ok());
    }
}
