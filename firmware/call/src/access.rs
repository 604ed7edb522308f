//! Who may open which door, and where a call may be sent by others.

use config::{Access, At, HostPort, Party, Route, plain_host};

/// A party that calls in, as the signalling has proven it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Shown and recorded: the extension, or `user@host`.
    name: String,
    /// User part, to the letter.
    user: String,
    place: Place,
}

/// Where a caller is at home.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// An extension of the PBX of one of these accounts, whose call came from there: several where nothing tells them apart.
    Pbx(Vec<usize>),
    /// Whom a PBX passes on, or who calls directly; as [`plain_host`] writes it.
    Host(String),
    /// Nobody can say.
    Nowhere,
}

impl Caller {
    /// An extension of the PBX of an account, from where its call came. With several accounts it may be of any of these PBXs,
    /// and no entry that names but some of them is meant. `pbx` is the name of the PBX where there are several.
    pub fn extension(accounts: &[usize], user: &str, pbx: Option<&str>) -> Caller {
        Caller {
            name: extension_name(user, pbx),
            user: user.to_owned(),
            place: match accounts.is_empty() {
                true => Place::Nowhere,
                false => Place::Pbx(accounts.to_vec()),
            },
        }
    }

    /// Somebody at another host: whom a PBX passes on under that name, or who calls from that address.
    pub fn elsewhere(user: &str, host: &str) -> Caller {
        let host = plain_host(host);
        Caller {
            name: format!("{user}@{host}"),
            user: user.to_owned(),
            place: Place::Host(host),
        }
    }

    /// Somebody whose address names no host; he is on no list.
    pub fn unknown(address: &str) -> Caller {
        Caller {
            name: address.to_owned(),
            user: String::new(),
            place: Place::Nowhere,
        }
    }

    /// One whom the box called through an account: a number, or `sip:user@host[:port]`.
    pub(crate) fn called_at(account: usize, address: &str, pbx: Option<&str>) -> Caller {
        let rest = address.strip_prefix("sip:").unwrap_or(address);
        let caller = match rest.split_once('@') {
            None => Caller::extension(&[account], rest, pbx),
            Some((user, host)) => match HostPort::parse(host) {
                Ok(host) => Caller::elsewhere(user, &host.host),
                Err(_) => Caller::unknown(address),
            },
        };
        Caller {
            name: extension_name(address, pbx),
            ..caller
        }
    }

    /// Name to show and to record.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// User part, to the letter.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The account whose PBX the caller is an extension of.
    pub(crate) fn account(&self) -> Option<usize> {
        match &self.place {
            Place::Pbx(accounts) => accounts.first().copied(),
            Place::Host(_) | Place::Nowhere => None,
        }
    }

    /// Whether an entry of a list names this caller. Users are compared whole and to the letter: `200` is not `200;x` nor
    /// `%32%30%30`.
    pub fn is(&self, party: &Party) -> bool {
        let place = match (&party.at, &self.place) {
            (At::AnyPbx, Place::Pbx(_)) => true,
            (At::Pbx(meant), Place::Pbx(of)) => of.iter().all(|account| meant.contains(account)),
            (At::Elsewhere(host), Place::Host(own)) => host == own,
            _ => false,
        };
        place && party.user == self.user
    }

    /// Whether a list names this caller.
    pub fn is_among(&self, parties: &[Party]) -> bool {
        parties.iter().any(|party| self.is(party))
    }
}

/// An extension, with its PBX where there are several; an address stays as it is.
pub fn extension_name(user: &str, pbx: Option<&str>) -> String {
    match pbx {
        Some(pbx) if !user.contains('@') => format!("{user}@{pbx}"),
        _ => user.to_owned(),
    }
}

/// A party that asks for the door, as the signalling has proven it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener<'a> {
    /// The phone that the box called for this visitor and that answered.
    Called,
    /// A party that called in.
    Caller(&'a Caller),
}

/// Whether the party may open the apartment's door.
pub fn may_open(route: &Route, opener: Opener<'_>) -> bool {
    match opener {
        Opener::Called => route.called_may_open,
        Opener::Caller(caller) => caller.is_among(&route.callers_may_open),
    }
}

