//! The journal: a thread that owns the database, so that a slow disk holds up nobody.
//!
//! A record is committed with a flush to the disk before its opening is told to go ahead. When
//! the disk cannot take it, the record goes to the system log and waits in a bounded queue; the
//! opening goes ahead, and an alarm says so.

mod query;
mod store;
mod syslog;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use call::{Event, RecordId};
use control::reply::Journal as Page;
use tokio::sync::oneshot;

use crate::fanout::Stamped;
use crate::input::{Inbox, Input};
pub(crate) use query::Query;
use store::Store;

/// Records kept in memory while the disk fails.
const WAITING_LIMIT: usize = 1_000;
/// Requests on their way to the thread.
const QUEUE: usize = 1_024;
const RETRY: Duration = Duration::from_secs(2);

enum Job {
    Write {
        record: Option<RecordId>,
        stamped: Stamped,
    },
    Read {
        query: Query,
        reply: oneshot::Sender<Result<Page, String>>,
    },
    Check {
        reply: oneshot::Sender<Result<String, String>>,
    },
}

/// The way to the journal's thread.
#[derive(Debug)]
pub(crate) struct Journal {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    syslog: PathBuf,
}

impl Journal {
    /// Starts the thread. A database that cannot be opened is an alarm and not the end.
    pub(crate) fn start(settings: &config::Journal, inbox: Inbox) -> std::io::Result<Journal> {
        let (jobs, queue) = sync_channel(QUEUE);
        let keeper = Keeper {
            store: Store::new(settings.path.clone(), settings.keep_days),
            syslog: settings.syslog_socket.clone(),
            waiting: VecDeque::new(),
            dropped: 0,
            failing: false,
            inbox,
        };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .stack_size(512 * 1024)
            .spawn(move || keeper.serve(&queue))?;
        Ok(Journal {
            jobs: Some(jobs),
            thread: Some(thread),
            syslog: settings.syslog_socket.clone(),
        })
    }

    /// Writes an event; with `record`, its completion comes back as an input.
    pub(crate) fn write(&self, record: Option<RecordId>, stamped: Stamped) {
        let Some(jobs) = &self.jobs else { return };
        if let Err(
            TrySendError::Full(Job::Write { stamped, .. })
            | TrySendError::Disconnected(Job::Write { stamped, .. }),
        ) = jobs.try_send(Job::Write { record, stamped })
        {
            // The thread is stuck in the disk. The opening goes ahead after its wait; here the
            // record must not be lost without a trace.
            syslog::send(&self.syslog, &stamped);
        }
    }

    /// The newest records that are asked for, oldest first.
    pub(crate) async fn read(&self, query: Query) -> Result<Page, String> {
        self.ask(|reply| Job::Read { query, reply }).await
    }

    /// Whether the journal can be written, in words.
    pub(crate) async fn check(&self) -> Result<String, String> {
        self.ask(|reply| Job::Check { reply }).await
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Job,
    ) -> Result<T, String> {
        let (reply, answer) = oneshot::channel();
        let sent = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.try_send(job(reply)).is_ok());
        if !sent {
            return Err("the journal is busy with a slow disk".into());
        }
        match tokio::time::timeout(Duration::from_secs(5), answer).await {
            Ok(Ok(result)) => result,
            _ => Err("the disk does not answer".into()),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Keeper {
    store: Store,
    syslog: PathBuf,
    waiting: VecDeque<Stamped>,
    dropped: u64,
    failing: bool,
    inbox: Inbox,
}

impl Keeper {
    fn serve(mut self, queue: &Receiver<Job>) {
        if let Err(why) = self.store.open() {
            self.alarm(true, &why);
        }
        loop {
            let job = if self.failing || !self.waiting.is_empty() {
                queue.recv_timeout(RETRY)
            } else {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match job {
                Ok(Job::Write { record, stamped }) => {
                    let time = stamped.time.clone();
                    self.write(record, stamped);
                    // After the answer: no door waits for it.
                    self.store.prune(&time);
                }
                Ok(Job::Read { query, reply }) => {
                    let _ = reply.send(self.store.read(&query));
                }
                Ok(Job::Check { reply }) => {
                    self.flush();
                    let _ = reply.send(self.store.check().map(|found| self.with_queue(found)));
                }
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.flush();
                    return;
                }
            }
        }
    }

    fn with_queue(&self, found: String) -> String {
        if self.dropped == 0 {
            found
        } else {
            format!("{found}; {} records were lost from memory", self.dropped)
        }
    }

    fn write(&mut self, record: Option<RecordId>, stamped: Stamped) {
        // Records keep their order: what waits goes first.
        self.flush();
        let written = if self.waiting.is_empty() {
            self.store.write(&stamped)
        } else {
            Err("older records wait".into())
        };
        if let Err(why) = written {
            syslog::send(&self.syslog, &stamped);
            self.waiting.push_back(stamped);
            if self.waiting.len() > WAITING_LIMIT {
                self.waiting.pop_front();
                self.dropped += 1;
            }
            self.alarm(true, &why);
        }
        if let Some(record) = record {
            let _ = self.inbox.blocking_send(Input::JournalDone { record });
        }
    }

    /// Tries to write what waits.
    fn flush(&mut self) {
        if self.failing && self.store.open().is_err() {
            return;
        }
        while let Some(stamped) = self.waiting.front() {
            if self.store.write(stamped).is_err() {
                return;
            }
            self.waiting.pop_front();
        }
        self.alarm(false, "the disk takes records again");
    }

    /// Tells a change, once.
    fn alarm(&mut self, failing: bool, detail: &str) {
        if self.failing == failing {
            return;
        }
        self.failing = failing;
        let event = Event::JournalAlarm {
            failing,
            waiting: self.waiting.len(),
            dropped: self.dropped,
            detail: detail.to_owned(),
        };
        let _ = self.inbox.blocking_send(Input::JournalAlarm(event));
    }
}
