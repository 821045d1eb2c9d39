//! The invitation link: all that two strangers need to begin.
//!
//! ```text
//!  text: "murre:invite/" base64url(bytes)          QR: "MURRE:INVITE/" base45(bytes)
//!
//!  +---------+------------------------------+----------------+
//!  | version | field field field ...        | checksum 4     |
//!  |  0x01   | type u8 | len u16 BE | value |                |
//!  +---------+------------------------------+----------------+
//!   0x01 secret 32        0x02 door owner key 32   0x03 account 32
//!   0x04 network 32       0x05 expiry, ms, u64 BE     0x06 kind: 1 public; left out in a personal link
//!   0x80 name, UTF-8      0x81 hint: node key 32 || address text      (0x80.. may be skipped by a reader)
//! ```
//!
//! The checksum is the head of a labelled hash over everything before it: it finds typing errors, it proves
//! nothing. Whoever holds the link can ask; nobody who does not hold it can find the door (`spec/08-contacts.md`).

use murre_core::id::{AccountId, LinkSecretId, NetworkId, PeerKey};
use murre_core::link::{Addr, MAX_ADDR};
use murre_core::{ErrorKind, HasKind, Label, PeerRef, Wall};
use murre_crypto::BlindPublic;
use std::fmt;
use std::str::FromStr;

const CHECKSUM: Label = Label::new("murre v1 invite checksum");
const LINK_ID: Label = Label::new("murre v1 invite id");
const PREFIX: &str = "murre:invite/";
const VERSION: u8 = 1;
/// The kind of a public link.
const PUBLIC: u8 = 1;
/// Longest link, bytes before text encoding.
pub const MAX_LINK: usize = 1_024;
/// Most node hints in one link.
pub const MAX_HINTS: usize = 4;

/// An invitation link.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteLink {
    /// Opens the door: mailbox, slots and the seal of the owner object all derive from it.
    pub secret: [u8; 32],
    /// The door's owner key, under which its objects are signed.
    pub owner: BlindPublic,
    /// Who invites.
    pub account: AccountId,
    /// Where.
    pub network: NetworkId,
    /// Until when.
    pub expires: Wall,
    /// Known to many: each request through it costs a puzzle.
    pub public: bool,
    /// Who invites, in their words.
    pub name: Option<String>,
    /// Nodes to begin with.
    pub hints: Vec<PeerRef>,
}

impl fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteLink").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Why a text is not a usable link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Does not begin like one.
    #[error("this is not a Murre invitation")]
    NotALink,
    /// Characters that no link has.
    #[error("the invitation holds characters that do not belong there")]
    Encoding,
    /// Cut off or mistyped.
    #[error("the invitation is incomplete or mistyped")]
    Checksum,
    /// From a newer program.
    #[error("the invitation was made by a newer version")]
    NewerVersion,
    /// Required parts are missing, doubled or malformed.
    #[error("the invitation is damaged: {what}")]
    Field {
        /// Which part.
        what: &'static str,
    },
    /// Longer than any link.
    #[error("the invitation is too long")]
    TooLong,
}

impl HasKind for LinkError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Caller
    }
}

impl LinkError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NewerVersion => "update Murre and try again",
            Self::NotALink => "an invitation begins with murre:invite/",
            _ => "copy the whole invitation again, or ask for a new one",
        }
    }
}

impl InviteLink {
    /// Names the link without giving it away.
    #[must_use]
    pub fn id(&self) -> LinkSecretId {
        LinkSecretId::from_bytes(LINK_ID.hash(&[&self.secret]))
    }

    /// The bytes of the drawing above.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let mut field = |kind: u8, value: &[u8]| {
            out.push(kind);
            out.extend_from_slice(&(value.len() as u16).to_be_bytes());
            out.extend_from_slice(value);
        };
        field(0x01, &self.secret);
        field(0x02, self.owner.as_bytes());
        field(0x03, self.account.as_bytes());
        field(0x04, self.network.as_bytes());
        field(0x05, &self.expires.0.to_be_bytes());
        if self.public {
            field(0x06, &[PUBLIC]);
        }
        if let Some(name) = &self.name {
            field(0x80, name.as_bytes());
        }
        for hint in self.hints.iter().take(MAX_HINTS) {
            for addr in hint.addrs.iter().take(1) {
                let mut value = hint.key.as_bytes().to_vec();
                value.extend_from_slice(addr.0.as_bytes());
                field(0x81, &value);
            }
        }
        let sum = CHECKSUM.hash(&[&out]);
        out.extend_from_slice(sum.get(..4).unwrap_or_default());
        out
    }

    /// Reads the bytes of the drawing above.
    ///
    /// # Errors
    /// [`LinkError`], by what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LinkError> {
        if bytes.len() > MAX_LINK {
            return Err(LinkError::TooLong);
        }
        let (body, sum) = bytes.split_at_checked(bytes.len().saturating_sub(4)).ok_or(LinkError::Checksum)?;
        // spec: F-2
        if body.is_empty() || CHECKSUM.hash(&[body]).get(..4) != Some(sum) {
            return Err(LinkError::Checksum);
        }
        let (version, mut rest) = body.split_first().ok_or(LinkError::Checksum)?;
        if *version != VERSION {
            return Err(LinkError::NewerVersion);
        }
        let mut parts = Parts::default();
        while !rest.is_empty() {
            let (kind, value, tail) = split_field(rest).ok_or(LinkError::Field { what: "length" })?;
            parts.take(kind, value)?;
            rest = tail;
        }
        parts.finish()
    }

    /// The text for a QR code: upper case and base45 (RFC 9285), which a QR code stores densely.
    #[must_use]
    pub fn to_qr_text(&self) -> String {
        format!("{}{}", PREFIX.to_uppercase(), base45_encode(&self.to_bytes()))
    }
}

