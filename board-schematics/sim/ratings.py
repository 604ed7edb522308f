"""No part beyond its rating in any simulated case: voltage, power, pin levels."""
import re

from bench import PARTS, SEEN, board, check

OVERLOAD = 2.0  # thick-film resistors: short-time overload at twice the working voltage
CLAMP = 1.2      # volts beyond a rail at which a chip's clamp (0.7 V + 50 Ohm in the models) takes 10 mA


def rating(part, unit):
    found = re.match(r".*?([0-9.]+)\s*" + unit + r"(?![a-zA-Z])", part.fields.get("Rating", ""))
    return float(found.group(1)) if found else None


def ohms(text):
    m = re.match(r"([0-9.]+)\s*([kM]?)", text)
    return float(m.group(1)) * {"": 1, "k": 1e3, "M": 1e6}[m.group(2)]


def nodes(part, plot):
    """Pin -> waveform, for pins whose nets are in this plot."""
    out = {}
    for pin, net in part.pins.items():
        name = board.clean(net)
        if name in plot:
            out[pin] = plot[name]
    return out


def swing(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def mean_power(a, b, r, plot):
    """Mean over the run for a transient (its pulses are short), the value itself for a DC point."""
    if "time" not in plot or len(a) < 2:
        return max((x - y) ** 2 for x, y in zip(a, b)) / r
    t = plot["time"]
    span = max(t[-1] - t[0], 0.02)
    return sum((a[i] - b[i]) ** 2 / r * (t[i + 1] - t[i]) for i in range(len(t) - 1)) / span


def stress(part, pins, plot):
    """(what, value, limit) of one part in one plot."""
    p = list(pins.values())
    volts = rating(part, "V")
    if part.ref.startswith("R") and len(p) == 2:
        power = rating(part, "W")
        yield "power", mean_power(p[0], p[1], ohms(part.value), plot), power
        yield "voltage", swing(p[0], p[1]), volts * (OVERLOAD if "time" in plot else 1)
    elif part.ref.startswith("C") and len(p) == 2:
        yield "voltage", swing(p[0], p[1]), volts
    elif part.ref.startswith("D") and part.value.startswith(("SMB", "SMA", "ESD")):
        return
    elif part.ref.startswith("D") and {"1", "2"} <= set(pins) and "3" not in pins:
        yield "reverse voltage", max(k - a for k, a in zip(pins["1"], pins["2"])), volts
    elif part.ref.startswith("Q") and len(pins) >= 3:
        drain, source = ("2", "3") if "4" in pins else ("3", "2")
        yield "voltage", swing(pins[drain], pins[source]), volts
    elif part.value.startswith("TLP") and {"3", "4"} <= set(pins):
        yield "voltage", swing(pins["3"], pins["4"]), volts
    elif part.ref.startswith("F") and len(p) == 2:
        yield "voltage", swing(p[0], p[1]), volts
    elif part.value.startswith(("TLV9", "MCP6561", "74LVC1G66")):
        ground = {"TLV9064IDR": "11", "TLV9004IDR": "11", "MCP6561T-E/OT": "2", "74LVC1G66GW": "3"}[part.value]
        supply = {"11": "4", "2": "5", "3": "5"}[ground]
        for pin, wave in pins.items():
            if pin != ground and ground in pins and supply in pins:
                over = max(max(w - s, g - w) for w, s, g in zip(wave, pins[supply], pins[ground]))
                yield f"pin {pin} beyond its rails", over, CLAMP


def main():
    worst, count, parts = (0, ""), 0, set()
    misses = []
    for plot in SEEN:
        if "frequency" in plot:
            continue
        for ref, part in PARTS.items():
            pins = nodes(part, plot)
            if len(pins) < 2:
                continue
            for what, value, limit in stress(part, pins, plot):
                if not limit:
                    misses.append(f"{ref} {part.value}: no rating for {what}")
                    continue
                count += 1
                parts.add(ref)
                if value / limit > worst[0]:
                    worst = (value / limit, f"{ref} {part.value} {what} {value:.3g} of {limit:g}")
                if value > limit:
                    misses.append(f"{ref} {part.value}: {what} {value:.3g}, limit {limit:g}")
    for m in sorted(set(misses))[:20]:
        print("      " + m)
    check(f"parts beyond their rating ({len(parts)} parts, {len(SEEN)} plots; highest: {worst[1]})", len({m.split(':')[0] for m in misses}), "parts", 0, 0)
    check("parts whose rating was compared", len(parts), "parts", 100)
