//! Silence, and the way back.

use super::{Contacts, ContactsUp, Ctx, answer, by_account, request_put, save};
use crate::command::{CommandError, ContactState};
use crate::event::Notice;
use crate::limits::MAX_INCOMING;
use crate::rows::{self, BlockRow};
use murre_core::id::AccountId;
use murre_core::{CommandId, TurnError};

impl Contacts {
    /// Silences someone until they are unblocked. What they asked, or were asked, is kept as it is and rests.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-23
    pub fn block(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        account: AccountId,
    ) -> Result<(), TurnError> {
        let Some((no, mut row)) = by_account(cx.tx, account)? else {
            cx.up(ContactsUp::Answer(id, Err(CommandError::UnknownContact)));
            return Ok(());
        };
        if row.state != ContactState::Blocked {
            let before = BlockRow { before: row.state };
            rows::put(cx.tx, rows::BLOCKED, &no.to_be_bytes(), &before);
            row.state = ContactState::Blocked;
            save(cx, no, &row);
            self.room_returned(cx);
            cx.up(ContactsUp::Cancel(request_put(no)));
            cx.up(ContactsUp::Block(no));
            cx.up(ContactsUp::Notice(Notice::Contact { account, state: row.state }));
        }
        cx.up(ContactsUp::Answer(id, Ok(answer(cx.tx, &row)?)));
        Ok(())
    }

    /// Takes a block back: things stand as they stood before it.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-35
    pub fn unblock(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        account: AccountId,
    ) -> Result<(), TurnError> {
        let known = by_account(cx.tx, account)?;
        let (no, mut row) = match known {
            None => {
                cx.up(ContactsUp::Answer(id, Err(CommandError::UnknownContact)));
                return Ok(());
            }
            Some((_, row)) if row.state != ContactState::Blocked => {
                cx.up(ContactsUp::Answer(id, Err(CommandError::NotBlocked)));
                return Ok(());
            }
            Some(known) => known,
        };
        let key = no.to_be_bytes();
        let before = rows::get::<BlockRow>(cx.tx, rows::BLOCKED, &key)?
            .map(|b| b.before)
            .ok_or(TurnError::Damaged { space: rows::BLOCKED.name })?;
        // spec: F-24
        if before == ContactState::Incoming && self.incoming(cx)? >= MAX_INCOMING {
            cx.up(ContactsUp::Answer(id, Err(CommandError::TooManyRequests { limit: MAX_INCOMING })));
            return Ok(());
        }
        cx.tx.delete(rows::BLOCKED, &key);
        row.state = before;
        save(cx, no, &row);
        // A request of ours that rested is looked at again.
        self.sweep = cx.now.mono;
        cx.up(ContactsUp::Unblock(no, row.state));
        cx.up(ContactsUp::Notice(Notice::Contact { account, state: row.state }));
        cx.up(ContactsUp::Answer(id, Ok(answer(cx.tx, &row)?)));
        Ok(())
    }
}
