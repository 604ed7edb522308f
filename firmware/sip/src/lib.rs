//! SIP user agent core without I/O.
