"""Everything that `dsp/bench/compare` prints. See there."""

import argparse
import os
import subprocess
from pathlib import Path

import numpy as np

import demo_call
import echo_lab
import jitter_lab
import measure
import other_labs
import plots
import scenes
import speech
import talk_off

ROWS = [
    ("steady", "ERLE steady, mean", 45, True),
    ("erle_1s", "ERLE after 1 s, mean", 30, True),
    ("change_1s", "ERLE 1 s after another path, mean", 28, True),
    ("dt_pesq", "double-talk PESQ, mean", 3.1, True),
    ("near_loss", "near end lost in double talk, dB", 1.0, False),
    ("delay_ms", "delay, ms", 8, False),
]


def echo(cache, engine, anchors, pictures):
    for rate in (8000, 16000):
        prepared = echo_lab.prepare(cache, (rate,))
        everything, outputs, clocks = {}, {}, {}
        for name, command in [
            ("own-full", engine), ("own-linear", engine), ("speex-full", [str(anchors["echo"])]),
            ("speex-linear", [str(anchors["echo"])]), ("sonora", engine), ("sonora-ns", engine),
        ]:
            outputs[name], times = echo_lab.run(command, name, prepared)
            for _ in range(2):
                again = echo_lab.run(command, name, prepared)[1]
                times = [{key: min(a[key], b[key]) for key in a} for a, b in zip(times, again)]
            everything[name] = echo_lab.figures(prepared, outputs[name])
            clocks[name] = (np.median([t["median_us"] for t in times]), np.median([t["p99_us"] for t in times]))
            echo_lab.table(f"{name}, {rate} Hz", prepared, everything[name])
        kinds = [scene.kind for scene, _ in prepared]
        for kind in dict.fromkeys(kinds):
            print(f"\n## Echo at {rate} Hz, {kind} scenes: figure, and ratio of ours to it")
            print(f"{'':38}{'goal':>8}" + "".join(f"{name:>22}" for name in everything))
            chosen = {name: [r for r, of in zip(results, kinds) if of == kind] for name, results in everything.items()}
            for column, title, goal, _ in ROWS:
                means = {name: np.mean([r[column] for r in results]) for name, results in chosen.items()}
                own = means["own-full"]
                print(f"{title:38}{goal:8}" + "".join(f"{value:14.2f} x{own / value if abs(value) > 0.01 else float('inf'):6.2f}" for value in means.values()))
            for column, title, worst in (("steady", "ERLE steady, worst", min), ("dt_pesq", "double-talk PESQ, worst", min)):
                cells = [worst(r[column] for r in results) for results in chosen.values()]
                print(f"{title:38}{25 if column == 'steady' else 2.5:8}" + "".join(f"{value:14.2f} x{cells[0] / value:6.2f}" for value in cells))
        print(f"{'us per 10 ms, median / p99':38}{17:8}" + "".join(f"{median:14.1f} /{p99:6.1f}" for median, p99 in clocks.values()))
        if rate == 8000 and pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            for index, stem in ((3, "hybrid-acoustic"), (4, "clipped")):
                scene = prepared[index][0]
                chosen = {name: (outputs[name][index], round(everything[name][index]["delay_ms"] * 8)) for name in ("own-full", "speex-full", "sonora")}
                plots.erle(pictures / f"erle-{stem}.png", scene, chosen)
                plots.spectrograms(pictures / f"spectrogram-{stem}.png", scene, *chosen["own-full"])
            scene = prepared[3][0]
            speech.write_wav(cache / "demo-mic.wav", scene.mic, rate)
            speech.write_wav(cache / "demo-phone.wav", outputs["own-full"][3], rate)
            print(f"demo call: {cache}/demo-mic.wav and demo-phone.wav")


