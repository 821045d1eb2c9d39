//! `init`, and where a home lies.

use super::{Session, passphrase};
use crate::args::Init;
use crate::failure::{Done, Failure};
use crate::{json, text};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

/// The directory that was named, or the platform's place for a program's data.
///
/// # Errors
/// None was named and there is no such place.
pub(super) fn resolve(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    named.or_else(data_dir).ok_or_else(|| Failure::caller(text::NO_HOME_DIR, text::HINT_HOME))
}

/// The platform's place for this program's data.
pub(super) fn data_dir() -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(target_os = "macos") {
        var("HOME")?.join("Library/Application Support")
    } else if cfg!(windows) {
        var("APPDATA")?
    } else {
        // A relative XDG path is to be ignored, says the specification.
        var("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(var("HOME")?.join(".local/share")))?
    };
    Some(base.join("murre"))
}

/// Makes a home.
pub(super) fn init(session: &Session, args: Init) -> Done {
    let home = session.home()?;
    let phrase = match &args.restore_phrase_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
            let phrase = murre::Phrase::parse(text.trim());
            Some(phrase.map_err(|error| Failure::caller(error.to_string(), text::HINT_PHRASE))?)
        }
        None => None,
    };
    let restored = phrase.is_some();
    let name = args.name.unwrap_or_else(friendly_name);
    let passphrase = passphrase(args.protection.passphrase_file.as_deref())?;
    let protected = passphrase.is_some();
    let config = murre::InitConfig { home: home.clone(), name: name.clone(), passphrase, phrase };
    let done = murre::init(config).map_err(|error| Failure::of(&error, error.hint()))?;
    let answer = json::Init {
        account: done.account.to_string(),
        device: done.device.to_string(),
        phrase: &done.phrase,
    };
    session.out.show(&answer, |style| text::init(style, &name, &home, &done.phrase, protected, restored))
}

/// An adjective and a bird. The standard library's hash seeds are random enough for a name.
fn friendly_name() -> String {
    let pick = RandomState::new().hash_one(0u8);
    let (adjectives, birds) = text::FRIENDLY;
    let word = |list: [&'static str; 16], bits: u64| list[(bits % 16) as usize];
    format!("{} {}", word(adjectives, pick), word(birds, pick >> 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_name_has_two_words() {
        assert_eq!(friendly_name().split(' ').filter(|word| !word.is_empty()).count(), 2);
    }

    #[test]
    fn the_home_that_was_named_is_used() {
        assert_eq!(resolve(Some("x".into())).ok(), Some(PathBuf::from("x")));
    }
}
