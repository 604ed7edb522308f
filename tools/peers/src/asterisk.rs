//! A real Asterisk as a plain process with an address, a folder and a configuration of its own.
//!
//! `tests/setup` puts a Debian tree with it into the user's cache folder. Nothing is started
//! inside that tree: its Asterisk runs through the tree's own loader, without root and without touching
//! the machine's folders. The configuration is `tools/peers/asterisk/*.conf` with `{{names}}` filled in.

use crate::failure::{Doing, ensure};
use crate::speech::{self, Voice};
use crate::wav::Recording;
use crate::{Failure, Outcome, address::Address, folder::Folder, process, process::Process, wait};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const CONFIGURATION: [(&str, &str); 8] = [
    ("asterisk.conf", include_str!("../asterisk/asterisk.conf")),
    ("modules.conf", include_str!("../asterisk/modules.conf")),
    ("logger.conf", include_str!("../asterisk/logger.conf")),
    ("rtp.conf", include_str!("../asterisk/rtp.conf")),
    (
        "musiconhold.conf",
        include_str!("../asterisk/musiconhold.conf"),
    ),
    ("queues.conf", include_str!("../asterisk/queues.conf")),
    ("pjsip.conf", include_str!("../asterisk/pjsip.conf")),
    (
        "extensions.conf",
        include_str!("../asterisk/extensions.conf"),
    ),
];

/// Asterisk complains when these are missing and is content when they are empty.
const EMPTY: [&str; 9] = [
    "acl.conf",
    "ccss.conf",
    "cdr.conf",
    "cel.conf",
    "features.conf",
    "indications.conf",
    "manager.conf",
    "pjproject.conf",
    "udptl.conf",
];

/// How long it may take from start to ready on a busy machine; half a second is usual.
const BOOT_LIMIT: Duration = Duration::from_secs(20);
/// Before a console command is asked again.
const CONSOLE_PAUSE: Duration = Duration::from_millis(300);
/// So many call files were written by this process.
static CALL_FILES: AtomicU32 = AtomicU32::new(0);
/// The right password of every extension until [`Asterisk::set_password`].
pub const PASSWORD: &str = "correct horse 42";

/// What a test may set before the start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Seconds that phones 400 and 401 listen between their own words and the key.
    pub listen_s: u32,
    /// How often the PBX asks registered extensions whether they live, seconds; 0 is never.
    pub qualify_s: u32,
    /// The password of the extensions.
    pub password: String,
    /// Certificate and key for TLS on port 5061, as PEM; without, there is no TLS.
    pub tls: Option<TlsFiles>,
    /// Whether it listens on `[::1]:5060` as well; one at a time can.
    pub ipv6: bool,
}

/// What a server needs for TLS, as PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Its certificate.
    pub certificate: String,
    /// The private key of it.
    pub key: String,
    /// The CA of client certificates, which are then demanded.
    pub client_ca: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen_s: 3,
            qualify_s: 10,
            password: PASSWORD.into(),
            tls: None,
            ipv6: false,
        }
    }
}

/// The tree with the program.
#[derive(Debug, Clone)]
struct Tree {
    root: PathBuf,
    libraries: PathBuf,
    modules: PathBuf,
}

impl Tree {
    fn find() -> Result<Self, Failure> {
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
            .ok_or_else(|| Failure::new("neither XDG_CACHE_HOME nor HOME is set"))?;
        let root = cache.join("trubka/asterisk");
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = root.join("usr/lib").join(&triplet);
        // The folder moved between Asterisk 16 and 22.
        let modules = [
            libraries.join("asterisk/modules"),
            root.join("usr/lib/asterisk/modules"),
        ]
        .into_iter()
        .find(|folder| folder.join("chan_pjsip.so").exists())
        .ok_or_else(|| {
            Failure::new(format!(
                "no Asterisk in {}; run tests/setup, which puts it there",
                root.display()
            ))
        })?;
        Ok(Self {
            root,
            libraries,
            modules,
        })
    }

    /// The program, ready for arguments.
    fn command(&self) -> Command {
        let loader = match std::env::consts::ARCH {
            "aarch64" => "ld-linux-aarch64.so.1",
            _ => "ld-linux-x86-64.so.2",
        };
        let loader = [&self.libraries, &self.root.join("lib").join(self.triplet())]
            .map(|folder| folder.join(loader))
            .into_iter()
            .find(|path| path.exists())
            .unwrap_or_else(|| PathBuf::from(loader));
        let paths = [
            self.libraries.clone(),
            self.root.join("lib").join(self.triplet()),
            self.root.join("usr/lib"),
        ]
        .map(|path| path.display().to_string())
        .join(":");
        let mut command = Command::new(loader);
        command
            .arg("--library-path")
            .arg(paths)
            .arg(self.root.join("usr/sbin/asterisk"))
            .env("OPENSSL_MODULES", self.libraries.join("ossl-modules"))
            .env("OPENSSL_CONF", "/dev/null");
        command
    }

