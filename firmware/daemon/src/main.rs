//! The daemon: sockets, disk, clocks and line cards around the gateway core.

fn main() {}
