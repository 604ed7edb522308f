"""Catalogue: every part with rating, maker part and an alternative, and its model for SPICE."""
import symbols as S

MODELS = "sim/models.lib"


class Item:
    """A purchasable part. `model` names a subcircuit of sim/models.lib, `order` its nodes by pin."""

    def __init__(self, symbol, value, footprint, maker="", mpn="", alt="", tolerance="", rating="",
                 model=None, order=None, current="", variant="all", passive=False, description=""):
        self.symbol, self.value, self.footprint = symbol, value, footprint
        self.simulated = bool(model) or passive
        self.description = description or symbol.description
        self.fields = {"Tolerance": tolerance, "Rating": rating, "Maker": maker, "MPN": mpn,
                       "Alternative": alt, "Current": current, "Variant": variant}
        if model:
            self.fields.update({"Sim.Device": "SUBCKT", "Sim.Library": MODELS, "Sim.Name": model,
                                "Sim.Pins": " ".join(f"{n}={name}" for n, name in order)})


def _code(value):
    """10k -> 10K, 4.7k -> 4K7, 8.2 -> 8R2, 36 -> 36R: the coding of resistor makers."""
    unit = value[-1] if value[-1] in "kM" else "R"
    number = value.rstrip("kM")
    unit = unit.upper()
    return number.replace(".", unit) if "." in number else number + unit


def _four_digit(value):
    """1 % code of four digits: 10k -> 1002, 8.2 -> 8R20."""
    ohms = float(value.rstrip("kM")) * {"k": 1e3, "M": 1e6}.get(value[-1], 1)
    if ohms < 100:
        return f"{ohms:.2f}".replace(".", "R")[:4]
    exponent = 0
    while ohms >= 1000:
        ohms, exponent = ohms / 10, exponent + 1
    return f"{round(ohms)}{exponent}"


def r(value, size="0603"):
    """Thick-film resistor, 1 %."""
    power, volts, series = {"0603": ("0.1W", "75V", "3EKF"), "1206": ("0.25W", "200V", "8ENF"),
                            "2512": ("1W", "200V", "1TNF")}[size]
    return Item(S.R, value, f"R_{size}", "Yageo", f"RC{size}FR-07{_code(value)}L", f"Panasonic ERJ-{series}{_four_digit(value)}V",
                "1%", f"{power} {volts}", passive=True)


_CAPS = {
    "4.7p": ("0603", "C0G", "0.25pF", "50V", "GRM1885C1H4R7CA01D", "Samsung CL10C4R7CB8NNNC"),
    "22p": ("0603", "C0G", "5%", "50V", "GRM1885C1H220JA01D", "Samsung CL10C220JB8NNNC"),
    "47p": ("0603", "C0G", "5%", "50V", "GRM1885C1H470JA01D", "Samsung CL10C470JB8NNNC"),
    "100p": ("0603", "C0G", "5%", "50V", "GRM1885C1H101JA01D", "Samsung CL10C101JB8NNNC"),
    "1n": ("0603", "C0G", "5%", "50V", "GRM1885C1H102JA01D", "Samsung CL10C102JB8NNNC"),
    "10n": ("0603", "X7R", "10%", "50V", "GRM188R71H103KA01D", "Samsung CL10B103KB8NNNC"),
    "100n": ("0603", "X7R", "10%", "50V", "GRM188R71H104KA93D", "Samsung CL10B104KB8NNNC"),
    "1u": ("0805", "X7R", "10%", "50V", "GRM21BR71H105KA12L", "Samsung CL21B105KBFNNNE"),
    "2.2u": ("0805", "X7R", "10%", "25V", "GRM21BR71E225KA73L", "Samsung CL21B225KAFNNNE"),
    "10u": ("0805", "X5R", "10%", "16V", "GRM21BR61C106KE15L", "Samsung CL21A106KOQNNNE"),
}


def c(value):
    size, dielectric, tol, volts, mpn, alt = _CAPS[value]
    return Item(S.C, value, f"C_{size}", "Murata", mpn, alt, tol, f"{volts} {dielectric}", passive=True)


