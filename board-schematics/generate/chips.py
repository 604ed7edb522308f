"""Integrated circuits, modules and connectors: pin lists by side."""
from parts import Item, ic, pins
import symbols as S

MCP23017 = ic("MCP23017", "MCP23017-E/SO", "SOIC-28W", "Microchip", "MCP23017-E/SO", "Microchip MCP23017T-E/SO",
              "16-bit I2C expander (GPA7 and GPB7 are outputs only)",
              pins("12:SCL:input 13:SDA:bidirectional 18:~{RESET}:input 20:INTA:tri_state 19:INTB:tri_state - 15:A0:input 16:A1:input 17:A2:input - - - 11:NC:no_connect 14:NC:no_connect"),
              pins("21:GPA0 22:GPA1 23:GPA2 24:GPA3 25:GPA4 26:GPA5 27:GPA6 28:GPA7:output 1:GPB0 2:GPB1 3:GPB2 4:GPB3 5:GPB4 6:GPB5 7:GPB6 8:GPB7:output", "bidirectional"),
              pins("9:VDD:power_in"), pins("10:VSS:power_in"), "3V3L 0.2 0.3", "5.5V 25mA/pin", width=8)
MCP23017_MATRIX = ic("MCP23017", "MCP23017-E/SO", "SOIC-28W", "Microchip", "MCP23017-E/SO", "Microchip MCP23017T-E/SO",
                     "16-bit I2C expander (GPA7 and GPB7 are outputs only)", [], [], (), (), "3V3L 0.2 0.3", "5.5V 25mA/pin", "matrix")
MCP23017_MATRIX.symbol = MCP23017.symbol
MCP3208 = ic("MCP3208", "MCP3208-BI/SL", "SOIC-16", "Microchip", "MCP3208-BI/SL", "Microchip MCP3208-CI/SL",
             "12-bit ADC, 8 inputs, SPI, 100 kS/s at 5 V",
             pins("1:CH0 2:CH1 3:CH2 4:CH3 5:CH4 6:CH5 7:CH6 8:CH7", "input"),
             pins("13:CLK:input 11:DIN:input 12:DOUT:tri_state 10:~{CS}:input - - 15:VREF:input"),
             pins("16:VDD:power_in"), pins("14:AGND:power_in 9:DGND:power_in"), "5VL 0.32 0.32", "5.5V", width=6)
CODEC = ic("TLV320AIC23B", "TLV320AIC23BPW", "TSSOP-28", "Texas Instruments", "TLV320AIC23BPW", "Texas Instruments TLV320AIC23BIPW",
           "Stereo codec, 8 kHz frames from a 12.288 MHz clock",
           pins("20:LLINEIN 19:RLINEIN 18:MICIN 17:MICBIAS 16:VMID - 12:LOUT 13:ROUT 9:LHPOUT 10:RHPOUT - 25:XTI/MCLK 26:XTO"),
           pins("3:BCLK:bidirectional 4:DIN:input 5:LRCIN:bidirectional 6:DOUT:output 7:LRCOUT:bidirectional - 23:SDIN:bidirectional 24:SCLK:input 21:~{CS}:input 22:MODE:input - 2:CLKOUT:output"),
           pins("14:AVDD:power_in 8:HPVDD:power_in 1:BVDD:power_in 27:DVDD:power_in"),
           pins("15:AGND:power_in 11:HPGND:power_in 28:DGND:power_in"), "3V3L 0.1 16", "3.6V", width=10)
OSC = ic("OSC", "12.288MHz", "OSC_3225", "Abracon", "ASFL1-12.288MHZ-EC-T", "Kyocera KC3225K12.2880C1GE00", "Clock oscillator, 3.3 V",
         pins("1:EN:input"), pins("3:OUT:output"), pins("4:VDD:power_in"), pins("2:GND:power_in"), "3V3L 5 5", "3.6V", width=4)
SWITCH = Item(S.box("74LVC1G66", "U", "Bilateral switch", pins("1:Y:passive 4:C:input"), pins("2:Z:passive"), pins("5:VCC:power_in"),
                    pins("3:GND:power_in"), 4), "74LVC1G66GW", "SC-70-5", "Nexperia", "74LVC1G66GW,125", "Texas Instruments SN74LVC1G66DCKR",
              rating="5.5V", model="SWITCH66", order=[(1, "Y"), (2, "Z"), (3, "GND"), (4, "C"), (5, "VCC")], current="3V3L 0.01 0.01")
