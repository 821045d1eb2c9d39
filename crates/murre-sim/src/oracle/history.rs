//! Nothing lost, nothing doubled, one order: histories against each other and against the model.

use crate::cast::{Cast, Pair, Person, tick};
use crate::model::{self, Sent, Shown};
use crate::oracle::files;
use crate::shell::Sim;
use murre_core::id::LogId;
use murre_core::store::Rows;
use murre_core::{Direction, Range, Space, View};
use murre_device::files::file_of;
use murre_device::files::rows::STRAYS;
use murre_device::limits::{
    MAX_CONTACTS, MAX_INCOMING, MAX_NOTICES, MAX_PAGE, MAX_PARCELS, MAX_PARCELS_EACH, MAX_STASH, MAX_STRAYS,
};
use murre_device::rows::OutboxRow;
use murre_device::{ContactState, query, rows};
use murre_store::MemoryStore;
use std::collections::BTreeMap;

/// The chat of a contact, as a device shows it.
#[must_use]
pub fn chat_with(store: &MemoryStore, account: murre_core::id::AccountId) -> Option<(LogId, ContactState)> {
    let contact = query::contacts(store).ok()?.into_iter().find(|c| c.account == account)?;
    Some((contact.chat?, contact.state))
}

/// Where things stand with an account.
#[must_use]
pub fn state_of(store: &MemoryStore, account: murre_core::id::AccountId) -> Option<ContactState> {
    query::contacts(store).ok()?.into_iter().find(|c| c.account == account).map(|c| c.state)
}

/// One side's history of a pair.
///
/// # Errors
/// Words for the report.
pub fn shown(sim: &Sim, cast: &Cast, me: usize, other: usize) -> Result<Vec<Shown>, String> {
    let host = &sim.hosts[cast.people[me].host];
    let (store, now) = (&host.store, host.clocks(sim.now).wall);
    let Some((chat, _)) = chat_with(store, cast.people[other].account) else { return Ok(Vec::new()) };
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = query::history(store, chat, before, MAX_PAGE, now)
            .map_err(|e| format!("history cannot be read: {e:?}"))?;
        let full = page.len() == MAX_PAGE;
        before = page.first().map(|m| m.id);
        pages.push(page);
        if !full {
            break;
        }
    }
    let lines = pages.into_iter().rev().flatten().map(|m| {
        let text = m.text.ok_or("a message without text")?;
        Ok(Shown { id: m.id, text, own: m.own, tick: tick(m.state) })
    });
    lines.collect()
}

/// In a quiet moment: nothing is shown twice, under a wrong name or further than it is, and nothing is gone.
pub fn glance(sim: &mut Sim, cast: &mut Cast) {
    for who in 0..cast.people.len() {
        cast.observe(sim, who);
    }
    for pair in &cast.pairs {
        for (me, other) in [(pair.a, pair.b), (pair.b, pair.a)] {
            let lines = shown(sim, cast, me, other);
            let verdict =
                lines.and_then(|lines| cast.model.judge(me, other, &lines, false, !pair.both, sim.now));
            if let Err(what) = verdict {
                let name = cast.people[me].name.clone();
                sim.watch.fail("nothing lost or doubled", format!("at {name}: {what}"));
            }
        }
    }
}

/// Whether everything has arrived everywhere and nobody waits for anything.
#[must_use]
pub fn at_rest(sim: &Sim, cast: &Cast) -> bool {
    cast.people.iter().all(|p| p.asks.is_empty() && outbox(sim, cast, p) == Ok(Waiting::default()))
        && files::ended(sim, cast).is_ok()
        && cast.pairs.iter().filter(|p| p.blocked.is_none()).all(|pair| agree(sim, cast, pair).is_ok())
}

