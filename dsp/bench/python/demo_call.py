"""The demo's WAVs as a listener would judge them: `dsp/bench/compare demo` plays `tools/demo` and measures what the phone heard."""

import subprocess
from pathlib import Path

import numpy as np
from pesq import pesq
from scipy.signal import correlate

import measure
import speech

RATE = 8000


def place(words, heard):
    """Sample at which the words begin."""
    return int(np.argmax(np.abs(correlate(heard.astype(np.float64), words.astype(np.float64), "valid", "fft"))))


def quality(words, heard, at):
    return pesq(RATE, words, heard[at : at + len(words)], "nb")


def clicks(heard, words):
    """Steps between samples that are half again as large as the largest of the words themselves, both at the same level."""
    scale = speech.active_level(heard, RATE) / speech.active_level(words, RATE)
    return int(np.sum(np.abs(np.diff(heard)) > 1.5 * scale * np.abs(np.diff(words)).max()))


def main(root, cache, pictures):
    folder = cache / "demo-call"
    subprocess.run([root / "tools" / "demo", "--json", "--out", folder], check=True, stdout=subprocess.DEVNULL)
    listen(folder, pictures)


def listen(folder, pictures=None):
    read = lambda name: speech.read_wav(folder / f"{name}.wav")[1]
    heard, said, too = read("phone-heard"), read("visitor-says"), read("visitor-says-too")
    resident, resident_too = read("phone-says"), read("phone-says-too")
    first, second = place(said, heard), place(too, heard)
    alone = heard[first + len(said) + RATE // 4 : second - RATE // 4]
    level = lambda x: 20 * np.log10(speech.active_level(x, RATE))
    print("\n## A call of the demo, what the phone heard")
    print(f"echo of the phone's words alone: {measure.power_db(resident) - measure.power_db(alone):.1f} dB down, at {measure.power_db(alone):.1f} dBFS")
    for name, words, at in (("visitor alone", said, first), ("both at once", too, second)):
        part = heard[at : at + len(words)]
        print(
            f"{name:14} PESQ {quality(words, heard, at):.2f}, level {level(part):.1f} dBFS (said at {level(words):.1f}), "
            f"clicks {clicks(part, words)}, clipped samples {int(np.sum(np.abs(part) > 0.98))}"
        )
    street = read("visitor-heard")
    for name, words in (("phone alone", resident), ("both at once", resident_too)):
        at = place(words, street)
        part = street[at : at + len(words)]
        print(
            f"{name:14} at the panel: PESQ {quality(words, street, at):.2f}, level {level(part):.1f} dBFS, "
            f"clicks {clicks(part, words)}, clipped samples {int(np.sum(np.abs(part) > 0.98))}"
        )
    if pictures:
        draw(pictures / "demo-call.png", heard, first, len(said), second, too, resident_too)


def draw(path, heard, first, length, second, too, resident_too):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 1, figsize=(11, 8), constrained_layout=True)
    begin = max(0, first - RATE // 4)
    shown = [
        ("what the phone heard: visitor, phone alone, both at once", heard[begin : second + len(too) + RATE // 4], begin / RATE),
        ("both at once: what the visitor said", too, second / RATE),
        ("both at once: what the phone heard", heard[second : second + len(too)], second / RATE),
    ]
    for axis, (title, samples, start) in zip(axes, shown):
        axis.specgram(samples + 1e-7, NFFT=256, Fs=RATE, noverlap=192, vmin=-120, vmax=-30, xextent=(start, start + len(samples) / RATE))
        axis.set_title(title, fontsize=10)
        axis.set_ylabel("Hz")
    axes[-1].set_xlabel("s in the call")
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    import sys

    listen(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
