"""Figures of one run of an echo engine over one scene."""

import numpy as np
from pesq import NoUtterancesError, pesq
from scipy.signal import correlate, stft


def power_db(x):
    return 10 * np.log10(np.mean(np.asarray(x, np.float64) ** 2) + 1e-13)


def delay_of(scene, out):
    """Samples that the output is late, from the near end alone (24 to 28 s)."""
    rate = scene.rate
    a, b = int(24.2 * rate), int(27.8 * rate)
    near, heard = scene.near[a:b].astype(np.float64), out[a:b].astype(np.float64)
    lags = correlate(heard, near, "full", "fft")[len(near) - 1 :][: rate // 10]
    return int(np.argmax(lags))


def quality(scene, out, delay, start, end):
    rate = scene.rate
    a, b = int(start * rate), int(end * rate)
    heard = out[a + delay : b + delay]
    clean = scene.near[a : a + len(heard)]
    try:
        return float(pesq(rate, clean, heard, "nb" if rate == 8000 else "wb"))
    except NoUtterancesError:
        return float("nan")


def double_talk(scene, out, delay, start, end):
    """Cut of the echo and loss of the near end in double talk, dB, 300 to 3400 Hz. The near end's share of the output is what one
    factor for each bin of 31 Hz makes of it, so that a high-pass of an engine is no loss and no echo."""
    rate = scene.rate
    a, b = int(start * rate), int(end * rate)

    def spectra(samples):
        hz, _, bins = stft(samples, rate, nperseg=rate * 32 // 1000, padded=False, boundary=None)
        return bins[(hz >= 300) & (hz <= 3400)]

    near, heard, echo = spectra(scene.near[a:b]), spectra(out[a + delay : b + delay]), spectra(scene.echo[a:b])
    factor = (heard * near.conj()).sum(axis=1) / ((np.abs(near) ** 2).sum(axis=1) + 1e-12)
    kept = factor[:, None] * near
    power = lambda bins: (np.abs(bins) ** 2).sum() + 1e-12
    return 10 * np.log10(power(echo) / power(heard - kept)), 10 * np.log10(power(near) / power(kept))


def measure(scene, out):
    """All figures, dB, ms and PESQ."""
    rate = scene.rate
    out = np.asarray(out, np.float32)[: len(scene.far)]
    delay = delay_of(scene, out)

    def erle(start, end):
        a, b = int(start * rate), int(end * rate)
        return power_db(scene.mic[a:b]) - power_db(out[a + delay : b + delay])

    cut, loss = double_talk(scene, out, delay, 12.5, 19.8)
    return {
        "delay_ms": 1000 * delay / rate,
        "erle_1s": erle(1.0, 1.6),
        "erle_3s": erle(3.0, 4.0),
        "steady": erle(6, 12),
        "dt_cut": cut,
        "near_loss": loss,
        "dt_pesq": quality(scene, out, delay, 12.0, 20.0),
        "near_pesq": quality(scene, out, delay, 24.0, 28.0),
        "after_dt": erle(20.7, 22.0),
        "change_1s": erle(29.0, 29.6),
        "change_3s": erle(31.0, 32.0),
    }
