//! A real Kamailio as a plain process: registrar and proxy with SHA-256 digest, in front of one phone.

use crate::{Failure, address::Address, folder::Folder, process::Process, wait};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Its realm.
pub const REALM: &str = "house.test";

/// A running Kamailio. Dropped, it is killed and what it wrote is printed.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    address: Address,
    _folder: Folder,
}

/// The folder into which `tests/setup` unpacks the package.
fn tree() -> PathBuf {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    home("XDG_CACHE_HOME")
        .or_else(|| Some(home("HOME")?.join(".cache")))
        .unwrap_or_default()
        .join("trubka/kamailio")
}

/// What runs the unpacked Kamailio in the foreground with `kamailio.cfg` of `folder`.
///
/// # Errors
/// When it is not there.
pub fn command(folder: &Folder) -> Result<Command, Failure> {
    let tree = tree();
    let program = tree.join("usr/sbin/kamailio");
    if !program.exists() {
        let path = program.display();
        return Err(Failure::new(format!("no {path}; run tests/setup")));
    }
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let libraries = tree.join("usr/lib").join(triplet).join("kamailio");
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .env("LD_LIBRARY_PATH", &libraries)
        .arg("-f")
        .arg(folder.join("kamailio.cfg"))
        .arg("-L")
        .arg(libraries.join("modules"))
        .arg("-Y")
        .arg(folder.path())
        .args(["-DD", "-E", "-m", "64", "-M", "8"]);
    Ok(command)
}

impl Kamailio {
    /// Starts one that takes `user` with `password` and sends every call to `phone`.
    ///
    /// # Errors
    /// When it is missing or does not come up.
    pub fn start(user: &str, password: &str, phone: SocketAddr) -> Result<Self, Failure> {
        let address = Address::take()?;
        let folder = Folder::new("kamailio")?;
        let text = include_str!("../kamailio/kamailio.cfg")
            .replace("{{address}}", &address.to_string())
            .replace("{{phone}}", &phone.to_string())
            .replace("{{user}}", user)
            .replace("{{password}}", password)
            .replace("{{realm}}", REALM);
        folder.write("kamailio.cfg", &text)?;
        let mut command = command(&folder)?;
        let mut process = Process::start("kamailio", &mut command, folder.path())?;
        let ip = address.ip();
        wait::until_true("Kamailio that listens", Duration::from_secs(15), || {
            process.must_live()?;
            Ok(TcpStream::connect((ip, 5060)).is_ok())
        })?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    /// Its SIP address; the port is 5060, UDP and TCP.
    pub fn ip(&self) -> Ipv4Addr {
        self.address.ip()
    }

    /// How often it has logged a line with `words`.
    pub fn count(&self, words: &str) -> usize {
        let text = self.process.errors() + &self.process.output();
        text.lines().filter(|line| line.contains(words)).count()
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        // Its children hold the sockets; asked to end, the first one ends them all.
        self.process.stop(Duration::from_secs(3));
    }
}
