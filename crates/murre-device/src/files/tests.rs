//! What a contact who means no good can make of files, tried on the machine alone.

use super::*;
use crate::content::FileRef;
use crate::limits::{
    AUTO_FETCH, FILE_WINDOW, MAX_AUTO_DAY, MAX_AUTO_FILES, MAX_PARALLEL, MAX_STRAYS, SERVE_AT_ONCE,
};
use murre_core::time::DAY;
use murre_core::{Now, Rng, Turn, Wall};
use murre_log::chunk::{PAGE, PageTree, chunks_of};
use murre_store::{CountingView, MemoryStore, Store};
use std::collections::VecDeque;
use std::slice::from_ref;

const THEM: u32 = 1;

/// A machine with a live link to [`THEM`].
struct Desk {
    rng: Rng,
    store: MemoryStore,
    files: Files,
    now: Now,
    /// How often it asked for chunks.
    asks: usize,
    /// Rows it has read.
    read: u64,
}

impl Desk {
    fn new() -> Self {
        let now = Now { mono: Mono(1_000), wall: Wall(1_790_000_000_000) };
        let rng = Rng::from_seed([5; 32]);
        let mut this =
            Self { rng, store: MemoryStore::new(), files: Files::default(), now, asks: 0, read: 0 };
        this.turn(|files, cx| files.link_up(cx, THEM).unwrap());
        this
    }

    fn turn(&mut self, act: impl FnOnce(&mut Files, &mut Ctx<'_, '_>)) -> Vec<FilesUp> {
        let mut up = VecDeque::new();
        let view = CountingView::new(&self.store);
        let mut tx = Turn::new(&view);
        act(&mut self.files, &mut Cx::new(self.now, &mut self.rng, &mut tx, &mut up));
        let batch = tx.into_batch();
        self.read += view.counts().rows;
        self.store.begin().unwrap();
        self.store.apply(&batch).unwrap();
        self.store.commit().unwrap();
        self.asks += up.iter().filter(|up| matches!(up, FilesUp::Ask(..))).count();
        up.into_iter().collect()
    }

    fn row(&self, file: &FileRef) -> (u32, FileRow) {
        rows::named(&self.store, THEM, file).unwrap().unwrap()
    }

    /// A message of theirs names it; answers where it stands then.
    fn named(&mut self, file: &FileRef) -> FileState {
        let message = MessageId::from_bytes([1; 32]);
        self.turn(|files, cx| files.arrived(cx, THEM, message, from_ref(file)).unwrap());
        self.row(file).1.state
    }

    /// They say that they have it no more, and name it once more.
    fn gone_and_named(&mut self, file: &FileRef) -> FileState {
        let word = FileWord { f: self.row(file).1.id, w: Word::Gone };
        self.turn(|files, cx| files.word(cx, THEM, &word).unwrap());
        assert_eq!(self.row(file).1.state, FileState::Gone);
        self.named(file)
    }

    /// A file of ours that was sent to them.
    fn shared(&mut self, content: &[u8]) -> FileRef {
        let name = "f".to_owned();
        let ups = self.turn(|files, cx| {
            files.open_upload(cx, CommandId(1), Some(THEM), name, String::new()).unwrap();
        });
        let [FilesUp::Answer(_, Ok(Answer::Upload { upload }))] = ups.as_slice() else { panic!("{ups:?}") };
        self.turn(|files, cx| files.piece(cx, CommandId(2), *upload, 0, content, true).unwrap());
        let named = self.files.refs(CommandId(3), Some(THEM), &[*upload]).unwrap();
        let message = MessageId::from_bytes([2; 32]);
        self.turn(|files, cx| files.shared(cx, THEM, message, &named).unwrap());
        named[0].clone()
    }

    /// They ask for as many chunks of it as one asking is given; answers how many they are given.
    fn asked(&mut self, file: &FileRef) -> usize {
        let ask = FileAsk { f: self.row(file).1.id, r: vec![(0, 1); FILE_WINDOW] };
        let ups = self.turn(|files, cx| files.asked(cx, THEM, &ask).unwrap());
        ups.iter().filter(|up| matches!(up, FilesUp::Live(..))).count()
    }
}

fn file(no: u32, size: u64) -> FileRef {
    let mut key = [0_u8; 32];
    key[..4].copy_from_slice(&no.to_be_bytes());
    let roots = vec![Bytes([7; 32]); chunks_of(size).div_ceil(PAGE) as usize];
    FileRef { k: Bytes(key), m: String::new(), n: "f".to_owned(), p: roots, s: size }
}

