//! Files between two people: small ones for somebody who is off, large ones while both are there, and whatever
//! interrupts them.

use crate::contact::{MINUTE, accept, account, add, has_contact, invite, send, state, text_to, texts};
use crate::world::{HostNo, World};
use murre_core::id::{LogId, MessageId};
use murre_device::query::{FileState, Theirs};
use murre_device::{
    Answer, Command, CommandError, ContactState, ConversationsCommand, FileStep, FilesCommand, MessageState,
    Notice, limits, query,
};
use murre_log::chunk::CHUNK;

const HOUR: u64 = 60 * MINUTE;

pub fn bytes(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ salt).collect()
}

pub fn open(world: &mut World, who: HostNo, chat: LogId, name: &str) -> u64 {
    let (name, mime) = (name.to_owned(), "application/octet-stream".to_owned());
    match world.ask(who, Command::Files(FilesCommand::Open { chat, name, mime })) {
        Ok(Answer::Upload { upload }) => upload,
        other => panic!("{other:?}"),
    }
}

pub fn piece(
    world: &mut World,
    who: HostNo,
    upload: u64,
    offset: usize,
    bytes: &[u8],
    last: bool,
) -> Result<Answer, CommandError> {
    let (offset, bytes) = (offset as u64, bytes.to_vec());
    world.ask(who, Command::Files(FilesCommand::Piece { upload, offset, bytes, last }))
}

pub fn upload(world: &mut World, who: HostNo, chat: LogId, name: &str, data: &[u8]) -> u64 {
    let upload = open(world, who, chat, name);
    let mut offset = 0;
    loop {
        let part = &data[offset..data.len().min(offset + CHUNK)];
        let last = offset + part.len() == data.len();
        assert_eq!(piece(world, who, upload, offset, part, last), Ok(Answer::Done));
        offset += part.len();
        if last {
            return upload;
        }
    }
}

pub fn send_files(world: &mut World, who: HostNo, chat: LogId, text: &str, files: Vec<u64>) -> MessageId {
    let text = text.to_owned();
    let command = ConversationsCommand::Send { chat, text, reply_to: None, client_id: None, files };
    match world.ask(who, Command::Conversations(command)) {
        Ok(Answer::Message { id }) => id,
        other => panic!("{other:?}"),
    }
}

pub fn file(world: &World, who: HostNo, message: MessageId, index: u16) -> Option<query::FileInfo> {
    query::file(world.view(who), message, index).ok()
}

pub fn complete(world: &World, who: HostNo, message: MessageId) -> bool {
    file(world, who, message, 0).is_some_and(|f| f.state == FileState::Complete)
}

pub fn is(world: &World, who: HostNo, message: MessageId, state: FileState) -> bool {
    file(world, who, message, 0).is_some_and(|f| f.state == state)
}

pub fn theirs(world: &World, who: HostNo, message: MessageId) -> Option<Theirs> {
    file(world, who, message, 0).and_then(|f| f.theirs)
}

pub fn content(world: &World, who: HostNo, message: MessageId, index: u16) -> Vec<u8> {
    let mut out = Vec::new();
    for part in 0.. {
        match query::file_part(world.view(who), message, index, part).unwrap() {
            Some(bytes) => out.extend(bytes),
            None => return out,
        }
    }
    out
}

pub fn step(world: &World, who: HostNo, step: FileStep) -> bool {
    world.hosts[who].notices.iter().any(|n| matches!(n, Notice::File { step: s, .. } if *s == step))
}

/// Alice and Bob, accepted, both there, with a live link.
pub fn friends(nodes: usize) -> (World, HostNo, HostNo, LogId) {
    let mut world = World::new(nodes);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    let chat = add(&mut world, alice, &link);
    let a = account(&world, alice);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    accept(&mut world, bob, a);
    let hello = send(&mut world, alice, chat, "hello");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, hello) == MessageState::Delivered));
    let live = |w: &World| w.device(alice).status(w.clock()).live == 1;
    assert!(world.run_until(10 * MINUTE, live), "they found each other");
    (world, alice, bob, chat)
}