#[derive(Default)]
struct Parts {
    secret: Option<[u8; 32]>,
    owner: Option<BlindPublic>,
    account: Option<AccountId>,
    network: Option<NetworkId>,
    expires: Option<Wall>,
    public: Option<bool>,
    name: Option<String>,
    hints: Vec<PeerRef>,
}

impl Parts {
    fn take(&mut self, kind: u8, value: &[u8]) -> Result<(), LinkError> {
        match kind {
            0x01 => once(&mut self.secret, value.try_into().ok(), "secret"),
            0x02 => {
                // A key that is no valid point could never sign an object: such a door does not exist.
                let key = value.try_into().ok().map(BlindPublic::from_bytes);
                let key = key.filter(|k| k.blind(&[0; 32]).is_ok());
                once(&mut self.owner, key, "owner key")
            }
            0x03 => once(&mut self.account, AccountId::from_slice(value), "account"),
            0x04 => once(&mut self.network, NetworkId::from_slice(value), "network"),
            0x05 => {
                let at = value.try_into().ok().map(|b| Wall(u64::from_be_bytes(b)));
                once(&mut self.expires, at, "expiry")
            }
            // spec: F-36
            0x06 => match value {
                [PUBLIC] => once(&mut self.public, Some(true), "kind"),
                [_] => Err(LinkError::NewerVersion),
                _ => Err(LinkError::Field { what: "kind" }),
            },
            0x80 => {
                let name = std::str::from_utf8(value).ok().filter(|n| n.len() <= crate::limits::MAX_NAME);
                once(&mut self.name, name.map(crate::content::clean_line), "name")
            }
            0x81 => {
                if let Some(hint) = parse_hint(value)
                    && self.hints.len() < MAX_HINTS
                {
                    self.hints.push(hint);
                }
                Ok(())
            }
            // spec: F-4
            0x07..=0x7f | 0x00 => Err(LinkError::NewerVersion),
            _ => Ok(()),
        }
    }

    // spec: F-3
    fn finish(self) -> Result<InviteLink, LinkError> {
        Ok(InviteLink {
            secret: self.secret.ok_or(LinkError::Field { what: "secret" })?,
            owner: self.owner.ok_or(LinkError::Field { what: "owner key" })?,
            account: self.account.ok_or(LinkError::Field { what: "account" })?,
            network: self.network.ok_or(LinkError::Field { what: "network" })?,
            expires: self.expires.ok_or(LinkError::Field { what: "expiry" })?,
            public: self.public.unwrap_or(false),
            name: self.name,
            hints: self.hints,
        })
    }
}

// spec: F-3
fn once<T>(slot: &mut Option<T>, value: Option<T>, what: &'static str) -> Result<(), LinkError> {
    match (slot.is_some(), value) {
        (false, Some(value)) => {
            *slot = Some(value);
            Ok(())
        }
        _ => Err(LinkError::Field { what }),
    }
}

fn split_field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (value, tail) = rest.split_at_checked(u16::from_be_bytes(*len) as usize)?;
    Some((*kind, value, tail))
}

fn parse_hint(value: &[u8]) -> Option<PeerRef> {
    let (key, addr) = value.split_at_checked(32)?;
    let addr = std::str::from_utf8(addr).ok().filter(|a| a.len() <= MAX_ADDR && !a.is_empty())?;
    Some(PeerRef { key: PeerKey::from_slice(key)?, addrs: vec![Addr(addr.to_owned())] })
}

impl fmt::Display for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&self.to_bytes()))
    }
}

