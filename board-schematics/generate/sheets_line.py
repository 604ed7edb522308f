"""Pages of the analog line: pair interface, hybrid, codec."""
import chips as U
import parts as P
from kicad import Sheet


def pair():
    s = Sheet("pair", "Pair interface: protection, bypass relay, loads", 2)
    s.box(6, 8, 92, 112, "Terminals and surge")
    s.text(8, 13, "SELV line of one apartment. Polarised: LINE+ is the handset's diode side.\\n"
           "TVS across the pair holds 31 V at 24 A (1 kV through 42 Ohm). The gas tube works only\\nwhen an earth is brought to EARTH; leave it open where there is none.".replace("\\n", "\n"))
    s.add("J", U.terminal("LINE_TERMINAL", ["LINE+", "LINE-", "HANDSET+", "HANDSET-", "EARTH"], "pair"), 14, 36,
          {1: "LINE_P", 2: "LGND", 3: "HS_P", 4: "LGND", 5: "EARTH"})
    s.add("GD", P.GDT230, 36, 62, {1: "LINE_P", 3: "LGND", 2: "EARTH"})
    s.add("D", P.SMBJ18CA, 60, 40, {1: "LINE_P", 2: "LGND"})
    s.add("D", P.SMBJ18CA, 80, 40, {1: "HS_P", 2: "LGND"}, variant="pair")
    s.add("F", P.PTC100, 60, 64, {1: "LINE_P", 2: "LINE_F"})
    s.text(8, 84, "F201 feeds only our own loads. It is not in the handset's path, so the old\n"
           "handset sees nothing of ours but a relay contact and two 3.3 MOhm dividers.\n\n"
           "LINE- is LGND, the floating ground of the line side. It reaches the host only\n"
           "through the isolation barrier (page 11).")
    s.box(94, 8, 216, 62, "Bypass relay: released = old handset on the line (also without power)")
    s.add("K", P.RELAY2, 130, 34, {1: "V_DRV", 8: "K1_LOW", 3: "HS_P", 2: "LINE_P", 4: "HS_BIAS", 6: "HS_P", 7: "LINE_P", 5: "HS_BIAS"}, variant="pair")
    for x in (128, 134):
        s.node("LINE_P", x, 22)
        s.node("HS_BIAS", x + 2, 27)
        s.node("HS_P", x + 1, 41)
    s.node("K1_LOW", 112, 43)
    s.node("K1_LOW", 124, 43)
    s.add("D", P.D4148, 112, 34, {2: "K1_LOW", 1: "V_DRV"}, rot=90, variant="pair")
    s.add("Q", P.BSS138, 123, 50, {1: "ISOLATE", 3: "K1_LOW", 2: "LGND"}, variant="pair")
    s.add("R", P.r("100k"), 106, 53, {1: "ISOLATE", 2: "LGND"}, variant="pair")
    s.node("ISOLATE", 106, 50)
    s.add("R", P.r("4.7k"), 152, 24, {1: "5VL", 2: "HS_BIAS"}, variant="pair")
    s.text(160, 18, "ISOLATE high: handset off the line and\nbiased to 5 V through 4.7 kOhm, so that\nlifting it is seen while we hold the call.\nBoth contacts in parallel: one worn contact\ndoes not cut the apartment off.")
    s.box(94, 64, 324, 150, "Loads. Every branch has its own diode; every branch returns through the limiter")
    for i, (title, value, size, net, out) in enumerate([
            ("ON-HOOK\n54 Ohm", "43", "2512", "ONHOOK_N", "BR_RET"), ("ON-HOOK BOOST\nboth: 26 Ohm", "24", "2512", "ONHOOK_BOOST_N", "BR_RET"),
            ("RESIDUE\n9.4 kOhm", "9.31k", "1206", "RESIDUE_N", "BR_RET"), ("OFF-HOOK\nto the sink (page 3)", None, None, "OFFHOOK_N", "HYB_X")]):
        x = 126 + 34 * i
        top = f"LOAD_{'ABCD'[i]}"
        s.text(x + 3, 73.5, title)
        s.node("LINE_F", x, 72)
        s.add("D", P.S1M, x, 81, {2: "LINE_F", 1: f"{top}1"}, rot=270)
        s.add("U", P.PHOTOMOS, x - 5, 96, {1: f"{top}_LED", 2: net, 4: f"{top}1", 3: f"{top}2" if value else out})
        s.add("R", P.r("270"), x - 10, 88, {1: "3V3L", 2: f"{top}_LED"})
        if value:
            s.add("R", P.r(value, size), x, 109, {1: f"{top}2", 2: out})
            s.node(out, x, 118)
        else:
            s.node(out, x, 104)
    s.node("BR_RET", 251, 118)
    s.add("Q", P.NTF3055L, 250, 126, {1: "LIM_G", 2: "BR_RET", 4: "BR_RET", 3: "SNS"})
    s.add("R", P.r("7.5", "1206"), 251, 141, {1: "SNS", 2: "LGND"})
    s.node("LIM_G", 236, 126)
    s.add("R", P.r("10k"), 236, 121, {1: "V_DRV", 2: "LIM_G"})
    s.add("Q", P.BC847, 235, 133, {1: "LIM_B", 3: "LIM_G", 2: "LGND"})
    s.add("R", P.r("1k"), 231, 139, {1: "LIM_B", 2: "SNS"})
    s.node("SNS", 231, 147)
    s.text(268, 132, "Limiter and master gate: V_DRV from the\nwatchdog opens it, about 80 mA closes it.\nWithout V_DRV no load of ours conducts.\nSNS is also the current reading (7.5 Ohm).")
    s.box(6, 116, 92, 150, "States")
    s.text(8, 122, "Off: all four LEDs dark.  OnHook: ONHOOK; with BOOST as well on a long cable.\nOffHook: OFFHOOK.  Residue: RESIDUE, OFFHOOK dark.\n"
           "Full break: all dark, ISOLATE kept.\nThe select nets are active low: an expander in reset (inputs)\nleaves every LED dark.\n"
           "A photo-MOS that fails short still meets the limiter gate;\na limiter that fails short still meets the photo-MOS.")
    return s