    fn triplet(&self) -> PathBuf {
        self.libraries
            .file_name()
            .map(PathBuf::from)
            .unwrap_or_default()
    }
}

/// A running Asterisk. Dropped, it is killed and the end of its log is printed.
#[derive(Debug)]
pub struct Asterisk {
    // The order is the order of the drop: the process first, the folder last.
    process: Process,
    tree: Tree,
    version: String,
    settings: Settings,
    address: Address,
    phone: Address,
    folder: Folder,
}

impl Asterisk {
    /// Starts one with the usual settings and waits until it is ready.
    ///
    /// # Errors
    /// When the tree is missing or Asterisk does not come up; its log's end is in the sentence.
    pub fn start() -> Result<Self, Failure> {
        Self::start_with(Settings::default())
    }

    /// Starts one and waits until it is ready; see [`Asterisk::start`].
    ///
    /// # Errors
    /// As [`Asterisk::start`].
    pub fn start_with(settings: Settings) -> Result<Self, Failure> {
        let tree = Tree::find()?;
        let version = process::run(tree.command().arg("-V"))?.trim().to_owned();
        let (address, phone) = (Address::take()?, Address::take()?);
        let folder = Folder::new("pbx")?;
        for name in [
            "etc",
            "lib/agi",
            "spool/outgoing",
            "spool/tmp",
            "log",
            "cache",
            "music",
        ] {
            std::fs::create_dir_all(folder.join(name))?;
        }
        let said = speech::make(Voice::Resident, &folder.join("speech.wav"))?;
        std::fs::copy(said, folder.join("music/hold.wav"))?;
        let process = Self::launch(&tree, &folder, &address, &phone, &settings, &version)?;
        let mut asterisk = Self {
            process,
            tree,
            version,
            settings,
            address,
            phone,
            folder,
        };
        asterisk.wait_until_ready()?;
        Ok(asterisk)
    }

    fn launch(
        tree: &Tree,
        folder: &Folder,
        address: &Address,
        phone: &Address,
        settings: &Settings,
        version: &str,
    ) -> Result<Process, Failure> {
        let modern = major(version) >= 22;
        let only = |algorithm| match modern {
            true => format!("supported_algorithms_uas = {algorithm}"),
            false => String::new(),
        };
        let values = [
            ("folder", folder.path().display().to_string()),
            ("tree", tree.root.display().to_string()),
            ("modules", tree.modules.display().to_string()),
            (
                "data",
                tree.root.join("usr/share/asterisk").display().to_string(),
            ),
            ("address", address.to_string()),
            ("phone", phone.to_string()),
            (
                "auth_type",
                if modern { "digest" } else { "userpass" }.into(),
            ),
            ("md5_only", only("MD5")),
            ("sha256_only", only("SHA-256")),
            (
                "ipv6",
                match settings.ipv6 {
                    true => "[udp6]\ntype = transport\nprotocol = udp\nbind = [::1]:5060\n".into(),
                    false => String::new(),
                },
            ),
            ("tls", tls_section(settings, folder, address)),
            ("password", settings.password.clone()),
            ("qualify_s", settings.qualify_s.to_string()),
            ("listen_s", settings.listen_s.to_string()),
            // Every instance has an address of its own, so all can use the same ports.
            ("rtp_first", "20000".into()),
            ("rtp_last", "20199".into()),
        ];
        if let Some(files) = &settings.tls {
            folder.write("etc/tls.pem", &files.certificate)?;
            folder.write("etc/tls.key", &files.key)?;
            folder.write(
                "etc/tls-ca.pem",
                files.client_ca.as_deref().unwrap_or_default(),
            )?;
        }
        for (name, template) in CONFIGURATION {
            folder.write(&format!("etc/{name}"), &fill(name, template, &values)?)?;
        }
        for name in EMPTY {
            folder.write(&format!("etc/{name}"), "")?;
        }
        let mut command = tree.command();
        command
            .arg("-C")
            .arg(folder.join("etc/asterisk.conf"))
            .arg("-f");
        Process::start("asterisk", &mut command, folder.path())
    }

    fn wait_until_ready(&mut self) -> Outcome {
        let limit = BOOT_LIMIT;
        wait::until_true("Asterisk that is fully booted", limit, || {
            self.process.must_live()?;
            Ok(self
                .try_rx("core waitfullybooted")
                .is_ok_and(|said| said.contains("fully booted")))
        })
        .map_err(|failure| {
            let log = process::tail(&self.log(), 3000);
            Failure::new(format!("{failure}; its log ends:\n{log}"))
        })
    }

