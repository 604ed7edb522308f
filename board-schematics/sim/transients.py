"""Switching, door pulse, power cycling, watchdog, pulse line, surge and ESD."""
from bench import PANELS, PARAMETERS, QUIET, RAILS, STATES, TABLES, card, check, handset, panel, run, unpowered

OPEN_AT, OFF_HOOK_TOP = PANELS["bands"]["open"][0], PANELS["bands"]["off_hook"][1]


def pwl(steps, rise=1e-5):
    """Steps (time, value) to a PWL text."""
    out, last = [], None
    for t, v in steps:
        if last is not None:
            out += [f"{t:g}", f"{last:g}"]
        out += [f"{t + (rise if last is not None else 0):g}", f"{v:g}"]
        last = v
    return "pwl(" + " ".join(out) + ")"


def driven(sequence, rails=None):
    """Sources for a list of (time, state name or drive dict)."""
    names = {**QUIET}
    lines = [f"v_{n} {n} 0 {v}" if not str(v).startswith("pwl") else f"v_{n} {n} 0 {v}" for n, v in {**RAILS, **(rails or {})}.items()]
    for n in names:
        steps = [(t, {**QUIET, **(STATES[s] if isinstance(s, str) else s)}[n]) for t, s in sequence]
        lines.append(f"v_{n} {n} 0 {pwl(steps)}" if len({v for _t, v in steps}) > 1 else f"v_{n} {n} 0 {steps[0][1]}")
    return lines


def when(plot, node, level, start, rising=True):
    """First time after `start` at which a node passes a level."""
    for t, v in zip(plot["time"], plot[node]):
        if t >= start and ((v >= level) if rising else (v <= level)):
            return t - start
    return 9.9


def within(plot, node, t0, t1):
    return [v for t, v in zip(plot["time"], plot[node]) if t0 <= t <= t1]


def door():
    for manner in ("residue", "full break"):
        slow_up = slow_down = 0.0
        low = 99.0
        for src in PANELS["likely"]:
            p, = run(card() + driven([(0, "off-hook 300"), (0.3, manner), (0.8, "off-hook 300")]) + panel(src["volts"], src["ohms"]) + ["rhs hs_p 0 1g"],
                     ["tran 0.2m 1.2 0 0.5m", "WRITE"])
            slow_up = max(slow_up, when(p, "panel", OPEN_AT, 0.3))
            slow_down = max(slow_down, when(p, "panel", OFF_HOOK_TOP, 0.8, False))
            low = min(low, min(within(p, "panel", 0.29, 1.2)))
        check(f"door ({manner}): time to the open band", slow_up * 1e3, "ms", None, 10)
        check(f"door ({manner}): time back into the off-hook band", slow_down * 1e3, "ms", None, 20)
        check(f"door ({manner}): lowest level on the way (on-hook begins at 4.5 V)", low, "V", 4.5)
    PARAMETERS["timing"].update({"load_on_ms": round(slow_down * 1e3 + 0.5, 1), "load_off_ms": round(slow_up * 1e3 + 0.5, 1)})


def take_and_give():
    """Old handset on-hook; we take the line (load first, then the relay), answer, hang up, give it back.
    No moment may look like the door button."""
    top = 0.0
    sequence = [(0, "off"), (0.1, {"onhook_n": 0}), (0.12, "on-hook"), (0.3, {**STATES["off-hook 300"], "onhook_n": 0}), (0.33, "off-hook 300"),
                (0.7, {**STATES["off-hook 300"], "onhook_n": 0}), (0.75, "on-hook"), (0.9, {"onhook_n": 0}), (0.95, "off")]
    for src in PANELS["likely"]:
        p, = run(card() + driven(sequence) + panel(src["volts"], src["ohms"]) + handset("hs_p", 50), ["tran 0.1m 1.1 0 0.2m", "WRITE"])
        top = max(top, max(within(p, "panel", 0.05, 1.1)))
    check("taking, answering, hanging up, giving back: highest level (door band from 9.3 V)", top, "V", None, OPEN_AT - 0.4)
    PARAMETERS["timing"]["overlap_ms"] = 50


