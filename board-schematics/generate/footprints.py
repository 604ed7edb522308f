"""Land patterns. Sizes in millimetres, after IPC-7351 nominal or the maker's drawing."""
from kicad import make_uuid


def _pad(number, kind, shape, x, y, w, h, drill=None):
    layers = '"*.Cu" "*.Mask"' if drill else '"F.Cu" "F.Paste" "F.Mask"'
    hole = f" (drill {drill if isinstance(drill, str) else format(drill, 'g')})" if drill else ""
    return f'\t(pad "{number}" {kind} {shape} (at {x:g} {y:g}) (size {w:g} {h:g}){hole} (layers {layers}))'


def _chip(pitch, w, h, body):
    return [("1", "smd", -pitch / 2, 0, w, h, None), ("2", "smd", pitch / 2, 0, w, h, None)], body


def _dual(n, pitch, row, w, h, body):
    """Two rows of pins, counted counter-clockwise from the top left."""
    half, pads = n // 2, []
    for i in range(half):
        y = (i - (half - 1) / 2) * pitch
        pads.append((str(i + 1), "smd", -row / 2, y, w, h, None))
        pads.append((str(n - i), "smd", row / 2, y, w, h, None))
    return pads, body


def _through(points, size, drill, body):
    return [(str(n), "thru_hole", x, y, size, size, drill) for n, x, y in points], body


def _qfn24():
    pads = []
    for i in range(6):
        o = (i - 2.5) * 0.5
        pads += [(str(i + 1), "smd", -1.95, o, 0.8, 0.28, None), (str(i + 7), "smd", o, 1.95, 0.28, 0.8, None),
                 (str(18 - i), "smd", 1.95, o, 0.8, 0.28, None), (str(24 - i), "smd", o, -1.95, 0.28, 0.8, None)]
    return pads + [("25", "smd", 0, 0, 2.6, 2.6, None)], (4, 4)


def _sot223():
    return [("1", "smd", -3.15, -2.3, 2, 1.5, None), ("2", "smd", -3.15, 0, 2, 1.5, None), ("3", "smd", -3.15, 2.3, 2, 1.5, None),
            ("4", "smd", 3.15, 0, 2, 3.8, None)], (3.5, 6.5)


def _sot23(n):
    if n == 3:
        return [("1", "smd", -0.95, -0.95, 1.3, 0.6, None), ("2", "smd", -0.95, 0.95, 1.3, 0.6, None), ("3", "smd", 0.95, 0, 1.3, 0.6, None)], (1.3, 2.9)
    pads, body = _dual(6, 0.95, 2.4, 1.2, 0.6, (1.6, 2.9))
    if n == 5:
        names = {"6": "5", "4": "4", "5": None}
        pads = [(names.get(p[0], p[0]), *p[1:]) for p in pads if names.get(p[0], p[0])]
    return pads, body


def _usb_c():
    spec = {"A1": -3.2, "A4": -2.4, "A5": -1.25, "A6": -0.25, "A7": 0.25, "B5": 1.75, "B6": 0.75, "B7": -0.75}
    pads = [(n, "smd", x, -3.68, 0.3 if n not in ("A1", "A4") else 0.6, 1.15, None) for n, x in spec.items()]
    pads += [("A1", "smd", 3.2, -3.68, 0.6, 1.15, None), ("A4", "smd", 2.4, -3.68, 0.6, 1.15, None)]
    pads += [("S1", "thru_hole", x, -3.105, 1.0, 2.1, "oval 0.6 1.7") for x in (-4.32, 4.32)]
    pads += [("S1", "thru_hole", x, 1.075, 1.0, 1.8, "oval 0.6 1.4") for x in (-4.32, 4.32)]
    pads += [("", "np_thru_hole", x, -2.605, 0.65, 0.65, 0.65) for x in (-2.89, 2.89)]
    return pads, (8.94, 7.3)


def _terminal(n):
    return _through([(i + 1, (i - (n - 1) / 2) * 5.08, 0) for i in range(n)], 2.6, 1.3, (5.08 * n + 0.5, 8.5))


