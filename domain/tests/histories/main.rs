//! Random histories over all aggregates together: whatever clients, gateway, clock and crashes do, no unit and no penny
//! gets lost, and doing everything again does nothing. `PROPTEST_CASES` says how many.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod checks;
mod gateway;
mod turn;
mod world;

use proptest::prelude::*;

use self::{
    turn::{Turn, shop, take},
    world::World,
};

fn play(set_up: &shop::SetUp, turns: &[Turn]) -> World {
    let mut world = shop::open(set_up);
    for turn in turns {
        take(&mut world, set_up, turn);
        checks::stock_is_sound(&world);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_unit_and_no_penny_gets_lost(
        set_up in shop::set_up(),
        turns in prop::collection::vec(turn::turn(), 0..120),
    ) {
        let mut world = play(&set_up, &turns);
        turn::close(&mut world, &set_up);
        world.come_to_rest();
        checks::stock_is_sound(&world);
        checks::no_unit_leaked(&world, &set_up);
        checks::no_penny_leaked(&world, &set_up);
        checks::no_line_leaked(&world);
        checks::what_is_closed_is_over(&world, &set_up);
        checks::invoices_have_no_gap(&world);
        checks::nothing_was_given_up(&world);

        // Redelivered from the beginning, in whatever order of lanes, and with crashes.
        let (events, commands) = (world.log.len(), world.outcomes.len());
        world.tell_everything_again();
        let mut pick: usize = 7;
        while world.has_tasks() {
            pick = pick.wrapping_mul(31).wrapping_add(11);
            world.step(pick, if pick.is_multiple_of(3) { 1 } else { usize::MAX });
        }
        prop_assert_eq!(world.log.len(), events);
        prop_assert_eq!(world.outcomes.len(), commands);
    }
}
