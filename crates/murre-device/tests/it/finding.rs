//! Pages of a chat, both ways, and of a search.

use crate::contact::{MINUTE, add, befriend, invite, send, texts};
use crate::world::{HostNo, World};
use murre_core::id::{LogId, MessageId};
use murre_core::store::Rows;
use murre_core::{BadQuery, Direction, Range, Space, View, ViewError, Wall};
use murre_device::MessageState;
use murre_device::query::{self, MessageInfo, QueryError};
use murre_device::rows::TIMELINE;
use murre_store::{CountingView, MemoryStore};
use std::cell::Cell;

/// Bob with two friends, the chats with them, and 40 messages in the first, told apart by their numbers.
fn bob(world: &mut World) -> (HostNo, LogId, LogId, HostNo) {
    let bob = world.person("Bob");
    let (alice, carol) = (world.person("Alice"), world.person("Carol"));
    world.run(MINUTE);
    let mut chats = Vec::new();
    for friend in [alice, carol] {
        chats.push(befriend(world, bob, friend));
        world.run(MINUTE);
    }
    for n in 0..20 {
        send(world, bob, chats[0], &format!("message {n} of bob, straße"));
        send(world, alice, chats[0], &format!("message {n} of alice, 北京"));
    }
    send(world, carol, chats[1], "message of carol, Straße");
    let all = |w: &World| texts(w, bob, chats[0]).len() == 40 && texts(w, bob, chats[1]).len() == 1;
    assert!(world.run_until(20 * MINUTE, all));
    (bob, chats[0], chats[1], alice)
}

fn ids(page: &[MessageInfo]) -> Vec<MessageId> {
    page.iter().map(|m| m.id).collect()
}

fn store(world: &World, who: HostNo) -> &MemoryStore {
    &world.hosts[who].store
}

fn now(world: &World) -> Wall {
    world.clock().wall
}

#[test]
fn a_chat_is_paged_both_ways_without_a_gap_and_new_arrivals_change_no_page() {
    let mut world = World::new(3);
    let (bob, chat, other, alice) = bob(&mut world);
    let whole = ids(&query::history(store(&world, bob), chat, None, 1_000, now(&world)).unwrap());
    let (mut back, mut before) = (Vec::new(), None);
    loop {
        let page = ids(&query::history(store(&world, bob), chat, before, 7, now(&world)).unwrap());
        let Some(first) = page.first() else { break };
        before = Some(*first);
        back.splice(0..0, page);
        if back.len() < 20 {
            // Somebody writes in the middle of paging.
            send(&mut world, alice, chat, "in between");
            world.run(MINUTE);
        }
    }
    assert_eq!(back, whole);
    let (mut forth, mut after) = (vec![whole[0]], whole[0]);
    loop {
        let page = ids(&query::history_after(store(&world, bob), chat, after, 9, now(&world)).unwrap());
        let Some(last) = page.last() else { break };
        after = *last;
        forth.extend(page);
    }
    assert_eq!(forth[..40], whole, "forward come the same, then what is new");
    assert!(forth.len() > 40);
    // Right before and right after: the message itself is in neither.
    let around = |n: usize| {
        let before = query::history(store(&world, bob), chat, Some(whole[n]), 1, now(&world)).unwrap();
        let after = query::history_after(store(&world, bob), chat, whole[n], 1, now(&world)).unwrap();
        (ids(&before), ids(&after))
    };
    assert_eq!(around(17), (vec![whole[16]], vec![whole[18]]));
    assert_eq!(around(0).0, []);
    // Known, but of another chat; known to nobody.
    for id in [whole[3], MessageId::from_bytes([9; 32])] {
        let of = if id == whole[3] { other } else { chat };
        let before = query::history(store(&world, bob), of, Some(id), 5, now(&world));
        assert!(matches!(before, Err(QueryError::UnknownMessage)), "{before:?}");
        let after = query::history_after(store(&world, bob), of, id, 5, now(&world));
        assert!(matches!(after, Err(QueryError::UnknownMessage)), "{after:?}");
    }
}

/// Counts the rows that are read of the order of chats.
struct Places<'a> {
    inner: &'a dyn View,
    rows: Cell<usize>,
}

impl Places<'_> {
    fn add(&self, space: Space, rows: usize) {
        if space.name == TIMELINE.name {
            self.rows.set(self.rows.get() + rows);
        }
    }
}

impl View for Places<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let value = self.inner.get(space, key)?;
        self.add(space, usize::from(value.is_some()));
        Ok(value)
    }

    fn scan(&self, space: Space, range: &Range, dir: Direction, limit: usize) -> Result<Rows, ViewError> {
        let rows = self.inner.scan(space, range, dir, limit)?;
        self.add(space, rows.len());
        Ok(rows)
    }
}

/// All rows that a page reads, those of them that are places in the chat, and its messages.
fn reads(
    store: &MemoryStore,
    page: impl Fn(&dyn View) -> Result<Vec<MessageInfo>, QueryError>,
) -> (u64, usize, usize) {
    let places = Places { inner: store, rows: Cell::new(0) };
    let view = CountingView::new(&places);
    let shown = page(&view).unwrap().len();
    (view.take().rows, places.rows.get(), shown)
}

