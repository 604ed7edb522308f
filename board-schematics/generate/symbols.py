"""Drawn symbols: pins, bodies and outlines. Lengths in grid units of 1.27 mm, y up."""
from kicad import mm


class Pin:
    def __init__(self, number, name, kind, x, y, out, length=2):
        self.number, self.name, self.kind = str(number), name, kind
        self.x, self.y, self.out, self.length = x, y, out, length


class Symbol:
    def __init__(self, name, prefix, description=""):
        self.name, self.prefix, self.description = name, prefix, description
        self.pins, self.graphics, self.bodies = {}, {}, {}
        self.power = self.virtual = False
        self.show_names = self.show_numbers = True

    @property
    def units(self):
        return sorted(self.pins)

    def pins_of(self, unit):
        return self.pins[unit]

    def body_of(self, unit):
        return self.bodies[unit]


def line(*pts, width=0.2, fill="none"):
    xy = " ".join(f"(xy {mm(x)} {mm(y)})" for x, y in pts)
    return f"(polyline (pts {xy}) (stroke (width {width}) (type default)) (fill (type {fill})))"


def rect(x0, y0, x1, y1, fill="none"):
    return (f"(rectangle (start {mm(x0)} {mm(y0)}) (end {mm(x1)} {mm(y1)})"
            f" (stroke (width 0.2) (type default)) (fill (type {fill})))")


def circle(x, y, r):
    return f"(circle (center {mm(x)} {mm(y)}) (radius {mm(r)}) (stroke (width 0.2) (type default)) (fill (type none)))"


def simple(name, prefix, description, pins, body, graphics, numbers=False, names=False):
    s = Symbol(name, prefix, description)
    s.pins[1], s.bodies[1], s.graphics[1] = pins, body, graphics
    s.show_numbers, s.show_names = numbers, names
    return s


def upright(a="passive", b="passive", na="~", nb="~"):
    """Pin 1 above, pin 2 below."""
    return [Pin(1, na, a, 0, 3, (0, 1), 1), Pin(2, nb, b, 0, -3, (0, -1), 1)]


def across(n1="1", n2="2", name1="A", name2="K", length=2):
    """First pin left, second right."""
    return [Pin(n1, name1, "passive", -3, 0, (-1, 0), length), Pin(n2, name2, "passive", 3, 0, (1, 0), length)]


R = simple("R", "R", "Resistor", upright(), (-0.8, -2, 0.8, 2), [rect(-0.8, -2, 0.8, 2)])
PTC = simple("PTC", "F", "Resettable fuse", upright(), (-0.8, -2, 0.8, 2),
             [rect(-0.8, -2, 0.8, 2), line((-1.6, -2), (-1.0, -2), (1.4, 2))])
C = simple("C", "C", "Capacitor", [Pin(1, "~", "passive", 0, 3, (0, 1), 2.5), Pin(2, "~", "passive", 0, -3, (0, -1), 2.5)],
           (-1.6, -0.5, 1.6, 0.5), [line((-1.6, 0.5), (1.6, 0.5), width=0.4), line((-1.6, -0.5), (1.6, -0.5), width=0.4)])
CP = simple("CP", "C", "Polarised capacitor, pin 1 positive",
            [Pin(1, "+", "passive", 0, 3, (0, 1), 2.5), Pin(2, "-", "passive", 0, -3, (0, -1), 2.5)],
            (-1.6, -0.5, 1.6, 0.5), [rect(-1.6, 0.1, 1.6, 0.5), line((-1.6, -0.5), (1.6, -0.5), width=0.5),
                                     line((-1.4, 1.2), (-0.6, 1.2)), line((-1.0, 0.8), (-1.0, 1.6))])
_DIODE = [line((-1, 1), (-1, -1), (1, 0), (-1, 1)), line((1, 1), (1, -1), width=0.3)]
D = simple("D", "D", "Diode, pin 1 cathode", across("2", "1"), (-1, -1, 1, 1), _DIODE)
LED = simple("LED", "D", "Light emitting diode, pin 1 cathode", across("2", "1"), (-1, -1, 1, 1),
             _DIODE + [line((0, 1.4), (0.9, 2.3)), line((0.8, 1.4), (1.7, 2.3))])
