//! Machines that sleep: the next turn is nine hours later, and nothing was said in between.

use crate::block::acquainted;
use crate::contact::{MINUTE, send, state, texts};
use crate::world::{HostNo, World};
use murre_device::MessageState;

const NINE_HOURS: u64 = 9 * 60 * MINUTE;

/// Two with a live link, who then sleep as `sleep` does, wake up and write.
fn wake_and_write(sleep: impl Fn(&mut World)) {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    let live = |w: &World| [bob, alice].iter().all(|who| w.device(*who).status(w.clock()).live == 1);
    assert!(world.run_until(10 * MINUTE, live));
    for round in 0..3 {
        sleep(&mut world);
        let sent: Vec<(HostNo, _)> = [alice, bob]
            .map(|who| (who, send(&mut world, who, chat, &format!("{round}: awake, {who}"))))
            .to_vec();
        let delivered =
            |w: &World| sent.iter().all(|(who, id)| state(w, *who, *id) == MessageState::Delivered);
        assert!(world.run_until(5 * MINUTE, delivered), "round {round}");
        assert!(world.run_until(5 * MINUTE, live), "round {round}: a link is up");
        assert_eq!(texts(&world, bob, chat), texts(&world, alice, chat));
    }
    assert_eq!(texts(&world, bob, chat).len(), 2 + 6, "each once");
}

#[test]
fn after_nine_hours_in_which_both_clocks_ran_messages_flow() {
    wake_and_write(|world| world.jump(NINE_HOURS));
}

#[test]
fn after_nine_hours_in_which_only_the_clock_on_the_wall_ran_messages_flow() {
    wake_and_write(|world| world.sleep(NINE_HOURS));
}

#[test]
fn a_mail_that_came_while_one_slept_and_the_other_went_away_is_there_after_waking() {
    for both in [true, false] {
        let mut world = World::new(3);
        let (bob, alice) = (world.person("Bob"), world.person("Alice"));
        world.run(MINUTE);
        let chat = acquainted(&mut world, bob, alice);
        world.stop(bob);
        world.run(MINUTE);
        let id = send(&mut world, alice, chat, "while you sleep");
        assert!(world.run_until(5 * MINUTE, |w| state(w, alice, id) == MessageState::Stored));
        world.stop(alice);
        if both {
            world.jump(NINE_HOURS)
        } else {
            world.sleep(NINE_HOURS)
        }
        world.start(bob);
        assert!(
            world.run_until(5 * MINUTE, |w| texts(w, bob, chat)
                .last()
                .is_some_and(|t| t == "while you sleep"))
        );
    }
}
