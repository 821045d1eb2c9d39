//! Files: what is noted as here is here, what came is what was sent, and nothing stays behind.
//!
//! Looked at at each start and death of a device and in quiet moments: of every file that a device holds, each chunk
//! that its rows claim lies in its blob and is the one whose leaf they hold. So progress never claims more than is
//! durable, whatever died between two batches. At the end every file that nobody gave up is whole at its reader, byte
//! for byte, was told once, and its writer knows.

use crate::cast::Cast;
use crate::model::files::{FileSent, Here, There};
use crate::oracle::history::all;
use crate::shell::Sim;
use murre_core::View;
use murre_core::id::MessageId;
use murre_device::files::rows::{self as file_rows, FILES, FileRow, PAGES, PageRow, STRAYS, WORK};
use murre_device::query::{FileInfo, FileState, QueryError, Theirs};
use murre_device::{FileStep, Notice, query, rows};
use murre_log::chunk::{CHUNK, PAGE, SEALED_CHUNK, leaf, page_root};
use murre_store::MemoryStore;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a file's content that must be found nowhere; shorter files have no such piece.
const NEEDLE: usize = 24;

/// A few bytes out of a file, for those who look for them where they must not be.
#[must_use]
pub fn needles(content: &[u8]) -> Vec<&[u8]> {
    let ends = content.len() >= 2 * NEEDLE;
    let pieces = [content.first_chunk::<NEEDLE>(), content.last_chunk::<NEEDLE>()];
    pieces.into_iter().flatten().map(<[u8; NEEDLE]>::as_slice).filter(|_| ends).collect()
}

/// A file of a message, as its device shows it; nothing if the message is not there.
///
/// # Errors
/// Words for the report.
pub fn info(store: &MemoryStore, message: MessageId) -> Result<Option<FileInfo>, String> {
    match query::file(store, message, 0) {
        Ok(info) => Ok(Some(info)),
        Err(QueryError::UnknownFile) => Ok(None),
        Err(e) => Err(format!("a file cannot be looked at: {e:?}")),
    }
}

/// Where it stands at its reader.
#[must_use]
pub const fn here(info: &FileInfo) -> Here {
    match info.state {
        FileState::Complete => Here::Whole,
        FileState::Cancelled => Here::GivenUp,
        FileState::Gone => Here::Gone,
        FileState::Loading | FileState::Offered | FileState::Wanted => Here::Coming,
    }
}

/// Where its writer's device says that it stands.
#[must_use]
pub const fn there(info: &FileInfo) -> There {
    match info.theirs {
        Some(Theirs::Has) => There::Has,
        Some(Theirs::Declined) => There::Declined,
        Some(Theirs::Withdrawn) => There::Withdrawn,
        Some(Theirs::Waiting) | None => There::Waiting,
    }
}

/// Every file row of a device.
fn files(store: &MemoryStore) -> Result<BTreeMap<u32, FileRow>, String> {
    let mut out = BTreeMap::new();
    for (key, value) in all(store, FILES)? {
        let number = key.try_into().map(u32::from_be_bytes).map_err(|_| "a file without a number")?;
        let row = rows::decode(FILES, &value).map_err(|e| format!("a file cannot be read: {e:?}"))?;
        out.insert(number, row);
    }
    Ok(out)
}

/// Every page row of a file.
fn pages(store: &MemoryStore) -> Result<Vec<(u32, u32, PageRow)>, String> {
    let split = |key: &[u8]| -> Option<(u32, u32)> {
        let (file, page) = (key.first_chunk::<4>()?, key.last_chunk::<4>()?);
        Some((u32::from_be_bytes(*file), u32::from_be_bytes(*page)))
    };
    let rows = all(store, PAGES)?.into_iter().map(|(key, value)| {
        let (file, page) = split(&key).ok_or("a page without a number")?;
        let row: PageRow =
            rows::decode(PAGES, &value).map_err(|e| format!("a page cannot be read: {e:?}"))?;
        Ok::<_, String>((file, page, row))
    });
    rows.collect()
}

