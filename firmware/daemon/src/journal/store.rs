//! The SQLite file.

use std::path::PathBuf;
use std::time::Duration;

use control::reply::Record;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::fanout::Stamped;

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
            let age = format!("-{} days", self.keep_days);
            connection.execute(
                "DELETE FROM record WHERE time < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1)",
                [age],
            )?;
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

    pub(super) fn read(&mut self, limit: usize) -> Result<Vec<Record>, String> {
        self.open()?;
        let Some(connection) = &self.connection else {
            return Err("not open".into());
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || {
            let mut select = connection
                .prepare_cached("SELECT id, time, data FROM record ORDER BY id DESC LIMIT ?1")?;
            let rows =
                select.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<Result<Vec<(i64, String, String)>, rusqlite::Error>>()
        };
        let rows = read().map_err(|error| words(&error))?;
        let record = |(id, time, data): (i64, String, String)| match serde_json::from_str(&data) {
            Ok(Value::Object(event)) => Some(Record { id, time, event }),
            _ => None,
        };
        Ok(rows.into_iter().rev().filter_map(record).collect())
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
