//! The network file, and the descriptors of its nodes.
//!
//! ```text
//!  network file { v: 1, name, params, anchors: [key] }        id = H(file bytes)
//!  descriptor   { p: { v: 1, net, key, addrs, t: wall ms issued, join: solution }, s: signature by key }
//! ```
//!
//! A network is named by the hash of its file, so a file needs no signature: who knows the id knows the file.
//! Two nodes with different rules are in different networks and never mix boxes.

use crate::limits::{self, MAX_ANCHORS, MAX_CERTS, MAX_DESCRIPTOR, MAX_NETWORK_FILE, MAX_NETWORK_NAME};
use murre_core::codec::{self, CodecError};
use murre_core::id::{Bytes, NetworkId, PeerKey};
use murre_core::link::{MAX_ADDR, MAX_ADDRS};
use murre_core::time::{DAY, MINUTE};
use murre_core::{Addr, ErrorKind, HasKind, Label, NetworkParams, Wall};
use murre_crypto::puzzle::{Puzzle, Solution, price_allowed};
use murre_crypto::signed::SIGNED_OVERHEAD;
use murre_crypto::{NodeKey, Signed, SignedBody};
use serde::{Deserialize, Serialize};

const NETWORK_ID: Label = Label::new("murre v1 network id");
const JOIN: Label = Label::new("murre v1 network join");
/// Version of the network file.
pub const NETWORK_VERSION: u8 = 1;
/// Version of a descriptor.
pub const DESCRIPTOR_VERSION: u8 = 1;

/// Why a network file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Malformed or too long.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Another version.
    #[error("network file version {v} is not known")]
    Version {
        /// The version it names.
        v: u8,
    },
    /// The name is empty, too long, or holds control characters.
    #[error("network name is not allowed")]
    Name,
    /// A parameter out of its range: nobody may be made to run such a network.
    #[error("network parameter {what} is out of range")]
    Param {
        /// Its name.
        what: &'static str,
    },
}

impl HasKind for NetworkError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Remote
    }
}

/// The agreed rules of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// Version.
    pub v: u8,
    /// Name for people.
    pub name: String,
    /// Every agreed number.
    pub params: NetworkParams,
    /// Keys of the anchors that attest ages; none in a devnet or a private network.
    #[serde(deserialize_with = "limits::list::<MAX_ANCHORS, _, _>")]
    pub anchors: Vec<Bytes<32>>,
}

impl NetworkFile {
    /// A network without anchors.
    #[must_use]
    pub fn new(name: &str, params: NetworkParams) -> Self {
        Self { v: NETWORK_VERSION, name: name.to_owned(), params, anchors: Vec::new() }
    }

    /// A network on one machine or one desk.
    #[must_use]
    pub fn devnet() -> Self {
        Self::new("devnet", NetworkParams::devnet())
    }

    /// Its name among networks.
    // spec: N-1
    #[must_use]
    pub fn id(&self) -> NetworkId {
        NetworkId::from_bytes(NETWORK_ID.hash(&[&self.bytes()]))
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a file and checks that everybody can afford its rules.
    ///
    /// # Errors
    /// [`NetworkError`].
    // spec: N-1, N-2
    pub fn decode(bytes: &[u8]) -> Result<Self, NetworkError> {
        let file: Self = codec::decode(bytes, MAX_NETWORK_FILE)?;
        file.check()?;
        Ok(file)
    }

    /// Whether everybody can afford its rules.
    ///
    /// # Errors
    /// [`NetworkError`].
    // spec: N-2
    pub fn check(&self) -> Result<(), NetworkError> {
        if self.v != NETWORK_VERSION {
            return Err(NetworkError::Version { v: self.v });
        }
        if self.name.is_empty()
            || self.name.len() > MAX_NETWORK_NAME
            || self.name.chars().any(char::is_control)
        {
            return Err(NetworkError::Name);
        }
        let p = &self.params;
        let ranges: [(&'static str, bool); 11] = [
            ("epoch_ms", (MINUTE..=90 * DAY).contains(&p.epoch_ms)),
            ("grace_ms", p.grace_ms <= p.epoch_ms),
            ("skew_ms", p.skew_ms <= DAY),
            ("space", price_allowed(&p.space)),
            ("join", price_allowed(&p.join)),
            ("link", price_allowed(&p.link)),
            ("node_age_ms", p.node_age_ms <= 90 * DAY),
            ("tag_epochs", (1..=MAX_CERTS as u32).contains(&p.tag_epochs)),
            ("tag_renew_below", p.tag_renew_below <= p.tag_epochs),
            ("block_bytes", p.block_bytes >= limits::MAX_BOX as u64),
            ("anchors", self.anchors.len() <= MAX_ANCHORS),
        ];
        match ranges.iter().find(|(_, ok)| !ok) {
            Some((what, _)) => Err(NetworkError::Param { what }),
            None => Ok(()),
        }
    }
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescriptorBody {
    /// Version.
    pub v: u8,
    /// Its network.
    pub net: NetworkId,
    /// Its key: of its transport handshake, its receipts and its answers.
    pub key: PeerKey,
    /// Where it listens, at most [`MAX_ADDRS`].
    #[serde(deserialize_with = "limits::list::<MAX_ADDRS, _, _>")]
    pub addrs: Vec<Addr>,
    /// Wall time of issue, ms.
    pub t: u64,
    /// Solution of [`join_puzzle`].
    pub join: Solution,
}

impl DescriptorBody {
    /// A descriptor of the present version.
    #[must_use]
    pub const fn new(net: NetworkId, key: PeerKey, addrs: Vec<Addr>, t: Wall, join: Solution) -> Self {
        Self { v: DESCRIPTOR_VERSION, net, key, addrs, t: t.0, join }
    }
}

impl SignedBody for DescriptorBody {
    const LABEL: Label = Label::new("murre v1 network descriptor");
    const LIMIT: usize = MAX_DESCRIPTOR - SIGNED_OVERHEAD;

    fn signer(&self) -> [u8; 32] {
        *self.key.as_bytes()
    }

    // spec: N-4
    fn well_formed(&self) -> bool {
        let printable = |a: &Addr| a.0.len() <= MAX_ADDR && a.0.bytes().all(|b| b.is_ascii_graphic());
        self.v == DESCRIPTOR_VERSION && self.addrs.len() <= MAX_ADDRS && self.addrs.iter().all(printable)
    }
}

/// A signed descriptor.
pub type Descriptor = Signed<DescriptorBody>;

/// Signs a node's descriptor.
#[must_use]
pub fn sign_descriptor(key: &NodeKey, body: &DescriptorBody) -> Descriptor {
    Signed::new(body, |label, msg| key.sign(label, msg))
}

/// The price of a place in the directory: paid once per network and key.
// spec: N-5
#[must_use]
pub fn join_puzzle(file: &NetworkFile, key: &PeerKey) -> Puzzle {
    Puzzle { context: JOIN.hash(&[file.id().as_bytes(), key.as_bytes()]), price: file.params.join }
}
