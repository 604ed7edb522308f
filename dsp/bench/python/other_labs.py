"""Digits under bad conditions, lost packets, noise, automatic gain: ours beside the anchors."""

import json
import subprocess

import numpy as np
from pesq import pesq
from scipy.signal import lfilter

import speech
import talk_off

RATE = 8000
LOW, HIGH, KEYS = [697, 770, 852, 941], [1209, 1336, 1477, 1633], "123A456B789C*0#D"
ERASED = -32768


def dbm0(level):
    """Peak of a sine at this level, full scale 1."""
    return 10 ** ((level - 3.14) / 20)


def digit(index, ms, level, dice):
    t = np.arange(int(ms * 8)) / RATE
    low, high = LOW[index // 4], HIGH[index % 4]
    phases = dice.uniform(0, 2 * np.pi, 2)
    return dbm0(level) * (np.sin(2 * np.pi * low * t + phases[0]) + np.sin(2 * np.pi * high * t + phases[1]))


def digits_of(command, samples):
    return int(subprocess.run(command, input=samples.astype("<i2").tobytes(), capture_output=True, check=True).stdout)


def conditions(engine, anchor, cache):
    """Single digits of 70 ms found once, of 100, and how many were found twice."""
    dice = np.random.default_rng(3)
    voice = speech.prompts("en_US_f_Allison", RATE, 120) * 10 ** (-9 / 20)

    def add(kind, x):
        t = np.arange(len(x)) / RATE
        if kind == "hum -13 dBm0":
            return x + dbm0(-13) * np.sin(2 * np.pi * 50 * t + dice.uniform(0, 6))
        if kind == "offset 10 %":
            return x + 0.1
        if kind == "425 Hz at -20 dBm0":
            return x + dbm0(-20) * np.sin(2 * np.pi * 425 * t)
        if kind == "speech at -26 dBm0 under it":
            at = dice.integers(0, len(voice) - len(x))
            return x + voice[at : at + len(x)] * 0.4
        if kind == "clipped by 6 dB":
            peak = 2 * dbm0(-13) / 2
            return np.clip(x, -peak, peak)
        return x

    kinds = ["clean", "hum -13 dBm0", "offset 10 %", "425 Hz at -20 dBm0", "speech at -26 dBm0 under it", "clipped by 6 dB", "20 ms lost of 100"]
    print(f"\n{'digits of 70 ms at -13 dBm0':34}{'own dialling':>16}{'own door':>16}{'spandsp':>16}   found once % / twice %")
    for kind in kinds:
        counts = {name: [0, 0] for name in ("dialling", "door", "spandsp")}
        for trial in range(100):
            ms = 100 if "lost" in kind else 70
            x = np.concatenate([np.zeros(3200), digit(trial % 16, ms, -13, dice), np.zeros(1600 + int(dice.integers(0, 160)))])
            coded = talk_off.a_law(add(kind, x)).astype(np.int32)
            coded = coded[: len(coded) // 160 * 160]
            told = coded.copy()
            if "lost" in kind:
                # A packet well inside the digit.
                first = 3200 // 160 + 1 + int(dice.integers(0, 3))
                told[first * 160 : first * 160 + 160] = ERASED
                coded[first * 160 : first * 160 + 160] = 0
            for name, command, samples in [
                ("dialling", [*engine, "dtmf-hits", "dialling"], told),
                ("door", [*engine, "dtmf-hits", "door"], told),
                ("spandsp", [anchor, "hits"], coded),
            ]:
                found = digits_of(command, samples)
                counts[name][0] += found == 1
                counts[name][1] += found > 1
        print(f"{kind:34}" + "".join(f"{once:>10} / {twice:<3}" for once, twice in counts.values()))


def patterns():
    dice = np.random.default_rng(5)

    def bursts(count):
        out, bad = np.zeros(count, np.uint8), False
        for i in range(count):
            bad = dice.random() < (0.6 if bad else 0.0158)
            out[i] = bad
        return out

    count = 6000
    for loss in (0.014, 0.045, 0.098):
        yield f"random {100 * loss:.1f} %", (dice.random(count) < loss).astype(np.uint8)
    yield "bursts of 2.5, 3.8 %", bursts(count)


def repeat(samples, lost):
    out, last = samples.copy(), np.zeros(160, np.int16)
    for i, gone in enumerate(lost[: len(samples) // 160]):
        at = slice(i * 160, i * 160 + 160)
        if gone:
            last = (last * 0.7).astype(np.int16)
            out[at] = last
        else:
            last = out[at].copy()
    return out


def concealment(engine, anchor, cache):
    """PESQ over five speakers, 24 s each."""
    folders = ["en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU"]
    clean = [talk_off.a_law(speech.prompts(folder, RATE, 24)).astype(np.int16) for folder in folders]
    clean = [x[: len(x) // 160 * 160] for x in clean]
    folder = cache / "plc"
    folder.mkdir(exist_ok=True)
    results = {}
    print(f"\n{'concealment, PESQ':34}{'zeros':>10}{'repeat':>10}{'spandsp':>10}{'own':>10}{'own/best':>10}")
    for name, pattern in patterns():
        scores = {key: [] for key in ("zeros", "repeat", "spandsp", "own")}
        for index, x in enumerate(clean):
            lost = np.roll(pattern, 1201 * index)[: len(x) // 160].copy()
            lost[:20] = 0
            x.tofile(folder / "in")
            lost.tofile(folder / "lost")
            outputs = {"zeros": np.where(np.repeat(lost, 160) == 1, 0, x).astype(np.int16), "repeat": repeat(x, lost)}
            for key, command in [("spandsp", [anchor]), ("own", [*engine, "own-plc"])]:
                job = f"{folder}/in {folder}/lost {folder}/out"
                subprocess.run(command, input=job, text=True, check=True)
                outputs[key] = np.fromfile(folder / "out", np.int16)
            for key, out in outputs.items():
                scores[key].append(pesq(RATE, x, out[: len(x)], "nb"))
        means = {key: float(np.mean(values)) for key, values in scores.items()}
        best = max(value for key, value in means.items() if key != "own")
        results[name] = means
        print(f"{name:34}" + "".join(f"{value:10.3f}" for value in means.values()) + f"{means['own'] / best:10.3f}")
    return results


def noises(count, dice):
    white = dice.standard_normal(count)
    t = np.arange(count) / RATE
    yield "white", white
    yield "pink", lfilter([0.049922035, -0.095993537, 0.050612699, -0.004408786], [1, -2.494956002, 2.017265875, -0.522189400], white)
    yield "hum", sum(np.sin(2 * np.pi * 50 * k * t + k) / k for k in range(1, 8))
    swell = 1 + 0.7 * np.sin(2 * np.pi * 0.3 * t)
    yield "street", swell * lfilter([1], [1, -0.9], white)


def noise(engine, anchor, cache):
    """PESQ of speech in noise, and how far the noise alone goes down."""
    dice = np.random.default_rng(9)
    clean = np.concatenate([np.zeros(2 * RATE), speech.prompts("en_US_f_Allison", RATE, 10), np.zeros(RATE), speech.prompts("it_IT_m_Carlo", RATE, 10)]).astype(np.float32)
    print(f"\n{'noise suppression':34}{'before':>10}{'speex':>10}{'own':>10}   PESQ; noise down by: speex, own dB; us: speex, own")
    for kind, noise in noises(len(clean), dice):
        for snr in (5, 15):
            scaled = noise / np.sqrt((noise**2).mean()) * 0.1 * 10 ** (-snr / 20)
            noisy = (clean + scaled).astype(np.float32)
            noisy.tofile(cache / "noisy")
            row, down, times = [pesq(RATE, clean, noisy, "nb")], [], []
            for command in ([str(anchor), "speex-noise"], [*engine, "own-noise"]):
                job = f"8000 {cache}/noisy {cache}/noisy {cache}/quiet"
                done = subprocess.run(command, input=job, text=True, capture_output=True, check=True)
                out = np.fromfile(cache / "quiet", np.float32)
                delay = 80 if "speex" in command[1] else 56
                out = np.concatenate([out[delay:], np.zeros(delay, np.float32)])
                row.append(pesq(RATE, clean, out, "nb"))
                a = slice(int(1.3 * RATE), int(1.9 * RATE))
                down.append(10 * np.log10((noisy[a] ** 2).mean() / (out[a] ** 2).mean()))
                times.append(json.loads(done.stdout)["median_us"])
            print(f"{kind + f', {snr} dB':34}" + "".join(f"{value:10.2f}" for value in row)
                  + f"   {down[0]:.1f}, {down[1]:.1f} dB; {times[0]:.1f}, {times[1]:.1f} us")


def gain(engine, cache):
    """Level of speech after 20 s of automatic gain, dBFS, and the cost of the whole chain, both directions."""
    print(f"\n{'automatic gain, input dBFS':34}{'after 20 s':>12}{'gain dB':>10}")
    talk = speech.prompts("en_US_f_Allison", RATE, 26)
    np.zeros(len(talk), np.float32).tofile(cache / "silent")
    for level in (-45, -35, -25, -15):
        speech.at_level(talk, RATE, level).tofile(cache / "talk")
        job = f"8000 {cache}/silent {cache}/talk {cache}/levelled"
        done = subprocess.run([*engine, "own-chain"], input=job, text=True, capture_output=True, check=True)
        out = np.fromfile(cache / "levelled", np.float32)[20 * RATE :]
        print(f"{level:<34}{20 * np.log10(speech.active_level(out, RATE)):12.1f}{json.loads(done.stdout)['agc_db']:10.1f}   peak {np.abs(out).max():.2f}")
