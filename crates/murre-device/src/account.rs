//! Who this device is: account, device key, log secret, tag key, account mailbox.
//!
//! The account key itself is never here: it exists while the phrase is entered and certifies the device once.

use crate::content::clean_line;
use crate::limits::MAX_NAME;
use crate::rows::{self, AccountRow};
use murre_core::id::{AccountId, AuthorId, DeviceId, LogId};
use murre_core::{Batch, Now, Rng, Turn, TurnError, View};
use murre_crypto::{AuthorKey, DeviceCert, DeviceCertBody, DeviceKey, Phrase, Secret};
use murre_group::Identity;
use murre_mailbox::{MailboxKind, ReaderKeys, TagKey};
use serde_bytes::ByteBuf;

/// What a new home begins with.
#[derive(Debug)]
pub struct Init<'a> {
    /// Name offered to others.
    pub name: &'a str,
    /// The recovery phrase; the account key is derived, used once and forgotten.
    pub phrase: &'a Phrase,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initialized {
    /// The account.
    pub account: AccountId,
    /// Its first device.
    pub device: DeviceId,
}

/// Makes a device and its rows. The shell applies the batch to an empty store.
///
/// # Errors
/// [`TurnError::Bug`] if this store has an account already.
pub fn init(
    now: Now,
    seed: [u8; 32],
    view: &dyn View,
    init: &Init<'_>,
) -> Result<(Batch, Initialized), TurnError> {
    let _ = now;
    let mut rng = Rng::from_seed(seed);
    let mut tx = Turn::new(view);
    if rows::get::<AccountRow>(&tx, rows::META, SELF)?.is_some() {
        return Err(murre_core::Bug::new("init on a store that has an account").into());
    }
    let account = init.phrase.account_key();
    let device = DeviceKey::generate(&mut rng);
    let body = DeviceCertBody { v: 1, a: account.id(), d: device.id(), f: 1 };
    let cert = DeviceCert::new(&body, |label, bytes| account.sign(label, bytes));
    let mut name = clean_line(init.name);
    truncate(&mut name, MAX_NAME);
    let row = AccountRow {
        cert,
        device: murre_core::id::Bytes(*device.secret().expose()),
        log: murre_core::id::Bytes(rng.bytes()),
        tag: murre_core::id::Bytes(*TagKey::generate(&mut rng).secret().expose()),
        mailbox: ByteBuf::from(ReaderKeys::generate(MailboxKind::Account, &mut rng).to_row()),
        mailbox_no: 0,
        name,
    };
    rows::put(&mut tx, rows::META, SELF, &row);
    Ok((tx.into_batch(), Initialized { account: account.id(), device: device.id() }))
}

const SELF: &[u8] = b"self";

/// Cuts at a character boundary.
pub(crate) fn truncate(text: &mut String, limit: usize) {
    while text.len() > limit {
        text.pop();
    }
}

/// The stored account row, for queries.
pub(crate) fn row(view: &dyn View) -> Result<Option<AccountRow>, TurnError> {
    rows::get(view, rows::META, SELF)
}

/// The loaded account.
pub struct Account {
    account: AccountId,
    device: DeviceKey,
    cert: DeviceCert,
    log: Secret<32>,
    tag: TagKey,
    mailbox: Vec<u8>,
    mailbox_no: u32,
    name: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Account {
    /// Loads the account, or none if this store has none.
    ///
    /// # Errors
    /// [`TurnError`] for a failed read or a damaged row.
    pub fn open(view: &dyn View) -> Result<Option<Self>, TurnError> {
        let Some(row) = row(view)? else { return Ok(None) };
        let damaged = || TurnError::Damaged { space: rows::META.name };
        let cert = row.cert.clone().verify().map_err(|_| damaged())?;
        ReaderKeys::from_row(&row.mailbox).map_err(|_| damaged())?;
        Ok(Some(Self {
            account: cert.a,
            device: DeviceKey::from_secret(&Secret::new(row.device.0)),
            cert: row.cert,
            log: Secret::new(row.log.0),
            tag: TagKey::from_secret_bytes(&Secret::new(row.tag.0)).ok_or_else(damaged)?,
            mailbox: row.mailbox.into_vec(),
            mailbox_no: row.mailbox_no,
            name: row.name,
        }))
    }

    /// The account's id.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.account
    }

    /// This device's id.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device.id()
    }

    /// The device key.
    #[must_use]
    pub const fn device_key(&self) -> &DeviceKey {
        &self.device
    }

    /// The device's certificate.
    #[must_use]
    pub const fn cert(&self) -> &DeviceCert {
        &self.cert
    }

    /// The name offered to others.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Identity for group operations.
    #[must_use]
    pub const fn identity(&self) -> Identity<'_> {
        Identity { device: &self.device, cert: &self.cert }
    }

    /// The author key of this device in a log (`spec/03-log.md`): two logs show no common author.
    #[must_use]
    pub fn author(&self, log: LogId) -> AuthorKey {
        AuthorKey::derive(&self.log, log)
    }

    /// The author id of this device in a log.
    #[must_use]
    pub fn author_id(&self, log: LogId) -> AuthorId {
        self.author(log).id()
    }

    /// The tag key.
    #[must_use]
    pub const fn tag(&self) -> &TagKey {
        &self.tag
    }

    /// Number of the present account mailbox on this device: 0, and one more with each that replaced another.
    #[must_use]
    pub const fn mailbox_no(&self) -> u32 {
        self.mailbox_no
    }

    /// Makes a new account mailbox. Gives back number and keys of the one it replaces.
    ///
    /// # Errors
    /// [`TurnError`] for a failed read or a damaged row.
    pub(crate) fn replace_mailbox(
        &mut self,
        tx: &mut Turn<'_>,
        rng: &mut Rng,
    ) -> Result<(u32, Vec<u8>), TurnError> {
        let mut stored = row(tx)?.ok_or(murre_core::Bug::new("an account without a row"))?;
        let old = (self.mailbox_no, std::mem::take(&mut self.mailbox));
        self.mailbox = ReaderKeys::generate(MailboxKind::Account, rng).to_row();
        self.mailbox_no =
            old.0.checked_add(1).ok_or(murre_core::Bug::new("the numbers of mailboxes are used up"))?;
        stored.mailbox = ByteBuf::from(self.mailbox.clone());
        stored.mailbox_no = self.mailbox_no;
        rows::put(tx, rows::META, SELF, &stored);
        Ok(old)
    }

    /// Reader keys of the account mailbox.
    ///
    /// # Errors
    /// [`TurnError::Damaged`] if the row, checked at open, no longer decodes.
    pub fn mailbox(&self) -> Result<ReaderKeys, TurnError> {
        ReaderKeys::from_row(&self.mailbox).map_err(|_| TurnError::Damaged { space: rows::META.name })
    }
}
