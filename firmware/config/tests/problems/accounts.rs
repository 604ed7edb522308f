//! Accounts: transports, encryption, proxies, direct calls.

use super::*;

#[test]
fn keys_of_srtp_do_not_travel_in_the_clear_unawares() {
    let with = |more: &str| {
        GOOD.replacen(
            "password = \"geheim\"",
            &format!("password = \"geheim\"\n{more}"),
            1,
        )
    };
    for wish in ["optional", "required"] {
        let found = problems(&with(&format!("media_encryption = \"{wish}\"")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, "account.media_encryption");
        assert_eq!(found[0].kind, ProblemKind::Unwise);
        assert!(found[0].hint.contains("media_encryption_without_tls"));
        let text = with(&format!(
            "media_encryption = \"{wish}\"\nmedia_encryption_without_tls = true"
        ));
        let config = Config::parse(&text, "box.toml").unwrap();
        assert_eq!(config.warnings.len(), 1);
        assert!(
            config.warnings[0].hint.contains("TLS"),
            "{}",
            config.warnings[0]
        );
    }
    assert!(Config::parse(GOOD, "box.toml").unwrap().warnings.is_empty());
    assert!(problems(&with("media_encryption = \"off\"")).is_empty());
}

#[test]
fn suites_of_srtp_have_names() {
    let with = |list: &str| format!("{GOOD}\n[media]\ncrypto_suites = {list}\n");
    for list in ["[]", "[\"AES\"]", "[\"AES_CM_128_HMAC_SHA1_80\", \"f8\"]"] {
        let found = problems(&with(list));
        assert_eq!(found.len(), 1, "{list}");
        assert!(found[0].hint.contains("AES_CM_128_HMAC_SHA1_80"));
    }
    let config = Config::parse(&with("[\"AES_256_CM_HMAC_SHA1_32\"]"), "box.toml").unwrap();
    assert_eq!(config.media.crypto_suites.len(), 1);
}

/// Adds a line below another one of the good file and expects one problem of that kind for that key.
#[track_caller]
fn expect_below(line: &str, added: &str, key: &str, kind: ProblemKind, hint: &str) {
    assert!(GOOD.contains(line), "{line} is not in the good file");
    let found = problems(&GOOD.replacen(line, &format!("{line}\n{added}"), 1));
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{texts:#?}");
    assert_eq!(
        (found[0].key.as_str(), found[0].kind),
        (key, kind),
        "{texts:#?}"
    );
    assert!(found[0].hint.contains(hint), "{texts:#?}");
}

#[test]
fn keys_of_transports_that_do_not_go_together_are_refused() {
    use ProblemKind::{Duplicate, MissingKey, OutOfRange, UnknownReference, WrongType};
    let listen = "listen = \"127.0.0.1:5060\"";
    let domain = "domain = \"192.0.2.10\"";
    for (line, added, key, kind, hint) in [
        (
            listen,
            "tls_listen = \"127.0.0.1:5061\"",
            "sip.tls_listen",
            MissingKey,
            "tls_certificate_file",
        ),
        (
            listen,
            "tls_key_file = \"/k\"",
            "sip.tls_key_file",
            MissingKey,
            "tls_certificate_file",
        ),
        (
            listen,
            "listen_ipv6 = \"127.0.0.2:5060\"",
            "sip.listen_ipv6",
            OutOfRange,
            "[::]:5060",
        ),
        (
            listen,
            "dns_servers = [\"dns.test\"]",
            "sip.dns_servers",
            WrongType,
            "addresses",
        ),
        (
            listen,
            "direct_sources = [\"phone\"]",
            "sip.direct_sources",
            WrongType,
            "addresses",
        ),
        (
            domain,
            "backup_account = \"pbx\"",
            "account.backup_account",
            UnknownReference,
            "pbx",
        ),
        (
            domain,
            "session_expires_s = 30",
            "account.session_expires_s",
            OutOfRange,
            "90..7200",
        ),
        (
            domain,
            "tls_ca_file = \"/ca\"",
            "account.tls_ca_file",
            UnknownReference,
            "transport",
        ),
        (
            domain,
            "backup_proxy_user = \"u\"",
            "account.backup_proxy_user",
            MissingKey,
            "auth_user",
        ),
        (
            domain,
            "outbound_proxy = \"a\"\nregistrar = \"b\"",
            "account.outbound_proxy",
            Duplicate,
            "Route",
        ),
        (
            domain,
            "proxy_password = \"a\"\nproxy_password_file = \"/b\"",
            "account.proxy_password",
            Duplicate,
            "proxy_password_file",
        ),
    ] {
        expect_below(line, added, key, kind, hint);
    }
}

#[test]
fn direct_calls_have_to_be_wanted() {
    let far = GOOD.replacen("guard@192.0.2.10:5070", "guard@192.0.2.77", 1);
    let found = problems(&far);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, ProblemKind::UnroutableTarget);
    assert!(found[0].hint.contains("sip.direct_calls = true"));
    let wanted = far.replacen("[sip]", "[sip]\ndirect_calls = true", 1);
    assert!(Config::parse(&wanted, "box.toml").unwrap().sip.direct_calls);
    // Where calls are forwarded to as well; a name is called through the PBX.
    for (host, wanted_too) in [
        ("192.0.2.66", true),
        ("gate.test", false),
        ("192.0.2.10", false),
    ] {
        let forwards = format!("{GOOD}\n[access]\nforward_hosts = [\"{host}\"]\n");
        let allowed = forwards.replacen("[sip]", "[sip]\ndirect_calls = true", 1);
        assert!(Config::parse(&allowed, "box.toml").is_ok(), "{host}");
        if wanted_too {
            let found = problems(&forwards);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].kind, ProblemKind::UnroutableTarget);
            assert!(found[0].hint.contains("sip.direct_calls = true"));
        } else {
            assert!(Config::parse(&forwards, "box.toml").is_ok(), "{host}");
        }
    }
}