#[test]
fn a_small_file_waits_in_boxes_for_someone_who_is_off() {
    let (mut world, alice, bob, chat) = friends(4);
    world.stop(bob);
    world.run(MINUTE);
    let data = bytes(5 * CHUNK + 77, 1);
    let file = upload(&mut world, alice, chat, "../../photo\u{202e}gpj.exe", &data);
    let message = send_files(&mut world, alice, chat, "look", vec![file]);
    world.run(2 * MINUTE);
    assert_eq!(state(&world, alice, message), MessageState::Stored);
    assert_eq!(theirs(&world, alice, message), Some(Theirs::Waiting), "nobody has said that he has it");
    // The sender goes away: what Bob gets comes from the boxes.
    world.stop(alice);
    world.start(bob);
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, message)));
    assert_eq!(content(&world, bob, message, 0), data);
    let shown = query::message(world.view(bob), message, world.clock().wall).unwrap().unwrap();
    assert_eq!((shown.text.as_deref(), shown.files.len()), (Some("look"), 1));
    assert_eq!(shown.files[0].name, "_.._photo_gpj.exe", "never a path, never turned round");
    assert!(step(&world, bob, FileStep::Complete));
    world.start(alice);
    assert!(world.run_until(10 * MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Has)));
    assert!(step(&world, alice, FileStep::Delivered));
    assert_eq!(world.device(alice).status(world.clock()).in_flight, 0);
}

#[test]
fn a_file_sent_before_the_other_has_accepted_lies_in_the_drop() {
    let mut world = World::new(4);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let link = invite(&mut world, bob);
    world.stop(bob);
    let chat = add(&mut world, alice, &link);
    let data = bytes(3 * CHUNK, 2);
    let file = upload(&mut world, alice, chat, "a", &data);
    let message = send_files(&mut world, alice, chat, "", vec![file]);
    world.run(5 * MINUTE);
    world.stop(alice);
    world.start(bob);
    let a = account(&world, alice);
    assert!(world.run_until(10 * MINUTE, |w| has_contact(w, bob, a, ContactState::Incoming)));
    accept(&mut world, bob, a);
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, message)));
    assert_eq!(content(&world, bob, message, 0), data);
}

#[test]
fn a_large_file_waits_until_both_are_there_and_goes_on_where_it_stopped() {
    let (mut world, alice, bob, chat) = friends(3);
    world.stop(bob);
    world.run(MINUTE);
    let data = bytes(40 * CHUNK, 3);
    assert!(data.len() as u64 > limits::MAX_MAIL_FILE);
    let file = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![file]);
    world.run(10 * MINUTE);
    assert_eq!(state(&world, alice, message), MessageState::Stored, "its message waits for Bob");
    assert_eq!(world.device(alice).status(world.clock()).in_flight, 0, "its chunks wait for a link");
    world.start(bob);
    let here = |w: &World| file_bytes(w, bob, message);
    assert!(world.run_until(10 * MINUTE, |w| here(w) > 10 * CHUNK as u64));
    world.stop(bob);
    let before = here(&world);
    assert!(before < data.len() as u64, "stopped in the middle");
    world.run(MINUTE);
    world.start(bob);
    let (again, rest) = (world.chunk_frames, data.len() as u64 - before);
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, message)));
    let sent = world.chunk_frames - again;
    assert_eq!(sent, rest.div_ceil(CHUNK as u64), "nothing travels twice");
    assert_eq!(content(&world, bob, message, 0), data);
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Has)));
}

pub fn file_bytes(world: &World, who: HostNo, message: MessageId) -> u64 {
    file(world, who, message, 0).map_or(0, |f| f.here)
}

#[test]
fn the_sender_may_stop_in_the_middle_as_well() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(40 * CHUNK, 4);
    let file = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![file]);
    assert!(world.run_until(10 * MINUTE, |w| file_bytes(w, bob, message) > 10 * CHUNK as u64));
    world.stop(alice);
    world.run(MINUTE);
    world.start(alice);
    assert!(world.run_until(20 * MINUTE, |w| complete(w, bob, message)));
    assert_eq!(content(&world, bob, message, 0), data);
}