TABLE = {
    "R_0603": lambda: _chip(1.65, 0.8, 0.95, (1.6, 0.8)), "C_0603": lambda: _chip(1.55, 0.9, 0.95, (1.6, 0.8)), "LED_0603": lambda: _chip(1.6, 0.85, 0.95, (1.6, 0.8)),
    "R_0805": lambda: _chip(1.9, 1.0, 1.4, (2.0, 1.25)), "C_0805": lambda: _chip(1.9, 1.0, 1.45, (2.0, 1.25)), "R_1206": lambda: _chip(2.9, 1.15, 1.75, (3.2, 1.6)),
    "R_2512": lambda: _chip(6.0, 1.4, 3.3, (6.3, 3.2)), "CP_6.3x7.7": lambda: _chip(5.4, 3.5, 1.6, (6.6, 6.6)), "D_SMA": lambda: _chip(4.0, 2.5, 1.8, (4.6, 2.7)),
    "D_SMB": lambda: _chip(4.3, 2.5, 2.3, (4.6, 3.9)), "D_SOD123": lambda: _chip(3.3, 1.2, 1.2, (2.8, 1.8)), "D_SOD323": lambda: _chip(2.3, 0.9, 0.8, (1.8, 1.4)),
    "SOT-23": lambda: _sot23(3), "SOT-23-5": lambda: _sot23(5), "SOT-23-6": lambda: _sot23(6), "SOT-223": _sot223, "QFN-24": _qfn24, "USB_C_16P": _usb_c,
    "SC-70-5": lambda: ([(n, "smd", x, y, 0.9, 0.4, None) for n, x, y in (("1", -0.95, -0.65), ("2", -0.95, 0), ("3", -0.95, 0.65), ("4", 0.95, 0.65), ("5", 0.95, -0.65))], (1.25, 2)),
    "SO-4": lambda: _dual(4, 2.54, 6.3, 1.6, 0.9, (4.4, 4.3)), "SOIC-8": lambda: _dual(8, 1.27, 5.0, 1.95, 0.6, (3.9, 4.9)),
    "SOIC-14": lambda: _dual(14, 1.27, 5.0, 1.95, 0.6, (3.9, 8.7)), "SOIC-16": lambda: _dual(16, 1.27, 5.0, 1.95, 0.6, (3.9, 9.9)),
    "SOIC-16W": lambda: _dual(16, 1.27, 9.3, 2.0, 0.6, (7.5, 10.3)), "SOIC-28W": lambda: _dual(28, 1.27, 9.3, 2.0, 0.6, (7.5, 17.9)),
    "TSSOP-28": lambda: _dual(28, 0.65, 5.7, 1.5, 0.4, (4.4, 9.7)), "SSOP-24": lambda: _dual(24, 0.65, 7.2, 1.8, 0.4, (5.3, 8.2)),
    "OSC_3225": lambda: ([("1", "smd", -1.1, 0.85, 1.4, 1.2, None), ("2", "smd", 1.1, 0.85, 1.4, 1.2, None), ("3", "smd", 1.1, -0.85, 1.4, 1.2, None),
                          ("4", "smd", -1.1, -0.85, 1.4, 1.2, None)], (3.2, 2.5)),
    "GDT_3P": lambda: ([("1", "smd", -3.4, 0, 1.2, 4, None), ("2", "smd", 0, 0, 1.6, 4, None), ("3", "smd", 3.4, 0, 1.2, 4, None)], (7.6, 5)),
    "RELAY_G6K2F": lambda: ([(str(n), "smd", -3.5 if n < 5 else 3.5, (-3.8, -0.6, 1.6, 3.8)[n - 1 if n < 5 else 8 - n], 1.8, 0.8, None) for n in range(1, 9)], (6.5, 10)),
    "RELAY_G5LE": lambda: _through([(1, 0, 0), (2, 2, 6), (3, 14.2, 6), (4, 14.2, -6), (5, 2, -6)], 2.5, 1.3, (22.5, 16.5)),
    "TRAFO_760390014": lambda: _dual(6, 2.54, 9.7, 1.9, 1.3, (8.3, 9.1)),
    "PIN_2x20": lambda: _through([(2 * i + 1 + r, (i - 9.5) * 2.54, -1.27 + 2.54 * r) for i in range(20) for r in range(2)], 1.7, 1.0, (51, 5.2)),
    "TP_1.5": lambda: ([("1", "smd", 0, 0, 1.5, 1.5, None)], (1.5, 1.5)), "HOLE_2.7": lambda: ([("1", "thru_hole", 0, 0, 5, 5, 2.7)], (5, 5)),
}
for _n in (2, 3, 5, 6, 8):
    TABLE[f"TB_5.08_{_n}"] = lambda n=_n: _terminal(n)


def text(name):
    pads, (w, h) = TABLE[name]()
    smd = all(p[1] == "smd" for p in pads)
    x, y = max([w / 2] + [abs(p[2]) + p[4] / 2 for p in pads]) + 0.25, max([h / 2] + [abs(p[3]) + p[5] / 2 for p in pads]) + 0.25
    out = [f'(footprint "{name}" (version 20241229) (generator "trubka") (layer "F.Cu")', f"\t(attr {'smd' if smd else 'through_hole'})",
           f'\t(property "Reference" "REF**" (at 0 {-y - 1:g} 0) (layer "F.SilkS") (uuid "{make_uuid(name, "r")}") (effects (font (size 0.8 0.8) (thickness 0.12))))',
           f'\t(property "Value" "{name}" (at 0 {y + 1:g} 0) (layer "F.Fab") (uuid "{make_uuid(name, "v")}") (effects (font (size 0.8 0.8) (thickness 0.12))))',
           f'\t(fp_rect (start {-x:g} {-y:g}) (end {x:g} {y:g}) (stroke (width 0.05) (type solid)) (fill no) (layer "F.CrtYd") (uuid "{make_uuid(name, "c")}"))',
           f'\t(fp_rect (start {-w / 2:g} {-h / 2:g}) (end {w / 2:g} {h / 2:g}) (stroke (width 0.1) (type solid)) (fill no) (layer "F.Fab") (uuid "{make_uuid(name, "f")}"))']
    for number, kind, px, py, pw, ph, drill in pads:
        shape = "roundrect" if kind == "smd" else "circle" if pw == ph else "oval"
        line = _pad(number, kind, shape, px, py, pw, ph, drill)
        out.append(line[:-1] + " (roundrect_rratio 0.2))" if shape == "roundrect" else line)
    return "\n".join(out) + "\n)\n"
