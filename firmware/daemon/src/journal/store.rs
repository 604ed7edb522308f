//! The SQLite file.

use std::path::PathBuf;
use std::time::Duration;

use control::reply::{Journal as Page, Record};
use rusqlite::{Connection, params, params_from_iter};
use serde_json::Value;

use super::query::Query;
use crate::fanout::Stamped;

/// Text of the records of one answer: a line of the control protocol has at most 1 MiB.
const PAGE_BYTES: usize = 768 * 1024;
/// What a record adds to its text in an answer.
const RECORD_BYTES: usize = 64;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    event TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS record_time ON record (time);
";

pub(super) struct Store {
    path: PathBuf,
    keep_days: u32,
    connection: Option<Connection>,
    /// Day on which old records were last removed.
    pruned_on: String,
}

fn remove_old(connection: &Connection, keep_days: u32) -> rusqlite::Result<usize> {
    let age = format!("-{keep_days} days");
    connection.execute(
        "DELETE FROM record WHERE time < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1)",
        [age],
    )
}

fn words(error: &rusqlite::Error) -> String {
    error.to_string()
}

impl Store {
    pub(super) fn new(path: PathBuf, keep_days: u32) -> Store {
        Store {
            path,
            keep_days,
            connection: None,
            pruned_on: String::new(),
        }
    }

    /// Opens the file unless it is open. `FULL` makes a commit wait for the disk.
    pub(super) fn open(&mut self) -> Result<(), String> {
        if self.connection.is_some() {
            return Ok(());
        }
        if let Some(directory) = self
            .path
            .parent()
            .filter(|directory| !directory.as_os_str().is_empty())
        {
            std::fs::create_dir_all(directory)
                .map_err(|error| format!("{}: {error}", directory.display()))?;
        }
        let open = || {
            let connection = Connection::open(&self.path)?;
            connection.busy_timeout(Duration::from_millis(100))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            // The journal is small and its reader is a person: a large page cache is waste.
            connection.pragma_update(None, "cache_size", -256)?;
            connection.execute_batch(SCHEMA)?;
            remove_old(&connection, self.keep_days)?;
            Ok(connection)
        };
        let opened =
            open().map_err(|error: rusqlite::Error| format!("{}: {error}", self.path.display()))?;
        self.connection = Some(opened);
        Ok(())
    }

    /// Commits one record. After a failure the file is opened anew next time.
    pub(super) fn write(&mut self, stamped: &Stamped) -> Result<(), String> {
        self.open()?;
        let Some(connection) = &self.connection else {
            return Err("not open".into());
        };
        let data = serde_json::to_string(&stamped.event).map_err(|error| error.to_string())?;
        let written = connection
            .prepare_cached("INSERT INTO record (time, event, data) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| {
                insert.execute(params![stamped.time, stamped.event.name(), data])
            });
        if written.is_err() || !self.path.exists() {
            self.connection = None;
        }
        match written {
            Ok(_) if self.connection.is_none() => {
                Err(format!("{} was removed", self.path.display()))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(words(&error)),
        }
    }

