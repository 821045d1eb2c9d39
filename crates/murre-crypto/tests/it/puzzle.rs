//! Puzzles cost what they say.

use murre_core::NetworkParams;
use murre_core::params::PuzzlePrice;
use murre_crypto::puzzle::{PUZZLE_MEM_MAX, PUZZLE_MEM_MIN, Puzzle, Solution, price_allowed};

fn puzzle(n: u8, tries: u32) -> Puzzle {
    Puzzle { context: [n; 32], price: PuzzlePrice { mem: PUZZLE_MEM_MIN, tries } }
}

#[test]
fn a_found_solution_checks_here_and_nowhere_else() {
    let puzzle = puzzle(1, 64);
    let solution = puzzle.solve(0, 10_000).expect("10,000 tries at 64 expected");
    assert!(puzzle.check(&solution));
    // The first solution found from 0 on: no smaller number solves it.
    assert!((0..solution.0).all(|n| !puzzle.check(&Solution(n))));
    let elsewhere = (2..=60).filter(|n| self::puzzle(*n, 64).check(&solution)).count();
    assert!(elsewhere < 10, "a solution is bound to its context, {elsewhere} of 59 took it");
    let mut dearer = puzzle;
    dearer.price.mem += 8;
    assert_ne!(dearer.solve(0, 10_000), Some(solution));
}

#[test]
fn the_expected_number_of_tries_is_the_price() {
    let puzzle = puzzle(3, 16);
    let solved = (0..3_200).filter(|n| puzzle.check(&Solution(*n))).count();
    assert!((140..260).contains(&solved), "{solved} of 3,200 where 200 are expected");
}

#[test]
fn solving_goes_on_where_it_stopped_and_wraps() {
    let puzzle = puzzle(4, 64);
    let whole = puzzle.solve(0, 10_000).expect("10,000 tries at 64 expected");
    assert_eq!(puzzle.solve(0, whole.0), None);
    assert_eq!(puzzle.solve(whole.0, 1), Some(whole));
    assert!(!puzzle.check(&Solution(u64::MAX)));
    assert_eq!(puzzle.solve(u64::MAX, 10_001), Some(whole), "after the largest number comes zero");
    assert_eq!(puzzle.solve(0, 0), None);
}

#[test]
fn a_price_outside_the_limits_is_never_paid() {
    for price in [
        PuzzlePrice { mem: PUZZLE_MEM_MIN - 1, tries: 1 },
        PuzzlePrice { mem: PUZZLE_MEM_MAX + 1, tries: 1 },
        PuzzlePrice { mem: u32::MAX, tries: 1 },
        PuzzlePrice { mem: PUZZLE_MEM_MIN, tries: 0 },
    ] {
        let puzzle = Puzzle { context: [0; 32], price };
        assert!(!price_allowed(&price));
        assert_eq!(puzzle.solve(0, 4), None);
        assert!(!puzzle.check(&Solution(0)));
    }
    for params in [NetworkParams::production(), NetworkParams::devnet(), NetworkParams::cheap()] {
        assert!([params.space, params.join, params.link].iter().all(price_allowed));
    }
    let free = Puzzle { context: [0; 32], price: PuzzlePrice { mem: PUZZLE_MEM_MIN, tries: 1 } };
    assert_eq!(free.solve(9, 1), Some(Solution(9)), "one expected try: every number solves it");
}

#[test]
fn a_try_at_production_memory_checks() {
    let price = PuzzlePrice { tries: 20, ..NetworkParams::production().space };
    let puzzle = Puzzle { context: [5; 32], price };
    let solution = puzzle.solve(0, 1_000).expect("1,000 tries at 20 expected");
    assert!(puzzle.check(&solution));
}
