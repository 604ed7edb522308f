//! Order of servers from DNS records (RFC 2782, RFC 3263 4). The owner of the sockets asks the name
//! service; what follows from the answers is decided here, without I/O.

use crate::Transport;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// Most records looked at; a name server that sends more is not helped by them.
const MAX_RECORDS: usize = 64;

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among records of the same priority.
    pub weight: u16,
    /// Port of the service.
    pub port: u16,
    /// Host name; `.` says that there is no such service.
    pub target: String,
}

/// One NAPTR record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NaptrRecord {
    /// Lower is tried first.
    pub order: u16,
    /// Lower is tried first within an order.
    pub preference: u16,
    /// `s`: the replacement is the name of SRV records.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T` or `SIPS+D2T`.
    pub service: String,
    /// Name to ask for next.
    pub replacement: String,
}

/// Servers in the order in which they are to be tried (RFC 2782): by priority, within one at
/// random by weight. `seed` decides: take it from the system's random source.
pub fn order_srv(records: &[SrvRecord], seed: [u8; 32]) -> Vec<SrvRecord> {
    let mut rng = ChaCha12Rng::from_seed(seed);
    let offered = records.iter().take(MAX_RECORDS);
    let mut rest: Vec<&SrvRecord> = offered.filter(|r| r.target != ".").collect();
    // Records of weight 0 stand first, so that they have a small chance (RFC 2782).
    rest.sort_by_key(|r| (r.priority, r.weight > 0));
    let mut ordered = Vec::with_capacity(rest.len());
    while let Some(priority) = rest.first().map(|r| r.priority) {
        let same = rest.iter().take_while(|r| r.priority == priority);
        let sum: u32 = same.map(|r| u32::from(r.weight)).sum();
        let drawn = rng.next_u32() % (sum + 1);
        let mut running = 0;
        let chosen = rest.iter().position(|r| {
            running += u32::from(r.weight);
            running >= drawn
        });
        ordered.push(rest.remove(chosen.unwrap_or(0)).clone());
    }
    ordered
}

/// Transports and the names of their SRV records, as the domain prefers them (RFC 3263 4.1).
/// Without usable NAPTR records the usual names, in the order of `supported`.
pub fn srv_names(
    domain: &str,
    naptr: &[NaptrRecord],
    supported: &[Transport],
) -> Vec<(Transport, String)> {
    let mut records: Vec<&NaptrRecord> = naptr.iter().take(MAX_RECORDS).collect();
    records.sort_by_key(|r| (r.order, r.preference));
    let usable = |record: &&NaptrRecord| {
        let transport = match record.service.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        let usable = record.flags.eq_ignore_ascii_case("s")
            && supported.contains(&transport)
            && !matches!(record.replacement.as_str(), "" | ".");
        usable.then(|| (transport, record.replacement.clone()))
    };
    let named: Vec<_> = records.iter().filter_map(usable).collect();
    if !named.is_empty() {
        return named;
    }
    let usual = |transport: &Transport| {
        let prefix = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
        };
        (*transport, format!("{prefix}.{domain}"))
    };
    supported.iter().map(usual).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> SrvRecord {
        SrvRecord {
            priority,
            weight,
            port: 5060,
            target: target.into(),
        }
    }

    fn seed(n: u64) -> [u8; 32] {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&n.to_le_bytes());
        seed
    }

    #[test]
    fn priority_decides_and_weight_shares() {
        let records = [
            srv(20, 0, "backup"),
            srv(10, 60, "big"),
            srv(10, 30, "small"),
            srv(10, 0, "rare"),
            srv(5, 1, "."),
        ];
        let mut first = std::collections::BTreeMap::new();
        for n in 0..10_000 {
            let order = order_srv(&records, seed(n));
            assert_eq!(order.len(), 4);
            assert_eq!(order[3].target, "backup");
            *first.entry(order[0].target.clone()).or_insert(0_u32) += 1;
        }
        // 60, 30 and 1 of 91 draws: 6593, 3297, 110.
        assert!((6_400..6_800).contains(&first["big"]), "{first:?}");
        assert!((3_100..3_500).contains(&first["small"]), "{first:?}");
        assert!((60..170).contains(&first["rare"]), "{first:?}");
        assert_eq!(order_srv(&records, seed(1)), order_srv(&records, seed(1)));
    }

    #[test]
    fn extremes_of_records_do_no_harm() {
        assert_eq!(order_srv(&[], seed(1)), []);
        assert_eq!(order_srv(&[srv(0, 0, ".")], seed(1)), []);
        let many = vec![srv(65_535, 65_535, "x"); 1_000];
        assert_eq!(order_srv(&many, seed(1)).len(), MAX_RECORDS);
        let zero = vec![srv(1, 0, "a"), srv(1, 0, "b")];
        assert_eq!(order_srv(&zero, seed(1)).len(), 2);
    }

    #[test]
    fn naptr_chooses_among_what_we_can() {
        let naptr = |order, preference, service: &str, flags: &str| NaptrRecord {
            order,
            preference,
            flags: flags.into(),
            service: service.into(),
            replacement: format!("{service}.example"),
        };
        let records = [
            naptr(50, 50, "SIP+D2U", "s"),
            naptr(10, 20, "SIPS+D2T", "S"),
            naptr(10, 10, "SIP+D2T", "s"),
            naptr(1, 1, "E2U+sip", "u"),
            naptr(1, 1, "SIP+D2U", "u"),
        ];
        let both = [Transport::Udp, Transport::Tcp];
        let found = srv_names("example", &records, &both);
        let tcp = (Transport::Tcp, "SIP+D2T.example".to_owned());
        let udp = (Transport::Udp, "SIP+D2U.example".to_owned());
        assert_eq!(found, [tcp, udp]);
        let found = srv_names("example", &records, &[Transport::Tls]);
        assert_eq!(found, [(Transport::Tls, "SIPS+D2T.example".to_owned())]);
        let usual = srv_names("example", &[], &[Transport::Tls, Transport::Udp]);
        let tls = (Transport::Tls, "_sips._tcp.example".to_owned());
        assert_eq!(
            usual,
            [tls, (Transport::Udp, "_sip._udp.example".to_owned())]
        );
    }
}
