//! The reference model: who should have what, without a key, a node or a clock in it.
//!
//! A conversation is a list of texts that two people wrote. A text whose sending was confirmed belongs to the list
//! exactly once, for both; one whose sending was never confirmed belongs to it once or not at all. Everything else
//! (mailboxes, epochs, quorums, links) must not make a difference, so the model does not know of it.

use murre_core::id::MessageId;
use std::collections::BTreeMap;

/// One text that a person asked to send.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Who, by number.
    pub from: usize,
    /// To whom, by number.
    pub to: usize,
    /// The client id it was sent under.
    pub client_id: String,
    /// The text; no two are equal.
    pub text: String,
    /// What the device answered, once it did.
    pub answer: Option<MessageId>,
    /// Refused for a reason that says so: it must not exist.
    pub refused: bool,
}

/// What everybody should see.
#[derive(Debug, Default)]
pub struct Model {
    /// Every text in the order in which it was asked for.
    pub sent: Vec<Sent>,
    by_text: BTreeMap<String, usize>,
}

/// One line of a history, as a device shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The message.
    pub id: MessageId,
    /// Its text.
    pub text: String,
    /// Whether this device's person wrote it.
    pub own: bool,
}

impl Model {
    /// A person asks to send a text.
    pub fn asked(&mut self, sent: Sent) -> usize {
        self.by_text.insert(sent.text.clone(), self.sent.len());
        self.sent.push(sent);
        self.sent.len() - 1
    }

    /// The device says it is durable. A second answer must name the same message.
    ///
    /// # Errors
    /// Words for the report.
    pub fn answered(&mut self, number: usize, id: MessageId) -> Result<(), String> {
        let sent = &mut self.sent[number];
        match sent.answer.replace(id) {
            Some(before) if before != id => Err(format!("client id {} made two messages", sent.client_id)),
            _ => Ok(()),
        }
    }

    /// Texts of `from` to `to` that were never answered and may be tried again, in order.
    #[must_use]
    pub fn open(&self, from: usize) -> Vec<usize> {
        let open = |s: &Sent| s.from == from && s.answer.is_none() && !s.refused;
        (0..self.sent.len()).filter(|n| open(&self.sent[*n])).collect()
    }

    /// Judges one side's history of the chat of `me` with `other`.
    ///
    /// `complete` says that everything confirmed must be there by now; `ordered` that each writer's texts must
    /// stand in the order in which they were asked for.
    ///
    /// # Errors
    /// Words for the report.
    pub fn judge(
        &self,
        me: usize,
        other: usize,
        shown: &[Shown],
        complete: bool,
        ordered: bool,
    ) -> Result<(), String> {
        let mut found: BTreeMap<usize, MessageId> = BTreeMap::new();
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        for line in shown {
            let number = *self.by_text.get(&line.text).ok_or("a text that nobody wrote")?;
            let sent = &self.sent[number];
            let (from, to) = if line.own { (me, other) } else { (other, me) };
            if (sent.from, sent.to) != (from, to) {
                return Err(format!("text {number} stands in the wrong chat or under the wrong name"));
            }
            if found.insert(number, line.id).is_some() {
                return Err(format!("text {number} is shown twice"));
            }
            if sent.answer.is_some_and(|id| id != line.id) {
                return Err(format!("text {number} is shown under another id than its sender was told"));
            }
            if ordered && last.insert(from, number).is_some_and(|before| before > number) {
                return Err(format!("text {number} stands before one that was written earlier"));
            }
        }
        let pair = |s: &Sent| (s.from, s.to) == (me, other) || (s.from, s.to) == (other, me);
        let lost = |(n, s): &(usize, &Sent)| pair(s) && s.answer.is_some() && !found.contains_key(n);
        let lost: Vec<usize> = self.sent.iter().enumerate().filter(lost).map(|(n, _)| n).collect();
        if complete && !lost.is_empty() {
            return Err(format!("{} confirmed texts are missing, the first is {}", lost.len(), lost[0]));
        }
        // One's own confirmed texts may never be missing, at any time.
        let own = lost.iter().find(|n| self.sent[**n].from == me);
        own.map_or(Ok(()), |n| Err(format!("own confirmed text {n} is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> MessageId {
        MessageId::from_bytes([n; 32])
    }

    fn model() -> Model {
        let mut model = Model::default();
        for (n, from) in [(0u8, 0usize), (1, 0), (2, 1)] {
            let text = format!("text {n}");
            let client_id = text.clone();
            let number =
                model.asked(Sent { from, to: 1 - from, client_id, text, answer: None, refused: false });
            if n != 1 {
                model.answered(number, id(n)).expect("first answer");
            }
        }
        model
    }

    fn line(n: u8, own: bool) -> Shown {
        Shown { id: id(n), text: format!("text {n}"), own }
    }

    #[test]
    fn an_unanswered_text_may_be_there_or_not_but_never_twice() {
        let model = model();
        assert_eq!(model.judge(0, 1, &[line(0, true), line(2, false)], true, true), Ok(()));
        assert_eq!(model.judge(0, 1, &[line(0, true), line(1, true), line(2, false)], true, true), Ok(()));
        let twice = [line(0, true), line(1, true), line(1, true), line(2, false)];
        assert!(model.judge(0, 1, &twice, true, true).is_err());
    }

    #[test]
    fn what_was_confirmed_must_be_there_and_in_order() {
        let model = model();
        assert!(model.judge(0, 1, &[line(0, true)], true, true).is_err());
        assert_eq!(model.judge(0, 1, &[line(0, true)], false, true), Ok(()));
        assert!(model.judge(0, 1, &[line(2, false)], false, true).is_err(), "own text lost");
        assert!(model.judge(0, 1, &[line(1, true), line(0, true), line(2, false)], true, true).is_err());
        assert_eq!(model.judge(0, 1, &[line(1, true), line(0, true), line(2, false)], true, false), Ok(()));
    }

    #[test]
    fn what_nobody_wrote_or_another_wrote_is_seen() {
        let model = model();
        assert!(model.judge(0, 1, &[line(7, true)], false, false).is_err());
        assert!(model.judge(0, 1, &[line(0, false), line(2, false)], false, false).is_err());
        let other_id = Shown { id: id(9), ..line(0, true) };
        assert!(model.judge(0, 1, &[other_id, line(2, false)], false, false).is_err());
    }

    #[test]
    fn one_client_id_makes_one_message() {
        let mut model = model();
        assert_eq!(model.answered(0, id(0)), Ok(()));
        assert!(model.answered(0, id(5)).is_err());
    }
}
