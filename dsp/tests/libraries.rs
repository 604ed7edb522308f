//! Why two libraries one would reach for first are not used. Each test pins the defect, so that a fixed release shows.

#![allow(missing_docs, clippy::unwrap_used)]

/// goertzel-filter 0.2.0 divides by 2 pi where it should multiply: asked for 770 Hz it does not see a 770 Hz tone
/// (signal-processing facts 1.5).
#[test]
fn goertzel_filter_does_not_see_the_tone_it_is_asked_for() {
    let samples: Vec<f64> = (0..205)
        .map(|n| (std::f64::consts::TAU * 770.0 / 8000.0 * f64::from(n)).sin())
        .collect();
    let exact = (205.0_f64 / 2.0).powi(2);
    for asked in [
        770.0,
        770.0 / 8000.0,
        std::f64::consts::TAU * 770.0 / 8000.0,
    ] {
        let said = goertzel_filter::dft_power(&samples, asked);
        assert!(
            said < exact / 100.0,
            "asked with {asked} it says {said}, exact {exact:.0}: fixed?"
        );
    }
    // Our bank sees it.
    let mut bank = dsp::tone::GoertzelBank::new([770.0; 8]);
    bank.push(&samples.iter().map(|s| *s as f32).collect::<Vec<_>>());
    let (re, im) = bank.finish()[0];
    let power = f64::from(re * re + im * im);
    assert!((power / exact - 1.0).abs() < 0.02, "{power} for {exact}");
}
