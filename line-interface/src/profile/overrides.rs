//! Values that one apartment may have of its own (line-facts 1.2: the spread between apartments is
//! large enough to need it).

use super::{Figure, Mark, Profile, ProfileError, validate};

/// A value that may differ between the apartments of one panel: what its cable, its handset and the
/// moisture in its wires decide. What the panel decides is the profile's alone.
#[derive(Debug, Clone, Copy)]
pub struct OverrideKey {
    /// Key in an `[[override]]` of the configuration.
    pub name: &'static str,
    /// The figure of the profile, as section and key.
    pub figure: (&'static str, &'static str),
    /// What it is, for people.
    pub doc: &'static str,
    slot: fn(&mut Profile) -> &mut Figure<f32>,
}

macro_rules! key {
    ($name:literal, $section:ident, $key:ident, $doc:literal) => {
        OverrideKey {
            name: $name,
            figure: (stringify!($section), stringify!($key)),
            doc: $doc,
            slot: |profile| &mut profile.$section.$key,
        }
    };
}

/// Every value that an apartment may have of its own.
pub const OVERRIDE_KEYS: [OverrideKey; 12] = [
    key!(
        "idle_max_volts",
        bands,
        idle_max_volts,
        "Up to here the pair is not fed."
    ),
    key!(
        "on_hook_min_volts",
        bands,
        on_hook_min_volts,
        "Lower edge of on-hook."
    ),
    key!(
        "on_hook_max_volts",
        bands,
        on_hook_max_volts,
        "Upper edge of on-hook."
    ),
    key!(
        "off_hook_min_volts",
        bands,
        off_hook_min_volts,
        "Lower edge of off-hook."
    ),
    key!(
        "off_hook_max_volts",
        bands,
        off_hook_max_volts,
        "Upper edge of off-hook."
    ),
    key!(
        "open_min_volts",
        bands,
        open_min_volts,
        "From here on the line is open or the door button is pressed."
    ),
    key!(
        "short_min_milliamps",
        bands,
        short_min_milliamps,
        "From this current on an unfed line is shorted."
    ),
    key!(
        "ring_min_swing_volts",
        ring,
        min_swing_volts,
        "Least swing of the ring signal."
    ),
    key!(
        "leakage_min_volts",
        fault,
        leakage_min_volts,
        "An idle pair from here on leaks."
    ),
    key!(
        "bias_short_max_volts",
        handset,
        bias_short_max_volts,
        "Isolated handset: below this its wires are shorted."
    ),
    key!(
        "bias_on_hook_max_volts",
        handset,
        bias_on_hook_max_volts,
        "Isolated handset: below this it is on its hook."
    ),
    key!(
        "bias_missing_min_volts",
        handset,
        bias_missing_min_volts,
        "Isolated handset: above this there is none."
    ),
];

impl Profile {
    /// The profile with values of one apartment, each marked as measured with `source`. The result
    /// obeys every rule of a profile file.
    ///
    /// # Errors
    /// [`ProfileError`]; a name that is none of [`OVERRIDE_KEYS`] is an unknown key.
    pub fn overridden(&self, values: &[(&str, f32)], source: &str) -> Result<Self, ProfileError> {
        let mut profile = self.clone();
        for (name, value) in values {
            let Some(key) = OVERRIDE_KEYS.iter().find(|key| key.name == *name) else {
                return Err(validate::unknown_override(name));
            };
            *(key.slot)(&mut profile) = Figure {
                value: *value,
                mark: Mark::M,
                source: source.to_owned(),
            };
        }
        validate::check(&profile)?;
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ProfileErrorKind;

    #[test]
    fn every_key_changes_its_own_figure_and_nothing_else() {
        let base = Profile::builtin("vizit").unwrap();
        for key in OVERRIDE_KEYS {
            let mut plain = base.clone();
            // Away from the neighbouring band.
            let step = if key.name.contains("_max_") {
                -0.01
            } else {
                0.01
            };
            let value = (key.slot)(&mut plain).value + step;
            let mut changed = base.overridden(&[(key.name, value)], "measured").unwrap();
            let figure = (key.slot)(&mut changed).clone();
            assert_eq!(
                (figure.value, figure.mark),
                (value, Mark::M),
                "{}",
                key.name
            );
            *(key.slot)(&mut changed) = (key.slot)(&mut plain).clone();
            assert_eq!(changed, base, "{}", key.name);
            // The path is the profile file's.
            let text = Profile::builtin_toml("vizit").unwrap();
            let (section, name) = key.figure;
            let rest = text.split_once(&format!("[{section}]")).unwrap().1;
            let rest = rest.split("\n[").next().unwrap();
            assert!(rest.contains(&format!("\n{name} =")), "{}", key.name);
        }
    }

    #[test]
    fn what_makes_no_profile_is_refused() {
        let base = Profile::builtin("vizit").unwrap();
        for (values, kind) in [
            (
                vec![("on_hook_max_volts", 5.0)],
                ProfileErrorKind::OverlappingBands,
            ),
            (
                vec![("off_hook_min_volts", 4.3)],
                ProfileErrorKind::CloseBands,
            ),
            (vec![("open_min_volts", -1.0)], ProfileErrorKind::OutOfRange),
            (
                vec![("idle_max_volts", f32::NAN)],
                ProfileErrorKind::OutOfRange,
            ),
            (
                vec![("leakage_min_volts", 1.2)],
                ProfileErrorKind::Contradiction,
            ),
            (vec![("lockout_ms", 5.0)], ProfileErrorKind::UnknownKey),
        ] {
            let error = base.overridden(&values, "t").unwrap_err();
            assert_eq!(error.kind, kind, "{values:?}: {error}");
            assert!(!error.hint.is_empty());
        }
        let no_source = base
            .overridden(&[("open_min_volts", 9.3)], " ")
            .unwrap_err();
        assert_eq!(no_source.kind, ProfileErrorKind::NoSource);
    }
}
