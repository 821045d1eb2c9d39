//! Machines over a store with one damaged row, and machines that are sent any frame.
//!
//! Errors are answers; a panic is not, and neither is [`ErrorKind::Bug`]: a disk that rots is no mistake of ours. What
//! comes over a link must not even end a turn: then any stranger could stop a device.

use crate::seeds;
use crate::snapshot::{self, Damaged};
use murre_core::id::PeerKey;
use murre_core::link::MAX_FRAME;
use murre_core::{CommandId, ErrorKind, HasKind, Input, LinkCaps, LinkId, LinkKind, LinkUp, View};
use murre_crypto::{NodeKey, Secret};
use murre_custodian::{Config as NodeConfig, Custodian};
use murre_device::{Command, Config, ConversationsCommand, Device, query};
use murre_mailbox::Directory;

const SEED: [u8; 32] = [6; 32];
const LINK: LinkId = LinkId(1);

fn no_bug<T, E: HasKind + std::fmt::Debug>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(error.kind() != ErrorKind::Bug, "a damaged row is called a bug: {error:?}");
            None
        }
    }
}

fn link_up() -> Input {
    let caps = LinkCaps { mtu: MAX_FRAME, ordered: true, reliable: true, metered: false };
    let (own, peer) = (PeerKey::from_bytes([1; 32]), PeerKey::from_bytes([2; 32]));
    Input::LinkUp(LinkUp { id: LINK, kind: LinkKind::Virtual, caps, own, peer, dialed: false })
}

/// The row that the first two bytes choose is replaced by what follows them.
fn damaged<'a>(rows: &'a snapshot::Rows, data: &[u8]) -> Option<Damaged<'a>> {
    let (which, value) = data.split_first_chunk::<2>()?;
    let at = usize::from(u16::from_be_bytes(*which)) % rows.0.len().max(1);
    let (key, _) = rows.0.iter().nth(at)?;
    Some(Damaged { base: rows, key: key.clone(), value: value.to_vec() })
}

fn queries(view: &dyn View) {
    let snap = snapshot::get();
    no_bug(query::me(view));
    no_bug(query::contacts(view));
    no_bug(query::chats(view, snap.now.wall));
    no_bug(query::invites(view));
    no_bug(query::notices(view, 0, 1_000));
    no_bug(query::last_cursor(view));
    no_bug(query::history(view, snap.chat, None, 100, snap.now.wall));
    no_bug(query::find_message(view, "ab"));
    for id in &snap.messages {
        no_bug(query::message(view, *id, snap.now.wall));
        no_bug(query::status(view, *id, snap.now.wall));
    }
    no_bug(Directory::stored_network(view));
}

/// A device and every query over a store with one damaged row.
#[must_use]
pub fn fuzz_device_store(data: &[u8]) -> bool {
    let snap = snapshot::get();
    let Some(view) = damaged(&snap.device, data) else { return false };
    queries(&view);
    let opened = Device::open(snap.now, SEED, &view, Config::default());
    let mut device = match opened {
        Ok(device) => device,
        Err(error) => {
            let bug = matches!(&error, murre_device::OpenError::Turn(e) if e.kind() == ErrorKind::Bug);
            assert!(!bug, "a damaged row is called a bug: {error:?}");
            return false;
        }
    };
    let text = Command::Conversations(ConversationsCommand::Send {
        chat: snap.chat,
        text: "more".to_owned(),
        reply_to: None,
        client_id: None,
        files: Vec::new(),
    });
    let turns = [
        no_bug(device.handle_timeout(snap.now, &view)).is_some(),
        no_bug(device.handle_commands(snap.now, &view, vec![(CommandId(1), text)])).is_some(),
    ];
    while device.poll_output().is_some() {}
    turns == [true; 2]
}

fn node(view: &dyn View) -> Option<Custodian> {
    let snap = snapshot::get();
    let config = NodeConfig {
        key: NodeKey::from_secret(&Secret::new(snap.node_secret)),
        network: snap.network.clone(),
        addrs: vec![],
        bootstrap: vec![],
        disk: 1 << 40,
        before: murre_custodian::Before::default(),
    };
    no_bug(Custodian::open(SEED, view, config))
}

/// A node over a store with one damaged row, which it is then asked for.
#[must_use]
pub fn fuzz_node_store(data: &[u8]) -> bool {
    let snap = snapshot::get();
    let Some(view) = damaged(&snap.node, data) else { return false };
    let Some(mut node) = node(&view) else { return false };
    let mut fine = no_bug(node.handle_timeout(snap.now, &view)).is_some();
    fine &= no_bug(node.handle_input(snap.now, &view, link_up())).is_some();
    for bytes in seeds::of("node_input") {
        let bytes = bytes.clone();
        fine &= no_bug(node.handle_input(snap.now, &view, Input::Frame { link: LINK, bytes })).is_some();
        while node.poll_output().is_some() {}
    }
    fine
}

/// A frame as a device takes it: whatever it is, the turn ends well.
#[must_use]
pub fn fuzz_device_input(data: &[u8]) -> bool {
    let snap = snapshot::get();
    let view = &snap.device;
    let mut device = Device::open(snap.now, SEED, view, Config::default()).expect("a whole store opens");
    for input in [link_up(), Input::Frame { link: LINK, bytes: data.to_vec() }] {
        let turn = device.handle_input(snap.now, view, input);
        assert!(turn.is_ok(), "a stranger's frame ends the turn: {turn:?}");
        while device.poll_output().is_some() {}
    }
    true
}

/// A frame as a node takes it: whatever it is, the turn ends well.
#[must_use]
pub fn fuzz_node_input(data: &[u8]) -> bool {
    let snap = snapshot::get();
    let view = &snap.node;
    let mut node = node(view).expect("a whole store opens");
    for input in [link_up(), Input::Frame { link: LINK, bytes: data.to_vec() }] {
        let turn = node.handle_input(snap.now, view, input);
        assert!(turn.is_ok(), "a stranger's frame ends the turn: {turn:?}");
        while node.poll_output().is_some() {}
    }
    true
}
