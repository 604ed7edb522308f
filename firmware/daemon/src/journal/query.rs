//! Which records of the journal are asked for.

use rusqlite::types::Value;

/// Most records of one answer.
const MOST: usize = 10_000;

/// Records that are asked for: the newest of those that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    /// So many at most.
    pub(crate) last: usize,
    since: Option<Since>,
    apartment: Option<u16>,
    /// Only records with a smaller number.
    before: Option<i64>,
}

/// When the oldest record may have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Since {
    /// UTC, the beginning of an RFC 3339 time: texts in the order of their times.
    Time(String),
    /// So many seconds ago.
    Ago(i64),
}

impl Query {
    /// Reads `[N]`, `last=N`, `since=TIME`, `apartment=N` and `before=ID`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(arguments: &[String]) -> Result<Query, String> {
        let mut query = Query {
            last: 20,
            since: None,
            apartment: None,
            before: None,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').unwrap_or(("last", argument));
            match name {
                "last" | "limit" => {
                    let last = value.parse().ok().filter(|last| (1..=MOST).contains(last));
                    query.last = last.ok_or("the limit is not a number 1..10000")?;
                }
                "since" => query.since = Some(Since::parse(value)?),
                "apartment" => {
                    let apartment = value.parse().ok().filter(|one| (1..=9999).contains(one));
                    query.apartment =
                        Some(apartment.ok_or("the apartment is not a number 1..9999")?);
                }
                "before" => {
                    let before = value.parse().ok().filter(|id: &i64| *id > 0);
                    query.before = Some(before.ok_or("before is not the number of a record")?);
                }
                _ => return Err(format!("\"{name}\" is nothing to choose records by")),
            }
        }
        Ok(query)
    }

    /// The statement that gives number, time and text of the records, newest first, and its values.
    pub(super) fn statement(&self) -> (String, Vec<Value>) {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        match &self.since {
            Some(Since::Time(time)) => {
                conditions.push("time >= ?");
                values.push(Value::Text(time.clone()));
            }
            Some(Since::Ago(seconds)) => {
                conditions.push("time >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)");
                values.push(Value::Text(format!("-{seconds} seconds")));
            }
            None => {}
        }
        if let Some(apartment) = self.apartment {
            conditions.push("json_extract(data, '$.apartment') = ?");
            values.push(Value::Integer(apartment.into()));
        }
        if let Some(before) = self.before {
            conditions.push("id < ?");
            values.push(Value::Integer(before));
        }
        let chosen = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        // One more than asked for tells whether there are more.
        values.push(Value::Integer(self.last as i64 + 1));
        let text = format!("SELECT id, time, data FROM record{chosen} ORDER BY id DESC LIMIT ?");
        (text, values)
    }
}

impl Since {
    fn parse(text: &str) -> Result<Since, String> {
        let wrong = || {
            format!(
                "\"{text}\" is no time: write 2026-11-21, 2026-11-21T18:30 (UTC), or 30m, 12h, 7d for so long ago"
            )
        };
        let unit_s = match text.bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            _ => 0,
        };
        if unit_s > 0 {
            let count = text
                .get(..text.len() - 1)
                .and_then(|count| count.parse::<u32>().ok());
            let count = count.filter(|count| *count <= 100_000).ok_or_else(wrong)?;
            return Ok(Since::Ago(i64::from(count) * unit_s));
        }
        const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd";
        let time = text.strip_suffix('Z').unwrap_or(text);
        let fits = |(byte, form): (u8, &u8)| match form {
            b'd' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b' '),
            form => byte == *form,
        };
        let formed = matches!(time.len(), 10 | 16 | 19) && time.bytes().zip(FORM).all(fits);
        match formed {
            true => Ok(Since::Time(time.replace(' ', "T"))),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn query(words: &[&str]) -> Result<Query, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Query::parse(&words)
    }

    #[test]
    fn what_is_asked_for_is_read_and_nonsense_is_told() {
        assert_eq!(query(&[]).unwrap().last, 20);
        assert_eq!(query(&["50"]).unwrap().last, 50);
        assert_eq!(query(&["last=10000"]).unwrap().last, 10_000);
        for good in [
            "since=2026-11-21",
            "since=2026-11-21T18:30",
            "since=2026-11-21 18:30:05Z",
            "since=7d",
            "apartment=42",
            "before=7",
        ] {
            assert!(query(&[good]).is_ok(), "{good}");
        }
        for bad in [
            "0",
            "10001",
            "-1",
            "",
            "last=x",
            "since=",
            "since=yesterday",
            "since=2026-11",
            "since=2026-11-21T18:30:05.5",
            "since=' OR 1=1",
            "since=-5d",
            "since=5ä",
            "apartment=0",
            "apartment=42 OR 1",
            "before=0",
            "door=1",
        ] {
            assert!(query(&[bad]).is_err(), "{bad}");
        }
    }
}
