//! Hands out what is held: lists and boxes to readers, objects to whoever names their place, pages to neighbours.

use super::{Boxes, Env};
use crate::route::Up;
use crate::rows::{
    self, BOXES, IDS, IdRow, LIST, LOCATORS, LocRow, OBJECTS, ObjectRow, REPAIR, TOMBS, What, repair_key,
    repair_parts, under,
};
use crate::waiters::ListAsk;
use murre_core::id::{BoxId, Bytes, Locator, PeerKey};
use murre_core::{Cx, Direction, Mono, Range, TurnError, View, Wall};
use murre_crypto::Signed;
use murre_mailbox::limits::{MAX_BOXES_BYTES, MAX_LIST_IDS, MAX_WAIT_MS};
use murre_mailbox::request::{check_repair, sign_list};
use murre_mailbox::{
    ListBody, ListPart, ReadKind, Refusal, RepairItem, RepairKind, Reply, SignedRead, SignedRepair,
    check_read, read_hash,
};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Rows of the repair set looked through for one page.
const PAGE_ROWS: usize = 8_192;
/// Rows read at once while looking.
const PAGE_CHUNK: usize = 1_024;

/// What a reader's list comes to.
#[derive(Debug)]
pub enum Listing {
    /// The answer.
    Now(ListPart),
    /// Nothing new: it may wait.
    Wait {
        /// For what.
        ask: ListAsk,
        /// How long.
        until: Mono,
    },
    /// No.
    Denied(Refusal),
}

impl Boxes {
    /// Checks a reader's list and answers it, unless it may wait.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: K-19
    pub fn ask_list(
        &self,
        cx: &Cx<'_, '_, Up>,
        env: &Env<'_>,
        read: SignedRead,
    ) -> Result<Listing, TurnError> {
        let request = Bytes(read_hash(&read));
        let Ok(body) = check_read(read, cx.now.wall, env.params) else {
            return Ok(Listing::Denied(Refusal::Denied));
        };
        let ReadKind::List { cursors, wait_ms, careful } = &body.kind else {
            return Ok(Listing::Denied(Refusal::Malformed));
        };
        let locator = body.place.locator();
        let open = cx.tx.get(LOCATORS, locator.as_bytes())?.is_some();
        if !open && !env.placed_here(&locator, body.e, cx.now.wall) {
            return Ok(Listing::Denied(Refusal::NotMine));
        }
        let cursor = cursors.iter().find(|(node, _)| *node == env.me).map(|(_, cursor)| *cursor);
        let ask = ListAsk { locator, request, cursor };
        let (part, news) = self.page(cx.tx, env, &ask)?;
        if news || *careful || *wait_ms == 0 {
            return Ok(Listing::Now(part));
        }
        Ok(Listing::Wait { ask, until: cx.now.mono.plus((*wait_ms).min(MAX_WAIT_MS).into()) })
    }

