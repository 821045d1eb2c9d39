//! A device and a node in the middle of a chat, and a group of two: real machines made these rows, once, from fixed
//! seeds.

// The worlds of the crates' own tests: what they build is what is attacked here.
#[allow(dead_code)]
#[path = "../../murre-group/tests/it/world.rs"]
mod people;
#[allow(dead_code)]
#[path = "../../murre-device/tests/it/world.rs"]
mod world;

use murre_core::id::{AccountId, LogId, MessageId, StateId};
use murre_core::{Direction, Mono, Now, Range, Rng, Space, View, ViewError};
use murre_crypto::{DeviceCert, DeviceKey};
use murre_device::files::rows as files;
use murre_device::invite::InviteLink;
use murre_device::{
    Answer, Check, Command, ContactState, ContactsCommand, ConversationsCommand, FilesCommand, Notice, query,
    rows as device,
};
use murre_group::{Identity, rows as group_rows};
use murre_log::rows as log;
use murre_mailbox::client::rows as client;
use murre_mailbox::{Directory, NetworkFile, rows as mailbox};
use people::Person;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use world::World;

const MINUTE: u64 = 60_000;

/// Rows by space and key.
#[derive(Clone, Debug, Default)]
pub struct Rows(pub BTreeMap<(Space, Vec<u8>), Vec<u8>>);

impl Rows {
    /// Everything in those spaces.
    fn of(view: &dyn View, spaces: &[Space]) -> Self {
        let all = |space| view.scan(space, &Range::all(), Direction::Forward, usize::MAX);
        let rows = spaces.iter().flat_map(|space| {
            all(*space).expect("memory reads").into_iter().map(|(key, value)| ((*space, key), value))
        });
        Self(rows.collect())
    }
}

impl View for Rows {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(&(space, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        space: Space,
        range: &Range,
        dir: Direction,
        limit: usize,
    ) -> Result<murre_core::store::Rows, ViewError> {
        let rows = self.0.range((space, Vec::new())..).take_while(|((s, _), _)| *s == space);
        let rows = rows.filter(|((_, key), _)| range.contains(key)).map(|((_, k), v)| (k.clone(), v.clone()));
        Ok(match dir {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => {
                let all: Vec<_> = rows.collect();
                all.into_iter().rev().take(limit).collect()
            }
        })
    }
}

/// Rows of which one holds something else.
#[derive(Debug)]
pub struct Damaged<'a> {
    /// The whole ones.
    pub base: &'a Rows,
    /// Which is damaged.
    pub key: (Space, Vec<u8>),
    /// What it holds.
    pub value: Vec<u8>,
}

impl View for Damaged<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        if self.key.0 == space && self.key.1 == key {
            return Ok(Some(self.value.clone()));
        }
        self.base.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        range: &Range,
        dir: Direction,
        limit: usize,
    ) -> Result<murre_core::store::Rows, ViewError> {
        let mut rows = self.base.scan(space, range, dir, limit)?;
        if self.key.0 == space {
            rows.iter_mut()
                .filter(|(key, _)| *key == self.key.1)
                .for_each(|(_, v)| v.clone_from(&self.value));
        }
        Ok(rows)
    }
}

/// What a world left behind.
#[derive(Debug)]
pub struct Snapshot {
    /// Rows of a device that was asked, accepted, read and wrote.
    pub device: Rows,
    /// Rows of the other device, whose newest texts nobody has read.
    pub other: Rows,
    /// Rows of a node.
    pub node: Rows,
    /// The node's key.
    pub node_secret: [u8; 32],
    /// The network.
    pub network: NetworkFile,
    /// The device's invitation.
    pub link: InviteLink,
    /// Its chat.
    pub chat: LogId,
    /// Messages in it.
    pub messages: Vec<MessageId>,
    /// When it was taken, for machines that start now.
    pub now: Now,
}

