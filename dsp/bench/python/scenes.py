"""The echo scenarios of signal-processing facts 2.3: far end only 0-12 s, both 12-20, far only 20-24, near only 24-28, another path from
28, far only 28-36. Far and near end at -20 dBFS, noise of the line at -65 dBFS."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

import speech

SECONDS = 36.0


@dataclass
class Scene:
    name: str
    kind: str
    rate: int
    far: np.ndarray
    near: np.ndarray
    echo: np.ndarray
    noise: np.ndarray

    @property
    def mic(self):
        return (self.echo + self.near + self.noise).astype(np.float32)


def build(name, kind, rate, far, talk, path, later, seed, clip=False):
    count = int(SECONDS * rate)
    t = np.arange(count) / rate
    far = np.where((t >= 24) & (t < 28), 0, far[:count]).astype(np.float32)
    near = np.where(((t >= 12) & (t < 20)) | ((t >= 24) & (t < 28)), talk[:count], 0).astype(np.float32)
    played = np.tanh(far * 2.5) / 2.5 if clip else far
    echo = fftconvolve(played, path)[:count]
    changed = fftconvolve(played, later)[:count]
    echo[t >= 28] = changed[t >= 28]
    noise = np.random.default_rng(seed).standard_normal(count) * 10 ** (-65 / 20)
    return Scene(name, kind, rate, far, near, echo.astype(np.float32), noise.astype(np.float32))


def paths(rate):
    """Name, path before and after 28 s, whether the loudspeaker clips."""
    h, a = speech.hybrid, speech.acoustic
    d2, d3 = h("d2", 6, rate), h("d3", 12, rate)
    room = a(2.5, 12, 64, 6, rate, 3)
    comb = speech.mixed(h("d2", 9, rate), a(4, 10, 60, 12, rate, 5))
    later = speech.mixed(h("d4", 9, rate), a(6, 10, 62, 12, rate, 7))
    pad = np.zeros(rate * 40 // 1000)
    return [
        ("hybrid D.2, ERL 6 dB", d2, d3, False),
        ("hybrid D.3, ERL 12 dB", d3, d2, False),
        ("acoustic 64 ms, 6 dB", room, a(5, 12, 64, 6, rate, 8), False),
        ("hybrid + acoustic", comb, later, False),
        ("hybrid + acoustic, clipped", comb, later, True),
        ("hybrid + acoustic, +40 ms", np.concatenate([pad, comb]), np.concatenate([pad, later]), False),
    ]


def espeak_scenes(cache, rate):
    pairs = [
        (("m3", "en-us", 45), ("f2", "ru", 60)),
        (("f3", "de", 55), ("m1", "en-us", 40)),
        (("m2", "ru", 50), ("f4", "fr", 55)),
        (("f1", "es", 50), ("m4", "de", 45)),
        (("m5", "it", 50), ("f5", "en-us", 55)),
        (("m1", "fr", 40), ("f2", "es", 60)),
    ]
    out = []
    for index, ((name, path, later, clip), (far, near)) in enumerate(zip(paths(rate), pairs)):
        far_talk = speech.espeak_talker(cache, *far, SECONDS, rate)
        near_talk = speech.espeak_talker(cache, *near, SECONDS, rate)
        out.append(build(name, "espeak", rate, far_talk, near_talk, path, later, 100 + index, clip))
    return out


def human_scenes(rate):
    talkers = [
        ("en_US_f_Allison", "ru_RU_f_IvrvoiceRU"),
        ("it_IT_m_Carlo", "fr_CA_f_June"),
        ("ru_RU_f_IvrvoiceRU", "it_IT_m_Carlo"),
    ]
    chosen = [paths(rate)[i] for i in (0, 2, 3)]
    return [
        build(
            name,
            "recordings",
            rate,
            speech.prompts(far, rate, SECONDS, 20),
            speech.prompts(near, rate, SECONDS, 60),
            path,
            later,
            200 + index,
            clip,
        )
        for index, ((name, path, later, clip), (far, near)) in enumerate(zip(chosen, talkers))
    ]
