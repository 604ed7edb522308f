//! The gateway as a whole in virtual time, one module a behaviour.

mod answered_keys;
mod disk;
mod hold_and_resume;
mod incoming_calls;
mod limits;
mod line_card;
mod line_faults;
mod main_path;
mod pbx_faults;
mod phone_does_not_answer;
mod shutdown;
mod visitor_and_handset;
mod world;
