#!/usr/bin/env python3
"""Second half of ./check: rule check, simulations, comparison with what is committed."""
import json
import os
import pathlib
import re
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
BOARD = HERE.parent
sys.path[:0] = [str(HERE), str(BOARD / "sim")]
BUILD = pathlib.Path(os.environ["TRUBKA_BOARD_BUILD"])
UPDATE = "--update" in sys.argv

import bench  # noqa: E402
import outputs  # noqa: E402
import parameters  # noqa: E402
import report  # noqa: E402
import selftest  # noqa: E402
import supply  # noqa: E402


def flag(name, ok, detail=""):
    bench.RESULTS.append((ok, name, 0.0, "", ""))
    print(f"{'ok  ' if ok else 'MISS'}  {name}{': ' + detail if detail else ''}", flush=True)


def rule_check():
    """Every violation must be waived by type and object, with a reason; every waiver must be in use."""
    data = json.loads((BUILD / "erc.json").read_text())
    waivers = tomllib.loads((BOARD / "erc-waivers.toml").read_text()).get("waiver", [])
    used, open_ones = set(), []
    for sheet in data["sheets"]:
        for v in sheet["violations"]:
            objects = " / ".join(i["description"] for i in v["items"])
            hit = [i for i, w in enumerate(waivers) if w["type"] == v["type"] and w["object"] in objects and len(w["reason"]) > 20 and v["severity"] == "warning"]
            used.update(hit)
            if not hit:
                open_ones.append(f"{v['severity']} {v['type']}: {objects}")
    for o in open_ones[:20]:
        print("      " + o)
    flag(f"electrical rule check, {len(data['sheets'])} sheets, {len(waivers)} waivers", not open_ones, f"{len(open_ones)} open")
    flag("every rule-check waiver is needed and reasoned", len(used) == len(waivers))


def power():
    rows = supply.table(bench.PARTS)
    for variant, state, _rails, secondary, watts in rows:
        goal = 0.6 if state == "idle" else 1.2
        bench.check(f"supply, {variant} variant, {state} (line side {secondary:.1f} mA)", watts, "W", None, goal)
    worst = max(r[3] for r in rows)
    bench.check("line-side 5 V regulator load (rated 150 mA)", worst, "mA", None, 120)
    return rows


def readme_tables():
    """The pin table of the README says what the netlist says."""
    rows = re.findall(r"^\| (\d+) \| (\S+) \| (\S+) \|", (BOARD / "README.md").read_text(), re.M)
    wired = parameters.header_map(bench.PARTS)
    wrong = [f"pin {n}: README {net}, sheets {wired.get(int(n), '-')}" for n, _gpio, net in rows if wired.get(int(n), "-") != net]
    flag("pin table of the README against the netlist", len(rows) == 40 and not wrong, "; ".join(wrong[:5]))


def same(path, new):
    old = (BOARD / path).read_bytes() if (BOARD / path).exists() else b""
    if path.endswith(".pdf"):
        return outputs.pdf_core(old) == outputs.pdf_core(new)
    if path.endswith(".svgz"):
        return old[10:] == new[10:]
    if path in ("docs/margins.md", "parameters.toml"):
        return outputs.close_text(old.decode(), new.decode(), path.endswith(".md"))
    return old == new


def compare(files):
    for path, new in files.items():
        new = new.encode() if isinstance(new, str) else new
        if UPDATE and not same(path, new):
            (BOARD / path).parent.mkdir(parents=True, exist_ok=True)
            (BOARD / path).write_bytes(new)
            print(f"      wrote {path}")
        ok = same(path, new)
        if not ok:
            (BUILD / "new" / path).parent.mkdir(parents=True, exist_ok=True)
            (BUILD / "new" / path).write_bytes(new)
        flag(f"committed {path} equals the regenerated one", ok, "" if ok else f"see {BUILD / 'new' / path}; ./check --update writes it")


def main():
    rule_check()
    files = {"netlist/line-card.net": outputs.netlist((BUILD / "line-card.net").read_text()), "netlist/line-card.cir": outputs.spice((BUILD / "line-card.cir").read_text())}
    boms, holes, rows = outputs.bom((BUILD / "bom.csv").read_text())
    flag(f"parts list: value, tolerance, rating, maker part and alternative in {len(rows)} lines", not holes, " ".join(holes[:8]))
    files.update(boms)
    for name in ("dc", "audio", "taps", "transients", "ratings"):
        start = time.time()
        __import__(name).main()
        print(f"      {name}: {time.time() - start:.0f} s", flush=True)
    rows = power()
    readme_tables()
    selftest.main(flag)
    files["parameters.toml"] = parameters.text(bench.PARTS, bench.PARAMETERS, rows)
    tomllib.loads(files["parameters.toml"])
    figures = [r for r in bench.RESULTS if r[3]]
    files["docs/margins.md"] = report.margins(bench.TABLES, bench.PARAMETERS, rows, figures)
    for page in sorted((BUILD / "svg").glob("*.svg")):
        files[f"docs/svg/{page.stem}.svgz"] = outputs.svg(page.read_bytes())
    files["docs/line-card.pdf"] = (BUILD / "line-card.pdf").read_bytes()
    compare(files)
    print("\nmargins:")
    text = files["docs/margins.md"].split("## Typical")[0].splitlines()
    print("\n".join(line for line in text if line.startswith("|")))
    missed = [r for r in bench.RESULTS if not r[0]]
    if missed:
        print("\nmissed:")
        for _ok, name, v, unit, limit in missed:
            print(f"  {name} {v:.3g} {unit} {limit}")
    print(f"{len(bench.RESULTS) - len(missed)} passed, {len(missed)} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
