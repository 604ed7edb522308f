//! RTP media session core without I/O.
