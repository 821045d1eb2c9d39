//! The targets, their bounds, and the source each stands for.

mod group;
mod log;
mod mailbox;
mod people;
mod rows;
mod shell;
mod stores;

pub use group::{fuzz_group_message, fuzz_key_package, fuzz_welcome};
pub use log::{
    fuzz_chunk, fuzz_fork_proof, fuzz_log_entry, fuzz_log_header, fuzz_log_pack, fuzz_log_packet,
    fuzz_log_seal, fuzz_log_signal,
};
pub use mailbox::{fuzz_door_object, fuzz_mailbox_frame, fuzz_network_file, fuzz_sealed_box, fuzz_signed};
pub use people::{
    fuzz_content, fuzz_door_payload, fuzz_invite_bytes, fuzz_invite_text, fuzz_live_frame, fuzz_names,
    fuzz_parcel, fuzz_request,
};
pub use rows::{ROWS, fuzz_rows};
pub use shell::{fuzz_address, fuzz_counter_file, fuzz_key_file, fuzz_scenario, fuzz_stream};
pub use stores::{fuzz_device_input, fuzz_device_store, fuzz_node_input, fuzz_node_store};

use crate::memory::Bound;
use murre_core::link::MAX_FRAME;
use murre_group::{MAX_CIPHERTEXT, MAX_KEY_PACKAGE, MAX_WELCOME};
use murre_log::{entry, fork, header, pack, signal, wire};
use murre_mailbox::limits;

/// One decoder, or a family of decoders behind a first byte that chooses.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the target and of its folder in `fuzz/corpus/`.
    pub name: &'static str,
    /// Takes an input; true if it was accepted. Panics if what must hold does not.
    pub run: fn(&[u8]) -> bool,
    /// Where the format is law.
    pub chapter: &'static str,
    /// What decodes.
    pub decodes: &'static [&'static str],
    /// One byte more is refused before anything is allocated (M-25), where a format has one limit.
    pub limit: Option<usize>,
    /// Memory.
    pub bound: Bound,
    /// Mutations of a test run: about a second.
    pub rounds: usize,
}

const fn t(
    name: &'static str,
    run: fn(&[u8]) -> bool,
    chapter: &'static str,
    decodes: &'static [&'static str],
) -> Target {
    Target { name, run, chapter, decodes, limit: None, bound: Bound::DECODER, rounds: 100_000 }
}

impl Target {
    const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    const fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    const fn bound(mut self, bound: Bound) -> Self {
        self.bound = bound;
        self
    }
}

const CRYPTO: &str = "spec/02-crypto.md";
const LOG: &str = "spec/03-log.md";
const GROUP: &str = "spec/04-group.md";
const MAILBOX: &str = "spec/05-mailbox.md";
const NODE: &str = "spec/05b-custodian.md";
const NETWORK: &str = "spec/06-network.md";
const DELIVERY: &str = "spec/07-delivery.md";
const CONTACTS: &str = "spec/08-contacts.md";
const API: &str = "spec/09-api.md";
const HOME: &str = "spec/10-home.md";
const MACHINES: &str = "spec/01-machines.md";

