//! What interrupts files, and what is left of them: links that die at a bad moment, the same bytes sent twice, boxes that
//! wait, rows that stay.

use crate::contact::{MINUTE, send, state};
use crate::files::{
    bytes, complete, content, file_bytes, friends, is, open, send_files, step, theirs, upload,
};
use crate::world::{HostNo, World};
use murre_core::id::MessageId;
use murre_core::{Direction, Range, Space};
use murre_device::files::rows;
use murre_device::query::{FileState, Theirs};
use murre_device::{
    Answer, Command, CommandError, ConversationsCommand, FileStep, FilesCommand, MessageState, ProgressKind,
    limits,
};
use murre_log::chunk::CHUNK;

fn count(world: &World, who: HostNo, space: Space) -> usize {
    world.view(who).scan(space, &Range::all(), Direction::Forward, 10_000).unwrap().len()
}

/// Rows that only a file under way has, and chunks in the outbox.
fn left_over(world: &World, who: HostNo) -> Vec<(&'static str, usize)> {
    let chunks = Range::seq(u64::from(murre_device::files::FILE_LOG) << 32, u64::MAX);
    let chunks = world.view(who).scan(murre_device::rows::OUTBOX, &chunks, Direction::Forward, 10_000);
    [rows::WORK, rows::STRAYS, rows::STRAY_IDS, rows::USES, rows::HERE]
        .into_iter()
        .map(|space| (space.name, count(world, who, space)))
        .chain([("chunks", chunks.unwrap().len())])
        .filter(|(_, rows)| *rows > 0)
        .collect()
}

fn cancel(world: &mut World, who: HostNo, message: MessageId) {
    let command = Command::Files(FilesCommand::Cancel { message, index: 0 });
    assert_eq!(world.ask(who, command), Ok(Answer::Done));
}

// spec: X-14
#[test]
fn a_link_that_dies_after_the_last_chunk_does_not_leave_the_sender_waiting() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(40 * CHUNK, 20);
    let up = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, message)));
    // Bob's word is on its way and is lost with the link; both forget everything that is not in their rows.
    world.stop(bob);
    world.stop(alice);
    world.run(MINUTE);
    assert_eq!(theirs(&world, alice, message), Some(Theirs::Waiting));
    world.start(bob);
    world.start(alice);
    assert!(world.run_until(10 * MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Has)));
    assert!(step(&world, alice, FileStep::Delivered));
    // The same where no link ever comes up again: the word goes into a box.
    let up = upload(&mut world, alice, chat, "film 2", &data[1..]);
    let second = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, second)));
    world.isolate = Some((alice, bob));
    world.cut(alice, bob);
    assert!(world.run_until(10 * MINUTE, |w| theirs(w, alice, second) == Some(Theirs::Has)));
    world.run(10 * MINUTE);
    for who in [alice, bob] {
        assert_eq!(left_over(&world, who), []);
        assert_eq!(count(&world, who, murre_device::rows::OUTBOX), 0, "words are receipted as entries are");
    }
}

#[test]
fn words_about_files_are_no_messages() {
    let (mut world, alice, bob, chat) = friends(3);
    let files = (0..3).map(|i| upload(&mut world, alice, chat, "f", &bytes(100, i))).collect();
    let message = send_files(&mut world, alice, chat, "three", files);
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Has)));
    world.run(MINUTE);
    let shown = murre_device::query::history(world.view(alice), chat, None, 10, world.clock().wall).unwrap();
    assert_eq!(shown.len(), 2, "a hello and three files");
    let _ = bob;
}

