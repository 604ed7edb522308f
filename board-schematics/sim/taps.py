"""What the ADC reads on tens and units buses: 10 x 10 handsets, missing and stuck ones, both drive sides."""
from bench import PARAMETERS, TABLES, board, BUILD, PARTS, check, run

PAGES = ("taps-tens", "taps-units", "crosspoint")
TENS, UNITS = range(10), range(10)
COMMON = next(p.value for p in PARTS.values() if p.ref[0] == "R" and sorted(p.pins.values()) == ["LGND", "TAP_COM"]).replace("M", "meg")
MUX_OHMS = 120  # one channel of the multiplexer at 3.3 V
QUIET_XP = [f"D{i}" for i in range(22)] + [f"E{i}" for i in range(10)]


def matrix(missing=(), stuck=(), ohms=45, flipped=False):
    """Handsets between the buses, each with its diode; on a mirrored switch they are wired the other way."""
    out = []
    for d in TENS:
        for e in UNITS:
            if (d, e) in missing:
                continue
            a, k = (f"d{d}", f"e{e}") if not flipped else (f"e{e}", f"d{d}")
            r = 300 if (d, e) in stuck else ohms
            out += [f"xh{d}_{e} {k} h{d}_{e} S1M", f"rh{d}_{e} {a} h{d}_{e} {r}"]
    return out


def elements(select=(4, 2), flipped=False, volts=11, source=250, bias=True, connect=False, call_ohms=None, **cells):
    d, e = select
    lines = board.spice_lines(BUILD / "line-card.cir", PARTS, PAGES)
    plus, minus = (f"d{d}", f"e{e}") if not flipped else (f"e{e}", f"d{d}")
    scan = 3.3 if connect else 0
    lines += ["vpgnd pgnd 0 0", "v5 5vl 0 5", "v3 3v3l 0 3.3", "vdrv v_drv 0 5", f"vscan scan_n 0 {scan}", f"vrev reverse 0 {3.3 if flipped else 0}",
              f"vbt bias_t 0 {3.3 if flipped and bias else 0}", f"vbu bias_u 0 {0 if flipped or not bias else 3.3}", f"rcom tap_com lgnd {COMMON}",
              f"vpan src 0 {volts}", f"rpan src {plus} {source}", f"rsink {minus} 0 5"]
    closed = {f"D{d}", f"E{e}"} if connect else set()
    lines += [f"vx_{n.lower()} crosspoint_xp_{n.lower()}_n 0 {0 if n in closed else 3.3}" for n in QUIET_XP]
    # rails of the card are referred to LGND in a call; a stiff source there would tie it to the panel
    if connect:
        lines = [x.replace(" 0 ", " lgnd ") if x.split()[0] in ("v5", "v3", "vdrv", "vrev", "vbt", "vbu", "vscan") or x.startswith("vx_") else x for x in lines]
        if call_ohms:
            lines += ["xcall callm line_p S1M", f"rcall callm lgnd {call_ohms}"]
    else:
        lines += ["rline line_p lgnd 10meg"]
    # lines the matrix does not use end in the switch's own leakage
    lines += [f"rl_d{i} d{i} 0 10meg" for i in range(22)] + [f"rl_e{i} e{i} 0 100meg" for i in UNITS]
    return lines + matrix(flipped=flipped, **cells)


CASES = {
    "all handsets": {}, "selected handset missing": {"missing": [(4, 2)]}, "two of the row missing": {"missing": [(4, 7), (4, 9)]},
    "row 4 empty but (4,2)": {"missing": [(4, e) for e in UNITS if e != 2]}, "stuck off-hook at (4,5)": {"stuck": [(4, 5)]},
    "stuck off-hook at (6,2)": {"stuck": [(6, 2)]}, "stuck off-hook at (4,2)": {"stuck": [(4, 2)]}, "half the house missing": {"missing": [(d, e) for d in TENS for e in UNITS if (d + e) % 2]},
}


def readings(plot, flipped):
    tens = {i: plot[f"taps_tens_tap_d{i}" if i < 16 else f"tap_d{i}"][0] for i in TENS}
    units = {i: plot[f"taps_units_tap_e{i}"][0] for i in UNITS}
    return (units, tens) if flipped else (tens, units)


