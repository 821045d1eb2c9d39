use super::*;
use crate::account::{Init, init};
use crate::content::Renewal;
use crate::delivery::Grants;
use murre_core::id::AccountId;
use murre_core::{Cx, Mono, NetworkParams, Now, Rng, Turn, Wall};
use murre_crypto::Phrase;
use murre_mailbox::{CertRun, WriteGrant};
use murre_store::{MemoryStore, Store};
use std::collections::VecDeque;

const NOW: Now = Now { mono: Mono(1_000), wall: Wall(1_790_000_000_000) };

struct Desk {
    rng: Rng,
    store: MemoryStore,
    me: Account,
    delivery: Delivery,
}

impl Desk {
    fn new() -> Self {
        let mut rng = Rng::from_seed([5; 32]);
        let mut store = MemoryStore::new();
        let phrase = Phrase::generate(&mut rng);
        let (batch, _) = init(NOW, [6; 32], &store, &Init { name: "Alice", phrase: &phrase }).unwrap();
        apply(&mut store, &batch);
        let me = Account::open(&store).unwrap().unwrap();
        let delivery = Delivery::open(NOW.mono, &store, NetworkParams::cheap()).unwrap();
        let mut this = Self { rng, store, me, delivery };
        this.turn(|delivery, cx, _| delivery.add_route(cx, 1, AccountId::from_bytes([7; 32])).unwrap());
        this
    }

    fn turn(&mut self, act: impl FnOnce(&mut Delivery, &mut Ctx<'_, '_>, &Account)) {
        let mut up = VecDeque::new();
        let mut tx = Turn::new(&self.store);
        act(&mut self.delivery, &mut Cx::new(NOW, &mut self.rng, &mut tx, &mut up), &self.me);
        let batch = tx.into_batch();
        apply(&mut self.store, &batch);
    }

    /// A grant into a new mailbox of the contact.
    fn grant(&mut self) -> WriteGrant {
        let keys = ReaderKeys::generate(MailboxKind::Account, &mut self.rng);
        let from = keys.address().epoch_at(NOW.wall, &NetworkParams::cheap());
        keys.grant(&mut self.rng, &self.me.tag().public(), from, 4).unwrap()
    }

    fn moved(&mut self, from: Option<&WriteGrant>, to: &WriteGrant) {
        let told = Move { g: to.clone(), s: Vec::new(), o: from.map(|g| name_of(&g.to)) };
        self.turn(|delivery, cx, me| delivery.moved(cx, me, 1, told, &[]).unwrap());
    }

    fn writes_to(&self) -> Option<WriteGrant> {
        Delivery::route(&self.store, 1).unwrap().unwrap().grant
    }
}

fn apply(store: &mut MemoryStore, batch: &murre_core::Batch) {
    store.begin().unwrap();
    store.apply(batch).unwrap();
    store.commit().unwrap();
}

#[test]
fn moves_in_any_order_end_in_the_newest_mailbox() {
    for order in [[0, 1], [1, 0]] {
        let mut desk = Desk::new();
        let chain = [desk.grant(), desk.grant(), desk.grant()];
        let first = Grants { grant: chain[0].clone(), spares: Vec::new() };
        desk.turn(|delivery, cx, _| delivery.set_grant(cx, 1, first, true).unwrap());
        for n in order {
            desk.moved(Some(&chain[n]), &chain[n + 1]);
        }
        assert_eq!(desk.writes_to(), Some(chain[2].clone()), "{order:?}");
        // A handover or a request that comes late does not bring an old one back.
        for old in &chain[..2] {
            let late = Grants { grant: old.clone(), spares: Vec::new() };
            desk.turn(|delivery, cx, _| delivery.set_grant(cx, 1, late, true).unwrap());
            assert_eq!(desk.writes_to(), Some(chain[2].clone()));
        }
    }
}

#[test]
fn a_move_to_what_cannot_be_written_to_is_not_followed() {
    let mut desk = Desk::new();
    let good = desk.grant();
    desk.moved(None, &good);
    let none = WriteGrant { certs: CertRun { f: 0, c: Vec::new() }, ..desk.grant() };
    let spare = WriteGrant { t: Some(Bytes([9; 32])), ..desk.grant() };
    let mut drop = desk.grant();
    drop.to.k = MailboxKind::Drop;
    for bad in [none, spare, drop] {
        desk.moved(None, &bad);
        assert_eq!(desk.writes_to(), Some(good.clone()));
    }
}

#[test]
fn what_a_contact_names_as_gone_is_bounded() {
    let mut desk = Desk::new();
    for _ in 0..MAX_GONE + 3 {
        let (old, new) = (desk.grant(), desk.grant());
        desk.moved(Some(&old), &new);
    }
    assert_eq!(Delivery::route(&desk.store, 1).unwrap().unwrap().gone.len(), MAX_GONE);
}

#[test]
fn certificates_for_another_mailbox_than_the_present_are_not_taken() {
    let mut desk = Desk::new();
    let (old, new) = (desk.grant(), desk.grant());
    desk.moved(Some(&old), &new);
    let late = Renewal { c: old.certs.clone(), m: name_of(&old.to) };
    desk.turn(|delivery, cx, _| delivery.renewed(cx, 1, late).unwrap());
    assert_eq!(desk.writes_to(), Some(new.clone()));
    let more = Renewal { c: CertRun { f: new.certs.f + 1, ..new.certs.clone() }, m: name_of(&new.to) };
    desk.turn(|delivery, cx, _| delivery.renewed(cx, 1, more).unwrap());
    assert_eq!(desk.writes_to().unwrap().certs.f, new.certs.f + 1);
}
