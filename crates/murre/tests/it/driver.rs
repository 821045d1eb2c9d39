//! The driver: durable before released, many turns in one COMMIT, and a machine that comes back after failures.

use crate::toy::{Ask, Said, Shared, Toy, frame};
use murre::driver::{AskError, DiskSeen, Driver, MAX_FAILURES, Parts, StartError, StopReason};
use murre::home::counter::SendCounter;
use murre_core::id::PeerKey;
use murre_core::link::Dest;
use murre_core::params::PuzzlePrice;
use murre_core::{Bug, Input, LinkCaps, LinkDownReason, LinkId, LinkKind, LinkUp, Transmit, TurnError};
use murre_crypto::puzzle::Puzzle;
use murre_store::Fault;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use tokio::sync::mpsc;

struct Rig {
    store: Shared,
    driver: Driver<Toy>,
    inputs: mpsc::Sender<Input>,
    sent: mpsc::UnboundedReceiver<Transmit>,
    said: mpsc::UnboundedReceiver<Said>,
}

impl Rig {
    async fn start() -> Self {
        Self::with(Shared::default(), None).await
    }

    async fn with(store: Shared, counter: Option<SendCounter>) -> Self {
        let (inputs, from_net) = mpsc::channel(64);
        let (tell_sent, sent) = mpsc::unbounded_channel();
        let (tell_said, said) = mpsc::unbounded_channel();
        let look = store.clone();
        let transmit = Box::new(move |transmit: Transmit| {
            // The rule itself: at the moment of release the row is committed.
            if let Ok(n) = transmit.bytes.as_slice().try_into().map(u64::from_be_bytes) {
                assert!(look.holds(n), "{n} was sent before it was durable");
            }
            tell_sent.send(transmit).unwrap();
        });
        let notice = Box::new(move |said| tell_said.send(said).unwrap_or_default());
        let parts = Parts {
            store: store.clone(),
            opener: Toy::open,
            inputs: from_net,
            transmit,
            notice,
            counter,
            hold: Box::new(()),
        };
        let driver = Driver::start(parts).await.unwrap_or_else(|e| panic!("{e}"));
        Self { store, driver, inputs, sent, said }
    }
}

fn link_up(id: u64) -> Input {
    let peer = PeerKey::from_bytes([1; 32]);
    let caps = LinkCaps { mtu: 1 << 20, ordered: true, reliable: true, metered: false };
    Input::LinkUp(LinkUp { id: LinkId(id), kind: LinkKind::Virtual, caps, peer, own: peer, dialed: false })
}

fn bytes(link: u64, text: &[u8]) -> Input {
    Input::Frame { link: LinkId(link), bytes: text.to_vec() }
}

#[tokio::test]
async fn a_command_is_durable_then_sent_then_told_then_answered() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.driver.ask(Ask::Keep(5)).await, Ok(1));
    // Released before the answer, in order, so both are there without waiting.
    assert_eq!(rig.sent.try_recv(), Ok(frame(5)));
    assert_eq!(rig.said.try_recv(), Ok(Said::Kept(5)));
    assert!(rig.store.holds(5));
    assert_eq!(rig.driver.look(|toy, _| toy.kept.clone()).await, Ok(vec![5]));
}

#[tokio::test]
async fn commands_that_wait_share_one_turn_and_one_commit() {
    let rig = Rig::start().await;
    let (enter, entered) = std_mpsc::channel();
    let (leave, left) = std_mpsc::channel::<()>();
    // While the thread is held in a look, a hundred commands arrive.
    let holder = rig.driver.clone();
    let held = tokio::spawn(async move {
        holder
            .look(move |_, _| {
                enter.send(()).unwrap();
                left.recv().unwrap();
            })
            .await
    });
    tokio::task::spawn_blocking(move || entered.recv().unwrap()).await.unwrap();
    let before = rig.driver.counts();
    let mut waiting = Vec::new();
    for n in 0..100 {
        let driver = rig.driver.clone();
        let mut ask = Box::pin(async move { driver.ask(Ask::Keep(n)).await });
        assert!(futures::poll!(ask.as_mut()).is_pending());
        waiting.push(ask);
    }
    leave.send(()).unwrap();
    held.await.unwrap().unwrap();
    for ask in waiting {
        assert_eq!(ask.await, Ok(100));
    }
    let after = rig.driver.counts();
    assert_eq!(after.commands - before.commands, 100);
    assert_eq!(after.commits - before.commits, 1);
}

