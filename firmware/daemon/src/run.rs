//! The daemon's life: start, serve, start anew on request, end.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use call::Event;
use config::{Config, Problem};
use gateway::{Gateway, Output, Setup};
use line_interface::{DriveBlock, LinePlan};
use sip::{StreamVerdict, Transport};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use trace::Carrier;

use crate::audio_ports::Arrival;
use crate::cards::{CardThread, switch_wires};
use crate::clock::Clock;
use crate::commands::Commands;
use crate::console::ConsoleThread;
use crate::control_server;
use crate::echo_store::{self, EchoStore};
use crate::fanout::{self, Stamped, Subscribers};
use crate::input::{Input, QUEUE};
use crate::journal::Journal;
use crate::links::{LinkId, LinkNews, Links, Listeners};
use crate::names::{self, Found, Names};
use crate::public_address;
use crate::sockets::Sockets;
use crate::startup::{self, Arguments};
use crate::state::StateKeeper;
use crate::tracer::{Followers, Tracer};
use crate::wall_clock;

/// How long the end waits for releases and hang-ups that are under way on the lines, and for the
/// PBX to take back registrations and calls.
const FAREWELL: Duration = Duration::from_secs(4);
/// Most inputs that are taken between two looks at the timers.
const BATCH: usize = 64;
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long the start waits for the name service.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(2);

/// Why a serving round ended.
enum End {
    Stop,
    Reload,
}

/// Runs until a signal ends it.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    let mut loaded = match startup::load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(problems) => {
            report(&problems, "nothing was started");
            return ExitCode::from(3);
        }
    };
    if arguments.check {
        tracing::info!("{} is good", arguments.config.display());
        return ExitCode::SUCCESS;
    }
    let (subscribers, _) = broadcast::channel(256);
    let (followers, _) = broadcast::channel(256);
    let mut console = None;
    loop {
        keep_console(&mut console, &loaded.0, arguments);
        match serve(arguments, loaded.0, loaded.1, &subscribers, &followers).await {
            Ok(End::Stop) => return ExitCode::SUCCESS,
            Ok(End::Reload) => match startup::load(&arguments.config) {
                Ok(again) => loaded = again,
                // The commands check before they ask for a reload; a file that changed in
                // between is reported and the daemon ends, for its supervisor to restart.
                Err(problems) => {
                    report(&problems, "nothing was started");
                    return ExitCode::from(3);
                }
            },
            Err(why) => {
                tracing::error!("{why}");
                return ExitCode::FAILURE;
            }
        }
    }
}

/// Problems go to the person who started us, whole and readable.
fn report(problems: &[Problem], consequence: &str) {
    for problem in problems {
        eprintln!("{problem}");
    }
    eprintln!("{} problem(s); {consequence}", problems.len());
}

/// The console outlives a reload, which may have been ordered from it; it is replaced only when
/// its own settings changed.
fn keep_console(
    running: &mut Option<(config::Console, ::console::Setup, ConsoleThread)>,
    config: &Config,
    arguments: &Arguments,
) {
    let wanted = config.console.as_ref().map(|settings| {
        let setup = ::console::Setup {
            config_file: arguments.config.clone(),
            socket: config.control_socket.clone(),
            password_file: settings.password_file.clone(),
            idle_logout: settings.idle_logout,
        };
        (settings.clone(), setup)
    });
    if running
        .as_ref()
        .map(|(settings, setup, _)| (settings, setup))
        == wanted.as_ref().map(|(settings, setup)| (settings, setup))
    {
        return;
    }
    *running = None;
    let Some((settings, setup)) = wanted else {
        return;
    };
    match ConsoleThread::start(settings.clone(), setup.clone()) {
        Ok(thread) => *running = Some((settings, setup, thread)),
        Err(error) => tracing::warn!("no thread for the console: {error}"),
    }
}

/// The running daemon.
struct Daemon {
    clock: Clock,
    gateway: Gateway,
    sockets: Sockets,
    links: Links,
    known: Known,
    /// Accounts whose name was told not to resolve.
    unresolved: Vec<bool>,
    journal: Arc<Journal>,
    subscribers: Subscribers,
    tracer: Tracer,
    commands: Commands,
    state: StateKeeper,
    echo_paths: EchoStore,
}

