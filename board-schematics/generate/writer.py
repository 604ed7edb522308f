"""Text of .kicad_sch pages, the root page and the symbol library."""
from kicad import GRID, PAPER, Wiring, make_uuid, mm, quote, rotate

VERSION = 20250114
FIELD_ORDER = ("Tolerance", "Rating", "Maker", "MPN", "Alternative", "Variant", "Current",
               "Sim.Device", "Sim.Library", "Sim.Name", "Sim.Pins")


def effects(size=1.27, bold=False, justify="", hide=False):
    just = f" (justify {justify})" if justify else ""
    return (f"(effects (font (size {size:g} {size:g}){' (bold yes)' if bold else ''}){just}"
            f"{' (hide yes)' if hide else ''})")


def prop(name, value, x, y, angle=0, justify="", hide=False, size=1.27):
    return (f"\t\t(property {quote(name)} {quote(value)} (at {mm(x)} {mm(y)} {angle})"
            f" {effects(size, False, justify, hide)})")


def library_symbol(symbol, prefix=""):
    """One entry of lib_symbols, or of the library file when `prefix` is empty."""
    out = [f"\t(symbol {quote(prefix + symbol.name)}"]
    if symbol.power:
        out.append("\t\t(power)")
    names = "" if symbol.show_names else " (hide yes)"
    numbers = "" if symbol.show_numbers else "\t\t(pin_numbers (hide yes))\n"
    out.append(f"{numbers}\t\t(pin_names (offset 0.5){names}) (exclude_from_sim no) (in_bom yes) (on_board yes)")
    out.append(prop("Reference", symbol.prefix, 0, 3, hide=symbol.power))
    out.append(prop("Value", symbol.name, 0, -3))
    for name in ("Footprint", "Datasheet"):
        out.append(prop(name, "", 0, 0, hide=True))
    out.append(prop("Description", symbol.description, 0, 0, hide=True))
    for unit in symbol.units:
        out.append(f"\t\t(symbol {quote(f'{symbol.name}_{unit}_1')}")
        out += ["\t\t\t" + g for g in symbol.graphics.get(unit, [])]
        for p in symbol.pins_of(unit):
            angle = {(-1, 0): 0, (1, 0): 180, (0, 1): 270, (0, -1): 90}[p.out]
            out.append(f"\t\t\t(pin {p.kind} line (at {mm(p.x)} {mm(p.y)} {angle}) (length {mm(p.length)})"
                       f" (name {quote(p.name)} {effects(1.0)}) (number {quote(p.number)} {effects(1.0)}))")
        out.append("\t\t)")
    out.append("\t\t(embedded_fonts no)\n\t)")
    return "\n".join(out)


def library_file(symbols):
    body = "\n".join(library_symbol(s) for s in sorted(symbols, key=lambda s: s.name))
    return f'(kicad_symbol_lib (version 20241209) (generator "trubka")\n{body}\n)\n'


def field_places(part):
    """Where reference and value go: (x, y, justify) twice."""
    x0, y0, x1, y1 = part.body()
    sides = [(o[4], o[5]) for o in part.pins()]
    cx = (x0 + x1) / 2
    if all(dx == 0 for dx, _dy in sides) and len(sides) <= 2:
        return (x1 + 0.7, part.y - 1, "left"), (x1 + 0.7, part.y + 1, "left")
    if len(sides) <= 2:
        if part.item.symbol.name == "LED":
            y0 -= 1.6
        return (cx, y0 - 1.1, ""), (cx, y1 + 1.1, "")
    if part.item.symbol.name == "PHOTOMOS" or part.item.symbol.name in ("TLV9064", "TLV9004", "MCP6561") and len(sides) == 3:
        return (cx, y1 + 1.2, ""), (cx, y1 + 2.7, "")
    tops = [p[2] for p in part.pins() if p[5] < 0]
    if part.ref.startswith("K") or (x1 - x0 < 5 and any(dx == 0 for dx, _dy in sides)):
        return (x1 + 0.7, part.y - 1, "left"), (x1 + 0.7, part.y + 1, "left")
    if tops:
        return (max(tops) + 1.6, y0 - 2.6, "left"), (max(tops) + 1.6, y0 - 1.1, "left")
    return (cx, y0 - 2.6, ""), (cx, y0 - 1.1, "")


def flip(justify, part):
    """KiCad mirrors the justification of fields with the symbol."""
    left = rotate(1, 0, part.rot, part.mirror)
    turned = left[0] < 0 or left[1] < 0
    if not justify or not turned:
        return justify
    return "right" if justify == "left" else "left"


