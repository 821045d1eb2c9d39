use super::files::{FileTold, Here, There};
use super::*;

const AT: u64 = 1_000_000;

fn id(n: u8) -> MessageId {
    MessageId::from_bytes([n; 32])
}

fn wish(n: u8, from: usize) -> Sent {
    Sent::new(from, 1 - from, format!("client {n}"), format!("text {n}"), AT)
}

/// Texts 0 and 1 of person 0, text 2 of person 1; text 1 was never answered.
fn model() -> Model {
    let mut model = Model::default();
    for (n, from) in [(0u8, 0usize), (1, 0), (2, 1)] {
        let number = model.asked(wish(n, from));
        if n != 1 {
            model.answered(number, id(n)).expect("first answer");
        }
    }
    model
}

fn line(n: u8, own: bool) -> Shown {
    let tick = if own { Tick::Sent } else { Tick::Delivered };
    Shown { id: id(n), text: format!("text {n}"), own, tick }
}

fn judge(model: &Model, me: usize, shown: &[Shown], ordered: bool) -> Verdict {
    model.judge(me, 1 - me, shown, false, ordered, AT)
}

#[test]
fn an_unanswered_text_may_be_there_or_not_but_never_twice() {
    let model = model();
    assert_eq!(judge(&model, 0, &[line(0, true), line(2, false)], true), Ok(()));
    assert_eq!(judge(&model, 0, &[line(0, true), line(1, true), line(2, false)], true), Ok(()));
    let twice = [line(0, true), line(1, true), line(1, true), line(2, false)];
    assert!(judge(&model, 0, &twice, true).is_err());
}

#[test]
fn what_was_confirmed_must_be_there_and_in_order() {
    let model = model();
    let lines = [line(0, true)];
    assert!(model.judge(0, 1, &lines, true, true, AT).is_err());
    assert_eq!(judge(&model, 0, &lines, true), Ok(()));
    assert!(judge(&model, 0, &[line(2, false)], true).is_err(), "own text lost");
    let crossed = [line(1, true), line(0, true), line(2, false)];
    assert!(judge(&model, 0, &crossed, true).is_err());
    assert_eq!(judge(&model, 0, &crossed, false), Ok(()));
}

#[test]
fn what_nobody_wrote_or_another_wrote_is_seen() {
    let model = model();
    assert!(judge(&model, 0, &[line(7, true)], false).is_err());
    assert!(judge(&model, 0, &[line(0, false), line(2, false)], false).is_err());
    let other_id = Shown { id: id(9), ..line(0, true) };
    assert!(judge(&model, 0, &[other_id, line(2, false)], false).is_err());
}

#[test]
fn one_client_id_makes_one_message_and_one_id_names_one_text() {
    let mut model = model();
    assert_eq!(model.answered(0, id(0)), Ok(()));
    assert!(model.answered(0, id(5)).is_err());
    assert!(model.answered(1, id(2)).is_err());
}

#[test]
fn an_answer_stands_after_what_its_writer_had_seen() {
    let mut model = model();
    model.arrived(1, id(0), "text 0").unwrap();
    let number = model.asked(wish(3, 1));
    model.answered(number, id(3)).unwrap();
    let right = [line(2, true), line(0, false), line(3, true)];
    let wrong = [line(2, true), line(3, true), line(0, false)];
    assert_eq!(judge(&model, 1, &right, true), Ok(()));
    assert!(judge(&model, 1, &wrong, true).unwrap_err().contains("had seen"));
    assert_eq!(judge(&model, 1, &wrong, false), Ok(()));
}

#[test]
fn what_was_shown_or_announced_once_stays_and_is_announced_once() {
    let mut model = model();
    model.arrived(1, id(0), "text 0").unwrap();
    assert!(model.arrived(1, id(0), "text 0").unwrap_err().contains("twice"));
    assert!(model.arrived(0, id(0), "text 0").unwrap_err().contains("wrong person"));
    assert!(model.shows(1, 0, &[line(2, true)]).unwrap_err().contains("missing"));
    assert_eq!(model.shows(1, 0, &[line(0, false), line(2, true)]), Ok(()));
}

#[test]
fn delivered_needs_a_holder_and_read_a_reader_and_neither_goes_back() {
    let mut model = model();
    let claim = |model: &mut Model, tick| model.claims(0, id(0), None, tick, AT);
    assert_eq!(claim(&mut model, Tick::Stored), Ok(()));
    assert_eq!(claim(&mut model, Tick::Sent), Ok(()), "what was stored may expire");
    assert!(claim(&mut model, Tick::Delivered).is_err());
    model.arrived(1, id(0), "text 0").unwrap();
    assert_eq!(claim(&mut model, Tick::Delivered), Ok(()));
    assert!(claim(&mut model, Tick::Read).is_err());
    model.marks(1, 0);
    assert_eq!(claim(&mut model, Tick::Read), Ok(()));
    assert!(claim(&mut model, Tick::Delivered).is_err());
    assert!(model.claims(1, id(0), None, Tick::Read, AT).is_err(), "another's text");
    assert!(model.claims(0, id(9), None, Tick::Sent, AT).is_err(), "nobody's text");
}

#[test]
fn a_text_is_given_up_only_when_its_time_is_over() {
    let mut model = model();
    assert!(model.claims(0, id(0), None, Tick::Failed, AT + GIVEN_UP_MS / 2).is_err());
    assert_eq!(model.claims(0, id(0), None, Tick::Failed, AT + GIVEN_UP_MS), Ok(()));
}