def hybrid():
    s = Sheet("hybrid", "Handset imitation (DC sink) and two-wire to four-wire hybrid", 3)
    s.box(6, 8, 148, 120, "DC sink: I = k x V(HYB_X), quiet above 10 Hz")
    s.add("R", P.r("200k", "1206"), 24, 30, {1: "HYB_X", 2: "GYR_REF"})
    s.node("HYB_X", 24, 22)
    for i, (value, net) in enumerate([("40.2k", None), ("49.9k", "TRIM0"), ("13.3k", "TRIM1")]):
        x = 24 + 20 * i
        s.node("GYR_REF", x, 44)
        low = f"TRIM_R{i}"
        s.add("R", P.r(value), x, 52, {1: "GYR_REF", 2: low if net else "LGND"})
        if net:
            s.add("Q", P.BSS138, x - 1, 68, {1: net, 3: low, 2: "LGND"})
    s.node("GYR_REF", 84, 44)
    s.add("C", P.c("1u"), 84, 52, {1: "GYR_REF", 2: "LGND"})
    s.node("GYR_REF", 94, 44)
    s.add("U3", P.TLV9064, 104, 42, {3: "GYR_REF", 2: "GYR_FB", 1: "GYR_OUT"})
    s.add("C", P.c("1n"), 104, 33, {1: "GYR_FB", 2: "GYR_OUT"}, rot=90)
    s.node("GYR_FB", 97, 33)
    s.node("GYR_FB", 97, 40)
    s.node("GYR_FB", 97, 60)
    s.node("GYR_OUT", 112, 33)
    s.node("GYR_OUT", 112, 42)
    s.add("R", P.r("1k"), 119, 42, {1: "GYR_OUT", 2: "GYR_B"}, rot=90)
    s.add("Q", P.BCP56, 132, 42, {1: "GYR_B", 2: "HYB_X", 4: "HYB_X", 3: "GYR_E"})
    s.node("HYB_X", 133, 22)
    s.add("R", P.r("23.2", "1206"), 133, 68, {1: "GYR_E", 2: "BR_RET"})
    s.node("GYR_E", 133, 60)
    s.add("R", P.r("10k"), 110, 60, {1: "GYR_FB", 2: "GYR_E"}, rot=90)
    s.text(264, 84, "Send and receive share VMID5: with two\nreferences a DC current would flow\nthrough DAC_AC and shift both outputs.")
    s.text(10, 84, "R(dc) = 30.6 Ohm / k with k set by TRIM1 TRIM0:\n00 = 181 Ohm   01 = 302 Ohm (default: a handset)   10 = 635 Ohm   11 = 757 Ohm\n"
           "The current returns through the limiter and the 7.5 Ohm shunt of page 2, so it is also the reading.\n"
           "1 uF makes the sink a high impedance to speech; the AC impedance is set by R(T) = 430 Ohm at the right,\nwhich lies where a handset's lies (400-500 Ohm): a plain resistor makes some panels howl.")
    s.box(152, 8, 324, 120, "Send: codec to line. Balance: what we send is taken out of what we receive")
    s.add("R", P.r("20k"), 172, 34, {1: "DAC_AC", 2: "TX_SUM"}, rot=90)
    s.add("U3", P.TLV9064, 192, 36, {6: "TX_SUM", 5: "VMID5", 7: "TX_OUT"}, unit=2, mirror=False)
    s.node("TX_SUM", 183, 34)
    s.add("R", P.r("27k"), 192, 27, {1: "TX_SUM", 2: "TX_OUT"}, rot=90)
    s.node("TX_SUM", 183, 27)
    s.node("TX_OUT", 201, 27)
    s.node("TX_OUT", 201, 36)
    s.add("D", P.BAT54S, 212, 44, {1: "LGND", 2: "5VL", 3: "TX_OUT"})
    s.add("R", P.r("430", "1206"), 226, 36, {1: "TX_OUT", 2: "TX_C"}, rot=90)
    s.add("C", P.C47_BP, 240, 36, {1: "TX_C", 2: "HYB_X"}, rot=90)
    s.add("C", P.c("1u"), 258, 36, {1: "HYB_X", 2: "RX_AC"}, rot=90)
    s.add("R", P.r("100k"), 272, 36, {1: "RX_AC", 2: "RX_SUM"}, rot=90)
    s.node("HYB_X", 250, 36)
    s.add("U3", P.TLV9064, 294, 38, {9: "RX_SUM", 10: "VMID5", 8: "RX_OUT"}, unit=3)
    s.node("RX_SUM", 284, 36)
    s.node("RX_SUM", 284, 26)
    s.add("R", P.r("127k"), 294, 26, {1: "RX_SUM", 2: "RX_OUT"}, rot=90)
    s.node("RX_OUT", 304, 26)
    s.node("RX_OUT", 304, 38)
    s.node("RX_SUM", 284, 18)
    s.node("RX_OUT", 304, 18)
    s.add("C", P.c("47p"), 294, 18, {1: "RX_SUM", 2: "RX_OUT"}, rot=90)
    s.add("R", P.r("147k"), 240, 66, {1: "DAC_AC", 2: "RX_SUM"}, rot=90)
    s.add("R", P.r("1.65M"), 224, 80, {1: "DAC_AC", 2: "BAL_A"}, rot=90)
    s.add("U", U.SWITCH, 246, 82, {1: "BAL_A", 4: "BAL0", 2: "RX_SUM", 5: "3V3L", 3: "LGND"})
    s.add("R", P.r("820k"), 224, 108, {1: "DAC_AC", 2: "BAL_B"}, rot=90)
    s.add("U", U.SWITCH, 246, 110, {1: "BAL_B", 4: "BAL1", 2: "RX_SUM", 5: "3V3L", 3: "LGND"})
    for i, net in enumerate(["BAL_A", "BAL_B"]):
        s.add("R", P.r("100k"), 234, 90 + 28 * i, {1: net, 2: "VMID5"})
    s.text(264, 62, "Balance for a line of 420..780 Ohm:\nBAL1 BAL0 = 00: 430 Ohm, 01: 520 Ohm,\n10: 620 Ohm (default), 11: 750 Ohm, about.\nThe switches sit at the summing point, where\nnothing swings; open, 100k holds them there.")
    s.box(6, 124, 148, 190, "Mid-supply references")
    for i, (rail, net) in enumerate([("5VL", "VMID5")]):
        x = 24 + 40 * i
        s.add("R", P.r("10k"), x, 143, {1: rail, 2: net})
        s.node(net, x, 150)
        s.add("R", P.r("10k"), x, 157, {1: net, 2: "LGND"})
        s.add("C", P.c("10u"), x + 14, 157, {1: net, 2: "LGND"})
        s.node(net, x + 14, 150)
    for i, net in enumerate(["TRIM0", "TRIM1", "BAL0", "BAL1"]):
        s.add("R", P.r("100k"), 92 + 14 * i, 157, {1: net, 2: "LGND"})
    s.text(90, 138, "Defaults while the expander is in reset")
    s.box(152, 124, 324, 190, "Supply of U3 and spare op-amp (follower on VMID5, for the test point)")
    s.add("U3", P.TLV9064, 190, 156, {4: "5VL", 11: "LGND"}, unit=5)
    s.add("C", P.c("100n"), 206, 156, {1: "5VL", 2: "LGND"})
    s.add("U3", P.TLV9064, 250, 156, {12: "VMID5", 13: "VMID_BUF", 14: "VMID_BUF"}, unit=4)
    s.node("VMID_BUF", 243, 154)
    s.node("VMID_BUF", 243, 148)
    s.node("VMID_BUF", 257, 148)
    s.node("VMID_BUF", 257, 156)
    return s