#[test]
fn several_files_travel_at_once_and_texts_are_not_held_up() {
    let (mut world, alice, bob, chat) = friends(3);
    let data: Vec<Vec<u8>> = (0..3).map(|i| bytes(36 * CHUNK + i, i as u8)).collect();
    let files = data.iter().map(|d| upload(&mut world, alice, chat, "f", d)).collect();
    let message = send_files(&mut world, alice, chat, "three", files);
    let text = send(&mut world, alice, chat, "meanwhile");
    assert!(world.run_until(MINUTE, |w| texts(w, bob, chat).len() == 3));
    assert!(!complete(&world, bob, message));
    let all =
        |w: &World| (0..3).all(|i| file(w, bob, message, i).is_some_and(|f| f.state == FileState::Complete));
    assert!(world.run_until(10 * MINUTE, all));
    for (i, data) in data.iter().enumerate() {
        assert_eq!(content(&world, bob, message, i as u16), *data);
    }
    assert!(world.run_until(MINUTE, |w| state(w, alice, text) == MessageState::Delivered));
}

#[test]
fn a_file_that_the_chat_has_seen_travels_once() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(4 * CHUNK, 5);
    let first = upload(&mut world, alice, chat, "one", &data);
    let first = send_files(&mut world, alice, chat, "", vec![first]);
    assert!(world.run_until(10 * MINUTE, |w| theirs(w, alice, first) == Some(Theirs::Has)));
    let frames = world.chunk_frames;
    assert!(frames >= 4, "the first one did travel");
    let again = upload(&mut world, alice, chat, "another name", &data);
    let again = send_files(&mut world, alice, chat, "", vec![again]);
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, again) == MessageState::Delivered));
    assert!(complete(&world, bob, again));
    assert_eq!(world.chunk_frames, frames);
    assert_eq!(content(&world, bob, again, 0), data);
    assert_eq!(file(&world, bob, again, 0).unwrap().name, "another name");
}

#[test]
fn an_empty_file_is_a_file() {
    let (mut world, alice, bob, chat) = friends(3);
    let file = upload(&mut world, alice, chat, "empty", &[]);
    let message = send_files(&mut world, alice, chat, "", vec![file]);
    assert!(world.run_until(MINUTE, |w| complete(w, bob, message)));
    assert_eq!(content(&world, bob, message, 0), Vec::<u8>::new());
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Has)));
}

#[test]
fn a_very_large_file_is_only_offered_until_it_is_asked_for() {
    let (mut world, alice, bob, chat) = friends(3);
    // Two pages of chunks, the second a short one.
    let data = bytes(limits::AUTO_FETCH as usize + 3 * CHUNK + 5, 6);
    let file_no = upload(&mut world, alice, chat, "disk image", &data);
    let message = send_files(&mut world, alice, chat, "", vec![file_no]);
    assert!(world.run_until(MINUTE, |w| step(w, bob, FileStep::Offered)));
    world.run(MINUTE);
    assert_eq!((world.chunk_frames, file_bytes(&world, bob, message)), (0, 0));
    let fetch = Command::Files(FilesCommand::Fetch { message, index: 0 });
    assert_eq!(world.ask(bob, fetch), Ok(Answer::Done));
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, message)));
    assert!(content(&world, bob, message, 0) == data);
}

#[test]
fn a_receiver_who_gives_a_file_up_keeps_nothing_of_it_and_may_want_it_again() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(40 * CHUNK, 7);
    let up = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(10 * MINUTE, |w| file_bytes(w, bob, message) > 5 * CHUNK as u64));
    let cancel = || Command::Files(FilesCommand::Cancel { message, index: 0 });
    assert_eq!(world.ask(bob, cancel()), Ok(Answer::Done));
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Declined)));
    assert_eq!(file(&world, bob, message, 0).map(|f| (f.state, f.here)), Some((FileState::Cancelled, 0)));
    let fetch = Command::Files(FilesCommand::Fetch { message, index: 0 });
    assert_eq!(world.ask(bob, fetch), Ok(Answer::Done));
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, message)));
    assert_eq!(content(&world, bob, message, 0), data);
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Has)));
    assert!(step(&world, alice, FileStep::Declined) && step(&world, alice, FileStep::Delivered));
}