#[test]
fn a_large_file_is_not_fetched_unasked_when_it_is_named_again() {
    let mut desk = Desk::new();
    let large = file(1, 60 << 30);
    assert_eq!(desk.named(&large), FileState::Offered);
    let blob = desk.row(&large).1.blob;
    assert_eq!(desk.gone_and_named(&large), FileState::Offered);
    assert_ne!(desk.row(&large).1.blob, blob, "no byte of a blob is written twice");
    assert_eq!(desk.named(&large), FileState::Offered);
    assert_eq!((desk.asks, desk.files.fetches.len()), (0, 0));
}

#[test]
fn what_is_named_again_counts_each_time_within_the_bytes_of_a_day() {
    let mut desk = Desk::new();
    let film = file(1, AUTO_FETCH);
    assert_eq!(desk.named(&film), FileState::Wanted);
    for _ in 1..MAX_AUTO_DAY / AUTO_FETCH {
        assert_eq!(desk.gone_and_named(&film), FileState::Wanted);
    }
    assert_eq!(desk.gone_and_named(&film), FileState::Offered);
    assert_eq!(desk.named(&file(2, 1)), FileState::Offered);
    desk.now.wall = desk.now.wall.plus(DAY);
    assert_eq!(desk.gone_and_named(&film), FileState::Wanted);
}

#[test]
fn what_the_user_gave_up_is_only_offered_when_it_is_named_again() {
    let mut desk = Desk::new();
    let small = file(1, 1);
    assert_eq!(desk.named(&small), FileState::Wanted);
    let (no, row) = desk.row(&small);
    desk.turn(|files, cx| files.decline(cx, no, row).unwrap());
    assert_eq!(desk.row(&small).1.state, FileState::Cancelled);
    let asks = desk.asks;
    assert_eq!(desk.named(&small), FileState::Offered);
    assert_eq!((desk.asks, desk.files.fetches.len()), (asks, 0));
}

#[test]
fn tiny_files_are_fetched_unasked_up_to_a_number_a_day_and_few_are_asked_for_at_once() {
    let mut desk = Desk::new();
    for no in 0..MAX_AUTO_FILES {
        assert_eq!(desk.named(&file(no, 1)), FileState::Wanted, "{no}");
    }
    let late = file(MAX_AUTO_FILES, 1);
    assert_eq!(desk.named(&late), FileState::Offered);
    assert_eq!(desk.named(&file(MAX_AUTO_FILES + 1, 0)), FileState::Offered, "an empty one as well");
    assert_eq!(desk.gone_and_named(&file(0, 1)), FileState::Offered);
    assert_eq!(desk.asks, MAX_PARALLEL + 1, "the first is gone, and the next has its turn");
    // A new link asks anew for as many.
    desk.turn(|files, cx| files.link_lost(cx, THEM).unwrap());
    desk.turn(|files, cx| files.link_up(cx, THEM).unwrap());
    assert_eq!(desk.asks, 2 * MAX_PARALLEL + 1);
    desk.now.wall = desk.now.wall.plus(DAY);
    assert_eq!(desk.gone_and_named(&late), FileState::Wanted);
}

#[test]
fn a_file_of_ours_that_they_name_stays_as_it_is() {
    let mut desk = Desk::new();
    let ours = desk.shared(b"ours");
    assert_eq!(desk.named(&ours), FileState::Complete);
    let (no, row) = desk.row(&ours);
    desk.turn(|files, cx| files.take_back(cx, no, row, (MessageId::from_bytes([2; 32]), 0)).unwrap());
    assert_eq!(desk.named(&ours), FileState::Complete);
    assert_eq!(desk.row(&ours).1.theirs, Some(Theirs::Withdrawn));
}

#[test]
fn many_askings_of_one_moment_are_given_few_chunks() {
    let mut desk = Desk::new();
    let files: Vec<FileRef> = (0..6).map(|n: u8| desk.shared(&[n])).collect();
    let given: usize = files.iter().map(|f| desk.asked(f)).sum();
    assert_eq!(given, SERVE_AT_ONCE);
    // Who was given nothing asks again, and was not charged.
    desk.now.mono = desk.now.mono.plus(1);
    assert_eq!(desk.asked(&files[5]), FILE_WINDOW);
    desk.turn(|files, _| files.forget(THEM));
    assert!(desk.files.handed.is_empty());
}

#[test]
fn strays_are_found_by_their_file_and_not_looked_through() {
    let mut desk = Desk::new();
    let late = file(1, u64::from(PAGE));
    let id = late.shape().unwrap().id(&late.k.0);
    let tree = PageTree::new(vec![[0; 32]]);
    for index in 0..MAX_STRAYS + 10 {
        let chunk = Chunk::new(id, index, &tree, vec![1]);
        desk.turn(|files, cx| files.chunk(cx, THEM, chunk).unwrap());
    }
    let kept = |desk: &Desk| {
        [rows::STRAYS, rows::STRAY_IDS]
            .map(|space| desk.store.scan(space, &Range::all(), Direction::Forward, 1_000).unwrap().len())
    };
    assert_eq!(kept(&desk), [MAX_STRAYS as usize; 2], "the newest");
    let before = desk.read;
    for no in 2..18 {
        assert_eq!(desk.named(&file(no, 1)), FileState::Wanted);
    }
    let read = desk.read - before;
    assert!(read <= 16 * 8, "{read} rows for 16 files");
    // Its own are taken when it is named, whatever they are worth.
    assert_eq!(desk.named(&late), FileState::Wanted);
    assert_eq!((kept(&desk), desk.files.counts().refused), ([0; 2], u64::from(MAX_STRAYS)));
}

