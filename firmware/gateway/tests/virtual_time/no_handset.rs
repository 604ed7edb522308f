//! The box in the place of the old handset: it must look like one to the panel.

use line_interface::{Drive, HandsetRelay, Load};
use phone::KeyBy;

use crate::world::{Options, World, ms, presses, seconds};

const ON_HOOK: Drive = Drive {
    load: Load::OnHook,
    relay: HandsetRelay::Through,
};

fn building(brand: &'static str) -> World {
    World::ready(Options {
        brand,
        handset: false,
        ..Options::with(presses(ms(700), &[(2500, '9', KeyBy::Rfc4733)]))
    })
}

#[test]
fn the_panel_finds_a_handset_rings_and_opens_for_the_key() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        let mut world = building(brand);
        assert_eq!(world.driven(), ON_HOOK);
        for visit in 1..=2 {
            world.visit_until("line_idle");
            world.settle();
            assert_eq!(world.opened(), visit, "{brand}\n{}", world.story());
            assert_eq!(world.records("door_opened"), visit);
            assert_eq!(world.driven(), ON_HOOK);
        }
        assert_eq!(world.happened("line_fault"), 0, "{brand}");
        assert_eq!(world.happened("handset_lifted"), 0, "{brand}");
    }
}

#[test]
fn a_visitor_who_leaves_or_a_lost_card_ends_the_call() {
    for lost in [false, true] {
        for after in [100, 900, 2600, 3300] {
            let mut world = building("vizit");
            world.visit_until("call_ringing");
            world.run_for(ms(after));
            if lost {
                // With neither box nor handset on the pair the panel sees an open line, which is
                // how it sees the button. Only a resting load in the hardware can prevent it.
                world.promises.without_key += usize::from(world.phase() == "talking");
                world.lose_card();
                world.run_for(seconds(1));
                assert_eq!(world.driven(), Drive::SAFE);
            }
            world.panel.visitor_leave();
            world.next_visit_works();
        }
    }
}
