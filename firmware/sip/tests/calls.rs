//! Calls between two user agents on a good network.

mod common;
use common::*;
use trubka_sip::*;

const A: &str = "127.0.0.2:5060";
const B: &str = "127.0.0.3:5060";

struct Pair {
    net: Network,
    a: UserAgent,
    b: UserAgent,
}

impl Pair {
    fn new() -> Self {
        // Each is the other's PBX, so both are trusted.
        let (a, b) = (agent(A, B, false, 1), agent(B, A, false, 2));
        Self { net: Network::new(1), a, b }
    }

    fn run(&mut self, for_ms: u64) -> (Vec<UaEvent>, Vec<UaEvent>) {
        let end = self.net.now + ms(for_ms);
        self.net.run(end, &mut [(addr(A), &mut self.a), (addr(B), &mut self.b)]);
        (events(&mut self.a), events(&mut self.b))
    }

    /// A calls B, B rings and answers.
    fn talk() -> (Self, CallId, CallId) {
        let mut pair = Self::new();
        let call = pair.a.invite(pair.net.now, 0, call_to("42")).unwrap();
        let (_, b) = pair.run(10);
        let incoming = incoming(&b);
        pair.b.answer(pair.net.now, incoming, b"v=0 b\r\n".to_vec());
        let (a, b) = pair.run(10);
        assert!(matches!(a[0], UaEvent::Answered { .. }), "{a:?}");
        assert_eq!(b, [UaEvent::Confirmed { call: incoming }]);
        (pair, call, incoming)
    }

    fn assert_clean(&mut self) {
        self.run(70_000);
        assert_eq!((self.a.call_count(), self.b.call_count()), (0, 0));
        assert_eq!((self.a.transaction_count(), self.b.transaction_count()), (0, 0));
    }
}

fn incoming(events: &[UaEvent]) -> CallId {
    match events {
        [UaEvent::Incoming { call, .. }] => *call,
        other => panic!("{other:?}"),
    }
}

fn ended(events: &[UaEvent]) -> (Option<u16>, EndedBy) {
    match events {
        [UaEvent::Ended { cause, .. }] => (cause.status, cause.by),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ring_answer_talk_hang_up() {
    let mut pair = Pair::new();
    let call = pair.a.invite(ms(0), 0, call_to("42")).unwrap();
    let (_, b) = pair.run(10);
    let UaEvent::Incoming { call: at_b, account, from, to_user, request_user, source, sdp } = &b[0]
    else {
        panic!("{b:?}")
    };
    assert_eq!(account, &Some(0));
    assert_eq!((from.uri.as_str(), from.user.as_str()), ("sip:42@127.0.0.3", "42"));
    assert_eq!((to_user.as_str(), request_user.as_str()), ("42", "42"));
    assert_eq!(*source, addr(A));
    assert_eq!(sdp.as_deref(), Some(&b"v=0\r\n"[..]));
    pair.b.ring(pair.net.now, *at_b);
    let (a, _) = pair.run(10);
    assert_eq!(a, [UaEvent::Provisional { call, status: 180, sdp: None }]);
    pair.b.answer(pair.net.now, *at_b, b"v=0 b\r\n".to_vec());
    let (a, b) = pair.run(10);
    let UaEvent::Answered { sdp, .. } = &a[0] else { panic!("{a:?}") };
    assert_eq!(sdp.as_deref(), Some(&b"v=0 b\r\n"[..]));
    assert_eq!(b, [UaEvent::Confirmed { call: *at_b }]);
    pair.a.hang_up(pair.net.now, call, Some("Q.850;cause=16;text=\"door opened\""));
    let (a, b) = pair.run(10);
    assert_eq!(ended(&a), (None, EndedBy::Local));
    assert_eq!(ended(&b), (None, EndedBy::Remote));
    let UaEvent::Ended { cause, .. } = &b[0] else { unreachable!() };
    assert_eq!(cause.reason, "door opened");
    pair.assert_clean();
}

#[test]
fn the_called_side_hangs_up() {
    let (mut pair, _, at_b) = Pair::talk();
    pair.b.hang_up(pair.net.now, at_b, None);
    let (a, b) = pair.run(10);
    assert_eq!((ended(&a).1, ended(&b).1), (EndedBy::Remote, EndedBy::Local));
    pair.assert_clean();
}
