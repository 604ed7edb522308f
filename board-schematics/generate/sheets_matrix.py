"""Pages of the full-matrix variant: taps and crosspoint."""
import chips as U
import parts as P
from kicad import Sheet

TENS = [f"D{i}" for i in range(22)]
UNITS = [f"E{i}" for i in range(10)]


def channel(s, x, y, line, bias):
    """One tap: surge part, bias, divider by six, filter."""
    tap = f"TAP_{line}"
    s.node(line, x, y)
    s.add("D", P.SMAJ18CA, x + 8, y + 3, {1: line, 2: "PGND"}, variant="matrix")
    s.add("R", P.r("1M"), x + 17, y - 3, {1: bias, 2: line}, variant="matrix")
    s.add("R", P.r("1M", "1206"), x + 26, y, {1: line, 2: tap}, rot=90, variant="matrix")
    s.add("R", P.r("200k"), x + 34, y + 3, {1: tap, 2: "LGND"}, variant="matrix")
    s.add("C", P.c("1n"), x + 45, y + 3, {1: tap, 2: "LGND"}, variant="matrix")


def taps(name, title, number, lines, bias, columns, extra):
    s = Sheet(name, title, number)
    s.text(8, 8, "Each tap: 18 V surge part to the panel ground, weak bias (so that a floating line is told from a sunk one), divider by six, 167 us filter.", 1.5)
    for i, line in enumerate(lines):
        channel(s, 22 + 72 * (i // 8), 26 + 22 * (i % 8), line, bias)
    extra(s, columns)
    return s


def tens():
    def extra(s, _columns):
        s.box(166, 158, 324, 202, "Terminals")
        for i in range(2):
            s.add("J", U.terminal(f"TENS_{8 * i}_{8 * i + 7}", TENS[8 * i:8 * i + 8], "matrix"), 240 + 44 * i, 178,
                  {n + 1: TENS[8 * i + n] for n in range(8)}, variant="matrix")
        s.add("J", U.terminal("TENS_16_21", TENS[16:22] + ["PANEL_GND", "PANEL_GND"], "matrix"), 190, 178,
              {**{n + 1: TENS[16 + n] for n in range(6)}, 7: "PGND", 8: "PGND"}, variant="matrix")
        mux(s, 262, 64, [f"TAP_D{i}" for i in range(16)], "MUX_T_N")
    return taps("taps-tens", "Tap conditioning: 22 tens lines", 8, TENS, "BIAS_T", 3, extra)


def mux(s, x, y, inputs, enable):
    order = [9, 8, 7, 6, 5, 4, 3, 2, 23, 22, 21, 20, 19, 18, 17, 16]
    s.add("U", U.MUX16, x, y, {**dict(zip(order, inputs)), 1: "TAP_COM", 10: "MUX_S0", 11: "MUX_S1", 14: "MUX_S2", 13: "MUX_S3", 15: enable, 24: "3V3L", 12: "LGND"})
    s.add("R", P.r("10k"), x + 24, y + 22, {1: "3V3L", 2: enable}, variant="matrix")
    s.add("C", P.c("100n"), x + 36, y + 22, {1: "3V3L", 2: "LGND"}, variant="matrix")


def units():
    def extra(s, _columns):
        s.box(166, 100, 324, 202, "Terminals and panel ground")
        s.add("J", U.terminal("UNITS_0_7", UNITS[:8], "matrix"), 190, 124, {n + 1: UNITS[n] for n in range(8)}, variant="matrix")
        s.add("J", U.terminal("UNITS_8_9", UNITS[8:], "matrix"), 240, 120, {1: "E8", 2: "E9"}, variant="matrix")
        s.add("U", P.PHOTOMOS_MATRIX, 212, 170, {1: "SCAN_LED", 2: "SCAN_N", 4: "PGND", 3: "LGND"})
        s.add("R", P.r("270"), 207, 162, {1: "3V3L", 2: "SCAN_LED"}, variant="matrix")
        s.text(238, 150, "PANEL_GND is the minus of the panel's switch. SCAN joins it to LGND\nwhile the buses are read. Before the crosspoint connects, SCAN opens:\n"
                         "in a call LGND is the selected line of the sunk side, and the\nloop current returns through the bus as a handset's does.\n\n"
                         "Both muxes share TAP_COM; only one enable is low at a time.\nBoth enables high (reset): TAP_COM falls to zero through 10 MOhm.")
        mux(s, 250, 50, [f"TAP_E{i}" for i in range(10)] + [f"TAP_D{i}" for i in range(16, 22)], "MUX_U_N")
    return taps("taps-units", "Tap conditioning: 10 units lines, panel ground", 9, UNITS, "BIAS_U", 2, extra)


def crosspoint():
    s = Sheet("crosspoint", "Crosspoint: one tens and one units line to the handset circuit", 10)
    s.text(8, 8, "A closed photo-MOS conducts both ways and an open one blocks both ways. The one-way guard is the diode in every load branch of page 2.", 1.6)
    pins = [21, 22, 23, 24, 25, 26, 27, 28, 1, 2, 3, 4, 5, 6, 7, 8]
    for i, line in enumerate(TENS + UNITS):
        side = "T" if line[0] == "D" else "U"
        x, y = 28 + 46 * (i // 8), 28 + 22 * (i % 8)
        s.add("U", P.PHOTOMOS_MATRIX, x, y, {1: f"XP_{line}_A", 2: f"XP_{line}_N", 4: line, 3: f"XP_{side}"})
        s.add("R", P.r("270"), x - 5, y - 7, {1: "3V3L", 2: f"XP_{line}_A"}, variant="matrix")
    for i in range(2):
        nets = {p: f"XP_{line}_N" for p, line in zip(pins, (TENS + UNITS)[16 * i:16 * i + 16])}
        s.add("U", U.MCP23017_MATRIX, 226 + 56 * i, 56, {12: "SCL_L", 13: "SDA_L", 18: "DRIVE_OK_L", 20: None, 19: None, 15: ["3V3L", "LGND"][i], 16: ["LGND", "3V3L"][i],
                                                        17: "LGND", 11: None, 14: None, 9: "3V3L", 10: "LGND", **nets})
        s.add("C", P.c("100n"), 240 + 56 * i, 92, {1: "3V3L", 2: "LGND"}, variant="matrix")
    s.text(216, 24, "0x21: tens D0..D15", 1.6, True)
    s.text(272, 24, "0x22: tens D16..D21, units E0..E9", 1.6, True)
    s.box(196, 108, 316, 186, "Reverse relay: released = tens side is plus")
    s.add("K", P.RELAY2_MATRIX, 244, 142, {1: "V_DRV", 8: "K2_LOW", 3: "LINE_P", 2: "XP_T", 4: "XP_U", 6: "LGND", 7: "XP_U", 5: "XP_T"})
    for x in (242, 250):
        s.node("XP_T", x, 129)
    for x in (244, 248):
        s.node("XP_U", x, 133)
    s.node("K2_LOW", 226, 151)
    s.node("K2_LOW", 238, 151)
    s.add("D", P.D4148, 226, 142, {2: "K2_LOW", 1: "V_DRV"}, rot=90, variant="matrix")
    s.add("Q", P.BSS138, 237, 158, {1: "REVERSE", 3: "K2_LOW", 2: "LGND"}, variant="matrix")
    s.add("R", P.r("100k"), 220, 161, {1: "REVERSE", 2: "LGND"}, variant="matrix")
    s.node("REVERSE", 220, 158)
    s.text(256, 150, "On a switch that sources the units side\nthe profile sets REVERSE, and BIAS_T,\nBIAS_U the other way round.\n\n"
                     "To connect: SCAN open, REVERSE set,\none tens and one units line closed,\nthen the load. Back in opposite order.")
    return s