TVS = simple("TVS", "D", "Bidirectional surge suppressor", upright(na="A1", nb="A2"), (-1, -2, 1, 2),
             [line((-1, 2), (1, 2), (0, 0), (-1, 2)), line((-1, -2), (1, -2), (0, 0), (-1, -2)),
              line((-1.4, -0.4), (-1, 0), (1, 0), (1.4, 0.4), width=0.3)])
FB = simple("FB", "L", "Ferrite bead", upright(), (-0.8, -2, 0.8, 2), [line((-0.8, -1.2), (0.8, -2), (0.8, 1.2), (-0.8, 2), (-0.8, -1.2))])
GDT = simple("GDT", "GD", "Three-electrode gas discharge tube, pin 2 centre",
             [Pin(1, "A", "passive", -4, 0, (-1, 0)), Pin(3, "B", "passive", 4, 0, (1, 0)), Pin(2, "E", "passive", 0, -4, (0, -1))],
             (-2, -2, 2, 2), [circle(0, 0, 2), line((-2, 0), (-0.8, 0)), line((2, 0), (0.8, 0)), line((0, -2), (0, -0.8))], True)
NPN = simple("NPN", "Q", "NPN transistor (SOT-23: 1 B, 2 E, 3 C)",
             [Pin(1, "B", "input", -4, 0, (-1, 0), 3), Pin(3, "C", "passive", 1, 4, (0, 1), 2), Pin(2, "E", "passive", 1, -4, (0, -1), 2)],
             (-1, -2, 1.6, 2), [line((-1, 1.4), (-1, -1.4), width=0.4), line((-1, 0.5), (1, 2)), line((-1, -0.5), (1, -2)),
                                line((0.1, -1.8), (1, -2), (0.5, -1.2))], True)
NPN223 = simple("NPN_SOT223", "Q", "NPN transistor (SOT-223: 1 B, 2 C, 3 E, 4 C)",
                [Pin(1, "B", "input", -4, 0, (-1, 0), 3), Pin(2, "C", "passive", 1, 4, (0, 1), 2),
                 Pin(4, "C", "passive", 3, 4, (0, 1), 2), Pin(3, "E", "passive", 1, -4, (0, -1), 2)],
                (-1, -2, 3.4, 2), NPN.graphics[1] + [line((1, 2), (3, 2))], True)
_FET = [line((-1, 1.6), (-1, -1.6), width=0.3), line((-0.5, 1.6), (-0.5, 0.8), width=0.3), line((-0.5, 0.4), (-0.5, -0.4), width=0.3),
        line((-0.5, -0.8), (-0.5, -1.6), width=0.3), line((-0.5, 1.2), (1, 1.2), (1, 2)), line((-0.5, -1.2), (1, -1.2), (1, -2)),
        line((-0.5, 0), (1, 0), (1, -1.2)), line((1, 1.2), (2, 1.2), (2, -1.2), (1, -1.2)), line((1.6, 0.2), (2.4, 0.2))]
NMOS = simple("NMOS", "Q", "N-channel MOSFET (SOT-23: 1 G, 2 S, 3 D)",
              [Pin(1, "G", "input", -4, 0, (-1, 0), 3), Pin(3, "D", "passive", 1, 4, (0, 1), 2), Pin(2, "S", "passive", 1, -4, (0, -1), 2)],
              (-1, -2, 2.4, 2), _FET + [line((0.5, 0.3), (-0.3, 0), (0.5, -0.3)), line((1.6, -0.4), (2, 0.2), (2.4, -0.4))], True)
NMOS223 = simple("NMOS_SOT223", "Q", "N-channel MOSFET (SOT-223: 1 G, 2 D, 3 S, 4 D)",
                 [Pin(1, "G", "input", -4, 0, (-1, 0), 3), Pin(2, "D", "passive", 1, 4, (0, 1), 2), Pin(4, "D", "passive", 3, 4, (0, 1), 2),
                  Pin(3, "S", "passive", 1, -4, (0, -1), 2)], (-1, -2, 3.4, 2), NMOS.graphics[1] + [line((1, 2), (3, 2))], True)
PMOS = simple("PMOS", "Q", "P-channel MOSFET, source above (SOT-23: 1 G, 2 S, 3 D)",
              [Pin(1, "G", "input", -4, 0, (-1, 0), 3), Pin(2, "S", "passive", 1, 4, (0, 1), 2), Pin(3, "D", "passive", 1, -4, (0, -1), 2)],
              (-1, -2, 2.4, 2), _FET + [line((-0.2, 0.3), (0.6, 0), (-0.2, -0.3)), line((1.6, -0.2), (2, 0.4), (2.4, -0.2))], True)