/// Whether a redirection or a transfer may lead to `address`, a `sip:` URI as a peer wrote it, and
/// what is called then: the bare number for the account's own PBX, whose hosts are `own_hosts`,
/// else `sip:user@host[:port]`. A host given as an address is called there and not through the PBX,
/// which `direct_calls` has to allow as for any target. Parameters and headers of the address are not taken over: they
/// could lead the call, or its headers, elsewhere.
///
/// # Errors
/// Why not, in words.
pub fn may_forward(
    access: &Access,
    direct_calls: bool,
    own_hosts: &[String],
    address: &str,
) -> Result<String, &'static str> {
    let scheme = address.get(..4).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("sip:") {
        return Err("not a sip: address");
    }
    let rest = address.get(4..).unwrap_or_default();
    let rest = rest.split(['?', ';']).next().unwrap_or_default();
    let (user, host) = rest.split_once('@').ok_or("an address without a number")?;
    config::check_target(user).map_err(|_| "the number holds characters that are not allowed")?;
    let host = HostPort::parse(host).map_err(|_| "not a host name or address")?;
    let allowed = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => user.starts_with(beginning),
        None => pattern == user,
    };
    if !access.forward_targets.iter().any(allowed) {
        return Err("the number is not among access.forward_targets");
    }
    let name = host.host.to_ascii_lowercase();
    if own_hosts.contains(&name) {
        Ok(user.to_owned())
    } else if access.forward_hosts.contains(&name) {
        if host.socket_addr(5060).is_some() && !direct_calls {
            return Err("the host is an address, and direct calls are off (sip.direct_calls)");
        }
        Ok(format!("sip:{user}@{host}"))
    } else {
        Err("the host is not among access.forward_hosts")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn who_was_called_by_a_caller_is_judged_by_where_he_is() {
        let at = |at: At| Party {
            user: "401".to_owned(),
            at,
        };
        let own = [at(At::AnyPbx), at(At::Pbx(vec![0, 2]))];
        let number = Caller::called_at(2, "401", None);
        assert!(own.iter().all(|party| number.is(party)) && number.name() == "401");
        assert!(!number.is(&at(At::Pbx(vec![1]))));
        assert!(!number.is(&at(At::Elsewhere("401".to_owned()))));
        let away = Caller::called_at(2, "sip:401@[2001:DB8::7]:5070", Some("c"));
        assert!(!own.iter().any(|party| away.is(party)));
        assert!(away.is(&at(At::Elsewhere("2001:db8::7".to_owned()))));
        assert_eq!(away.name(), "sip:401@[2001:DB8::7]:5070");
        // Of either of two PBXs: no entry for one of them.
        let either = Caller::extension(&[0, 1], "401", Some("127.0.0.1"));
        assert!(either.is(&at(At::AnyPbx)) && either.is(&at(At::Pbx(vec![0, 1, 2]))));
        assert!(!either.is(&at(At::Pbx(vec![0]))) && !either.is(&at(At::Pbx(vec![1, 2]))));
        assert_eq!(either.name(), "401@127.0.0.1");
        assert_eq!(Caller::called_at(0, "401", Some("a")).name(), "401@a");
        assert!(!Caller::extension(&[], "401", None).is(&at(At::AnyPbx)));
        let unknown = Caller::unknown("tel:401");
        assert!(!own.iter().any(|party| unknown.is(party)));
        assert!(!Caller::extension(&[0], "401;x", None).is(&at(At::AnyPbx)));
    }

    fn access(extra: &str) -> Access {
        let text = format!(
            "[sip]\nlisten = \"127.0.0.1:5060\"\ndirect_calls = true\n\
             [[account]]\nname = \"pbx\"\nextension = \"600\"\ndomain = \"pbx\"\npassword = \"x\"\n\
             [access]\n{extra}"
        );
        config::Config::parse(&text, "access.toml").unwrap().access
    }

    fn forward(access: &Access, address: &str) -> Result<String, &'static str> {
        let own = ["pbx".to_owned(), "192.0.2.1".to_owned()];
        may_forward(access, false, &own, address)
    }

    #[test]
    fn an_address_is_called_directly_only_where_direct_calls_are_on() {
        let access = access("forward_hosts = [\"192.0.2.7\", \"2001:db8::7\"]");
        for address in [
            "sip:401@192.0.2.7",
            "sip:401@192.0.2.7:5080",
            "sip:401@[2001:db8::7]",
        ] {
            let refused = may_forward(&access, false, &[], address);
            assert!(
                refused.is_err_and(|why| why.contains("direct_calls")),
                "{address}"
            );
            let called = may_forward(&access, true, &[], address);
            assert_eq!(called, Ok(address.to_owned()));
            let own = ["192.0.2.7".to_owned(), "2001:db8::7".to_owned()];
            assert_eq!(
                may_forward(&access, false, &own, address),
                Ok("401".to_owned())
            );
        }
    }

    #[test]
    fn calls_go_to_the_own_pbx_and_listed_hosts_only() {
        let access = access("forward_hosts = [\"Gate.example\"]");
        for (address, called) in [
            ("sip:401@pbx", Ok("401")),
            ("SIP:401@PBX:5070;transport=tcp", Ok("401")),
            ("sip:+49170@192.0.2.1?Route=evil", Ok("+49170")),
            ("sip:401@gate.EXAMPLE:5080", Ok("sip:401@gate.EXAMPLE:5080")),
            ("sip:401@evil", Err("forward_hosts")),
            ("sip:401@pbx.evil", Err("forward_hosts")),
            ("sip:401@evil@pbx", Err("host")),
            ("sip:401%40evil@pbx", Err("characters")),
            ("sip:pbx", Err("without a number")),
            ("tel:401", Err("sip:")),
            ("sips:401@pbx", Err("sip:")),
            ("401", Err("sip:")),
            ("sip:401@", Err("host")),
            ("sip:401@pbx\r\nX: y", Err("host")),
            ("", Err("sip:")),
        ] {
            match (forward(&access, address), called) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, wanted, "{address}"),
                (Err(got), Err(part)) => assert!(got.contains(part), "{address}: {got}"),
                (got, _) => panic!("{address}: {got:?}"),
            }
        }
    }

    #[test]
    fn numbers_can_be_limited() {
        let access = access("forward_targets = [\"4*\", \"+49170*\", \"112\"]");
        for (number, allowed) in [
            ("400", true),
            ("4", true),
            ("+491701", true),
            ("112", true),
            ("1120", false),
            ("0900", false),
            ("*", false),
        ] {
            let address = format!("sip:{number}@pbx");
            assert_eq!(forward(&access, &address).is_ok(), allowed, "{number}");
        }
    }
}
