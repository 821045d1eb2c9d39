//! Rows of a home in which nothing happens: memory, processor, bytes.

use super::Sizes;
use super::person::{Person, devnet, until};
use super::sockets::{Sockets, since, sockets};
use super::table::{Result, Table};
use super::toxcore::Figures;
use murre::v1::{self, MessageState, event::What};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Time between two looks at the sockets: those that come and go in between are not seen.
const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn toxcore(table: &mut Table, program: &Path, smoke: bool) -> Result<()> {
    let found = Figures::measure(program, "idle", smoke).await?;
    let long = found.get("idle_s")?;
    let how = |what: &str| {
        format!(
            "{what}, two nodes that are friends, {long:.0} s without a word, iterated at its own interval"
        )
    };
    found.beside(table, "rss_idle_mb", "idle_rss_mb", how("highest resident memory"));
    found.beside(table, "idle_cpu_s_per_min", "idle_cpu_s_per_min", how("mean of both"));
    // A packet that one sends the other receives: what goes over lo is what each of two has on its line.
    let both = how("sent and received by one, all that goes over lo, IP level");
    found.beside(table, "idle_bytes_per_min", "idle_bytes_per_min", both);
    Ok(())
}

/// Ann has many chats; one friend is there, the others are away.
pub(super) async fn rows(murre: &Path, dir: &Path, table: &mut Table, sizes: &Sizes) -> Result<()> {
    std::fs::create_dir(dir)?;
    let (mut nodes, bootstrap) = devnet(murre, dir).await?;
    let mut ann = Person::new(murre, &dir.join("ann"), "Ann", &bootstrap).await?;
    let mut there = None;
    for n in 0..sizes.friends {
        let name = format!("friend{n}");
        let mut friend = Person::new(murre, &dir.join(&name), &name, &bootstrap).await?;
        befriend(&ann, &friend).await?;
        if n + 1 == sizes.friends {
            ann.counts("device.live_contacts", 1).await?;
            there = Some(friend);
        } else {
            friend.stop().await?;
            ann.counts("device.live_contacts", 0).await?;
        }
    }
    sleep(sizes.settle).await;
    idle(table, &ann, sizes).await?;
    for person in there.iter_mut().chain([&mut ann]) {
        person.stop().await?;
    }
    nodes.stop().await
}

async fn befriend(ann: &Person, friend: &Person) -> Result<()> {
    let mut events = ann.client.watch(None).await?;
    let invite = ann.client.invite(None).await?;
    let chat = friend.client.contact_add(&invite.link, "hello").await?.chat;
    let asked = until(&mut events, |what| match what {
        What::Contact(change) if change.state() == v1::ContactState::Incoming => Some(change.contact),
        _ => None,
    });
    ann.client.accept(&asked.await?.0).await?;
    let first = friend.send(&chat, "first").await?;
    friend.all_in([first].iter(), MessageState::Delivered).await?;
    // Only so many invitations may be open at once, and one that was used stays so.
    Ok(ann.client.withdraw(&invite.link).await?)
}

async fn idle(table: &mut Table, ann: &Person, sizes: &Sizes) -> Result<()> {
    let pid = ann.proc.child.id().ok_or("the process has ended")?;
    let began = Instant::now();
    let (cpu, first) = (cpu(pid)?, sockets(pid).await?);
    let (mut newest, mut links): (Sockets, usize) = (first.clone(), first.len());
    while began.elapsed() < sizes.idle {
        sleep(LOOK.min(sizes.idle)).await;
        let now = sockets(pid).await?;
        links = links.max(now.len());
        newest.extend(now);
    }
    let (minutes, used) = (began.elapsed().as_secs_f64() / 60.0, cpu_since(pid, cpu)?);
    let what = format!(
        "`murre up`, profile direct, one account, {} chats, one of these friends online, joined to a devnet of 8 nodes, \
         {:.0} s without a call, {:.0} s after the last",
        sizes.friends,
        minutes * 60.0,
        sizes.settle.as_secs_f64()
    );
    table.row("rss_idle_mb", resident_mb(pid)?, "MB", 1, &format!("VmRSS, {what}"))?;
    let method = format!("user and system time of all its threads, {what}");
    table.row("idle_cpu_s_per_min", used.as_secs_f64() / minutes, "s", 1, &method)?;
    let bytes = since(&first, &newest) as f64 / minutes;
    let method = format!("all its TCP connections both ways with heads, at most {links} at once, {what}");
    table.row("idle_bytes_per_min", bytes, "bytes", 1, &method)
}

/// What the threads of a process have used so far.
fn cpu(pid: u32) -> Result<Duration> {
    let mut used = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        used += stat.split_whitespace().next().ok_or("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(used))
}

fn cpu_since(pid: u32, before: Duration) -> Result<Duration> {
    Ok(cpu(pid)?.checked_sub(before).ok_or("a thread ended meanwhile: its time is lost")?)
}

fn resident_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1_024.0 / 1e6)
}