/// Every target.
pub const TARGETS: &[Target] = &[
    t("invite_text", fuzz_invite_text, CONTACTS, &["InviteLink: text, QR text"]),
    t("invite_bytes", fuzz_invite_bytes, CONTACTS, &["InviteLink: fields"])
        .limit(murre_device::invite::MAX_LINK),
    t("door_payload", fuzz_door_payload, CONTACTS, &["DoorPayload"]).limit(48 << 10),
    t("request", fuzz_request, CONTACTS, &["RequestBody"]).limit(murre_device::limits::MAX_REQUEST),
    t(
        "content",
        fuzz_content,
        DELIVERY,
        &["Content", "Binding", "Text", "Receipt", "Handover", "Fold", "Want", "Presence", "Renewal"],
    )
    .limit(murre_device::content::MAX_CONTENT),
    t("parcel", fuzz_parcel, DELIVERY, &["Parcel"]).limit(limits::MAX_PLAINTEXT),
    t("live_frame", fuzz_live_frame, DELIVERY, &["presence::Frame"]).limit(MAX_FRAME),
    t("mailbox_frame", fuzz_mailbox_frame, MAILBOX, &["Frame", "Request", "Reply"]).limit(MAX_FRAME),
    t("sealed_box", fuzz_sealed_box, MAILBOX, &["SealedBox", "Head"]).limit(limits::MAX_BOX).rounds(20_000),
    t("door_object", fuzz_door_object, MAILBOX, &["SignedObject", "ObjectBody"])
        .limit(limits::MAX_OBJECT)
        .rounds(20_000),
    t(
        "signed",
        fuzz_signed,
        CRYPTO,
        &[
            "DeviceCert",
            "Receipt",
            "SignedRead",
            "Tombstone",
            "SignedRepair",
            "ListPart",
            "Descriptor",
            "SignedCreate",
        ],
    )
    .rounds(30_000),
    t("network_file", fuzz_network_file, NETWORK, &["NetworkFile"]).limit(limits::MAX_NETWORK_FILE),
    t("log_entry", fuzz_log_entry, LOG, &["Entry"]).limit(entry::MAX_ENTRY).rounds(30_000),
    t("log_header", fuzz_log_header, LOG, &["Header"]).limit(header::MAX_HEADER),
    t("chunk", fuzz_chunk, "spec/11-files.md", &["Chunk"]).limit(wire::MAX_PACKET),
    t("log_packet", fuzz_log_packet, LOG, &["Packet"]).limit(wire::MAX_PACKET),
    t("log_seal", fuzz_log_seal, LOG, &["wire seal"]).limit(wire::MAX_SEALED),
    t("log_pack", fuzz_log_pack, LOG, &["Pack"]).limit(pack::MAX_PADDED),
    t("log_signal", fuzz_log_signal, LOG, &["Signal", "SignalHeader"])
        .limit(signal::MAX_SIGNAL)
        .rounds(30_000),
    t("fork_proof", fuzz_fork_proof, LOG, &["ForkProof", "Block"]).limit(fork::MAX_PROOF).rounds(30_000),
    t("key_package", fuzz_key_package, GROUP, &["KeyPackage"]).limit(MAX_KEY_PACKAGE).rounds(5_000),
    t("welcome", fuzz_welcome, GROUP, &["Welcome"]).limit(MAX_WELCOME).rounds(1_500),
    t("group_message", fuzz_group_message, GROUP, &["MlsMessage"]).limit(MAX_CIPHERTEXT).rounds(1_500),
    t("rows", fuzz_rows, MACHINES, &["every row struct"]),
    t(
        "device_store",
        fuzz_device_store,
        MACHINES,
        &["every row of a device, read by its machine and its queries"],
    )
    .bound(Bound::MACHINE)
    .rounds(1_000),
    t("node_store", fuzz_node_store, NODE, &["every row of a node, read by its machine"])
        .bound(Bound::MACHINE)
        .rounds(1_500),
    t("device_input", fuzz_device_input, DELIVERY, &["frames, as the machine takes them"])
        .bound(Bound::MACHINE)
        .rounds(1_000),
    t("node_input", fuzz_node_input, NODE, &["frames, as the machine takes them"])
        .bound(Bound::MACHINE)
        .rounds(1_500),
    t("names", fuzz_names, API, &["names of contacts, chats, messages, invitations"]).rounds(1_500),
    t("address", fuzz_address, NETWORK, &["Addr, PeerRef"]),
    t("stream", fuzz_stream, NETWORK, &["frames on a stream"]),
    t("key_file", fuzz_key_file, HOME, &["key", "key.wrapped"]).limit(1_024),
    t("counter_file", fuzz_counter_file, HOME, &["sent"]),
    t("scenario", fuzz_scenario, MACHINES, &["Scenario"]),
];

/// Every source file that takes bytes apart, and the targets that reach it. A test compares this with the tree.
pub const DECODERS: &[(&str, &[&str])] = &[
    ("murre-core/src/codec.rs", &["rows", "mailbox_frame", "content"]),
    ("murre-crypto/src/signed.rs", &["signed"]),
    ("murre-custodian/src/rows.rs", &["rows", "node_store"]),
    ("murre-custodian/src/route.rs", &["node_input"]),
    ("murre-device/src/content.rs", &["content"]),
    ("murre-device/src/contacts/doors.rs", &["door_payload", "device_store"]),
    ("murre-device/src/contacts/requests.rs", &["request"]),
    ("murre-device/src/conversations/create.rs", &["signed"]),
    ("murre-device/src/delivery/mod.rs", &["parcel"]),
    ("murre-device/src/invite.rs", &["invite_text", "invite_bytes"]),
    ("murre-device/src/presence.rs", &["live_frame", "device_input"]),
    ("murre-device/src/files/take.rs", &["chunk"]),
    ("murre-device/src/query/files.rs", &["content"]),
    ("murre-device/src/rows.rs", &["rows", "device_store"]),
    ("murre-group/src/engine.rs", &["group_message"]),
    ("murre-group/src/leaf.rs", &["key_package"]),
    ("murre-group/src/membership.rs", &["welcome"]),
    ("murre-group/src/rows.rs", &["device_store"]),
    ("murre-group/src/storage.rs", &["device_store"]),
    ("murre-log/src/chunk.rs", &["chunk", "log_packet"]),
    ("murre-log/src/entry.rs", &["log_entry", "log_header"]),
    ("murre-log/src/fork.rs", &["fork_proof"]),
    ("murre-log/src/pack.rs", &["log_pack"]),
    ("murre-log/src/rows.rs", &["rows", "device_store"]),
    ("murre-log/src/signal.rs", &["log_signal"]),
    ("murre-log/src/wire.rs", &["log_packet", "log_seal"]),
    ("murre-mailbox/src/boxes.rs", &["sealed_box"]),
    ("murre-mailbox/src/client/put.rs", &["signed"]),
    ("murre-mailbox/src/client/rows.rs", &["rows", "device_store"]),
    ("murre-mailbox/src/directory.rs", &["rows", "device_store", "node_store"]),
    ("murre-mailbox/src/frame.rs", &["mailbox_frame"]),
    ("murre-mailbox/src/keys.rs", &["rows"]),
    ("murre-mailbox/src/network.rs", &["network_file"]),
    ("murre-mailbox/src/receipt.rs", &["signed"]),
    ("murre/src/home/key.rs", &["key_file"]),
    ("murre-sim/src/scenario.rs", &["scenario"]),
];
