//! The simulator against itself: one seed is one run, planted faults are seen, kept seeds stay green.

use murre_sim::campaign::{faults, run_one};
use murre_sim::plan::{Plan, files, rooms};
use murre_sim::run::{MIN_MESSAGES, Options};
use murre_sim::sabotage;
use murre_sim::scenario;
use std::process::Command;

fn hash_in_a_process(seed: u64) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_murre-sim"))
        .args(["hash", "--seed", &seed.to_string()])
        .output()
        .expect("the binary runs");
    assert!(out.status.success());
    String::from_utf8(out.stdout).expect("text")
}

#[test]
fn one_seed_is_one_run_in_any_process() {
    let first = hash_in_a_process(7);
    assert_eq!(first.trim().len(), 64);
    assert_eq!(first, hash_in_a_process(7));
    assert_ne!(first, hash_in_a_process(8));
}

#[test]
fn a_handful_of_seeds_is_green_and_full_of_trouble() {
    let mut totals = murre_sim::totals::Totals::default();
    for seed in 0..4 {
        let report = run_one(seed, &Options::default());
        assert_eq!(report.failure, None, "seed {seed}");
        assert!(report.totals.messages >= MIN_MESSAGES);
        totals.add(&report.totals);
    }
    assert!(totals.crashes() > 0 && totals.partitions > 0 && totals.link_losses > 0, "{totals:?}");
}

#[test]
fn kept_scenarios_end_as_their_files_say() {
    let scenarios = scenario::all().expect("readable");
    assert!(!scenarios.is_empty());
    for (name, kept) in scenarios {
        let report = run_one(kept.seed, &Options { sabotage: kept.sabotage.clone(), ..Options::default() });
        match kept.sabotage {
            None => assert_eq!(report.failure, None, "{name}"),
            // Which oracle sees a broken shell first depends on what else the run holds.
            Some(_) => assert!(report.failure.is_some(), "{name}"),
        }
    }
}

#[test]
fn every_shell_fault_has_a_name_of_its_own() {
    assert!(faults().len() >= sabotage::SHELL.len());
    // Those inside the machines as well, also in a build that has none of them.
    let shell = sabotage::SHELL.iter().map(|(name, _)| *name);
    let mut names: Vec<&str> = shell.chain(sabotage::MACHINE.iter().copied()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name twice: {names:?}");
    assert!(sabotage::shell("no-such-fault").is_none());
}

#[test]
fn the_generator_makes_networks_of_all_sizes_and_every_kind_of_liar() {
    let plans: Vec<Plan> = (0..2_000).map(Plan::new).collect();
    for nodes in [3, 5, 8, 12] {
        assert!(plans.iter().any(|p| p.nodes.len() == nodes), "{nodes}");
    }
    for lie in murre_sim::liar::LIES {
        assert!(plans.iter().any(|p| p.nodes.iter().any(|n| n.lie == Some(lie))), "{lie:?}");
    }
    assert!(plans.iter().all(|p| p.nodes[0].lie.is_none() && p.nodes[0].dies_in.is_none()));
    assert!(plans.iter().any(|p| p.pairs.iter().any(|pair| pair.2)), "both ask");
    assert!(plans.iter().any(|p| p.people.len() == 3));
}

#[test]
fn what_is_too_large_for_mailboxes_has_a_live_link_and_a_full_node_is_one_that_the_network_bears() {
    for plan in (0..2_000).map(Plan::new) {
        if files::sends_large(plan.seed) {
            assert!(
                files::sends(plan.seed) && plan.people.iter().all(|p| p.listens) && !plan.apart,
                "{}",
                plan.seed
            );
        }
        if rooms::happens(plan.seed) {
            let worse = plan.nodes.iter().filter(|n| n.lie.is_some() || n.dies_in.is_some()).count();
            assert!(worse <= usize::from(plan.nodes.len() >= 8), "{}: {worse}", plan.seed);
        }
    }
    let round = || 0..murre_sim::plan::ROUND;
    let sending = round().filter(|seed| files::sends(*seed)).count();
    assert!(sending >= 8, "faults of files are caught by these");
    assert!(round().any(rooms::happens));
}