def hard(cache, engine, anchors):
    """Cases beside the schedule: far-end narrow band, drifting clocks, a near end 20 dB over the echo, a delay of 180 ms."""
    rate = 8000
    paths = scenes.paths(rate)
    far = speech.espeak_talker(cache, "m3", "en-us", 45, scenes.SECONDS, rate)
    near = speech.espeak_talker(cache, "f2", "ru", 60, scenes.SECONDS, rate)
    comb, later = paths[3][1], paths[3][2]
    cases = []

    def case(name, far, path, later, near=near):
        cases.append(scenes.build(name, "hard", rate, far, near, path, later, 300 + len(cases)))

    tones = far.copy()
    t = np.arange(6 * rate) / rate
    tones[: 6 * rate] = 0.1 * np.sin(2 * np.pi * 425 * t)
    case("425 Hz for 6 s, then speech", tones, comb, comb)
    case("delay of 180 ms", far, np.concatenate([np.zeros(180 * 8), comb]), np.concatenate([np.zeros(180 * 8), later]))
    case("echo 20 dB under the near end", far, comb * 0.1, later * 0.1)
    case("no echo at all", far, comb * 0, comb * 0)
    drift = scenes.build("clocks 50 ppm apart", "hard", rate, far, near, comb, comb, 310)
    place = np.arange(len(far)) * (1 + 50e-6)
    drift.echo = np.interp(place, np.arange(len(far)), drift.echo).astype(np.float32)
    cases.append(drift)
    folder = cache / "hard"
    folder.mkdir(exist_ok=True)
    prepared = []
    for index, scene in enumerate(cases):
        stem = folder / str(index)
        scene.far.tofile(f"{stem}.far")
        scene.mic.tofile(f"{stem}.mic")
        prepared.append((scene, stem))
    print("\n## Echo, hard cases")
    for name, command in [("own-full", engine), ("own-linear", engine), ("speex-full", [str(anchors["echo"])]), ("sonora", engine)]:
        echo_lab.table(name, prepared, echo_lab.figures(prepared, echo_lab.run(command, name, prepared)[0]))


def digits(cache, engine, anchors):
    print("\n## Digits")
    first = next(iter(talk_off.prompts()))[: 120 * 8000]
    data = talk_off.a_law(first).tobytes()
    costs = [
        float(subprocess.run(command, input=data, capture_output=True, check=True).stdout)
        for command in ([*engine, "dtmf-cost", "dialling"], [*engine, "dtmf-cost", "door"], [str(anchors["dtmf"]), "cost"])
    ]
    print(f"cost per 20 ms, least of 50 runs: dialling {costs[0]:.2f} us, door {costs[1]:.2f} us, spandsp {costs[2]:.2f} us, ratio {costs[0] / costs[2]:.2f}")
    other_labs.conditions(engine, str(anchors["dtmf"]), cache)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["echo", "hard", "digits", "talk-off", "noise", "gain", "concealment", "jitter"])
    parser.add_argument("--hours", type=float, default=1.0, help="hours of espeak-ng in talk-off; with 0 only imitating voices")
    parser.add_argument("--imitating", type=float, default=1.0, help="hours of the imitating voice")
    parser.add_argument("--seed", type=int, default=7, help="other voices and sentences in talk-off")
    parser.add_argument("--pictures", type=Path)
    chosen = parser.parse_args()
    cache = Path(os.environ["SOUND_CACHE"])
    engine = [os.environ["SOUND_ENGINE"]]
    anchors = {name: cache / f"{name}_anchor" for name in ("echo", "dtmf", "plc")}
    parts = {
        "echo": lambda: echo(cache, engine, anchors, chosen.pictures),
        "hard": lambda: hard(cache, engine, anchors),
        "digits": lambda: digits(cache, engine, anchors),
        "talk-off": lambda: talk_off.main(engine[0], str(anchors["dtmf"]), chosen.hours, chosen.imitating, chosen.seed),
        "noise": lambda: other_labs.noise(engine, anchors["echo"], cache),
        "gain": lambda: other_labs.gain(engine, cache),
        "demo": lambda: demo_call.main(Path(__file__).parents[3], cache, chosen.pictures),
        "concealment": lambda: other_labs.concealment(engine, str(anchors["plc"]), cache),
        "jitter": lambda: jitter_lab.jitter(cache),
    }
    for part in chosen.parts:
        parts[part]()


if __name__ == "__main__":
    main()
