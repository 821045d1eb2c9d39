//! Files in the model: one is named by texts, and comes to its reader whole, or is given up by somebody who said so.
//!
//! ```text
//!  at its reader    coming --> whole                         for good; told once
//!                     |--its reader gave it up--> given up   until its reader wants it again
//!                     '--its writer took it back--> gone
//!  at its writer    waiting --> has                          only after it was whole there
//!                     |--its reader gave it up--> declined
//!                     '--its writer took it back--> withdrawn
//! ```

use super::{Model, Verdict};
use murre_core::id::MessageId;

/// Where a file stands at its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// On its way.
    Coming,
    /// All of it is there.
    Whole,
    /// Its reader does not want it.
    GivenUp,
    /// Its writer has it no more.
    Gone,
}

/// Where a file stands at its reader, as its writer's device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Not all of it is there.
    Waiting,
    /// All of it is there.
    Has,
    /// Its reader does not want it.
    Declined,
    /// Its writer took it back.
    Withdrawn,
}

/// What a device tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTold {
    /// At its reader: it is there for the asking.
    Offered,
    /// At its reader.
    Here(Here),
    /// At its writer.
    There(There),
}

/// A file that somebody sent.
#[derive(Clone, Debug)]
pub struct FileSent {
    /// Who, by number.
    pub from: usize,
    /// To whom, by number.
    pub to: usize,
    /// Texts that name it.
    pub texts: Vec<usize>,
    /// Its length.
    pub size: u64,
    /// Hash of its bytes.
    pub hash: [u8; 32],
    /// Its writer asked to take it back.
    pub taken_back: bool,
    /// Its reader asked to give it up.
    pub given_up: bool,
    /// And wanted it again later, which its device may have done.
    wanted: bool,
    /// Which its device did.
    must_come: bool,
    whole: bool,
    told: bool,
    has: bool,
    /// Given up, as its reader's device said, and not wanted again.
    dropped: bool,
}

impl FileSent {
    /// A file that no text names yet.
    #[must_use]
    pub const fn new(from: usize, to: usize, size: u64, hash: [u8; 32]) -> Self {
        Self {
            from,
            to,
            texts: Vec::new(),
            size,
            hash,
            taken_back: false,
            given_up: false,
            wanted: false,
            must_come: false,
            whole: false,
            told: false,
            has: false,
            dropped: false,
        }
    }
}

impl Model {
    /// A text that was asked for names this file.
    pub fn names(&mut self, text: usize, file: usize) {
        self.files[file].texts.push(text);
    }

    /// The id of a confirmed text that names this file, once there is one.
    #[must_use]
    pub fn message_of(&self, file: usize) -> Option<MessageId> {
        self.files[file].texts.iter().find_map(|text| self.sent[*text].answer)
    }

    /// The reader wants again what was given up.
    pub fn wants(&mut self, file: usize) {
        self.files[file].wanted = true;
        self.files[file].dropped = false;
    }

    /// Its device says that it fetches it.
    pub fn comes_again(&mut self, file: usize) {
        self.files[file].must_come = true;
    }

    /// The file that a message names; its text says which where no id is known yet.
    fn file_named(&self, id: MessageId, text: Option<&str>) -> Option<usize> {
        let by_text = || text.and_then(|t| self.by_text.get(t));
        let number = self.by_id.get(&id).or_else(by_text)?;
        self.files.iter().position(|f| f.texts.contains(number))
    }

    /// A device tells something of the file of a message.
    ///
    /// # Errors
    /// If that cannot be so, or was told before.
    pub fn file_told(&mut self, me: usize, id: MessageId, text: Option<&str>, told: FileTold) -> Verdict {
        let Some(file) = self.file_named(id, text) else {
            return Err(format!("person {me} is told of a file that nobody sent: {told:?}"));
        };
        match told {
            FileTold::Offered => Err(format!("file {file} is only offered, and nobody gave it up before")),
            FileTold::Here(here) => {
                self.file_here(me, file, here)?;
                let again = here == Here::Whole && std::mem::replace(&mut self.files[file].told, true);
                if again { Err(format!("file {file} was told to be whole twice")) } else { Ok(()) }
            }
            FileTold::There(there) => self.file_there(me, file, there),
        }
    }

    /// Where a file stands at its reader, told or shown.
    ///
    /// # Errors
    /// If nobody did what leads there, or it was whole before.
    pub fn file_here(&mut self, me: usize, number: usize, here: Here) -> Verdict {
        let file = &mut self.files[number];
        if file.to != me {
            return Err(format!("file {number} is {here:?} at {me}, to whom nobody sent it"));
        }
        let may = match here {
            Here::Coming | Here::Whole => !file.dropped,
            Here::GivenUp => file.given_up,
            Here::Gone => file.taken_back,
        };
        if !may {
            return Err(format!("file {number} is {here:?} at its reader, and nobody did what leads there"));
        }
        if file.whole && here != Here::Whole {
            return Err(format!("file {number} was whole and is {here:?}"));
        }
        file.whole |= here == Here::Whole;
        // Once it is wanted again it may still be shown as given up, until the device has heard of it.
        file.dropped |= here == Here::GivenUp && !file.wanted;
        Ok(())
    }

    /// Where a file stands at its writer, told or shown. What its reader holds was looked at before.
    ///
    /// # Errors
    /// If that is not so.
    pub fn file_there(&mut self, me: usize, number: usize, there: There) -> Verdict {
        let file = &mut self.files[number];
        let may = match there {
            There::Waiting => !file.has,
            There::Has => file.whole,
            There::Declined => file.given_up && !file.has,
            There::Withdrawn => file.taken_back && !file.has,
        };
        if file.from != me || !may {
            return Err(format!("file {number} is said to be {there:?}, which is not so"));
        }
        file.has |= there == There::Has;
        Ok(())
    }

    /// Whether a file has come to its end, as its two devices show it.
    ///
    /// # Errors
    /// What is still to be done.
    pub fn file_ended(&self, number: usize, here: Option<Here>, there: Option<There>) -> Verdict {
        let file = &self.files[number];
        let ended = match here {
            Some(Here::Whole) => there == Some(There::Has),
            Some(Here::GivenUp) => there == Some(There::Declined) && !file.must_come,
            Some(Here::Gone) => there == Some(There::Withdrawn),
            Some(Here::Coming) | None => false,
        };
        if ended {
            return Ok(());
        }
        Err(format!(
            "file {number} of {} bytes is {here:?} at its reader, {there:?} at its writer",
            file.size
        ))
    }
}
