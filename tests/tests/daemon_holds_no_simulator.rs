//! The daemon reads its lines from the wires only: no simulator, no phone of ours and no test peer is in
//! its dependency tree, whatever features are on.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use trubka_tests::failure::{Doing, ensure};
use trubka_tests::{Failure, Outcome};

/// Packages that may never be part of the daemon, by name.
const STRANGERS: [&str; 5] = [
    "line-simulation",
    "line-simulator",
    "phone",
    "peers",
    "trubka-tests",
];

/// Names of everything that a package is built from, itself included, as far as packages of this
/// workspace declare it; what only its tests and benches use is not in it. Optional ones count.
/// The manifests alone are asked, so that nothing has to be fetched for other systems.
fn built_from(root: &str) -> Result<BTreeSet<String>, Failure> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .doing(|| "running cargo metadata".into())?;
    ensure(output.status.success(), || {
        String::from_utf8_lossy(&output.stderr).into_owned()
    })?;
    let all: Value =
        serde_json::from_slice(&output.stdout).doing(|| "reading cargo metadata".into())?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let uses: BTreeMap<String, Vec<String>> = list(&all["packages"])
        .iter()
        .map(|package| {
            let declared = list(&package["dependencies"]);
            let built = declared.iter().filter(|dep| dep["kind"] != "dev");
            (
                text(&package["name"]),
                built.map(|dep| text(&dep["name"])).collect(),
            )
        })
        .collect();
    let mut open = vec![root.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name.clone()) {
            open.extend(uses.get(&name).cloned().unwrap_or_default());
        }
    }
    Ok(seen)
}

#[test]
fn the_daemon_holds_no_simulator() -> Outcome {
    let daemon = built_from("trubkad")?;
    // The tree was read: it has what the daemon is made of.
    for own in ["trubka-gateway", "line-interface", "trubka-sip", "tokio"] {
        ensure(daemon.contains(own), || {
            format!("{own} is missing in {daemon:?}")
        })?;
    }
    for stranger in STRANGERS {
        ensure(!daemon.contains(stranger), || {
            format!("trubkad is built from {stranger}")
        })?;
    }
    // And the reading tells a tree that does hold one.
    let simulator = built_from("line-simulator")?;
    ensure(simulator.contains("line-simulation"), || {
        format!("{simulator:?}")
    })
}
