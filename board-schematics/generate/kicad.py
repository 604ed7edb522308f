"""Writes KiCad 9 schematic files from placed parts and named nets.

Coordinates are in grid units of 1.27 mm (50 mil), x to the right and y down, as on the page.
Pins of one net that face each other in a straight free line are joined by a wire; every
group of pins left over gets a label or a power symbol, so a page can never be wired
differently from its net list.
"""
import uuid

GRID = 1.27
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "trubka/board-schematics")
PAPER = {"A4": (233, 165), "A3": (330, 233), "A2": (467, 330)}
STUB = 2
SHIFT = (5, 3)  # the drawing keeps clear of the page frame


def make_uuid(*names):
    """A stable UUID for a named object, so that a second run writes the same file."""
    return str(uuid.uuid5(NAMESPACE, "/".join(str(n) for n in names)))


def mm(units):
    """Grid units to the text KiCad writes for millimetres."""
    return f"{round(units * GRID, 4):g}"


def quote(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def rotate(x, y, rot, mirror=False):
    """Symbol coordinates (y up) to an offset on the page (y down)."""
    if mirror:
        x = -x
    return {0: (x, -y), 90: (-y, -x), 180: (-x, y), 270: (y, x)}[rot]


class Part:
    """One placed symbol unit. `nets` maps pin number to net name (None: no connect flag)."""

    def __init__(self, ref, item, x, y, nets, rot=0, unit=1, mirror=False):
        self.ref, self.item, self.x, self.y = ref, item, x, y
        self.rot, self.unit, self.mirror = rot, unit, mirror
        self.nets = {str(k): v for k, v in nets.items()}
        want = {p.number for p in item.symbol.pins_of(unit)}
        if want != set(self.nets):
            raise ValueError(f"{ref} {item.value} unit {unit}: pins {sorted(want ^ set(self.nets))} differ")

    def pins(self):
        """(number, net, x, y, outward dx, outward dy) of each pin on the page."""
        for p in self.item.symbol.pins_of(self.unit):
            dx, dy = rotate(p.x, p.y, self.rot, self.mirror)
            ox, oy = rotate(p.out[0], p.out[1], self.rot, self.mirror)
            yield p.number, self.nets[p.number], self.x + dx, self.y + dy, ox, oy

    def body(self):
        x0, y0, x1, y1 = self.item.symbol.body_of(self.unit)
        a, b = rotate(x0, y0, self.rot, self.mirror), rotate(x1, y1, self.rot, self.mirror)
        return (self.x + min(a[0], b[0]), self.y + min(a[1], b[1]),
                self.x + max(a[0], b[0]), self.y + max(a[1], b[1]))


class Sheet:
    """One schematic page."""

    def __init__(self, name, title, number, paper="A3", notes=()):
        self.name, self.title, self.number, self.paper = name, title, number, paper
        self.parts, self.texts, self.boxes, self.nodes = [], list(notes), [], []
        self.counters = {}

    def add(self, ref, item, x, y, nets, rot=0, unit=1, mirror=False, variant=None):
        """Places a part. A reference without a number gets the next one of this page."""
        if not ref[-1].isdigit():
            n = self.counters.get(ref, 0) + 1
            self.counters[ref] = n
            ref = f"{ref}{self.number}{n:02d}"
        part = Part(ref, item, x + SHIFT[0], y + SHIFT[1], nets, rot, unit, mirror)
        part.variant = variant or item.fields.get("Variant", "all")
        self.parts.append(part)
        return ref

    def node(self, net, x, y):
        """A corner or branch point a wire of this net may use."""
        self.nodes.append((net, x + SHIFT[0], y + SHIFT[1]))

    def text(self, x, y, text, size=1.27, bold=False):
        self.texts.append((x + SHIFT[0], y + SHIFT[1], text, size, bold))

    def box(self, x0, y0, x1, y1, title):
        limit = PAPER[self.paper][0] - 10
        self.boxes.append((x0 + SHIFT[0], y0 + SHIFT[1], min(x1 + SHIFT[0], limit), y1 + SHIFT[1]))
        self.text(x0 + 1, y0 + 2, title, 1.8, True)


def net_pages(sheets):
    """Net name -> set of page names it appears on."""
    pages = {}
    for s in sheets:
        for p in s.parts:
            for n in p.nets.values():
                if n:
                    pages.setdefault(n, set()).add(s.name)
    return pages


def crosses(seg, body):
    """True when an axis-parallel segment runs through the inside of a body box."""
    (x0, y0), (x1, y1) = seg
    bx0, by0, bx1, by1 = body
    if x0 == x1:
        return bx0 < x0 < bx1 and max(min(y0, y1), by0) < min(max(y0, y1), by1)
    return by0 < y0 < by1 and max(min(x0, x1), bx0) < min(max(x0, x1), bx1)


class Wiring:
    """Wires, junctions, labels and power symbols of one page."""

    LIMIT = 60

    def __init__(self, sheet, pages, rails):
        self.sheet, self.pages, self.rails = sheet, pages, rails
        self.points = {}
        self.wires, self.labels, self.powers, self.no_connects = [], [], [], []
        bodies = [p.body() for p in sheet.parts]
        for p in sheet.parts:
            for _num, net, x, y, ox, oy in p.pins():
                if net is None:
                    self.no_connects.append((x, y))
                    self.points.setdefault((x, y), ("", []))
                    continue
                old = self.points.setdefault((x, y), (net, []))
                if old[0] != net:
                    raise ValueError(f"{sheet.name}: {net} and {old[0]} meet at {x},{y} ({p.ref})")
                old[1].append((ox, oy))
        for net, x, y in sheet.nodes:
            old = self.points.setdefault((x, y), (net, []))
            if old[0] != net:
                raise ValueError(f"{sheet.name}: node {net} on {old[0]} at {x},{y}")
        self.join(bodies)
        self.finish(bodies)

    def join(self, bodies):
        by_net = {}
        for (x, y), (net, _o) in self.points.items():
            if net:
                by_net.setdefault(net, []).append((x, y))
        self.clusters = []
        for net, pts in sorted(by_net.items()):
            root = {p: p for p in pts}

            def find(p):
                while root[p] != p:
                    p = root[p]
                return p
            pairs = sorted((abs(a[0] - b[0]) + abs(a[1] - b[1]) + 30 * self.awkward(a, b), a, b)
                           for i, a in enumerate(pts) for b in pts[i + 1:]
                           if (a[0] == b[0]) != (a[1] == b[1]))
            limit = 44 if net in self.rails else 30 + self.LIMIT
            for d, a, b in pairs:
                if (d > limit and d % 30 > 4) or abs(a[0] - b[0]) + abs(a[1] - b[1]) > self.LIMIT or find(a) == find(b):
                    continue
                if any(q not in (a, b) and self.on(q, a, b) for q in self.points):
                    continue
                if any(crosses((a, b), body) for body in bodies):
                    continue
                root[find(a)] = find(b)
                self.wires.append((a, b))
            groups = {}
            for p in pts:
                groups.setdefault(find(p), []).append(p)
            self.clusters += [(net, sorted(g)) for g in groups.values()]

    def awkward(self, a, b):
        """How many ends of a straight wire leave a pin sideways."""
        d = ((b[0] > a[0]) - (b[0] < a[0]), (b[1] > a[1]) - (b[1] < a[1]))
        back = (-d[0], -d[1])
        return sum(1 for p, way in ((a, d), (b, back)) if self.points[p][1] and way not in self.points[p][1])

    @staticmethod
    def on(q, a, b):
        return (min(a[0], b[0]) <= q[0] <= max(a[0], b[0])
                and min(a[1], b[1]) <= q[1] <= max(a[1], b[1]))

    def free(self, p, end):
        """A stub may end where nothing else is and cross no pin and no parallel wire."""
        for q in self.points:
            if q != p and self.on(q, p, end):
                return False
        for a, b in self.wires:
            if self.on(end, a, b):
                return False
            parallel = (a[0] == b[0]) == (p[0] == end[0])
            if parallel and p not in (a, b) and (self.on(a, p, end) or self.on(b, p, end) or self.on(p, a, b)):
                return False
            if parallel and p in (a, b) and (self.on(a if b == p else b, p, end)
                                             or self.on(end, a, b)):
                return False
        return True

    def finish(self, bodies):
        counts = {}
        for net, _pts in self.clusters:
            counts[net] = counts.get(net, 0) + 1
        for net, pts in self.clusters:
            rail = self.rails.get(net)
            shared = len(self.pages[net]) > 1
            if not rail and not shared and counts[net] == 1 and len(pts) > 1:
                a, b = max((w for w in self.wires if w[0] in pts and w[1] in pts),
                           key=lambda w: (w[0][1] == w[1][1], abs(w[0][0] - w[1][0]) + abs(w[0][1] - w[1][1])))
                long = abs(a[0] - b[0]) + abs(a[1] - b[1])
                if long < (5 if a[1] == b[1] else 4):
                    continue
                self.labels.append((net, (min(a[0], b[0]) + (1 if a[1] == b[1] else 0), (a[1] + b[1]) // 2), (1, 0), False))
                continue
            anchor = self.anchor(net, pts, bodies)
            self.stub(anchor)
            if rail:
                self.powers.append((net, anchor[1], anchor[2]))
            else:
                self.labels.append((net, anchor[1], anchor[2], shared))
        ends = {}
        for a, b in self.wires:
            ends[a] = ends.get(a, 0) + 1
            ends[b] = ends.get(b, 0) + 1
        for p, (_n, outs) in self.points.items():
            if p in ends:
                ends[p] += len(outs)
        self.junctions = sorted(p for p, n in ends.items() if n > 2)

    def stub(self, anchor):
        start, end, _d = anchor
        if start != end:
            self.wires.append((start, end))
            self.points[end] = (self.points[start][0], [])

    def anchor(self, net, pts, bodies):
        """(point, stub end, direction) for the label of a cluster."""
        up = net in self.rails and self.rails[net] == "up"
        down = net in self.rails and not up
        best = None
        for p in pts:
            if not self.points[p][1]:
                ends = [b if a == p else a for a, b in self.wires if p in (a, b)]
                if len(ends) == 1:
                    away = (p[0] - ends[0][0], p[1] - ends[0][1])
                    size = abs(away[0] + away[1])
                    return p, p, (away[0] // size, away[1] // size)
            outs = self.points[p][1] or [(1, 0), (-1, 0), (0, -1), (0, 1)]
            lone = bool(self.points[p][1])
            for d in outs + [(0, 1), (0, -1), (1, 0), (-1, 0)]:
                end = (p[0] + STUB * d[0], p[1] + STUB * d[1])
                if not self.free(p, end) or any(crosses((p, end), b) for b in bodies):
                    continue
                score = -1 if not lone else 0 if (lone and d in self.points[p][1]) else 1.5
                if down:
                    score += {(0, 1): 0, (0, -1): 9}.get(d, 1)
                elif up:
                    score += {(0, -1): 0, (0, 1): 9}.get(d, 1)
                else:
                    score += 0 if d[0] else 2
                if best is None or score < best[0]:
                    best = (score, p, end, d)
        if best is None:
            raise ValueError(f"{self.sheet.name}: no room for the label of {net} near {pts}")
        return best[1:]
