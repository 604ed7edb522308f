"""Our jitter buffer beside the crate neteq, over the same packets in the same virtual time."""

import json
import os
import subprocess

import numpy as np
from pesq import NoUtterancesError, pesq

import speech
import talk_off

RATE = 8000
SECONDS = 120
# PESQ aligns within a few seconds well; a whole run would be judged by its worst alignment.
PIECE = 8 * RATE


def quality(said, played):
    """Mean PESQ of pieces. It takes stretched time for damage, so it compares the two buffers and nothing else."""
    scores = []
    for start in range(2 * PIECE, len(said) - PIECE, PIECE):
        try:
            scores.append(pesq(RATE, said[start : start + PIECE], played[start : start + PIECE], "nb"))
        except NoUtterancesError:
            continue
    return float(np.mean(scores))


def jitter(cache):
    folder = cache / "jitter"
    folder.mkdir(exist_ok=True)
    said = talk_off.a_law(speech.prompts("en_US_f_Allison", RATE, SECONDS)).astype(np.int16)
    said.tofile(folder / "speech.raw")
    lines = subprocess.run(
        [os.environ["JITTER_ENGINE"], str(folder / "speech.raw"), str(folder)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    runs = [json.loads(line) for line in lines]
    print(f"\n## Jitter buffer, {SECONDS} s, packets of 20 ms; ours / neteq")
    print(f"{'':12}{'held mean':>15}{'p95':>15}{'max':>15}{'made up, %':>17}{'delay, median':>15}{'max':>15}{'PESQ':>15}")
    for ours, other in zip(runs[::2], runs[1::2]):
        cells = [
            f"{ours[key]:{width}.{digits}f}/{other[key]:{6}.{digits}f}"
            for key, width, digits in (
                ("held_mean_ms", 8, 1), ("held_p95_ms", 8, 1), ("held_max_ms", 8, 1),
                ("concealed_percent", 10, 3), ("delay_median_ms", 8, 1), ("delay_max_ms", 8, 1),
            )
        ]
        scores = [quality(said, np.fromfile(folder / f"{ours['network']}-{name}.raw", np.int16)) for name in ("ours", "neteq")]
        print(f"{ours['network']:12}" + "".join(cells) + f"{scores[0]:8.2f}/{scores[1]:6.2f}")
    clean = runs[0]
    print(f"clean stream: {clean['held_max_ms']:.0f} ms held at most (goal 25), {clean['concealed_percent']:.3f} % made up (goal 0)")
