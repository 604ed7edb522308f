//! The configuration file: schema, checks, explanations.
