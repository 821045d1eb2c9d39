//! Blinded mailboxes: mail waits where nobody can read it, and the nodes where it waits.
//!
//! A mailbox is a key pair and an address secret; each week both are blinded, so that a custodian sees a locator
//! that it never saw before and will never see again. What lies there are sealed boxes of four sizes. This crate
//! fixes the words that writers, readers and custodians of boxes speak, and where a box has to lie:
//!
//! ```text
//!  ReaderKeys --address()--> MailboxAddress --at(epoch)--> Place --locator()--> Locator
//!      | grant()                                             |                    |
//!      v                                                     v                    v  placement()
//!  WriteGrant --> Writer --seal_box()--> SealedBox --verify()--> VerifiedBox   Directory: k custodians
//!                                                                  |  issue()      and 4 spares
//!                                                                  v
//!                                                               Receipt
//! ```
//!
//! | module | what it fixes |
//! |---|---|
//! | [`limits`] | every bound of this layer, and the computation of the box sizes |
//! | [`keys`] | reader keys, addresses, places and locators |
//! | [`tags`] | write rights: tags, certificates, grants, the writer |
//! | [`boxes`] | the sealed box |
//! | [`door`] | what the owner of an invitation link shows at its door |
//! | [`receipt`] | a custodian's word that it holds a box |
//! | [`network`] | the network file and the nodes' descriptors |
//! | [`directory`] | the set of known nodes, on disk and in memory |
//! | [`placement`] | which of them hold a locator in an epoch |
//! | [`request`] | the signed requests and answers |
//! | [`frame`] | how they travel |
//! | [`client`] | the half that a device runs: storing and reading at custodians nobody trusts |
//!
//! What does not live here: accounts, plaintext, storage of boxes (`murre-custodian`), any decision about a
//! conversation. The law is `spec/05-mailbox.md` and `spec/06-network.md`.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod boxes;
pub mod client;
pub mod directory;
pub mod door;
pub mod frame;
pub mod keys;
pub mod limits;
pub mod network;
pub mod placement;
pub mod receipt;
pub mod request;
pub mod rows;
pub mod tags;

pub use boxes::{BoxError, SLOT_BLOCK, SealedBox, VerifiedBox, slot_puzzle, space_puzzle};
pub use directory::{Directory, Inserted, RefusedDescriptor};
pub use door::{DoorError, ObjectBody, SignedObject, VerifiedObject, door_slot, slot_grant};
pub use frame::{Frame, FrameError, PutRefusal, Refusal, RepairItem, Reply, Request};
pub use keys::{AddressError, EpochReader, MailboxAddress, MailboxKind, Place, ReaderKeys};
pub use network::{Descriptor, DescriptorBody, NetworkError, NetworkFile, join_puzzle};
pub use receipt::{Receipt, ReceiptBody, ReceiptError};
pub use request::{
    Cursor, ListBody, ListPart, ReadBody, ReadKind, RepairBody, RepairKind, RequestError, SignedRead,
    SignedRepair, SpaceProof, Tombstone, TombstoneBody, check_read, check_repair, read_hash, sign_list,
    sign_repair,
};
pub use tags::{CertRun, GrantError, PairSecret, SealError, TagKey, TagPublic, WriteGrant, Writer, tag_at};
