//! What an analog intercom line is: profiles, bands, detectors, timed sequences, the line card border.
