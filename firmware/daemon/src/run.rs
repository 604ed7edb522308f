//! The daemon's life: start, serve, start anew on request, end.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use call::Event;
use config::{Config, Problem};
use gateway::{Gateway, Output, Setup};
use line_interface::{DriveBlock, LinePlan};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use trace::Carrier;

use crate::cards::CardThread;
use crate::clock::Clock;
use crate::commands::Commands;
use crate::console::ConsoleThread;
use crate::control_server;
use crate::fanout::{self, Stamped, Subscribers};
use crate::input::{Input, QUEUE};
use crate::journal::Journal;
use crate::public_address;
use crate::sockets::Sockets;
use crate::startup::{self, Arguments};
use crate::tracer::{Followers, Tracer};

/// How long the end waits for releases and hang-ups that are under way on the lines, and for the
/// PBX to take back registrations and calls.
const FAREWELL: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_secs(30);

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
    journal: Arc<Journal>,
    subscribers: Subscribers,
    tracer: Tracer,
    commands: Commands,
}

async fn serve(
    arguments: &Arguments,
    config: Config,
    plans: Vec<LinePlan>,
    subscribers: &Subscribers,
    followers: &Followers,
) -> Result<End, String> {
    let mut registrars = Vec::new();
    for account in &config.accounts {
        registrars.push(startup::resolve(&account.registrar).await);
    }
    let bound = config.sip.listen;
    let own = startup::own_address(bound, registrars.iter().flatten().next().copied()).await;
    let marks = (config.sip.dscp, config.media.dscp);
    let sockets = Sockets::bind(bound, bound.ip(), &config.media.rtp_ports, marks)
        .map_err(|error| error.to_string())?;
    let public = match &config.sip.stun_server {
        Some(server) => public_address::from_outside(server, sockets.sip()).await,
        None => None,
    };
    let sip_local = SocketAddr::new(own, bound.port());
    let rtp_local: Vec<SocketAddr> = config
        .media
        .rtp_ports
        .iter()
        .map(|port| SocketAddr::new(own, *port))
        .collect();
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
    let tracer = Tracer::open(
        &config.trace,
        own,
        bound.port(),
        &config.media.rtp_ports,
        followers.clone(),
    );
    let setup = Setup {
        config: config.clone(),
        plans,
        registrars: registrars.clone(),
        sip_local,
        public,
        rtp_local,
        seed,
    };
    let mut daemon = Daemon {
        clock: Clock::start(),
        gateway: Gateway::new(setup),
        commands: Commands::new(arguments.config.clone(), config.clone(), journal.clone()),
        sockets,
        journal,
        subscribers: subscribers.clone(),
        tracer,
    };

    let mut tasks = daemon.sockets.read_into(&inbox);
    tasks.spawn(control_server::serve(
        listener,
        inbox.clone(),
        subscribers.clone(),
        followers.clone(),
    ));
    tasks.spawn(watch_network(
        config.clone(),
        registrars,
        own,
        public,
        inbox.clone(),
    ));
    let mut cards = Vec::new();
    for (index, card) in config.cards.iter().enumerate() {
        let thread = CardThread::start(index, card.kind.clone(), inbox.clone());
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
            input = inputs.recv() => match input {
                // Messages carry our address: they begin anew with the right one, between calls.
                Some(Input::OwnAddressChanged) if daemon.gateway.is_quiet() => break End::Reload,
                Some(input) => {
                    if daemon.take(input) {
                        break End::Reload;
                    }
                    daemon.carry_out();
                }
                None => break End::Stop,
            },
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
    tasks.shutdown().await;
    control_server::unbind(&config.control_socket);
    Ok(end)
}

/// Watches what may change outside: host names that resolve now or to another address, and our
/// own address where it follows the route to the PBX.
async fn watch_network(
    config: Config,
    mut known: Vec<Option<SocketAddr>>,
    own: IpAddr,
    public: Option<SocketAddr>,
    inbox: crate::input::Inbox,
) {
    let hosts: Vec<_> = config
        .accounts
        .iter()
        .map(|account| &account.registrar)
        .collect();
    let named = hosts.iter().any(|host| host.socket_addr(5060).is_none());
    if !named && !config.sip.listen.ip().is_unspecified() && public.is_none() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        for (account, host) in hosts.iter().enumerate() {
            let Some(address) = startup::resolve(host).await else {
                continue;
            };
            if known[account] == Some(address) {
                continue;
            }
            known[account] = Some(address);
            if inbox
                .send(Input::RegistrarResolved { account, address })
                .await
                .is_err()
            {
                return;
            }
        }
        if let (Some(server), Some(public)) = (&config.sip.stun_server, public)
            && public_address::has_moved(server, config.sip.listen, public).await
            && inbox.send(Input::OwnAddressChanged).await.is_err()
        {
            return;
        }
        let peer = known.iter().flatten().next().copied();
        let now = startup::own_address(config.sip.listen, peer).await;
        if now != own
            && !now.is_unspecified()
            && inbox.send(Input::OwnAddressChanged).await.is_err()
        {
            return;
        }
    }
}

impl Daemon {
    /// Takes one input; `true` when a reload was ordered.
    fn take(&mut self, input: Input) -> bool {
        let now = self.clock.now();
        match input {
            Input::Sip { source, payload } => {
                self.tracer.sip_in(Carrier::Udp, source, &payload);
                self.gateway.handle_sip(now, source, &payload);
            }
            Input::Rtp {
                slot,
                rtcp,
                source,
                payload,
            } => {
                self.tracer.rtp_in(slot, rtcp, source, &payload);
                self.gateway.handle_rtp(now, slot, rtcp, source, &payload);
            }
            Input::CardPresent { card, info } => self.gateway.card_present(now, card, &info),
            Input::CardLost { card, why } => self.gateway.card_lost(now, card, &why),
            Input::Block {
                card,
                mut exchange,
                back,
            } => {
                self.gateway
                    .handle_block(now, card, &exchange.sense, &mut exchange.drive);
                let _ = back.send(exchange);
                self.commands.block(&self.gateway, card);
            }
            Input::JournalDone { record } => self.gateway.journal_done(now, record),
            Input::JournalAlarm(event) => self.tell(event),
            Input::Command { request, reply } => {
                return self.commands.handle(now, &mut self.gateway, request, reply);
            }
            Input::RegistrarResolved { account, address } => {
                self.gateway.registrar_resolved(now, account, address);
            }
            Input::OwnAddressChanged => {}
        }
        false
    }

    /// Carries out what the core ordered.
    fn carry_out(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Sip(transmit) => {
                    self.tracer
                        .sip_out(Carrier::Udp, transmit.destination, &transmit.payload);
                    let sent = self
                        .sockets
                        .send_sip(transmit.destination, &transmit.payload);
                    if sent.is_err() {
                        self.gateway
                            .sip_unreachable(self.clock.now(), transmit.destination);
                    }
                }
                Output::Rtp {
                    slot,
                    rtcp,
                    destination,
                    payload,
                } => {
                    self.tracer.rtp_out(slot, rtcp, destination, &payload);
                    self.sockets.send_rtp(slot, rtcp, destination, &payload);
                }
                Output::Record { record, event } => {
                    let stamped = Stamped::now(event);
                    self.journal.write(Some(record), stamped.clone());
                    self.publish(stamped);
                }
                Output::Event(event) => self.tell(event),
                Output::TestCallDone { leg, report } => self.commands.test_call_done(leg, &report),
            }
        }
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
