//! A node on a disk that is really full.

use crate::bare::{Bare, Mailbox, Said, said, takes_part};
use crate::skip::skipped;
use murre::{NodeConfig, node};
use murre_mailbox::{PutRefusal, Reply};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A small disk of its own, if this user may mount one.
struct Disk(TempDir);

impl Disk {
    fn mount(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        mount.is_ok_and(|done| done.status.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}

/// Writes until nothing more fits.
fn fill(disk: &Disk) {
    let mut file = std::fs::File::create(disk.path().join("of-others")).unwrap();
    for size in [1 << 20, 4_096] {
        let block = vec![1; size];
        loop {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_a_full_disk_says_so_serves_reads_and_takes_puts_again() {
    let Some(disk) = Disk::mount(96) else {
        return skipped("a node on a full disk", "this user may not mount a small disk");
    };
    let config = || NodeConfig { capacity: Some(1 << 30), ..NodeConfig::devnet(disk.path().join("node")) };
    let node = node::run(config()).await.unwrap_or_else(|e| panic!("{e}"));
    takes_part(&node).await;
    let addr = node.ready().listen[0].clone();
    let mailbox = Mailbox::new(1);
    let mut bare = Bare::new(&addr, 1).await;
    let first = mailbox.boxed(0, 100);
    let reply = bare.ask(mailbox.put(&first, false)).await.expect("an answer");
    assert_eq!(said(reply, &first), Said::Receipts(1));

    fill(&disk);
    let (mut held, mut seed) = (vec![first], 1);
    let refused = loop {
        // Large ones: whatever the store has left is used up in a moment.
        let b = mailbox.boxed(held.len() as u64, 200_000);
        match bare.ask(mailbox.put(&b, false)).await.map(|reply| said(reply, &b)) {
            Some(Said::Receipts(1)) => held.push(b),
            Some(Said::Refused(PutRefusal::NoRoom)) => break b,
            // A write failed before anybody had looked: the link was cut, and nothing signed.
            None => {
                seed += 1;
                bare = Bare::new(&addr, seed).await;
            }
            other => panic!("{other:?}"),
        }
        assert!(held.len() < 400, "a full disk is noticed");
    };
    assert!(node.status().await.unwrap().without_room);
    let ids = vec![held[0].id()];
    match bare.ask(mailbox.get(ids)).await {
        Some(Reply::Get { boxes }) => assert_eq!(boxes[0], held[0].wire(), "reads are served"),
        other => panic!("{other:?}"),
    }

    std::fs::remove_file(disk.path().join("of-others")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match bare.ask(mailbox.put(&refused, false)).await.map(|reply| said(reply, &refused)) {
            Some(Said::Receipts(1)) => break,
            Some(Said::Refused(PutRefusal::NoRoom)) => assert!(Instant::now() < deadline, "room is back"),
            other => panic!("{other:?}"),
        }
    }
    held.push(refused);
    node.shutdown().await;

    // Whatever was signed for is there.
    let node = node::run(config()).await.unwrap_or_else(|e| panic!("{e}"));
    let mut bare = Bare::new(&node.ready().listen[0], 200).await;
    for b in &held {
        match bare.ask(mailbox.get(vec![b.id()])).await {
            Some(Reply::Get { boxes }) => assert!(boxes.first().is_some_and(|got| got == b.wire())),
            other => panic!("{other:?}"),
        }
    }
    node.shutdown().await;
}
