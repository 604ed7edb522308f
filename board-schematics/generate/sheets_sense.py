"""Pages that read the line: sensing and ADC, expanders, pulse front end."""
import chips as U
import parts as P
from kicad import Sheet


def sense():
    s = Sheet("sense", "Line sensing and ADC", 5)
    s.box(6, 8, 170, 150, "Dividers and buffers: -4..+17.6 V at the terminals, below 4 uA a divider")
    for i, (source, net, unit, pins, variant) in enumerate([("LINE_P", "LINE_V", 1, (3, 2, 1), "all"), ("HS_P", "HS_V", 2, (5, 6, 7), "all")]):
        y = 36 + 44 * i
        mid = f"{net}_D"
        s.add("R", P.r("3.3M", "1206"), 30, y, {1: source, 2: mid}, rot=90)
        s.add("R", P.r("3.3M"), 42, y - 7, {1: "VREF", 2: mid})
        s.add("R", P.r("1M"), 42, y + 7, {1: mid, 2: "LGND"})
        s.node(mid, 42, y)
        s.add("C", P.c("22p"), 58, y + 7, {1: mid, 2: "LGND"})
        s.node(mid, 58, y)
        s.add("U5", P.TLV9004, 82, y - 2, {pins[0]: mid, pins[1]: net, pins[2]: net}, unit=unit)
        s.node(net, 74, y - 4)
        s.node(net, 74, y - 10)
        s.node(net, 92, y - 10)
        s.node(net, 92, y - 2)
        s.add("R", P.r("100"), 106, y - 2, {1: net, 2: f"{net}_ADC"}, rot=90)
        s.add("C", P.c("1n"), 120, y + 5, {1: f"{net}_ADC", 2: "LGND"})
        s.node(f"{net}_ADC", 120, y - 2)
    y = 128
    s.add("U5", P.TLV9004, 82, y, {10: "SNS_R", 9: "SNS_FB", 8: "LINE_I"}, unit=3)
    s.add("R", P.r("10k"), 66, y + 2, {1: "SNS", 2: "SNS_R"}, rot=90)
    s.add("R", P.r("30k"), 86, y - 10, {1: "SNS_FB", 2: "LINE_I"}, rot=90)
    s.node("SNS_FB", 74, y - 2)
    s.node("SNS_FB", 74, y - 10)
    s.node("LINE_I", 94, y - 10)
    s.node("LINE_I", 94, y)
    s.add("R", P.r("10k"), 46, y - 4, {1: "SNS_FB", 2: "LGND"})
    s.node("SNS_FB", 46, y - 10)
    s.add("R", P.r("100"), 106, y, {1: "LINE_I", 2: "LINE_I_ADC"}, rot=90)
    s.add("C", P.c("1n"), 120, y + 7, {1: "LINE_I_ADC", 2: "LGND"})
    s.node("LINE_I_ADC", 120, y)
    s.text(138, 28, "LINE_V, HS_V:\n0.189 V per V + 0.773 V.\nThe offset shows a line that\nis connected backwards.\n\nLINE_I: 30 mV per mA.\nReference 4.096 V: one\ncount is one millivolt.")
    s.box(172, 8, 324, 96, "ADC, reference")
    s.add("U6", U.MCP3208, 230, 40, {1: "LINE_V_ADC", 2: "LINE_I_ADC", 3: "HS_V_ADC", 4: "MON_5VL", 5: "TAP_V", 6: "MON_DRV", 7: "VMID_BUF", 8: "LGND",
                                     13: "SPI_SCLK_L", 11: "SPI_MOSI_L", 12: "SPI_MISO_L", 10: "SPI_CS_L", 15: "VREF", 16: "5VL", 14: "LGND", 9: "LGND"})
    s.add("R", P.r("100k"), 270, 48, {1: "SPI_MISO_L", 2: "LGND"})
    s.add("C", P.c("100n"), 256, 72, {1: "5VL", 2: "LGND"})
    s.add("U", U.REF, 286, 72, {1: "5VL", 2: "VREF", 3: "LGND"})
    s.add("C", P.c("10u"), 304, 79, {1: "VREF", 2: "LGND"})
    s.node("VREF", 304, 72)
    s.text(174, 78, "CH0 line V   CH1 line mA   CH2 handset V   CH3 5VL/2\nCH4 tap (mux)   CH5 V_DRV/2   CH6 2.5 V   CH7 zero")
    s.box(172, 98, 324, 150, "Supply monitors, tap buffer, supply of U5")
    for i, (rail, net) in enumerate([("5VL", "MON_5VL"), ("V_DRV", "MON_DRV")]):
        x = 190 + 26 * i
        s.add("R", P.r("10k"), x, 117, {1: rail, 2: net})
        s.node(net, x, 124)
        s.add("R", P.r("10k"), x, 131, {1: net, 2: "LGND"})
    s.add("U5", P.TLV9004, 254, 122, {12: "TAP_COM", 13: "TAP_V", 14: "TAP_V"}, unit=4)
    s.node("TAP_V", 246, 120)
    s.node("TAP_V", 246, 113)
    s.node("TAP_V", 264, 113)
    s.node("TAP_V", 264, 122)
    s.add("R", P.r("10M"), 238, 131, {1: "TAP_COM", 2: "LGND"})
    s.node("TAP_COM", 238, 124)
    s.add("U5", P.TLV9004, 288, 124, {4: "5VL", 11: "LGND"}, unit=5)
    s.add("C", P.c("100n"), 304, 124, {1: "5VL", 2: "LGND"})
    return s