C47_BP = Item(S.C, "47u", "CP_6.3x7.7", "Nichicon", "UWP1E470MCL1GS", "Panasonic EEE-HB1E470P", "20%", "25V bipolar", passive=True)
C100_POL = Item(S.CP, "100u", "CP_6.3x7.7", "Panasonic", "EEE-FK1C101P", "Nichicon UWT1C101MCL1GS", "20%", "16V", passive=True)


def two(symbol, value, footprint, maker, mpn, alt, rating, model, names="A1 A2", **kw):
    a, b = names.split()
    return Item(symbol, value, footprint, maker, mpn, alt, rating=rating, model=model, order=[(1, a), (2, b)], **kw)


PTC100 = two(S.PTC, "120mA", "R_1206", "Bourns", "MF-NSMF012-2", "Littelfuse 1206L012WR", "30V 120mA-hold", "PTC120", "A B")
PTC500 = Item(S.PTC, "500mA", "R_1206", "Bourns", "MF-NSMF050-2", "Littelfuse 1206L050YR", rating="13.2V 500mA-hold")
S1M = two(S.D, "S1M", "D_SMA", "onsemi", "S1M", "Diodes S1M-13-F", "1000V 1A", "S1M", "K A")
SS14 = two(S.D, "SS14", "D_SMA", "onsemi", "SS14", "Diodes B140-13-F", "40V 1A", "SS14", "K A")
D4148 = two(S.D, "1N4148W", "D_SOD123", "Diodes", "1N4148W-7-F", "Vishay 1N4148W-E3-08", "100V 150mA", "D4148", "K A")
SMBJ18CA = two(S.TVS, "SMBJ18CA", "D_SMB", "Littelfuse", "SMBJ18CA", "Bourns SMBJ18CA", "18V 600W-10/1000us", "SMBJ18CA")
SMBJ33CA = two(S.TVS, "SMBJ33CA", "D_SMB", "Littelfuse", "SMBJ33CA", "Bourns SMBJ33CA", "33V 600W-10/1000us", "SMBJ33CA")
SMAJ18CA = two(S.TVS, "SMAJ18CA", "D_SMA", "Littelfuse", "SMAJ18CA", "Bourns SMAJ18CA", "18V 400W-10/1000us", "SMAJ18CA", variant="matrix")
ESD5 = two(S.TVS, "ESD5V", "D_SOD323", "Nexperia", "PESD5V0S1BA", "Littelfuse SP1003-01ETG", "5V 130W-8/20us", "ESD5V")
LED_GREEN = two(S.LED, "green", "LED_0603", "Kingbright", "APT1608LZGCK", "Wurth 150060VS75000", "5V 20mA", "LEDG", "K A")
GDT230 = Item(S.GDT, "230V", "GDT_3P", "Bourns", "2036-23-SM-RPLF", "Littelfuse SL1002A230SM", "20%", "230V 10kA")
FERRITE = Item(S.FB, "600R@100MHz", "R_0805", "Murata", "BLM21PG600SN1D", "TDK MPZ2012S601A", "25%", "500mA")


def three(symbol, value, footprint, maker, mpn, alt, rating, model, names, **kw):
    return Item(symbol, value, footprint, maker, mpn, alt, rating=rating, model=model,
                order=list(enumerate(names.split(), 1)), **kw)


BC847 = three(S.NPN, "BC847C", "SOT-23", "Nexperia", "BC847C,215", "Diodes BC847C-7-F", "45V 100mA", "BC847", "B E C")
BSS138 = three(S.NMOS, "BSS138", "SOT-23", "onsemi", "BSS138", "Diodes BSS138-7-F", "50V 220mA", "BSS138", "G S D")
AO3401 = three(S.PMOS, "AO3401A", "SOT-23", "Alpha-Omega", "AO3401A", "Diodes DMP3099L-7", "30V 4A", "AO3401", "G S D")
BCP56 = Item(S.NPN223, "BCP56-16", "SOT-223", "Nexperia", "BCP56-16,115", "onsemi BCP56-16T1G", rating="80V 1A 0.65W",
             model="BCP56", order=[(1, "B"), (2, "C"), (3, "E"), (4, "T")])
NTF3055L = Item(S.NMOS223, "NTF3055L108", "SOT-223", "onsemi", "NTF3055L108T1G", "ST STN3NF06L", rating="60V 3A 1.3W",
                model="NTF3055L", order=[(1, "G"), (2, "D"), (3, "S"), (4, "T")])
