//! A key that was used is gone: what was read once cannot be read again from the disk.
//!
//! Forward secrecy is invisible in a conversation that works, so this oracle plays the thief: it takes a device's
//! store as it lies there and tries to open the ciphertexts that this device has opened before.

use crate::cast::Cast;
use crate::shell::Sim;
use murre_core::{Direction, Range, Turn, View};
use murre_device::rows::{self, ChatRow};
use murre_group::GroupEngine;
use murre_log::{LogNo, Logs};

/// Entries of one author that are tried.
const TRIED: u32 = 6;

/// Tries to open again what every device has opened.
pub fn check(sim: &mut Sim, cast: &Cast) {
    let planted = sim.watch.planted.clone();
    let found = planted.soundly(|| {
        cast.people.iter().find_map(|p| {
            let reopened = reopened(&sim.hosts[p.host].store)?;
            Some(format!("the store of {} opens entry {reopened} a second time", p.name))
        })
    });
    if let Some(what) = found {
        sim.watch.fail("keys are forgotten", what);
    }
}

/// The number of an entry that opens although it was opened before.
fn reopened(view: &dyn View) -> Option<u32> {
    let logs = Logs::open();
    for (_, value) in view.scan(rows::CHATS, &Range::all(), Direction::Forward, 64).ok()? {
        let chat: ChatRow = rows::decode(rows::CHATS, &value).ok()?;
        for log in &chat.logs {
            for (by, last) in logs.frontier(view, LogNo(log.no)).ok()? {
                if by == log.by {
                    continue;
                }
                for seq in last.saturating_sub(TRIED)..=last {
                    let Ok(Some(entry)) = logs.entry(view, LogNo(log.no), by, seq) else { continue };
                    let mut tx = Turn::new(view);
                    let opened = GroupEngine::new().open(&mut tx, log.id, entry.header().state, entry.body());
                    if opened.is_ok() {
                        return Some(seq);
                    }
                }
            }
        }
    }
    None
}
