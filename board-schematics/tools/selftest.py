"""Proof that the checks can fail: a broken board must miss."""
import contextlib
import io
import json
import os
import pathlib

import bench
import dc


def miss_with(change, job):
    """Runs a simulation on a changed netlist and says whether it missed a limit."""
    original, results, parameters, tables, seen = bench.board.spice_lines, list(bench.RESULTS), dict(bench.PARAMETERS), dict(bench.TABLES), list(bench.SEEN)
    bench.board.spice_lines = lambda *a, **k: change(original(*a, **k))
    bench.RESULTS.clear()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            job()
        return any(not r[0] for r in bench.RESULTS)
    finally:
        bench.board.spice_lines = original
        bench.RESULTS[:], bench.SEEN[:] = results, seen
        for store, old in ((bench.PARAMETERS, parameters), (bench.TABLES, tables)):
            store.clear()
            store.update(old)


def without_diode(lines):
    """The off-hook branch with a wire in place of its diode."""
    name = next(x.split() for x in lines if x.startswith("XD") and x.endswith("S1M") and "hyb_x" not in x and "pair_load_d1" in x)
    return [f"Rwire {name[1]} {name[2]} 0.1" if x.split()[0] == name[0] else x for x in lines]


def heavy_divider(lines):
    """The line divider ten times too heavy."""
    return [x.rsplit(" ", 1)[0] + " 100k" if x.startswith("R") and " line_p sense_" in f" {x}" and x.endswith("3.3Meg") else x for x in lines]


def main(flag):
    flag("self-test: a branch without its diode is caught", miss_with(without_diode, dc.dead_box))
    flag("self-test: a divider that loads the line is caught", miss_with(heavy_divider, dc.dead_box))
    broken = pathlib.Path(os.environ["TRUBKA_BOARD_BUILD"]) / "erc-broken.json"
    found = sum(len(s["violations"]) for s in json.loads(broken.read_text())["sheets"])
    flag("self-test: the rule check sees a cut wire", found > 0, f"{found} violations")
