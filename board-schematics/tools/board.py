"""The board as kicad-cli exports it: parts with fields, nets, and the SPICE netlist by page."""
import pathlib
import re

from sexpr import children, parse, value

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Component:
    def __init__(self, ref, val, footprint, sheet, fields):
        self.ref, self.value, self.footprint, self.sheet, self.fields = ref, val, footprint, sheet, fields
        self.pins = {}


def load(path):
    """Reads a kicadsexpr netlist: reference -> Component, net -> [(ref, pin)]."""
    tree = parse(pathlib.Path(path).read_text())
    parts, nets = {}, {}
    for comp in children(children(tree, "components")[0], "comp"):
        fields = {value(f, "name"): (f[-1] if isinstance(f[-1], str) else "") for f in children(children(comp, "fields")[0], "field")} if children(comp, "fields") else {}
        sheet = value(children(comp, "sheetpath")[0], "names").strip("/")
        ref = value(comp, "ref")
        parts[ref] = Component(ref, value(comp, "value"), value(comp, "footprint"), sheet, fields)
    for net in children(children(tree, "nets")[0], "net"):
        name = value(net, "name")
        nodes = [(value(n, "ref"), value(n, "pin")) for n in children(net, "node")]
        nets[name] = nodes
        for ref, pin in nodes:
            parts[ref].pins[pin] = name
    return parts, nets


def clean(node):
    """A node name ngspice takes without quotes; ground symbols of both sides stay apart."""
    node = {"GND": "HGND"}.get(node, node)
    return re.sub(r"[^A-Za-z0-9_]", "_", node.strip("/")).lower()


def spice_lines(path, parts, sheets, without=()):
    """The element lines of the exported netlist that belong to the given pages."""
    out = []
    for line in pathlib.Path(path).read_text().splitlines():
        if not line or line[0] in ".*":
            continue
        words = line.split()
        ref = words[0] if words[0] in parts else words[0][1:]
        if ref not in parts:
            raise ValueError(f"{words[0]}: not in the netlist of the board")
        if parts[ref].sheet not in sheets or ref in without:
            continue
        out.append(" ".join([words[0]] + [clean(w) for w in words[1:-1]] + [words[-1]]))
    return out
