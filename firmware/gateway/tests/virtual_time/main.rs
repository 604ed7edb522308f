//! The gateway as a whole in virtual time, one module a behaviour.

mod answered_keys;
mod hold_and_resume;
mod incoming_calls;
mod limits;
mod main_path;
mod pbx_faults;
mod phone_does_not_answer;
mod visitor_and_handset;
mod world;
