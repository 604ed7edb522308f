//! A technician with a headset.

use std::collections::VecDeque;
use std::time::Duration;

use trubka_gateway::{Gateway, HeadsetMode};

use super::World;

/// What the technician says and hears.
#[derive(Debug, Default)]
pub(crate) struct Headset {
    says: VecDeque<i16>,
    heard: Vec<i16>,
}

impl Headset {
    pub(crate) fn before(&mut self, gateway: &mut Gateway) {
        if gateway.headset_card().is_some() {
            let mut audio = [0; 80];
            audio.fill_with(|| self.says.pop_front().unwrap_or(0));
            gateway.headset_speaks(&audio);
        }
    }

    pub(crate) fn after(&mut self, gateway: &Gateway) {
        if gateway.headset_card().is_some() {
            self.heard.extend(gateway.headset_hears());
        }
    }
}

impl World {
    pub(crate) fn join_headset(&mut self, mode: HeadsetMode, limit: Duration) {
        self.gateway.join_headset(self.now, 0, mode, limit);
        self.collect();
    }

    pub(crate) fn headset_says(&mut self, speech: &[i16]) {
        self.headset.says.extend(speech);
    }

    pub(crate) fn headset_heard(&self) -> &[i16] {
        &self.headset.heard
    }
}