async fn serve(
    arguments: &Arguments,
    config: Config,
    plans: Vec<LinePlan>,
    subscribers: &Subscribers,
    followers: &Followers,
) -> Result<End, String> {
    let wires: Vec<_> = (0..config.cards.len())
        .map(|card| switch_wires(&config, &plans, card))
        .collect();
    let names = Names::new(&config);
    let found = look_up(&names, &config).await;
    let bound = config.sip.listen;
    let known = Known::of(&found);
    let own = startup::own_address(bound, known.peer(bound)).await;
    let own_ipv6 = match config.sip.listen_ipv6 {
        Some(six) => Some(startup::own_address(six, known.peer(six)).await),
        None => None,
    };
    let listen: Vec<SocketAddr> = [Some(bound), config.sip.listen_ipv6]
        .into_iter()
        .flatten()
        .collect();
    let failed = |error: crate::sockets::BindError| error.to_string();
    let marks = (config.sip.dscp, config.media.dscp);
    let sockets = Sockets::bind(&listen, &config.media.rtp_ports, marks).map_err(failed)?;
    let outside = match config.sip.stun_server.as_ref().zip(sockets.sip()) {
        Some((server, socket)) => public_address::from_outside(server, socket).await,
        None => None,
    };
    let public = outside.map(|outside| outside.public);
    let listeners = Listeners::bind(&config).map_err(failed)?;
    let rtp_local = |own: IpAddr| {
        let ports = config.media.rtp_ports.iter();
        ports.map(|port| SocketAddr::new(own, *port)).collect()
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| format!("no random numbers: {error}"))?;

    let (inbox, mut inputs) = mpsc::channel(QUEUE);
    let journal = Arc::new(
        Journal::start(&config.journal, inbox.clone()).map_err(|error| error.to_string())?,
    );
    let listener = control_server::bind(&config.control_socket).map_err(|error| {
        format!(
            "cannot open the control socket {}: {error}\n    hint: is another trubkad running? does the directory exist?",
            config.control_socket.display()
        )
    })?;
    let mut tracer = Tracer::open(
        &config.trace,
        own,
        bound.port(),
        &config.media.rtp_ports,
        followers.clone(),
    );
    let port_ipv6 = config.sip.listen_ipv6.map(|listen| listen.port());
    tracer.set_ipv6(own_ipv6.zip(port_ipv6).map(SocketAddr::from));
    let setup = Setup {
        config: config.clone(),
        plans,
        registrars: found.iter().map(|found| found.servers.clone()).collect(),
        sip_local: SocketAddr::new(own, bound.port()),
        public,
        stun_server: outside.map(|outside| outside.server),
        sip_local_ipv6: (own_ipv6.zip(config.sip.listen_ipv6))
            .map(|(own, bound)| SocketAddr::new(own, bound.port())),
        rtp_local: rtp_local(own),
        rtp_local_ipv6: own_ipv6.map(rtp_local).unwrap_or_default(),
        seed,
    };
    let own_addresses: Vec<IpAddr> = listen.iter().map(SocketAddr::ip).collect();
    let mut links = Links::new(&config, &own_addresses, inbox.clone());
    for (account, found) in found.iter().enumerate() {
        let servers: Vec<SocketAddr> = found.servers.iter().map(|s| s.address).collect();
        links.set_servers(account, &servers);
    }
    links.serve(listeners);
    let clock = Clock::start();
    let mut gateway = Gateway::new(setup);
    let known_paths = echo_store::read(&config.media.echo_paths_file);
    gateway.restore_echo_paths(known_paths.clone());
    let zone = startup::outside_world(&mut gateway, clock.now(), &config);
    let mut daemon = Daemon {
        clock,
        gateway,
        echo_paths: EchoStore::start(config.media.echo_paths_file.clone(), known_paths)
            .map_err(|error| format!("cannot start a thread for the echo paths: {error}"))?,
        state: StateKeeper::start(config.access.state_file.clone())
            .map_err(|error| format!("cannot start a thread for the state: {error}"))?,
        commands: Commands::new(arguments.config.clone(), config.clone(), journal.clone()),
        sockets,
        links,
        known,
        journal,
        subscribers: subscribers.clone(),
        tracer,
        unresolved: vec![false; config.accounts.len()],
    };

    let mut tasks = daemon.sockets.read_into(&inbox);
    tasks.spawn(control_server::serve(
        listener,
        inbox.clone(),
        subscribers.clone(),
        followers.clone(),
    ));
    for (account, found) in found.iter().enumerate() {
        if let Some(pause) = found.good_for {
            let settings = config.accounts[account].clone();
            tasks.spawn(names::watch(
                names.clone(),
                account,
                settings,
                pause,
                inbox.clone(),
            ));
        }
    }
    let known = daemon.known.clone();
    tasks.spawn(watch_route(bound, known, own, inbox.clone()));
    if let Some((server, public)) = config.sip.stun_server.clone().zip(public) {
        tasks.spawn(public_address::watch(server, bound, public, inbox.clone()));
    }
    tasks.spawn(wall_clock::keep_telling(zone, inbox.clone()));
    let mut cards = Vec::new();
    for (index, (card, wires)) in config.cards.iter().zip(wires).enumerate() {
        let thread = CardThread::start(index, card.kind.clone(), wires, inbox.clone());
        cards.push(
            thread.map_err(|error| {
                format!("cannot start a thread for card {}: {error}", card.name)
            })?,
        );
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| error.to_string())?;

    daemon.tell(Event::Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    for (account, found) in found.into_iter().enumerate() {
        daemon.tell_unresolved(account, &found);
    }
    daemon.gateway.start(daemon.clock.now());
    daemon.carry_out();
    let end = loop {
        let deadline = daemon
            .gateway
            .next_deadline()
            .map(|at| daemon.clock.instant(at));
        let sleep = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => break End::Stop,
            _ = interrupt.recv() => break End::Stop,
            _ = hangup.recv() => match startup::load(&arguments.config) {
                Ok(_) => break End::Reload,
                Err(problems) => report(&problems, "the running configuration stays in force"),
            },
            () = sleep => {
                let now = daemon.clock.now();
                daemon.gateway.handle_timeout(now);
                daemon.carry_out();
            }
            () = daemon.sockets.audio.wait() => {
                daemon.hear();
                daemon.carry_out();
            }
            input = inputs.recv() => {
                let Some(input) = input else { break End::Stop };
                let mut reload = daemon.take_and_carry_out(input);
                // Timers are looked at once for all that waits: the look costs more than a packet of sound.
                for _ in 1..BATCH {
                    if reload {
                        break;
                    }
                    let Ok(input) = inputs.try_recv() else { break };
                    reload = daemon.take_and_carry_out(input);
                }
                if reload {
                    break End::Reload;
                }
            }
        }
    };
    daemon.farewell(&mut inputs).await;
    for card in &mut cards {
        card.stop();
    }
    // Blocks that wait for an answer are let go, so that the card threads can say goodbye.
    inputs.close();
    while let Ok(input) = inputs.try_recv() {
        if let Input::Block {
            mut exchange, back, ..
        } = input
        {
            exchange.drive.fill(DriveBlock::default());
            let _ = back.send(exchange);
        }
    }
    drop(cards);
    daemon.links.shutdown().await;
    tasks.shutdown().await;
    control_server::unbind(&config.control_socket);
    Ok(end)
}