SCHMITT = Item(S.box("74LVC1G17", "U", "Schmitt buffer", pins("2:A:input 1:NC:no_connect"), pins("4:Y:output"), pins("5:VCC:power_in"),
                     pins("3:GND:power_in"), 4), "74LVC1G17GW", "SC-70-5", "Nexperia", "74LVC1G17GW,125", "Texas Instruments SN74LVC1G17DCKR",
               rating="5.5V", model="SCHMITT", order=[(2, "A"), (4, "Y"), (3, "GND"), (5, "VCC")], current="3V3 0.01 0.01")
MUX16 = ic("CD74HC4067", "CD74HC4067SM96", "SSOP-24", "Texas Instruments", "CD74HC4067SM96", "Nexperia 74HC4067DB,118", "16-channel analog multiplexer",
           pins("9:I0 8:I1 7:I2 6:I3 5:I4 4:I5 3:I6 2:I7 23:I8 22:I9 21:I10 20:I11 19:I12 18:I13 17:I14 16:I15"),
           pins("1:COM - - 10:S0:input 11:S1:input 14:S2:input 13:S3:input 15:~{E}:input"), pins("24:VCC:power_in"), pins("12:GND:power_in"),
           "3V3L 0.02 0.02", "6V", "matrix", width=6)
COUNTER = ic("74HC4040", "74HC4040D", "SOIC-16", "Nexperia", "74HC4040D,653", "Texas Instruments SN74HC4040DR", "12-stage ripple counter, counts falling edges",
             pins("10:~{CP}:input 11:MR:input"),
             pins("9:Q0 7:Q1 6:Q2 5:Q3 3:Q4 2:Q5 4:Q6 13:Q7 12:Q8 14:Q9 15:Q10 1:Q11", "output"),
             pins("16:VCC:power_in"), pins("8:GND:power_in"), "3V3L 0.02 0.02", "6V", width=5)
_ISO31 = ("1:VCC1:power_in 3:INA:input 4:INB:input 5:INC:input 6:OUTD:output 7:EN1:input - 2:GND1:power_in 8:GND1:power_in",
          "16:VCC2:power_in 14:OUTA:output 13:OUTB:output 12:OUTC:output 11:IND:input 10:EN2:input - 15:GND2:power_in 9:GND2:power_in")
ISO7741 = ic("ISO7741F", "ISO7741FDW", "SOIC-16W", "Texas Instruments", "ISO7741FDWR", "Skyworks SI8641ED-B-IS", "Digital isolator 3+1, outputs low when unpowered",
             pins(_ISO31[0]), pins(_ISO31[1]), current="ISO 3.0 3.6", rating="5.5V 5kVrms", width=8)
ISO7742 = ic("ISO7742F", "ISO7742FDW", "SOIC-16W", "Texas Instruments", "ISO7742FDWR", "Skyworks SI8642ED-B-IS", "Digital isolator 2+2, outputs low when unpowered",
             pins("1:VCC1:power_in 3:INA:input 4:INB:input 5:OUTC:output 6:OUTD:output 7:EN1:input - 2:GND1:power_in 8:GND1:power_in"),
             pins("16:VCC2:power_in 14:OUTA:output 13:OUTB:output 12:INC:input 11:IND:input 10:EN2:input - 15:GND2:power_in 9:GND2:power_in"),
             current="ISO 3.0 3.4", rating="5.5V 5kVrms", width=8)
ISO1540 = ic("ISO1540", "ISO1540DR", "SOIC-8", "Texas Instruments", "ISO1540DR", "Analog Devices ADUM1250ARZ", "I2C isolator",
             pins("1:VCC1:power_in 2:SDA1:bidirectional 3:SCL1:bidirectional 4:GND1:power_in"),
             pins("8:VCC2:power_in 7:SDA2:bidirectional 6:SCL2:bidirectional 5:GND2:power_in"), current="ISO 2.4 2.4", rating="5.5V 2.5kVrms", width=8)
SN6505 = ic("SN6505B", "SN6505BDBVR", "SOT-23-6", "Texas Instruments", "SN6505BDBVR", "Texas Instruments SN6505ADBVR", "Push-pull transformer driver",
            pins("2:VCC:power_in 5:EN:input 6:CLK:input 4:GND:power_in"), pins("1:D1:open_collector - 3:D2:open_collector"), current="5V 1.6 1.6", rating="5.5V 1A", width=6)