// spec: X-15
#[test]
fn two_uploads_of_the_same_bytes_go_their_own_ways() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(40 * CHUNK, 21);
    world.stop(bob);
    world.run(MINUTE);
    let up = upload(&mut world, alice, chat, "first", &data);
    let first = send_files(&mut world, alice, chat, "", vec![up]);
    // The chat knows these bytes now; both uploads are of the one file.
    let (left, right) = (open(&mut world, alice, chat, "left"), open(&mut world, alice, chat, "right"));
    for (at, part) in data.chunks(CHUNK).enumerate() {
        for up in [left, right] {
            let (offset, last) = ((at * CHUNK) as u64, (at + 1) * CHUNK == data.len());
            let piece = FilesCommand::Piece { upload: up, offset, bytes: part.to_vec(), last };
            assert_eq!(world.ask(alice, Command::Files(piece)), Ok(Answer::Done));
        }
    }
    assert_eq!(world.hosts[alice].store.blobs(), 1, "stored once");
    let left = send_files(&mut world, alice, chat, "", vec![left]);
    let right = send_files(&mut world, alice, chat, "", vec![right]);
    cancel(&mut world, alice, first);
    cancel(&mut world, alice, left);
    assert_eq!(theirs(&world, alice, left), Some(Theirs::Withdrawn));
    assert_eq!(theirs(&world, alice, right), Some(Theirs::Waiting));
    world.start(bob);
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, right)));
    assert_eq!(content(&world, bob, right, 0), data);
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, right) == Some(Theirs::Has)));
    assert_eq!(left_over(&world, alice), []);
}

#[test]
fn the_same_bytes_handed_over_at_once_for_two_chats_are_two_files() {
    let (mut world, alice, bob, chat) = friends(3);
    let carol = world.person("Carol");
    world.run(MINUTE);
    let link = crate::contact::invite(&mut world, carol);
    let other = crate::contact::add(&mut world, alice, &link);
    let a = crate::contact::account(&world, alice);
    let incoming = murre_device::ContactState::Incoming;
    assert!(world.run_until(10 * MINUTE, |w| crate::contact::has_contact(w, carol, a, incoming)));
    crate::contact::accept(&mut world, carol, a);
    let hello = send(&mut world, alice, other, "hello");
    assert!(world.run_until(10 * MINUTE, |w| state(w, alice, hello) == MessageState::Delivered));
    world.stop(bob);
    world.stop(carol);
    world.run(MINUTE);
    let data = bytes(3 * CHUNK + 9, 22);
    let ups = [chat, chat, other].map(|chat| (chat, open(&mut world, alice, chat, "same")));
    for (at, part) in data.chunks(CHUNK).enumerate() {
        for (_, up) in ups {
            let last = (at + 1) * CHUNK >= data.len();
            let offset = (at * CHUNK) as u64;
            let piece = FilesCommand::Piece { upload: up, offset, bytes: part.to_vec(), last };
            assert_eq!(world.ask(alice, Command::Files(piece)), Ok(Answer::Done));
        }
    }
    let [one, two, three] = ups.map(|(chat, up)| send_files(&mut world, alice, chat, "", vec![up]));
    cancel(&mut world, alice, one);
    world.start(bob);
    world.start(carol);
    assert!(world.run_until(20 * MINUTE, |w| complete(w, bob, two) && complete(w, carol, three)));
    assert_eq!(content(&world, bob, two, 0), data);
    assert_eq!(content(&world, carol, three, 0), data);
    let done = |w: &World| [two, three].iter().all(|m| theirs(w, alice, *m) == Some(Theirs::Has));
    assert!(world.run_until(10 * MINUTE, done));
    // All its chunks may have been read before the word that it is taken back.
    let has = if complete(&world, bob, one) { Theirs::Has } else { Theirs::Withdrawn };
    assert_eq!(theirs(&world, alice, one), Some(has));
    world.run(MINUTE);
    assert_eq!(left_over(&world, alice), []);
}

#[test]
fn an_upload_whose_message_is_refused_can_be_sent_again() {
    let (mut world, alice, _, chat) = friends(3);
    let up = upload(&mut world, alice, chat, "f", b"x");
    let text = "x".repeat(limits::MAX_TEXT + 1);
    let command = ConversationsCommand::Send { chat, text, reply_to: None, client_id: None, files: vec![up] };
    assert!(world.ask(alice, Command::Conversations(command)).is_err());
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    let text = String::new();
    let command = ConversationsCommand::Send { chat, text, reply_to: None, client_id: None, files: vec![up] };
    assert!(world.ask(alice, Command::Conversations(command)).is_err(), "an upload is sent once");
    assert!(world.run_until(MINUTE, |w| theirs(w, alice, message) == Some(Theirs::Has)));
}

