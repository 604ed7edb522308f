//! Which accounts are at one PBX, and how that PBX is named where there are several.

use crate::host::HostPort;
use crate::model::Account;
use crate::party::At;

/// For each account the first one that is at the same PBX. Accounts that stand in for each other are one PBX to their owner.
pub(crate) fn pbx_of_each(accounts: &[Account]) -> Vec<usize> {
    let mut of: Vec<usize> = (0..accounts.len()).collect();
    let same = |one: usize, other: usize| match (accounts.get(one), accounts.get(other)) {
        (Some(a), Some(b)) => {
            a.registrar == b.registrar
                || a.backup_account == Some(other)
                || b.backup_account == Some(one)
        }
        _ => false,
    };
    for one in 0..accounts.len() {
        for other in 0..one {
            if same(one, other) {
                let (from, to) = (of[one].max(of[other]), of[one].min(of[other]));
                of.iter_mut()
                    .filter(|pbx| **pbx == from)
                    .for_each(|pbx| *pbx = to);
            }
        }
    }
    of
}

/// How the PBX of an account is named where several are configured, in the form in which `200@HOST` names it in lists of callers;
/// `None` where there is but one, or no such account.
pub fn pbx_name(accounts: &[Account], account: usize) -> Option<String> {
    let of = pbx_of_each(accounts);
    if of.iter().all(|pbx| Some(pbx) == of.first()) {
        return None;
    }
    let own = accounts.get(account)?;
    let with_port = |host: &HostPort| HostPort {
        host: host.host.clone(),
        port: Some(host.port.unwrap_or(own.transport.default_port())),
    };
    let without = |host: &HostPort| HostPort {
        host: host.host.clone(),
        port: None,
    };
    let says_which = |host: &HostPort| match At::of(host, accounts) {
        At::Pbx(named) => named.iter().all(|other| {
            let other = accounts.get(*other);
            other.is_some_and(|other| other.registrar == own.registrar)
        }),
        At::AnyPbx | At::Elsewhere(_) => false,
    };
    let names = [
        without(&own.domain),
        without(&own.registrar),
        with_port(&own.domain),
        with_port(&own.registrar),
    ];
    let name = names.iter().find(|name| says_which(name));
    Some(name.unwrap_or(&own.domain).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn names(accounts: &[(&str, &str)]) -> Vec<Option<String>> {
        let mut text = "[sip]\nlisten = \"127.0.0.1:5060\"\n".to_owned();
        for (index, (domain, more)) in accounts.iter().enumerate() {
            text += &format!(
                "[[account]]\nname = \"{index}\"\nextension = \"600\"\ndomain = \"{domain}\"\npassword = \"x\"\n{more}\n"
            );
        }
        let config = crate::Config::parse(&text, "names.toml").unwrap();
        let all = 0..config.accounts.len();
        all.map(|account| pbx_name(&config.accounts, account))
            .collect()
    }

    #[test]
    fn one_pbx_has_no_name_and_several_have_the_shortest_that_tells() {
        let some = |names: &[&str]| -> Vec<Option<String>> {
            names.iter().map(|name| Some((*name).to_owned())).collect()
        };
        assert_eq!(names(&[("a.example", "")]), [None]);
        assert_eq!(names(&[("a.example", ""), ("a.example", "")]), [None, None]);
        let stands_in = [("a.example", ""), ("b.example", "backup_account = \"0\"")];
        assert_eq!(names(&stands_in), [None, None]);
        assert_eq!(
            names(&[("a.example", ""), ("b.example:5070", "")]),
            some(&["a.example", "b.example"])
        );
        // One domain at two servers, and two servers at one host.
        assert_eq!(
            names(&[
                ("a.example", "registrar = \"10.0.0.1\""),
                ("a.example", "registrar = \"10.0.0.2\"")
            ]),
            some(&["10.0.0.1", "10.0.0.2"])
        );
        assert_eq!(
            names(&[("10.0.0.1", ""), ("10.0.0.1:5070", "")]),
            some(&["10.0.0.1:5060", "10.0.0.1:5070"])
        );
        // A third one gives the two that stand in for each other names, too.
        assert_eq!(
            names(&[
                ("a.example", "backup_account = \"1\""),
                ("b.example", ""),
                ("c.example", "")
            ]),
            some(&["a.example", "b.example", "c.example"])
        );
    }
}
