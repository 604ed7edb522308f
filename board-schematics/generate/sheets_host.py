"""Pages of the host side: isolation, supply, watchdog, outputs, console, header, test points."""
import chips as U
import parts as P
from kicad import Sheet


def isolation():
    s = Sheet("isolation", "Isolation barrier: host at the left, line at the right", 11)
    s.box(6, 8, 200, 176, "Reinforced digital isolators, 8 mm creepage on the board; nothing else may cross")
    s.add("U", U.ISO7741, 70, 34, {1: "3V3", 3: "SPI_SCLK", 4: "SPI_MOSI", 5: "SPI_CS", 6: "SPI_MISO", 7: "3V3", 2: "GND", 8: "GND",
                                   16: "5VL", 14: "SPI_SCLK_L", 13: "SPI_MOSI_L", 12: "SPI_CS_L", 11: "SPI_MISO_L", 10: "5VL", 15: "LGND", 9: "LGND"})
    s.add("U", U.ISO7741, 70, 76, {1: "3V3L", 3: "BCLK_L", 4: "LRCK_L", 5: "ADCDAT_L", 6: "DACDAT_L", 7: "3V3L", 2: "LGND", 8: "LGND",
                                   16: "3V3", 14: "I2S_BCLK", 13: "I2S_FS", 12: "I2S_DIN", 11: "I2S_DOUT", 10: "3V3", 15: "GND", 9: "GND"})
    s.add("U", U.ISO7742, 70, 118, {1: "3V3", 3: "DRIVE_OK", 4: "GND", 5: "PULSE_H", 6: "INT_H", 7: "3V3", 2: "GND", 8: "GND",
                                    16: "3V3L", 14: "DRIVE_OK_L", 13: None, 12: "PULSE", 11: "EXP_INT", 10: "3V3L", 15: "LGND", 9: "LGND"})
    s.add("U", U.ISO1540, 70, 156, {1: "3V3", 2: "I2C_SDA", 3: "I2C_SCL", 4: "GND", 8: "3V3L", 7: "SDA_L", 6: "SCL_L", 5: "LGND"})
    for i, (net, x) in enumerate([("SDA_L", 112), ("SCL_L", 122)]):
        s.add("R", P.r("2.2k"), x, 148, {1: "3V3L", 2: net})
    for i, (rail, gnd) in enumerate([("3V3", "GND"), ("5VL", "LGND"), ("3V3", "GND"), ("3V3L", "LGND"), ("3V3", "GND"), ("3V3L", "LGND"), ("3V3", "GND"), ("3V3L", "LGND")]):
        s.add("C", P.c("100n"), 144 + 14 * (i % 2), 34 + 42 * (i // 2), {1: rail, 2: gnd})
    s.add("R", P.r("10k"), 112, 122, {1: "DRIVE_OK_L", 2: "LGND"})
    s.add("R", P.r("10k"), 122, 122, {1: "3V3L", 2: "EXP_INT2"})
    s.add("R", P.r("10k"), 132, 122, {1: "3V3L", 2: "EXP_INT"})
    s.text(210, 20, "F types: outputs low when their input side is without power.\nDRIVE_OK therefore falls when the host does.\n\n"
                    "The second isolator is turned round: the codec is the clock master.\n\nExpander interrupts: INTA of U7 goes to the host (GPIO6); U8 is polled.\n\n"
                    "Barrier capacitance (isolators 4 x 1 pF, transformer about 20 pF) is the only\npath of mains hum; sim/audio.py uses 50 pF as an upper bound.")
    return s


def supply():
    s = Sheet("supply", "Supply: isolated 5.0 V and 3.3 V", 12, "A4")
    s.box(6, 8, 226, 64, "Isolated converter")
    s.add("F", P.PTC500, 22, 32, {1: "5V_HOST", 2: "5V"}, rot=90)
    s.add("C", P.c("10u"), 38, 42, {1: "5V", 2: "GND"})
    s.add("U", U.SN6505, 56, 36, {2: "5V", 5: "5V", 6: "GND", 4: "GND", 1: "TR_A", 3: "TR_B"})
    s.add("T", U.TRAFO, 94, 36, {1: "TR_A", 2: "5V", 3: "TR_B", 6: "SEC_A", 5: "LGND", 4: "SEC_B"})
    s.add("D", P.SS14, 124, 34, {2: "SEC_A", 1: "V_ISO"})
    s.add("D", P.SS14, 124, 42, {2: "SEC_B", 1: "V_ISO"})
    s.node("V_ISO", 136, 34)
    s.node("V_ISO", 136, 42)
    s.add("C", P.c("10u"), 144, 40, {1: "V_ISO", 2: "LGND"})
    s.add("C", P.c("10u"), 156, 40, {1: "V_ISO", 2: "LGND"})
    s.text(164, 20, "Nominal 6.1 V at V_ISO, 5.6 V at full load.\nPower per rail: see the supply table that\n./check prints (fields Current of the parts).")
    s.box(6, 68, 140, 128, "Line-side regulators")
    s.add("U", U.LDO5, 34, 90, {1: "V_ISO", 3: "V_ISO", 5: "5VL", 4: "LDO_BP", 2: "LGND"})
    s.add("C", P.c("10n"), 56, 102, {1: "LDO_BP", 2: "LGND"})
    s.add("C", P.c("10u"), 70, 102, {1: "5VL", 2: "LGND"})
    s.add("U", U.LDO33, 98, 90, {3: "5VL", 2: "3V3L", 1: "LGND"})
    s.add("C", P.c("10u"), 126, 102, {1: "3V3L", 2: "LGND"})
    s.box(144, 68, 226, 128, "Rail flags for the rule check")
    for i, net in enumerate(["5V_HOST", "5V", "3V3", "GND", "LGND", "V_ISO", "V_DRV", "V_RLY", "PGND", "3V3A", "VBUS"]):
        s.add("#FLG", FLAG, 150 + 11 * (i % 6), 88 + 20 * (i // 6), {1: net})
    s.text(146, 118, "PGND is fed by the panel, V_DRV and V_RLY by\nswitched transistors, 3V3A through a bead.")
    return s


FLAG = P.Item(P.S.FLAG, "PWR_FLAG", "")


def watchdog():
    s = Sheet("watchdog", "Watchdog: no kicks, no drives", 13, "A4")
    s.box(6, 8, 226, 64, "Charge pump: only edges keep it up; a stuck pin, high or low, does not")
    s.add("R", P.r("1k"), 24, 34, {1: "WDT_KICK", 2: "WDT_A"}, rot=90)
    s.add("R", P.r("100k"), 16, 44, {1: "WDT_KICK", 2: "GND"})
    s.node("WDT_KICK", 16, 34)
    s.add("C", P.c("1u"), 36, 34, {1: "WDT_A", 2: "WDT_B"}, rot=90)
    s.add("D", P.BAT54S, 52, 34, {1: "GND", 2: "WDT_HOLD", 3: "WDT_B"})
    s.node("WDT_HOLD", 52, 24)
    s.node("WDT_HOLD", 72, 24)
    s.node("WDT_HOLD", 84, 24)
    s.add("C", P.c("2.2u"), 72, 36, {1: "WDT_HOLD", 2: "GND"})
    s.add("R", P.r("220k"), 84, 36, {1: "WDT_HOLD", 2: "GND"})
    s.add("R", P.r("10k"), 98, 24, {1: "WDT_HOLD", 2: "WDT_IN"}, rot=90)
    s.add("U", U.SCHMITT, 122, 26, {2: "WDT_IN", 1: None, 4: "DRIVE_OK", 5: "3V3", 3: "GND"})
    s.add("C", P.c("100n"), 146, 42, {1: "3V3", 2: "GND"})
    s.text(156, 20, "Kick: GPIO17, one toggle every 10 ms block.\nOff after about 0.5 s without edges\n(limits in parameters.toml, from sim/).\nGPIO17 is an input with pull-down at boot:\nDRIVE_OK stays low until the daemon runs.")
    for i, (title, en, rail, out, gnd, load) in enumerate([("Host relays", "DRIVE_OK", "5V", "V_RLY", "GND", "LED_DRV_A"), ("Line side", "DRIVE_OK_L", "5VL", "V_DRV", "LGND", None)]):
        x = 6 + 110 * i
        s.box(x, 68, x + 106, 128, f"{title}: rail {out}")
        s.add("Q", P.BSS138, x + 31, 106, {1: en, 3: f"{out}_G", 2: gnd})
        s.add("R", P.r("10k"), x + 32, 85, {1: rail, 2: f"{out}_G"})
        s.node(f"{out}_G", x + 32, 92)
        s.add("Q", P.AO3401, x + 48, 92, {1: f"{out}_G", 2: rail, 3: out})
        s.node(out, x + 49, 102)
        s.add("R", P.r("4.7k"), x + 49, 110, {1: out, 2: gnd})
        if load:
            s.add("R", P.r("1k"), x + 66, 102, {1: out, 2: load}, rot=90)
            s.add("D", P.LED_GREEN, x + 80, 102, {2: load, 1: gnd})
    return s


def outputs():
    s = Sheet("outputs", "Door relays and Wiegand", 14)
    s.box(6, 8, 170, 150, "Two dry contacts. The host opens them only while the watchdog holds V_RLY")
    for i in range(2):
        y, n = 40 + 64 * i, i + 1
        s.add("K", P.RELAY1, 50, y, {2: "V_RLY", 5: f"R{n}_LOW", 1: f"R{n}_COM", 4: f"R{n}_NC", 3: f"R{n}_NO"})
        s.add("D", P.D4148, 32, y, {2: f"R{n}_LOW", 1: "V_RLY"}, rot=90)
        s.node(f"R{n}_LOW", 32, y + 7)
        s.node(f"R{n}_LOW", 45, y + 7)
        s.add("Q", P.BSS138, 44, y + 16, {1: f"RELAY{n}", 3: f"R{n}_LOW", 2: "GND"})
        s.add("R", P.r("100k"), 26, y + 19, {1: f"RELAY{n}", 2: "GND"})
        s.node(f"RELAY{n}", 26, y + 16)
        s.add("D", P.SMBJ33CA, 84, y, {1: f"R{n}_NO", 2: f"R{n}_COM"})
        s.add("D", P.SMBJ33CA, 100, y, {1: f"R{n}_NC", 2: f"R{n}_COM"})
        s.add("J", U.terminal(f"RELAY_{n}", ["NO", "COM", "NC"]), 132, y, {1: f"R{n}_NO", 2: f"R{n}_COM", 3: f"R{n}_NC"})
    s.text(8, 136, "GPIO22 and GPIO23 are inputs with pull-down at boot: no contact moves.\nThe gates are pulled down as well, and V_RLY is off.\nContacts: 30 V DC, 5 A; the surge parts are for 24 V DC circuits.")
    s.box(172, 8, 324, 150, "Wiegand: two lines out (open drain, 5 V), two lines in")
    for i in range(2):
        x = 190 + 50 * i
        net = f"W_OUT{i}"
        s.add("Q", P.BSS138, x + 10, 48, {1: f"WG_OUT{i}", 3: f"{net}_D", 2: "GND"})
        s.add("R", P.r("100k"), x, 55, {1: f"WG_OUT{i}", 2: "GND"})
        s.node(f"WG_OUT{i}", x, 48)
        s.add("R", P.r("2.2k"), x + 11, 27, {1: "5V", 2: f"{net}_D"})
        s.add("R", P.r("100"), x + 25, 36, {1: f"{net}_D", 2: net}, rot=90)
        s.node(f"{net}_D", x + 11, 36)
        s.add("D", P.ESD5, x + 32, 45, {1: net, 2: "GND"})
        net = f"W_IN{i}"
        s.add("R", P.r("4.7k"), x, 87, {1: "5V", 2: net})
        s.node(net, x, 96)
        s.add("D", P.ESD5, x, 105, {1: net, 2: "GND"})
        s.add("R", P.r("4.7k"), x + 10, 96, {1: net, 2: f"WG_IN{i}"}, rot=90)
        s.node(f"WG_IN{i}", x + 18, 96)
        s.node(f"WG_IN{i}", x + 18, 104)
        s.add("D", P.BAT54S, x + 26, 96, {1: "GND", 2: "3V3", 3: f"WG_IN{i}"})
    s.add("J", U.terminal("WIEGAND", ["+5V", "OUT_D0", "OUT_D1", "IN_D0", "IN_D1", "GND"]), 296, 60, {1: "5V", 2: "W_OUT0", 3: "W_OUT1", 4: "W_IN0", 5: "W_IN1", 6: "GND"})
    s.text(174, 122, "A high GPIO pulls an output low. GPIO24 and GPIO25 are pulled down at boot: the lines idle high.\nInputs: clamped to 3.3 V behind 4.7 kOhm.")
    return s


def console():
    s = Sheet("console", "Serial console for the technician's laptop", 15, "A4")
    s.box(6, 8, 226, 110, "USB-C socket, ESD, UART bridge; powered by the laptop, so it answers when the card does not")
    s.add("J", U.USB_C, 24, 46, {"A4": "VBUS", "A5": "CC1", "B5": "CC2", "A6": "USB_P", "A7": "USB_N", "B6": "USB_P", "B7": "USB_N", "A1": "GND", "S1": "GND"})
    s.add("R", P.r("5.1k"), 48, 76, {1: "CC1", 2: "GND"})
    s.add("R", P.r("5.1k"), 60, 76, {1: "CC2", 2: "GND"})
    s.add("U", U.USBLC6, 78, 40, {1: "USB_P", 3: "USB_N", 2: "GND", 6: "USB_PC", 4: "USB_NC", 5: "VBUS"})
    s.add("R", P.r("22k"), 80, 66, {1: "VBUS", 2: "VBUS_D"})
    s.add("R", P.r("47k"), 80, 82, {1: "VBUS_D", 2: "GND"})
    s.node("VBUS_D", 80, 74)
    s.add("U", U.UART, 134, 50, {8: "VBUS_D", 7: "VBUS", 6: "3V3U", 5: "3V3U", 3: "USB_PC", 4: "USB_NC", 9: "UART_RST", 2: "GND", 25: "GND", 10: None, 16: None,
                                 21: "U_TXD", 20: "U_RXD", 19: None, 18: None, 23: None, 22: None, 24: None, 1: None, 14: None, 13: None, 12: None, 11: None, 17: None, 15: None})
    s.add("R", P.r("1k"), 104, 76, {1: "3V3U", 2: "UART_RST"})
    s.add("C", P.c("10u"), 116, 92, {1: "VBUS", 2: "GND"})
    s.add("C", P.c("10u"), 132, 92, {1: "3V3U", 2: "GND"})
    s.add("R", P.r("1k"), 176, 40, {1: "U_TXD", 2: "UART_RXD"}, rot=90)
    s.add("R", P.r("1k"), 176, 52, {1: "U_RXD", 2: "UART_TXD"}, rot=90)
    s.text(150, 84, "1 kOhm in both lines: neither side feeds the other\nthrough its pins when only one has power.")
    return s


HEADER = {1: ("3V3", "3V3"), 2: ("5V", "5V_HOST"), 3: ("GPIO2", "I2C_SDA"), 4: ("5V", "5V_HOST"), 5: ("GPIO3", "I2C_SCL"), 6: ("GND", "GND"), 7: ("GPIO4", None), 8: ("GPIO14", "UART_TXD"),
          9: ("GND", "GND"), 10: ("GPIO15", "UART_RXD"), 11: ("GPIO17", "WDT_KICK"), 12: ("GPIO18", "I2S_BCLK"), 13: ("GPIO27", "PULSE_H"), 14: ("GND", "GND"), 15: ("GPIO22", "RELAY1"),
          16: ("GPIO23", "RELAY2"), 17: ("3V3", "3V3"), 18: ("GPIO24", "WG_OUT0"), 19: ("GPIO10", "SPI_MOSI"), 20: ("GND", "GND"), 21: ("GPIO9", "SPI_MISO"), 22: ("GPIO25", "WG_OUT1"),
          23: ("GPIO11", "SPI_SCLK"), 24: ("GPIO8", "SPI_CS"), 25: ("GND", "GND"), 26: ("GPIO7", None), 27: ("ID_SD", "ID_SDA"), 28: ("ID_SC", "ID_SCL"), 29: ("GPIO5", "WG_IN0"),
          30: ("GND", "GND"), 31: ("GPIO6", "INT_H"), 32: ("GPIO12", "WG_IN1"), 33: ("GPIO13", None), 34: ("GND", "GND"), 35: ("GPIO19", "I2S_FS"), 36: ("GPIO16", "DRIVE_OK"),
          37: ("GPIO26", "LED_HOST"), 38: ("GPIO20", "I2S_DIN"), 39: ("GND", "GND"), 40: ("GPIO21", "I2S_DOUT")}


def host():
    s = Sheet("host", "Host header: 2 x 20, Raspberry Pi class computer", 16, "A4")
    odd = [(str(n), HEADER[n][0], "passive") for n in range(1, 41, 2)]
    even = [(str(n), HEADER[n][0], "passive") for n in range(2, 41, 2)]
    symbol = P.S.box("HOST_2x20", "J", "Host header 2 x 20", odd, even, width=8)
    item = P.Item(symbol, "HOST_2x20", "PIN_2x20", "Samtec", "SSQ-120-23-G-D", "Harwin M20-6102045", rating="3A")
    s.box(6, 8, 116, 120, "Header")
    s.add("J", item, 60, 60, {n: HEADER[n][1] for n in HEADER})
    s.box(120, 8, 226, 120, "Identity EEPROM at 0x50, host LED")
    s.add("U", U.EEPROM, 170, 32, {1: "GND", 2: "GND", 3: "GND", 4: "GND", 8: "3V3", 7: "3V3", 6: "ID_SCL", 5: "ID_SDA"})
    s.add("R", P.r("3.9k"), 196, 22, {1: "3V3", 2: "ID_SCL"})
    s.add("R", P.r("3.9k"), 206, 24, {1: "3V3", 2: "ID_SDA"})
    s.add("C", P.c("100n"), 142, 60, {1: "3V3", 2: "GND"})
    s.add("R", P.r("1k"), 166, 64, {1: "LED_HOST", 2: "LED_HOST_A"}, rot=90)
    s.add("D", P.LED_GREEN, 182, 64, {2: "LED_HOST_A", 1: "GND"})
    s.text(122, 80, "GPIO4, 7 and 13 are free.\nDRIVE_OK is read back on GPIO16: the daemon sees what\nthe watchdog decided.\nWP of the EEPROM is tied high: it is written before assembly\nor with the pin lifted.")
    return s


POINTS = ["LINE_P", "LINE_F", "BR_RET", "SNS", "HYB_X", "HS_P", "TX_OUT", "RX_OUT", "DAC_AC", "VMID5", "VMID_BUF", "VREF", "TAP_COM", "PULSE",
          "LGND", "V_ISO", "5VL", "3V3L", "V_DRV", "DRIVE_OK_L", "WDT_HOLD", "DRIVE_OK", "V_RLY", "5V", "3V3", "GND"]


def testpoints():
    s = Sheet("testpoints", "Test points and mounting holes", 17, "A4")
    item = P.Item(P.S.TP, "TP", "TP_1.5", "Keystone", "5019", "Harwin S2751-46R")
    s.text(8, 10, "Line side", 1.8, True)
    s.text(8, 84, "Host side", 1.8, True)
    line = [p for p in POINTS if p not in ("WDT_HOLD", "DRIVE_OK", "V_RLY", "5V", "3V3", "GND")]
    for i, net in enumerate(line):
        s.add("TP", item, 20 + 28 * (i % 7), 24 + 20 * (i // 7), {1: net})
    for i, net in enumerate(POINTS[len(line):]):
        s.add("TP", item, 20 + 28 * i, 98, {1: net})
    hole = P.Item(P.S.HOLE, "M2.5", "HOLE_2.7", "-", "M2.5 spacer", "-")
    for i in range(4):
        s.add("H", hole, 20 + 28 * i, 128, {1: "GND"})
    s.text(134, 124, "Holes lie on the host side of the barrier.")
    return s
