//! Child processes: started with their output in files, ended by their id.

use crate::{Failure, failure::Doing};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// At most this much of a log is printed when a process is dropped.
const SHOWN_BYTES: usize = 12_000;

/// A running program. Dropped, it is ended and its output is printed to standard error.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    errors: PathBuf,
    quiet: bool,
}

impl Process {
    /// Whether nothing shall be printed at the drop.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints nothing at the drop: for somebody who has no use for the logs.
    pub fn keep_quiet(&mut self) {
        self.quiet = true;
    }

    /// As [`Process::start`], for a program that is told things on its standard input, see [`Process::tell`].
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_listening(
        name: &str,
        command: &mut Command,
        folder: &Path,
    ) -> Result<Self, Failure> {
        Self::spawn(name, command, folder, Stdio::piped())
    }

    /// Writes a line to the standard input of a program that was started with [`Process::start_listening`].
    ///
    /// # Errors
    /// When the program does not listen or has ended.
    pub fn tell(&mut self, line: &str) -> Result<(), Failure> {
        self.must_live()?;
        let name = self.name.clone();
        let input = self.child.stdin.as_mut();
        let input = input.ok_or_else(|| Failure::new(format!("{name} takes no words")))?;
        writeln!(input, "{line}").doing(|| format!("telling {name} '{line}'"))
    }

    /// Starts the program; its output goes to `<name>.out` and `<name>.err` in `folder`, added to
    /// what an earlier process of that name left there.
    ///
    /// # Errors
    /// When it cannot be started; the sentence names the program.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Self, Failure> {
        Self::spawn(name, command, folder, Stdio::null())
    }

    fn spawn(
        name: &str,
        command: &mut Command,
        folder: &Path,
        input: Stdio,
    ) -> Result<Self, Failure> {
        let output = folder.join(format!("{name}.out"));
        let errors = folder.join(format!("{name}.err"));
        let open = |path: &Path| -> Result<File, Failure> {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .doing(|| format!("opening {}", path.display()))
        };
        let child = command
            .stdin(input)
            .stdout(open(&output)?)
            .stderr(open(&errors)?)
            .spawn()
            .doing(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self {
            name: name.into(),
            child,
            output,
            errors,
            quiet: false,
        })
    }

    /// What it has written to standard output so far.
    pub fn output(&self) -> String {
        lossy(&self.output)
    }

    /// What it has written to standard error so far.
    pub fn errors(&self) -> String {
        lossy(&self.errors)
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        Ok(self.child.try_wait()?)
    }

    /// Fails when the process is gone, with the end of its output.
    ///
    /// # Errors
    /// When it has ended.
    pub fn must_live(&mut self) -> Result<(), Failure> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!(
                "{} ended early ({status}):\n{}{}",
                self.name,
                tail(&self.output(), 2000),
                tail(&self.errors(), 2000)
            ))),
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        let name = self.name.clone();
        crate::wait::until(&format!("end of {name}"), limit, || self.ended())
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal by its name, `STOP` for example, and tells whether that went well.
    pub fn signal(&self, name: &str) -> bool {
        // The standard library sends SIGKILL only, so the signal is sent by the shell's own kill.
        Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.child.id()))
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Asks it to end (SIGTERM) and waits; kills it when it does not.
    pub fn stop(&mut self, patience: Duration) {
        if self.signal("TERM") {
            let began = Instant::now();
            while began.elapsed() < patience {
                if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        for (stream, text) in [("output", self.output()), ("errors", self.errors())] {
            if !text.is_empty() && !self.quiet {
                eprintln!("--- {} {stream}\n{}", self.name, tail(&text, SHOWN_BYTES));
            }
        }
    }
}

fn lossy(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// The last `bytes` of a text, from the start of a line.
pub fn tail(text: &str, bytes: usize) -> String {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let rest = text.get(start..).unwrap_or_default();
    if start == 0 {
        return rest.to_owned();
    }
    let from_line = rest.split_once('\n').map_or(rest, |(_, after)| after);
    format!("[...]\n{from_line}")
}

/// Runs a short program to its end and gives its standard output.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub fn run(command: &mut Command) -> Result<String, Failure> {
    let program = command.get_program().to_owned();
    let result = command
        .stdin(Stdio::null())
        .output()
        .doing(|| format!("starting {}", program.display()))?;
    if !result.status.success() {
        return Err(Failure::new(format!(
            "{} failed ({}): {}{}",
            program.display(),
            result.status,
            String::from_utf8_lossy(&result.stdout),
            String::from_utf8_lossy(&result.stderr)
        )));
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}
