//! From a line of the configuration to what the line state machine needs.

use config::{Config, Line, Matrix, Problem, ProblemKind, Topology};
use line_interface::pulse::PulseProfile;
use line_interface::switch::Switch;
use line_interface::{LinePlan, Profile};

/// The plan of a line. `read` gives the text of a profile or switch file that does not ship with
/// the program.
///
/// # Errors
/// The problem with the setting at fault.
pub fn line_plan(
    config: &Config,
    line: &Line,
    read: impl Fn(&str) -> std::io::Result<String>,
) -> Result<LinePlan, Problem> {
    let file = |key: &str, name: &str| {
        read(name).map_err(|error| Problem {
            kind: ProblemKind::Unreadable,
            ..problem(
                key,
                name,
                error.to_string(),
                "give a built-in name, or the path of a file that the daemon may read",
            )
        })
    };
    let coordinate = || match Profile::builtin(&line.profile) {
        Some(profile) => Ok(profile),
        None => Profile::from_toml(&file("profile", &line.profile)?)
            .map_err(|e| problem("profile", &line.profile, e.to_string(), e.hint)),
    };
    let own = |apartments: &mut dyn Iterator<Item = u16>, base: &Profile| {
        apartments
            .filter(|apartment| config.override_of(*apartment).is_some())
            .map(|apartment| Ok((apartment, config.profile_for(apartment, base)?)))
            .collect::<Result<Vec<_>, Problem>>()
    };
    match &line.topology {
        Topology::Pair { apartment } => Ok(config.profile_for(*apartment, &coordinate()?)?.into()),
        Topology::Pulse { addresses } => {
            let profile = match PulseProfile::builtin(&line.profile) {
                Some(profile) => profile,
                None => PulseProfile::from_toml(&file("profile", &line.profile)?)
                    .map_err(|e| problem("profile", &line.profile, e.to_string(), e.hint))?,
            };
            let mut apartments = addresses.iter().map(|(_, apartment)| *apartment);
            Ok(LinePlan::Pulse {
                own: own(&mut apartments, &profile.line())?,
                addresses: addresses.clone(),
                profile,
            })
        }
        Topology::Matrix(matrix) => {
            let mut profile = coordinate()?;
            if let Some(side) = matrix.sourced {
                profile.matrix.sourced.value = side;
            }
            let addressing = matrix
                .addressing(switch(matrix, file)?)
                .map_err(|e| problem("switch", &line.name, e.cause, e.hint))?;
            let routed = config.routes.iter().map(|route| route.apartment);
            let served: Vec<u16> = routed
                .filter(|apartment| addressing.apartments().contains(apartment))
                .collect();
            Ok(LinePlan::Matrix {
                own: own(&mut served.iter().copied(), &profile)?,
                profile,
                addressing: Box::new(addressing),
                served,
            })
        }
    }
}

fn switch(
    matrix: &Matrix,
    file: impl Fn(&str, &str) -> Result<String, Problem>,
) -> Result<Switch, Problem> {
    match Switch::builtin(&matrix.switch) {
        Some(switch) => Ok(switch),
        None => Switch::from_toml(&file("switch", &matrix.switch)?)
            .map_err(|e| problem("switch", &matrix.switch, e.to_string(), e.hint)),
    }
}

fn problem(key: &str, file: &str, cause: String, hint: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 0,
        key: format!("line.{key}"),
        kind: ProblemKind::OutOfRange,
        cause,
        hint: hint.to_owned(),
    }
}