    /// The answer to a list as of now.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn list(&self, view: &dyn View, env: &Env<'_>, ask: &ListAsk) -> Result<ListPart, TurnError> {
        Ok(self.page(view, env, ask)?.0)
    }

    /// One signed page and whether there is anything on it.
    // spec: K-20, K-21
    fn page(&self, view: &dyn View, env: &Env<'_>, ask: &ListAsk) -> Result<(ListPart, bool), TurnError> {
        let seen = ask.cursor.filter(|c| c.inc == self.incarnation).map_or(0, |c| c.seq);
        let mut body = ListBody {
            n: env.me,
            q: ask.request,
            inc: self.incarnation,
            seq: seen,
            ids: Vec::new(),
            more: false,
        };
        if let Some(row) = rows::get::<LocRow>(view, LOCATORS, ask.locator.as_bytes())? {
            let range = Range {
                from: Bound::Excluded(under(row.n, &seen.to_be_bytes())),
                to: Bound::Included(under(row.n, &u64::MAX.to_be_bytes())),
            };
            let damaged = || TurnError::Damaged { space: LIST.name };
            for (key, id) in view.scan(LIST, &range, Direction::Forward, MAX_LIST_IDS + 1)? {
                if body.ids.len() == MAX_LIST_IDS {
                    body.more = true;
                    break;
                }
                let seq = key.get(4..).and_then(|s| s.try_into().ok()).ok_or_else(damaged)?;
                body.seq = u64::from_be_bytes(seq);
                body.ids.push(BoxId::from_slice(&id).ok_or_else(damaged)?);
            }
        }
        let news = !body.ids.is_empty();
        Ok((sign_list(env.key, &body), news))
    }

    /// The boxes a reader asks for, as many as fit in one answer.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: K-19, K-22
    pub fn boxes_for_reader(
        &self,
        cx: &Cx<'_, '_, Up>,
        env: &Env<'_>,
        read: SignedRead,
    ) -> Result<Result<Vec<ByteBuf>, Refusal>, TurnError> {
        let Ok(body) = check_read(read, cx.now.wall, env.params) else { return Ok(Err(Refusal::Denied)) };
        let ReadKind::Get { ids } = &body.kind else { return Ok(Err(Refusal::Malformed)) };
        let locator = body.place.locator();
        let Some(row) = rows::get::<LocRow>(cx.tx, LOCATORS, locator.as_bytes())? else {
            return Ok(Ok(Vec::new()));
        };
        let mut answer = Answer::new();
        for id in ids {
            let Some(held) = rows::get::<IdRow>(cx.tx, IDS, id.as_bytes())? else { continue };
            if held.l != row.n || held.w != What::Box || held.x <= cx.now.wall.hour() {
                continue;
            }
            let Some(wire) = cx.tx.get(BOXES, &held.n.to_be_bytes())? else { continue };
            if answer.fits(wire.len()) {
                answer.items.push(ByteBuf::from(wire));
            }
        }
        Ok(Ok(answer.items))
    }

    /// The owner object at a place, if it is here and lives.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: K-23
    pub fn object(
        &self,
        view: &dyn View,
        locator: &Locator,
        epoch: u64,
        now: Wall,
    ) -> Result<Option<ByteBuf>, TurnError> {
        let row = rows::get::<LocRow>(view, LOCATORS, locator.as_bytes())?;
        if row.is_none_or(|row| row.e != epoch) {
            return Ok(None);
        }
        let object = rows::get::<ObjectRow>(view, OBJECTS, locator.as_bytes())?;
        Ok(object.filter(|object| object.x > now.hour()).map(|object| object.o))
    }

    /// Answers a neighbour's repair.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    // spec: K-30
    pub fn serve_repair(
        &self,
        cx: &Cx<'_, '_, Up>,
        env: &Env<'_>,
        signed: SignedRepair,
    ) -> Result<Reply, TurnError> {
        let Ok(body) = check_repair(signed, &env.me, cx.now.wall, env.params) else {
            return Ok(Reply::Refused(Refusal::Denied));
        };
        let mut rings = Rings { env, asker: body.n, epoch: body.e, now: cx.now.wall, known: BTreeMap::new() };
        match &body.kind {
            RepairKind::Ids { after, limit } => page_of_ids(cx.tx, &mut rings, *after, *limit),
            RepairKind::Fetch { ids } => items(cx.tx, &mut rings, ids),
        }
    }
}

/// Things that fit in one answer.
struct Answer<T> {
    items: Vec<T>,
    bytes: usize,
}

impl<T> Answer<T> {
    const fn new() -> Self {
        Self { items: Vec::new(), bytes: 0 }
    }

    /// Takes the room for `len` bytes, if it is there.
    const fn fits(&mut self, len: usize) -> bool {
        // Framing of one item: a type, a length, a list head.
        let after = self.bytes.saturating_add(len).saturating_add(16);
        if after > MAX_BOXES_BYTES {
            return false;
        }
        self.bytes = after;
        true
    }
}

/// Which locators are placed on the asker, each computed once for an answer.
struct Rings<'a> {
    env: &'a Env<'a>,
    asker: PeerKey,
    epoch: u64,
    now: Wall,
    known: BTreeMap<Locator, bool>,
}

