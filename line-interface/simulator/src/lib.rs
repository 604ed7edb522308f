//! The electrical circuit of a line and the panel that drives it, solved sample by sample.
