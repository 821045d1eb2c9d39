//! What members say to each other, inside the MLS seal.
//!
//! One [`Content`] is typed, versioned and self-contained; an entry packs one to 64 of them. A type or version
//! this program does not know is kept and shown as "needs a newer version", never dropped: that is why the body
//! is decoded in a second step.

use murre_core::codec::{self, CodecError};
use murre_core::id::{AuthorId, Bytes, MessageId, PeerKey};
use murre_core::{Addr, Label, Wall};
use murre_crypto::{DeviceCert, Signature};
use murre_log::Link;
use murre_mailbox::{CertRun, TagPublic, WriteGrant};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

/// Largest encoded content: the longest text and its envelope.
pub const MAX_CONTENT: usize = crate::limits::MAX_TEXT + 4_096;

/// The envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Type, see [`kind`].
    pub t: u16,
    /// Version of the type.
    pub v: u8,
    /// The writer's wall clock, ms: a label.
    pub w: Wall,
    /// The type's own encoding.
    pub b: ByteBuf,
}

/// Content types.
pub mod kind {
    /// [`super::Binding`].
    pub const BINDING: u16 = 1;
    /// [`super::Text`].
    pub const TEXT: u16 = 2;
    /// [`super::Receipt`].
    pub const RECEIPT: u16 = 3;
    /// [`super::Handover`].
    pub const HANDOVER: u16 = 4;
    /// [`super::Fold`].
    pub const FOLD: u16 = 5;
    /// [`super::Want`].
    pub const WANT: u16 = 6;
    /// [`super::Presence`].
    pub const PRESENCE: u16 = 7;
    /// [`super::Renewal`].
    pub const RENEWAL: u16 = 8;
    /// [`super::Move`].
    pub const MOVE: u16 = 10;
    /// [`super::Resend`].
    pub const RESEND: u16 = 11;
}

/// Ties a log author to a device: first content of the entry with seq 0, before which nothing of it counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The device, certified by its account.
    pub c: DeviceCert,
    /// The device's signature over (log, author).
    pub d: Signature,
    /// The author's signature over (log, device).
    pub a: Signature,
}

/// Signed by the device.
pub const BINDING_BY_DEVICE: Label = Label::new("murre v1 binding by device");
/// Signed by the author key.
pub const BINDING_BY_AUTHOR: Label = Label::new("murre v1 binding by author");

/// A text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The text, UTF-8, at most [`crate::limits::MAX_TEXT`] bytes.
    pub t: String,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<MessageId>,
}

/// How far the writer got in each author's entries: everything up to and including these is opened, or read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Opened up to.
    pub d: Vec<(AuthorId, u32)>,
    /// Read up to.
    pub r: Vec<(AuthorId, u32)>,
}

/// What a contact needs to write to us for good: sent with the acceptance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Our account mailbox, with certificates for the contact's device.
    pub g: WriteGrant,
    /// Two spare tags for a later device of theirs.
    pub s: Vec<WriteGrant>,
    /// Our tag key, for grants in the other direction.
    pub t: TagPublic,
    /// Our name, as we wish to be called.
    pub n: String,
}

/// Joins the other of two logs begun at once: its entries up to these are shown before this log's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// The other log's heads.
    pub h: Vec<Link>,
}

/// Entries the writer misses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Want {
    /// Which, at most [`crate::limits::MAX_WANT`].
    pub l: Vec<Link>,
}

/// Where a device can be reached directly for the next hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// Key of its throw-away endpoint.
    pub k: PeerKey,
    /// Addresses.
    pub a: Vec<Addr>,
}

/// More certificates for a tag the receiver holds already.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// The certificates.
    pub c: CertRun,
    /// Name of the mailbox they are for.
    pub m: Bytes<32>,
}

/// The writer is read in another mailbox from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The new account mailbox, with certificates for the contact's device.
    pub g: WriteGrant,
    /// Two spare tags for a later device of theirs.
    pub s: Vec<WriteGrant>,
    /// Name of the mailbox it replaces; none if the contact was given this one before.
    pub o: Option<Bytes<32>>,
}

/// The writer dropped what came for a while: everything that it has not receipted is to be put again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resend {}

impl Content {
    /// Wraps a body.
    #[must_use]
    pub fn new<T: Serialize>(t: u16, now: Wall, body: &T) -> Self {
        Self { t, v: 1, w: now, b: ByteBuf::from(codec::encode(body)) }
    }

    /// The bytes that are packed and committed to.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`CodecError`] if it is not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, MAX_CONTENT)
    }

    /// Reads the body as `T`, if type and version are the ones `T` stands for.
    #[must_use]
    // spec: D-19
    pub fn body<T: Serialize + DeserializeOwned>(&self, t: u16) -> Option<T> {
        if self.t == t && self.v == 1 { codec::decode(&self.b, MAX_CONTENT).ok() } else { None }
    }
}

/// One line for a title or a list: control characters and direction overrides of a stranger's text become spaces.
#[must_use]
// spec: F-26
pub fn clean_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_direction_override(c) { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

const fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_type_is_kept_and_not_misread() {
        let content = Content::new(999, Wall(5), &Text { t: "x".into(), r: None });
        let back = Content::decode(&content.encode()).expect("decodes");
        assert_eq!(back, content);
        assert!(back.body::<Text>(kind::TEXT).is_none());
    }

    #[test]
    fn a_newer_version_of_a_known_type_is_not_misread() {
        let mut content = Content::new(kind::TEXT, Wall(5), &Text { t: "x".into(), r: None });
        assert!(content.body::<Text>(kind::TEXT).is_some());
        content.v = 2;
        assert!(content.body::<Text>(kind::TEXT).is_none());
    }

    #[test]
    fn a_name_cannot_turn_the_line_around() {
        assert_eq!(clean_line("Bob\u{202e}\nknil\u{7}"), "Bob  knil");
    }
}