    /// Its SIP address; the port is 5060, UDP.
    pub fn ip(&self) -> Ipv4Addr {
        self.address.ip()
    }

    /// The address at which it expects phone 450 (port 5060), which a test plays.
    pub fn phone_ip(&self) -> Ipv4Addr {
        self.phone.ip()
    }

    /// What `asterisk -V` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Fails unless it is Asterisk 22 or later, which the named feature needs.
    ///
    /// # Errors
    /// When it is older.
    pub fn must_be_modern(&self, feature: &str) -> Outcome {
        ensure(major(&self.version) >= 22, || {
            format!(
                "{feature} needs Asterisk 22; tests/setup could only get {}",
                self.version
            )
        })
    }

    /// Runs a command of its console and gives what it prints.
    ///
    /// # Errors
    /// When Asterisk does not answer.
    pub fn rx(&self, line: &str) -> Result<String, Failure> {
        // On a busy machine the console now and then hangs up before it has said anything.
        let mut said = self.try_rx(line);
        for _ in 0..4 {
            if said.as_ref().is_ok_and(|said| !said.is_empty()) {
                break;
            }
            std::thread::sleep(CONSOLE_PAUSE);
            said = self.try_rx(line);
        }
        said.map_err(|failure| Failure::new(format!("console command '{line}': {failure}")))
    }

    fn try_rx(&self, line: &str) -> Result<String, String> {
        let result = self
            .tree
            .command()
            .arg("-C")
            .arg(self.folder.join("etc/asterisk.conf"))
            .arg("-rx")
            .arg(line)
            .output()
            .map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&result.stdout).into_owned();
        if result.status.success() {
            Ok(said)
        } else {
            Err(format!("{said}{}", String::from_utf8_lossy(&result.stderr)))
        }
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read(self.folder.join("log/full"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Its folder: recordings and configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until an extension has registered; gives the contact's URI.
    ///
    /// # Errors
    /// When it has not within the limit.
    pub fn wait_registered(&self, extension: &str, limit: Duration) -> Result<String, Failure> {
        let what = format!("registration of {extension} at the PBX");
        wait::until(&what, limit, || self.contact(extension))
    }

    /// The contact that an extension has registered, if any.
    ///
    /// # Errors
    /// When the console does not answer.
    pub fn contact(&self, extension: &str) -> Result<Option<String>, Failure> {
        let marker = format!("{extension}/sip:");
        Ok(self.rx("pjsip show contacts")?.lines().find_map(|line| {
            let from = line.find(&marker)? + extension.len() + 1;
            line.get(from..)?
                .split_whitespace()
                .next()
                .map(str::to_owned)
        }))
    }

    /// How many channels are up: 0 when the PBX is idle.
    ///
    /// # Errors
    /// When the console does not answer.
    pub fn channels(&self) -> Result<usize, Failure> {
        let said = self.rx("core show channels count")?;
        said.lines()
            .find_map(|line| {
                line.strip_suffix(" active channels")
                    .or(line.strip_suffix(" active channel"))
            })
            .and_then(|count| count.trim().parse().ok())
            .ok_or_else(|| Failure::new(format!("no count of channels in: {said}")))
    }

    /// Waits until no channel is left.
    ///
    /// # Errors
    /// When some are still up after the limit.
    pub fn wait_idle(&self, limit: Duration) -> Outcome {
        wait::until_true("idle PBX", limit, || Ok(self.channels()? == 0))
    }

    /// Has the PBX call an extension by a call file; when it answers, it hears the resident's speech.
    ///
    /// # Errors
    /// When the file cannot be put in place.
    pub fn call(&self, extension: &str) -> Outcome {
        // A semicolon begins a comment there.
        let channel = extension.replace(';', "\\;");
        let text = format!(
            "Channel: PJSIP/{channel}\nCallerID: \"Concierge\" <406>\nMaxRetries: 0\n\
             WaitTime: 30\nContext: house\nExtension: hello\nPriority: 1\n"
        );
        // Written beside and moved, so that it is never seen half.
        let beside = self.folder.write("spool/tmp/call", &text)?;
        // An extension may be a whole SIP URI, with strokes that no file name bears. Asterisk removes the file when the call is
        // over, so the next call must not have its name.
        let count = CALL_FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{count}", extension.replace('/', "-"));
        std::fs::rename(
            &beside,
            self.folder.join(&format!("spool/outgoing/{name}.call")),
        )
        .doing(|| "putting the call file in place".into())
    }

    /// Hangs up every channel from the PBX's side.
    ///
    /// # Errors
    /// When the console does not answer.
    pub fn hang_up_all(&self) -> Outcome {
        self.rx("channel request hangup all").map(drop)
    }

    /// Prints nothing at the drop.
    pub fn keep_quiet(&mut self) {
        self.process.keep_quiet();
    }

    /// What the PBX heard from the caller of phone 400, 401 or 406.
    ///
    /// # Errors
    /// When there is no such recording.
    pub fn heard(&self, phone: &str) -> Result<Recording, Failure> {
        Recording::read(&self.folder.join(&format!("heard-{phone}.wav")))
    }

    /// The resident's speech, as phones 400, 401 and 406 say it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn speech(&self) -> Result<Recording, Failure> {
        Recording::read(&self.folder.join("speech.wav"))
    }

    /// Gives all extensions another password, without a restart.
    ///
    /// # Errors
    /// When the console does not answer.
    pub fn set_password(&mut self, password: &str) -> Outcome {
        let path = self.folder.join("etc/pjsip.conf");
        let old = format!("password = {}\n", self.settings.password);
        let text =
            std::fs::read_to_string(&path)?.replace(&old, &format!("password = {password}\n"));
        std::fs::write(&path, text)?;
        self.settings.password = password.into();
        self.rx("module reload res_pjsip.so").map(drop)
    }

    /// Kills it, as a power cut would. [`Asterisk::start_again`] brings it back.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same address after [`Asterisk::kill`]. Without `remembering`, it has lost
    /// the registrations it had.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self, remembering: bool) -> Outcome {
        // A killed Asterisk leaves its control socket and process id behind.
        for left in ["asterisk.ctl", "asterisk.pid"] {
            let _ = std::fs::remove_file(self.folder.join(left));
        }
        if !remembering {
            let _ = std::fs::remove_file(self.folder.join("lib/astdb.sqlite3"));
        }
        self.process = Self::launch(
            &self.tree,
            &self.folder,
            &self.address,
            &self.phone,
            &self.settings,
            &self.version,
        )?;
        self.wait_until_ready()
    }

