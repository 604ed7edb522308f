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


def soft(played):
    """A loudspeaker that clips softly."""
    return np.tanh(played * 2.5) / 2.5


def hard(played):
    """An amplifier that runs into its supply, 6 dB under the peaks of speech at -20 dBFS."""
    return np.clip(played, -0.22, 0.22)


def lopsided(played):
    """A loudspeaker whose coil leaves its field on one side."""
    return played - 0.9 * played**2 - 1.2 * played**3


def build(name, kind, rate, far, talk, path, later, seed, clip=None, noise_dbfs=-65):
    count = int(SECONDS * rate)
    t = np.arange(count) / rate
    far = np.where((t >= 24) & (t < 28), 0, far[:count]).astype(np.float32)
    near = np.where(((t >= 12) & (t < 20)) | ((t >= 24) & (t < 28)), talk[:count], 0).astype(np.float32)
    played = clip(far) if clip else far
    echo = fftconvolve(played, path)[:count]
    changed = fftconvolve(played, later)[:count]
    echo[t >= 28] = changed[t >= 28]
    noise = np.random.default_rng(seed).standard_normal(count) * 10 ** (noise_dbfs / 20)
    return Scene(name, kind, rate, far, near, echo.astype(np.float32), noise.astype(np.float32))


def paths(rate):
    """Name, path before and after 28 s, what the loudspeaker does beside it."""
    h, a = speech.hybrid, speech.acoustic
    d2, d3 = h("d2", 6, rate), h("d3", 12, rate)
    room = a(2.5, 12, 64, 6, rate, 3)
    comb = speech.mixed(h("d2", 9, rate), a(4, 10, 60, 12, rate, 5))
    later = speech.mixed(h("d4", 9, rate), a(6, 10, 62, 12, rate, 7))
    pad = np.zeros(rate * 40 // 1000)
    return [
        ("hybrid D.2, ERL 6 dB", d2, d3, None),
        ("hybrid D.3, ERL 12 dB", d3, d2, None),
        ("acoustic 64 ms, 6 dB", room, a(5, 12, 64, 6, rate, 8), None),
        ("hybrid + acoustic", comb, later, None),
        ("hybrid + acoustic, clipped", comb, later, soft),
        ("hybrid + acoustic, +40 ms", np.concatenate([pad, comb]), np.concatenate([pad, later]), None),
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


def held_out_scenes(cache, rate):
    """Scenes that nothing was tuned on: other voices, texts, hybrids, rooms, delays, levels, noise and loudspeakers, drawn by seeds of
    their own."""
    languages = ["pl", "pt", "nl", "uk", "en-gb"]
    voices = ["m4", "f1", "m2", "f3", "m6", "f5", "m7", "f4"]
    out = []
    for index, clip in enumerate([None, None, None, None, None, hard, lopsided, None]):
        draw = np.random.default_rng(7100 + index)
        between = lambda low, high: float(draw.uniform(low, high))
        talker = lambda at, dbfs: speech.at_level(
            speech.espeak_talker(cache, voices[at % 8], languages[at % 5], int(between(30, 70)), SECONDS, rate), rate, dbfs
        )
        paths = []
        for part in range(2):
            line = speech.hybrid(f"d{5 + (index + 2 * part) % 5}", between(6, 16), rate, between(0.5, 4))
            room = speech.acoustic(between(2, 9), between(6, 16), 55, between(8, 20), rate, 7200 + 10 * index + part)
            paths.append([line, room, speech.mixed(line, room)][index % 3])
        pad = np.zeros(int(rate * [0, 0, 0, 0.09, 0, 0, 0, 0.025][index]))
        far, near = talker(3 * index + 1, between(-28, -16)), talker(5 * index + 2, between(-28, -16))
        kind = ["hybrid", "room", "hybrid + room"][index % 3]
        extra = f", {clip.__name__}" if clip else f", +{1000 * len(pad) // rate} ms" if len(pad) else ""
        first, later = (np.concatenate([pad, path]) for path in paths)
        noise = between(-75, -55)
        out.append(build(f"held out {kind}{extra}", "held-out", rate, far, near, first, later, 7300 + index, clip, noise))
    if rate != 8000:
        return out
    people = [("es_MX_f_Allison", "en_US_f_Allison"), ("fr_CA_f_June", "ru_RU_f_IvrvoiceRU"), ("it_IT_m_Carlo", "es_MX_f_Allison")]
    for index, (far, near) in enumerate(people):
        draw = np.random.default_rng(7400 + index)
        line = [speech.hybrid(f"d{5 + index + part}", draw.uniform(6, 16), rate, draw.uniform(0.5, 4)) for part in range(2)]
        room = [speech.acoustic(draw.uniform(2, 9), draw.uniform(6, 16), 55, draw.uniform(8, 20), rate, 7500 + index + 5 * part) for part in range(2)]
        first, later = (speech.mixed(line[part], room[part]) for part in range(2))
        out.append(
            build(
                f"held out people {index + 1}",
                "held-out people",
                rate,
                speech.at_level(speech.prompts(far, rate, SECONDS, 150), rate, draw.uniform(-28, -16)),
                speech.at_level(speech.prompts(near, rate, SECONDS, 220), rate, draw.uniform(-28, -16)),
                first,
                later,
                7600 + index,
                None,
                draw.uniform(-75, -55),
            )
        )
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