PHOTOMOS = simple("PHOTOMOS", "U", "Photo-MOS relay, form A (SO-4)",
                  [Pin(1, "A", "passive", -5, 2, (-1, 0)), Pin(2, "K", "passive", -5, -2, (-1, 0)),
                   Pin(4, "D1", "passive", 5, 2, (1, 0)), Pin(3, "D2", "passive", 5, -2, (1, 0))],
                  (-3, -3, 3, 3), [rect(-3, -3, 3, 3, "background"), line((-3, 2), (-1.6, 2), (-1.6, -2), (-3, -2)),
                                   line((-2.2, 0.6), (-1, 0.6), (-1.6, -0.6), (-2.2, 0.6)), line((-2.2, -0.6), (-1, -0.6)),
                                   line((3, 2), (1.6, 2), (1.6, 0.9), (2.2, -0.6)), line((1.6, -0.8), (1.6, -2), (3, -2)),
                                   line((-0.6, 0.3), (0.5, 0.3)), line((-0.6, -0.3), (0.5, -0.3))], True)
RELAY2 = simple("RELAY_DPDT", "K", "Signal relay, two change-over contacts, drawn released",
                [Pin(1, "A1", "passive", -6, 4, (0, 1)), Pin(8, "A2", "passive", -6, -4, (0, -1)),
                 Pin(3, "COM1", "passive", -1, -4, (0, -1)), Pin(2, "NC1", "passive", -2, 4, (0, 1)), Pin(4, "NO1", "passive", 0, 4, (0, 1)),
                 Pin(6, "COM2", "passive", 5, -4, (0, -1)), Pin(7, "NC2", "passive", 4, 4, (0, 1)), Pin(5, "NO2", "passive", 6, 4, (0, 1))],
                (-8, -2, 7, 2), [rect(-8, -1, -4, 1), line((-6, 2), (-6, 1)), line((-6, -2), (-6, -1)), line((-7, -1), (-5, 1)),
                                 line((-1, -2), (-1, -1), (-2.2, 1.2)), line((-2, 2), (-2, 1)), line((0, 2), (0, 1)),
                                 line((5, -2), (5, -1), (3.8, 1.2)), line((4, 2), (4, 1)), line((6, 2), (6, 1))], True)
RELAY1 = simple("RELAY_SPDT", "K", "Power relay, one change-over contact, drawn released",
                [Pin(2, "A1", "passive", -5, 4, (0, 1)), Pin(5, "A2", "passive", -5, -4, (0, -1)),
                 Pin(1, "COM", "passive", 2, -4, (0, -1)), Pin(4, "NC", "passive", 1, 4, (0, 1)), Pin(3, "NO", "passive", 3, 4, (0, 1))],
                (-7, -2, 4, 2), [rect(-7, -1, -3, 1), line((-5, 2), (-5, 1)), line((-5, -2), (-5, -1)), line((-6, -1), (-4, 1)),
                                 line((2, -2), (2, -1), (0.8, 1.2)), line((1, 2), (1, 1)), line((3, 2), (3, 1))], True)
BAT54S = simple("BAT54S", "D", "Two Schottky diodes in series: 1 anode, 2 cathode, 3 middle",
                [Pin(1, "A", "passive", 0, -4, (0, -1), 1), Pin(2, "K", "passive", 0, 4, (0, 1), 1), Pin(3, "M", "passive", -4, 0, (-1, 0), 4)],
                (-1, -3, 1, 3), [line((-1, -2.6), (1, -2.6), (0, -0.8), (-1, -2.6)), line((-1, -0.8), (1, -0.8)), line((0, -0.8), (0, 0.8)),
                                 line((-1, 0.8), (1, 0.8), (0, 2.6), (-1, 0.8)), line((-1, 2.6), (1, 2.6))], True)
