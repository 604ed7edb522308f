//! The gateway core: line, call, SIP and media joined, without I/O.
