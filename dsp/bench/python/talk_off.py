"""Talk-off: digits found where there are none, ours and spandsp's beside each other on the very same samples.

Hours are counted honestly by kind: `prompts` are Debian's Asterisk prompts of five languages at seven speeds and two levels (2.3 h of distinct
speech), `espeak` is random sentences of sixteen languages, every one distinct, `music` is Debian's music on hold at three speeds and two
levels, `imitating` a synthetic voice whose formants sit on digits, and the rest other voices of that kind (`OTHER_VOICES`). All are A-law
coded. Another seed gives other voices and sentences."""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.signal import lfilter, resample_poly

import speech

RATE = 8000
LANGUAGES = ["en-us", "en-gb", "ru", "de", "fr", "es", "it", "pl", "pt", "nl", "sv", "cs", "ro", "tr", "fi", "hu"]
VARIANTS = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5", "croak", "whisper"]
SYLLABLES = "ba do ke mi nu ra so ti ve la pe ki mo du sa re ni lo ta fe go hu ja li ne po ru si to va zo".split()


def a_law(samples):
    """A-law and back (ITU-T G.711), as 16-bit samples."""
    x = np.clip(samples, -1, 1).astype(np.float64)
    a, magnitude = 87.6, np.abs(x)
    small = magnitude < 1 / a
    code = np.where(small, a * magnitude, 1 + np.log(np.maximum(a * magnitude, 1e-9))) / (1 + np.log(a))
    code = np.round(code * 127) / 127
    back = np.where(code < 1 / (1 + np.log(a)), code * (1 + np.log(a)) / a, np.exp(code * (1 + np.log(a)) - 1) / a)
    return (np.sign(x) * back * 32767).astype("<i2")


def at_dbm0(samples, dbm0):
    return speech.at_level(samples, RATE, dbm0 - 6.15)


def prompts():
    for folder in ["en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU"]:
        parts = []
        for path in sorted((speech.SOUNDS / folder).rglob("*.wav")):
            if any(word in path.name for word in ("beep", "tone", "silence", "ring", "dial", "dtmf")):
                continue
            rate, samples = speech.read_wav(path)
            parts.append(speech.convert(samples, rate, RATE))
        whole = np.concatenate(parts)
        for up, down in [(5, 4), (7, 6), (12, 11), (1, 1), (11, 12), (6, 7), (4, 5)]:
            other = resample_poly(whole, up, down).astype(np.float32)
            for level in (-16, -28):
                yield at_dbm0(other, level)


def espeak(hours, seed=1):
    chance = random.Random(seed)
    words = {language: text.split() for language, text in speech.TEXTS.items()}
    made = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        while made < hours * 3600 * RATE:
            language = chance.choice(LANGUAGES)
            known = words.get(language, words["en-us"])
            text = []
            for _ in range(250):
                if chance.random() < 0.5:
                    text.append(chance.choice(known))
                elif chance.random() < 0.3:
                    text.append(str(chance.randrange(100000)))
                else:
                    text.append("".join(chance.choice(SYLLABLES) for _ in range(chance.randrange(1, 5))))
                if chance.random() < 0.1:
                    text[-1] += "."
            command = ["espeak-ng", "-v", f"{language}+{chance.choice(VARIANTS)}", "-p", str(chance.randrange(5, 95)),
                       "-s", str(chance.randrange(120, 220)), "-w", str(path), " ".join(text)]
            if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
                continue
            rate, samples = speech.read_wav(path)
            samples = speech.convert(samples, rate, RATE)
            made += len(samples)
            yield at_dbm0(samples, chance.choice([-16, -22, -28]))


def music():
    for path in sorted(speech.MUSIC.glob("*.wav")):
        rate, samples = speech.read_wav(path)
        samples = speech.convert(samples, rate, RATE)
        for up, down in [(9, 8), (1, 1), (8, 9)]:
            other = resample_poly(samples, up, down).astype(np.float32)
            for level in (-16, -26):
                yield at_dbm0(other, level)


def imitating(hours, seed=7):
    """Pulses of gliding pitch with vibrato through two narrow formants on the pair of a digit, in syllables."""
    dice = np.random.default_rng(seed)
    low, high = [697, 770, 852, 941], [1209, 1336, 1477, 1633]
    for _ in range(int(hours * 60)):
        parts, made = [], 0
        while made < 60 * RATE:
            count = int(dice.uniform(0.08, 0.6) * RATE)
            t = np.arange(count) / RATE
            start, end = np.exp(dice.uniform(np.log(70), np.log(420), 2))
            pitch = start * (end / start) ** (t / t[-1]) * (1 + dice.uniform(0, 0.03) * np.sin(2 * np.pi * dice.uniform(4, 7) * t))
            phase = np.cumsum(pitch) / RATE
            pulses = np.diff(np.floor(phase), prepend=0) + 0.003 * dice.standard_normal(count)
            out = np.zeros(count)
            for hz in (dice.choice(low), dice.choice(high)):
                hz = hz * (1 + dice.uniform(-0.015, 0.015))
                out += formant(pulses, hz, dice.uniform(30, 90), dice.uniform(-3, 3))
            parts += syllable(out, t, dice, 0.08)
            made += sum(map(len, parts[-2:]))
        yield np.concatenate(parts).astype(np.float32)


