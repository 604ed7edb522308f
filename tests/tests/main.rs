//! End-to-end behaviours against real peers, one behaviour a file, in one program: fifty programs
//! would each hold the same libraries, and take the room and the linking of fifty.

mod answered_and_rfc4733_digit_opens;
mod asterisk_harness;
mod backup_account;
mod bad_configuration;
mod baresip_opens;
mod baresip_tones_open_nothing;
mod busy_phone;
mod caller_gives_up;
mod compact_headers;
mod cseq_gap;
mod daemon_holds_no_simulator;
mod daemon_killed_in_a_call;
mod daemon_stood_still;
mod demo;
mod direct_incoming_call;
mod direct_media;
mod dns_over_tcp;
mod do_not_disturb;
mod encrypted_sound;
mod failing_disk;
mod flood_of_strangers;
mod g722;
mod handset_lifted_first;
mod headset;
mod hold_and_resume;
mod incoming_call;
mod info_digit_opens;
mod invite_flood;
mod kamailio_proxy;
mod late_cancel;
mod latin1_names;
mod learn_live;
mod learn_live_matrix;
mod learn_live_pulse;
mod line_card_gone;
mod linphone_opens;
mod long_ring;
mod matrix_line;
mod no_ack;
mod no_answer;
mod no_content_length;
mod opus;
mod pbx_connects_over_tls;
mod pbx_restart_in_a_call;
mod pbx_restart_while_registered;
mod phones_called_together;
mod phones_own_transfer;
mod pulse_line;
mod redirect_elsewhere;
mod reliable_responses;
mod replaced_call;
mod ring_group_and_queue;
mod sip_over_ipv6;
mod sip_over_tcp;
mod sip_over_tls;
mod sip_trace;
mod sound_devices;
mod strangers_over_tcp;
mod stun_maps_ports;
mod transfer_and_redirect;
mod unknown_methods;
mod wrong_password;

/// A behaviour that is not named above would be left out in silence.
#[test]
fn every_file_here_is_part_of_this_program() -> trubka_tests::Outcome {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let this = include_str!("main.rs");
    for entry in std::fs::read_dir(here)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let named = name == "main" || this.lines().any(|line| line == format!("mod {name};"));
        trubka_tests::failure::ensure(named, || {
            format!("tests/tests/main.rs lacks `mod {name};`")
        })?;
    }
    Ok(())
}