BAT54S = Item(S.BAT54S, "BAT54S", "SOT-23", "Nexperia", "BAT54S,215", "onsemi BAT54SLT1G", rating="30V 200mA",
              model="BAT54S", order=[(1, "A"), (2, "K"), (3, "M")])
_PM = dict(rating="40V 1.4A", model="PHOTOMOS", order=[(1, "A"), (2, "K"), (4, "D1"), (3, "D2")])
PHOTOMOS = Item(S.PHOTOMOS, "TLP3123A", "SO-4", "Toshiba", "TLP3123A(E", "Panasonic AQY211G2S", **_PM)
PHOTOMOS_MATRIX = Item(S.PHOTOMOS, "TLP3123A", "SO-4", "Toshiba", "TLP3123A(E", "Panasonic AQY211G2S", variant="matrix", **_PM)
RELAY2 = Item(S.RELAY2, "G6K-2F-Y-5DC", "RELAY_G6K2F", "Omron", "G6K-2F-Y DC5", "TE IM03GR", rating="1A 30VDC coil-5V-21.1mA",
              model="RELAY2", order=[(1, "A1"), (8, "A2"), (3, "C1"), (2, "NC1"), (4, "NO1"), (6, "C2"), (7, "NC2"), (5, "NO2")],
              current="5VL 0 21.1")
RELAY2_MATRIX = Item(S.RELAY2, "G6K-2F-Y-5DC", "RELAY_G6K2F", "Omron", "G6K-2F-Y DC5", "TE IM03GR", rating="1A 30VDC coil-5V-21.1mA",
                     model="RELAY2", order=[(1, "A1"), (8, "A2"), (3, "C1"), (2, "NC1"), (4, "NO1"), (6, "C2"), (7, "NC2"), (5, "NO2")],
                     current="5VL 0 21.1", variant="matrix")
RELAY1 = Item(S.RELAY1, "G5LE-1-5DC", "RELAY_G5LE", "Omron", "G5LE-1 DC5", "Hongfa HF3FF/005-1Z", rating="10A 30VDC coil-5V-80mA",
              model="RELAY1", order=[(2, "A1"), (5, "A2"), (1, "COM"), (4, "NC"), (3, "NO")], current="5V 0 0")

TLV9064 = Item(S.opamp("TLV9064", "Quad op-amp 10 MHz, 10 nV/rtHz, rail to rail", 4), "TLV9064IDR", "SOIC-14", "Texas Instruments", "TLV9064IDR",
               "onsemi NCS20084DR2G", rating="5.5V", model="OPA4_10M", order=[(i, f"P{i}") for i in range(1, 15)], current="5VL 2.2 2.2")
TLV9004 = Item(S.opamp("TLV9004", "Quad op-amp 1 MHz, rail to rail", 4), "TLV9004IDR", "SOIC-14", "Texas Instruments", "TLV9004IDR",
               "Microchip MCP6004-I/SL", rating="5.5V", model="OPA4_1M", order=[(i, f"P{i}") for i in range(1, 15)], current="5VL 0.24 0.24")
MCP6561 = Item(S.opamp("MCP6561", "Comparator 47 ns, push-pull", 1, "VDD", "VSS"), "MCP6561T-E/OT", "SOT-23-5", "Microchip", "MCP6561T-E/OT",
               "Texas Instruments TLV3201AIDBVR", rating="5.5V", model="COMP", order=[(1, "OUT"), (2, "VSS"), (3, "INP"), (4, "INN"), (5, "VDD")],
               current="3V3L 0.1 0.1")


def ic(name, value, footprint, maker, mpn, alt, description, left, right, top=(), bottom=(), current="", rating="", variant="all",
       model=None, order=None, width=None, prefix="U"):
    symbol = S.box(name, prefix, description, left, right, top, bottom, width)
    return Item(symbol, value, footprint, maker, mpn, alt, rating=rating, current=current, variant=variant, model=model, order=order)


def pins(text, kind="passive"):
    """'1:VCC:power_in 2:GND -' -> list of pins; a dash leaves a gap."""
    out = []
    for word in text.split():
        if word == "-":
            out.append(None)
            continue
        f = word.split(":")
        out.append((f[0], f[1], f[2] if len(f) > 2 else kind))
    return out
