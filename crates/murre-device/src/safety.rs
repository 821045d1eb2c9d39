//! Safety numbers: what two people compare to know that nobody stands between them.
//!
//! ```text
//!  value_0  = H("murre v1 safety number"; lower account, higher account)
//!  value_i  = H("murre v1 safety round";  value_i-1, lower account, higher account)        i = 1 ... 4,096
//!  digits   = 12 groups: bytes 8g ... 8g+7 of the output of H("murre v1 safety digits"; value), u64 BE, mod 100,000
//!  code     = "MURRE:VERIFY/" base45( 1 | value 32 | side 8 | checksum 4 )
//! ```
//!
//! Both accounts go in at once, so a number says nothing about either of them elsewhere, and work spent on one pair is
//! lost on every other. The rounds make each try of somebody who looks for two accounts with one number cost 4,097
//! hashes; 60 digits are 199 bits. The code for a camera carries the whole value, and which side shows it.

use crate::invite::{base45_decode, base45_encode};
use murre_core::Label;
use murre_core::id::AccountId;
use std::fmt;

const NUMBER: Label = Label::new("murre v1 safety number");
const ROUND: Label = Label::new("murre v1 safety round");
const DIGITS: Label = Label::new("murre v1 safety digits");
const SIDE: Label = Label::new("murre v1 safety side");
const CHECKSUM: Label = Label::new("murre v1 safety checksum");
const PREFIX: &str = "MURRE:VERIFY/";
const VERSION: u8 = 1;
/// Hashes behind the first one.
pub const ROUNDS: usize = 4_096;
/// Digits of a number.
pub const NUMBER_DIGITS: usize = 60;
/// Longest text that is looked at as a number or a code.
pub const MAX_COMPARED: usize = 512;

/// What two accounts have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Safety([u8; 32]);

impl fmt::Debug for Safety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Safety").finish_non_exhaustive()
    }
}

/// How a comparison went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The same.
    Same,
    /// Another number: somebody may stand between the two.
    Other,
    /// The code that this very account shows: nothing was compared.
    Own,
    /// No number or code at all.
    Unreadable,
}

impl Safety {
    /// The value of two accounts, in whichever order.
    #[must_use]
    // spec: F-31
    pub fn of(one: AccountId, other: AccountId) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let mut value = NUMBER.hash(&[low.as_bytes(), high.as_bytes()]);
        for _ in 0..ROUNDS {
            value = ROUND.hash(&[&value, low.as_bytes(), high.as_bytes()]);
        }
        Self(value)
    }

    /// The 60 digits, in 12 groups of 5 with spaces between them.
    #[must_use]
    // spec: F-31
    pub fn number(&self) -> String {
        let mut bytes = [0; 96];
        DIGITS.fill(&[&self.0], &mut bytes);
        let group = |b: &[u8]| b.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b)) % 100_000;
        let groups: Vec<String> = bytes.chunks_exact(8).map(|b| format!("{:05}", group(b))).collect();
        groups.join(" ")
    }

    /// The text that `shown_by` shows as a QR code.
    #[must_use]
    // spec: F-32
    pub fn code(&self, shown_by: AccountId) -> String {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.0);
        out.extend_from_slice(&self.side(shown_by));
        let sum = CHECKSUM.hash(&[&out]);
        out.extend_from_slice(sum.get(..4).unwrap_or_default());
        format!("{PREFIX}{}", base45_encode(&out))
    }

    fn side(&self, shown_by: AccountId) -> [u8; 8] {
        let mut out = [0; 8];
        SIDE.fill(&[&self.0, shown_by.as_bytes()], &mut out);
        out
    }

    /// Compares digits that were read out or typed. White space is ignored.
    #[must_use]
    // spec: F-33
    pub fn compare_number(&self, given: &str) -> Compared {
        if given.len() > MAX_COMPARED {
            return Compared::Unreadable;
        }
        let digits: String = given.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != NUMBER_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Compared::Unreadable;
        }
        let own: String = self.number().split(' ').collect();
        if digits == own { Compared::Same } else { Compared::Other }
    }

    /// Compares the code that the other side shows.
    #[must_use]
    // spec: F-32
    pub fn compare_code(&self, given: &str, me: AccountId, other: AccountId) -> Compared {
        let Some((value, side)) = parse_code(given) else { return Compared::Unreadable };
        match side {
            _ if value != self.0 => Compared::Other,
            side if side == self.side(other) => Compared::Same,
            side if side == self.side(me) => Compared::Own,
            _ => Compared::Unreadable,
        }
    }
}

