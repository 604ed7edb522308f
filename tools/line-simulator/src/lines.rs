//! The lines that the arguments ask for.

use line_interface::DriveSide;
use line_interface::switch::{Addressing, Cell, Switch};
use line_simulation::matrix::{MatrixSetup, MatrixSimulation};
use line_simulation::{
    LineModel, PulseSetup, PulseSimulation, Script, Setup, SetupError, Simulation,
};

use crate::{Args, Failure, Side, Topology};

/// Builds line number `line` with its part of the script.
pub(crate) fn build(
    args: &Args,
    line: usize,
    script: Script,
) -> Result<Box<dyn LineModel>, Failure> {
    let refuse = |e: SetupError| Failure::new(e.to_string(), "see --help for the brands");
    let mut seed = [0; 32];
    if let Some(part) = seed.first_chunk_mut::<8>() {
        *part = args.seed.to_le_bytes();
    }
    if let Some(last) = seed.last_mut() {
        *last = u8::try_from(line).unwrap_or(u8::MAX);
    }
    let rings_ms = args.rings_s.map(|seconds| seconds * 1000);
    let mut model: Box<dyn LineModel> = match args.topology {
        Topology::Pair => {
            let mut setup = Setup::brand(&args.brand).map_err(refuse)?;
            if let Some(ms) = rings_ms {
                setup.panel.ring.limit_ms.value = ms;
            }
            setup.seed = seed;
            if args.seed != 0 {
                setup = setup.spread(seed, 0.1);
            }
            if args.no_handset {
                setup.handset = None;
            }
            Box::new(Simulation::new(setup, script).map_err(refuse)?)
        }
        Topology::Matrix => {
            let addressing = addressing(args)?;
            let mut setup = MatrixSetup::new(&args.brand, addressing).map_err(refuse)?;
            if let Some(ms) = rings_ms {
                setup.panel.ring.limit_ms.value = ms;
            }
            setup.seed = seed;
            setup.side = match args.sourced {
                Side::Tens => DriveSide::Tens,
                Side::Units => DriveSide::Units,
            };
            if args.seed != 0 {
                setup.noise_rms_volts = 0.05;
                setup.hum_volts = 1.0;
            }
            if args.no_handset {
                setup.missing = all_cells(&setup.addressing);
            }
            let sim = MatrixSimulation::new(setup).map_err(refuse)?;
            Box::new(sim.with_script(script))
        }
        Topology::Pulse => {
            let mut setup = PulseSetup::brand(&args.brand).map_err(refuse)?;
            if let Some(ms) = rings_ms {
                setup.ring_limit_ms = ms;
            }
            setup.seed = seed;
            if args.seed != 0 {
                setup.noise_volts = 0.05;
            }
            if !args.no_handset {
                setup.handset_at.clone_from(&args.handset_at);
            }
            let sim = PulseSimulation::new(setup).map_err(refuse)?;
            Box::new(sim.with_script(script))
        }
    };
    if args.record.is_some() {
        model.record();
    }
    Ok(model)
}

fn addressing(args: &Args) -> Result<Addressing, Failure> {
    let switch = match Switch::builtin(&args.switch) {
        Some(switch) => switch,
        None => {
            let text = std::fs::read_to_string(&args.switch).map_err(|e| {
                let names: Vec<&str> = Switch::builtin_names().collect();
                Failure::new(
                    format!("no switch {:?}: {e}", args.switch),
                    format!("one of {}, or a switch file", names.join(", ")),
                )
            })?;
            Switch::from_toml(&text).map_err(|e| Failure::new(e.cause, e.hint))?
        }
    };
    Addressing::new(switch, args.first_apartment, args.absolute)
        .map_err(|e| Failure::new(e.cause, e.hint))
}

fn all_cells(addressing: &Addressing) -> Vec<Cell> {
    addressing
        .apartments()
        .filter_map(|apartment| addressing.cell(apartment))
        .collect()
}
