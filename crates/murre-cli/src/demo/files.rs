//! The scenes with files: one that waits in boxes, one that needs both online and outlives a crash.

use super::Teller;
use super::person::{CheckError, Person, Seen};
use super::steps::{Cast, LIMIT, Scene, expect, text};
use crate::text::demo as words;
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::Path;

const SMALL: u64 = 5 << 20;
const LARGE: u64 = 300 << 20;
/// Bob is killed once he has so much of the large file.
const MIDDLE: u64 = 60 << 20;

impl Cast {
    /// A file that goes through mailboxes.
    pub(super) fn small_file(&mut self, teller: &mut Teller, chat: &str, dir: &Path) -> Scene {
        let bootstrap = self.bootstrap();
        let (alice, bob) = (&mut self.alice, &mut self.bob);
        let from = dir.join("sunrise.raw");
        let message = teller.step(words::FILE_SENT, || {
            bob.stop()?;
            make(&from, SMALL)?;
            send(alice, chat, &from)
        })?;
        teller.step(words::FILE_STORED, || {
            alice.all_in(chat, std::slice::from_ref(&message), &["stored"], LIMIT)?;
            alice.until("chunks becoming stored", LIMIT, |alice| {
                let waiting = counter(alice, "files.mailing")?;
                Ok(Seen::when(waiting == 0, || format!("{waiting} on the way")))
            })?;
            alice.stop()
        })?;
        teller.step(words::FILE_ARRIVED, || {
            bob.start(&bootstrap)?;
            save(bob, &message, &from, &dir.join("from-alice.raw"))?;
            alice.start(&bootstrap)
        })
    }

    /// A file that needs a live link. Bob dies in the middle of it.
    pub(super) fn large_file(&mut self, teller: &mut Teller, chat: &str, dir: &Path) -> Scene {
        let bootstrap = self.bootstrap();
        let (alice, bob) = (&self.alice, &mut self.bob);
        let from = dir.join("film.raw");
        let message = teller.step(words::LARGE_SENT, || {
            make(&from, LARGE)?;
            let message = send(alice, chat, &from)?;
            bob.until("the offer", LIMIT, |bob| {
                let offered = bob.lines(&["file", "info", &message, "0"]).is_ok();
                Ok(Seen::when(offered, || "no such message yet".to_owned()))
            })?;
            Ok(message)
        })?;
        let before = teller.step(words::LARGE_KILLED, || {
            // Larger than what is fetched unasked: somebody has to want it.
            let saving = bob.begin(&["file", "save", &message, "0", path(&dir.join("lost.raw"))])?;
            bob.until("a part of the file", LIMIT, |bob| {
                let here = here(bob, &message)?;
                Ok(Seen::when(here >= MIDDLE, || here.to_string()))
            })?;
            bob.kill();
            drop(saving);
            expect("only a part saved", !dir.join("lost.raw").exists(), &Value::from("lost.raw"))?;
            counter(alice, "files.chunks_sent")
        })?;
        let kept = teller.step(words::LARGE_ARRIVED, || {
            bob.start(&bootstrap)?;
            let kept = here(bob, &message)?;
            save(bob, &message, &from, &dir.join("film-from-alice.raw"))?;
            Ok(kept)
        })?;
        teller.step(words::LARGE_ONCE, || {
            let stored = counter(bob, "files.chunks_stored")?;
            let twice = counter(bob, "files.chunks_twice")?;
            let again = counter(alice, "files.chunks_sent")?.saturating_sub(before);
            let (chunk, left) = (murre::FILE_CHUNK as u64, LARGE.saturating_sub(kept));
            expect("what was kept is kept", kept >= MIDDLE / 2, &Value::from(kept))?;
            expect("each missing chunk stored once", stored == left.div_ceil(chunk), &Value::from(stored))?;
            expect("none twice", twice == 0, &Value::from(twice))?;
            expect("none sent again", again <= left.div_ceil(chunk) + 1, &Value::from(again))
        })
    }
}

/// A file whose bytes repeat nowhere.
fn make(path: &Path, len: u64) -> Result<(), CheckError> {
    let write = || {
        let mut file = File::create(path)?;
        let (mut state, mut left) = (len | 1, len as usize);
        let mut block = Vec::with_capacity(1 << 20);
        while left > 0 {
            block.clear();
            while block.len() < 1 << 20 {
                // xorshift64: fast, and no two blocks are alike.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                block.extend_from_slice(&state.to_le_bytes());
            }
            let part = left.min(block.len());
            file.write_all(&block[..part])?;
            left -= part;
        }
        Ok::<(), std::io::Error>(())
    };
    write()
        .map_err(|error| CheckError::Wrong { expected: path.display().to_string(), found: error.to_string() })
}

fn send(person: &Person, chat: &str, file: &Path) -> Result<String, CheckError> {
    let lines = person.lines(&["send", chat, "--file", path(file)])?;
    text(lines.last().unwrap_or(&Value::Null), "message")
}

/// Saves a file and compares it with what was sent.
fn save(person: &Person, message: &str, from: &Path, to: &Path) -> Result<(), CheckError> {
    person.until("the message", LIMIT, |person| {
        let there = person.lines(&["file", "info", message, "0"]).is_ok();
        Ok(Seen::when(there, || "no such message yet".to_owned()))
    })?;
    let lines = person.lines(&["file", "save", message, "0", path(to)])?;
    let saved = lines.last().cloned().unwrap_or(Value::Null);
    expect("the same SHA-256", saved["sha256"].as_str() == Some(&sha256(from)?), &saved)?;
    expect("the same on disk", sha256(to)? == sha256(from)?, &saved)
}

fn here(person: &Person, message: &str) -> Result<u64, CheckError> {
    Ok(person.one(&["file", "info", message, "0"])?["here"].as_u64().unwrap_or_default())
}

fn counter(person: &Person, name: &str) -> Result<u64, CheckError> {
    let doctor = person.one(&["doctor"])?;
    let value = doctor["counters"][name].as_u64();
    value
        .ok_or_else(|| CheckError::Wrong { expected: name.to_owned(), found: doctor["counters"].to_string() })
}

fn sha256(path: &Path) -> Result<String, CheckError> {
    use sha2::Digest;
    let hash = || {
        let mut hash = sha2::Sha256::new();
        std::io::copy(&mut File::open(path)?, &mut hash)?;
        Ok::<_, std::io::Error>(data_encoding::HEXLOWER.encode(&hash.finalize()))
    };
    hash()
        .map_err(|error| CheckError::Wrong { expected: path.display().to_string(), found: error.to_string() })
}

/// Every path of the demonstration is ASCII.
fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