#[tokio::test]
async fn inputs_arrive_in_order_and_timers_fire() {
    let mut rig = Rig::start().await;
    rig.inputs.send(link_up(1)).await.unwrap();
    for text in [b"a", b"b", b"c"] {
        rig.inputs.send(bytes(1, text)).await.unwrap();
    }
    for text in [b"a", b"b", b"c"] {
        assert_eq!(rig.said.recv().await, Some(Said::Frame(text.to_vec())));
    }
    rig.driver.ask(Ask::Later(1)).await.unwrap();
    assert_eq!(rig.said.recv().await, Some(Said::Timeout));
}

#[tokio::test]
async fn whatever_fails_nothing_of_it_leaves_and_the_machine_comes_back() {
    for fault in [Fault::Read, Fault::Begin, Fault::Apply, Fault::Commit] {
        let mut rig = Rig::start().await;
        rig.driver.ask(Ask::Keep(1)).await.unwrap();
        rig.sent.try_recv().unwrap();
        rig.said.try_recv().unwrap();
        rig.store.fail_next(fault);
        let lost = rig.driver.ask(Ask::Keep(2)).await;
        // The planted fault of a commit is a full disk, which has a name of its own.
        let why = if fault == Fault::Commit { AskError::DiskFull } else { AskError::Environment };
        assert_eq!(lost, Err(why), "{fault:?}");
        assert!(!rig.store.holds(2), "{fault:?}");
        assert!(rig.sent.try_recv().is_err(), "{fault:?}");
        assert!(!matches!(rig.said.try_recv(), Ok(Said::Kept(_))), "{fault:?}");
        // The new machine was opened from the store: it knows 1 and not 2.
        assert_eq!(rig.driver.look(|toy, _| toy.kept.clone()).await, Ok(vec![1]), "{fault:?}");
        assert_eq!(rig.driver.ask(Ask::Keep(3)).await, Ok(1), "{fault:?}");
        assert_eq!(rig.driver.counts().failures, 1);
    }
}

#[tokio::test]
async fn a_full_disk_ends_nothing_however_often_it_is_met() {
    let rig = Rig::start().await;
    for n in 0..MAX_FAILURES as u64 + 2 {
        rig.store.fail_next(Fault::Commit);
        assert_eq!(rig.driver.ask(Ask::Keep(n)).await, Err(AskError::DiskFull));
    }
    // Perhaps together with the news of the full disk.
    assert!(rig.driver.ask(Ask::Keep(99)).await.is_ok() && rig.store.holds(99));
}

#[tokio::test]
async fn a_machine_that_fails_is_opened_again_and_every_waiting_command_hears_of_it() {
    let rig = Rig::start().await;
    let driver = rig.driver.clone();
    let mut silent = Box::pin(async move { driver.ask(Ask::Silent(1)).await });
    assert!(futures::poll!(silent.as_mut()).is_pending());
    assert_eq!(rig.driver.ask(Ask::Keep(2)).await.map(|_| ()), Ok(()));
    assert_eq!(rig.driver.ask(Ask::Fail).await, Err(AskError::Environment));
    assert_eq!(silent.await, Err(AskError::Environment));
    assert_eq!(rig.driver.look(|toy, _| toy.kept.clone()).await, Ok(vec![1, 2]));
}

