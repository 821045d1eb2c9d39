//! Requests of others: taken from a door, shown, accepted.

use super::doors::{door_keys, slot_secret, slots};
use super::requests::{REQUEST_INFO, RequestBody};
use super::{Contacts, ContactsUp, Ctx, answer, by_account, parse_link};
use crate::account::Account;
use crate::command::{CommandError, ContactState};
use crate::content::clean_line;
use crate::event::Notice;
use crate::invite::InviteLink;
use crate::limits::{MAX_CONTACTS, MAX_HELLO, MAX_INCOMING, MAX_LEFT};
use crate::rows::{self, InviteRow, RequestRow};
use murre_core::codec;
use murre_core::id::AccountId;
use murre_core::{CommandId, TurnError};
use murre_crypto::{RequestKey, Secret, hpke_open};
use murre_mailbox::client::WatchKey;
use murre_mailbox::{VerifiedBox, door_slot, tag_at};
use serde_bytes::ByteBuf;

impl Contacts {
    /// Boxes of a door of ours: requests.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails. What is not a request is let go.
    pub fn door_boxes(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        watch: WatchKey,
        boxes: &[VerifiedBox],
    ) -> Result<(), TurnError> {
        let Some(link) = self.door(watch) else { return Ok(()) };
        let invite: Option<InviteRow> = rows::get(cx.tx, rows::INVITES, link.as_bytes())?;
        let Some(mut row) = invite else { return Ok(()) };
        let before = row.requests;
        let parsed = parse_link(&row.link)?;
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for sealed in boxes {
            let full = self.incoming(cx)? >= MAX_INCOMING;
            match open_request(&parsed, &row, sealed) {
                // spec: F-24
                // Left where it is until some are answered.
                Some(_) if full => {
                    left.push(sealed.id());
                    continue;
                }
                Some(request) => {
                    let came = self.incoming_request(cx, me, request, row.replaced.is_some())?;
                    row.requests = row.requests.saturating_add(u32::from(came));
                }
                None => {}
            }
            taken.push(sealed.id());
        }
        if row.requests != before {
            rows::put(cx.tx, rows::INVITES, link.as_bytes(), &row);
        }
        if !left.is_empty() {
            let all = self.left.entry(watch.0).or_default();
            left.retain(|id| !all.contains(id));
            all.extend(left);
            // What is forgotten here is found again at the next start.
            all.truncate(MAX_LEFT);
        }
        cx.up(ContactsUp::Taken(watch, taken));
        Ok(())
    }

    pub(super) fn incoming(&self, cx: &Ctx<'_, '_>) -> Result<usize, TurnError> {
        Ok(super::all(cx.tx)?.iter().filter(|(_, c)| c.state == ContactState::Incoming).count())
    }

    /// True if it is news. `old`: through a public link that was replaced.
    // spec: F-37
    fn incoming_request(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        me: &Account,
        request: RequestBody,
        old: bool,
    ) -> Result<bool, TurnError> {
        let Some((_, account)) = crate::conversations::check_create(&request.o, &request.c, me.id()) else {
            return Ok(false);
        };
        let store = |cx: &mut Ctx<'_, '_>, no: u32, request: &RequestBody| {
            let row = RequestRow::In { request: ByteBuf::from(codec::encode(request)), old };
            rows::put(cx.tx, rows::REQUESTS, &no.to_be_bytes(), &row);
        };
        match by_account(cx.tx, account)? {
            None if super::all(cx.tx)?.len() >= MAX_CONTACTS => return Ok(false),
            None => {
                let mut hello = clean_line(&request.h);
                crate::account::truncate(&mut hello, MAX_HELLO);
                // spec: F-18
                let (no, row) = self.meet(cx, account, &request.n, ContactState::Incoming, &hello)?;
                store(cx, no, &request);
                let state = row.state;
                cx.up(ContactsUp::Notice(Notice::Contact { account, state }));
            }
            Some((no, row)) => match row.state {
                ContactState::Incoming => {
                    store(cx, no, &request);
                    return Ok(false);
                }
                ContactState::Blocked => return Ok(false),
                // spec: F-22
                // Both asked, or they ask with a further conversation: it counts as agreed.
                ContactState::Requested | ContactState::Accepted => {
                    cx.up(ContactsUp::Join { contact: no, request: Box::new(request), command: None });
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }

    /// Accepts an incoming request.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn accept(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        account: AccountId,
    ) -> Result<(), TurnError> {
        match by_account(cx.tx, account)? {
            None => cx.up(ContactsUp::Answer(id, Err(CommandError::UnknownContact))),
            Some((no, row)) => match row.state {
                ContactState::Incoming => return self.join(cx, no, Some(id)),
                ContactState::Accepted => {
                    let answer = answer(cx.tx, &row)?;
                    cx.up(ContactsUp::Answer(id, Ok(answer)));
                }
                ContactState::Requested => cx.up(ContactsUp::Answer(id, Err(CommandError::NotIncoming))),
                ContactState::Blocked => cx.up(ContactsUp::Answer(id, Err(CommandError::Blocked))),
            },
        }
        Ok(())
    }

    pub(super) fn join(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        command: Option<CommandId>,
    ) -> Result<(), TurnError> {
        if let Some(RequestRow::In { request, .. }) = rows::get(cx.tx, rows::REQUESTS, &no.to_be_bytes())? {
            let request = RequestBody::decode(&request)
                .map_err(|_| TurnError::Damaged { space: rows::REQUESTS.name })?;
            cx.up(ContactsUp::Join { contact: no, request: Box::new(request), command });
        }
        Ok(())
    }

    /// The conversation a request offered was joined, or could not be.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn joined(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        name: &str,
        chat: Option<u32>,
        command: Option<CommandId>,
    ) -> Result<(), TurnError> {
        let Some(chat) = chat else {
            if let Some(id) = command {
                cx.up(ContactsUp::Answer(id, Err(CommandError::RequestUnusable)));
            }
            return Ok(());
        };
        // A request of ours that is still on its way goes on: the other side may write into its log.
        let own = rows::get::<RequestRow>(cx.tx, rows::REQUESTS, &no.to_be_bytes())?;
        self.agreed(cx, no, name)?;
        if let Some(RequestRow::Out { stored: false, .. }) = &own {
            rows::put(cx.tx, rows::REQUESTS, &no.to_be_bytes(), &own);
            self.sweep = cx.now.mono;
        }
        self.begun(cx, no, chat, command)
    }
}

// spec: F-17
fn open_request(link: &InviteLink, row: &InviteRow, sealed: &VerifiedBox) -> Option<RequestBody> {
    let keys = door_keys(link);
    let pair = (0..slots(link)).find_map(|i| {
        let (pair, tag) = door_slot(&slot_secret(link), u16::from(i));
        (tag_at(&pair, &tag.public(), sealed.epoch()).ok()? == sealed.tag()).then_some(pair)
    })?;
    let outer = keys.open_box(&pair, sealed.epoch(), sealed).ok()?;
    let info = REQUEST_INFO.hash(&[link.id().as_bytes()]);
    let plain = hpke_open(&RequestKey::from_secret(&Secret::new(row.request.0)), &info, &[], &outer).ok()?;
    let body = RequestBody::decode(&plain).ok()?;
    (body.v == 1 && body.h.len() <= MAX_HELLO).then_some(body)
}