// spec: X-13
#[test]
fn an_asking_that_follows_the_word_leaves_nothing_in_boxes_for_good() {
    let mut desk = Desk::new();
    let ours = desk.shared(b"ours");
    let (no, id) = (desk.row(&ours).0, desk.row(&ours).1.id);
    desk.turn(|files, cx| files.link_lost(cx, THEM).unwrap());
    let have = FileWord { f: id, w: Word::Have };
    let withdrawn = |ups: &[FilesUp]| ups.iter().any(|up| matches!(up, FilesUp::Withdraw(n) if *n == no));
    assert!(withdrawn(&desk.turn(|files, cx| files.word(cx, THEM, &have).unwrap())));
    let ask = FileAsk { f: id, r: vec![(0, 1)] };
    let ups = desk.turn(|files, cx| files.asked(cx, THEM, &ask).unwrap());
    assert!(ups.iter().any(|up| matches!(up, FilesUp::Mail { .. })), "it may be wanted once more: {ups:?}");
    let served = desk.files.mails[&no].served;
    // They say so again, as they do of each chunk of a file that they have.
    let ups = desk.turn(|files, cx| files.word(cx, THEM, &have).unwrap());
    assert!(withdrawn(&ups) && !ups.iter().any(|up| matches!(up, FilesUp::Notice(_))), "{ups:?}");
    assert!(!desk.files.mails[&no].is_busy());
    assert_eq!(desk.files.mails[&no].served, served, "what was given is not forgotten");
}

/// Which chunks are handed to the outbox.
fn mailed(ups: &[FilesUp]) -> Vec<(u32, u32)> {
    let mail = |up: &FilesUp| match up {
        FilesUp::Mail { file, chunk, .. } => Some((*file, chunk.index())),
        _ => None,
    };
    ups.iter().filter_map(mail).collect()
}

// spec
#[test]
fn a_word_gives_the_places_of_its_file_to_the_next() {
    for word in [Word::Have, Word::Decline] {
        let mut desk = Desk::new();
        desk.turn(|files, cx| files.link_lost(cx, THEM).unwrap());
        let (first, second) = (desk.shared(b"first"), desk.shared(b"second"));
        let (no, id) = (desk.row(&first).0, desk.row(&first).1.id);
        // Of the first more is on its way than may be at once.
        let all = FileAsk { f: desk.row(&second).1.id, r: vec![(0, 1)] };
        desk.turn(|files, _| {
            let mail = files.mails.get_mut(&no).unwrap();
            mail.fill((0..crate::limits::MAIL_WINDOW as u32).collect());
        });
        let other = desk.row(&second).0;
        desk.turn(|files, _| files.mails.get_mut(&other).unwrap().fill(Vec::new()));
        let ups = desk.turn(|files, cx| files.asked(cx, THEM, &all).unwrap());
        assert!(mailed(&ups).is_empty(), "there is no place: {ups:?}");
        let said = FileWord { f: id, w: word };
        let ups = desk.turn(|files, cx| files.word(cx, THEM, &said).unwrap());
        assert_eq!(mailed(&ups), [(other, 0)], "{word:?}");
    }
}

// spec: X-13
#[test]
fn a_no_from_before_does_not_withdraw_what_was_asked_for_since() {
    let mut desk = Desk::new();
    let ours = desk.shared(b"ours");
    let id = desk.row(&ours).1.id;
    desk.turn(|files, cx| files.link_lost(cx, THEM).unwrap());
    let no = FileWord { f: id, w: Word::Decline };
    desk.turn(|files, cx| files.word(cx, THEM, &no).unwrap());
    let ask = FileAsk { f: id, r: vec![(0, 1)] };
    let ups = desk.turn(|files, cx| files.asked(cx, THEM, &ask).unwrap());
    assert_eq!(mailed(&ups).len(), 1, "wanted after all");
    assert!(desk.turn(|files, cx| files.word(cx, THEM, &no).unwrap()).is_empty(), "an older box");
    desk.now.mono = desk.now.mono.plus(crate::limits::MAIL_AGAIN_MS);
    let ups = desk.turn(|files, cx| files.word(cx, THEM, &no).unwrap());
    assert!(ups.iter().any(|up| matches!(up, FilesUp::Withdraw(_))), "a new one: {ups:?}");
}