def scan():
    """Source side: the selected line is the single high one. Sink side: the single low one."""
    worst = {"sel_high": 99.0, "others_high": 0.0, "sel_low": 0.0, "others_low": 99.0}
    rows = []
    for flipped in (False, True):
        for name, cells in CASES.items():
            for volts, source in ((10, 600), (11, 250), (13, 150)):
                p, = run(elements(flipped=flipped, volts=volts, source=source, **cells), ["op", "WRITE"])
                high, low = readings(p, flipped)
                a, b = (4, 2) if not flipped else (2, 4)
                r = (6 * high[a], 6 * max(v for i, v in high.items() if i != a), 6 * low[b], 6 * min(v for i, v in low.items() if i != b))
                rows.append((name, "units sourced" if flipped else "tens sourced", f"{volts} V {source} Ohm", *r))
                worst["sel_high"], worst["others_high"] = min(worst["sel_high"], r[0]), max(worst["others_high"], r[1])
                worst["sel_low"], worst["others_low"] = max(worst["sel_low"], r[2]), min(worst["others_low"], r[3])
    TABLES["taps"] = rows
    check("taps, source side: selected line over every other, worst of 48 cases", worst["sel_high"] - worst["others_high"], "V", 0.4)
    check("taps, sink side: every other line over the selected one, worst of 48 cases", worst["others_low"] - worst["sel_low"], "V", 0.4)
    high_at, low_at = (worst["sel_high"] + worst["others_high"]) / 2, (worst["sel_low"] + worst["others_low"]) / 2
    PARAMETERS["taps"] = {"counts_per_volt": round(1000 / 6, 1), "sourced_line_above_volts": round(high_at, 2), "sunk_line_below_volts": round(low_at, 2),
                          "settle_us": 1000, "mux_inputs": 32}
    plain, = run(elements(bias=False, missing=[(4, 7)]), ["op", "WRITE"])
    biased, = run(elements(missing=[(4, 7)]), ["op", "WRITE"])
    check("bias: a units line without its row-4 handset, over the sunk line (without bias: 0 V)", 6 * (readings(biased, False)[1][7] - readings(biased, False)[1][2]), "V", 0.4)
    TABLES["bias"] = (6 * readings(plain, False)[1][7], 6 * readings(biased, False)[1][7])
    draw = max(abs(6 * v) for v in readings(biased, False)[1].values()) / 1.2e6 * 1e6
    check("current a tap takes from a line", draw, "uA", None, 20)


def calibrate():
    """Counts per volt through divider and multiplexer, with the common resistor as load."""
    extra = ["vcal d0 0 0", f"rmux taps_tens_tap_d0 tap_com {MUX_OHMS}"]
    a, b = run(elements() + extra, ["op", "WRITE", "alter vcal dc = 10", "op", "WRITE"])
    PARAMETERS["taps"]["counts_per_volt"] = round(100 * (b["tap_com"][0] - a["tap_com"][0]), 1)
    check("tap: counts per volt at the ADC", PARAMETERS["taps"]["counts_per_volt"], "counts", 150, 170)
    check("tap: 13 V on a bus at the multiplexer (supply 3.3 V)", 13 * PARAMETERS["taps"]["counts_per_volt"] / 1000, "V", None, 3.0)


def connect():
    """The crosspoint: loss in the two closed contacts, and what leaks to other apartments."""
    worst, leak = 0.0, 0.0
    for flipped in (False, True):
        p, = run(elements(connect=True, call_ohms=300, flipped=flipped, missing=[(4, 2)]), ["op", "WRITE"])
        d, e = ("d4", "e2") if not flipped else ("e2", "d4")
        worst = max(worst, (p[d][0] - p[e][0]) - (p["line_p"][0] - p["lgnd"][0]))
        q, = run(elements(connect=True, call_ohms=1e9, flipped=flipped, missing=[(i, j) for i in TENS for j in UNITS]), ["op", "WRITE"])
        leak = max(leak, *(abs(q[f"d{i}"][0]) for i in TENS if i != 4 and not flipped), *(abs(q[f"e{i}"][0]) for i in UNITS if i != 2 and flipped), 0.0)
    check("crosspoint: voltage lost in two closed contacts, off-hook", worst * 1e3, "mV", None, 50)
    check("crosspoint: other source-side lines, call connected, 10 MOhm to ground each", leak * 1e3, "mV", None, 200)


def main():
    scan()
    calibrate()
    connect()
