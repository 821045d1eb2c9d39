//! `init`, `protect`, `wipe`, and where a home lies.

use super::{Session, ask, interactive, passphrase};
use crate::args::{Init, Protect, Wipe};
use crate::failure::{Done, Failure};
use crate::{json, text};
use murre::Shield;
use murre::home::{HomeError, Protection};
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
    let given = match passphrase(args.protection.passphrase_file.as_deref())? {
        None if args.passphrase => Some(ask::new_passphrase()?),
        given => given,
    };
    let shield = match given {
        Some(passphrase) => Shield::Passphrase(passphrase),
        None if args.keyring => Shield::Keyring,
        None => Shield::KeyFile,
    };
    let protected = !matches!(shield, Shield::KeyFile);
    let config = murre::InitConfig { home: home.clone(), name: name.clone(), shield, phrase };
    let done = murre::init(config).map_err(|error| Failure::of(&error, error.hint()))?;
    let answer = json::Init {
        account: done.account.to_string(),
        device: done.device.to_string(),
        phrase: (!restored).then_some(done.phrase.as_str()),
    };
    session.out.show(&answer, |style| text::init(style, &name, &home, &done.phrase, protected, restored))
}

/// Changes what protects a home.
pub(super) fn protect(session: &Session, args: Protect) -> Done {
    let home = session.home()?;
    let given = match passphrase(args.new.new_passphrase_file.as_deref())? {
        None if args.new.new_passphrase => Some(ask::new_passphrase()?),
        given => given,
    };
    let shield = match given {
        Some(passphrase) => Shield::Passphrase(passphrase),
        None if args.new.keyring => Shield::Keyring,
        None => Shield::KeyFile,
    };
    let mut old = passphrase(args.protection.passphrase_file.as_deref())?;
    let busy = session.out.busy(text::PROTECT_BUSY);
    let mut done = murre::protect(&home, old.as_ref(), &shield);
    drop(busy);
    if matches!(done, Err(HomeError::PassphraseNeeded)) && interactive() {
        old = ask::passphrase();
        done = murre::protect(&home, old.as_ref(), &shield);
    }
    let done = done.map_err(|error| Failure::of(&error, error.hint()))?;
    let answer = json::Protect { protection: done.to.word(), was: done.from.word() };
    session.out.show(&answer, |style| text::protected(style, done.to.word(), done.to != Protection::KeyFile))
}

/// Removes a home for good.
pub(super) async fn wipe(session: &Session, args: Wipe) -> Done {
    let home = session.home()?;
    if !args.yes {
        let remains = murre::home::wipe::remains(&home);
        return Err(if remains.is_empty() {
            let error = HomeError::NoHome { home };
            Failure::of(&error, error.hint())
        } else {
            Failure::usage_hint(text::would_wipe(&home, &remains), text::HINT_WIPE)
        });
    }
    let wiped = murre::wipe(&home).await.map_err(|error| match error {
        HomeError::NoHome { .. } => Failure::of(&error, error.hint()),
        other => Failure::of(&other, text::HINT_WIPE_AGAIN),
    })?;
    let answer = json::Wiped {
        wiped: true,
        home: home.display().to_string(),
        keyring: wiped.keyring.map(|gone| if gone { "removed" } else { "left" }),
        still_running: wiped.still_running,
        left: &wiped.left,
    };
    session.out.show(&answer, |style| text::wiped(style, &home, &wiped))
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