def ring():
    """12 V square wave of 1 kHz (fact 1.6) behind 100 Ohm, stiffer than any source corner."""
    for state, loads in (("off", [50]), ("on-hook", [1e9])):
        p, = run(card() + driven([(0, state)]) + ["vr ringer 0 pulse(0 12 0.02 5u 5u 0.495m 1m)", "rr ringer line_p 100"] + handset("hs_p", loads[0]), ["tran 5u 0.03 0.02 5u", "WRITE"])
        peak = max(abs(a - b) / 100 * 1e3 for a, b in zip(p["ringer"], p["line_p"]))
        check(f"ring 12 V square, {'old handset' if state == 'off' else 'our on-hook load'}: peak current", peak, "mA", None, 100)
        swing = 1e3 * (max(p["sense_line_v_adc"]) - min(p["sense_line_v_adc"]))
        check(f"ring 12 V square, {'old handset' if state == 'off' else 'our on-hook load'}: swing at the ADC", swing, "counts", 300)


def relay():
    on = off = bounce = 0.0
    for t in PANELS["corners"]["celsius"]:
        p, = run(card() + driven([(0, {"onhook_n": 0}), (0.1, "on-hook"), (0.2, {"onhook_n": 0})]) + panel(12, 300) + handset("hs_p", 50), ["tran 0.05m 0.3 0 0.1m", "WRITE"], t)
        on = max(on, when(p, "hs_p", 1.1, 0.1, False))
        off = max(off, when(p, "hs_p", 1.1, 0.2))
    check("bypass relay: expander to isolated", on * 1e3, "ms", None, 10)
    check("bypass relay: expander to given back", off * 1e3, "ms", None, 10)
    PARAMETERS["timing"].update({"relay_isolate_ms": round(on * 1e3 + 3, 0), "relay_through_ms": round(off * 1e3 + 3, 0)})


def power():
    """Rails rise and fall with the expander in reset; the old handset is on-hook on a live panel."""
    up = {n: f"pwl(0 0 0.05 0 0.055 {v} 0.3 {v} 0.32 0 0.5 0)" for n, v in RAILS.items()}
    up["v_drv"] = 0
    floats = [f"r_{n} {n} 0 10meg" for n in QUIET]
    p, = run(card() + [f"v_{n} {n} 0 {v}" for n, v in up.items()] + floats + panel(12, 300) + handset("hs_p", 50), ["tran 0.1m 0.5 0 0.2m", "WRITE"])
    level = within(p, "panel", 0.01, 0.04)[0]
    worst = max(abs(v - level) for v in within(p, "panel", 0.01, 0.5))
    check("power-up and power-down, drives in reset: change of the line, handset on-hook", worst * 1e3, "mV", None, 20)
    p, = run(card() + [f"v_{n} {n} 0 {v}" for n, v in up.items()] + floats + panel(12, 300) + handset("hs_p", 1e7), ["tran 0.1m 0.5 0 0.2m", "WRITE"])
    level = within(p, "panel", 0.01, 0.04)[0]
    worst = max(abs(v - level) for v in within(p, "panel", 0.01, 0.5))
    check("power-up and power-down, open line: change of the line", worst * 1e3, "mV", None, 50)
    cut = {n: f"pwl(0 {v} 0.3 {v} 0.31 0)" for n, v in RAILS.items()}
    call = {**QUIET, **STATES["off-hook 300"]}
    sources = [f"v_{n} {n} 0 " + (f"pwl(0 {v} 0.3 {v} 0.31 0)" if v else "0") for n, v in call.items()]
    p, = run(card() + [f"v_{n} {n} 0 {v}" for n, v in cut.items()] + sources + panel(12, 300) + handset("hs_p", 50), ["tran 0.1m 0.6 0 0.2m", "WRITE"])
    final = p["panel"][-1]
    late = next(t for t, v in zip(reversed(p["time"]), reversed(p["panel"])) if abs(v - final) > 0.1) - 0.3
    check("power lost in a call: time until the old handset has the line", late * 1e3, "ms", None, 100)
    check("power lost in a call: highest level on the way", max(within(p, "panel", 0.3, 0.6)), "V", None, OPEN_AT - 0.4)
    TABLES["power_lost"] = late


def relay_after_watchdog():
    """The drive rail falls with every expander output still set: loads and relay must let go."""
    p, = run(card() + [x if not x.startswith("v_v_drv ") else "v_v_drv v_drv 0 pwl(0 5 0.3 5 0.301 0)" for x in driven([(0, "off-hook 300")])]
             + panel(12, 300) + handset("hs_p", 50), ["tran 0.1m 0.6 0 0.2m", "WRITE"])
    final = p["panel"][-1]
    late = next(t for t, v in zip(reversed(p["time"]), reversed(p["panel"])) if abs(v - final) > 0.1) - 0.3
    check("drive rail gone, outputs still set: time until the old handset has the line", late * 1e3, "ms", None, 100)
    alone, = run(panel(12, 300, node="hs_p") + handset("hs_p", 50), ["op", "WRITE"], keep=False)
    check("drive rail gone, outputs still set: line against the handset alone", abs(final - alone["panel"][0]) * 1e3, "mV", None, 20)


