//! The journal's disk is fine, slow or stuck: the record comes first, the resident is not kept out.

use crate::world::{Disk, Options, World, ms, seconds};

fn opening(disk: Disk) -> (World, u64) {
    let mut world = World::ready(Options {
        disk,
        ..Options::default()
    });
    world.visit_until("door_release_started");
    let waited = world.now - world.time_of("door_opened").unwrap();
    (world, waited.as_millis() as u64)
}

#[test]
fn a_fine_disk_delays_the_door_by_its_own_time_only() {
    let (mut world, waited) = opening(Disk::TakesIn(ms(8)));
    // The release itself begins with the next block of the line.
    assert!((8..=20).contains(&waited), "{waited} ms");
    world.next_visit_works();
}

#[test]
fn a_slow_disk_is_waited_for() {
    let (mut world, waited) = opening(Disk::TakesIn(ms(200)));
    assert!((200..=212).contains(&waited), "{waited} ms");
    world.next_visit_works();
}

#[test]
fn a_very_slow_disk_keeps_nobody_out() {
    let (mut world, waited) = opening(Disk::TakesIn(seconds(20)));
    assert!((250..=262).contains(&waited), "{waited} ms");
    world.wait("door_release_ended", 1);
    // The record that comes late opens nothing again.
    world.run_for(seconds(30));
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    world.next_visit_works();
}

#[test]
fn a_stuck_disk_keeps_nobody_out() {
    let (mut world, waited) = opening(Disk::Stuck);
    assert!((250..=262).contains(&waited), "{waited} ms");
    world.next_visit_works();
    assert_eq!(world.records("door_opened"), 2);
}

#[test]
fn a_record_written_after_its_call_opens_nothing() {
    for seed in 0..6 {
        let mut world = World::ready(Options {
            disk: Disk::TakesIn(ms(200)),
            seed,
            ..Options::default()
        });
        world.visit_until("door_opened");
        world.run_for(ms(30 * seed));
        world.panel.visitor_leave();
        world.run_for(seconds(8));
        assert_eq!(world.opened(), 0);
        assert_eq!(world.records("door_opened"), 1);
        world.next_visit_works();
    }
}
