//! A folder of one's own for a test: removed when all went well, kept for a look when not.

use crate::{Failure, failure::Doing};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A temporary folder.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes a new, empty folder. The name stays short: control sockets live in it and a socket's
    /// path has room for 107 bytes only.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(name: &str) -> Result<Self, Failure> {
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("trubka-{name}-{}-{count}", std::process::id()));
        // A leftover of an earlier process with the same id.
        if path.exists() {
            std::fs::remove_dir_all(&path).doing(|| format!("emptying {}", path.display()))?;
        }
        std::fs::create_dir_all(&path).doing(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and gives its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).doing(|| format!("making {}", parent.display()))?;
        }
        std::fs::write(&path, text).doing(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if Failure::happened() || std::env::var_os("TRUBKA_KEEP").is_some() {
            eprintln!("kept for a look: {}", self.0.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}