def symbol_text(part, sheet, path, project):
    item, key = part.item, (sheet.name, part.ref, part.unit)
    mirror = " (mirror y)" if part.mirror else ""
    in_bom = "no" if item.symbol.virtual else "yes"
    out = [f"\t(symbol (lib_id {quote('trubka:' + item.symbol.name)}) (at {mm(part.x)} {mm(part.y)} {part.rot}){mirror} (unit {part.unit})",
           f"\t\t(exclude_from_sim {'no' if item.simulated else 'yes'}) (in_bom {in_bom})"
           f" (on_board {in_bom}) (dnp no) (uuid {quote(make_uuid(*key))})"]
    angle = 90 if part.rot in (90, 270) else 0
    (rx, ry, rj), (vx, vy, vj) = field_places(part)
    out.append(prop("Reference", part.ref, rx, ry, angle, flip(rj, part), item.symbol.power or item.symbol.virtual))
    out.append(prop("Value", item.value, vx, vy, angle, flip(vj, part),
                    item.symbol.virtual or item.symbol.name == "TESTPOINT"))
    out.append(prop("Footprint", f"trubka:{item.footprint}" if item.footprint else "", part.x, part.y, 0, "", True))
    out.append(prop("Datasheet", "~", part.x, part.y, 0, "", True))
    out.append(prop("Description", item.description, part.x, part.y, 0, "", True))
    fields = dict(item.fields, Variant=part.variant)
    if not item.symbol.virtual:
        for name in FIELD_ORDER:
            if fields.get(name):
                out.append(prop(name, fields[name], part.x, part.y, 0, "", True))
    for number in part.nets:
        out.append(f"\t\t(pin {quote(number)} (uuid {quote(make_uuid(*key, number))}))")
    out.append(f"\t\t(instances (project {quote(project)} (path {quote(path)} (reference {quote(part.ref)}) (unit {part.unit}))))")
    out.append("\t)")
    return "\n".join(out)


def power_text(net, at, way, n, sheet, path, project, symbol, direction):
    key = (sheet.name, "power", n, net)
    down = direction == "down"
    tail = (0, 1) if down else (0, -1)
    if way[0] == 0:
        way = tail
    rot = {(0, 1): 0, (0, -1): 0, (1, 0): 90 if down else 270, (-1, 0): 270 if down else 90}[way]
    tx, ty = at[0] + 2.4 * way[0], at[1] + (3.4 if down else -3.0) * (way[0] == 0)
    just = {0: "", 1: "left", -1: "right"}[way[0]]
    if rot == 90 and just:
        just = "right" if just == "left" else "left"
    ref = f"#PWR{sheet.number}{n:03d}"
    return "\n".join([
        f"\t(symbol (lib_id {quote('trubka:' + symbol.name)}) (at {mm(at[0])} {mm(at[1])} {rot}) (unit 1)",
        f"\t\t(exclude_from_sim no) (in_bom no) (on_board yes) (dnp no) (uuid {quote(make_uuid(*key))})",
        prop("Reference", ref, at[0], at[1], hide=True),
        prop("Value", net, tx, ty, 90 if rot else 0, just, size=1.0),
        prop("Footprint", "", at[0], at[1], hide=True),
        prop("Datasheet", "", at[0], at[1], hide=True),
        f"\t\t(pin \"1\" (uuid {quote(make_uuid(*key, 1))}))",
        f"\t\t(instances (project {quote(project)} (path {quote(path)} (reference {quote(ref)}) (unit 1))))",
        "\t)"])


