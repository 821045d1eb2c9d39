//! 24 words that are an account.
//!
//! ```text
//! 256 bits of entropy  --BIP-39, English-->  24 words, the last of which carries an 8-bit checksum
//!        |
//!        +-- KDF "murre v1 crypto account key"  -->  Ed25519 seed of the account key
//!        +-- KDF other labels                   -->  whatever else the phrase alone must open
//! ```
//! The keys come from the entropy itself, not from BIP-39's PBKDF2 seed: 256 random bits need no stretching, and
//! there is no extra passphrase that a user could forget. The `bip39` crate works on the stack and does not wipe
//! its copies; what this module keeps and hands out is wiped.

use crate::{AccountKey, Secret};
use bip39::{Language, Mnemonic};
use murre_core::{Bug, ErrorKind, HasKind, Label, Rng};
use zeroize::Zeroizing;

const ACCOUNT: Label = Label::new("murre v1 crypto account key");

/// Number of words.
pub const PHRASE_WORDS: usize = 24;
/// Longest text [`Phrase::parse`] looks at, in bytes: 24 words of at most 8 letters with generous white space.
pub const PHRASE_TEXT_MAX: usize = 1_024;

/// Why words are not a phrase. Never repeats the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Not 24 words.
    #[error("a recovery phrase has 24 words, this has {found}")]
    WordCount {
        /// How many there are.
        found: usize,
    },
    /// A word that is not in the list.
    #[error("word {position} is not in the word list")]
    UnknownWord {
        /// Which, counted from 1.
        position: usize,
    },
    /// All words exist, but not together: one is wrong or two are swapped.
    #[error("the words do not belong together: check for a wrong or swapped word")]
    Checksum,
    /// The text is longer than any phrase.
    #[error("text of {len} bytes is too long for a phrase")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// We made a mistake.
    #[error(transparent)]
    Bug(#[from] Bug),
}

impl HasKind for PhraseError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Bug(_) => ErrorKind::Bug,
            _ => ErrorKind::Caller,
        }
    }
}

/// A recovery phrase.
pub struct Phrase(Secret<32>);

impl Phrase {
    /// A new phrase from 256 random bits.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(Secret::generate(rng))
    }

    /// The phrase with this entropy.
    #[must_use]
    pub const fn from_entropy(entropy: Secret<32>) -> Self {
        Self(entropy)
    }

    /// Reads 24 English words, in any case, with any white space between them.
    ///
    /// # Errors
    /// [`PhraseError`], which says what to look at without repeating the words.
    // spec: C-2
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        if text.len() > PHRASE_TEXT_MAX {
            return Err(PhraseError::TooLong { len: text.len() });
        }
        let found = text.split_whitespace().count();
        if found != PHRASE_WORDS {
            return Err(PhraseError::WordCount { found });
        }
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let words = Mnemonic::parse_in_normalized(Language::English, text.as_str()).map_err(|e| match e {
            bip39::Error::UnknownWord(index) => PhraseError::UnknownWord { position: index + 1 },
            bip39::Error::BadWordCount(found) => PhraseError::WordCount { found },
            _ => PhraseError::Checksum,
        })?;
        let entropy = Zeroizing::new(words.to_entropy());
        Secret::from_slice(&entropy).map(Self).ok_or_else(|| Bug::new("24 words hold 32 bytes").into())
    }

    /// The 24 words in lower case, one space between two.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        // 32 bytes are a valid length, so there is no other branch to report.
        let words = Mnemonic::from_entropy_in(Language::English, self.0.expose());
        let mut out = Zeroizing::new(String::with_capacity(PHRASE_WORDS * 9));
        for word in words.iter().flat_map(Mnemonic::words) {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
        out
    }

    /// The account's root key.
    #[must_use]
    // spec: C-3
    pub fn account_key(&self) -> AccountKey {
        AccountKey::from_secret(&self.derive(ACCOUNT))
    }

    /// A secret for another purpose that the phrase alone must open. The label is the caller's own.
    #[must_use]
    pub fn derive(&self, label: Label) -> Secret<32> {
        Secret::derive(label, &[self.0.expose()])
    }
}

impl std::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phrase(..)")
    }
}