    /// Kills and starts again, see [`Asterisk::start_again`].
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self, remembering: bool) -> Outcome {
        self.kill();
        self.start_again(remembering)
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        self.process.kill();
        if self.process.is_quiet() {
            return;
        }
        eprintln!(
            "--- log of {} at {}\n{}",
            self.version,
            self.address,
            process::tail(&self.log(), 8000)
        );
    }
}

/// The first number of "Asterisk 22.10.1+dfsg".
fn major(version: &str) -> u32 {
    version
        .trim_start_matches(|c: char| !c.is_ascii_digit())
        .split('.')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// The transports for TLS in `pjsip.conf`.
fn tls_section(settings: &Settings, folder: &Folder, address: &Address) -> String {
    let Some(files) = &settings.tls else {
        return String::new();
    };
    let path = |name: &str| folder.join(name).display().to_string();
    let client = match &files.client_ca {
        Some(_) => format!(
            "verify_client = yes\nrequire_client_cert = yes\nca_list_file = {}\n",
            path("etc/tls-ca.pem")
        ),
        None => String::new(),
    };
    let keys = format!(
        "method = tlsv1_2\ncert_file = {}\npriv_key_file = {}\n{client}",
        path("etc/tls.pem"),
        path("etc/tls.key"),
    );
    let section = |name: &str, bind: &str| {
        format!("[{name}]\ntype = transport\nprotocol = tls\nbind = {bind}:5061\n{keys}\n")
    };
    let six = match settings.ipv6 {
        true => section("tls6", "[::1]"),
        false => String::new(),
    };
    section("tls", &address.to_string()) + &six
}

/// Fills `{{name}}` in a template; a name that has no value is an error.
fn fill(file: &str, template: &str, values: &[(&str, String)]) -> Result<String, Failure> {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    match text.split_once("{{") {
        None => Ok(text),
        Some((_, rest)) => Err(Failure::new(format!(
            "{file} asks for {{{{{}}}}}, which has no value",
            rest.split("}}").next().unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_numbers() {
        assert_eq!(major("Asterisk 22.10.1+dfsg+~cs6.17"), 22);
        assert_eq!(major("Asterisk 16.28.0~dfsg-0+deb11u4"), 16);
        assert_eq!(major(""), 0);
    }

    #[test]
    fn a_template_without_a_value_is_refused() {
        let values = [("a", "1".to_owned())];
        assert_eq!(fill("x.conf", "v={{a}};", &values).unwrap(), "v=1;");
        let refused = fill("x.conf", "v={{a}} {{b}}", &values)
            .unwrap_err()
            .to_string();
        assert_eq!(refused, "x.conf asks for {{b}}, which has no value");
    }
}