TRAFO = ic("TRANSFORMER", "1:1.3", "TRAFO_760390014", "Wurth", "760390014", "Coilcraft DA2304-AL", "Push-pull transformer, 2.5 kVrms, centre taps",
           pins("1:P1 - 2:PCT - 3:P2"), pins("6:S1 - 5:SCT - 4:S2"), rating="2.5kVrms 1:1.3", width=5, prefix="T")
LDO5 = ic("LP2985-5.0", "LP2985-50DBVR", "SOT-23-5", "Texas Instruments", "LP2985-50DBVR", "Microchip MIC5205-5.0YM5-TR", "5.0 V 150 mA low-noise regulator",
          pins("1:VIN:power_in 3:ON:input"), pins("5:VOUT:power_out 4:BP:passive"), (), pins("2:GND:power_in"), "5VL 0.1 0.3", "16V 150mA", width=5)
LDO33 = ic("MCP1700-3302", "MCP1700T-3302E/TT", "SOT-23", "Microchip", "MCP1700T-3302E/TT", "Microchip MCP1702T-3302E/CB", "3.3 V 250 mA regulator",
           pins("3:VIN:power_in"), pins("2:VOUT:power_out"), (), pins("1:GND:power_in"), "5VL 0.01 0.01", "6V 250mA", width=5)
REF = ic("REF3040", "REF3040AIDBZR", "SOT-23", "Texas Instruments", "REF3040AIDBZR", "Microchip MCP1541T-I/TT", "4.096 V reference 0.2 %",
         pins("1:IN:power_in"), pins("2:OUT:power_out"), (), pins("3:GND:power_in"), "5VL 0.05 0.05", "5.5V", width=4)
EEPROM = ic("24LC32", "24LC32AT-I/SN", "SOIC-8", "Microchip", "24LC32AT-I/SN", "ST M24C32-RMN6TP", "Identity EEPROM",
            pins("1:A0:input 2:A1:input 3:A2:input 4:VSS:power_in"), pins("8:VCC:power_in 7:WP:input 6:SCL:input 5:SDA:bidirectional"), current="3V3 0.01 0.01", rating="5.5V", width=6)
UART = ic("CP2102N", "CP2102N-A02-GQFN24", "QFN-24", "Silicon Labs", "CP2102N-A02-GQFN24R", "Silicon Labs CP2102N-A01-GQFN24", "USB to UART bridge",
          pins("8:VBUS:input 7:VREGIN:power_in 6:VDD:power_out 5:VIO:power_in - 3:D+:bidirectional 4:D-:bidirectional - 9:~{RST}:input 2:GND:power_in 25:PAD:passive 10:NC:no_connect 16:NC:no_connect"),
          pins("21:TXD:output 20:RXD:input 19:~{RTS}:output 18:~{CTS}:input 23:~{DTR}:output 22:~{DSR}:input 24:~{DCD}:input 1:~{RI}:bidirectional 14:GPIO0:bidirectional 13:GPIO1:bidirectional 12:GPIO2:bidirectional 11:GPIO3:bidirectional 17:SUSPEND:output 15:~{SUSPEND}:output"),
          rating="5.8V", width=8)
USBLC6 = ic("USBLC6-2", "USBLC6-2SC6", "SOT-23-6", "STMicroelectronics", "USBLC6-2SC6", "Nexperia PRTR5V0U2X", "USB ESD protection",
            pins("1:IO1 3:IO2 2:GND"), pins("6:IO1 4:IO2 5:VBUS"), rating="5.25V", width=5)
USB_C = ic("USB_C", "USB-C-2.0", "USB_C_16P", "GCT", "USB4105-GF-A", "Amphenol 12401610E4#2A", "USB-C socket, USB 2.0",
           [], pins("A4:VBUS A5:CC1 B5:CC2 A6:D+ A7:D- B6:D+ B7:D- A1:GND S1:SHIELD"), rating="5V 3A", width=5, prefix="J")


def connector(name, footprint, maker, mpn, alt, names, rating, variant="all", numbers=None, width=None):
    """Terminal block or header with all pins on the right."""
    symbol = S.box(name, "J", name.replace("_", " "), [], [(str(n), t, "passive") for n, t in zip(numbers or range(1, len(names) + 1), names)], width=width or 5)
    return Item(symbol, name, footprint, maker, mpn, alt, rating=rating, variant=variant)


def terminal(name, names, variant="all"):
    n = len(names)
    return connector(name, f"TB_5.08_{n}", "Phoenix Contact", {2: "1715721", 3: "1715734", 4: "1715747", 5: "1715750", 6: "1715763", 8: "1715789"}[n],
                     f"Degson DG128-5.08-{n:02d}P", names, "250V 16A", variant)
