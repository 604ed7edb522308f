//! A real Kamailio as a plain process: registrar and proxy with SHA-256 digest, in front of one phone.

use crate::{Failure, address::Address, folder::Folder, process::Process, wait};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// Its realm.
pub const REALM: &str = "house.test";
/// The realm of an edge.
pub const EDGE_REALM: &str = "edge.test";

/// A running Kamailio. Dropped, it is killed and what it wrote is printed.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    address: Address,
    _folder: Folder,
}

impl Kamailio {
    /// Starts one that takes `user` with `password` and sends every call to `phone`.
    ///
    /// # Errors
    /// When it is missing or does not come up.
    pub fn start(user: &str, password: &str, phone: SocketAddr) -> Result<Self, Failure> {
        let template = include_str!("../kamailio/kamailio.cfg");
        Self::run(template, REALM, user, password, phone)
    }

    /// Starts one that wants a login of its own, of the realm [`EDGE_REALM`], and passes everything on to `next`, which has logins of
    /// its own.
    ///
    /// # Errors
    /// As [`Kamailio::start`].
    pub fn edge(user: &str, password: &str, next: SocketAddr) -> Result<Self, Failure> {
        let template = include_str!("../kamailio/edge.cfg");
        Self::run(template, EDGE_REALM, user, password, next)
    }

    fn run(
        template: &str,
        realm: &str,
        user: &str,
        password: &str,
        phone: SocketAddr,
    ) -> Result<Self, Failure> {
        let address = Address::take()?;
        let folder = Folder::new("kamailio")?;
        let text = template
            .replace("{{address}}", &address.to_string())
            .replace("{{phone}}", &phone.to_string())
            .replace("{{phone_ip}}", &phone.ip().to_string())
            .replace("{{user}}", user)
            .replace("{{password}}", password)
            .replace("{{realm}}", realm);
        folder.write("kamailio.cfg", &text)?;
        // Debian puts it where only root's PATH leads.
        let mut command = Command::new("/usr/sbin/kamailio");
        command
            .current_dir(folder.path())
            .arg("-f")
            .arg(folder.join("kamailio.cfg"))
            .arg("-Y")
            .arg(folder.path())
            .args(["-DD", "-E", "-m", "16", "-M", "4"]);
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

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Killed outright, the first process would leave the others behind.
        self.kill();
    }
}
