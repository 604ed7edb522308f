//! Stands where `opus.rs` stands in builds without the feature `opus`: there is no such encoder or decoder, and the types say so
//! by having no values.

use super::OpusWishes;

/// Whether this build has the codec.
pub(crate) const BUILT: bool = false;

/// No value exists.
#[derive(Debug)]
pub(crate) enum OpusEncoder {}

impl OpusEncoder {
    /// None.
    pub(crate) fn new(_wishes: OpusWishes) -> Option<OpusEncoder> {
        None
    }

    /// Never called.
    pub(crate) fn encode(&mut self, _samples: &[i16], _out: &mut [u8]) -> Option<usize> {
        match *self {}
    }

    /// Never called.
    pub(crate) fn set_loss(&mut self, _share: f32) {
        match *self {}
    }
}

/// No value exists.
#[derive(Debug)]
pub(crate) enum OpusDecoder {}

impl OpusDecoder {
    /// None.
    pub(crate) fn new() -> Option<OpusDecoder> {
        None
    }

    /// Never called.
    pub(crate) fn decode(&mut self, _packet: &[u8], _out: &mut [i16]) -> bool {
        match *self {}
    }

    /// Never called.
    pub(crate) fn bridge(&mut self, _next: &[u8], _out: &mut [i16]) -> bool {
        match *self {}
    }

    /// Never called.
    pub(crate) fn conceal(&mut self, _out: &mut [i16]) -> bool {
        match *self {}
    }
}
