//! The gateway as a whole in virtual time, one module a behaviour.

mod main_path;
mod world;