/// Addresses of PBXs, for asking which of our addresses leads there.
#[derive(Debug, Clone, Default)]
struct Known(Arc<Mutex<Vec<SocketAddr>>>);

impl Known {
    fn of(found: &[Found]) -> Known {
        let known = Known::default();
        let servers = found.iter().flat_map(|found| &found.servers);
        known.learn(&servers.map(|server| server.address).collect::<Vec<_>>());
        known
    }

    fn learn(&self, servers: &[SocketAddr]) {
        let mut known = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for server in servers {
            if !known.contains(server) && known.len() < 64 {
                known.push(*server);
            }
        }
    }

    /// The first of the same family as `bound`.
    fn peer(&self, bound: SocketAddr) -> Option<SocketAddr> {
        let known = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        known
            .iter()
            .find(|peer| peer.is_ipv4() == bound.is_ipv4())
            .copied()
    }
}

/// Looks all accounts' servers up at once, for a bounded time; what takes longer comes later.
async fn look_up(names: &Names, config: &Config) -> Vec<Found> {
    let mut lookups = tokio::task::JoinSet::new();
    for (account, settings) in config.accounts.iter().cloned().enumerate() {
        let names = names.clone();
        lookups.spawn(async move {
            let found = tokio::time::timeout(LOOK_UP_LIMIT, names.servers_of(&settings)).await;
            let late = || Found {
                missing: vec![(settings.registrar.to_string(), "no answer yet".to_owned())],
                good_for: Some(Duration::ZERO),
                ..Found::default()
            };
            (account, found.unwrap_or_else(|_| late()))
        });
    }
    let mut all = vec![Found::default(); config.accounts.len()];
    while let Some(done) = lookups.join_next().await {
        if let Ok((account, found)) = done {
            all[account] = found;
        }
    }
    all
}