def expanders():
    s = Sheet("expanders", "Expanders 0x20 and 0x23", 6, "A4")
    s.box(6, 8, 112, 110, "U7 at 0x20: loads, settings")
    s.add("U7", U.MCP23017, 62, 52, {12: "SCL_L", 13: "SDA_L", 18: "DRIVE_OK_L", 20: "EXP_INT", 19: None, 15: "LGND", 16: "LGND", 17: "LGND", 11: None, 14: None,
                                     21: "ISOLATE", 22: "ONHOOK_N", 23: "ONHOOK_BOOST_N", 24: "OFFHOOK_N", 25: "RESIDUE_N", 26: "TRIM0", 27: "TRIM1", 28: "BAL0",
                                     1: "BAL1", 2: "REVERSE", 3: "SCAN_N", 4: "BIAS_T", 5: "BIAS_U", 6: "PULSE_RESET", 7: "MATRIX_N", 8: "LED_LINE", 9: "3V3L", 10: "LGND"})
    s.add("R", P.r("10k"), 22, 76, {1: "3V3L", 2: "MATRIX_N"})
    s.add("R", P.r("100"), 22, 88, {1: "MATRIX_N", 2: "LGND"}, variant="matrix")
    s.node("MATRIX_N", 22, 82)
    s.add("C", P.c("100n"), 40, 86, {1: "3V3L", 2: "LGND"})
    s.add("R", P.r("1k"), 76, 96, {1: "LED_LINE", 2: "LED_LINE_A"}, rot=90)
    s.add("D", P.LED_GREEN, 90, 96, {2: "LED_LINE_A", 1: "LGND"})
    s.box(116, 8, 226, 110, "U8 at 0x23: pulse count, tap multiplexer")
    s.add("U8", U.MCP23017, 172, 52, {12: "SCL_L", 13: "SDA_L", 18: "DRIVE_OK_L", 20: "EXP_INT2", 19: None, 15: "3V3L", 16: "3V3L", 17: "LGND", 11: None, 14: None,
                                      21: "COUNT0", 22: "COUNT1", 23: "COUNT2", 24: "COUNT3", 25: "COUNT4", 26: "COUNT5", 27: "COUNT6", 28: None,
                                      1: "COUNT7", 2: "MUX_S0", 3: "MUX_S1", 4: "MUX_S2", 5: "MUX_S3", 6: "MUX_T_N", 7: "MUX_U_N", 8: None, 9: "3V3L", 10: "LGND"})
    s.add("C", P.c("100n"), 150, 86, {1: "3V3L", 2: "LGND"})
    s.text(8, 116, "DRIVE_OK_L low (watchdog) holds both expanders in reset: every pin is an input, every load and setting falls to its pull.\n"
                   "MATRIX_N reads 0 on the matrix variant. BIAS_T and BIAS_U are driven high or low by the profile (which side is sourced).", 1.27)
    return s


def pulse():
    s = Sheet("pulse", "Pulse-line front end and counter", 7, "A4")
    s.box(6, 8, 128, 92, "Threshold and glitch filter")
    s.add("D", P.D4148, 16, 36, {2: "LINE_P", 1: "PULSE_D"})
    s.add("R", P.r("1M", "1206"), 32, 36, {1: "PULSE_D", 2: "PULSE_IN"}, rot=90)
    s.add("R", P.r("470k"), 44, 46, {1: "PULSE_IN", 2: "LGND"})
    s.node("PULSE_IN", 44, 36)
    s.add("C", P.c("4.7p"), 58, 46, {1: "PULSE_IN", 2: "LGND"})
    s.node("PULSE_IN", 58, 36)
    s.add("U9", P.MCP6561, 92, 34, {3: "PULSE_IN", 4: "PULSE_TH", 1: "PULSE"})
    s.node("PULSE_IN", 76, 36)
    s.add("R", P.r("1.5M"), 92, 46, {1: "PULSE_IN", 2: "PULSE"}, rot=90)
    s.node("PULSE_IN", 76, 46)
    s.node("PULSE", 108, 46)
    s.node("PULSE", 108, 34)
    s.add("R", P.r("22k"), 86, 58, {1: "3V3L", 2: "PULSE_TH"})
    s.add("R", P.r("10k"), 86, 72, {1: "PULSE_TH", 2: "LGND"})
    s.node("PULSE_TH", 86, 65)
    s.add("C", P.c("10n"), 98, 72, {1: "PULSE_TH", 2: "LGND"})
    s.node("PULSE_TH", 98, 65)
    s.text(8, 76, "High above about 4.2 V, low below about 2 V\n(measured values: parameters.toml).\nLoad on the line 8 uA at 11 V, and none backwards.")
    s.box(130, 8, 226, 92, "Counter: address = number of low pulses; no software is in the 20 us path")
    s.add("U10", U.COUNTER, 178, 46, {10: "PULSE", 11: "PULSE_RESET", 9: "COUNT0", 7: "COUNT1", 6: "COUNT2", 5: "COUNT3", 3: "COUNT4", 2: "COUNT5", 4: "COUNT6",
                                      13: "COUNT7", 12: None, 14: None, 15: None, 1: None, 16: "3V3L", 8: "LGND"})
    s.add("R", P.r("100k"), 146, 66, {1: "PULSE_RESET", 2: "LGND"})
    s.add("U9", P.MCP6561, 160, 80, {5: "3V3L", 2: "LGND"}, unit=2)
    s.add("C", P.c("100n"), 112, 74, {1: "3V3L", 2: "LGND"})
    s.add("C", P.c("100n"), 206, 80, {1: "3V3L", 2: "LGND"})
    s.text(8, 98, "Software clears the counter (PULSE_RESET high, then low) when the line has been low for the reset time, and reads COUNT0..7 over I2C\n"
                  "2 ms after the last edge. PULSE also goes to the host as GPIO27 for time stamps (reset length, ring frequency).")
    return s