fn parse_code(given: &str) -> Option<([u8; 32], [u8; 8])> {
    let given = given.trim();
    if given.len() > MAX_COMPARED {
        return None;
    }
    let bytes = base45_decode(given.strip_prefix(PREFIX)?)?;
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    if CHECKSUM.hash(&[body]).get(..4) != Some(sum) {
        return None;
    }
    let (version, rest) = body.split_first()?;
    let (value, side) = rest.split_first_chunk::<32>()?;
    (*version == VERSION).then_some((*value, side.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> AccountId {
        AccountId::from_bytes([n; 32])
    }

    #[test]
    fn both_sides_see_the_same_sixty_digits_and_nobody_else_does() {
        let number = Safety::of(id(1), id(2)).number();
        assert_eq!(number, Safety::of(id(2), id(1)).number());
        assert_ne!(number, Safety::of(id(1), id(3)).number());
        let groups: Vec<&str> = number.split(' ').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|g| g.len() == 5 && g.bytes().all(|b| b.is_ascii_digit())));
    }

    #[test]
    fn every_changed_digit_is_noticed_and_spaces_are_not() {
        let safety = Safety::of(id(1), id(2));
        let number: String = safety.number().split(' ').collect();
        assert_eq!(safety.compare_number(&format!(" {}\n\t{} ", &number[..7], &number[7..])), Compared::Same);
        for at in 0..NUMBER_DIGITS {
            let mut other = number.clone().into_bytes();
            other[at] = if other[at] == b'9' { b'0' } else { other[at] + 1 };
            assert_eq!(safety.compare_number(std::str::from_utf8(&other).unwrap()), Compared::Other, "{at}");
        }
        for bad in ["", "12345", &number[1..], &format!("{number}1"), &number.replace(&number[..1], "x")] {
            assert_eq!(safety.compare_number(bad), Compared::Unreadable, "{bad}");
        }
        assert_eq!(safety.compare_number(&" ".repeat(MAX_COMPARED + 1)), Compared::Unreadable);
        // Digits of other scripts are no digits here.
        assert_eq!(safety.compare_number(&"\u{661}".repeat(NUMBER_DIGITS)), Compared::Unreadable);
    }

    #[test]
    fn a_code_says_who_shows_it_and_every_flipped_bit_is_refused() {
        let (me, other) = (id(1), id(2));
        let safety = Safety::of(me, other);
        let shown = safety.code(other);
        assert_eq!(safety.compare_code(&format!(" {shown}\n"), me, other), Compared::Same);
        assert_eq!(safety.compare_code(&safety.code(me), me, other), Compared::Own);
        let stranger = Safety::of(other, id(3)).code(other);
        assert_eq!(safety.compare_code(&stranger, me, other), Compared::Other);
        assert_eq!(safety.compare_code(&safety.code(id(9)), me, other), Compared::Unreadable);
        let bytes = base45_decode(shown.strip_prefix(PREFIX).unwrap()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let text = format!("{PREFIX}{}", base45_encode(&bad));
            assert_eq!(safety.compare_code(&text, me, other), Compared::Unreadable, "bit {bit}");
        }
        for cut in 0..shown.len() {
            assert_eq!(safety.compare_code(&shown[..cut], me, other), Compared::Unreadable, "{cut}");
        }
    }
}