WATCHDOG_PAGES = ("watchdog",)


def watchdog():
    """Kicks every 10 ms block (a toggle each), then a stuck pin, high and low; the barrier is a copy."""
    rails = ["v3h 3v3 0 3.3", "v5h 5v 0 5", "v5l 5vl 0 5", "vhg hgnd 0 0", "ediso drive_ok_l 0 drive_ok 0 1", "rrly v_rly 0 200", "rcoil v_drv 0 200"]
    ons, offs = [], []
    for t in PANELS["corners"]["celsius"]:
        for stuck in (0, 3.3):
            kicks = " ".join(f"{0.2 + 0.01 * i:g} {3.3 * (i % 2):g} {0.20999 + 0.01 * i:g} {3.3 * (i % 2):g}" for i in range(100))
            source = f"vk wdt_kick 0 pwl(0 0 {kicks} 1.2 {stuck} 2.4 {stuck})"
            p, = run(card(WATCHDOG_PAGES) + rails + [source], ["tran 0.5m 2.4 0 1m", "WRITE"], t)
            ons.append(when(p, "v_drv", 4.0, 0.2))
            offs.append(when(p, "v_drv", 0.5, 1.2, False))
            offs.append(when(p, "v_rly", 0.5, 1.2, False))
            early = max(within(p, "v_drv", 0.0, 0.2) + within(p, "v_rly", 0.0, 0.2))
            hold = min(within(p, "v_drv", 0.2 + ons[-1] + 0.05, 1.19))
    check("watchdog: first kick to drives allowed", max(ons) * 1e3, "ms", None, 500)
    check("watchdog: last kick to drives off, slowest", max(offs) * 1e3, "ms", None, 1000)
    check("watchdog: last kick to drives off, fastest (a late block must not drop a call)", min(offs) * 1e3, "ms", 100)
    check("watchdog: drive rails before the first kick", early, "V", None, 0.1)
    check("watchdog: V_DRV while kicked", hold, "V", 4.7)
    PARAMETERS["watchdog"] = {"gpio": 17, "kick_period_ms": 10, "arms_after_ms": round(max(ons) * 1e3, -1), "drops_after_ms_min": round(min(offs) * 1e3, -1),
                              "drops_after_ms_max": round(max(offs) * 1e3, -1)}
    for name, wave in (("pin held high", "3.3"), ("pin held low", "0"), ("one edge only", "pwl(0 0 0.2 0 0.20001 3.3)")):
        p, = run(card(WATCHDOG_PAGES) + rails + [f"vk wdt_kick 0 {wave}"], ["tran 0.5m 1 0 1m", "WRITE"])
        check(f"watchdog: {name}, highest drive rail", max(p["v_drv"] + p["v_rly"]), "V", None, 0.5)


def door_relays():
    """The two dry contacts: drive, release, and the watchdog's rail falling under a set output."""
    slow = held = idle = 0.0
    for t in PANELS["corners"]["celsius"]:
        source = ["v3 3v3 0 3.3", "v5 5v 0 5", "vhg hgnd 0 0", "vrly v_rly 0 pwl(0 5 0.35 5 0.351 0)", "vg1 relay1 0 pwl(0 0 0.05 0 0.0501 3.3 0.1 3.3 0.1001 0 0.2 0 0.2001 3.3)",
                  "rg2 relay2 0 10meg", "vw0 wg_out0 0 0", "vw1 wg_out1 0 0", "rw0 wg_in0 0 1g", "rw1 wg_in1 0 1g",
                  "vl outputs_r1_no 0 24", "rl outputs_r1_com 0 48", "vl2 outputs_r2_no 0 24", "rl2 outputs_r2_com 0 48"]
        p, = run(card(("outputs",)) + source, ["tran 0.05m 0.5 0 0.1m", "WRITE"], t)
        slow = max(slow, when(p, "outputs_r1_com", 20, 0.05), when(p, "outputs_r1_com", 2, 0.1, False))
        held = max(held, when(p, "outputs_r1_com", 2, 0.35, False))
        idle = max(idle, max(abs(v) for v in p["outputs_r2_com"]))
    check("door relay: GPIO to contact, making or breaking", slow * 1e3, "ms", None, 15)
    check("door relay: watchdog rail gone with the output set, contact open after", held * 1e3, "ms", None, 30)
    check("door relay never commanded: voltage passed", idle, "V", None, 0.1)
    PARAMETERS["timing"]["door_relay_ms"] = round(slow * 1e3 + 5, 0)