def formant(source, hz, bandwidth, db):
    radius = np.exp(-np.pi * bandwidth / RATE)
    out = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2], source)
    return out / (np.sqrt((out**2).mean()) + 1e-9) * 10 ** (db / 20)


def syllable(out, t, dice, rms):
    """The sound with soft edges at its level, and a pause."""
    out = out * np.minimum(1, np.minimum(t, t[::-1]) / 0.008)
    return [out * rms / (np.sqrt((out**2).mean()) + 1e-9), np.zeros(int(dice.uniform(0.03, 0.3) * RATE))]


# Pitch in Hz, share by which it glides, vibrato, error of the formants, their bandwidth in Hz, level, clipped by dB.
OTHER_VOICES = {
    "monotone": ((130, 450), 0.0, 0.004, 0.02, (20, 60), 0.08, None),
    "child": ((250, 900), 0.1, 0.02, 0.024, (30, 90), 0.08, None),
    "glottal": ((80, 420), 0.2, 0.03, 0.02, (30, 90), 0.08, None),
    "quiet": ((70, 420), 0.2, 0.03, 0.015, (30, 90), 0.02, None),
    "clipped": ((70, 420), 0.2, 0.03, 0.015, (30, 90), 0.08, (3, 9)),
}


def other_voice(kind, hours, seed):
    """Voices that imitate digits in other ways. `glottal` has the pulses of a throat that jitter and shimmer, and a third formant."""
    pitches, glide, vibrato, error, bandwidth, rms, clipped = OTHER_VOICES[kind]
    dice = np.random.default_rng(seed)
    low, high = [697, 770, 852, 941], [1209, 1336, 1477, 1633]
    for _ in range(int(hours * 60)):
        parts, made = [], 0
        while made < 60 * RATE:
            count = int(dice.uniform(0.08, 0.6) * RATE)
            t = np.arange(count) / RATE
            start = np.exp(dice.uniform(*np.log(pitches)))
            pitch = start * (1 + dice.uniform(-glide, glide) * t / t[-1])
            pitch *= 1 + dice.uniform(0, vibrato) * np.sin(2 * np.pi * dice.uniform(4, 7) * t)
            if kind == "glottal":
                pitch *= 1 + 0.02 * lfilter([0.1], [1, -0.9], dice.standard_normal(count))
            phase = np.cumsum(pitch) / RATE
            if kind == "glottal":
                at, open_for = phase % 1, dice.uniform(0.4, 0.7)
                rising = 0.5 * (1 - np.cos(np.pi * at / (0.7 * open_for)))
                falling = np.cos(np.pi * (at - 0.7 * open_for) / (0.6 * open_for))
                flow = np.where(at < 0.7 * open_for, rising, np.where(at < open_for, falling, 0))
                shimmer = 1 + 0.25 * lfilter([0.02], [1, -0.98], dice.standard_normal(count))
                source = np.diff(flow, prepend=0) * shimmer + 0.002 * dice.standard_normal(count)
            else:
                source = np.diff(np.floor(phase), prepend=0) + 0.003 * dice.standard_normal(count)
            out = sum(
                formant(source, dice.choice(group) * (1 + dice.uniform(-error, error)), dice.uniform(*bandwidth), dice.uniform(-3, 3))
                for group in (low, high)
            )
            if kind == "glottal":
                out += formant(source, dice.uniform(2200, 3000), 120, dice.uniform(-30, -14))
            sound, pause = syllable(out, t, dice, rms)
            if clipped:
                most = np.abs(sound).max() / 10 ** (dice.uniform(*clipped) / 20)
                sound = np.clip(sound, -most, most)
            parts += [sound, pause]
            made += len(sound) + len(pause)
        yield np.concatenate(parts).astype(np.float32)


def run(name, pieces, engine, anchor, out=sys.stdout):
    """Feeds all detectors; gives hours and hits of each."""
    commands = {
        "dialling": [engine, "dtmf-hits", "dialling"],
        "door": [engine, "dtmf-hits", "door"],
        "spandsp": [anchor, "hits"],
    }
    running = {key: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for key, command in commands.items()}
    count = 0
    for piece in pieces:
        data = a_law(piece)[: len(piece) // 160 * 160].tobytes()
        count += len(data) // 2
        for process in running.values():
            process.stdin.write(data)
    hours = count / RATE / 3600
    hits = {key: int(process.communicate()[0]) for key, process in running.items()}
    rates = "  ".join(f"{key} {found} ({found / hours:.3f}/h)" for key, found in hits.items())
    print(f"talk-off {name:10} {hours:7.2f} h   {rates}", file=out, flush=True)
    return hours, hits


def main(engine, anchor, espeak_hours, imitating_hours, seed):
    run("imitating", imitating(imitating_hours, seed), engine, anchor)
    for kind in OTHER_VOICES:
        run(kind, other_voice(kind, imitating_hours / 4, seed), engine, anchor)
    if espeak_hours <= 0:
        return
    total = [run("prompts", prompts(), engine, anchor), run("music", music(), engine, anchor)]
    total.append(run("espeak", espeak(espeak_hours, seed), engine, anchor))
    hours = sum(hours for hours, _ in total)
    print(f"talk-off speech and music together {hours:.1f} h: " + ", ".join(f"{key} {sum(hits[key] for _, hits in total)}" for key in total[0][1]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
