//! A small PBX extension without I/O for demo, bench and virtual-time tests.