/// Entries of a person that nobody has receipted, those between two of whom one has blocked the other aside.
fn outbox(sim: &Sim, cast: &Cast, person: &Person) -> Result<Waiting, String> {
    let store = &sim.hosts[person.host].store;
    let silent: Result<Vec<Option<u32>>, _> = cast
        .pairs
        .iter()
        .filter(|p| p.blocked.is_some())
        .filter_map(|p| match person.number {
            me if me == p.a => Some(p.b),
            me if me == p.b => Some(p.a),
            _ => None,
        })
        .map(|other| {
            let account = cast.people[other].account;
            rows::get::<u32>(store, rows::CONTACT_BY_ACCOUNT, account.as_bytes())
        })
        .collect();
    let silent = silent.map_err(|e| unreadable(&e))?;
    let mut waits = Waiting::default();
    for (key, value) in all(store, rows::OUTBOX)? {
        let row: OutboxRow = rows::decode(rows::OUTBOX, &value).map_err(|e| unreadable(&e))?;
        let key = key.try_into().map(u64::from_be_bytes).map_err(|_| "an outbox row without a number")?;
        let of_files = usize::from(file_of(key).is_some());
        if !silent.contains(&Some(row.contact)) {
            waits = Waiting { entries: waits.entries + 1 - of_files, chunks: waits.chunks + of_files };
        }
    }
    Ok(waits)
}

/// What lies in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waiting {
    entries: usize,
    chunks: usize,
}

/// A row that cannot be read is no row without a fault.
fn unreadable(error: &dyn std::fmt::Debug) -> String {
    format!("a row cannot be read: {error:?}")
}

/// Every row of a space.
///
/// # Errors
/// Words for the report.
pub fn all(store: &MemoryStore, space: Space) -> Result<Rows, String> {
    store.scan(space, &Range::all(), Direction::Forward, usize::MAX).map_err(|e| unreadable(&e))
}

/// What somebody wrote after they were blocked is shown nowhere.
///
/// # Errors
/// What is shown.
pub fn heard(sim: &Sim, cast: &Cast, pair: &Pair, from: usize) -> Result<(), String> {
    let lines = shown(sim, cast, pair.a, pair.b)?;
    let late = |s: &&Sent| (s.from, s.to) == (pair.b, pair.a);
    let found =
        cast.model.sent.iter().skip(from).filter(late).find(|s| lines.iter().any(|l| l.text == s.text));
    found.map_or(Ok(()), |s| Err(format!("{} is shown although its writer is blocked", s.client_id)))
}

/// Both sides show the same, and it is what the model says.
fn agree(sim: &Sim, cast: &Cast, pair: &Pair) -> Result<(), String> {
    let (a, b) = (shown(sim, cast, pair.a, pair.b)?, shown(sim, cast, pair.b, pair.a)?);
    for (me, other, lines) in [(pair.a, pair.b, &a), (pair.b, pair.a, &b)] {
        let verdict = cast.model.judge(me, other, lines, true, !pair.both, sim.now);
        verdict.map_err(|e| format!("at {}: {e}", cast.people[me].name))?;
    }
    model::same(&a, &b)
}

/// The last judgement, after a quiet time with everybody there.
pub fn judge(sim: &mut Sim, cast: &mut Cast) {
    for who in 0..cast.people.len() {
        cast.observe(sim, who);
    }
    for pair in &cast.pairs {
        if let Some(from) = pair.blocked {
            if let Err(what) = heard(sim, cast, pair, from) {
                sim.watch.fail("the blocked are not heard", what);
            }
            continue;
        }
        let names = format!("{} and {}", cast.people[pair.a].name, cast.people[pair.b].name);
        for (me, other) in [(pair.a, pair.b), (pair.b, pair.a)] {
            let store = &sim.hosts[cast.people[me].host].store;
            let state = state_of(store, cast.people[other].account);
            if state != Some(ContactState::Accepted) {
                sim.watch.fail("all converge", format!("{names}: a contact is still {state:?}"));
            }
        }
        if !cast.model.agreed(pair.a, pair.b) {
            sim.watch.fail("all converge", format!("{names}: the model knows of no agreement"));
        }
        if let Err(what) = agree(sim, cast, pair) {
            sim.watch.fail("nothing lost", format!("{names}: {what}"));
        }
    }
    for person in &cast.people {
        let why = match outbox(sim, cast, person) {
            Ok(waits) if waits == Waiting::default() => None,
            Ok(Waiting { entries, chunks }) => {
                let name = &person.name;
                Some(format!("{entries} entries and {chunks} chunks of {name} are not receipted"))
            }
            Err(what) => Some(format!("at {}: {what}", person.name)),
        };
        let why = why.or_else(|| undelivered(sim, cast, person.host, person.number));
        let why = why.or_else(|| {
            person.asks.values().next().map(|ask| format!("{} got no answer to {ask:?}", person.name))
        });
        if let Some(why) = why {
            sim.watch.fail("all converge", why);
        }
    }
    bounds(sim, cast);
    files::judge(sim, cast);
}

