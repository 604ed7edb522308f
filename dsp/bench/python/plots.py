"""Pictures of the echo part."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image


def save(figure, path):
    """Few colours, so that the files stay small."""
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(32, dither=Image.Dither.NONE).save(path, optimize=True)


def smooth_db(x, rate, seconds=0.25):
    size = int(seconds * rate)
    power = np.convolve(np.asarray(x, np.float64) ** 2, np.ones(size) / size, "same")
    return 10 * np.log10(power + 1e-12)


def erle(path, scene, outputs):
    """ERLE over time of several engines; meaningless where the near end talks."""
    rate = scene.rate
    figure, axis = plt.subplots(figsize=(9, 3.6), dpi=80)
    t = np.arange(len(scene.far)) / rate
    step = rate // 20
    mic = smooth_db(scene.mic, rate)
    for name, (out, delay) in outputs.items():
        late = np.concatenate([out[delay:], np.zeros(delay, np.float32)])[: len(mic)]
        cut = mic - smooth_db(late, rate)
        axis.plot(t[::step], cut[::step], label=name, linewidth=1)
    for a, b in ((12, 20), (24, 28)):
        axis.axvspan(a, b, color="0.9")
    axis.axvline(28, color="0.5", linestyle=":")
    axis.set(xlim=(0, 36), ylim=(-5, 70), xlabel="s (grey: near end talks; dotted: another echo path)", ylabel="ERLE, dB", title=scene.name)
    axis.legend(loc="upper right", fontsize=8, ncol=4)
    save(figure, path)


def spectrograms(path, scene, out, delay, start=10.0, end=22.0):
    rate = scene.rate
    a, b = int(start * rate), int(end * rate)
    late = np.concatenate([out[delay:], np.zeros(delay, np.float32)])
    figure, axes = plt.subplots(3, 1, figsize=(9, 6.4), dpi=80, sharex=True)
    rows = [("microphone: echo, from 12 s on with the near end", scene.mic), ("what the phone hears", late), ("the near end alone", scene.near)]
    for axis, (title, samples) in zip(axes, rows):
        axis.specgram(samples[a:b] + 1e-7, NFFT=256, Fs=rate, noverlap=128, vmin=-120, vmax=-40, cmap="magma", xextent=(start, end))
        axis.set(title=title, ylabel="Hz")
    axes[-1].set_xlabel("s")
    save(figure, path)
