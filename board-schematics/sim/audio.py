"""AC impedance, gains, transhybrid loss, noise and hum of the hybrid."""
import cmath
import math

from bench import PANELS, PARAMETERS, QUIET, STATES, TABLES, alter, card, check, powered, run, spread

ZERO_DBM0 = 1.0 / 10 ** (3.14 / 20)  # volts at the codec: full scale is 1 Vrms
SWEEP = "ac dec 24 300 3400"
# ITU-T O.41 psophometric weights: Hz, dB
WEIGHT = [(16.66, -85), (50, -63), (100, -41), (200, -21), (300, -10.6), (400, -6.3), (500, -3.6), (600, -2), (700, -0.9), (800, 0), (900, 0.6), (1000, 1),
          (1200, 0), (1400, -0.9), (1600, -1.7), (1800, -2.4), (2000, -3), (2500, -4.2), (3000, -5.6), (3500, -8.5), (4000, -15), (4500, -25), (5000, -36), (6000, -43)]
BALANCE = {0: (0, 0), 1: (3.3, 0), 2: (0, 3.3), 3: (3.3, 3.3)}


def db(x):
    return 20 * math.log10(max(abs(x), 1e-12))


def weight(hz):
    if hz <= WEIGHT[0][0] or hz >= WEIGHT[-1][0]:
        return 10 ** (-85 / 20)
    for (f0, w0), (f1, w1) in zip(WEIGHT, WEIGHT[1:]):
        if hz <= f1:
            return 10 ** ((w0 + (w1 - w0) * math.log(hz / f0) / math.log(f1 / f0)) / 20)
    return 0.0


def feed(volts, ohms, load):
    """DC feed through an inductor no speech passes, and an AC load with a source in it."""
    return [f"vp src 0 {volts}", f"rs src feed {ohms}", "lfeed feed line_p 10k", "cload line_p lod 1", f"rload lod emf {load}",
            "vemf emf 0 dc 0 ac 0", "vtx codec_lout 0 dc 1.65 ac 0", "rhs hs_p 0 1g"]


def setup(state="off-hook 300", bal=2):
    return powered({**STATES[state], "bal0": BALANCE[bal][0], "bal1": BALANCE[bal][1]})


def impedance():
    low, high, worst_rl = 1e9, 0.0, 99.0
    for t in PANELS["corners"]["celsius"]:
        control = []
        for src in PANELS["likely"]:
            control += [f"alter vp dc = {src['volts']}", f"alter rs = {src['ohms']}"]
            for state in ("off-hook 180", "off-hook 300", "off-hook 630", "off-hook 760"):
                control += alter({**QUIET, **STATES[state]}) + [SWEEP, "WRITE"]
        for p in run(card() + setup() + feed(12, 300, 1e9) + ["iz 0 line_p dc 0 ac 1"], control, t, keep=False):
            for z in p["line_p"]:
                low, high = min(low, abs(z)), max(high, abs(z))
                worst_rl = min(worst_rl, -db((z - 450) / (z + 450)))
    want = PANELS["handset"]["ac_ohms"]
    check("AC impedance off-hook, 300-3400 Hz, lowest (a handset: 400..500 Ohm)", low, "Ohm", *want)
    check("AC impedance off-hook, 300-3400 Hz, highest", high, "Ohm", *want)
    check("return loss against a handset of 450 Ohm", worst_rl, "dB", 20)
    PARAMETERS["audio"]["ac_ohms_min"], PARAMETERS["audio"]["ac_ohms_max"] = round(low, 0), round(high, 0)


def at(plot, hz):
    f = [x.real for x in plot["frequency"]]
    return min(range(len(f)), key=lambda i: abs(f[i] - hz))


