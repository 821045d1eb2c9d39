//! How files that are under way go on, told now and then to whoever listens. Nothing of it is kept.

use super::rows::{self, FileRow};
use super::{Ctx, Files, FilesUp};
use crate::event::{Progress, ProgressKind};
use crate::limits::{MAX_PROGRESS, PROGRESS_MS};
use murre_core::{Mono, TurnError};
use murre_log::chunk::CHUNK;

/// What was last told of a file, and what is to be told next.
#[derive(Debug)]
pub(super) struct Told {
    at: Mono,
    next: Option<(ProgressKind, u64)>,
}

impl Told {
    pub(super) fn due(&self) -> Option<Mono> {
        self.next.map(|_| self.at.plus(PROGRESS_MS))
    }
}

/// Bytes of so many chunks of a file.
pub(super) fn bytes_of(row: &FileRow, chunks: u32) -> u64 {
    (u64::from(chunks) * CHUNK as u64).min(row.size)
}

impl Files {
    /// A file went on. It is told at once, or with the next that is due.
    // spec: X-16
    pub(super) fn progress(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &FileRow,
        kind: ProgressKind,
        bytes: u64,
    ) -> Result<(), TurnError> {
        let now = cx.now.mono;
        if let Some(told) = self.told.get_mut(&no).filter(|told| now.since(told.at) < PROGRESS_MS) {
            told.next = Some((kind, bytes));
            return Ok(());
        }
        // Of the others it is told when some of these have ended.
        if !self.told.contains_key(&no) && self.told.len() >= MAX_PROGRESS {
            return Ok(());
        }
        self.told.insert(no, Told { at: now, next: None });
        Self::tell_progress(cx, no, row, kind, bytes)
    }

    /// Tells what had to wait, and forgets what has not moved since.
    pub(super) fn progress_due(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let now = cx.now.mono;
        let due = |told: &Told| told.due().is_some_and(|at| at <= now);
        let files: Vec<u32> = self.told.iter().filter(|(_, told)| due(told)).map(|(no, _)| *no).collect();
        for no in files {
            let next = self.told.get_mut(&no).and_then(|told| {
                told.at = now;
                told.next.take()
            });
            if let (Some((kind, bytes)), Some(row)) = (next, rows::file(cx.tx, no)?) {
                Self::tell_progress(cx, no, &row, kind, bytes)?;
            }
        }
        self.told.retain(|_, told| now.since(told.at) < PROGRESS_MS);
        Ok(())
    }

    fn tell_progress(
        cx: &mut Ctx<'_, '_>,
        no: u32,
        row: &FileRow,
        kind: ProgressKind,
        bytes: u64,
    ) -> Result<(), TurnError> {
        // Of several messages that offer it one is named.
        let at = rows::uses(cx.tx, no, 1)?.first().copied().or(row.at);
        if let (Some(chat), Some((message, index))) = (Self::chat(cx, row.contact)?, at) {
            let size = row.size;
            cx.up(FilesUp::Progress(Progress { chat, message, index, kind, bytes, size }));
        }
        Ok(())
    }
}