#[test]
fn a_file_whose_last_piece_and_message_come_in_one_turn_goes_into_boxes_whole() {
    let (mut world, alice, bob, chat) = friends(3);
    world.stop(bob);
    world.run(MINUTE);
    let data = bytes(CHUNK + 5, 23);
    let up = open(&mut world, alice, chat, "f");
    let piece = |offset: usize, part: &[u8], last| {
        let (offset, bytes) = (offset as u64, part.to_vec());
        Command::Files(FilesCommand::Piece { upload: up, offset, bytes, last })
    };
    let text = String::new();
    let send = ConversationsCommand::Send { chat, text, reply_to: None, client_id: None, files: vec![up] };
    let commands = vec![
        piece(0, &data[..CHUNK], false),
        piece(CHUNK, &data[CHUNK..], true),
        Command::Conversations(send),
    ];
    let ids = world.give(alice, commands);
    let Some(Ok(Answer::Message { id })) = world.hosts[alice].answers.get(&ids[2]).cloned() else { panic!() };
    world.run(MINUTE);
    world.stop(alice);
    world.start(bob);
    assert!(world.run_until(MINUTE, |w| complete(w, bob, id)), "from the boxes alone, unasked");
    assert_eq!(content(&world, bob, id, 0), data);
}

#[test]
fn a_bad_frame_ends_a_link_for_files_as_well() {
    let (mut world, alice, bob, chat) = friends(3);
    world.isolate = Some((alice, bob));
    world.forge(bob, alice, &[2, 0xff]);
    world.run(1_000);
    assert_eq!(world.device(alice).status(world.clock()).live, 0);
    world.stop(bob);
    let up = upload(&mut world, alice, chat, "f", &bytes(100, 24));
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    // Nobody is believed to be there who might ask for it: it goes into a box at once.
    world.run(5_000);
    let status = world.device(alice).status(world.clock());
    assert_eq!((state(&world, alice, message), status.files.mailing), (MessageState::Stored, 0));
    assert_eq!(status.files.sent, 1);
}

#[test]
fn chunks_that_wait_in_the_outbox_are_not_looked_at_again_and_again() {
    let (mut world, alice, bob, chat) = friends(3);
    world.stop(bob);
    world.run(MINUTE);
    let up = upload(&mut world, alice, chat, "f", &bytes(33 * CHUNK, 30));
    send_files(&mut world, alice, chat, "", vec![up]);
    let up = upload(&mut world, alice, chat, "large", &bytes(40 * CHUNK, 40));
    send_files(&mut world, alice, chat, "", vec![up]);
    let idle = |w: &World| w.device(alice).status(w.clock()).in_flight == 0;
    assert!(world.run_until(10 * MINUTE, idle));
    let rows = count(&world, alice, murre_device::rows::OUTBOX) as u64;
    assert!(rows >= 33, "each chunk waits until Bob has the file");
    // The nodes go away, and what comes now fills the window of chunks for as long as they are gone.
    (0..3).for_each(|node| world.stop(node));
    let up = upload(&mut world, alice, chat, "stuck", &bytes(20 * CHUNK, 41));
    send_files(&mut world, alice, chat, "", vec![up]);
    world.stop(alice);
    world.hosts[alice].outbox_turn = 0;
    world.start(alice);
    world.run(MINUTE);
    let before = world.hosts[alice].outbox_rows;
    world.run(50 * MINUTE);
    let read = world.hosts[alice].outbox_rows - before;
    assert_eq!(read, 0, "nothing has changed");
    // Hours of sweeps: each row once, few in one turn.
    world.run(180 * MINUTE);
    let read = world.hosts[alice].outbox_rows - before;
    assert!(read <= 4 * (rows + 8), "{read} of {rows}");
    assert!(world.hosts[alice].outbox_turn <= 16, "{}", world.hosts[alice].outbox_turn);
    (0..3).for_each(|node| world.start(node));
    assert!(world.run_until(60 * MINUTE, idle), "goes on by itself when nodes are back");
}

