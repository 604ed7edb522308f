//! The technician's command line and demo.

fn main() {}
