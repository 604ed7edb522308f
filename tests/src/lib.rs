//! End-to-end behaviours against real peers.
