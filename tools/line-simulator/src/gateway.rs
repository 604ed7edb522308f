//! The socket: one gateway at a time, a newer connection replaces an older one.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use line_interface::virtual_card::{Frame, FrameReader};
use line_interface::{CardError, DriveBlock, LineKind};
use line_simulation::ScriptError;

use crate::Failure;
use crate::commands::Command;

/// What reaches the station from its threads.
#[derive(Debug)]
pub(crate) enum Message {
    /// A gateway said hello.
    Connected(Link),
    /// Its drive.
    Drive { link: u64, lines: Vec<DriveBlock> },
    /// It is gone.
    Gone { link: u64, why: String },
    /// A line of standard input.
    Command {
        text: String,
        command: Result<Command, ScriptError>,
    },
}

/// Frames that wait for a slow gateway: two and a half seconds, then it is cut off.
const QUEUED_FRAMES: usize = 250;
/// A gateway must greet within this time.
const GREETING: Duration = Duration::from_secs(5);

/// The way to a connected gateway.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: u64,
    pub(crate) name: String,
    frames: SyncSender<Vec<u8>>,
    stream: UnixStream,
}

impl Link {
    /// Queues a frame; false when the gateway does not read any more.
    pub(crate) fn send(&self, frame: &Frame) -> bool {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        !matches!(
            self.frames.try_send(bytes),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_))
        )
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Reading ends at once; what is queued for writing still goes out by the writer thread.
        let _ = self.stream.shutdown(Shutdown::Read);
    }
}

/// Removes the socket file when the program ends.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens on a thread of its own.
pub(crate) fn listen(
    path: &Path,
    lines: Vec<LineKind>,
    messages: SyncSender<Message>,
) -> Result<SocketFile, Failure> {
    if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
        if UnixStream::connect(path).is_ok() {
            return Err(Failure::new(
                format!("{}: another simulator listens there", path.display()),
                "end it, or choose another --listen path",
            ));
        }
        let _ = std::fs::remove_file(path);
    }
    let listener = UnixListener::bind(path).map_err(|e| {
        Failure::new(
            format!("{}: {e}", path.display()),
            "the folder must exist and be writable, and the path shorter than 108 bytes",
        )
    })?;
    std::thread::spawn(move || {
        for (id, stream) in (1_u64..).zip(listener.incoming()) {
            let Ok(stream) = stream else { continue };
            let (messages, lines) = (messages.clone(), lines.clone());
            std::thread::spawn(move || serve(id, stream, &lines, &messages));
        }
    });
    Ok(SocketFile(path.to_path_buf()))
}

fn serve(id: u64, mut stream: UnixStream, lines: &[LineKind], messages: &SyncSender<Message>) {
    let why = match converse(id, &mut stream, lines, messages) {
        Ok(why) => why,
        Err(e) => {
            // A wrong greeting has no writer thread yet, so the reason goes straight out.
            let mut bytes = Vec::new();
            Frame::Bye {
                reason: e.cause.clone(),
            }
            .encode(&mut bytes);
            let _ = stream.write_all(&bytes);
            e.cause
        }
    };
    let _ = messages.send(Message::Gone { link: id, why });
}

fn converse(
    id: u64,
    stream: &mut UnixStream,
    lines: &[LineKind],
    messages: &SyncSender<Message>,
) -> Result<String, CardError> {
    let mut reader = FrameReader::default();
    let _ = stream.set_read_timeout(Some(GREETING));
    let name = match receive(stream, &mut reader)? {
        Some(Frame::Hello { name, .. }) => name,
        Some(_) => return Ok("it did not begin with a greeting".to_owned()),
        None => return Ok("it left before its greeting".to_owned()),
    };
    let (Ok(writer), Ok(keep)) = (stream.try_clone(), stream.try_clone()) else {
        return Ok("out of file descriptors".to_owned());
    };
    let _ = stream.set_read_timeout(None);
    let (frames, queue) = sync_channel(QUEUED_FRAMES);
    std::thread::spawn(move || write_out(writer, &queue));
    let link = Link {
        id,
        name,
        frames,
        stream: keep,
    };
    link.send(&Frame::Hello {
        lines: lines.to_vec(),
        name: "line-simulator".to_owned(),
    });
    if messages.send(Message::Connected(link)).is_err() {
        return Ok("the simulator ends".to_owned());
    }
    loop {
        match receive(stream, &mut reader)? {
            Some(Frame::Drive { lines: drives, .. }) if drives.len() == lines.len() => {
                if messages
                    .send(Message::Drive {
                        link: id,
                        lines: drives,
                    })
                    .is_err()
                {
                    return Ok("the simulator ends".to_owned());
                }
            }
            Some(Frame::Drive { lines: drives, .. }) => {
                return Ok(format!(
                    "it drives {} lines of {}",
                    drives.len(),
                    lines.len()
                ));
            }
            Some(Frame::Bye { reason }) => return Ok(format!("goodbye: {reason}")),
            Some(_) => return Ok("it sent a frame that a gateway does not send".to_owned()),
            None => return Ok("end of stream".to_owned()),
        }
    }
}

/// The next frame, or `None` at the end of the stream.
fn receive(stream: &mut UnixStream, reader: &mut FrameReader) -> Result<Option<Frame>, CardError> {
    let mut piece = [0; 4096];
    loop {
        if let Some(frame) = reader.next_frame()? {
            return Ok(Some(frame));
        }
        match stream.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(n) => reader.push(piece.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(None),
        }
    }
}

fn write_out(mut stream: UnixStream, queue: &Receiver<Vec<u8>>) {
    while let Ok(bytes) = queue.recv() {
        if stream.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}