/// Own messages are shown as delivered, since they are.
fn undelivered(sim: &Sim, cast: &Cast, host: usize, me: usize) -> Option<String> {
    let store = &sim.hosts[host].store;
    let wall = sim.hosts[host].clocks(sim.now).wall;
    let silent = |s: &&Sent| {
        let ends = |p: &Pair| (s.from, s.to) == (p.a, p.b) || (s.from, s.to) == (p.b, p.a);
        cast.pairs.iter().any(|p| p.blocked.is_some() && ends(p))
    };
    cast.model.sent.iter().filter(|s| s.from == me && !silent(s)).find_map(|s| {
        let id = s.answer?;
        let status = match query::status(store, id, wall) {
            Ok(status) => status,
            Err(e) => return Some(format!("the state of a message cannot be read: {e:?}")),
        };
        let done =
            matches!(status.state, murre_device::MessageState::Delivered | murre_device::MessageState::Read);
        (!done)
            .then(|| format!("{} shows a message as {:?} that arrived", cast.people[me].name, status.state))
    })
}

/// Queues stay within their named limits.
pub fn bounds(sim: &mut Sim, cast: &Cast) {
    let full = cast.people.iter().find_map(|p| {
        let links = sim.net.links_of(p.host).len();
        let over = too_many(&sim.hosts[p.host].store).unwrap_or_else(Some);
        let over = over.or_else(|| (links > crate::net::MAX_LINKS).then(|| format!("{links} links")));
        over.map(|what| format!("{} has {what}", p.name))
    });
    if let Some(what) = full {
        sim.watch.fail("bounds", what);
    }
}

/// What a device holds more of than it may.
fn too_many(store: &MemoryStore) -> Result<Option<String>, String> {
    let parcels = all(store, rows::PARCELS)?;
    let mut parcels_of: BTreeMap<u32, usize> = BTreeMap::new();
    for (_, value) in &parcels {
        let row: rows::ParcelRow = rows::decode(rows::PARCELS, value).map_err(|e| unreadable(&e))?;
        *parcels_of.entry(row.contact).or_default() += 1;
    }
    let of_contact = |space| -> Result<usize, String> {
        let mut each: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (key, _) in all(store, space)? {
            *each.entry(key.into_iter().take(4).collect()).or_default() += 1;
        }
        Ok(each.into_values().max().unwrap_or(0))
    };
    let contacts = query::contacts(store).map_err(|e| unreadable(&e))?;
    let incoming = contacts.iter().filter(|c| c.state == ContactState::Incoming).count();
    let counts = [
        ("parcels", parcels.len(), MAX_PARCELS),
        ("parcels for one contact", parcels_of.into_values().max().unwrap_or(0), MAX_PARCELS_EACH),
        ("notices", all(store, rows::NOTICES)?.len(), MAX_NOTICES as usize),
        ("packets kept for one contact", of_contact(rows::STASH)?, MAX_STASH as usize),
        ("chunks kept for one contact", of_contact(STRAYS)?, MAX_STRAYS as usize),
        ("contacts", contacts.len(), MAX_CONTACTS),
        ("requests that wait", incoming, MAX_INCOMING),
    ];
    let over = counts.iter().find(|(_, n, most)| n > most);
    Ok(over.map(|(what, n, most)| format!("{n} {what} of at most {most}")))
}
