//! Whom a list of callers names.

use crate::host::HostPort;
use crate::model::Account;

/// One entry of a list of callers (`may_open`, `callers`, `feature_callers`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The user part, to the letter.
    pub user: String,
    /// Where it calls from.
    pub at: At,
}

/// Where a listed caller has to call from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// `200`: an extension of the PBX of any account.
    AnyPbx,
    /// `200@host` with the domain or the server of accounts: an extension of their PBX, whose calls come from there. Indices into
    /// [`crate::Config::accounts`].
    Pbx(Vec<usize>),
    /// `200@host` with any other host: whom a PBX passes on under that name, or who calls directly from that address. Lower case,
    /// addresses in their usual form and without brackets.
    Elsewhere(String),
}

impl Party {
    /// Reads `200`, `200@host` or `sip:200@host`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(
        text: &str,
        accounts: &[Account],
        is_user: impl Fn(&str) -> bool,
    ) -> Result<Party, &'static str> {
        let scheme = text.get(..4).unwrap_or_default();
        let plain = match scheme.eq_ignore_ascii_case("sip:") {
            true => text.get(4..).unwrap_or_default(),
            false => text,
        };
        let (user, host) = match plain.split_once('@') {
            Some((user, host)) => (user, Some(host)),
            None => (plain, None),
        };
        if !is_user(user) {
            return Err("neither an extension nor user@host");
        }
        let at = match host.map(HostPort::parse) {
            None => At::AnyPbx,
            Some(Err(why)) => return Err(why),
            Some(Ok(host)) => match At::of(&host, accounts) {
                At::Elsewhere(_) if host.port.is_some() => {
                    return Err(
                        "no account has that host with that port, and others are told apart by their host alone",
                    );
                }
                at => at,
            },
        };
        let user = user.to_owned();
        Ok(Party { user, at })
    }
}

impl At {
    pub(crate) fn of(host: &HostPort, accounts: &[Account]) -> At {
        let HostPort { host, port } = host;
        let host = plain_host(host);
        let named = |account: &Account| {
            let backup = account.backup_proxy.as_ref().map(|proxy| &proxy.host);
            let usual = account.transport.default_port();
            [&account.domain, &account.registrar]
                .into_iter()
                .chain(backup)
                .any(|own| {
                    let own_port = own.port.unwrap_or(usual);
                    plain_host(&own.host) == host && port.is_none_or(|port| port == own_port)
                })
        };
        let of: Vec<usize> = (0..accounts.len())
            .filter(|index| accounts.get(*index).is_some_and(named))
            .collect();
        match of.is_empty() {
            true => At::Elsewhere(host),
            false => At::Pbx(of),
        }
    }
}

/// A host as hosts are compared: lower case, addresses in their usual form, without brackets or a last dot.
pub fn plain_host(host: &str) -> String {
    let bare = host.trim_matches(['[', ']']);
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Config;

    const TWO: &str = "[sip]\nlisten = \"127.0.0.1:5060\"\n\
        [[account]]\nname = \"a\"\nextension = \"600\"\ndomain = \"A.example\"\nregistrar = \"10.0.0.1:5070\"\npassword = \"x\"\n\
        [[account]]\nname = \"b\"\nextension = \"600\"\ndomain = \"2001:db8::0:2\"\npassword = \"x\"\n\
        [[account]]\nname = \"c\"\nextension = \"601\"\ndomain = \"a.example\"\nregistrar = \"10.0.0.3\"\npassword = \"x\"\n";

    fn accounts() -> Vec<Account> {
        Config::parse(TWO, "two.toml").unwrap().accounts
    }

    #[test]
    fn each_form_names_whom_it_says() {
        let accounts = accounts();
        for (text, at) in [
            ("200", At::AnyPbx),
            ("sip:200", At::AnyPbx),
            ("200@a.EXAMPLE", At::Pbx(vec![0, 2])),
            ("200@a.example.", At::Pbx(vec![0, 2])),
            ("SIP:200@10.0.0.1", At::Pbx(vec![0])),
            ("200@10.0.0.3", At::Pbx(vec![2])),
            ("200@10.0.0.1:5070", At::Pbx(vec![0])),
            ("200@a.example:5060", At::Pbx(vec![0, 2])),
            ("200@[2001:db8::2]:5060", At::Pbx(vec![1])),
            ("200@[2001:DB8:0::2]", At::Pbx(vec![1])),
            ("200@2001:db8::2", At::Pbx(vec![1])),
            ("200@10.0.0.9", At::Elsewhere("10.0.0.9".into())),
            ("200@Guard.Example", At::Elsewhere("guard.example".into())),
        ] {
            let party = Party::parse(text, &accounts, |user| user == "200").unwrap();
            assert_eq!(party.at, at, "{text}");
        }
        for text in [
            "",
            "201",
            "200@",
            "200@a.example:5061",
            "200@10.0.0.9:5060",
            "sips:200@a.example",
            "200@b c",
            "@a.example",
        ] {
            let party = Party::parse(text, &accounts, |user| user == "200");
            assert!(party.is_err(), "{text}");
        }
    }

    /// The causes of warnings about a list, in a file whose second account has `more`.
    fn warned(more: &str, callers: &str) -> Vec<String> {
        let text = format!(
            "[sip]\nlisten = \"127.0.0.1:5060\"\n[access]\ncallers = [{callers}]\n\
             [[account]]\nname = \"a\"\nextension = \"600\"\ndomain = \"a.example\"\npassword = \"x\"\n\
             [[account]]\nname = \"b\"\nextension = \"601\"\npassword = \"x\"\n{more}\n"
        );
        let config = Config::parse(&text, "warned.toml").unwrap();
        let warnings = config.warnings.iter();
        let about = |cause: &&String| cause.contains("every account's PBX");
        warnings
            .map(|one| one.cause.clone())
            .filter(|cause| about(&cause))
            .collect()
    }

    #[test]
    fn an_extension_without_its_pbx_is_told_where_there_are_several() {
        let other = "domain = \"b.example\"";
        assert_eq!(warned(other, "\"200\", \"201@b.example\"").len(), 1);
        assert_eq!(warned(other, "\"200@a.example\"").len(), 0);
        assert_eq!(warned("domain = \"a.example\"", "\"200\"").len(), 0);
        let stands_in = format!("{other}\nbackup_account = \"a\"");
        assert_eq!(warned(&stands_in, "\"200\"").len(), 0);
    }
}