def gains():
    """Codec to line and line to codec, 600 Ohm line."""
    base = card() + setup() + feed(12, 300, 600)
    send, = run(base, ["alter vtx ac = 1", SWEEP, "WRITE"], keep=False)
    receive, = run(base, ["alter vemf ac = 1", SWEEP, "WRITE"], keep=False)
    gs = [abs(a) for a in send["line_p"]]
    gr = [abs(a / b) for a, b in zip(receive["codec_lin"], receive["line_p"])]
    i, j = at(send, 1000), at(receive, 1000)
    check("send gain, codec output to a 600 Ohm line, 1 kHz", db(gs[i]), "dB", -4, 0)
    check("send response 300-3400 Hz against 1 kHz, worst", max(abs(db(g / gs[i])) for g in gs), "dB", None, 0.5)
    check("receive gain, line to codec input, 1 kHz", db(gr[j]), "dB", 0, 4)
    check("receive response 300-3400 Hz against 1 kHz, worst", max(abs(db(g / gr[j])) for g in gr), "dB", None, 0.5)
    level = ZERO_DBM0 * gs[i]
    PARAMETERS["audio"].update({"codec_full_scale_vrms": 1.0, "zero_dbm0_vrms_at_codec": round(ZERO_DBM0, 4), "send_gain_db": round(db(gs[i]), 2),
                                "receive_gain_db": round(db(gr[j]), 2), "send_level_dbm_at_0dbm0": round(10 * math.log10(level ** 2 / 600 / 1e-3), 2),
                                "receive_level_dbm_for_0dbm0": round(10 * math.log10((ZERO_DBM0 / gr[j]) ** 2 / 600 / 1e-3), 2)})
    return gs[i], gr[j]


def transhybrid(gs, gr):
    """Loss codec output to codec input, corrected for the send and receive gains (both ports at 0 dB to the line)."""
    loads = [420, 480, 540, 600, 660, 720, 780]
    rows, best = [], {}
    for bal in BALANCE:
        control = ["alter vtx ac = 1"]
        for ohms in loads:
            control += [f"alter rload = {ohms}", SWEEP, "WRITE"]
        for ohms, p in zip(loads, run(card() + setup(bal=bal) + feed(12, 300, 600), control, keep=False)):
            raw = min(-db(a) for a in p["codec_lin"])
            loss = raw + db(gs) + db(gr)
            rows.append((ohms, bal, loss, raw))
            if loss > best.get(ohms, (-99, 0))[0]:
                best[ohms] = (loss, bal)
    for ohms in loads:
        check(f"transhybrid loss 300-3400 Hz, line {ohms} Ohm, balance {best[ohms][1]}", best[ohms][0], "dB", 18)
    one = max(BALANCE, key=lambda b: min(r[2] for r in rows if r[1] == b))
    TABLES["transhybrid"] = (rows, one, min(r[2] for r in rows if r[1] == one))
    PARAMETERS["audio"]["balance_default"] = one
    PARAMETERS["audio"]["balance_line_ohms"] = [max((r for r in rows if r[1] == b), key=lambda r: r[2])[0] for b in BALANCE]
    worst = 99.0
    for farads in PANELS["corners"]["cable_farads"]:
        control = ["alter vtx ac = 1", f"alter ccab = {max(farads, 1e-15)}", SWEEP, "WRITE"]
        p, = run(card() + setup(bal=one) + feed(12, 300, 600) + ["ccab line_p 0 1e-15"], control, keep=False)
        worst = min(worst, min(-db(a) for a in p["codec_lin"]) + db(gs) + db(gr))
    check("transhybrid loss, 600 Ohm with up to 20 nF of cable, default balance", worst, "dB", 14)


def transhybrid_spread(gs, gr):
    """The best setting of three lines with parts drawn inside their tolerance and at the ends of the temperature range."""
    worst = 99.0
    for seed in range(10):
        for ohms, bal in ((420, 0), (600, 2), (780, 3)):
            t = PANELS["corners"]["celsius"][seed % 3]
            elements = [e for e in spread(card(), seed)] + setup(bal=bal) + feed(12, 300, ohms)
            p, = run(elements, ["alter vtx ac = 1", SWEEP, "WRITE"], t, keep=False)
            worst = min(worst, min(-db(a) for a in p["codec_lin"]) + db(gs) + db(gr))
    check("transhybrid loss, parts drawn inside their tolerance, -20..+50 C, 30 runs", worst, "dB", 18)


def integrate(freq, values):
    """Trapezoid over frequency."""
    return sum((values[i] + values[i + 1]) / 2 * (freq[i + 1] - freq[i]) for i in range(len(freq) - 1))


