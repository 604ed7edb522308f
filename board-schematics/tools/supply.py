"""Power taken from the host, from the field Current of the parts: rail, mA idle, mA in a call."""

RATIO, CONVERTER = 1.3, 0.90    # transformer; push-pull stage and rectifiers
PHOTOMOS_MA, EEPROM_3V3 = 6.2, 3.3
LEDS = {"pair": (0, 1), "matrix": (1, 3)}  # photo-MOS lit: idle (SCAN), in a call (OFFHOOK + two contacts)
DRIVE_LED_MA = 3.0


def currents(parts, variant, column):
    """mA by rail; column 1 idle, 2 in a call. Isolators draw the figure on each side."""
    rails = {}
    for part in parts.values():
        words = part.fields.get("Current", "").split()
        if len(words) != 3 or part.fields.get("Variant") not in ("all", variant):
            continue
        milliamps = float(words[column])
        for rail in (("3V3", "3V3L") if words[0] == "ISO" else (words[0],)):
            rails[rail] = rails.get(rail, 0.0) + milliamps
    lit = LEDS[variant][column - 1]
    rails["3V3L"] = rails.get("3V3L", 0) + lit * PHOTOMOS_MA
    rails["5V"] = rails.get("5V", 0) + DRIVE_LED_MA
    return rails


def watts(rails):
    """The line side's 3.3 V comes from its 5 V by a linear regulator, so currents add there."""
    secondary = rails.get("5VL", 0) + rails.get("3V3L", 0)
    primary = secondary * RATIO / CONVERTER
    return (5.0 * (primary + rails.get("5V", 0)) + 3.3 * rails.get("3V3", 0)) / 1000, secondary


def table(parts):
    rows = []
    for variant in ("pair", "matrix"):
        for column, name in ((1, "idle"), (2, "in a call")):
            rails = currents(parts, variant, column)
            power, secondary = watts(rails)
            rows.append((variant, name, rails, secondary, power))
    return rows
