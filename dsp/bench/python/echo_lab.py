"""Echo part: scenes to files, engines over them, figures."""

import json
import subprocess
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import measure
import scenes

COLUMNS = ["erle_1s", "erle_3s", "steady", "dt_cut", "near_loss", "dt_pesq", "near_pesq", "after_dt", "change_1s", "change_3s", "delay_ms"]


def prepare(cache, rates=(8000, 16000)):
    """Scenes of every rate, written once."""
    all_scenes = []
    folder = cache / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    for rate in rates:
        found = scenes.espeak_scenes(cache, rate)
        if rate == 8000:
            found += scenes.human_scenes(rate)
        found += scenes.held_out_scenes(cache, rate)
        for index, scene in enumerate(found):
            stem = folder / f"{rate}-{index}"
            scene.far.tofile(f"{stem}.far")
            scene.mic.tofile(f"{stem}.mic")
            all_scenes.append((scene, stem))
    return all_scenes


def run(command, engine, prepared, extra=()):
    """Runs an engine over the scenes; gives per scene its output and its times."""
    jobs = []
    for scene, stem in prepared:
        jobs.append(f"{scene.rate} {stem}.far {stem}.mic {stem}.{engine}")
    done = subprocess.run([*command, engine, *extra], input="\n".join(jobs), text=True, capture_output=True, check=True)
    times = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    outputs = [np.fromfile(f"{stem}.{engine}", np.float32) for _, stem in prepared]
    return outputs, times


def figures(prepared, outputs):
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(measure.measure, [scene for scene, _ in prepared], outputs))


def table(name, prepared, results):
    print(f"\n{name:34}" + "".join(f"{column:>10}" for column in COLUMNS))
    for (scene, _), result in zip(prepared, results):
        print(f"{scene.kind[:4]} {scene.name:29}" + "".join(f"{result[column]:10.2f}" for column in COLUMNS))
    for kind in dict.fromkeys(scene.kind for scene, _ in prepared):
        rows = [r for (scene, _), r in zip(prepared, results) if scene.kind == kind]
        print(f"{'mean ' + kind:34}" + "".join(f"{np.mean([r[c] for r in rows]):10.2f}" for c in COLUMNS))
        print(f"{'worst ' + kind:34}" + "".join(f"{worst(c, [r[c] for r in rows]):10.2f}" for c in COLUMNS))


def worst(column, values):
    return max(values) if column in ("near_loss", "delay_ms") else min(values)
