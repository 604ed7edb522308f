//! What outlives a restart: do-not-disturb. Written by a thread of its own, since disks block.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

const ON: &str = "do_not_disturb = true\n";
const OFF: &str = "do_not_disturb = false\n";

/// Writes the state whenever it changes.
#[derive(Debug)]
pub(crate) struct StateKeeper {
    changes: Sender<bool>,
}

impl StateKeeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(path: PathBuf) -> std::io::Result<StateKeeper> {
        let (changes, inbox) = channel();
        std::thread::Builder::new()
            .name("state".into())
            .spawn(move || keep(&path, &inbox))?;
        Ok(StateKeeper { changes })
    }

    /// Keeps the state; tells the log when the disk does not take it.
    pub(crate) fn keep(&self, do_not_disturb: bool) {
        // The thread only ends with us.
        let _ = self.changes.send(do_not_disturb);
    }
}

fn keep(path: &Path, inbox: &Receiver<bool>) {
    while let Ok(mut state) = inbox.recv() {
        while let Ok(newer) = inbox.try_recv() {
            state = newer;
        }
        if let Err(error) = write(path, state) {
            tracing::warn!(
                "do-not-disturb will not outlive a restart: {}: {error}\n    hint: make the folder of access.state_file writable for the daemon",
                path.display()
            );
        }
    }
}

/// Either the old or the new state is on the disk, whenever the power goes.
fn write(path: &Path, do_not_disturb: bool) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(if do_not_disturb { ON } else { OFF }.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether do-not-disturb was on. A file that is missing or says something else means off: the
/// phones ring.
pub(crate) fn read(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|text| text == ON.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_read_back_and_a_bad_file_is_off() {
        let folder = std::env::temp_dir().join(format!("trubka-state-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state");
        assert!(!read(&path));
        for state in [true, false, true] {
            write(&path, state).unwrap();
            assert_eq!(read(&path), state);
        }
        assert!(!folder.join("state.new").exists());
        std::fs::write(&path, "do_not_disturb = maybe\n").unwrap();
        assert!(!read(&path));
        let missing = folder.join("no/such/folder");
        assert!(write(&missing, true).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
