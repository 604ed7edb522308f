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

/// Names of everything that a package is built from, itself included; what only its tests and
/// benches use is not in it.
fn built_from(root: &str) -> Result<BTreeSet<String>, Failure> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--offline",
            "--locked",
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
    let names: BTreeMap<String, String> = list(&all["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let normal = |dep: &Value| {
        list(&dep["dep_kinds"])
            .iter()
            .any(|kind| kind["kind"] != "dev")
    };
    let edges: BTreeMap<String, Vec<String>> = list(&all["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let uses = list(&node["deps"]);
            let uses = uses.iter().filter(|dep| normal(dep));
            (
                text(&node["id"]),
                uses.map(|dep| text(&dep["pkg"])).collect(),
            )
        })
        .collect();
    let first = names.iter().find(|(_, name)| *name == root);
    let mut open: Vec<String> = first.map(|(id, _)| id.clone()).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id.clone()) {
            open.extend(edges.get(&id).cloned().unwrap_or_default());
        }
    }
    Ok(seen
        .iter()
        .filter_map(|id| names.get(id).cloned())
        .collect())
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