#[test]
fn a_file_that_is_taken_back_or_given_up_leaves_no_rows_and_sends_nothing() {
    let (mut world, alice, bob, chat) = friends(3);
    let large = |w: &mut World, salt| {
        let up = upload(w, alice, chat, "film", &bytes(40 * CHUNK, salt));
        let message = send_files(w, alice, chat, "", vec![up]);
        assert!(w.run_until(10 * MINUTE, |w| file_bytes(w, bob, message) > 5 * CHUNK as u64));
        message
    };
    for (who, salt) in [(alice, 50), (bob, 51)] {
        let message = large(&mut world, salt);
        cancel(&mut world, who, message);
        // What was on the link at this moment still comes.
        world.run(1_000);
        let frames = world.chunk_frames;
        world.run(10 * MINUTE);
        assert_eq!(world.chunk_frames, frames);
        let end = if who == alice { FileState::Gone } else { FileState::Cancelled };
        assert!(is(&world, bob, message, end));
        for side in [alice, bob] {
            assert_eq!(left_over(&world, side), []);
        }
    }
    // The same for one that lies in boxes.
    world.stop(bob);
    world.run(MINUTE);
    let up = upload(&mut world, alice, chat, "small", &bytes(20 * CHUNK, 52));
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert_ne!(left_over(&world, alice), []);
    cancel(&mut world, alice, message);
    world.run(1_000);
    assert_eq!(left_over(&world, alice), []);
    let sent = world.device(alice).status(world.clock()).files.sent;
    world.run(10 * MINUTE);
    assert_eq!(world.device(alice).status(world.clock()).files.sent, sent);
}

/// What was told of one kind about a message's file, in order.
fn told(world: &World, who: HostNo, message: MessageId, kind: ProgressKind) -> Vec<u64> {
    let of = world.hosts[who].progress.iter().filter(|(_, p)| p.message == message && p.kind == kind);
    of.map(|(_, p)| p.bytes).collect()
}

// spec: X-16
#[test]
fn both_sides_are_told_how_a_file_goes_on_but_not_too_often() {
    let (mut world, alice, bob, chat) = friends(3);
    world.stop(bob);
    world.run(MINUTE);
    let data = bytes(300 * CHUNK, 60);
    assert!(data.len() as u64 > limits::AUTO_FETCH);
    let up = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert_eq!(told(&world, alice, message, ProgressKind::Waiting), [0], "nobody is there to take it");
    let notices = count(&world, alice, murre_device::rows::NOTICES);
    world.start(bob);
    assert!(world.run_until(MINUTE, |w| is(w, bob, message, FileState::Offered)));
    let fetch = || Command::Files(FilesCommand::Fetch { message, index: 0 });
    assert_eq!(world.ask(bob, fetch()), Ok(Answer::Done));
    assert!(world.run_until(MINUTE, |w| file_bytes(w, bob, message) > 100 * CHUNK as u64));
    world.stop(bob);
    world.run(1_000);
    let waiting = told(&world, alice, message, ProgressKind::Waiting);
    assert!(waiting.len() == 2 && waiting[1] >= file_bytes(&world, bob, message), "{waiting:?}");
    world.start(bob);
    assert!(world.run_until(10 * MINUTE, |w| complete(w, bob, message)));
    world.run(MINUTE);
    for (who, kind) in [(alice, ProgressKind::Sending), (bob, ProgressKind::Receiving)] {
        let told = told(&world, who, message, kind);
        assert!(!told.is_empty() && told.is_sorted(), "{told:?}");
        assert!(told.iter().all(|bytes| *bytes > 0 && *bytes <= data.len() as u64));
        let times: Vec<u64> = world.hosts[who].progress.iter().map(|(at, _)| *at).collect();
        assert!(times.windows(2).all(|w| w[1] - w[0] >= limits::PROGRESS_MS), "{times:?}");
    }
    // Telling is not storing: what is kept is that it was delivered, and the states of the two messages.
    assert!(count(&world, alice, murre_device::rows::NOTICES) - notices < 8);
    let last = world.hosts[alice].progress.len();
    world.run(10 * MINUTE);
    assert_eq!(world.hosts[alice].progress.len(), last, "nothing more is told of what is done");
}

