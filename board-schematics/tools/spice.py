"""Runs ngspice in batch and reads its raw files."""
import os
import pathlib
import struct
import subprocess
import tempfile

MODELS = pathlib.Path(__file__).resolve().parent.parent / "sim" / "models.lib"
NGSPICE = os.environ.get("NGSPICE", "ngspice").split()


def read_raw(data):
    """Plots of a binary raw file, each a dict of name -> list of float or complex."""
    plots, at = [], 0
    while True:
        mark = data.find(b"Binary:\n", at)
        if mark < 0:
            return plots
        head = data[at:mark].decode("ascii", "replace").splitlines()
        info = dict(h.split(": ", 1) for h in head if ": " in h)
        n_vars, n_points = int(info["No. Variables"]), int(info["No. Points"])
        start = head.index("Variables:") + 1
        names = [h.split("\t")[2].lower() for h in head[start:start + n_vars]]
        is_complex = "complex" in info["Flags"]
        width = n_vars * (2 if is_complex else 1)
        size = 8 * width * n_points
        values = struct.unpack(f"<{width * n_points}d", data[mark + 8:mark + 8 + size])
        plot = {}
        for i, name in enumerate(names):
            if is_complex:
                plot[name] = [complex(r, j) for r, j in zip(values[2 * i::width], values[2 * i + 1::width])]
            else:
                plot[name] = list(values[i::width])
            if name.startswith("v(") and name.endswith(")"):
                plot[name[2:-1]] = plot[name]
        plots.append(plot)
        at = mark + 8 + size


def run(elements, control, options=""):
    """Runs one deck. `control` holds analyses; the word WRITE saves the current plot."""
    with tempfile.TemporaryDirectory(prefix="trubka-spice-") as folder:
        raw = pathlib.Path(folder) / "out.raw"
        body = "\n".join(f"write {raw}" if line.strip() == "WRITE" else line for line in control)
        deck = "\n".join([
            "* line card", f".include {MODELS}", f".options gmin=1e-14 abstol=1e-13 reltol=1e-4 method=gear itl1=500 itl4=100 rshunt=1e12 {options}",
            *elements, ".control", "set filetype=binary", "set appendwrite", body, "quit", ".endc", ".end", ""])
        path = pathlib.Path(folder) / "deck.cir"
        path.write_text(deck)
        done = subprocess.run([*NGSPICE, "-b", str(path)], capture_output=True, text=True, timeout=300)
        if not raw.exists():
            raise RuntimeError(f"ngspice wrote nothing:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        for bad in ("doAnalyses", "aborted", "Error:", "no such", "not available"):
            if bad in done.stdout + done.stderr:
                where = [line for line in (done.stdout + done.stderr).splitlines() if bad in line]
                raise RuntimeError("ngspice: " + "; ".join(where[:5]))
        return read_raw(raw.read_bytes())
