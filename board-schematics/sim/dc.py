"""DC levels in every state at every corner, margins to the panel's bands, unpowered behaviour."""
import itertools

from bench import PANELS, PARAMETERS, PARTS, QUIET, STATES, TABLES, alter, card, check, handset, panel, powered, run, spread, unpowered

GOAL = 0.4
SHUNT = float(next(p.value for p in PARTS.values() if p.sheet == "pair" and sorted(p.pins.values()) == ["LGND", "SNS"]))
CORNERS = list(itertools.product(PANELS["corners"]["source_volts"], PANELS["corners"]["source_ohms"], PANELS["corners"]["cable_ohms"]))
WINDOW = {"on-hook": "on_hook", "on-hook boost": "on_hook", "off-hook 180": "off_hook", "off-hook 300": "off_hook", "off-hook 630": "off_hook",
          "off-hook 760": "off_hook", "residue": "open", "full break": "open"}
# The default of each need, then the settings that may cure a corner, in the order they are tried.
NEEDS = {"on-hook": ["on-hook", "on-hook boost"], "off-hook": ["off-hook 300", "off-hook 180", "off-hook 630", "off-hook 760"],
         "door": ["residue", "full break"]}


def margin(state, volts):
    low, high = PANELS["bands"][WINDOW[state]]
    return min(volts - low, high - volts)


def impossible(corner):
    """True where even a short at the far end of the cable reads above the on-hook band: there no
    handset, old or ours, can be told apart; the panel's own levels or the cable must change."""
    volts, source, cable = corner
    return volts * cable / (source + cable) > PANELS["bands"]["on_hook"][1] - GOAL


def levels(celsius):
    """(state, corner) -> (panel volts, line mA, line volts)."""
    control, keys = [], []
    for corner in CORNERS:
        control += [f"alter vp dc = {corner[0]}", f"alter rs = {corner[1]}", f"alter rc = {max(corner[2], 1e-3)}"]
        for state, drive in STATES.items():
            control += alter({**QUIET, **drive}) + ["op", "WRITE"]
            keys.append((state, corner))
    plots = run(card() + powered() + panel(12, 300) + ["rhs hs_p 0 1g"], control, celsius)
    return {k: (p["panel"][0], 1e3 * p["sns"][0] / SHUNT, p["line_p"][0], p) for k, p in zip(keys, plots)}


def margins():
    found = {t: levels(t) for t in PANELS["corners"]["celsius"]}
    rows, cures = [], []
    worst = {}
    for need, choices in NEEDS.items():
        for corner in CORNERS:
            of = {s: min(margin(s, found[t][s, corner][0]) for t in found) for s in choices}
            best = choices[0] if of[choices[0]] >= GOAL else max(choices, key=lambda s: of[s])
            if impossible(corner) and need != "door" and of[best] < GOAL:
                cures.append((need, corner, of[choices[0]], "none: a short reads on-hook no better", of[best]))
            else:
                if best != choices[0]:
                    cures.append((need, corner, of[choices[0]], best, of[best]))
                worst[need] = min(worst.get(need, 9), of[best])
            volts = {s: [found[t][s, corner][0] for t in found] for s in choices}
            rows.append((need, corner, choices[0], volts[choices[0]], of[choices[0]], best, of[best]))
    for brand in PANELS["brand"]:
        for need in NEEDS:
            check(f"{brand}: {need}, worst margin over the corners a handset can meet, with the listed setting", worst[need], "V", GOAL)
    TABLES["margins"] = (rows, cures)
    typical = levels_at_likely()
    TABLES["typical"] = typical
    PARAMETERS["load"] = {}
    for name, state in [("on_hook", "on-hook"), ("on_hook_boost", "on-hook boost"), ("off_hook_trim0", "off-hook 180"), ("off_hook_trim1", "off-hook 300"),
                        ("off_hook_trim2", "off-hook 630"), ("off_hook_trim3", "off-hook 760"), ("residue", "residue")]:
        points = [(v[state][1], v[state][0]) for v in typical.values()] + [(found[25.0][state, c][1], found[25.0][state, c][2]) for c in CORNERS]
        slope, drop = fit([p for p in points if p[0] < 60])
        PARAMETERS["load"][f"{name}_ohms"] = round(1e3 * slope, 1 if slope < 0.1 else 0)
        PARAMETERS["load"][f"{name}_drop_volts"] = round(drop, 2)
    ma = typical[1]["off-hook 300"][1]
    check("off-hook current at 12 V, 300 Ohm (a handset: 15..25 mA)", ma, "mA", 15, 25)
    leak = max(abs((c[0] - found[t]["off", c][0]) / (c[1])) for t in found for c in CORNERS) * 1e6
    check("powered, all loads off: current taken from the line", leak, "uA", None, 100)
    calibrate(found[25.0])


def levels_at_likely():
    control, keys = [], []
    for i, src in enumerate(PANELS["likely"]):
        control += [f"alter vp dc = {src['volts']}", f"alter rs = {src['ohms']}"]
        for state, drive in STATES.items():
            control += alter({**QUIET, **drive}) + ["op", "WRITE"]
            keys.append((i, state))
    out = {}
    for (i, state), p in zip(keys, run(card() + powered() + panel(12, 300) + ["rhs hs_p 0 1g"], control)):
        out.setdefault(i, {})[state] = (p["line_p"][0], 1e3 * p["sns"][0] / SHUNT)
    return out