/// Spaces of a device: every one that a machine of a device declares (a test compares).
pub const DEVICE: &[Space] = &[
    device::META,
    device::INVITES,
    device::CONTACTS,
    device::CONTACT_BY_ACCOUNT,
    device::CHATS,
    device::CHAT_BY_LOG,
    device::REQUESTS,
    device::OWED,
    device::ROUTES,
    device::AUTHORS,
    device::MESSAGES,
    device::TIMELINE,
    device::MESSAGE_IDS,
    device::ACKS,
    device::WAITING,
    device::STASH,
    device::CLIENT_IDS,
    device::OUTBOX,
    device::BOXES,
    device::PARCELS,
    device::NOTICES,
    device::UNREAD,
    device::TRUST,
    device::BLOCKED,
    device::OLD_MAILBOXES,
    device::FORMER,
    files::FILES,
    files::BY_ID,
    files::BY_PLAIN,
    files::PAGES,
    files::WORK,
    files::STRAYS,
    files::STRAY_IDS,
    files::USES,
    files::HERE,
    log::LOGS,
    log::LOG_IDS,
    log::AUTHORS,
    log::AUTHOR_IDS,
    log::BLOCKS,
    log::BODIES,
    log::HEADS,
    log::FORKS,
    log::PENDING,
    log::WAITING,
    log::WANTED,
    log::COUNTS,
    group_rows::STATES,
    group_rows::KEYS,
    group_rows::ROWS,
    group_rows::KEY_PACKAGES,
    group_rows::GUARDS,
    mailbox::NODES,
    mailbox::NETWORK,
    client::PLACES,
    client::TAKEN,
];

/// The snapshot; the first call makes it.
///
/// # Panics
/// The world did not come to a chat: then nothing here means anything.
pub fn get() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(make)
}

fn contacts(world: &mut World, who: usize, command: ContactsCommand) -> Answer {
    world.ask(who, Command::Contacts(command)).expect("a command that can be obeyed")
}

fn send(world: &mut World, who: usize, chat: LogId, text: &str) {
    let (text, reply_to) = (text.to_owned(), None);
    let client_id = Some(format!("{who} {text}"));
    let command = ConversationsCommand::Send { chat, text, reply_to, client_id, files: Vec::new() };
    world.ask(who, Command::Conversations(command)).expect("a text that can be sent");
}

fn send_file(world: &mut World, who: usize, chat: LogId, bytes: Vec<u8>) {
    let (name, mime) = ("notes.txt".to_owned(), "text/plain".to_owned());
    let open = Command::Files(FilesCommand::Open { chat, name, mime });
    let Ok(Answer::Upload { upload }) = world.ask(who, open) else { panic!("no upload") };
    let piece = FilesCommand::Piece { upload, offset: 0, bytes, last: true };
    world.ask(who, Command::Files(piece)).expect("a piece that can be kept");
    let (text, reply_to, client_id) = (String::new(), None, None);
    let command = ConversationsCommand::Send { chat, text, reply_to, client_id, files: vec![upload] };
    world.ask(who, Command::Conversations(command)).expect("a file that can be sent");
}

/// Carol asks through the same link until Bob has her request.
fn ask(world: &mut World, who: usize, at: usize, link: &InviteLink) -> AccountId {
    let add = ContactsCommand::Add { link: link.clone(), hello: String::new() };
    contacts(world, who, add);
    let asker = query::me(world.view(who)).expect("an account").account;
    let asked = |w: &World| {
        let all = query::contacts(w.view(at)).expect("contacts");
        all.iter().any(|c| c.account == asker && c.state == ContactState::Incoming)
    };
    assert!(world.run_until(10 * MINUTE, asked), "the request does not arrive");
    asker
}

/// Something in every space that a chat alone leaves empty.
fn fill(world: &mut World, bob: usize, alice: AccountId, chat: LogId, link: &InviteLink) {
    let number = query::safety(world.view(bob), alice).expect("a safety number").number;
    contacts(world, bob, ContactsCommand::Verify { account: alice, check: Check::Number(number) });
    send_file(world, bob, chat, b"a file that waits for its reader".to_vec());
    // Blocking somebody moves the mailbox of everybody else.
    let carol = world.person("Carol");
    world.run(MINUTE);
    let carol = ask(world, carol, bob, link);
    contacts(world, bob, ContactsCommand::Accept { account: carol });
    world.run(2 * MINUTE);
    contacts(world, bob, ContactsCommand::Block { account: carol });
    // And somebody waits for an answer.
    let dave = world.person("Dave");
    world.run(MINUTE);
    ask(world, dave, bob, link);
    world.run(5_000);
}

/// A chunk that came before the entry that names its file, and a file of which one chunk is here: rows of a moment.
fn stray(rows: &mut Rows) {
    let key = [1u32.to_be_bytes(), 0u32.to_be_bytes()].concat();
    rows.0.insert((files::STRAYS, key), crate::seeds::short_chunk());
    let file = crate::seeds::file().0.id(&crate::seeds::FILE_KEY);
    let key = [files::hash_key(1, &file.0), 0u32.to_be_bytes().to_vec()].concat();
    rows.0.insert((files::STRAY_IDS, key), murre_core::codec::encode(&()));
    rows.0.insert((files::HERE, 1u32.to_be_bytes().to_vec()), murre_core::codec::encode(&1u32));
}