/// What the rows of a device note as here lies in its blobs, and of a file that is whole nothing is missing.
///
/// # Errors
/// What is noted and is not there.
pub fn durable(store: &MemoryStore) -> Result<(), String> {
    let files = files(store)?;
    if files.is_empty() {
        return Ok(());
    }
    let mut roots: BTreeMap<u32, usize> = BTreeMap::new();
    for (number, page, noted) in pages(store)? {
        let Some(row) = files.get(&number) else {
            return Err(format!("a page of a file {number} that is none"));
        };
        // While a program hands a file over its length is not known, and nothing is noted of its last page.
        let Some(shape) = row.shape().ok().filter(|_| row.state != FileState::Loading) else { continue };
        let leaves = noted.leaves();
        for at in (0..shape.page_len(page)).filter(|at| noted.has(*at as usize)) {
            let index = page * PAGE + at;
            let offset = u64::from(index) * SEALED_CHUNK as u64;
            let sealed = store.blob(row.blob(), offset, shape.sealed_len(index));
            let sealed = sealed.map_err(|e| format!("a blob cannot be read: {e:?}"))?;
            let sound = sealed.is_some_and(|sealed| leaves.get(at as usize) == Some(&leaf(index, &sealed)));
            if !sound {
                return Err(format!("chunk {index} of file {number} is noted as here and is not"));
            }
        }
        let whole =
            page_root(&leaves).is_some_and(|root| row.roots.get(page as usize).is_some_and(|r| r.0 == root));
        *roots.entry(number).or_default() += usize::from(whole);
    }
    let complete = files.iter().filter(|(_, row)| row.state == FileState::Complete);
    for (number, row) in complete {
        if roots.get(number).copied().unwrap_or(0) != row.roots.len() {
            return Err(format!(
                "file {number} is said to be complete, and its chunks are not those it is named by"
            ));
        }
    }
    Ok(())
}

/// Whether every file that somebody sent has come to its end, at both sides.
///
/// # Errors
/// What is still to be done.
pub fn ended(sim: &Sim, cast: &Cast) -> Result<(), String> {
    for (number, file) in cast.model.files.iter().enumerate() {
        let Some(message) = cast.model.message_of(number) else { continue };
        let look = |who: usize| info(&sim.hosts[cast.people[who].host].store, message);
        let (here, there) = (look(file.to)?.as_ref().map(here), look(file.from)?.as_ref().map(there));
        cast.model.file_ended(number, here, there)?;
    }
    Ok(())
}

/// The last judgement.
pub fn judge(sim: &mut Sim, cast: &Cast) {
    if let Err(what) = ended(sim, cast) {
        sim.watch.fail("files come", what);
    }
    let planted = sim.watch.planted.clone();
    let found = planted.soundly(|| -> Result<(), (&'static str, String)> {
        for (number, file) in cast.model.files.iter().enumerate() {
            whole(sim, cast, number, file).map_err(|what| ("files are whole", what))?;
        }
        for person in &cast.people {
            let store = &sim.hosts[person.host].store;
            let at = |what: String| format!("at {}: {what}", person.name);
            durable(store).map_err(|what| ("files are whole", at(what)))?;
            leftovers(store).map_err(|what| ("nothing stays behind", at(what)))?;
        }
        Ok(())
    });
    if let Err((oracle, what)) = found {
        sim.watch.fail(oracle, what);
    }
}