def pulse():
    base = card(("pulse",)) + ["v3 3v3l 0 3.3", "vmr pulse_reset 0 0"]
    p, = run(base + ["vl line_p 0 pwl(0 0 0.5 12 1 0)"], ["tran 0.1m 1 0 0.2m", "WRITE"])
    up = next(v for v, o in zip(p["line_p"], p["pulse"]) if o > 1.65)
    t_high = next(t for t, o in zip(p["time"], p["pulse"]) if o > 1.65)
    down = next(v for t, v, o in zip(p["time"], p["line_p"], p["pulse"]) if t > max(t_high, 0.5) and o < 1.65)
    check("pulse line: high above (line rests at 6.4 V, rings to 11 V)", up, "V", None, 5.8)
    check("pulse line: low below (low level 0.2 V)", down, "V", 1.0)

    def count(width, gap=88e-6, n=8):
        steps = " ".join(f"{1e-3 + i * gap:g} 11 {1e-3 + i * gap + 1e-6:g} 0.2 {1e-3 + i * gap + width:g} 0.2 {1e-3 + i * gap + width + 1e-6:g} 11" for i in range(n))
        q, = run(base + [f"vs drv 0 pwl(0 11 {steps} 5m 11)", "rs drv line_p 300", "cc line_p 0 5n"], ["tran 0.2u 3m 0.8m 0.5u", "WRITE"])
        falls = sum(1 for a, b in zip(q["pulse"], q["pulse"][1:]) if a > 1.65 >= b)
        return falls
    for width in (20e-6, 24e-6, 60e-6):
        check(f"pulse line: 8 low pulses of {width * 1e6:g} us, counted", count(width), "pulses", 8, 8)
    check("pulse line: glitches of 1 us, counted", count(1e-6), "pulses", None, 0)
    PARAMETERS["pulse"] = {"high_above_volts": round(up, 2), "low_below_volts": round(down, 2), "pulse_us_min": 20, "glitch_us_max": 1, "gpio": 27}


def surge():
    """1.2/50 us, 1 kV behind 42 Ohm, both ways, in every state and unpowered; then 8 kV ESD."""
    clamp = amps = watts = 0.0
    for sign in (1, -1):
        for state in ("off", "on-hook", "off-hook 300", "residue", None):
            edge = driven([(0, state)]) if state else unpowered()
            hit = ["vp src 0 12", "rs src line_p 300", f"vsg sg 0 exp(0 {sign * 1037:g} 20u 0.405u 20u 68.2u)", "rsg sg sgi 42", "csg sgi line_p 18u",
                   "rsb sgi 0 100k"]
            p, = run(card() + edge + hit + handset("hs_p", 50), ["tran 1u 500u 0 0.5u", "WRITE"])
            clamp = max(clamp, max(abs(v) for v in p["line_p"]))
            watts = max(watts, max(abs(v * (a - b) / 42) for v, a, b in zip(p["line_p"], p["sg"], p["sgi"])))
            amps = max(amps, max(abs(a - b) / 42 for a, b in zip(p["sg"], p["sgi"])))
    check("surge 1 kV / 42 Ohm: highest voltage at the terminals", clamp, "V", None, 36)
    check("surge 1 kV / 42 Ohm: current in the suppressor", amps, "A", 15, 30)
    # 600 W for 10/1000 us; makers' curves rise with the square root of the shorter time: 50 us
    check("surge: peak power in the suppressor, part of its rating for 50 us", watts / (600 * (1000 / 50) ** 0.5), "", None, 0.5)
    esd = 0.0
    for sign in (1, -1):
        p, = run(card() + driven([(0, "off-hook 300")]) + ["vp src 0 12", "rs src line_p 300", f"ve ev 0 exp(0 {sign * 8000} 1u 0.8n 1u 50n)", "re ev line_p 330"]
                 + handset("hs_p", 50), ["tran 1n 3u 0.9u 1n", "WRITE"])
        esd = max(esd, max(abs(v) for v in p["line_p"]))
    check("ESD 8 kV contact (150 pF, 330 Ohm): highest voltage at the terminals", esd, "V", None, 40)


def main():
    PARAMETERS["timing"] = {}
    door()
    take_and_give()
    ring()
    relay()
    power()
    relay_after_watchdog()
    watchdog()
    door_relays()
    pulse()
    surge()
