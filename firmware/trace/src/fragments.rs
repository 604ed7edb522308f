//! IP fragments put together again: large INVITEs over UDP come in two.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;

/// Datagrams that wait for more, at most; the oldest is given up.
const MAX_WAITING: usize = 64;
/// Fragments of one datagram, at most.
const MAX_PIECES: usize = 64;
const MAX_BYTES: usize = 65_535;

/// A packet or one fragment of it.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) id: u32,
    pub(crate) protocol: u8,
    /// Where its data belong, in bytes.
    pub(crate) offset: usize,
    /// Whether others follow it.
    pub(crate) more: bool,
    pub(crate) data: &'a [u8],
}

type Key = (IpAddr, IpAddr, u32);

#[derive(Debug)]
struct Waiting {
    key: Key,
    /// Of the first fragment.
    protocol: Option<u8>,
    pieces: Vec<(usize, Vec<u8>)>,
    /// Known once the last fragment is here.
    length: Option<usize>,
}

/// Datagrams of which fragments are missing.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    waiting: VecDeque<Waiting>,
}

impl Fragments {
    /// Protocol and data, at once for a whole packet, else with the fragment that completes it.
    pub(crate) fn whole<'a>(&mut self, piece: Piece<'a>) -> Option<(u8, Cow<'a, [u8]>)> {
        if piece.offset == 0 && !piece.more {
            return Some((piece.protocol, Cow::Borrowed(piece.data)));
        }
        let key = (piece.from, piece.to, piece.id);
        let at = match self.waiting.iter().position(|known| known.key == key) {
            Some(at) => at,
            None => {
                if self.waiting.len() >= MAX_WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(Waiting {
                    key,
                    protocol: None,
                    pieces: Vec::new(),
                    length: None,
                });
                self.waiting.len() - 1
            }
        };
        let waiting = self.waiting.get_mut(at)?;
        let end = piece.offset + piece.data.len();
        if end > MAX_BYTES || waiting.pieces.len() >= MAX_PIECES {
            self.waiting.remove(at);
            return None;
        }
        if piece.offset == 0 {
            waiting.protocol = Some(piece.protocol);
        }
        if !piece.more {
            waiting.length = Some(end);
        }
        if !waiting.pieces.iter().any(|(from, _)| *from == piece.offset) {
            waiting.pieces.push((piece.offset, piece.data.to_vec()));
            waiting.pieces.sort_by_key(|(from, _)| *from);
        }
        let (length, protocol) = (waiting.length?, waiting.protocol?);
        let mut data = Vec::with_capacity(length);
        for (from, bytes) in &waiting.pieces {
            if *from > data.len() {
                return None;
            }
            let known = data.len() - from;
            data.extend_from_slice(bytes.get(known..).unwrap_or(&[]));
        }
        if data.len() < length {
            return None;
        }
        data.truncate(length);
        self.waiting.remove(at);
        Some((protocol, Cow::Owned(data)))
    }
}
