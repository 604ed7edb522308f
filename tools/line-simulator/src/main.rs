//! A panel, a line and a handset as a process behind the virtual line card protocol.

fn main() {}