TP = simple("TESTPOINT", "TP", "Test point", [Pin(1, "~", "passive", 0, -2, (0, -1), 1)], (-0.8, -1, 0.8, 1), [circle(0, 0, 0.8)])
FLAG = simple("PWR_FLAG", "#FLG", "Marks a rail as fed", [Pin(1, "~", "power_out", 0, 0, (0, -1), 0)], (-1, 0, 1, 2),
              [line((0, 0), (0, 1), (-0.8, 1.5), (0, 2), (0.8, 1.5), (0, 1))])
FLAG.virtual = True
HOLE = simple("MOUNTING_HOLE", "H", "Mounting hole with pad", [Pin(1, "~", "passive", 0, -3, (0, -1), 2)], (-1, -1, 1, 1), [circle(0, 0, 1)])


def opamp(name, description, per_package, plus="V+", minus="V-"):
    """Multi-unit op-amp in the standard dual or quad pin-out, or a single comparator."""
    s = Symbol(name, "U", description)
    table = {1: [(4, 3, 1)], 2: [(2, 3, 1), (6, 5, 7)], 4: [(2, 3, 1), (6, 5, 7), (9, 10, 8), (13, 12, 14)]}[per_package]
    supply = {1: (5, 2), 2: (8, 4), 4: (4, 11)}[per_package]
    if per_package == 1:
        table = [(4, 3, 1)]
    for unit, (inv, non, out) in enumerate(table, 1):
        s.pins[unit] = [Pin(inv, "-", "input", -5, 2, (-1, 0)), Pin(non, "+", "input", -5, -2, (-1, 0)),
                        Pin(out, "~", "output", 5, 0, (1, 0))]
        s.bodies[unit] = (-3, -4, 3, 4)
        s.graphics[unit] = [line((-3, 4), (-3, -4), (3, 0), (-3, 4), fill="background")]
    unit = per_package + 1
    s.pins[unit] = [Pin(supply[0], plus, "power_in", 0, 5, (0, 1)), Pin(supply[1], minus, "power_in", 0, -5, (0, -1))]
    s.bodies[unit] = (-2, -3, 2, 3)
    s.graphics[unit] = [rect(-2, -3, 2, 3, "background")]
    return s


def box(name, prefix, description, left, right, top=(), bottom=(), width=None, pitch=2):
    """A rectangular symbol. Each side lists (number, name, kind), or None for a gap."""
    s = Symbol(name, prefix, description)
    rows = max(len(left), len(right))
    height = (rows + 1) * pitch
    half = width or max(6, (max([len(p[1]) for p in left if p] + [0]) + max([len(p[1]) for p in right if p] + [0])) * 0.45 + 3)
    half = int(half) + int(half) % 2
    top_y = (height // 2) - (height // 2) % 1
    pins = []
    for side, x, out in ((left, -half - 2, (-1, 0)), (right, half + 2, (1, 0))):
        for i, p in enumerate(side):
            if p:
                pins.append(Pin(p[0], p[1], p[2], x, top_y - (i + 1) * pitch, out))
    low = top_y - height
    for side, y, out in ((top, top_y + 2, (0, 1)), (bottom, low - 2, (0, -1))):
        start = -(len(side) - 1) * 2 // 2 * 2 // 2
        for i, p in enumerate(side):
            if p:
                pins.append(Pin(p[0], p[1], p[2], start + i * 2, y, out))
    s.pins[1], s.bodies[1] = pins, (-half, low, half, top_y)
    s.graphics[1] = [rect(-half, low, half, top_y, "background")]
    return s


def rail(net, direction):
    """A power symbol for one net."""
    s = Symbol(net, "#PWR", f"Net {net}")
    s.power, s.show_names, s.show_numbers = True, False, False
    out = (0, -1) if direction == "up" else (0, 1)
    s.pins[1] = [Pin(1, net, "power_in", 0, 0, out, 0)]
    s.bodies[1] = (-1, 0, 1, 2) if direction == "up" else (-1, -2, 1, 0)
    if direction == "up":
        s.graphics[1] = [line((0, 0), (0, 1.4)), line((-0.6, 0.8), (0, 1.6), (0.6, 0.8))]
    elif net == "GND":
        s.graphics[1] = [line((0, 0), (0, -1)), line((-1, -1), (1, -1), (0, -2), (-1, -1))]
    else:
        s.graphics[1] = [line((0, 0), (0, -1)), line((-1, -1), (1, -1)), line((-0.6, -1.5), (0.6, -1.5)), line((-0.2, -2), (0.2, -2))]
    return s