#[test]
fn a_sender_who_takes_a_file_back_sends_no_more_of_it() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(40 * CHUNK, 8);
    let up = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(10 * MINUTE, |w| file_bytes(w, bob, message) > 5 * CHUNK as u64));
    let cancel = Command::Files(FilesCommand::Cancel { message, index: 0 });
    assert_eq!(world.ask(alice, cancel), Ok(Answer::Done));
    assert!(
        world.run_until(MINUTE, |w| file(w, bob, message, 0).is_some_and(|f| f.state == FileState::Gone))
    );
    let frames = world.chunk_frames;
    let fetch = Command::Files(FilesCommand::Fetch { message, index: 0 });
    assert_eq!(world.ask(bob, fetch), Ok(Answer::Done));
    world.run(MINUTE);
    assert_eq!(
        file(&world, bob, message, 0).map(|f| f.state),
        Some(FileState::Gone),
        "asked, and told again"
    );
    assert_eq!(world.chunk_frames, frames, "nothing of it travels");
    assert_eq!(content(&world, alice, message, 0), data, "her own copy stays");
}

#[test]
fn a_very_large_file_that_is_named_again_after_it_was_gone_is_still_only_offered() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(limits::AUTO_FETCH as usize + 1, 10);
    let up = upload(&mut world, alice, chat, "disk image", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(MINUTE, |w| is(w, bob, message, FileState::Offered)));
    // Handed over once more while she still offers it, so that the next message names the same file.
    let up = upload(&mut world, alice, chat, "disk image", &data);
    let cancel = Command::Files(FilesCommand::Cancel { message, index: 0 });
    assert_eq!(world.ask(alice, cancel), Ok(Answer::Done));
    assert!(world.run_until(MINUTE, |w| is(w, bob, message, FileState::Gone)));
    let again = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(MINUTE, |w| is(w, bob, again, FileState::Offered)));
    world.run(MINUTE);
    assert!(is(&world, bob, message, FileState::Offered), "the same file");
    assert_eq!((world.chunk_frames, file_bytes(&world, bob, again)), (0, 0));
}

#[test]
fn what_the_user_gave_up_does_not_begin_by_itself_when_it_is_sent_again() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(40 * CHUNK, 11);
    let up = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(10 * MINUTE, |w| file_bytes(w, bob, message) > 5 * CHUNK as u64));
    let cancel = Command::Files(FilesCommand::Cancel { message, index: 0 });
    assert_eq!(world.ask(bob, cancel), Ok(Answer::Done));
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Declined)));
    let up = upload(&mut world, alice, chat, "film", &data);
    let again = send_files(&mut world, alice, chat, "please", vec![up]);
    assert!(world.run_until(MINUTE, |w| is(w, bob, again, FileState::Offered)));
    let frames = world.chunk_frames;
    world.run(MINUTE);
    assert_eq!((world.chunk_frames, file_bytes(&world, bob, again)), (frames, 0));
    assert!(step(&world, bob, FileStep::Offered), "he is told");
    let fetch = Command::Files(FilesCommand::Fetch { message: again, index: 0 });
    assert_eq!(world.ask(bob, fetch), Ok(Answer::Done));
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, again)));
    assert_eq!(content(&world, bob, again, 0), data);
}

#[test]
fn chunks_whose_boxes_are_lost_are_asked_for_and_come_again() {
    let (mut world, alice, bob, chat) = friends(4);
    world.stop(bob);
    world.run(MINUTE);
    let data = bytes(6 * CHUNK, 9);
    let up = upload(&mut world, alice, chat, "lost", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(5 * MINUTE, |w| w.device(alice).status(w.clock()).in_flight == 0));
    // Every custodian loses what it holds.
    for node in 0..4 {
        world.stop(node);
        world.hosts[node].store = murre_store::MemoryStore::new();
        world.start(node);
    }
    world.run(MINUTE);
    world.isolate = Some((alice, bob));
    // A new text makes Bob notice the hole that the message left; no link ever comes up between the two.
    send(&mut world, alice, chat, "did you get it?");
    world.start(bob);
    assert!(world.run_until(6 * HOUR, |w| complete(w, bob, message)), "{:?}", file(&world, bob, message, 0));
    assert_eq!(content(&world, bob, message, 0), data);
}

