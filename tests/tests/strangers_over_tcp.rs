//! Connections of strangers are ended at once, whatever they say or keep to themselves, before TLS or a place in the
//! table is spent on them. The account and its PBX notice nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;
use trubka_tests::{Failure, Outcome};

fn connect(gateway: &Gateway) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect((gateway.ip(), 5060))?;
    stream.set_read_timeout(Some(seconds(15.0)))?;
    Ok(stream)
}

/// The other side ends the connection without a word.
fn must_end(mut stream: TcpStream, what: &str) -> Outcome {
    let mut said = Vec::new();
    let ended = stream.read_to_end(&mut said);
    let reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    ensure(ended.as_ref().map_or_else(reset, |_| true), || {
        format!("{what}: still open: {ended:?}")
    })?;
    ensure(said.is_empty(), || {
        format!("{what}: {} bytes came", said.len())
    })
}

#[test]
fn strangers_over_tcp_are_let_go() -> Outcome {
    let pbx = Asterisk::start()?;
    let settings = Settings {
        account: "transport = \"tcp\"".into(),
        ..Settings::new("408", Visit::default())
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;

    let mut speaks = connect(&gateway)?;
    speaks.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n")?;
    must_end(speaks, "a stranger who asks")?;
    // Half a message for ever, and nothing at all.
    let mut half = connect(&gateway)?;
    half.write_all(b"INVITE sip:a SIP/2.0\r\nVia: ")?;
    must_end(half, "half a message")?;
    let silent: Vec<TcpStream> = (0..40)
        .map(|_| connect(&gateway))
        .collect::<Result<_, _>>()?;
    for stream in silent {
        must_end(stream, "a silent one")?;
    }
    gateway.wait_account(words::REGISTERED, seconds(1.0))?;
    let contact = pbx.wait_registered("100", seconds(2.0))?;
    ensure(contact.to_lowercase().contains("tcp"), || contact.clone())
}
