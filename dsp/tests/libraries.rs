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

/// dasp's converters interpolate without a low-pass before they decimate: 5 kHz comes through 48 -> 8 kHz at full level,
/// folded to 3 kHz (signal-processing facts 4). Ours leaves less than a thousandth.
#[test]
fn dasp_folds_what_lies_above_the_band() {
    use dasp_signal::Signal;
    let input: Vec<f32> = (0..48_000)
        .map(|n| (std::f32::consts::TAU * 5000.0 * n as f32 / 48_000.0).sin())
        .collect();
    let rms = |samples: &[f32]| {
        let inner = &samples[200..samples.len() - 200];
        (inner.iter().map(|x| x * x).sum::<f32>() / inner.len() as f32).sqrt()
    };
    let source = dasp_signal::from_iter(input.iter().copied());
    let sinc = dasp_interpolate::sinc::Sinc::new(dasp_ring_buffer::Fixed::from([0.0_f32; 64]));
    let theirs: Vec<f32> = source
        .from_hz_to_hz(sinc, 48_000.0, 8000.0)
        .until_exhausted()
        .collect();
    assert!(rms(&theirs) > 0.5, "{}: fixed?", rms(&theirs));
    let mut resampler = dsp::resample::Resampler::new(48_000, 8000).unwrap();
    let mut ours = vec![0.0; 8000];
    assert_eq!(resampler.process(&input, &mut ours), 8000);
    assert!(rms(&ours) < 0.0007, "{}", rms(&ours));
}
