//! What to compare with a contact.

use super::QueryError;
use crate::contacts;
use crate::safety::Safety;
use murre_core::View;
use murre_core::id::AccountId;

/// What to compare with a contact, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyInfo {
    /// Who.
    pub account: AccountId,
    /// 60 digits in groups of five.
    pub number: String,
    /// The text of the code that this side shows.
    pub code: String,
    /// Whether the numbers were compared and found equal.
    pub verified: bool,
    /// Another device of theirs than the first was seen since the numbers were last compared.
    pub new_device: bool,
}

/// The safety number of this account and a contact.
///
/// # Errors
/// [`QueryError::UnknownContact`], and what reading says.
pub fn safety(view: &dyn View, account: AccountId) -> Result<SafetyInfo, QueryError> {
    let me = super::me(view)?.account;
    let (no, _) = contacts::by_account(view, account)?.ok_or(QueryError::UnknownContact)?;
    let (trust, safety) = (contacts::trust(view, no)?, Safety::of(me, account));
    Ok(SafetyInfo {
        account,
        number: safety.number(),
        code: safety.code(me),
        verified: trust.verified.is_some(),
        new_device: trust.new,
    })
}
