#!/usr/bin/env python3
"""Draws the sheets. Run by hand only: it overwrites ../*.kicad_sch and lib/.

The committed sheets are the source; `./check` reads them, not this generator.
`main.py --compare` says whether the sheets still equal what this would write.
"""
import json
import pathlib
import sys
import textwrap

import footprints
import parts
import sheets_host as host
import sheets_line as line
import sheets_matrix as matrix
import sheets_sense as sense
import symbols
import writer
from kicad import make_uuid, net_pages

PROJECT, DATE, REVISION = "line-card", "2026-11-21", "A"
RAILS = {"GND": "down", "LGND": "down", "PGND": "down", "5V": "up", "5V_HOST": "up", "3V3": "up", "5VL": "up", "3V3L": "up", "V_ISO": "up",
         "V_DRV": "up", "V_RLY": "up", "3V3A": "up", "3V3U": "up", "VBUS": "up"}
PLACES = {"host": (14, 60, 36, 20), "console": (14, 96, 36, 16), "outputs": (14, 128, 36, 16), "watchdog": (70, 60, 40, 16), "supply": (70, 96, 40, 16),
          "isolation": (128, 56, 26, 92), "expanders": (176, 40, 36, 16), "sense": (176, 68, 36, 16), "codec": (176, 96, 36, 16), "hybrid": (228, 96, 36, 16),
          "pair": (280, 74, 36, 28), "pulse": (228, 68, 36, 16), "taps-tens": (176, 130, 36, 14), "taps-units": (176, 152, 36, 14),
          "crosspoint": (228, 130, 36, 36), "testpoints": (14, 160, 36, 14)}


def root_notes():
    texts = [(14, 14, "Trubka reference line card, revision A", 4, True),
             (14, 24, "Host side (GND) on the left of the barrier, line side (LGND, floating) on the right. Nets join pages by name.\n"
                      "Two assemblies: field Variant = all (always), pair (one apartment's two wires, or a pulse line), matrix (22 tens + 10 units).", 1.8, False),
             (104, 44, "isolation barrier", 2, True), (282, 84, "terminals:\nLINE+ LINE-\nHANDSET+ HANDSET-\nEARTH", 1.4, False),
             (178, 138, "terminals D0-D21, PANEL_GND", 1.2, False), (178, 161, "terminals E0-E9", 1.2, False), (112, 156, "5 kVrms parts, 8 mm", 1.4, False)]
    wires = [((50, 66), (70, 66)), ((50, 70), (60, 70), (60, 88), (128, 88)), ((50, 76), (54, 76), (54, 104), (70, 104)), ((32, 80), (32, 96)),
             ((110, 68), (128, 68)), ((110, 104), (128, 104)), ((154, 48 + 14), (165, 62), (165, 48), (176, 48)), ((154, 76), (176, 76)), ((154, 104), (176, 104)),
             ((212, 104), (228, 104)), ((264, 104), (272, 104), (272, 98), (280, 98)), ((264, 76), (280, 76)), ((212, 80), (220, 80), (220, 90), (280, 90)),
             ((212, 137), (228, 137)), ((212, 159), (228, 159)), ((264, 148), (298, 148), (298, 102)), ((212, 52), (290, 52), (290, 74)),
             ((194, 130), (194, 121), (172, 121), (172, 80), (176, 80)), ((90, 76), (90, 86), (62, 86), (62, 132), (50, 132))]
    lines = [("solid",) + w for w in wires] + [("dash", (141, 40), (141, 56)), ("dash", (141, 148), (141, 176))]
    return {"texts": texts, "lines": lines}


def block_titles(sheets):
    """The title of each page, wrapped into its box."""
    out = []
    for s in sheets:
        x, y, w, h = PLACES[s.name]
        out.append((x + 1, y + 1.5, textwrap.fill(s.title, int(w * 0.93)), 1.3, False))
    return out


def build():
    """File name -> text of everything this generator writes."""
    sheets = [line.pair(), line.hybrid(), line.codec(), sense.sense(), sense.expanders(), sense.pulse(), matrix.tens(), matrix.units(), matrix.crosspoint(),
              host.isolation(), host.supply(), host.watchdog(), host.outputs(), host.console(), host.host(), host.testpoints()]
    for page, s in enumerate(sheets, 2):
        assert page == s.number, s.name
    pages = net_pages(sheets)
    rail_symbols = {net: symbols.rail(net, d) for net, d in RAILS.items()}
    root = make_uuid("root")
    notes = root_notes()
    notes["texts"] += block_titles(sheets)
    files = {f"{s.name}.kicad_sch": writer.page_text(s, pages, RAILS, rail_symbols, root, PROJECT, DATE, REVISION) for s in sheets}
    files[f"{PROJECT}.kicad_sch"] = writer.root_text(sheets, root, PROJECT, DATE, REVISION, notes, PLACES)
    used = {p.item.symbol.name: p.item.symbol for s in sheets for p in s.parts}
    used.update({s.name: s for s in rail_symbols.values()})
    files["lib/trubka.kicad_sym"] = writer.library_file(used.values())
    for name in sorted({p.item.footprint for s in sheets for p in s.parts if p.item.footprint}):
        files[f"lib/trubka.pretty/{name}.kicad_mod"] = footprints.text(name)
    files["sym-lib-table"] = '(sym_lib_table\n  (version 7)\n  (lib (name "trubka")(type "KiCad")(uri "${KIPRJMOD}/lib/trubka.kicad_sym")(options "")(descr "Symbols of this board"))\n)\n'
    files["fp-lib-table"] = '(fp_lib_table\n  (version 7)\n  (lib (name "trubka")(type "KiCad")(uri "${KIPRJMOD}/lib/trubka.pretty")(options "")(descr "Footprints of this board"))\n)\n'
    files[f"{PROJECT}.kicad_pro"] = project_text(root, sheets)
    check_pages(sheets)
    return files, sheets


def check_pages(sheets):
    """A reference must not be used twice, and a net must reach at least two pins."""
    seen, count = set(), {}
    for s in sheets:
        for p in s.parts:
            assert (p.ref, p.unit) not in seen, f"{p.ref} unit {p.unit} twice"
            seen.add((p.ref, p.unit))
            for net in p.nets.values():
                count[net] = count.get(net, 0) + 1
    lonely = [n for n, c in count.items() if n and c < 2]
    assert not lonely, f"nets of one pin: {lonely}"


def project_text(root, sheets):
    return json.dumps({
        "board": {"design_settings": {"defaults": {}, "rules": {}}},
        "erc": {"erc_exclusions": [], "meta": {"version": 0}, "rule_severities": {"lib_symbol_mismatch": "warning", "lib_symbol_issues": "error",
                "footprint_link_issues": "error", "single_global_label": "warning", "simulation_model_issue": "error"}},
        "meta": {"filename": f"{PROJECT}.kicad_pro", "version": 3},
        "schematic": {"meta": {"version": 1}, "page_layout_descr_file": "", "spice_current_sheet_as_root": False},
        "sheets": [[root, "Root"]] + [[make_uuid("sheet", s.name), s.name] for s in sheets],
        "text_variables": {}}, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    where = pathlib.Path(__file__).resolve().parent.parent
    produced, pages = build()
    if "--compare" in sys.argv:
        changed = [n for n, t in produced.items() if not (where / n).exists() or (where / n).read_text() != t]
        print("note: sheets equal the generator's" if not changed else "note: edited by hand since generated: " + " ".join(sorted(changed)))
    else:
        for name, text in produced.items():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            (where / name).write_text(text)
        print(f"{sum(1 for s in pages for _ in s.parts)} symbols on {len(pages)} pages")
