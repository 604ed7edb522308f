"""The simulated bench: the exported line card between rails, drives and a panel."""
import os
import pathlib
import random
import re
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import board  # noqa: E402
import spice  # noqa: E402

BUILD = pathlib.Path(os.environ["TRUBKA_BOARD_BUILD"])
PARTS, NETS = board.load(BUILD / "line-card.net")
PANELS = tomllib.loads((HERE / "panels.toml").read_text())
LINE_PAGES = ("pair", "hybrid", "codec", "sense", "pulse", "expanders")

# Every expander output that drives the analog pages, as it is with nothing selected.
QUIET = {"isolate": 0, "onhook_n": 3.3, "onhook_boost_n": 3.3, "offhook_n": 3.3, "residue_n": 3.3,
         "trim0": 3.3, "trim1": 0, "bal0": 0, "bal1": 3.3, "pulse_reset": 0, "expanders_led_line": 0}
RAILS = {"5vl": 5.0, "3v3l": 3.3, "3v3a": 3.3, "v_drv": 5.0, "vref": 4.096}
STATES = {
    "off": {},
    "on-hook": {"isolate": 3.3, "onhook_n": 0},
    "on-hook boost": {"isolate": 3.3, "onhook_n": 0, "onhook_boost_n": 0},
    "off-hook 180": {"isolate": 3.3, "offhook_n": 0, "trim0": 0, "trim1": 0},
    "off-hook 300": {"isolate": 3.3, "offhook_n": 0, "trim0": 3.3, "trim1": 0},
    "off-hook 630": {"isolate": 3.3, "offhook_n": 0, "trim0": 0, "trim1": 3.3},
    "off-hook 760": {"isolate": 3.3, "offhook_n": 0, "trim0": 3.3, "trim1": 3.3},
    "residue": {"isolate": 3.3, "residue_n": 0},
    "full break": {"isolate": 3.3},
}
SEEN = []  # every plot of the line card, for the rating check
RESULTS, PARAMETERS, TABLES = [], {}, {}


def check(name, value, unit, low=None, high=None, digits=3):
    """Records one figure with its limits."""
    ok = (low is None or value >= low) and (high is None or value <= high)
    limit = " and ".join(([f">= {low:g}"] if low is not None else []) + ([f"<= {high:g}"] if high is not None else []))
    RESULTS.append((ok, name, value, unit, limit))
    print(f"{'ok  ' if ok else 'MISS'}  {name}: {value:.{digits}g} {unit}  ({limit})", flush=True)
    return ok


def card(pages=LINE_PAGES, without=()):
    """Elements of the exported netlist, with what stands at its edges."""
    lines = board.spice_lines(BUILD / "line-card.cir", PARTS, pages, without)
    lines += ["vlgnd lgnd 0 0"]
    if "codec" in pages:
        lines += ["rcodec codec_lin lgnd 20k", "rcodecr codec_rin lgnd 20k", "rcodecm codec_micin lgnd 10k", "rcodecv codec_cvmid lgnd 25k"]
    return lines


def powered(drive=None, rails=None):
    """Sources for rails and expander outputs."""
    values = {**QUIET, **(drive or {})}
    return ([f"v_{n} {n} 0 {v}" for n, v in {**RAILS, **(rails or {})}.items()]
            + [f"v_{n} {n} 0 {v}" for n, v in values.items()])


def unpowered():
    """Rails discharged: what hangs on them is a few hundred ohms to ground; the drives float."""
    return [f"r_{n} {n} 0 100" for n in RAILS] + [f"r_{n} {n} 0 10meg" for n in QUIET]


def panel(volts, ohms, cable_ohms=0.0, cable_farads=1e-12, node="line_p", tag=""):
    """A panel's source and the cable. Half the cable resistance lies in each wire; the return
    wire is folded into the upper one because the card floats. Node panel<tag> is what the panel reads."""
    return [f"vp{tag} src{tag} 0 {volts}", f"rs{tag} src{tag} panel{tag} {ohms}", f"rc{tag} panel{tag} {node} {max(cable_ohms, 1e-3)}",
            f"cc{tag} panel{tag} 0 {max(cable_farads, 1e-15)}"]


def handset(node, ohms, tag="h"):
    """An old handset: diode and resistor."""
    return [f"xd{tag} mid{tag} {node} S1M", f"rh{tag} mid{tag} 0 {ohms}"]


def spread(lines, seed):
    """The same elements with every R and C drawn at random inside its tolerance field."""
    draw, out = random.Random(seed), []
    for line in lines:
        words = line.split()
        part = PARTS.get(words[0])
        percent = re.match(r"([0-9.]+)%", part.fields.get("Tolerance", "")) if part else None
        if percent and words[0][0] in "RC":
            factor = 1 + draw.uniform(-1, 1) * float(percent.group(1)) / 100
            words[-1] = f"{{{words[-1]}*{factor:.5f}}}"
        out.append(" ".join(words))
    return out


def alter(values):
    return [f"alter v_{name} dc = {v}" for name, v in values.items()]


def run(elements, control, celsius=25.0, keep=True, options=""):
    plots = spice.run(elements, control, f"temp={celsius} {options}")
    if keep:
        SEEN.extend(plots)
    return plots
