//! The gateway as a whole in virtual time, one module a behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod answered_keys;
mod attack_identity;
mod attack_info;
mod attack_rtp;
mod attack_sip;
mod attack_sound;
mod call_figures;
mod disk;
mod encrypted_sound;
mod hold_and_resume;
mod incoming_calls;
mod limits;
mod line_card;
mod line_faults;
mod main_path;
mod no_handset;
mod pbx_faults;
mod phone_does_not_answer;
mod random_schedules;
mod shutdown;
mod ugly_orders;
mod visitor_and_handset;
mod world;
