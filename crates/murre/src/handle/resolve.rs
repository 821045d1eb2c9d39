//! From what a person types to an id: whole id, unique prefix, name or title.
//!
//! Unknown and ambiguous are two different answers, and a whole id always wins over a name that looks like one.

use super::CallError;
use murre_core::id::{AccountId, LogId, MessageId};
use murre_core::{Space, View, Wall};
use murre_device::invite::InviteLink;
use murre_device::query::{self, QueryError};
use murre_device::rows;

/// Fewest digits of a prefix.
pub const MIN_PREFIX: usize = 4;

/// One candidate: what it stands for, the ids it goes by, the names it goes by.
struct Candidate<T> {
    value: T,
    ids: Vec<String>,
    name: String,
}

// spec: A-6
fn pick<T: Clone + PartialEq>(
    what: &'static str,
    given: &str,
    candidates: &[Candidate<T>],
) -> Result<T, CallError> {
    let given = given.trim();
    let lower = given.to_lowercase();
    let tests: [&dyn Fn(&Candidate<T>) -> bool; 3] = [
        &|c| c.ids.contains(&lower),
        &|c| c.name == given || (is_prefix(&lower) && c.ids.iter().any(|id| id.starts_with(&lower))),
        &|c| c.name.to_lowercase() == lower,
    ];
    for test in tests {
        let mut found = candidates.iter().filter(|c| test(c)).map(|c| &c.value);
        if let Some(first) = found.next() {
            return match found.all(|other| other == first) {
                true => Ok(first.clone()),
                false => Err(CallError::Ambiguous { what, given: given.to_owned() }),
            };
        }
    }
    Err(CallError::Unknown { what, given: given.to_owned() })
}

fn is_prefix(text: &str) -> bool {
    (MIN_PREFIX..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a row says that this whole id exists: programs give whole ids, and lists are not read for them.
fn known(view: &dyn View, space: Space, id: &[u8; 32]) -> Result<bool, CallError> {
    Ok(view.get(space, id).map_err(QueryError::from)?.is_some())
}

/// A contact by id, prefix or name.
pub(crate) fn contact(view: &dyn View, given: &str) -> Result<AccountId, CallError> {
    if let Ok(id) = given.parse::<AccountId>()
        && known(view, rows::CONTACT_BY_ACCOUNT, id.as_bytes())?
    {
        return Ok(id);
    }
    let all: Vec<_> = query::contacts(view)?
        .into_iter()
        .map(|c| Candidate { value: c.account, ids: vec![c.account.to_string()], name: c.name })
        .collect();
    pick("contact", given, &all)
}

/// A chat by its id or prefix, its title, or the contact's id, prefix or name.
pub(crate) fn chat(view: &dyn View, given: &str) -> Result<LogId, CallError> {
    if let Ok(id) = given.parse::<LogId>()
        && known(view, rows::CHAT_BY_LOG, id.as_bytes())?
    {
        return Ok(id);
    }
    // Names only: how far their newest messages are is not looked at.
    let all: Vec<_> = query::chats(view, Wall(0))?
        .into_iter()
        .map(|c| Candidate {
            value: c.chat,
            ids: vec![c.chat.to_string(), c.with.to_string()],
            name: c.title,
        })
        .collect();
    pick("chat", given, &all)
}

/// A message by id or prefix.
pub(crate) fn message(view: &dyn View, given: &str) -> Result<MessageId, CallError> {
    let given = given.trim();
    if let Ok(id) = given.parse::<MessageId>()
        && query::known(view, id)?
    {
        return Ok(id);
    }
    let lower = given.to_lowercase();
    let found = if is_prefix(&lower) { query::find_message(view, &lower)? } else { Vec::new() };
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(CallError::Unknown { what: "message", given: given.to_owned() }),
        _ => Err(CallError::Ambiguous { what: "message", given: given.to_owned() }),
    }
}

/// An invitation of ours, by the link itself or a prefix of its id.
pub(crate) fn invite(view: &dyn View, given: &str) -> Result<InviteLink, CallError> {
    if let Ok(link) = given.trim().parse() {
        return Ok(link);
    }
    let all: Vec<_> = query::invites(view)?
        .into_iter()
        .map(|i| Candidate { ids: vec![i.link.id().to_string()], name: String::new(), value: i.link })
        .collect();
    if !is_prefix(&given.trim().to_lowercase()) {
        // Not digits either: say what is wrong with the link.
        given.trim().parse::<InviteLink>()?;
    }
    pick("invitation", given, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Vec<Candidate<u8>> {
        [(1, "aaaa1111", "Bob"), (2, "aaaa2222", "bob"), (3, "beef3333", "Eve"), (4, "cccc4444", "beef3333")]
            .map(|(value, id, name)| Candidate { value, ids: vec![id.to_owned()], name: name.to_owned() })
            .into()
    }

    #[test]
    fn ids_prefixes_and_names_find_and_doubt_is_told() {
        let pick = |given: &str| pick("contact", given, &list());
        assert!(matches!(pick("aaaa1111"), Ok(1)));
        assert!(matches!(pick("AAAA2"), Ok(2)));
        assert!(matches!(pick("aaaa"), Err(CallError::Ambiguous { .. })));
        assert!(matches!(pick("aaa"), Err(CallError::Unknown { .. })), "too short for a prefix");
        assert!(matches!(pick("Bob"), Ok(1)), "the exact name wins");
        assert!(matches!(pick("BOB"), Err(CallError::Ambiguous { .. })));
        assert!(matches!(pick(" eve "), Ok(3)));
        assert!(matches!(pick("beef3333"), Ok(3)), "a whole id wins over a name");
        assert!(matches!(pick("beef"), Ok(3)));
        assert!(matches!(pick(""), Err(CallError::Unknown { .. })));
    }
}
