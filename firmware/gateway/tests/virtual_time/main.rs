//! The gateway as a whole in virtual time, one module a behaviour.

mod answered_keys;
mod main_path;
mod phone_does_not_answer;
mod visitor_and_handset;
mod world;