#[test]
fn a_message_may_wait_for_its_upload_but_not_name_what_is_not_there() {
    let (mut world, alice, _, chat) = friends(3);
    let unfinished = open(&mut world, alice, chat, "x");
    let refused = |world: &mut World, files: Vec<u64>| {
        let text = "text".to_owned();
        let command = ConversationsCommand::Send { chat, text, reply_to: None, client_id: None, files };
        world.ask(alice, Command::Conversations(command)).unwrap_err()
    };
    assert_eq!(refused(&mut world, vec![unfinished]), CommandError::UnknownUpload);
    assert_eq!(refused(&mut world, vec![12_345]), CommandError::UnknownUpload);
    assert_eq!(refused(&mut world, vec![1; 17]), CommandError::TooManyFiles { limit: 16 });
    assert_eq!(piece(&mut world, alice, unfinished, 9, b"x", true), Err(CommandError::PieceOrder));
    let short = CommandError::PieceSize { len: 1, size: CHUNK };
    assert_eq!(piece(&mut world, alice, unfinished, 0, b"x", false), Err(short));
    let long = CommandError::PieceSize { len: CHUNK + 1, size: CHUNK };
    assert_eq!(piece(&mut world, alice, unfinished, 0, &vec![0; CHUNK + 1], false), Err(long));
    assert_eq!(piece(&mut world, alice, 7, 0, b"x", true), Err(CommandError::UnknownUpload));
    assert_eq!(piece(&mut world, alice, unfinished, 0, b"x", true), Ok(Answer::Done));
    assert_eq!(piece(&mut world, alice, unfinished, 1, b"y", true), Err(CommandError::PieceOrder));
    let nobody = LogId::from_bytes([1; 32]);
    for (chat, name, mime) in
        [(nobody, "a".to_owned(), ""), (chat, String::new(), ""), (chat, "n".repeat(256), "")]
    {
        let command = FilesCommand::Open { chat, name, mime: mime.to_owned() };
        assert!(world.ask(alice, Command::Files(command)).is_err());
    }
    let message = send_files(&mut world, alice, chat, "", vec![unfinished]);
    let unknown = Command::Files(FilesCommand::Fetch { message, index: 1 });
    assert_eq!(world.ask(alice, unknown), Err(CommandError::UnknownFile));
    let empty = text_to(chat, "");
    assert_eq!(world.ask(alice, empty), Err(CommandError::EmptyText));
}

#[test]
fn an_upload_that_no_message_names_leaves_nothing() {
    let (mut world, alice, _, chat) = friends(3);
    let rows = world.hosts[alice].store.rows();
    let marker = b"a marker that is long enough to be found";
    let up = open(&mut world, alice, chat, "x");
    let mut data = vec![7; CHUNK];
    data[..marker.len()].copy_from_slice(marker);
    assert_eq!(piece(&mut world, alice, up, 0, &data, false), Ok(Answer::Done));
    assert!(!world.hosts[alice].store.contains_bytes(marker), "sealed before it is stored");
    world.run(limits::UPLOAD_IDLE_MS + MINUTE);
    assert_eq!(world.hosts[alice].store.blobs(), 0, "its program has gone");
    // The same if this process dies meanwhile.
    let up = open(&mut world, alice, chat, "x");
    assert_eq!(piece(&mut world, alice, up, 0, &data, false), Ok(Answer::Done));
    assert_eq!(world.hosts[alice].store.blobs(), 1);
    world.stop(alice);
    world.start(alice);
    world.run(MINUTE);
    assert_eq!(world.hosts[alice].store.blobs(), 0);
    assert_eq!(piece(&mut world, alice, up, CHUNK, b"x", true), Err(CommandError::UnknownUpload));
    // Counters stay, no row of a file does.
    assert!(world.hosts[alice].store.rows() <= rows + 8);
}
