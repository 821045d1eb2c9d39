//! Reading a door: r custodians are asked for the owner object, the newest valid one is taken. More than k - w of them
//! are asked wherever k - w < r, so that an owner's word that the door is shut is met if it was stored.
//!
//! A question that nobody answers waits: silence says nothing about a door.

use super::ClientCx;
use super::events::{ClientEvent, GetKey};
use super::limits::{MAX_OBJECT_GETS, MAX_OBJECTS, OBJECT_AGAIN_MS, REQUEST_MS};
use super::wire::{Purpose, Wire};
use crate::door::{SignedObject, VerifiedObject};
use crate::frame::{Reply, Request};
use crate::keys::{MailboxAddress, Place};
use murre_core::Mono;
use murre_core::id::PeerKey;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One question.
struct Question {
    place: Place,
    epoch: u64,
    address: MailboxAddress,
    asked: BTreeSet<PeerKey>,
    flying: usize,
    answers: usize,
    best: Option<VerifiedObject>,
}

/// Every question for an owner object. Each ends with one answer, found or not, once a custodian was heard.
#[derive(Default)]
pub struct Objects {
    asking: BTreeMap<GetKey, Question>,
    waiting: VecDeque<(GetKey, MailboxAddress)>,
    pub stirred: bool,
    /// When those that nobody answered are asked again.
    pub again_at: Option<Mono>,
}

impl Objects {
    /// Begins a question. One that finds no room is put off at once.
    pub fn get(&mut self, cx: &mut ClientCx<'_, '_>, wire: &Wire, key: GetKey, address: MailboxAddress) {
        if self.asking.contains_key(&key) || self.waiting.iter().any(|(k, _)| *k == key) {
            return;
        }
        if self.asking.len() + self.waiting.len() >= MAX_OBJECT_GETS {
            cx.up(ClientEvent::ObjectLater { get: key });
            return;
        }
        self.stirred = true;
        if wire.network.is_none() {
            self.waiting.push_back((key, address));
        } else {
            self.begin(cx, wire, key, address);
        }
    }

    fn begin(&mut self, cx: &mut ClientCx<'_, '_>, wire: &Wire, key: GetKey, address: MailboxAddress) {
        let Some(params) = wire.params() else { return };
        let epoch = address.epoch_at(wire.time(cx.now), params);
        match address.at(epoch) {
            Ok(place) => {
                let asked = BTreeSet::new();
                let question = Question { place, epoch, address, asked, flying: 0, answers: 0, best: None };
                self.asking.insert(key, question);
            }
            Err(_) => cx.up(ClientEvent::Object { get: key, result: None }),
        }
    }

    /// Sends whatever can be sent now.
    // spec: BC-18
    pub fn drive(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire) {
        let due = self.again_at.take_if(|at| *at <= cx.now.mono).is_some();
        if wire.network.is_none() || !(std::mem::take(&mut self.stirred) || due) {
            return;
        }
        while let Some((key, address)) = self.waiting.pop_front() {
            self.begin(cx, wire, key, address);
        }
        let keys: Vec<GetKey> = self.asking.keys().copied().collect();
        for key in keys {
            self.drive_one(cx, wire, key);
        }
    }

    fn drive_one(&mut self, cx: &mut ClientCx<'_, '_>, wire: &mut Wire, key: GetKey) {
        let Some(question) = self.asking.get_mut(&key) else { return };
        let placement = wire.placement(&question.place.locator(), question.epoch, cx.now);
        let q = wire.quorum(cx.now);
        let first: Vec<PeerKey> = placement.iter().take(q.k).copied().collect();
        while question.answers + question.flying < q.r {
            if !wire.has_room() {
                self.stirred = true;
                return;
            }
            let node = wire
                .choose(cx, &first, &question.asked)
                .or_else(|| wire.choose(cx, &placement, &question.asked));
            let Some(node) = node else { break };
            question.asked.insert(node);
            let body = Request::GetObject { place: question.place, e: question.epoch, fan: false };
            if wire.request(cx, node, Purpose::Object(key), body, REQUEST_MS) {
                question.flying += 1;
            }
        }
        if question.flying == 0
            && let Some(done) = self.asking.remove(&key)
        {
            // spec: BC-18
            if done.answers == 0 {
                self.waiting.push_back((key, done.address));
                self.again_at = Some(cx.now.mono.plus(OBJECT_AGAIN_MS));
                return;
            }
            cx.up(ClientEvent::Object { get: key, result: done.best });
        }
    }

    /// A custodian answered.
    pub fn answered(
        &mut self,
        cx: &mut ClientCx<'_, '_>,
        wire: &mut Wire,
        node: PeerKey,
        key: GetKey,
        reply: Reply,
    ) {
        self.stirred = true;
        let (Some(question), Some(params)) = (self.asking.get_mut(&key), wire.params()) else { return };
        question.flying = question.flying.saturating_sub(1);
        let objects = match reply {
            Reply::Object { objects } => objects,
            Reply::Refused(_) => Vec::new(),
            _ => {
                wire.peers.avoid(node, cx.now.mono);
                return;
            }
        };
        question.answers += 1;
        let mut lied = false;
        for bytes in objects.iter().take(MAX_OBJECTS) {
            let object = SignedObject::parse(bytes).ok().and_then(|o| o.verify(params).ok());
            match object.filter(|o| o.place == question.place && o.e == question.epoch) {
                Some(object) if question.best.as_ref().is_none_or(|b| newer(&object, b)) => {
                    question.best = Some(object);
                }
                Some(_) => {}
                None => lied = true,
            }
        }
        if lied {
            wire.peers.avoid(node, cx.now.mono);
        }
    }

    /// A custodian was silent.
    pub fn failed(&mut self, key: GetKey) {
        self.stirred = true;
        if let Some(question) = self.asking.get_mut(&key) {
            question.flying = question.flying.saturating_sub(1);
        }
    }
}

/// A closed door stays closed; else the later expiry wins; of two with one expiry the greater hash, so that everybody
/// takes the same.
fn newer(a: &VerifiedObject, b: &VerifiedObject) -> bool {
    (a.closed(), a.x, a.hash()) > (b.closed(), b.x, b.hash())
}