#[test]
fn a_page_reads_no_more_rows_wherever_it_lies() {
    let mut world = World::new(3);
    let (bob, chat, ..) = bob(&mut world);
    let whole = ids(&query::history(store(&world, bob), chat, None, 1_000, now(&world)).unwrap());
    world.run(MINUTE);
    let (store, now) = (store(&world, bob), now(&world));
    let all = reads(store, |view: &dyn View| query::history(view, chat, None, 1_000, now));
    assert_eq!((all.1, all.2), (40, 40));
    let rows = |at: usize| {
        let forward = |view: &dyn View| query::history_after(view, chat, whole[at], 5, now);
        let back = |view: &dyn View| query::history(view, chat, Some(whole[at]), 5, now);
        [reads(store, forward), reads(store, back)].map(|(rows, places, shown)| {
            assert_eq!((places, shown), (6, 5), "its own places, and the one it begins at");
            assert!(2 * rows < all.0, "{rows} of {}", all.0);
            rows
        })
    };
    let (near, far) = (rows(34), rows(5));
    assert!(near[0].abs_diff(far[0]) < 20 && near[1].abs_diff(far[1]) < 20, "{near:?} {far:?}");
}

#[test]
fn a_search_finds_a_message_as_soon_as_its_send_is_answered() {
    let mut world = World::new(3);
    let (bob, chat, other, _) = bob(&mut world);
    let search = |w: &World, typed: &str, chat, before, limit| {
        query::search(store(w, bob), typed, chat, before, limit, now(w)).map(|page| ids(&page))
    };
    let id = send(&mut world, bob, chat, "just now: ⚡ 東塔 Ünïque");
    for typed in ["unique", "塔", "⚡", "now 東塔"] {
        assert_eq!(search(&world, typed, None, None, 9).unwrap(), [id], "{typed}");
    }
    let found = query::search(store(&world, bob), "unique", None, None, 9, now(&world)).unwrap();
    assert_eq!(found[0].state, query::status(store(&world, bob), id, now(&world)).unwrap().state);

    // All chats or one; own and received; paged newest first.
    assert_eq!(search(&world, "strasse", None, None, 99).unwrap().len(), 21);
    assert_eq!(search(&world, "STRASSE", Some(other), None, 99).unwrap().len(), 1);
    assert_eq!(search(&world, "message", Some(chat), None, 99).unwrap().len(), 40);
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let page = search(&world, "message", None, before, 6).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(*last);
        paged.extend(page);
    }
    assert_eq!(paged, search(&world, "message", None, None, 1_000).unwrap());
    assert_eq!(paged.len(), 41);

    let bad = |typed: &str| match query::search(store(&world, bob), typed, None, None, 9, now(&world)) {
        Err(QueryError::Query(bad)) => bad,
        other => panic!("{other:?}"),
    };
    assert_eq!(bad("\" * ( )"), BadQuery::NothingToFind);
    assert!(matches!(bad(&"a".repeat(2_000)), BadQuery::QueryTooLong { .. }));
    let foreign = search(&world, "message", Some(other), Some(id), 9);
    assert!(
        matches!(foreign, Err(QueryError::UnknownMessage)),
        "a message of another chat is no place in this one"
    );
    let unknown = search(&world, "message", None, Some(MessageId::from_bytes([9; 32])), 9);
    assert!(matches!(unknown, Err(QueryError::UnknownMessage)));
    let nowhere = search(&world, "message", Some(LogId::from_bytes([9; 32])), None, 9);
    assert!(matches!(nowhere, Err(QueryError::UnknownChat)));
}

#[test]
fn lists_and_status_agree_on_every_state_at_every_time() {
    const DAY: u64 = 24 * 60 * MINUTE;
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    world.stop(bob);
    let chat = add(&mut world, alice, &link);
    let id = send(&mut world, alice, chat, "nobody fetches this");
    let stored = |w: &World| crate::contact::state(w, alice, id) == MessageState::Stored;
    assert!(world.run_until(10 * MINUTE, stored));
    let mut seen = Vec::new();
    // Only the clock of the reader moves: now, when the box is gone, when everything is given up.
    for days in [0, 29, 31, 179, 181] {
        let at = Wall(now(&world).0 + days * DAY);
        let view = store(&world, alice);
        let status = query::status(view, id, at).unwrap().state;
        let listed = query::history(view, chat, None, 9, at).unwrap()[0].state;
        let last = query::chats(view, at).unwrap()[0].last.as_ref().map(|m| m.state);
        let watched = query::message(view, id, at).unwrap().map(|m| m.state);
        let found = query::search(view, "fetches", None, None, 9, at).unwrap()[0].state;
        assert_eq!([Some(listed), last, watched, Some(found)], [Some(status); 4], "after {days} days");
        seen.push(status);
    }
    assert_eq!(seen[0], MessageState::Stored);
    assert_ne!(seen[2], MessageState::Stored, "no box lives that long");
    assert_eq!(seen[4], MessageState::Failed);
}
