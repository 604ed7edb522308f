//! A name server whose answers do not fit into a datagram: it is asked again over TCP, and the PBX is found.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::dns::{Dns, Record};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;

#[test]
fn dns_over_tcp() -> Outcome {
    let pbx = Asterisk::start()?;
    let dns = Dns::start_truncating()?;
    dns.add(
        "_sip._udp.long.test",
        Record::Srv(10, 10, 5060, "one.long.test"),
    );
    dns.add_host("one.long.test", pbx.ip());
    let settings = Settings {
        sip: format!("dns_servers = [\"{}\"]", dns.server()),
        account: "registrar = \"long.test\"".into(),
        ..Settings::new("400", Visit::default())
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(15.0))?;
    ensure(dns.over_tcp() >= 2, || {
        format!("{} questions over TCP", dns.over_tcp())
    })?;
    ensure(gateway.journal("name_service")?.is_empty(), || {
        "a name was told not to resolve".into()
    })
}
