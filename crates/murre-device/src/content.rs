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
    /// [`super::FileList`].
    pub const FILES: u16 = 9;
    /// [`super::FileAsk`].
    pub const FILE_ASK: u16 = 12;
    /// [`super::FileWord`].
    pub const FILE_WORD: u16 = 13;
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
    /// Read, from and up to and including these.
    pub r: Vec<(AuthorId, u32, u32)>,
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

/// A message with files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileList {
    /// The files, 1 to [`crate::limits::MAX_FILES`].
    pub f: Vec<FileRef>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<MessageId>,
    /// What is said beside them; may be empty.
    pub t: String,
}

/// One file: everything that is needed to fetch, check and open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Key of its chunks.
    pub k: Bytes<32>,
    /// Media type as its sender names it; may be empty.
    pub m: String,
    /// File name as its sender names it. Never a path.
    pub n: String,
    /// Its page roots.
    pub p: Vec<Bytes<32>>,
    /// Its length in bytes.
    pub s: u64,
}

impl FileRef {
    /// What checks its chunks; nothing if it does not hold together.
    #[must_use]
    pub fn shape(&self) -> Option<murre_log::Shape> {
        let fits = self.n.len() <= crate::limits::MAX_FILE_NAME && self.m.len() <= crate::limits::MAX_MIME;
        if fits { murre_log::Shape::new(self.s, self.p.clone()) } else { None }
    }
}

/// Chunks that the writer lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAsk {
    /// Which file.
    pub f: Bytes<32>,
    /// First chunk and how many, at most [`crate::limits::MAX_ASK_RANGES`] times.
    pub r: Vec<(u32, u32)>,
}

/// A word about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileWord {
    /// Which file.
    pub f: Bytes<32>,
    /// What.
    pub w: Word,
}

/// What may be said about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// The writer has all of it.
    #[serde(rename = "h")]
    Have,
    /// The writer does not want it.
    #[serde(rename = "n")]
    Decline,
    /// The writer has it no more.
    #[serde(rename = "g")]
    Gone,
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

/// A file name of somebody else's as it may be shown and saved: one name, never a path, nothing that hides its end.
///
/// Separators, control characters and those that turn or join the direction of writing become `_`; leading dots, and
/// dots and spaces at the end, go; a device name of other systems gets a `_` before it. Empty becomes `file`.
#[must_use]
// spec: X-12
pub fn clean_file_name(name: &str) -> String {
    let bad =
        |c: char| c.is_control() || is_direction_override(c) || "/\\:*?\"<>|".contains(c) || is_invisible(c);
    let one: String = name.chars().map(|c| if bad(c) { '_' } else { c }).collect();
    let trimmed = one.trim().trim_start_matches('.').trim_end_matches(['.', ' ']);
    let mut cut = trimmed.len().min(crate::limits::MAX_SAVED_NAME);
    while !trimmed.is_char_boundary(cut) {
        cut -= 1;
    }
    // A name that is too long loses its middle, so that its kind stays visible.
    let name = match trimmed
        .rsplit_once('.')
        .filter(|(stem, kind)| trimmed.len() > cut && !stem.is_empty() && kind.len() <= 16)
    {
        Some((stem, kind)) => {
            let mut keep = cut.saturating_sub(kind.len() + 1).min(stem.len());
            while !stem.is_char_boundary(keep) {
                keep -= 1;
            }
            format!("{}.{kind}", stem.get(..keep).unwrap_or_default())
        }
        None => trimmed.get(..cut).unwrap_or_default().to_owned(),
    };
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let device = matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || (stem.len() == 4
            && (stem.starts_with("com") || stem.starts_with("lpt"))
            && stem.ends_with(|c: char| c.is_ascii_digit()));
    match name.as_str() {
        "" => "file".to_owned(),
        _ if device => format!("_{name}"),
        _ => name,
    }
}

/// Characters that take no room: a name with them looks like another.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{61c}' | '\u{ad}')
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
    fn a_file_name_is_one_name_in_one_directory() {
        for (given, shown) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("C:\\Windows\\x.exe", "C__Windows_x.exe"),
            ("..", "file"),
            (".bashrc", "bashrc"),
            ("", "file"),
            ("  . ", "file"),
            ("a\0b\n.txt", "a_b_.txt"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
            ("in\u{200b}voice.pdf", "in_voice.pdf"),
            ("nul", "_nul"),
            ("Com1.txt", "_Com1.txt"),
            ("common.txt", "common.txt"),
            ("报告 ملف.txt", "报告 ملف.txt"),
        ] {
            assert_eq!(clean_file_name(given), shown, "{given:?}");
        }
        let long = format!("{}.jpeg", "ü".repeat(400));
        let shown = clean_file_name(&long);
        assert!(shown.len() <= crate::limits::MAX_SAVED_NAME && shown.ends_with("ü.jpeg"), "{shown}");
    }

    #[test]
    fn a_name_cannot_turn_the_line_around() {
        assert_eq!(clean_line("Bob\u{202e}\nknil\u{7}"), "Bob  knil");
    }
}
