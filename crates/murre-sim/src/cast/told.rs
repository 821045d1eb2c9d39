//! What devices tell, before the model.

use super::{Act, Cast, text_of, tick};
use crate::model::Standing;
use crate::net::HostId;
use crate::shell::Sim;
use murre_device::{ContactState, Notice};

impl Cast {
    pub(super) fn noticed(&mut self, sim: &mut Sim, host: HostId, notice: Notice) {
        let who = self.who(host);
        match notice {
            Notice::MessageArrived { message, .. } => {
                sim.watch.seen.arrived(host, message, sim.now);
                if let Some(who) = who {
                    let text = text_of(sim, host, message).unwrap_or_default();
                    let verdict = self.model.arrived(who, message, &text);
                    self.agrees(sim, verdict);
                }
            }
            Notice::MessageState { messages, state, .. } => {
                for message in messages {
                    let text = text_of(sim, host, message);
                    let Some(who) = who else { continue };
                    let verdict = self.model.claims(who, message, text.as_deref(), tick(state), sim.now);
                    self.agrees(sim, verdict);
                }
            }
            Notice::Contact { account, state } => {
                if state == ContactState::Incoming {
                    self.acts.add(sim.now + 10, Act::Pursue);
                }
                let other = self.people.iter().position(|p| p.account == account);
                if let (Some(me), Some(other)) = (who, other) {
                    self.stands(sim, me, other, state);
                }
            }
            Notice::Warning { what, .. } => {
                let what =
                    format!("{} warns of {what:?}, but nobody did anything wrong", sim.hosts[host].name);
                sim.watch.fail("no false alarm", what);
            }
            Notice::NewDevice { device, .. } => {
                let what = format!("{} is told of {device:?}, but everybody has one", sim.hosts[host].name);
                sim.watch.fail("no false alarm", what);
            }
            Notice::File { message, step, .. } => self.file_told(sim, host, message, step),
            Notice::MessageSent { .. }
            | Notice::Verified { .. }
            | Notice::Paying { .. }
            | Notice::Placed { .. }
            | Notice::InvitePublished { .. }
            | Notice::DoorProblem { .. }
            | Notice::Gap { .. } => {}
        }
    }

    pub(super) fn agrees(&self, sim: &mut Sim, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            sim.watch.fail("the model agrees", what);
        }
    }

    pub(super) fn stands(&mut self, sim: &mut Sim, me: usize, other: usize, state: ContactState) {
        let standing = match state {
            ContactState::Requested => Standing::Requested,
            ContactState::Incoming => Standing::Incoming,
            ContactState::Accepted => Standing::Accepted,
            ContactState::Blocked => {
                let asked = self.model.ever_blocked(me, other);
                let verdict =
                    if asked { Ok(()) } else { Err(format!("person {me} shows {other} as blocked")) };
                return self.agrees(sim, verdict);
            }
        };
        let verdict = self.model.stands(me, other, standing);
        self.agrees(sim, verdict);
    }
}
