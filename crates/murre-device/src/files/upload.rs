//! A program hands a file over, piece by piece; each is sealed, hashed and stored in its turn.

use super::rows::{self, FileRow, FileState, PageRow};
use super::{Ctx, Files, FilesUp};
use crate::command::{Answer, CommandError};
use crate::content::FileRef;
use crate::limits::{MAX_FILE_NAME, MAX_FILES, MAX_MIME, MAX_UPLOADS, UPLOAD_IDLE_MS};
use crate::rows as device_rows;
use murre_core::id::Bytes;
use murre_core::{BlobNo, CommandId, Label, Mono, TurnError};
use murre_log::Shape;
use murre_log::chunk::{CHUNK, MAX_FILE, PAGE, SEALED_CHUNK, leaf, page_root, seal_chunk};

/// Hash over a file's plaintext, chunk by chunk, by which a file that is sent again is recognised here.
const PLAIN: Label = Label::new("murre v1 file plaintext");

/// A file that is being handed over.
#[derive(Debug)]
pub(super) struct Upload {
    contact: u32,
    name: String,
    mime: String,
    no: u32,
    key: [u8; 32],
    blob: BlobNo,
    size: u64,
    leaves: Vec<[u8; 32]>,
    roots: Vec<Bytes<32>>,
    plain: [u8; 32],
    seen: Mono,
    done: Option<FileRef>,
    /// A message named it: it has done its work.
    sent: bool,
}

impl Upload {
    pub(super) fn due(&self) -> Mono {
        if self.sent { self.seen } else { self.seen.plus(UPLOAD_IDLE_MS) }
    }

    fn chunks(&self) -> u32 {
        self.roots.len() as u32 * PAGE + self.leaves.len() as u32
    }
}

impl Files {
    /// Begins to take a file for the chat with a contact.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn open_upload(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        contact: Option<u32>,
        name: String,
        mime: String,
    ) -> Result<(), TurnError> {
        let answer = match contact {
            None => Err(CommandError::UnknownChat),
            Some(_) if name.is_empty() || name.len() > MAX_FILE_NAME => {
                Err(CommandError::TooLong { what: "file name", len: name.len(), limit: MAX_FILE_NAME })
            }
            Some(_) if mime.len() > MAX_MIME => {
                Err(CommandError::TooLong { what: "media type", len: mime.len(), limit: MAX_MIME })
            }
            Some(_) if self.uploads.len() >= MAX_UPLOADS => {
                Err(CommandError::TooManyUploads { limit: MAX_UPLOADS })
            }
            Some(contact) => Ok(self.new_upload(cx, contact, name, mime)?),
        };
        cx.up(FilesUp::Answer(id, answer));
        Ok(())
    }

    fn new_upload(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        contact: u32,
        name: String,
        mime: String,
    ) -> Result<Answer, TurnError> {
        let no = device_rows::next(cx.tx, "files")? as u32;
        let blob = BlobNo(device_rows::next(cx.tx, "blobs")?);
        // spec: X-1, M-40
        let key: [u8; 32] = cx.rng.bytes();
        let row = FileRow {
            contact,
            id: Bytes([0; 32]),
            key: Bytes(key),
            size: 0,
            roots: Vec::new(),
            blob: blob.0,
            state: FileState::Loading,
            theirs: None,
            mailed: None,
            at: None,
            since: cx.now.wall,
            plain: None,
        };
        rows::save(cx.tx, no, &row);
        device_rows::put(cx.tx, rows::WORK, &no.to_be_bytes(), &());
        let upload = u64::from_be_bytes(cx.rng.bytes());
        let state = Upload {
            contact,
            name,
            mime,
            no,
            key,
            blob,
            size: 0,
            leaves: Vec::new(),
            roots: Vec::new(),
            plain: [0; 32],
            seen: cx.now.mono,
            done: None,
            sent: false,
        };
        self.uploads.insert(upload, state);
        Ok(Answer::Upload { upload })
    }

    /// Takes the next piece: exactly [`CHUNK`] bytes, or fewer if it is the last.
    ///
    /// # Errors
    /// [`TurnError`] if the store fails.
    pub fn piece(
        &mut self,
        cx: &mut Ctx<'_, '_>,
        id: CommandId,
        upload: u64,
        offset: u64,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), TurnError> {
        let answer = match self.uploads.get_mut(&upload) {
            None => Err(CommandError::UnknownUpload),
            Some(state) if state.done.is_some() || state.size != offset => Err(CommandError::PieceOrder),
            Some(_) if bytes.len() > CHUNK || (bytes.len() < CHUNK && !last) => {
                Err(CommandError::PieceSize { len: bytes.len(), size: CHUNK })
            }
            Some(state) if state.size + bytes.len() as u64 > MAX_FILE => {
                Err(CommandError::FileTooLarge { limit: MAX_FILE })
            }
            Some(state) => {
                state.seen = cx.now.mono;
                store(cx, state, bytes);
                if last {
                    finish(cx, state)?;
                }
                Ok(Answer::Done)
            }
        };
        cx.up(FilesUp::Answer(id, answer));
        Ok(())
    }

    /// What a message of these uploads names, which a command wants to send.
    ///
    /// # Errors
    /// [`CommandError`] if one is unknown, unfinished or of another chat.
    pub fn refs(
        &mut self,
        id: CommandId,
        contact: Option<u32>,
        uploads: &[u64],
    ) -> Result<Vec<FileRef>, CommandError> {
        if uploads.len() > MAX_FILES {
            return Err(CommandError::TooManyFiles { limit: MAX_FILES });
        }
        let of = |upload: &u64| {
            let state = self.uploads.get(upload).filter(|u| Some(u.contact) == contact && !u.sent);
            state.and_then(|u| u.done.clone()).ok_or(CommandError::UnknownUpload)
        };
        let files = uploads.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        if !uploads.is_empty() {
            self.sending.insert(id, uploads.to_vec());
        }
        Ok(files)
    }

    /// A command is answered. If it sent files, just these uploads are over: others of the same bytes go on.
    // spec: X-15
    pub fn answered(&mut self, now: Mono, id: CommandId, sent: bool) {
        for upload in self.sending.remove(&id).into_iter().flatten() {
            if let Some(state) = self.uploads.get_mut(&upload).filter(|_| sent) {
                (state.sent, state.seen) = (true, now);
            }
        }
    }

    /// Lets go of uploads that were sent, or whose programs have gone.
    pub(super) fn expire_uploads(&mut self, cx: &mut Ctx<'_, '_>) -> Result<(), TurnError> {
        let now = cx.now.mono;
        let over: Vec<u64> = self.uploads.iter().filter(|(_, u)| u.due() <= now).map(|(id, _)| *id).collect();
        for upload in over {
            let Some(state) = self.uploads.remove(&upload) else { continue };
            // Unless a message names it, or it was there before.
            if let Some(row) = rows::file(cx.tx, state.no)?.filter(|r| r.state == FileState::Loading) {
                self.erase(cx, state.no, &row)?;
            }
        }
        Ok(())
    }
}

