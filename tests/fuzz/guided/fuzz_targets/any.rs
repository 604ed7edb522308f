//! One program for every target: `TRUBKA_FUZZ_TARGET` names it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

static TARGET: OnceLock<trubka_fuzz::Target> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("TRUBKA_FUZZ_TARGET").unwrap_or_default();
        trubka_fuzz::find(&name).unwrap_or_else(|| panic!("no target {name:?}"))
    });
    (target.run)(data);
});
