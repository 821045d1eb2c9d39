//! Whether a contact was compared, and which of its devices were seen.

use super::{Contacts, ContactsUp, Ctx, by_account, get};
use crate::command::{Answer, Check, CommandError};
use crate::event::Notice;
use crate::limits::MAX_KNOWN_DEVICES;
use crate::rows::{self, TrustRow};
use crate::safety::{Compared, Safety};
use murre_core::id::{AccountId, DeviceId};
use murre_core::{CommandId, TurnError, View};

pub(crate) fn trust(view: &dyn View, no: u32) -> Result<TrustRow, TurnError> {
    Ok(rows::get(view, rows::TRUST, &no.to_be_bytes())?.unwrap_or_default())
}

fn save(cx: &mut Ctx<'_, '_>, no: u32, row: &TrustRow) {
    rows::put(cx.tx, rows::TRUST, &no.to_be_bytes(), row);
}

impl Contacts {
    /// Compares what the other side shows, or takes the mark away.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-33
    pub fn verify(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: AccountId,
        id: CommandId,
        account: AccountId,
        check: &Check,
    ) -> Result<(), TurnError> {
        let Some((no, _)) = by_account(cx.tx, account)? else {
            cx.up(ContactsUp::Answer(id, Err(CommandError::UnknownContact)));
            return Ok(());
        };
        let safety = || Safety::of(me, account);
        let compared = match check {
            Check::Number(given) => Some(safety().compare_number(given)),
            Check::Code(given) => Some(safety().compare_code(given, me, account)),
            Check::Clear => None,
        };
        let mut row = trust(cx.tx, no)?;
        let before = row.clone();
        let result = match compared {
            None => {
                row.verified = None;
                Ok(Answer::Done)
            }
            Some(Compared::Same) => {
                row.verified = Some(cx.now.wall);
                row.new = false;
                Ok(Answer::Done)
            }
            Some(Compared::Other) => Err(CommandError::SafetyMismatch { verified: row.verified.is_some() }),
            Some(Compared::Own) => Err(CommandError::OwnSafetyCode),
            Some(Compared::Unreadable) => Err(CommandError::NoSafetyNumber),
        };
        if row != before {
            save(cx, no, &row);
        }
        if row.verified.is_some() != before.verified.is_some() {
            cx.up(ContactsUp::Notice(Notice::Verified { account, verified: row.verified.is_some() }));
        }
        cx.up(ContactsUp::Answer(id, result));
        Ok(())
    }

    /// A device of a contact has shown its certificate. The first one is simply remembered; another is told.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: F-34
    pub fn device_seen(&mut self, cx: &mut Ctx<'_, '_>, no: u32, device: DeviceId) -> Result<(), TurnError> {
        let Some(contact) = get(cx.tx, no)? else { return Ok(()) };
        let mut row = trust(cx.tx, no)?;
        if row.devices.contains(&device) {
            return Ok(());
        }
        if row.devices.len() >= MAX_KNOWN_DEVICES {
            row.devices.remove(0);
        }
        let first = row.devices.is_empty();
        row.devices.push(device);
        if !first {
            row.new = true;
            let (account, verified) = (contact.account, row.verified.is_some());
            cx.up(ContactsUp::Notice(Notice::NewDevice { account, device, verified }));
        }
        save(cx, no, &row);
        Ok(())
    }
}
