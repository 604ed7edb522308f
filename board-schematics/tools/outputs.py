"""Turns what kicad-cli exported into the committed files, without dates and machine paths."""
import csv
import gzip
import io
import re

VARIANTS = {"pair": ("all", "pair"), "matrix": ("all", "matrix")}
NEEDED = ("Rating", "Maker", "MPN", "Alternative")


def netlist(text):
    """The review netlist: design header without date and path."""
    text = re.sub(r'\(source "[^"]*/([^"/]+)"\)', r'(source "\1")', text)
    text = re.sub(r'\n\s*\(date "\d{4}-\d\d-\d\dT[^"]*"\)', "", text)
    return re.sub(r'\(uri "[^"]*/lib/', '(uri "lib/', text)


def spice(text):
    return re.sub(r'\.include "[^"]*/(sim/[^"]+)"', r'.include "\1"', text)


def svg(data):
    text = re.sub(r"<title>.*?</title>", "<title>Trubka line card</title>", data.decode(), flags=re.S)
    return gzip.compress(text.encode(), 9, mtime=0)


def pdf_core(data):
    """A PDF without its dates and identifiers."""
    data = re.sub(rb"/(CreationDate|ModDate)\s*\([^)]*\)", b"", data)
    return re.sub(rb"/ID\s*\[.*?\]", b"", data, flags=re.S)


_NUMBER = re.compile(r"-?\+?\d+(?:\.\d+)?")


def close_text(old, new, whole_numbers):
    """Same words, and numbers within 2 % or 0.02: another ngspice version may move a last digit.
    Whole numbers (bits, addresses) must be equal unless `whole_numbers` says they are readings too."""
    if _NUMBER.split(old) != _NUMBER.split(new):
        return False
    for a, b in zip(_NUMBER.findall(old), _NUMBER.findall(new)):
        reading = whole_numbers or ("." in a and "." in b)
        if a != b and not (reading and abs(float(a) - float(b)) <= max(0.0201, 0.02 * abs(float(a)))):
            return False
    return True


def bom(text):
    """{file name: csv text}: all parts, and one list per assembly variant."""
    rows = list(csv.DictReader(io.StringIO(text)))
    out = {"bom/bom-all.csv": rows}
    for name, wanted in VARIANTS.items():
        out[f"bom/bom-{name}.csv"] = [r for r in rows if r["Variant"] in wanted]
    files = {}
    for name, lines in out.items():
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        files[name] = buffer.getvalue()
    holes = [r["Reference"] for r in rows if not all(r[f] for f in NEEDED) and not r["Value"].startswith(("TP", "M2.5"))]
    holes += [r["Reference"] for r in rows if r["Reference"][0] in "RC" and not r["Tolerance"]]
    return files, holes, rows