def page_text(sheet, pages, rails, rail_symbols, root_uuid, project, date, revision):
    wiring = Wiring(sheet, pages, rails)
    path = f"/{root_uuid}/{make_uuid('sheet', sheet.name)}"
    used = {p.item.symbol.name: p.item.symbol for p in sheet.parts}
    for net, _at, _way in wiring.powers:
        used[rail_symbols[net].name] = rail_symbols[net]
    out = [header(make_uuid("page", sheet.name), sheet.paper, sheet.title, date, revision)]
    out.append("\t(lib_symbols\n" + "\n".join(library_symbol(s, "trubka:") for _n, s in sorted(used.items())) + "\n\t)")
    for x0, y0, x1, y1 in sheet.boxes:
        out.append(f"\t(rectangle (start {mm(x0)} {mm(y0)}) (end {mm(x1)} {mm(y1)}) (stroke (width 0.15) (type dash)"
                   f" (color 120 120 120 1)) (fill (type none)) (uuid {quote(make_uuid(sheet.name, 'box', x0, y0))}))")
    for i, (x, y, text, size, bold) in enumerate(sheet.texts):
        out.append(f"\t(text {quote(text)} (exclude_from_sim no) (at {mm(x)} {mm(y)} 0) {effects(size, bold, 'left top')}"
                   f" (uuid {quote(make_uuid(sheet.name, 'text', i))}))")
    for x, y in wiring.junctions:
        out.append(f"\t(junction (at {mm(x)} {mm(y)}) (diameter 0) (color 0 0 0 0) (uuid {quote(make_uuid(sheet.name, 'j', x, y))}))")
    for x, y in wiring.no_connects:
        out.append(f"\t(no_connect (at {mm(x)} {mm(y)}) (uuid {quote(make_uuid(sheet.name, 'nc', x, y))}))")
    for a, b in wiring.wires:
        out.append(f"\t(wire (pts (xy {mm(a[0])} {mm(a[1])}) (xy {mm(b[0])} {mm(b[1])})) (stroke (width 0) (type default))"
                   f" (uuid {quote(make_uuid(sheet.name, 'w', a, b))}))")
    for net, at, d, shared in wiring.labels:
        angle, just = {(1, 0): (0, "left"), (-1, 0): (180, "right"), (0, -1): (90, "left"), (0, 1): (270, "right")}[d]
        kind = "global_label" if shared else "label"
        shape = " (shape bidirectional)" if shared else ""
        bottom = "" if shared else " bottom"
        out.append(f"\t({kind} {quote(net)}{shape} (at {mm(at[0])} {mm(at[1])} {angle}) {effects(1.1, False, just + bottom)}"
                   f" (uuid {quote(make_uuid(sheet.name, 'l', net, at))}))")
    for part in sheet.parts:
        out.append(symbol_text(part, sheet, path, project))
    for n, (net, at, way) in enumerate(wiring.powers, 1):
        out.append(power_text(net, at, way, n, sheet, path, project, rail_symbols[net], rails[net]))
    out.append("\t(embedded_fonts no)\n)\n")
    return "\n".join(out)


def header(page_uuid, paper, title, date, revision):
    return (f'(kicad_sch (version {VERSION}) (generator "trubka") (generator_version "9.0")\n\t(uuid {quote(page_uuid)})\n'
            f'\t(paper "{paper}")\n\t(title_block (title {quote(title)}) (date {quote(date)}) (rev {quote(revision)})'
            f' (company "Trubka reference line card") (comment 1 "Licence CERN-OHL-P-2.0"))')


def root_text(sheets, root_uuid, project, date, revision, notes, places):
    """The root page: one box per sheet, laid out as the block diagram."""
    out = [header(root_uuid, "A3", "Trubka line card: block diagram", date, revision), "\t(lib_symbols)"]
    for i, (x, y, text, size, bold) in enumerate(notes["texts"]):
        out.append(f"\t(text {quote(text)} (exclude_from_sim no) (at {mm(x)} {mm(y)} 0) {effects(size, bold, 'left top')}"
                   f" (uuid {quote(make_uuid('root', 'text', i))}))")
    for i, (style, *pts) in enumerate(notes["lines"]):
        xy = " ".join(f"(xy {mm(x)} {mm(y)})" for x, y in pts)
        out.append(f"\t(polyline (pts {xy}) (stroke (width 0.4) (type {style})) (uuid {quote(make_uuid('root', 'line', i))}))")
    for n, s in enumerate(sheets, 2):
        x, y, w, h = places[s.name]
        out.append(f"\t(sheet (at {mm(x)} {mm(y)}) (size {mm(w)} {mm(h)}) (exclude_from_sim no) (in_bom yes) (on_board yes) (dnp no)"
                   f" (stroke (width 0.25) (type solid)) (fill (color 250 250 235 1.0)) (uuid {quote(make_uuid('sheet', s.name))})\n"
                   + prop("Sheetname", s.name, x, y - 0.5, 0, "left bottom", size=1.6) + "\n"
                   + prop("Sheetfile", f"{s.name}.kicad_sch", x, y + h + 0.5, 0, "left top", size=1.0)
                   + f"\n\t\t(instances (project {quote(project)} (path {quote('/' + root_uuid)} (page {quote(n)})))))")
    out.append('\t(sheet_instances (path "/" (page "1")))\n\t(embedded_fonts no)\n)\n')
    return "\n".join(out)
