//! A mailbox with a writer, and the usual requests.

use super::wire::World;
use murre_core::id::{BoxId, PeerKey};
use murre_core::time::HOUR;
use murre_core::{NetworkParams, Rng, Wall};
use murre_crypto::Secret;
use murre_mailbox::{
    Cursor, EpochReader, ListBody, MailboxKind, NetworkFile, PutRefusal, ReadKind, ReaderKeys, Receipt,
    Reply, Request, SealedBox, SignedRead, SpaceProof, TagKey, VerifiedBox, Writer, space_puzzle,
};

pub fn cheap() -> NetworkFile {
    NetworkFile::new("test", NetworkParams::cheap())
}

/// One mailbox, one writer with a tag certified for the present and some later epochs.
pub struct Mail {
    pub reader: ReaderKeys,
    pub writer: Writer,
    pub epoch: u64,
    pub p: NetworkParams,
}

impl Mail {
    pub fn new(kind: MailboxKind, seed: u8, world: &World) -> Self {
        let mut rng = Rng::from_seed([seed; 32]);
        let reader = ReaderKeys::generate(kind, &mut rng);
        let p = world.network.params;
        let epoch = reader.address().epoch_at(world.wall(), &p);
        let writer = Self::writer_of(&reader, &mut rng, epoch);
        Self { reader, writer, epoch, p }
    }

    pub fn writer_of(reader: &ReaderKeys, rng: &mut Rng, epoch: u64) -> Writer {
        let tag = TagKey::generate(rng);
        let grant = reader.grant(rng, &tag.public(), epoch, 8).unwrap();
        Writer::new(&grant, Some(&tag)).unwrap()
    }

    pub fn at(&self) -> EpochReader {
        self.reader.at(self.epoch).unwrap()
    }

    pub fn boxed(&self, wall: Wall, index: u64, text: &[u8]) -> VerifiedBox {
        self.seal(&self.writer, wall, index, text)
    }

    pub fn seal(&self, writer: &Writer, wall: Wall, index: u64, text: &[u8]) -> VerifiedBox {
        let sealed = writer.seal_box(self.epoch, index, wall.hour() + 7 * 24, text).unwrap();
        SealedBox::parse(sealed.wire()).unwrap().verify(&self.p).unwrap()
    }

    /// A proof for a block at the plain price.
    pub fn proof(&self, block: u32) -> SpaceProof {
        let puzzle = space_puzzle(&self.at().locator, self.epoch, block, self.p.space);
        SpaceProof { block, solution: puzzle.solve(0, 10_000).unwrap() }
    }

    pub fn list(
        &self,
        wall: Wall,
        cursors: Vec<(PeerKey, Cursor)>,
        wait_ms: u32,
        careful: bool,
    ) -> SignedRead {
        self.at().sign_read(wall, ReadKind::List { cursors, wait_ms, careful })
    }

    pub fn get(&self, wall: Wall, ids: Vec<BoxId>) -> SignedRead {
        self.at().sign_read(wall, ReadKind::Get { ids })
    }

    /// The nodes of its placement as node `i` sees them.
    pub fn placement(&self, world: &World, i: usize) -> Vec<PeerKey> {
        let node = world.nodes[i].machine.as_ref().unwrap();
        node.feeder.directory.placement(&self.at().locator, self.epoch, world.wall())
    }

    /// Puts a box through a coordinator with payment for block 0 and returns the valid receipts' nodes.
    pub fn put(&self, world: &mut World, node: usize, b: &VerifiedBox) -> Vec<PeerKey> {
        let (receipts, refused) = put_reply(world.ask(node, put(b, Some(self.proof(0)), true)));
        assert!(refused.is_empty(), "{refused:?}");
        receipts.into_iter().map(|r| murre_mailbox::receipt::check(r, &b.into()).unwrap()).collect()
    }
}

pub fn put(b: &VerifiedBox, proof: Option<SpaceProof>, fan: bool) -> Request {
    Request::Put { b: b.wire().to_vec().into(), proof, fan }
}

pub fn put_reply(reply: Reply) -> (Vec<Receipt>, Vec<(PeerKey, PutRefusal)>) {
    match reply {
        Reply::Put { receipts, refused } => (receipts, refused),
        other => panic!("not an answer to a put: {other:?}"),
    }
}

/// The one reason why one node refused a put.
pub fn refusal(reply: Reply) -> PutRefusal {
    let (receipts, mut refused) = put_reply(reply);
    assert!(receipts.is_empty() && refused.len() == 1);
    refused.remove(0).1
}

pub fn parts(reply: Reply) -> Vec<ListBody> {
    match reply {
        Reply::List { parts } => parts.into_iter().map(|p| p.verify().unwrap().into_body()).collect(),
        other => panic!("not an answer to a list: {other:?}"),
    }
}

pub fn boxes(reply: Reply) -> Vec<Vec<u8>> {
    match reply {
        Reply::Get { boxes } => boxes.into_iter().map(serde_bytes::ByteBuf::into_vec).collect(),
        other => panic!("not an answer to a get: {other:?}"),
    }
}

/// Which nodes hold this box in their rows.
pub fn holders(world: &World, b: &VerifiedBox) -> Vec<PeerKey> {
    world.nodes.iter().filter(|n| n.store.contains_bytes(b.payload())).map(|n| n.peer).collect()
}

/// A door of a link: the owner's keys.
pub fn door(seed: u8) -> (ReaderKeys, Secret<32>) {
    let mut rng = Rng::from_seed([seed; 32]);
    let secret = Secret::generate(&mut rng);
    let owner = murre_crypto::BlindKey::generate(&mut rng);
    let link = Secret::new(*secret.expose());
    (ReaderKeys::from_secret(MailboxKind::Door, &link).with_owner(owner), secret)
}

pub const DAY_MS: u64 = 24 * HOUR;