#[test]
fn hosts_of_forwarded_calls_are_compared_as_they_are_written_in_an_address() {
    let listed = |host: &str| {
        let text = format!("{GOOD}\n[access]\nforward_hosts = [\"{host}\"]\n");
        text.replacen("[sip]", "[sip]\ndirect_calls = true", 1)
    };
    for (host, kept) in [("Gate.Test", "gate.test"), ("[2001:DB8::7]", "2001:db8::7")] {
        let config = Config::parse(&listed(host), "box.toml").unwrap();
        assert_eq!(config.access.forward_hosts, [kept]);
    }
    let found = problems(&listed("gate.test:5080"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].hint.contains("leave the port out"));
}

#[test]
fn a_proxy_takes_the_place_of_the_registrar_and_tls_checks_the_domain() {
    let text = GOOD.replacen(
        "domain = \"192.0.2.10\"",
        "domain = \"pbx.test\"\ntransport = \"tls\"\noutbound_proxy = \"edge.test:5061\"\nproxy_user = \"u\"",
        1,
    );
    let config = Config::parse(
        &text.replace("sip:guard@192.0.2.10:5070", "401"),
        "box.toml",
    )
    .unwrap();
    let account = &config.accounts[0];
    assert_eq!(account.registrar.to_string(), "edge.test:5061");
    assert_eq!(account.tls_server_name, "pbx.test");
    assert_eq!(
        account.outbound_proxy.as_ref().unwrap().user.as_deref(),
        Some("u")
    );
}

#[test]
fn a_realm_is_what_stands_between_the_quotes() {
    let with = |realm: &str| {
        let line = format!("password = \"geheim\"\nrealm = {realm}");
        GOOD.replacen("password = \"geheim\"", &line, 1)
    };
    for realm in ["'\"asterisk\"'", "'a\\b'"] {
        let found = problems(&with(realm));
        assert_eq!(found.len(), 1, "{realm}");
        assert_eq!(found[0].key, "account.realm");
        assert!(found[0].hint.contains("without quotes"));
    }
    let config = Config::parse(&with("\"the house\""), "box.toml").unwrap();
    assert_eq!(config.accounts[0].realm.as_deref(), Some("the house"));
}