def codec():
    s = Sheet("codec", "Codec and audio clock", 4, "A4")
    s.box(6, 8, 226, 132, "TLV320AIC23B, I2C address 0x1A, clock master: 8 kHz frames from 12.288 MHz")
    nets = {20: "LIN", 19: "RIN", 18: "MICIN", 17: None, 16: "CVMID", 12: "LOUT", 13: None, 9: None, 10: None, 25: "MCLK", 26: None,
            3: "BCLK_L", 4: "DACDAT_L", 5: "LRCK_L", 6: "ADCDAT_L", 7: None, 23: "SDA_L", 24: "SCL_L", 21: "LGND", 22: "LGND", 2: None,
            14: "3V3A", 8: "3V3A", 1: "3V3L", 27: "3V3L", 15: "LGND", 11: "LGND", 28: "LGND"}
    s.add("U4", U.CODEC, 110, 56, nets)
    s.add("R", P.r("1k"), 36, 36, {1: "RX_OUT", 2: "LIN_D"}, rot=90)
    s.add("C", P.c("1n"), 48, 43, {1: "LIN_D", 2: "LGND"})
    s.node("LIN_D", 48, 36)
    s.add("C", P.c("1u"), 60, 36, {1: "LIN_D", 2: "LIN"}, rot=90)
    s.add("C", P.c("1u"), 30, 62, {1: "RIN", 2: "LGND"})
    s.add("C", P.c("1u"), 42, 62, {1: "MICIN", 2: "LGND"})
    s.add("C", P.c("10u"), 54, 62, {1: "CVMID", 2: "LGND"})
    s.add("R", P.r("100"), 36, 84, {1: "DAC_OUT", 2: "LOUT"}, rot=90)
    s.add("C", P.c("1u"), 22, 84, {1: "DAC_AC", 2: "DAC_OUT"}, rot=90)
    s.add("R", P.r("47k"), 50, 92, {1: "LOUT", 2: "LGND"})
    s.add("X", U.OSC, 66, 110, {1: "3V3L", 3: "MCLK", 4: "3V3L", 2: "LGND"})
    s.add("L", P.FERRITE, 160, 96, {1: "3V3L", 2: "3V3A"})
    for i, (net, value) in enumerate([("3V3A", "10u"), ("3V3A", "100n"), ("3V3L", "100n"), ("3V3L", "100n")]):
        s.add("C", P.c(value), 174 + 12 * i, 106, {1: net, 2: "LGND"})
    s.text(132, 116, "Full scale 1 Vrms at LIN and LOUT with 3.3 V. 0 dBm0 = 0.70 Vrms, 3.14 dB below full scale.\n"
           "Line-input gain 0 dB, DAC gain 0 dB: then RX_OUT and LOUT carry the levels of parameters.toml.\n"
           "LLINEIN is the line behind the hybrid. RLINEIN and MICIN are not used.\n"
           "As clock master the codec drives LRCIN and LRCOUT alike; LRCOUT stays open.")
    return s