/// Watches our own address where it follows the route to the PBX.
async fn watch_route(bound: SocketAddr, known: Known, own: IpAddr, inbox: crate::input::Inbox) {
    if !bound.ip().is_unspecified() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let now = startup::own_address(bound, known.peer(bound)).await;
        if now != own
            && !now.is_unspecified()
            && inbox.send(Input::OwnAddressChanged).await.is_err()
        {
            return;
        }
    }
}

fn carrier(transport: Transport) -> Carrier {
    match transport {
        Transport::Tcp => Carrier::Tcp,
        Transport::Tls => Carrier::Tls,
        _ => Carrier::Udp,
    }
}

impl Daemon {
    /// Takes one input and does what comes of it; `true` when all has to begin anew.
    fn take_and_carry_out(&mut self, input: Input) -> bool {
        // Messages carry our address: they begin anew with the right one, between calls.
        if matches!(input, Input::OwnAddressChanged) && self.gateway.is_quiet() {
            return true;
        }
        let reload = self.take(input);
        self.carry_out();
        reload
    }

    /// Takes one input; `true` when a reload was ordered.
    fn take(&mut self, input: Input) -> bool {
        let now = self.clock.now();
        match input {
            Input::Sip { source, payload } => {
                self.tracer.sip_in(Carrier::Udp, source, &payload);
                self.gateway.handle_sip(now, source, &payload);
            }
            Input::CardPresent { card, info } => self.gateway.card_present(now, card, &info),
            Input::CardLost { card, why } => self.gateway.card_lost(now, card, &why),
            Input::Block {
                card,
                mut exchange,
                back,
            } => {
                // What has come until now is in time for this block.
                self.hear();
                self.commands.before_block(&mut self.gateway, card);
                self.gateway
                    .handle_block(now, card, &exchange.sense, &mut exchange.drive);
                let _ = back.send(exchange);
                self.commands.block(&mut self.gateway, card);
            }
            Input::JournalDone { record } => self.gateway.journal_done(now, record),
            Input::JournalAlarm(event) => self.tell(event),
            Input::Command { request, reply } => {
                return self.commands.handle(now, &mut self.gateway, request, reply);
            }
            Input::ServersFound { account, found } => self.servers_found(now, account, &found),
            Input::Link { id, news } => self.link_news(now, id, news),
            Input::Connected {
                transport,
                peer,
                stream,
            } => {
                if self.gateway.admit_stream(now, transport, peer) == StreamVerdict::Keep {
                    self.links.accept(transport, peer, stream);
                }
            }
            Input::LookAtCertificates => self.links.look_at_certificates(SystemTime::now()),
            Input::LocalTime(time) => self.gateway.set_local_time(now, time),
            Input::OwnAddressChanged => {}
        }
        false
    }

    /// Takes what the phones say.
    fn hear(&mut self) {
        let now = self.clock.now();
        let (tracer, gateway) = (&mut self.tracer, &mut self.gateway);
        self.sockets.audio.read(|arrival, payload| {
            let Arrival { slot, rtcp, source } = arrival;
            tracer.rtp_in(slot, rtcp, source, payload);
            gateway.handle_rtp(now, slot, rtcp, source, payload);
        });
    }

    /// Carries out what the core ordered.
    fn carry_out(&mut self) {
        self.send_pending();
        while let Some(event) = self.links.poll_event() {
            self.tell(event);
        }
    }

