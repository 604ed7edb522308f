//! From a line of the configuration to what the line state machine needs.

use config::{Config, Line, Topology};
use line_interface::pulse::PulseProfile;
use line_interface::switch::Switch;
use line_interface::{LinePlan, Profile, RefusedPlan};

/// The plan of a line. `read` gives the text of a profile or switch file that does not ship with
/// the program.
///
/// # Errors
/// [`RefusedPlan`] with the setting at fault.
pub fn line_plan(
    config: &Config,
    line: &Line,
    mut read: impl FnMut(&str) -> std::io::Result<String>,
) -> Result<LinePlan, RefusedPlan> {
    let mut file = |key: &'static str, name: &str| {
        read(name).map_err(|error| RefusedPlan {
            key,
            cause: format!("{name}: {error}"),
            hint: "give the path of a file that the daemon may read, or a built-in name".into(),
        })
    };
    if let Topology::Pulse { addresses } = &line.topology {
        let profile = match PulseProfile::builtin(&line.profile) {
            Some(profile) => profile,
            None => {
                let text = file("line.profile", &line.profile)?;
                PulseProfile::from_toml(&text).map_err(|e| refused("line.profile", &e, e.hint))?
            }
        };
        return Ok(LinePlan::Pulse {
            profile,
            addresses: addresses.clone(),
        });
    }
    let mut profile = match Profile::builtin(&line.profile) {
        Some(profile) => profile,
        None => {
            let text = file("line.profile", &line.profile)?;
            Profile::from_toml(&text).map_err(|e| refused("line.profile", &e, e.hint))?
        }
    };
    let Topology::Matrix(matrix) = &line.topology else {
        return Ok(LinePlan::Pair(profile));
    };
    let switch = match Switch::builtin(&matrix.switch) {
        Some(switch) => switch,
        None => {
            let text = file("line.switch", &matrix.switch)?;
            Switch::from_toml(&text).map_err(|e| refused("line.switch", &e, e.hint))?
        }
    };
    if let Some(side) = matrix.sourced {
        profile.matrix.sourced.value = side;
    }
    let addressing = matrix
        .addressing(switch)
        .map_err(|e| refused("line.modules", &e, e.hint))?;
    let routed = config.routes.iter().map(|route| route.apartment);
    let served = routed
        .filter(|apartment| addressing.apartments().contains(apartment))
        .collect();
    Ok(LinePlan::Matrix {
        profile,
        addressing,
        served,
    })
}

fn refused(key: &'static str, error: &impl std::fmt::Display, hint: &str) -> RefusedPlan {
    RefusedPlan {
        key,
        cause: error.to_string(),
        hint: hint.to_owned(),
    }
}