impl Rings<'_> {
    fn has(&mut self, locator: &Locator) -> bool {
        let Self { env, asker, epoch, now, known } = self;
        *known.entry(*locator).or_insert_with(|| {
            let k = env.directory.quorum(*now).k;
            env.directory.placement(locator, *epoch, *now).iter().take(k).any(|node| node == asker)
        })
    }
}

/// Ids that are placed on the asker, in the order of expiry.
fn page_of_ids(
    view: &dyn View,
    rings: &mut Rings<'_>,
    after: Option<(u32, BoxId)>,
    limit: u16,
) -> Result<Reply, TurnError> {
    let limit = usize::from(limit).clamp(1, MAX_LIST_IDS);
    let epoch = rings.epoch;
    let mut from = match after {
        Some((hour, id)) => Bound::Excluded(repair_key(epoch, hour, &id)),
        None => Bound::Included(epoch.to_be_bytes().to_vec()),
    };
    let to = match epoch.checked_add(1) {
        Some(next) => Bound::Excluded(next.to_be_bytes().to_vec()),
        None => Bound::Unbounded,
    };
    let mut ids: Vec<(u32, BoxId)> = Vec::new();
    let mut last = None;
    for _ in 0..PAGE_ROWS / PAGE_CHUNK {
        let range = Range { from: from.clone(), to: to.clone() };
        let rows = view.scan(REPAIR, &range, Direction::Forward, PAGE_CHUNK)?;
        let end = rows.len() < PAGE_CHUNK;
        for (key, value) in rows {
            if ids.len() >= limit {
                return Ok(Reply::RepairIds { ids, more: true });
            }
            let (_, hour, id) = repair_parts(&key)?;
            // A row without locator is an id under a tombstone: nothing to hand out.
            if Locator::from_slice(&value).is_some_and(|locator| rings.has(&locator)) {
                ids.push((hour, id));
            }
            last = Some((hour, id));
            from = Bound::Excluded(key);
        }
        if end {
            return Ok(Reply::RepairIds { ids, more: false });
        }
    }
    // Enough looked through for one answer: the last id says how far.
    if let Some(last) = last.filter(|last| ids.last() != Some(last)) {
        if ids.len() >= MAX_LIST_IDS {
            ids.pop();
        }
        ids.push(last);
    }
    Ok(Reply::RepairIds { ids, more: true })
}

/// The things themselves, as many as fit in one answer.
fn items(view: &dyn View, rings: &mut Rings<'_>, ids: &[BoxId]) -> Result<Reply, TurnError> {
    let mut answer = Answer::new();
    for id in ids {
        let Some(row) = rows::get::<IdRow>(view, IDS, id.as_bytes())? else { continue };
        let locator = view.get(REPAIR, &repair_key(rings.epoch, row.x, id))?;
        let Some(locator) = locator.and_then(|l| Locator::from_slice(&l)) else { continue };
        if !rings.has(&locator) {
            continue;
        }
        let item = match row.w {
            What::Box => {
                view.get(BOXES, &row.n.to_be_bytes())?.map(|wire| (wire.len(), RepairItem::Box(wire.into())))
            }
            What::Object => rows::get::<ObjectRow>(view, OBJECTS, locator.as_bytes())?
                .map(|object| (object.o.len(), RepairItem::Object(object.o))),
            What::Tombstone => match view.get(TOMBS, &under(row.l, id.as_bytes()))? {
                Some(wire) => {
                    let tombstone =
                        Signed::from_bytes(&wire).map_err(|_| TurnError::Damaged { space: TOMBS.name })?;
                    Some((wire.len(), RepairItem::Tombstone(tombstone)))
                }
                None => None,
            },
            What::Gone => None,
        };
        if let Some((_, item)) = item.filter(|(len, _)| answer.fits(*len)) {
            answer.items.push(item);
        }
    }
    Ok(Reply::RepairItems { items: answer.items })
}