    /// The newest records that are asked for, oldest first, and the number before which there are more of them.
    pub(super) fn read(&mut self, query: &Query) -> Result<Page, String> {
        self.open()?;
        let Some(connection) = &self.connection else {
            return Err("not open".into());
        };
        let (text, values) = query.statement();
        let mut records = Vec::new();
        let mut more_before = None;
        let read = || {
            let mut select = connection.prepare_cached(&text)?;
            let mut rows = select.query(params_from_iter(values))?;
            let (mut taken, mut bytes) = (0, 0);
            let mut oldest = None;
            while let Some(row) = rows.next()? {
                let (id, time, data): (i64, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                bytes += data.len() + RECORD_BYTES;
                if taken == query.last || (taken > 0 && bytes > PAGE_BYTES) {
                    more_before = oldest;
                    break;
                }
                (taken, oldest) = (taken + 1, Some(id));
                if let Ok(Value::Object(event)) = serde_json::from_str(&data) {
                    records.push(Record { id, time, event });
                }
            }
            Ok(())
        };
        read().map_err(|error: rusqlite::Error| words(&error))?;
        records.reverse();
        Ok(Page {
            records,
            more_before,
        })
    }

    /// Removes what is too old, once a day: a box runs for years.
    pub(super) fn prune(&mut self, time: &str) {
        let today = time.get(..10).unwrap_or_default();
        if self.pruned_on == today {
            return;
        }
        if let Some(connection) = &self.connection
            && remove_old(connection, self.keep_days).is_ok()
        {
            today.clone_into(&mut self.pruned_on);
        }
    }

    /// Whether a record could be written now, and how many there are.
    pub(super) fn check(&mut self) -> Result<String, String> {
        self.open()?;
        let Some(connection) = &self.connection else {
            return Err("not open".into());
        };
        let check = || {
            // Takes the write lock and rolls back: proves that the disk can be written to.
            connection.execute_batch("BEGIN IMMEDIATE; CREATE TABLE probe (x); ROLLBACK;")?;
            connection.query_row("SELECT count(*) FROM record", [], |row| {
                row.get::<_, i64>(0)
            })
        };
        check()
            .map(|count| format!("{} holds {count} records", self.path.display()))
            .map_err(|error| words(&error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use call::Event;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let own = format!("trubka-journal-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(own);
            let _ = std::fs::remove_dir_all(&folder);
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn lifted(time: &str, apartment: u16, line: &str) -> Stamped {
        Stamped {
            time: time.into(),
            event: Event::HandsetLifted {
                line: line.into(),
                apartment,
            },
        }
    }

    fn query(words: &[&str]) -> Query {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Query::parse(&words).unwrap()
    }

    #[test]
    fn records_are_chosen_by_number_time_and_apartment() {
        let folder = Folder::new("chosen");
        let mut store = Store::new(folder.0.join("j.sqlite"), 3650);
        store.open().unwrap();
        for hour in 0..24 {
            let time = format!("2026-11-21T{hour:02}:00:00.000Z");
            let apartment = if hour % 2 == 0 { 42 } else { 7 };
            store.write(&lifted(&time, apartment, "a")).unwrap();
        }
        let mut ids = |words: &[&str]| {
            let page = store.read(&query(words)).unwrap();
            let ids: Vec<i64> = page.records.iter().map(|record| record.id).collect();
            (ids, page.more_before)
        };
        assert_eq!(ids(&["3"]), (vec![22, 23, 24], Some(22)));
        assert_eq!(ids(&["24"]).1, None);
        assert_eq!(ids(&["3", "before=22"]), (vec![19, 20, 21], Some(19)));
        assert_eq!(ids(&["since=2026-11-21T22:00"]), (vec![23, 24], None));
        assert_eq!(ids(&["since=2026-11-22"]), (vec![], None));
        assert_eq!(ids(&["2", "apartment=42"]), (vec![21, 23], Some(21)));
        let all = ["apartment=7", "since=2026-11-21T20:00:00", "before=24"];
        assert_eq!(ids(&all), (vec![22], None));
    }

    #[test]
    fn an_answer_fits_into_a_line_of_the_protocol_and_the_rest_follows() {
        let folder = Folder::new("pages");
        let mut store = Store::new(folder.0.join("j.sqlite"), 3650);
        store.open().unwrap();
        let line = "x".repeat(100_000);
        for minute in 0..30 {
            let time = format!("2026-11-21T10:{minute:02}:00.000Z");
            store.write(&lifted(&time, 42, &line)).unwrap();
        }
        let mut found = Vec::new();
        let mut words = vec!["30".to_owned()];
        loop {
            let page = store.read(&Query::parse(&words).unwrap()).unwrap();
            assert!(serde_json::to_string(&page).unwrap().len() < 1024 * 1024);
            assert!(!page.records.is_empty());
            found.splice(0..0, page.records.iter().map(|record| record.id));
            let Some(before) = page.more_before else {
                break;
            };
            words.truncate(1);
            words.push(format!("before={before}"));
        }
        assert_eq!(found, (1..=30).collect::<Vec<i64>>());
    }

    #[test]
    fn old_records_are_removed_while_the_box_runs_on() {
        let folder = Folder::new("old");
        let mut store = Store::new(folder.0.join("j.sqlite"), 30);
        store.open().unwrap();
        store
            .write(&lifted("2020-01-01T00:00:00.000Z", 42, "a"))
            .unwrap();
        let count = |store: &mut Store| store.read(&query(&[])).unwrap().records.len();
        assert_eq!(count(&mut store), 1);
        store.prune("2020-01-02T00:00:00.000Z");
        assert_eq!(count(&mut store), 0);
        // Once a day is enough.
        store
            .write(&lifted("2020-01-02T00:00:01.000Z", 42, "a"))
            .unwrap();
        store.prune("2020-01-02T00:00:02.000Z");
        assert_eq!(count(&mut store), 1);
        store.prune("2020-01-03T00:00:00.000Z");
        assert_eq!(count(&mut store), 0);
    }
}
