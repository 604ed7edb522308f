//! The levels that a line showed in each of its states.

/// Range of one level.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LevelRange {
    /// Blocks of 10 ms that count.
    pub blocks: u64,
    /// Lowest block.
    pub min_volts: f32,
    /// Highest block.
    pub max_volts: f32,
    sum: f64,
}

impl LevelRange {
    /// Takes a block.
    pub fn add(&mut self, volts: f32) {
        if self.blocks == 0 {
            (self.min_volts, self.max_volts) = (volts, volts);
        }
        self.min_volts = self.min_volts.min(volts);
        self.max_volts = self.max_volts.max(volts);
        self.sum += f64::from(volts);
        self.blocks += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if other.blocks == 0 {
            return;
        }
        if self.blocks == 0 {
            *self = *other;
            return;
        }
        self.min_volts = self.min_volts.min(other.min_volts);
        self.max_volts = self.max_volts.max(other.max_volts);
        self.sum += other.sum;
        self.blocks += other.blocks;
    }

    /// Mean of all blocks, 0 without any.
    #[must_use]
    pub fn mean_volts(&self) -> f32 {
        (self.sum / self.blocks.max(1) as f64) as f32
    }
}

/// Levels by state, and the ring.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LevelBook {
    /// At rest.
    pub idle: LevelRange,
    /// Fed, handset on its hook; in bursts the fed level.
    pub on_hook: LevelRange,
    /// Fed level of ring bursts.
    pub ring: LevelRange,
    /// Handset lifted.
    pub off_hook: LevelRange,
    /// Door button, in a call of the handset.
    pub button: LevelRange,
    /// Open, outside a call.
    pub open: LevelRange,
    /// Ring bursts: frequency, length, pause before; at most 256.
    pub bursts: Vec<(f32, u64, Option<u64>)>,
    /// Swing and fill of the weakest burst block.
    pub weakest_ring: Option<(f32, f32)>,
    /// Mean square of the alternating part at rest and fed: the noise, hum included.
    noise: (f64, u64),
}

/// Bursts kept.
const MAX_BURSTS: usize = 256;

impl LevelBook {
    /// Takes what another recording of the same line showed.
    pub fn merge(&mut self, other: &Self) {
        for (to, from) in [
            (&mut self.idle, &other.idle),
            (&mut self.on_hook, &other.on_hook),
            (&mut self.ring, &other.ring),
            (&mut self.off_hook, &other.off_hook),
            (&mut self.button, &other.button),
            (&mut self.open, &other.open),
        ] {
            to.merge(from);
        }
        for (hz, ms, pause) in &other.bursts {
            self.burst(*hz, *ms, *pause);
        }
        self.weakest_ring = match (self.weakest_ring, other.weakest_ring) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.min(d))),
            (a, b) => a.or(b),
        };
        self.noise.0 += other.noise.0;
        self.noise.1 += other.noise.1;
    }

    pub(crate) fn burst(&mut self, hz: f32, ms: u64, pause: Option<u64>) {
        if self.bursts.len() < MAX_BURSTS {
            self.bursts.push((hz, ms, pause));
        }
    }

    pub(crate) fn noise(&mut self, low: f32, high: f32) {
        let peak = f64::from(high - low) / 2.0;
        self.noise.0 += peak * peak;
        self.noise.1 += 1;
    }

    /// Root mean square over blocks of the peak noise on a steady line, volts.
    #[must_use]
    pub fn noise_volts(&self) -> f32 {
        (self.noise.0 / self.noise.1.max(1) as f64).sqrt() as f32
    }
}