#[test]
fn a_file_on_its_way_into_boxes_is_told_as_far_as_it_is_stored() {
    let (mut world, alice, bob, chat) = friends(3);
    world.stop(bob);
    world.run(MINUTE);
    let data = bytes(30 * CHUNK, 61);
    let up = upload(&mut world, alice, chat, "small", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    world.run(2 * MINUTE);
    let told = told(&world, alice, message, ProgressKind::Storing);
    assert!(told.is_sorted() && told.last() == Some(&(data.len() as u64)), "{told:?}");
}

#[test]
fn who_answers_askings_stores_nothing_for_it() {
    let (mut world, alice, bob, chat) = friends(3);
    let data = bytes(200 * CHUNK, 62);
    let up = upload(&mut world, alice, chat, "film", &data);
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(world.run_until(MINUTE, |w| file_bytes(w, bob, message) > 40 * CHUNK as u64));
    let (sender, receiver) = (world.hosts[alice].writes, world.hosts[bob].writes);
    assert!(world.run_until(MINUTE, |w| file_bytes(w, bob, message) > 140 * CHUNK as u64));
    // A timer of something else may fall into it.
    assert!(world.hosts[alice].writes - sender <= 2, "{}", world.hosts[alice].writes - sender);
    // Two chunks fill a frame, and one third of the window is asked for at a time.
    let turns = world.hosts[bob].writes - receiver;
    assert!((25..=105).contains(&turns), "{turns}");
    let status = world.device(alice).status(world.clock());
    assert!(status.files.sent <= 200, "nothing is sent twice");
}

#[test]
fn a_finished_upload_that_no_message_names_leaves_no_row_in_either_way() {
    let (mut world, alice, _, chat) = friends(3);
    let spaces = [rows::FILES, rows::BY_ID, rows::BY_PLAIN, rows::PAGES, rows::WORK];
    let none = |w: &World| spaces.map(|space| count(w, alice, space)) == [0; 5];
    let data = bytes(CHUNK + 1, 63);
    upload(&mut world, alice, chat, "x", &data);
    assert!(!none(&world));
    world.run(limits::UPLOAD_IDLE_MS + MINUTE);
    assert!(none(&world), "its program has gone");
    // Twice at once, and the process dies.
    upload(&mut world, alice, chat, "x", &data);
    upload(&mut world, alice, chat, "y", &data);
    world.stop(alice);
    world.start(alice);
    world.run(MINUTE);
    assert!(none(&world));
    assert_eq!(world.hosts[alice].store.blobs(), 0);
}

#[test]
fn a_large_file_is_told_to_wait_although_the_other_seemed_to_be_there() {
    let (mut world, alice, bob, chat) = friends(3);
    let up = upload(&mut world, alice, chat, "film", &bytes(40 * CHUNK, 64));
    world.stop(bob);
    // The news of it is on its way.
    let message = send_files(&mut world, alice, chat, "", vec![up]);
    assert!(told(&world, alice, message, ProgressKind::Waiting).is_empty());
    world.run(1_000);
    assert_eq!(told(&world, alice, message, ProgressKind::Waiting), [0]);
}

// spec: D-21
#[test]
fn a_repeated_client_id_names_its_message_although_the_upload_ended_with_the_process() {
    let (mut world, alice, _, chat) = friends(3);
    let up = upload(&mut world, alice, chat, "x", b"once");
    let send = |world: &mut World, client_id: &str| {
        let (text, client_id) = (String::new(), Some(client_id.to_owned()));
        let command = ConversationsCommand::Send { chat, text, reply_to: None, client_id, files: vec![up] };
        world.ask(alice, Command::Conversations(command))
    };
    let first = send(&mut world, "one").unwrap();
    assert_eq!(send(&mut world, "one"), Ok(first.clone()), "in the same run");
    world.stop(alice);
    world.start(alice);
    assert_eq!(send(&mut world, "one"), Ok(first), "in the next run");
    assert_eq!(send(&mut world, "two"), Err(CommandError::UnknownUpload), "of which nothing is known");
}