/// Both have what was sent, sealed; and who got it was told once.
fn whole(sim: &Sim, cast: &Cast, number: usize, file: &FileSent) -> Result<(), String> {
    let Some(message) = cast.model.message_of(number) else { return Ok(()) };
    // Two files of the same bytes, such as two of none, are one for a device.
    let alike = |f: &&FileSent| (f.from, f.to, f.size, f.hash) == (file.from, file.to, file.size, file.hash);
    let texts = cast.model.files.iter().filter(alike).flat_map(|f| &f.texts);
    let named: BTreeSet<MessageId> = texts.filter_map(|text| cast.model.sent[*text].answer).collect();
    let content = cast.contents.get(number).ok_or("a file without bytes")?;
    for who in [file.from, file.to] {
        let store = &sim.hosts[cast.people[who].host].store;
        if let Some(needle) = needles(content).into_iter().find(|needle| store.contains_bytes(needle)) {
            return Err(format!("bytes of file {number} lie in the clear at {who}: {}", hex::encode(needle)));
        }
        let shown = info(store, message)?;
        if shown.as_ref().is_none_or(|info| info.state != FileState::Complete) {
            continue;
        }
        for message in &named {
            let (size, hash) = read(store, *message)?;
            if (size, hash) != (file.size, file.hash) {
                return Err(format!("file {number} of {} bytes has {size} at {who}, and others", file.size));
            }
        }
        let has = shown.is_some_and(|info| info.theirs == Some(Theirs::Has));
        // A reader hears of the file, a writer of each message that offered it. Of the same bytes that were handed over
        // at one moment there are two files.
        let (step, most) = match who == file.to {
            true => (FileStep::Complete, cast.model.files.iter().filter(alike).count()),
            false => (FileStep::Delivered, named.len()),
        };
        let told = told(store, &named, step)?;
        let once = told.values().all(|times| *times == 1) && told.len() <= most;
        if !once || told.is_empty() == (who == file.to || has) {
            return Err(format!("{who} was told {told:?} that file {number} is {step:?}"));
        }
    }
    Ok(())
}

/// Length and hash of a file's bytes, as a program would read them.
fn read(store: &MemoryStore, message: MessageId) -> Result<(u64, [u8; 32]), String> {
    let (mut size, mut hash) = (0, blake3::Hasher::new());
    for part in 0.. {
        let bytes = query::file_part(store, message, 0, part)
            .map_err(|e| format!("part {part} of a file cannot be read: {e:?}"))?;
        let Some(bytes) = bytes else { break };
        size += bytes.len() as u64;
        hash.update(&bytes);
        if bytes.len() < CHUNK {
            break;
        }
    }
    Ok((size, *hash.finalize().as_bytes()))
}

/// How often a device noted this of a file, by the message it noted it of.
fn told(
    store: &MemoryStore,
    named: &BTreeSet<MessageId>,
    step: FileStep,
) -> Result<BTreeMap<MessageId, usize>, String> {
    let mut told = BTreeMap::new();
    for (_, value) in all(store, rows::NOTICES)? {
        let notice: Notice =
            rows::decode(rows::NOTICES, &value).map_err(|e| format!("a notice cannot be read: {e:?}"))?;
        if let Notice::File { message, step: s, .. } = notice
            && s == step
            && named.contains(&message)
        {
            *told.entry(message).or_default() += 1;
        }
    }
    Ok(told)
}

/// Nothing is still to be done, no chunk waits for a file, and every blob and page belongs to one.
fn leftovers(store: &MemoryStore) -> Result<(), String> {
    let files = files(store)?;
    let loading = files.values().filter(|row| row.state == FileState::Loading).count();
    let work = all(store, WORK)?.len();
    if work > loading {
        return Err(format!("{work} files are still worked on, {loading} handed over"));
    }
    let strays = all(store, STRAYS)?.len();
    if strays > 0 {
        return Err(format!("{strays} chunks wait for a file"));
    }
    let blobs = files.values().filter(|row| row.state == FileState::Complete && row.size > 0).count();
    let most = blobs + loading;
    if store.blobs() < blobs || store.blobs() > most {
        return Err(format!("{} blobs for {blobs} files", store.blobs()));
    }
    let held = [FileState::Complete, FileState::Loading];
    let kept = |number: &u32| files.get(number).is_some_and(|row| held.contains(&row.state));
    match pages(store)?.iter().find(|(number, ..)| !kept(number)) {
        Some((number, ..)) => Err(format!("a page of file {number}, which is not here, stays behind")),
        None => by_id(store, &files),
    }
}

/// What finds a file by its id finds one.
fn by_id(store: &MemoryStore, files: &BTreeMap<u32, FileRow>) -> Result<(), String> {
    for (_, value) in all(store, file_rows::BY_ID)? {
        let number: u32 =
            rows::decode(file_rows::BY_ID, &value).map_err(|e| format!("an id cannot be read: {e:?}"))?;
        if !files.contains_key(&number) {
            return Err(format!("an id leads to file {number}, which is none"));
        }
    }
    Ok(())
}