fn store(cx: &mut Ctx<'_, '_>, state: &mut Upload, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let index = state.chunks();
    let sealed = seal_chunk(&state.key, index, bytes);
    state.leaves.push(leaf(index, &sealed));
    state.plain = PLAIN.hash(&[&state.plain, bytes]);
    state.size += bytes.len() as u64;
    // spec: X-2
    cx.tx.write_blob(state.blob, u64::from(index) * SEALED_CHUNK as u64, sealed);
    if state.leaves.len() == PAGE as usize {
        turn_page(cx, state);
    }
}

fn turn_page(cx: &mut Ctx<'_, '_>, state: &mut Upload) {
    let leaves = std::mem::take(&mut state.leaves);
    let Some(root) = page_root(&leaves) else { return };
    let mut page = PageRow::empty(leaves.len() as u32);
    for (at, leaf) in leaves.iter().enumerate() {
        page.set(at, leaf);
    }
    device_rows::put(cx.tx, rows::PAGES, &rows::page_key(state.no, state.roots.len() as u32), &page);
    state.roots.push(Bytes(root));
}

/// The last piece is there. A file that this chat has seen before is not kept twice.
fn finish(cx: &mut Ctx<'_, '_>, state: &mut Upload) -> Result<(), TurnError> {
    turn_page(cx, state);
    let plain = PLAIN.hash(&[&state.plain, &state.size.to_be_bytes()]);
    let known = device_rows::get::<u32>(cx.tx, rows::BY_PLAIN, &rows::hash_key(state.contact, &plain))?;
    let known = match known {
        Some(no) => rows::file(cx.tx, no)?.filter(FileRow::can_serve).map(|row| (no, row)),
        None => None,
    };
    // spec: X-9
    let row = match known {
        Some((no, row)) => {
            cx.tx.drop_blob(state.blob);
            for page in 0..state.roots.len() as u32 {
                cx.tx.delete(rows::PAGES, &rows::page_key(state.no, page));
            }
            cx.tx.erase(rows::FILES, &state.no.to_be_bytes());
            cx.tx.delete(rows::WORK, &state.no.to_be_bytes());
            state.no = no;
            row
        }
        None => {
            let damaged = TurnError::Damaged { space: rows::FILES.name };
            let mut row = rows::file(cx.tx, state.no)?.ok_or(damaged)?;
            (row.size, row.roots) = (state.size, state.roots.clone());
            row.plain = Some(Bytes(plain));
            let shape = Shape::new(row.size, row.roots.clone());
            row.id = shape.map_or(row.id, |shape| shape.id(&state.key));
            rows::save(cx.tx, state.no, &row);
            device_rows::put(cx.tx, rows::BY_ID, &rows::hash_key(state.contact, &row.id.0), &state.no);
            device_rows::put(cx.tx, rows::BY_PLAIN, &rows::hash_key(state.contact, &plain), &state.no);
            row
        }
    };
    state.done =
        Some(FileRef { k: row.key, m: state.mime.clone(), n: state.name.clone(), p: row.roots, s: row.size });
    Ok(())
}