#[test]
fn marks_hold_for_what_was_there_and_for_nothing_later() {
    let mut model = model();
    model.arrived(1, id(0), "text 0").unwrap();
    model.marks(1, 0);
    model.marked(1, 0);
    let number = model.asked(wish(4, 0));
    model.answered(number, id(4)).unwrap();
    model.arrived(1, id(4), "text 4").unwrap();
    let read = |n| Shown { tick: Tick::Read, ..line(n, false) };
    assert_eq!(judge(&model, 1, &[read(0), line(2, true), line(4, false)], false), Ok(()));
    assert!(judge(&model, 1, &[line(0, false), line(2, true), line(4, false)], false).is_err());
    assert!(judge(&model, 1, &[read(0), line(2, true), read(4)], false).is_err());
    model.marks(1, 0);
    model.stopped(1);
    assert_eq!(judge(&model, 1, &[read(0), line(2, true), read(4)], false), Ok(()), "done or not");
}

#[test]
fn people_stand_where_somebody_brought_them() {
    let mut model = Model::default();
    assert!(model.stands(0, 1, Standing::Incoming).is_err());
    model.asks(1, 0);
    assert_eq!(model.stands(0, 1, Standing::Incoming), Ok(()));
    assert_eq!(model.stands(1, 0, Standing::Requested), Ok(()));
    assert!(model.stands(1, 0, Standing::Accepted).is_err());
    model.accepts(0, 1);
    assert_eq!(model.stands(0, 1, Standing::Accepted), Ok(()));
    assert!(!model.agreed(0, 1));
    assert_eq!(model.stands(1, 0, Standing::Accepted), Ok(()));
    assert!(model.agreed(0, 1));
    assert!(model.stands(0, 1, Standing::Incoming).is_err(), "agreed for good");
}

#[test]
fn two_histories_are_one_conversation() {
    let (a, b) = ([line(0, true), line(2, false)], [line(0, false), line(2, true)]);
    assert_eq!(same(&a, &b), Ok(()));
    assert!(same(&a, &[line(2, true), line(0, false)]).is_err());
    assert!(same(&a, &b[..1]).is_err());
}

/// A file of person 0 for person 1 that text 0 names.
fn with_file() -> Model {
    let mut model = model();
    model.files.push(FileSent::new(0, 1, 5, [7; 32]));
    model.names(0, 0);
    model
}

#[test]
fn a_file_is_had_only_when_it_is_whole_and_is_whole_once() {
    let mut model = with_file();
    let told = |model: &mut Model, me, told| model.file_told(me, id(0), None, told);
    assert!(told(&mut model, 0, FileTold::There(There::Has)).is_err());
    assert!(told(&mut model, 0, FileTold::Here(Here::Whole)).is_err(), "not his");
    assert_eq!(told(&mut model, 1, FileTold::Here(Here::Whole)), Ok(()));
    assert!(model.file_ended(0, Some(Here::Coming), Some(There::Waiting)).is_err());
    assert_eq!(told(&mut model, 0, FileTold::There(There::Has)), Ok(()));
    assert_eq!(model.file_ended(0, Some(Here::Whole), Some(There::Has)), Ok(()));
    assert!(told(&mut model, 1, FileTold::Here(Here::Whole)).is_err(), "told twice");
    assert!(model.file_here(1, 0, Here::Coming).is_err(), "was whole");
    assert!(model.file_there(0, 0, There::Waiting).is_err());
    assert!(model.file_told(1, id(2), None, FileTold::Here(Here::Whole)).is_err(), "text 2 names none");
}

#[test]
fn a_file_is_given_up_or_gone_only_if_somebody_did_that_and_stays_so() {
    let mut model = with_file();
    for here in [Here::GivenUp, Here::Gone] {
        assert!(model.file_here(1, 0, here).is_err(), "{here:?}");
    }
    for there in [There::Declined, There::Withdrawn] {
        assert!(model.file_there(0, 0, there).is_err(), "{there:?}");
    }
    model.files[0].given_up = true;
    assert_eq!(model.file_here(1, 0, Here::GivenUp), Ok(()));
    assert!(model.file_here(1, 0, Here::Whole).is_err(), "goes on after it was given up");
    assert!(model.file_ended(0, Some(Here::Gone), Some(There::Declined)).is_err());
    assert_eq!(model.file_ended(0, Some(Here::GivenUp), Some(There::Declined)), Ok(()));
    model.wants(0);
    model.comes_again(0);
    assert!(model.file_ended(0, Some(Here::GivenUp), Some(There::Declined)).is_err());
    assert_eq!(model.file_here(1, 0, Here::Whole), Ok(()));
    model.files[0].taken_back = true;
    assert_eq!(model.file_ended(0, Some(Here::Gone), Some(There::Withdrawn)), Ok(()));
}

#[test]
fn what_is_written_after_a_block_is_not_heard_until_it_is_taken_back() {
    let mut model = model();
    model.blocks(1, 0);
    assert_eq!(model.arrived(1, id(0), "text 0"), Ok(()), "written before");
    let late = model.asked(wish(3, 0));
    assert!(model.arrived(1, id(3), "text 3").is_err());
    assert!(model.ever_blocked(1, 0) && !model.ever_blocked(0, 1));
    assert_eq!(model.answered(late, id(3)), Ok(()), "its writer has it");
    model.unblocks(1, 0);
    assert_eq!(model.arrived(1, id(3), "text 3"), Ok(()));
}