fn make() -> Snapshot {
    let mut world = World::new(3);
    let (bob, alice) = (world.person("Bob"), world.person("Alice"));
    world.run(MINUTE);
    let invite = ContactsCommand::Invite {
        name: Some("Bob".to_owned()),
        hints: vec![],
        kind: murre_device::LinkKind::Personal,
    };
    let Answer::Invite { link, .. } = contacts(&mut world, bob, invite) else { panic!("no invitation") };
    let id = link.id();
    let published = |w: &World| w.hosts[bob].notices.contains(&Notice::InvitePublished { link: id });
    assert!(world.run_until(5 * MINUTE, published), "the door is not stored");
    let add = ContactsCommand::Add { link: link.clone(), hello: "it is Alice".to_owned() };
    let Answer::Contact { chat: Some(chat), .. } = contacts(&mut world, alice, add) else {
        panic!("no chat")
    };
    send(&mut world, alice, chat, "first");
    let asker = ask(&mut world, alice, bob, &link);
    contacts(&mut world, bob, ContactsCommand::Accept { account: asker });
    world.run(2 * MINUTE);
    send(&mut world, bob, chat, "second");
    world.run(2 * MINUTE);
    // What is written last waits: outbox, boxes and parcels have rows.
    world.stop(alice);
    send(&mut world, bob, chat, "third");
    world.run(5_000);
    send(&mut world, bob, chat, "fourth");
    fill(&mut world, bob, asker, chat, &link);
    let wall = world.clock().wall;
    let history = query::history(world.view(bob), chat, None, 100, wall).expect("a history");
    assert!(history.len() >= 4, "{history:?}");
    let network = Directory::stored_network(world.view(0)).expect("a node's store").expect("its network");
    let spaces: Vec<Space> =
        [mailbox::NODES, mailbox::NETWORK].into_iter().chain(murre_custodian::rows::ALL).collect();
    let mut rows = Rows::of(world.view(bob), DEVICE);
    stray(&mut rows);
    Snapshot {
        device: rows,
        other: Rows::of(world.view(alice), DEVICE),
        node: Rows::of(world.view(0), &spaces),
        // The first thing that the world draws.
        node_secret: Rng::from_seed([9; 32]).bytes(),
        network,
        link,
        chat,
        messages: history.iter().map(|message| message.id).collect(),
        now: Now { mono: Mono(1_000), wall },
    }
}

/// Two devices and their group, and what made it.
pub struct Group {
    /// The log whose group it is.
    pub log: LogId,
    /// Its state.
    pub state: StateId,
    /// The invited device's rows before it joined.
    pub invited: Rows,
    /// The same after.
    pub joined: Rows,
    /// Its key package.
    pub package: Vec<u8>,
    /// The Welcome it was sent.
    pub welcome: Vec<u8>,
    /// A message to it.
    pub message: Vec<u8>,
    device: DeviceKey,
    cert: DeviceCert,
}

impl Group {
    /// The invited device.
    #[must_use]
    pub fn identity(&self) -> Identity<'_> {
        Identity { device: &self.device, cert: &self.cert }
    }
}

/// The group; the first call makes it.
///
/// # Panics
/// Two honest devices do not come to a group.
pub fn group() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let (mut alice, mut bob) = (Person::new(1), Person::new(2));
        let log = people::log(1);
        let (_, package) = bob.turn(|e, tx, rng, id| e.key_package(tx, rng, id)).expect("a key package");
        let members = [package.clone()];
        let made = alice.turn(|e, tx, rng, id| e.create(tx, rng, id, log, &members)).expect("a group");
        let invited = Rows(bob.rows.0.clone());
        bob.turn(|e, tx, rng, id| e.join(tx, rng, id, log, made.state, &made.welcome)).expect("joined");
        let message = alice
            .turn(|e, tx, rng, id| e.seal(tx, rng, id, log, made.state, b"header", b"hello"))
            .expect("sealed");
        let joined = Rows(bob.rows.0.clone());
        let Person { device, cert, .. } = bob;
        Group {
            log,
            state: made.state,
            invited,
            joined,
            package,
            welcome: made.welcome,
            message,
            device,
            cert,
        }
    })
}
