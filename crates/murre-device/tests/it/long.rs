//! A home with a long past: what a start and the first page read does not grow with it.

use crate::block::acquainted;
use crate::contact::MINUTE;
use crate::world::{HostNo, World};
use murre_core::id::{AuthorId, LogId, MessageId};
use murre_core::{Direction, Range, Turn, View};
use murre_device::rows::{self, ChatRow, MessageRow};
use murre_device::{Config, Device, Notice, query};
use murre_store::{CountingView, Counts, Store};

/// Messages of the long chat.
const LONG: u64 = 100_000;
/// Rows that one start may read beyond what the same home read when it was young.
const MORE: u64 = 16;
/// A page, as a program asks for it.
const PAGE: usize = 50;
/// Reads for each message of a page: its row, its marks, and what names its writer.
const PER_MESSAGE: u64 = 12;

fn rows_of(view: &dyn View, space: murre_core::Space) -> Vec<(Vec<u8>, Vec<u8>)> {
    view.scan(space, &Range::all(), Direction::Forward, usize::MAX).unwrap()
}

/// Rows of `count` more messages in the only chat, as folding entries writes them, and a full list of notices. They are
/// not sent: nobody could wait for so many signatures.
fn grow(world: &mut World, who: HostNo, count: u64) {
    world.stop(who);
    let store = &mut world.hosts[who].store;
    let (_, last) = rows_of(store, rows::MESSAGES).pop().unwrap();
    let last: MessageRow = rows::decode(rows::MESSAGES, &last).unwrap();
    let (key, mut chat) = {
        let (key, value) = rows_of(store, rows::CHATS).pop().unwrap();
        (key, rows::decode::<ChatRow>(rows::CHATS, &value).unwrap())
    };
    let part = rows_of(store, rows::TIMELINE).pop().unwrap().0[4];
    let first = rows::counter(store, "messages").unwrap();
    let cursor = rows::counter(store, "notices").unwrap();
    let mut tx = Turn::new(store);
    for n in 0..count {
        let number = first + n;
        let (time, seq) = (last.place.0 + n + 1, u32::try_from(number).unwrap());
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(number + (1 << 40)).to_be_bytes());
        let id = MessageId::from_bytes(id);
        let by: AuthorId = last.by;
        let row = MessageRow { id, place: (time, seq, 0), seq: Some(seq), ..last.clone() };
        rows::put(&mut tx, rows::MESSAGES, &number.to_be_bytes(), &row);
        let key = rows::timeline_key(last.chat, part, time, &by, seq, 0);
        tx.put(rows::TIMELINE, &key, number.to_be_bytes().to_vec());
        tx.put(rows::MESSAGE_IDS, id.as_bytes(), number.to_be_bytes().to_vec());
        let notice = Notice::InvitePublished { link: murre_core::id::LinkSecretId::from_bytes([1; 32]) };
        rows::put(&mut tx, rows::NOTICES, &(cursor + n + 1).to_be_bytes(), &notice);
    }
    chat.last = Some(first + count - 1);
    rows::put(&mut tx, rows::CHATS, &key, &chat);
    for (counter, value) in
        [("messages", first + count), ("indexed", first + count), ("notices", cursor + count)]
    {
        rows::put(&mut tx, rows::META, counter.as_bytes(), &value);
    }
    let batch = tx.into_batch();
    store.begin().unwrap();
    store.apply(&batch).unwrap();
    store.commit().unwrap();
}

/// What a start and its first turn read; the first page of the chat; the list of chats.
fn reads(world: &World, who: HostNo, chat: LogId) -> [Counts; 3] {
    let (now, view) = (world.clock(), CountingView::new(world.view(who)));
    let mut device = Device::open(now, [3; 32], &view, Config { bootstrap: vec![] }).unwrap();
    device.handle_timeout(now, &view).unwrap();
    let start = view.take();
    let page = query::history(&view, chat, None, PAGE, now.wall).unwrap();
    assert!(!page.is_empty());
    let first_page = view.take();
    assert_eq!(query::chats(&view, now.wall).unwrap().len(), 1);
    [start, first_page, view.take()]
}

#[test]
fn a_start_with_a_hundred_thousand_messages_reads_no_more_than_a_young_one() {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let chat = acquainted(&mut world, bob, alice);
    world.run(MINUTE);
    world.stop(bob);
    let [young, _, young_list] = reads(&world, bob, chat);
    grow(&mut world, bob, LONG);
    let [start, page, list] = reads(&world, bob, chat);
    eprintln!("start {young:?} -> {start:?}; first page {page:?}; chats {young_list:?} -> {list:?}");
    assert!(start.rows <= young.rows + MORE, "{young:?} became {start:?}");
    assert!(start.gets + start.scans <= young.gets + young.scans + MORE, "{young:?} became {start:?}");
    let bound = PAGE as u64 * PER_MESSAGE + MORE;
    assert!(page.rows <= bound && page.gets + page.scans <= bound, "{page:?}");
    assert!(list.rows <= young_list.rows + MORE, "{young_list:?} became {list:?}");
    let history = query::history(world.view(bob), chat, None, 1_000, world.clock().wall).unwrap();
    assert_eq!(history.len(), 1_000, "they are really there");
}
