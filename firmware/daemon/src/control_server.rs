//! The local socket: one JSON object a line, see docs/reference/control.md.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use control::{Failure, FailureKind, MAX_LINE, Request, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use trace::Sighting;

use crate::fanout::{Stamped, Subscribers};
use crate::input::{Inbox, Input};
use crate::tracer::Followers;

/// Clients at one time.
const CLIENTS: usize = 32;

/// Opens the socket. One left behind by a daemon that died is replaced; one that answers is not.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        std::fs::create_dir_all(directory)?;
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "a daemon answers on it",
        ));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Removes the socket at the end.
pub(crate) fn unbind(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Serves clients until the task is dropped.
pub(crate) async fn serve(
    listener: UnixListener,
    inbox: Inbox,
    subscribers: Subscribers,
    followers: Followers,
) {
    let ears = Ears {
        events: subscribers,
        sip: followers,
    };
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted && clients.len() < CLIENTS {
                    clients.spawn(client(stream, inbox.clone(), ears.clone()));
                }
            }
            Some(_) = clients.join_next() => {}
        }
    }
}

/// What a client can follow.
#[derive(Clone)]
struct Ears {
    events: Subscribers,
    sip: Followers,
}

async fn client(stream: UnixStream, inbox: Inbox, ears: Ears) {
    let (reader, writer) = stream.into_split();
    let (reply, replies) = mpsc::channel(16);
    let writing = tokio::spawn(write(writer, replies));
    read(reader, inbox, ears, reply).await;
    let _ = writing.await;
}

async fn write(mut writer: OwnedWriteHalf, mut replies: mpsc::Receiver<Response>) {
    while let Some(response) = replies.recv().await {
        let Ok(mut line) = serde_json::to_vec(&response) else {
            continue;
        };
        line.push(b'\n');
        if writer.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn read(reader: OwnedReadHalf, inbox: Inbox, ears: Ears, reply: mpsc::Sender<Response>) {
    let mut reader = BufReader::new(reader);
    let mut subscriptions = JoinSet::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = tokio::io::AsyncReadExt::take(&mut reader, MAX_LINE as u64);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            // A line without an end: over the limit, or the client left in the middle of it.
            Ok(_) if line.last() != Some(&b'\n') => return,
            Ok(_) => {}
        }
        let request: Request = match serde_json::from_slice(&line) {
            Ok(request) => request,
            Err(error) => {
                let failure = Failure::new(
                    FailureKind::Usage,
                    format!("not a request: {error}"),
                    "one JSON object a line: {\"id\":1,\"command\":\"status\"}",
                );
                if reply
                    .send(Response::Failed { id: 0, failure })
                    .await
                    .is_err()
                {
                    return;
                }
                continue;
            }
        };
        let (id, reply) = (request.id, reply.clone());
        if request.command == "events" {
            let json = |stamped: &Stamped| Value::Object(stamped.to_json());
            subscriptions.spawn(follow(id, ears.events.subscribe(), json, reply));
        } else if request.command == "sip trace" {
            let json = |seen: &Arc<Sighting>| serde_json::to_value(&**seen).unwrap_or_default();
            subscriptions.spawn(follow(id, ears.sip.subscribe(), json, reply));
        } else if inbox.send(Input::Command { request, reply }).await.is_err() {
            return;
        }
    }
}

/// Sends what happens until the client leaves. One that reads too slowly loses the oldest and is told.
async fn follow<T: Clone>(
    id: u64,
    mut events: broadcast::Receiver<T>,
    json: impl Fn(&T) -> Value,
    reply: mpsc::Sender<Response>,
) {
    // The answer at once says that nothing from now on is missed.
    if reply
        .send(Response::Done {
            id,
            result: "following".into(),
        })
        .await
        .is_err()
    {
        return;
    }
    loop {
        let event = match events.recv().await {
            Ok(event) => json(&event),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                serde_json::json!({ "event": "missed", "count": missed })
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if reply.send(Response::Event { id, event }).await.is_err() {
            return;
        }
    }
}