impl FromStr for InviteLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        // spec: F-1
        let text = text.trim();
        if text.len() > MAX_LINK * 2 {
            return Err(LinkError::TooLong);
        }
        if let Some(body) = text.strip_prefix(PREFIX) {
            if !body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                return Err(LinkError::Encoding);
            }
            // Only digits that belong there, but not whole groups of them: cut off.
            let bytes =
                data_encoding::BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|_| LinkError::Checksum)?;
            return Self::from_bytes(&bytes);
        }
        match text.strip_prefix(&*PREFIX.to_uppercase()) {
            Some(body) => Self::from_bytes(&base45_decode(body).ok_or(LinkError::Encoding)?),
            None => Err(LinkError::NotALink),
        }
    }
}

const BASE45: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

pub(crate) fn base45_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3 / 2 + 2);
    let mut push = |digit: u32| out.push(BASE45.get((digit % 45) as usize).map_or('0', |b| *b as char));
    for chunk in bytes.chunks(2) {
        match *chunk {
            [a, b] => {
                let n = u32::from(a) * 256 + u32::from(b);
                push(n);
                push(n / 45);
                push(n / (45 * 45));
            }
            [a] => {
                push(u32::from(a));
                push(u32::from(a) / 45);
            }
            _ => {}
        }
    }
    out
}

pub(crate) fn base45_decode(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .bytes()
        .map(|c| BASE45.iter().position(|b| *b == c).and_then(|i| u32::try_from(i).ok()))
        .collect::<Option<_>>()?;
    let mut out = Vec::with_capacity(digits.len() * 2 / 3 + 1);
    for chunk in digits.chunks(3) {
        match *chunk {
            [a, b, c] => out.extend_from_slice(&u16::try_from(a + b * 45 + c * 45 * 45).ok()?.to_be_bytes()),
            [a, b] => out.push(u8::try_from(a + b * 45).ok()?),
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use murre_core::Rng;
    use murre_crypto::BlindKey;

    fn link() -> InviteLink {
        let mut rng = Rng::from_seed([7; 32]);
        InviteLink {
            secret: rng.bytes(),
            owner: BlindKey::generate(&mut rng).public(),
            account: AccountId::from_bytes([3; 32]),
            network: NetworkId::from_bytes([4; 32]),
            expires: Wall(1_800_000_000_000),
            public: false,
            name: Some("Bob".to_owned()),
            hints: vec![PeerRef {
                key: PeerKey::from_bytes([5; 32]),
                addrs: vec![Addr("/ip4/127.0.0.1/tcp/4001".to_owned())],
            }],
        }
    }

    #[test]
    fn text_and_qr_give_the_link_back() {
        let link = link();
        assert_eq!(link.to_string().parse(), Ok(link.clone()));
        assert_eq!(link.to_qr_text().parse(), Ok(link.clone()));
        assert!(!format!("{link:?}").contains(&data_encoding::HEXLOWER.encode(&link.secret)[..16]));
    }

    #[test]
    fn truncated_and_tampered_links_are_refused() {
        let text = link().to_string();
        for cut in PREFIX.len()..text.len() {
            assert!(text[..cut].parse::<InviteLink>().is_err(), "{cut}");
        }
        let bytes = link().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(InviteLink::from_bytes(&bad), Err(LinkError::Checksum), "bit {bit}");
        }
        assert_eq!("https://example.org".parse::<InviteLink>(), Err(LinkError::NotALink));
    }

    #[test]
    fn unknown_fields_are_skipped_only_if_they_may_be() {
        let with = |kind: u8| {
            let mut bytes = link().to_bytes();
            bytes.truncate(bytes.len() - 4);
            bytes.extend_from_slice(&[kind, 0, 1, 9]);
            let sum = CHECKSUM.hash(&[&bytes]);
            bytes.extend_from_slice(&sum[..4]);
            InviteLink::from_bytes(&bytes)
        };
        assert_eq!(with(0x90), Ok(link()));
        assert_eq!(with(0x07), Err(LinkError::NewerVersion));
        assert_eq!(with(0x06), Err(LinkError::NewerVersion), "a kind nobody knows");
        assert_eq!(with(0x01), Err(LinkError::Field { what: "secret" }));
        let mut newer = link().to_bytes();
        newer[0] = 2;
        newer.truncate(newer.len() - 4);
        let sum = CHECKSUM.hash(&[&newer]);
        newer.extend_from_slice(&sum[..4]);
        assert_eq!(InviteLink::from_bytes(&newer), Err(LinkError::NewerVersion));
    }

    #[test]
    fn base45_matches_the_rfc() {
        assert_eq!(base45_encode(b"AB"), "BB8");
        assert_eq!(base45_encode(b"Hello!!"), "%69 VD92EX0");
        assert_eq!(base45_decode("QED8WEX0"), Some(b"ietf!".to_vec()));
        assert_eq!(base45_decode("::::"), None);
    }
}
