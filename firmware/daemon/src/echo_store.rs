//! The echo paths of the apartments on the disk. Written by a thread of its own, a while after the last change, whole and
//! beside the old file: either the old or the new one is there whenever the power goes. They only save the canceller its
//! first second of a call, so a file that is missing or spoilt means starting without.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use dsp::Rate;
use dsp::echo::EchoPath;

/// First words of the file.
const MAGIC: &[u8] = b"trubka echo paths 1\n";
/// Longest file read, bytes: 1024 apartments of 512 ms.
const FILE_LIMIT: u64 = 17 << 20;
/// Most taps of a path, 512 ms.
const MAX_TAPS: usize = 4096;
/// Most apartments.
const MAX_APARTMENTS: usize = 1024;
/// Flash memory wears: changes are gathered for so long.
const GATHER: Duration = Duration::from_secs(60);

/// Writes the paths after they changed, and at its end.
#[derive(Debug)]
pub(crate) struct EchoStore {
    changes: Option<Sender<(u16, EchoPath)>>,
    thread: Option<JoinHandle<()>>,
}

impl EchoStore {
    /// Starts the thread on what was read before.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(
        path: PathBuf,
        known: BTreeMap<u16, EchoPath>,
    ) -> std::io::Result<EchoStore> {
        let (changes, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("echo paths".into())
            .spawn(move || keep(&path, known, &inbox))?;
        Ok(EchoStore {
            changes: Some(changes),
            thread: Some(thread),
        })
    }

    /// Keeps the path of an apartment.
    pub(crate) fn keep(&self, apartment: u16, path: EchoPath) {
        if let Some(changes) = &self.changes {
            // The thread only ends with us.
            let _ = changes.send((apartment, path));
        }
    }
}

impl Drop for EchoStore {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(path: &Path, mut known: BTreeMap<u16, EchoPath>, inbox: &Receiver<(u16, EchoPath)>) {
    let mut told = false;
    while let Ok(first) = inbox.recv() {
        known.insert(first.0, first.1);
        let began = std::time::Instant::now();
        while let Ok((apartment, path)) = inbox.recv_timeout(GATHER.saturating_sub(began.elapsed()))
        {
            known.insert(apartment, path);
        }
        if let Err(error) = write(path, &known)
            && !told
        {
            told = true;
            tracing::warn!(
                "what was learned of the echo will not outlive a restart: {}: {error}\n    hint: make the folder of media.echo_paths_file writable for the daemon",
                path.display()
            );
        }
    }
}

fn write(path: &Path, known: &BTreeMap<u16, EchoPath>) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(&to_bytes(known))?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// Apartment, rate in kHz, delay and number of taps (16 bits each), then the taps; all of it little-endian.
fn to_bytes(known: &BTreeMap<u16, EchoPath>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for (apartment, path) in known.iter().take(MAX_APARTMENTS) {
        let khz = match path.rate() {
            Rate::Hz8000 => 8_u16,
            Rate::Hz16000 => 16,
        };
        let (Ok(delay), Some(taps)) = (
            u16::try_from(path.delay()),
            u16::try_from(path.taps().len())
                .ok()
                .filter(|taps| usize::from(*taps) <= MAX_TAPS),
        ) else {
            continue;
        };
        for number in [*apartment, khz, delay, taps] {
            out.extend(number.to_le_bytes());
        }
        out.extend(path.taps().iter().flat_map(|tap| tap.to_le_bytes()));
    }
    out
}

/// Reads what [`to_bytes`] wrote; what cannot be read ends the list.
fn from_bytes(bytes: &[u8]) -> BTreeMap<u16, EchoPath> {
    let mut known = BTreeMap::new();
    let mut rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let count = usize::from(number(6));
        let Some((taps, tail)) = tail.split_at_checked(count * 4) else {
            break;
        };
        let rate = Rate::of_hz(u32::from(number(2)) * 1000);
        let (Some(rate), true) = (rate, count <= MAX_TAPS && known.len() < MAX_APARTMENTS) else {
            break;
        };
        let taps = taps
            .chunks_exact(4)
            .map(|tap| f32::from_le_bytes([tap[0], tap[1], tap[2], tap[3]]))
            .collect();
        known.insert(number(0), EchoPath::new(rate, usize::from(number(4)), taps));
        rest = tail;
    }
    known
}

/// The paths in the file; none when there is no such file or it is something else.
pub(crate) fn read(path: &Path) -> BTreeMap<u16, EchoPath> {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut bytes));
    match read {
        Ok(_) => from_bytes(&bytes),
        Err(_) => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(seed: u16) -> EchoPath {
        let taps = (0..512).map(|n| f32::from(n % 7 + seed) / 100.0).collect();
        EchoPath::new(Rate::Hz8000, usize::from(seed), taps)
    }

    #[test]
    fn paths_outlive_the_store() {
        let folder = std::env::temp_dir().join(format!("trubka-echo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("echo-paths");
        assert!(read(&file).is_empty());
        let store = EchoStore::start(file.clone(), BTreeMap::new()).unwrap();
        store.keep(42, path(1));
        store.keep(7, path(2));
        store.keep(42, path(3));
        drop(store);
        let known = read(&file);
        assert_eq!(known, BTreeMap::from([(7, path(2)), (42, path(3))]));
        let store = EchoStore::start(file.clone(), known).unwrap();
        store.keep(8, path(4));
        drop(store);
        assert_eq!(read(&file).len(), 3);
        assert!(!folder.join("echo-paths.new").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn spoilt_files_give_what_can_be_read_and_no_more() {
        let good = to_bytes(&BTreeMap::from([(7, path(2)), (42, path(3))]));
        for cut in 0..good.len() {
            let known = from_bytes(&good[..cut]);
            assert!(known.len() < 2 && known.get(&7).is_none_or(|known| *known == path(2)));
        }
        for at in (0..good.len()).step_by(3) {
            let mut spoilt = good.clone();
            spoilt[at] ^= 0xff;
            for path in from_bytes(&spoilt).values() {
                assert!(
                    path.taps()
                        .iter()
                        .all(|tap| tap.is_finite() && tap.abs() <= 16.0)
                );
            }
        }
        assert!(from_bytes(b"something else").is_empty());
    }
}