    fn send_pending(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Sip(transmit) => self.send_sip(transmit),
                Output::CloseStream { transport, peer } => {
                    self.links.close(transport, peer);
                    self.gateway
                        .stream_closed(self.clock.now(), transport, peer);
                }
                Output::Rtp {
                    slot,
                    rtcp,
                    destination,
                    payload,
                } => {
                    self.tracer.rtp_out(slot, rtcp, destination, &payload);
                    self.sockets.audio.send(slot, rtcp, destination, &payload);
                }
                Output::Record { record, event } => {
                    let stamped = Stamped::now(event);
                    self.journal.write(Some(record), stamped.clone());
                    self.publish(stamped);
                }
                Output::Event(event) => self.tell(event),
                Output::KeepDoNotDisturb { on } => self.state.keep(on),
                Output::KeepEchoPath { apartment, path } => self.echo_paths.keep(apartment, path),
                Output::TestCallDone { leg, report } => self.commands.test_call_done(leg, &report),
            }
        }
    }

    fn send_sip(&mut self, transmit: sip::Transmit) {
        let (transport, peer) = (transmit.transport, transmit.destination);
        let carrier = carrier(transport);
        self.tracer.sip_out(carrier, peer, &transmit.payload);
        let now = self.clock.now();
        if transport == Transport::Udp {
            if self.sockets.send_sip(peer, &transmit.payload).is_err() {
                self.gateway.sip_unreachable(now, peer);
            }
        } else if self.links.send(transmit).is_err() {
            self.gateway.stream_closed(now, transport, peer);
        }
    }

    fn link_news(&mut self, now: Duration, id: LinkId, news: LinkNews) {
        if !self.links.is_current(id) {
            return;
        }
        match news {
            LinkNews::Up { certificate_end } => self.links.up(id, certificate_end),
            LinkNews::Bytes(bytes) => {
                let tracer = &mut self.tracer;
                let carrier = carrier(id.transport);
                self.links.messages_in(id, &bytes, |message| {
                    tracer.sip_in(carrier, id.peer, message)
                });
                let verdict = self
                    .gateway
                    .handle_stream(now, id.transport, id.peer, &bytes);
                if verdict == StreamVerdict::Close {
                    // What is queued, a 400 for example, still goes out first.
                    self.send_pending();
                    self.links.close(id.transport, id.peer);
                    self.gateway.stream_closed(now, id.transport, id.peer);
                }
            }
            LinkNews::Ended { fault, why } => {
                self.links.ended(id, fault, &why);
                self.gateway.stream_closed(now, id.transport, id.peer);
            }
        }
    }

    fn servers_found(&mut self, now: Duration, account: usize, found: &Found) {
        self.tell_unresolved(account, found);
        if found.servers.is_empty() {
            // What is known goes on being used; the name service may be what is broken.
            return;
        }
        let servers: Vec<SocketAddr> = found.servers.iter().map(|s| s.address).collect();
        self.links.set_servers(account, &servers);
        self.known.learn(&servers);
        self.gateway.servers_found(now, account, &found.servers);
    }

    /// Tells once that a name of an account does not resolve, and once that it does again.
    fn tell_unresolved(&mut self, account: usize, found: &Found) {
        let missing = found.missing.first();
        if self.unresolved[account] == missing.is_some() {
            return;
        }
        self.unresolved[account] = missing.is_some();
        let (name, detail) = missing.cloned().unwrap_or_default();
        let hint = match missing {
            Some(_) => {
                "check the name in the [[account]], the name server (sip.dns_servers) and the way to it; the PBX's IP address works without either"
            }
            None => "",
        };
        self.tell(Event::NameService {
            account: self.commands.account_name(account),
            resolved: missing.is_none(),
            name,
            detail,
            hint: hint.to_owned(),
        });
    }

    fn tell(&mut self, event: Event) {
        let stamped = Stamped::now(event);
        if stamped.event.is_journalled() {
            self.journal.write(None, stamped.clone());
        }
        self.publish(stamped);
    }

    fn publish(&mut self, stamped: Stamped) {
        fanout::log(&stamped.event);
        // Nobody listening is no fault.
        let _ = self.subscribers.send(stamped);
    }

    /// Ends calls and registrations in order, for a bounded time.
    async fn farewell(&mut self, inputs: &mut mpsc::Receiver<Input>) {
        self.gateway.shutdown(self.clock.now());
        self.carry_out();
        let end = self.clock.now() + FAREWELL;
        while self.clock.now() < end && !(self.gateway.is_quiet() && self.gateway.is_unregistered())
        {
            let wake = self.gateway.next_deadline().map_or(end, |at| at.min(end));
            tokio::select! {
                () = tokio::time::sleep_until(self.clock.instant(wake)) => self.gateway.handle_timeout(self.clock.now()),
                input = inputs.recv() => match input {
                    Some(Input::Command { .. }) => {}
                    Some(input) => { self.take(input); }
                    None => break,
                },
            }
            self.carry_out();
        }
        self.tell(Event::Stopped);
    }
}