def noise():
    worst = -200.0
    for t in PANELS["corners"]["celsius"]:
        plots = run(card() + setup() + feed(12, 300, 600), ["noise v(codec_lin) vemf dec 20 20 8000", "setplot noise1", "WRITE"], t, keep=False)
        p = plots[-1]
        name = next(n for n in p if "onoise_spectrum" in n)
        freq = [f.real for f in p["frequency"]]
        density = [abs(v) for v in p[name]]
        power = integrate(freq, [(d * weight(f)) ** 2 for d, f in zip(density, freq)])
        worst = max(worst, 10 * math.log10(power / ZERO_DBM0 ** 2))
    codec = -90 + 3.14  # data sheet: 90 dB signal to noise below full scale
    total = 10 * math.log10(10 ** (worst / 10) + 10 ** (codec / 10))
    check("noise at the codec input, hybrid alone, psophometric", worst, "dBm0p", None, -70)
    check("noise with the codec's own 90 dB", total, "dBm0p", None, -70)
    PARAMETERS["audio"]["idle_noise_dbm0p"] = round(total, 1)


# EN 50160: highest harmonics of a public mains, part of the fundamental
MAINS = {50: 1.0, 150: 0.05, 250: 0.06, 350: 0.05, 450: 0.015, 550: 0.035, 650: 0.03, 750: 0.005, 850: 0.02, 950: 0.015}


def hum():
    """All of 230 V between the panel's ground and the host, through 50 pF of barrier and 100 Ohm of
    return wire. 50 pF: four isolators of 1 pF, the transformer's 20 pF, the board, and as much again."""
    total = 0.0
    elements = [e for e in card() if e != "vlgnd lgnd 0 0"] + setup()
    grounds = [e.replace(" 0 ", " lgnd ") if e.startswith("v_") else e for e in elements]
    edge = ["vp src 0 12", "rs src far 300", "rc1 far line_p 100", "rc2 lgnd 0 100", "vcm host 0 dc 0 ac 1", "cbar host lgnd 50p",
            "vtx codec_lout lgnd dc 1.65", "rhs hs_p lgnd 1g"]
    p, = run(grounds + edge, ["ac lin 20 50 1000", "WRITE"], keep=False)
    for f, v in zip(p["frequency"], p["codec_lin"]):
        amplitude = 230 * MAINS.get(round(f.real), 0.0)
        v = v - p["lgnd"][p["frequency"].index(f)]
        total += (abs(v) * amplitude * weight(f.real)) ** 2
    level = 10 * math.log10(max(total, 1e-30) / ZERO_DBM0 ** 2)
    check("hum, 230 V with EN 50160 harmonics between panel and host, psophometric", level, "dBm0p", None, -70)
    PARAMETERS["audio"]["hum_dbm0p"] = round(level, 1)


def resample(t, v, t0, t1, n):
    """A waveform at n equal steps from t0 up to t1, by straight lines between the solver's points."""
    out, i = [], 0
    for k in range(n):
        at_time = t0 + (t1 - t0) * k / n
        while t[i + 1] < at_time:
            i += 1
        out.append(v[i] + (v[i + 1] - v[i]) * (at_time - t[i]) / (t[i + 1] - t[i]))
    return out


def clipping():
    """Largest undistorted level: full scale of the codec sent into 600 Ohm (transient, 1 kHz)."""
    base = [e for e in card() + setup() + feed(12, 300, 600) if not e.startswith("vtx")]
    p, = run(base + ["vtx codec_lout 0 sin(1.65 1.414 1000 0.3)"], ["tran 5u 0.3561 0.35 5u", "WRITE"])
    n = 1024
    v = resample(p["time"], p["line_p"], 0.351, 0.355, n)
    mean = sum(v) / n
    parts = {k: sum((v[i] - mean) * cmath.exp(-2j * math.pi * 4 * k * i / n) for i in range(n)) for k in range(1, 8)}
    thd = math.sqrt(sum(abs(parts[n]) ** 2 for n in range(2, 8))) / abs(parts[1])
    check("distortion on the line at codec full scale (+3.14 dBm0)", 100 * thd, "%", None, 1.0)


def main():
    PARAMETERS["audio"] = {"chip": "tlv320aic23b", "sample_rate_hz": 8000}
    impedance()
    gs, gr = gains()
    transhybrid(gs, gr)
    transhybrid_spread(gs, gr)
    noise()
    hum()
    clipping()