#[tokio::test]
async fn links_of_a_machine_that_is_gone_are_closed_and_silent() {
    let mut rig = Rig::start().await;
    rig.inputs.send(link_up(1)).await.unwrap();
    rig.inputs.send(bytes(1, b"before")).await.unwrap();
    assert_eq!(rig.said.recv().await, Some(Said::Frame(b"before".to_vec())));
    rig.driver.ask(Ask::Fail).await.unwrap_err();
    assert_eq!(rig.sent.recv().await.map(|t| t.to), Some(Dest::Close(LinkId(1))));
    rig.inputs.send(bytes(1, b"late")).await.unwrap();
    rig.inputs.send(Input::LinkDown { link: LinkId(1), why: LinkDownReason::Local }).await.unwrap();
    rig.inputs.send(link_up(2)).await.unwrap();
    rig.inputs.send(bytes(2, b"after")).await.unwrap();
    assert_eq!(rig.said.recv().await, Some(Said::Frame(b"after".to_vec())));
    assert_eq!(rig.driver.counts().stale, 2);
}

#[tokio::test]
async fn a_store_that_keeps_failing_ends_the_driver_with_its_reason() {
    let rig = Rig::start().await;
    let broken = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&broken);
    drop(rig);
    let (_inputs, from_net) = mpsc::channel(1);
    let driver = Driver::<Toy>::start(Parts {
        store: Shared::default(),
        opener: move |seed, now, view: &dyn murre_core::View| match switch.load(Ordering::Relaxed) {
            true => Err(TurnError::Bug(Bug::new("does not open"))),
            false => Toy::open(seed, now, view),
        },
        inputs: from_net,
        transmit: Box::new(|_| {}),
        notice: Box::new(|_| {}),
        counter: None,
        hold: Box::new(()),
    })
    .await
    .unwrap_or_else(|e| panic!("{e}"));
    broken.store(true, Ordering::Relaxed);
    assert_eq!(driver.ask(Ask::Fail).await, Err(AskError::Environment));
    match driver.stopped().await {
        StopReason::Failing { failures, last } => {
            assert_eq!(failures, MAX_FAILURES);
            assert!(last.contains("does not open"), "{last}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(driver.ask(Ask::Keep(1)).await, Err(AskError::Stopped));
}

#[tokio::test]
async fn a_full_disk_is_told_does_not_end_the_driver_and_what_the_disk_says_later_is_told() {
    let mut rig = Rig::start().await;
    let rounds = u64::from(MAX_FAILURES) + 2;
    for n in 0..rounds {
        rig.store.fail_next(Fault::Commit);
        assert_eq!(rig.driver.ask(Ask::Keep(n)).await, Err(AskError::DiskFull), "{n}");
        // The machine that was opened after it hears of it before anything else.
        assert_eq!(rig.said.recv().await, Some(Said::Disk(DiskSeen::FULL)), "{n}");
        assert!(!rig.store.holds(n) && rig.sent.try_recv().is_err(), "{n}: nothing of it left");
    }
    assert_eq!(rig.store.3.given.load(Ordering::SeqCst) as u64, rounds, "the reserve was given up");
    assert_eq!(rig.driver.counts().failures, rounds);
    assert_eq!(rig.driver.look(|toy, _| toy.kept.clone()).await, Ok(vec![]), "reads go on");
    rig.store.3.free.store(5, Ordering::SeqCst);
    // The machine asks for the reserve and hears of it with the next look; then there is no news.
    assert_eq!(rig.said.recv().await, Some(Said::Disk(DiskSeen { free: 5, reserve: false })));
    assert_eq!(rig.said.recv().await, Some(Said::Disk(DiskSeen { free: 5, reserve: true })));
    assert_eq!(rig.store.3.laid.load(Ordering::SeqCst), 1);
    assert_eq!(rig.driver.ask(Ask::Keep(99)).await, Ok(1));
    assert!(rig.store.holds(99));
}

#[tokio::test]
async fn a_machine_that_does_not_open_is_a_start_error() {
    let store = Shared::default();
    store.fail_next(Fault::Read);
    let (_inputs, from_net) = mpsc::channel(1);
    let parts = Parts {
        store,
        opener: Toy::open,
        inputs: from_net,
        transmit: Box::new(|_| {}),
        notice: Box::new(|_| {}),
        counter: None,
        hold: Box::new(()),
    };
    assert!(matches!(Driver::<Toy>::start(parts).await, Err(StartError::Open(TurnError::View(_)))));
}

#[tokio::test]
async fn puzzles_are_solved_beside_the_machine() {
    let mut rig = Rig::start().await;
    let puzzle = Puzzle { context: [9; 32], price: PuzzlePrice { mem: 8, tries: 4 } };
    rig.driver.ask(Ask::Puzzle(puzzle)).await.unwrap();
    assert_eq!(rig.said.recv().await, Some(Said::Solved(true)));
}

#[tokio::test]
async fn stopping_finishes_what_was_handed_in() {
    let rig = Rig::start().await;
    let driver = rig.driver.clone();
    let mut last = Box::pin(async move { driver.ask(Ask::Keep(8)).await });
    // Handed in with the first look at it; the other thread may even be done by then.
    let first = futures::poll!(last.as_mut());
    assert_eq!(rig.driver.stop().await, StopReason::Asked);
    let answer = match first {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => last.await,
    };
    assert!(answer.is_ok());
    assert!(rig.store.holds(8));
}

#[tokio::test]
async fn the_send_counter_is_raised_by_what_sends_and_by_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sent");
    SendCounter::create(&path).unwrap();
    let store = Shared::default();
    let counter = SendCounter::open(&path, &store).unwrap();
    let rig = Rig::with(store.clone(), Some(counter)).await;
    let file = || u64::from_be_bytes(std::fs::read(&path).unwrap()[..8].try_into().unwrap());
    rig.driver.ask(Ask::Keep(1)).await.unwrap();
    assert_eq!(file(), 1);
    rig.driver.ask(Ask::Later(100_000)).await.unwrap();
    assert_eq!(file(), 1, "nothing was stored and nothing sent");
    rig.driver.ask(Ask::Keep(2)).await.unwrap();
    assert_eq!(file(), 2);
    rig.store.fail_next(Fault::Commit);
    rig.driver.ask(Ask::Keep(3)).await.unwrap_err();
    assert_eq!(file(), 2, "what was not kept was not sent");
    rig.driver.ask(Ask::Keep(4)).await.unwrap();
    assert_eq!(file(), 3);
    rig.driver.stop().await;
    SendCounter::open(&path, &store).unwrap();
}

#[tokio::test]
async fn a_store_is_tidied_when_it_wants_to_be_and_no_transaction_is_open() {
    let rig = Rig::start().await;
    rig.store.1.store(true, Ordering::SeqCst);
    rig.driver.ask(Ask::Keep(1)).await.unwrap();
    // A look comes before the tidying of its own round and after that of every earlier one.
    rig.driver.look(|_, _| ()).await.unwrap();
    rig.driver.look(|_, _| ()).await.unwrap();
    assert!(!rig.store.1.load(Ordering::SeqCst));
}

#[tokio::test]
async fn the_index_takes_its_steps_when_nothing_else_happens_and_a_failed_one_is_tried_again() {
    let rig = Rig::start().await;
    rig.store.2.waits.store(5, Ordering::SeqCst);
    rig.store.2.fails.store(true, Ordering::SeqCst);
    rig.driver.ask(Ask::Keep(1)).await.unwrap();
    let before = rig.driver.counts();
    while rig.store.2.waits.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.store.2.steps.load(Ordering::SeqCst), 6);
    assert_eq!(rig.driver.ask(Ask::Keep(2)).await, Ok(1));
    assert_eq!(rig.driver.counts().failures, before.failures, "no turn has failed");
    assert!(rig.store.holds(1) && rig.store.holds(2));
}

#[tokio::test]
async fn a_crowd_before_the_index_is_not_left_to_wait_for_a_quiet_moment() {
    let rig = Rig::start().await;
    rig.store.2.waits.store(12, Ordering::SeqCst);
    // Never quiet: each command is given before the pause after the last one is over.
    for n in 0..5 {
        rig.driver.ask(Ask::Keep(n)).await.unwrap();
    }
    rig.driver.look(|_, _| ()).await.unwrap();
    assert!(rig.store.2.steps.load(Ordering::SeqCst) >= 3);
}
