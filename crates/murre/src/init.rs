//! Making a home with an account in it.

use crate::driver::Clock;
use crate::home::{self, HomeError, KdfCost, MakeError, Shield};
use murre_core::id::{AccountId, DeviceId};
use murre_core::{ErrorKind, HasKind, Rng, TurnError};
use murre_crypto::Phrase;
use murre_device::Init;
use murre_store::{SqliteStore, Store, StoreError};
use rand_core::{OsRng, RngCore};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What a new home is made from.
#[derive(Debug)]
pub struct InitConfig {
    /// The directory. It must not exist, or be empty.
    pub home: PathBuf,
    /// The name offered to others.
    pub name: String,
    /// What is to hide the database key.
    pub shield: Shield,
    /// The phrase of an account that exists already; none makes a new account.
    pub phrase: Option<Phrase>,
}

/// What came of it.
pub struct InitDone {
    /// The account.
    pub account: AccountId,
    /// Its device in this home.
    pub device: DeviceId,
    /// The recovery phrase, to be shown once. It is stored nowhere.
    pub phrase: Zeroizing<String>,
}

impl std::fmt::Debug for InitDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitDone").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Why the first rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device could not be made.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

impl HasKind for FillError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Turn(error) => error.kind(),
        }
    }
}

/// Why no home was made. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InitError(#[from] pub MakeError<FillError>);

impl InitError {
    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match &self.0 {
            MakeError::Exists { .. } => "run it with `murre up`, or name another directory with --home",
            MakeError::NotEmpty { .. } => "name an empty or new directory with --home",
            MakeError::Home(HomeError::AlreadyRunning { .. }) => "wait for the other `murre init` to finish",
            MakeError::Home(error) => error.hint(),
            MakeError::Fill(_) => "check the disk and try again; nothing was left behind",
        }
    }
}

impl HasKind for InitError {
    fn kind(&self) -> ErrorKind {
        self.0.kind()
    }
}

/// Makes a home: a key, an encrypted store, an account with its first device. Blocks while the passphrase is
/// stretched and the disk is written, well under a second.
///
/// # Errors
/// [`InitError`]; the directory is then as it was.
pub fn init(config: InitConfig) -> Result<InitDone, InitError> {
    let phrase = config.phrase.unwrap_or_else(|| Phrase::generate(&mut Rng::from_seed(seed())));
    let fill = |store: &mut SqliteStore| -> Result<_, FillError> {
        let init = Init { name: &config.name, phrase: &phrase };
        let (batch, made) = murre_device::init(Clock::start().now(), seed(), store, &init)?;
        store.begin()?;
        store.apply(&batch)?;
        store.commit()?;
        Ok(made)
    };
    let made = home::make(&config.home, &config.shield, KdfCost::default(), fill)?;
    Ok(InitDone { account: made.account, device: made.device, phrase: phrase.words() })
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    seed
}
