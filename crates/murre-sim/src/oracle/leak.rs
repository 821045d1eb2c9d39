//! No plaintext: a scanner for words that nobody but the two devices may ever hold.

use data_encoding_lite::{base64, base64url, hex_lower};
use memchr::memmem::Finder;
use murre_core::id::AccountId;
use murre_core::{Direction, Range, Space, View};
use std::cell::OnceCell;

/// Finds planted words in bytes. One pass for each: few words, and each pass is as fast as memory.
#[derive(Debug, Default)]
pub struct Scanner {
    needles: Vec<(String, Vec<u8>)>,
    /// What looks for each of them.
    finders: OnceCell<Vec<Finder<'static>>>,
}

impl Scanner {
    /// A scanner that looks for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a word of at least four bytes.
    pub fn plant(&mut self, what: &str, needle: &[u8]) {
        if needle.len() >= 4 {
            self.needles.push((what.to_owned(), needle.to_vec()));
            self.finders = OnceCell::new();
        }
    }

    /// Adds an account id in every form it could be written in.
    pub fn plant_account(&mut self, who: &str, id: &AccountId) {
        let raw = id.as_bytes();
        self.plant(&format!("account id of {who}"), raw);
        self.plant(&format!("account id of {who} in hex"), hex_lower(raw).as_bytes());
        self.plant(&format!("account id of {who} in HEX"), hex_lower(raw).to_uppercase().as_bytes());
        // The last characters of base64 depend on what follows.
        self.plant(&format!("account id of {who} in base64"), &base64(raw).as_bytes()[..40]);
        self.plant(&format!("account id of {who} in base64url"), &base64url(raw).as_bytes()[..40]);
    }

    /// The first planted word in these bytes.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<&str> {
        let finders = || self.needles.iter().map(|(_, needle)| Finder::new(needle).into_owned()).collect();
        let hit = self.finders.get_or_init(finders).iter().position(|finder| finder.find(bytes).is_some())?;
        self.needles.get(hit).map(|(what, _)| what.as_str())
    }

    /// A planted word, for the fault that leaks one.
    #[must_use]
    pub fn any_needle(&self) -> &[u8] {
        self.needles.first().map_or(&[], |(_, n)| n)
    }

    /// The first planted word in anything a store holds, whichever space it lies in.
    #[must_use]
    pub fn find_in_store(&self, view: &dyn View) -> Option<&str> {
        for id in 0..512 {
            for space in [Space::any(id, "scan"), Space::seq(id, "scan")] {
                let Ok(rows) = view.scan(space, &Range::all(), Direction::Forward, usize::MAX) else {
                    continue;
                };
                let hit = rows.iter().find_map(|(k, v)| self.find(k).or_else(|| self.find(v)));
                if hit.is_some() {
                    return hit;
                }
            }
        }
        None
    }
}

/// Text forms of bytes, small enough not to need a crate.
mod data_encoding_lite {
    pub fn hex_lower(bytes: &[u8]) -> String {
        hex::encode(bytes)
    }

    fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            for i in 0..=chunk.len() {
                out.push(char::from(alphabet[(word >> (18 - 6 * i) & 63) as usize]));
            }
        }
        out
    }

    pub fn base64(bytes: &[u8]) -> String {
        encode(bytes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    }

    pub fn base64url(bytes: &[u8]) -> String {
        encode(bytes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_account_is_found_wherever_it_stands() {
        let id = AccountId::from_bytes(std::array::from_fn(|i| i as u8 * 7 + 1));
        let mut scanner = Scanner::new();
        scanner.plant_account("Alice", &id);
        for form in [
            id.as_bytes().to_vec(),
            hex::encode(id.as_bytes()).into_bytes(),
            data_encoding_lite::base64(id.as_bytes()).into_bytes(),
        ] {
            let mut hay = vec![9; 100];
            hay.extend_from_slice(&form);
            hay.push(4);
            assert!(scanner.find(&hay).is_some());
            hay[110] ^= 1;
            assert!(scanner.find(&hay).is_none());
        }
    }

    #[test]
    fn base64_is_base64() {
        assert_eq!(data_encoding_lite::base64(b"Man"), "TWFu");
        assert_eq!(data_encoding_lite::base64(b"Ma"), "TWE");
    }
}