def fit(points):
    """Least-squares line through (x, y)."""
    n, sx, sy = len(points), sum(x for x, _ in points), sum(y for _, y in points)
    sxx, sxy = sum(x * x for x, _ in points), sum(x * y for x, y in points)
    slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    return slope, (sy - slope * sx) / n


def calibrate(found):
    """ADC counts from the simulated buffers; the reference of 4.096 V makes one count one millivolt."""
    points = [(p["line_p"][0], 1e3 * p["sense_line_v_adc"][0]) for _v, _i, _l, p in found.values()]
    slope, offset = fit(points)
    worst = max(abs(y - slope * x - offset) for x, y in points)
    current = [(i, 1e3 * p["sense_line_i_adc"][0]) for _v, i, _l, p in found.values() if 1 < i < 90]
    gain, zero = fit(current)
    hs = [(p["hs_p"][0], 1e3 * p["sense_hs_v_adc"][0]) for _v, _i, _l, p in found.values()]
    hs_slope, hs_offset = fit(hs)
    check("line voltage reading: worst departure from the straight line", worst / slope * 1e3, "mV", None, 20)
    PARAMETERS["adc"] = {"chip": "mcp3208", "bits": 12, "reference_volts": 4.096, "line_counts_per_volt": round(slope, 2), "line_zero_counts": round(offset, 1),
                         "handset_counts_per_volt": round(hs_slope, 2), "handset_zero_counts": round(hs_offset, 1),
                         "line_counts_per_milliamp": round(gain, 2), "milliamp_zero_counts": round(zero, 1)}


def tolerance():
    """The tightest corner once more with 1 % parts drawn at random."""
    worst = 9.0
    for seed in range(20):
        control = []
        for corner, state in (((13, 600, 200), "on-hook boost"), ((10, 600, 0), "on-hook"), ((13, 150, 0), "off-hook 180"), ((10, 600, 200), "off-hook 300")):
            control += [f"alter vp dc = {corner[0]}", f"alter rs = {corner[1]}", f"alter rc = {max(corner[2], 1e-3)}"]
            control += alter({**QUIET, **STATES[state]}) + ["op", "WRITE"]
        plots = run(spread(card(), seed) + powered() + panel(12, 300) + ["rhs hs_p 0 1g"], control, -20.0, keep=False)
        worst = min([worst] + [margin(s, p["panel"][0]) for s, p in zip(("on-hook boost", "on-hook", "off-hook 180", "off-hook 300"), plots)])
    check("the four tightest corners with parts drawn inside their tolerance, 20 draws at -20 C", worst, "V", 0.35)


def dead_box():
    """Old handset with the unpowered card beside it, against the same handset alone."""
    worst, reverse = 0.0, 0.0
    for t in PANELS["corners"]["celsius"]:
        loads = sorted({b["handset_on_hook_ohms"] for b in PANELS["brand"].values()} | {PANELS["handset"]["off_hook_ohms"], 9400.0, 1e7})
        elements = (card() + unpowered() + panel(12, 300) + handset("hs_p", 50) + panel(12, 300, node="alone", tag="2") + handset("alone", 50, "h2"))
        control = []
        for c in CORNERS:
            for tag in ("", "2"):
                control += [f"alter vp{tag} dc = {c[0]}", f"alter rs{tag} = {c[1]}", f"alter rc{tag} = {max(c[2], 1e-3)}"]
            for ohms in loads:
                control += [f"alter rhh = {ohms}", f"alter rhh2 = {ohms}", "op", "WRITE"]
        for p in run(elements, control, t):
            worst = max(worst, abs(p["panel"][0] - p["panel2"][0]), abs(p["hs_p"][0] - p["alone"][0]))
        back = ["alter rhh = 1e12"]
        for volts in (-13, -5):
            back += [f"alter vp dc = {volts}", "op", "WRITE"]
        for p in run(elements, back, t):
            reverse = max(reverse, abs(p["src"][0] - p["panel"][0]) / 300 * 1e6)
        live = ["alter rhh = 1e12"]
        for state, drive in STATES.items():
            live += alter({**QUIET, **drive}) + ["alter vp dc = -13", "op", "WRITE"]
        for p in run(card() + powered() + panel(12, 300) + handset("hs_p", 50), live, t):
            reverse = max(reverse, abs(p["src"][0] - p["panel"][0]) / 300 * 1e6)
    check("unpowered: change of any line level, old handset in every state", worst * 1e3, "mV", None, 20)
    check("reverse current at -13 V, unpowered and in every powered state", reverse, "uA", None, 10)


def limits():
    """The limiter: a stiff 24 V on the terminals, and the watchdog's rail gone with a load selected."""
    top, gone = 0.0, 0.0
    for t in PANELS["corners"]["celsius"]:
        control = []
        for state in ("on-hook", "on-hook boost", "off-hook 180", "residue"):
            control += alter({**QUIET, **STATES[state]}) + ["alter v_v_drv dc = 5", "op", "WRITE", "alter v_v_drv dc = 0", "op", "WRITE"]
        plots = run(card() + powered() + panel(13, 10) + ["rhs hs_p 0 1g"], control, t)
        top = max(top, max(1e3 * (p["src"][0] - p["panel"][0]) / 10 for p in plots[::2]))
        gone = max(gone, max(1e6 * (p["src"][0] - p["panel"][0]) / 10 for p in plots[1::2]))
    check("current into any load from a stiff 13 V source", top, "mA", None, 100)
    check("load selected, watchdog rail gone: line current", gone, "uA", None, 1000)
    PARAMETERS["load"]["limit_milliamps_max"] = round(top, 1)


def main():
    margins()
    tolerance()
    dead_box()
    limits()
