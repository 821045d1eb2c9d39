//! What goes to and comes from the files: the same rules as for their siblings.

use super::cx;
use crate::command::FilesCommand;
use crate::content::kind;
use crate::conversations::Conversations;
use crate::files::{FILE_LOG, FilesUp};
use crate::{Device, Event};
use murre_core::{CommandId, Cx, Now, Turn, TurnError};

/// How long an asking for chunks or a word about a file is worth anything in a mailbox, hours.
const FILE_SIGNAL_TTL: u32 = 7 * 24;

impl Device {
    pub(super) fn files_command(
        &mut self,
        now: Now,
        tx: &mut Turn<'_>,
        id: CommandId,
        command: FilesCommand,
    ) -> Result<(), TurnError> {
        match command {
            FilesCommand::Open { chat, name, mime } => {
                let contact = Conversations::number(tx, chat)?;
                self.files.open_upload(cx!(self, now, tx, files), id, contact, name, mime)
            }
            FilesCommand::Piece { upload, offset, bytes, last } => {
                self.files.piece(cx!(self, now, tx, files), id, upload, offset, &bytes, last)
            }
            FilesCommand::Fetch { message, index } => {
                self.files.fetch(cx!(self, now, tx, files), id, message, index)
            }
            FilesCommand::Cancel { message, index } => {
                self.files.cancel(cx!(self, now, tx, files), id, message, index)
            }
        }
    }

    pub(super) fn on_files(&mut self, now: Now, tx: &mut Turn<'_>, up: FilesUp) -> Result<(), TurnError> {
        match up {
            FilesUp::Answer(id, result) => self.answer(id, result),
            FilesUp::Notice(notice) => self.notice(tx, notice)?,
            FilesUp::Progress(progress) => self.events.push(Event::Progress(progress)),
            FilesUp::Ask(contact, ask) => {
                let cx = cx!(self, now, tx, conversations);
                self.conversations.signal(
                    cx,
                    &self.account,
                    contact,
                    kind::FILE_ASK,
                    &ask,
                    FILE_SIGNAL_TTL,
                )?;
            }
            FilesUp::Say(contact, word) => {
                let cx = cx!(self, now, tx, conversations);
                self.conversations.signal(
                    cx,
                    &self.account,
                    contact,
                    kind::FILE_WORD,
                    &word,
                    FILE_SIGNAL_TTL,
                )?;
            }
            FilesUp::Write(contact, word) => {
                self.conversations.say_soon(tx, now.wall, contact, kind::FILE_WORD, &word)?;
            }
            FilesUp::Live(contact, chunk) => {
                let packet = Conversations::seal_chunk(tx, now.wall, contact, chunk)?;
                if let Some(packet) = packet {
                    self.presence.send(cx!(self, now, tx, presence), contact, packet);
                }
            }
            FilesUp::Mail { contact, file, chunk } => {
                let index = chunk.index();
                let packet = Conversations::seal_chunk(tx, now.wall, contact, chunk)?;
                if let Some(packet) = packet {
                    let cx = cx!(self, now, tx, delivery);
                    self.delivery.enqueue_chunk(cx, &self.account, contact, file, index, packet)?;
                }
            }
            FilesUp::Withdraw(file) => {
                let cx = cx!(self, now, tx, delivery);
                self.delivery.acked(cx, FILE_LOG | file, Some(u32::MAX), None)?;
            }
        }
        Ok(())
    }
}
