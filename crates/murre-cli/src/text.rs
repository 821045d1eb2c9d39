//! Every word that people read, in one place.
//!
//! Texts of other people pass through [`safe`] here, on their way to a terminal.

pub mod demo;
pub mod doctor;
pub mod help;
pub mod node;

use crate::out::{Style, safe};
use crate::time;
use murre::v1;
use std::path::Path;

/// Digits of an id that are shown to people; verbs take any unique prefix.
const SHORT: usize = 8;

// --- hints and refusals -------------------------------------------------------------------------------------

pub const HINT_USAGE: &str = "`murre --help` shows the verbs, `murre VERB --help` what one takes";
pub const HINT_FILE: &str = "check the path and its rights";
pub const HINT_BUG: &str = "please report this";
pub const HINT_STDOUT: &str = "whatever was asked for has been done";
pub const HINT_HOME: &str = "name one with --home DIR or MURRE_HOME";
pub const NO_HOME_DIR: &str = "this system names no directory for a program's data";
pub const WEB_REFUSED: &str = "the web app does not exist in this version";
pub const HINT_WEB: &str = "leave --web out";
pub const NEW_DEVICE: &str = "writes from a device not seen before; if that surprises you, ask in person, then compare: `murre verify`";
pub const VERIFY_NEXT: &str = "\n\nCompare these digits in person or by voice with what the other side's `murre verify` shows, then\n\
`murre verify C --number 'DIGITS'`; or scan the code below there, and give its text to `murre verify C --qr TEXT`.";
pub const INVITE_BUSY: &str = "storing the door where others find it…";
pub const UP_BUSY: &str = "opening the home…";
pub const HINT_WIPE: &str =
    "nothing was removed; say `murre wipe --yes` if you mean it: there is no way back";
pub const HINT_WIPE_AGAIN: &str = "look at what the system says about that file, then say `murre wipe --yes` again: it goes on where it stopped";
pub const UP_WIPED: &str = "This home was wiped.";
pub const PROTECT_BUSY: &str = "wrapping the key again…";
pub const DEVNET_BUSY: &str = "starting the nodes…";
pub const TEXT_NOT_UTF8: &str = "the text is not valid UTF-8";
pub const HINT_NOT_UTF8: &str = "convert it to UTF-8 and send it again; nothing was sent";
pub const HINT_DIRECTORY: &str = "pack it into one file first; nothing was sent";
pub const HINT_TOO_LONG: &str = "send it in parts; nothing was sent";
pub const HINT_PHRASE: &str = "the file must hold the 24 words, in order, separated by spaces";
pub const PASSPHRASE_PROMPT: &str = "Passphrase: ";
pub const NEW_PASSPHRASE_PROMPT: &str = "New passphrase: ";
pub const AGAIN_PROMPT: &str = "The same again: ";
pub const PASSPHRASES_DIFFER: &str = "the two passphrases differ";
pub const NO_PASSPHRASE: &str = "no passphrase was given";
pub const HINT_PASSPHRASE: &str = "nothing was changed; say it again";
pub const INTERRUPTED: &str = "interrupted";
pub const HINT_INTERRUPTED: &str = "everything that was started has been stopped";
pub const HINT_UP_STOPPED: &str = "nothing was lost: start it again with `murre up`, and see `murre doctor`";
pub const WATCH_ENDED: &str = "the home has stopped";
pub const HINT_WATCH: &str =
    "start the home again with `murre up`, then go on with `murre watch --since CURSOR`";
pub const DEVNET_GONE: &str = "no node is left";
pub const HINT_DEVNET: &str = "with --dir D the nodes' logs are kept, look there";

pub fn stdout_closed(error: &std::io::Error) -> String {
    format!("standard output is closed: {error}")
}

pub fn text_too_long(len: usize, cut: bool, limit: usize) -> String {
    let more = if cut { "more than " } else { "" };
    let len = len - usize::from(cut);
    format!("the text has {more}{len} bytes, at most {limit} fit in one message")
}

pub fn logs_in(dir: &Path) -> String {
    format!("the logs lie in {}", dir.display())
}

// --- homes and nodes ----------------------------------------------------------------------------------------

/// Adjectives and birds for a name that nobody gave.
pub const FRIENDLY: ([&str; 16], [&str; 16]) = (
    [
        "Brave", "Bright", "Calm", "Clever", "Gentle", "Happy", "Kind", "Lively", "Merry", "Nimble", "Quick",
        "Quiet", "Sunny", "Swift", "Warm", "Wise",
    ],
    [
        "Auk", "Dipper", "Egret", "Finch", "Gannet", "Heron", "Kestrel", "Lapwing", "Murre", "Osprey",
        "Plover", "Puffin", "Robin", "Swallow", "Tern", "Wren",
    ],
);

pub fn init(style: Style, name: &str, home: &Path, phrase: &str, protected: bool, restored: bool) -> String {
    let mut out = format!("{} {}\n", style.good("Welcome,"), style.bold(&safe(name, false)));
    out.push_str(&format!("Your home is {}.\n", home.display()));
    if !protected {
        out.push_str(&style.dim("It is not protected at rest: no passphrase was given.\n"));
    }
    if restored {
        out.push_str(
            "The account is the one of your 24 words; its contacts and chats are not brought along.\n",
        );
    } else {
        out.push_str("\nThese 24 words are the account. Write them down; they are shown only now.\n\n");
        let words: Vec<&str> = phrase.split_whitespace().collect();
        for (row, four) in words.chunks(4).enumerate() {
            for (column, word) in four.iter().enumerate() {
                out.push_str(&format!("  {:>2} {word:<10}", row * 4 + column + 1));
            }
            out.push('\n');
        }
    }
    out.push_str("\nNext: `murre up` in one terminal, `murre invite` in another.");
    out
}

pub fn protected(style: Style, by: &str, at_rest: bool) -> String {
    format!("The key of this home is now protected by: {by} ({}).", doctor::rest(style, at_rest))
}

pub fn would_wipe(home: &Path, remains: &[String]) -> String {
    format!("this would destroy the account in {}: {}", home.display(), remains.join(", "))
}

pub fn wiped(style: Style, home: &Path, wiped: &murre::Wiped) -> String {
    let mut out =
        format!("{} The key is destroyed, the home {} is removed.", style.good("Wiped."), home.display());
    if wiped.keyring == Some(false) {
        out.push_str("\nAn item of the keyring is left; it opens nothing.");
    }
    if let Some(pid) = wiped.still_running {
        let who = if pid == 0 {
            "A process that cannot be seen from here".to_owned()
        } else {
            format!("Process {pid}")
        };
        out.push_str(&style.bad(&format!("\n{who} still runs and knows what it knew: end it.")));
    }
    if !wiped.left.is_empty() {
        out.push_str(&format!("\nNot the home's, and still there: {}", wiped.left.join(", ")));
    }
    out
}

pub fn up_ready(style: Style, listen: &[String], bootstrap: bool) -> String {
    let mut out = format!("{} Other verbs can be used now; Ctrl-C stops it.", style.good("Murre is up."));
    for addr in listen {
        out.push_str(&format!("\n  listening on {addr}"));
    }
    if !bootstrap {
        out.push_str(&style.dim("\n  no --bootstrap given: only nodes this home already knows are asked"));
    }
    out
}

pub fn devnet_ready(style: Style, nodes: usize, bootstrap: &str) -> String {
    format!(
        "{} {nodes} nodes on this machine; Ctrl-C stops them.\n  murre up --bootstrap {bootstrap}",
        style.good("The network is up.")
    )
}

pub fn node_ended(style: Style, log: &Path, left: usize) -> String {
    format!("{} its log is {}; {left} are left", style.bad("A node has ended:"), log.display())
}

// --- invitations and contacts -------------------------------------------------------------------------------

pub fn invite(style: Style, invite: &v1::Invite) -> String {
    let state = if invite.published {
        style.good("its door is stored: it works now, also while you are offline")
    } else {
        style.dim("its door is not stored yet: keep `murre up` running, it goes on in the background")
    };
    format!("{}\n  until {} UTC, {state}", invite.link, time::minutes(invite.expires_ms))
}

pub fn invite_row(style: Style, invite: &v1::Invite) -> String {
    let state = match (invite.withdrawn, invite.replaced, invite.published) {
        (true, _, _) => style.bad("withdrawn"),
        (false, true, _) => style.bad("replaced, read for a week more"),
        (false, false, true) => style.good("open"),
        (false, false, false) => style.dim("not stored yet"),
    };
    let kind = if invite.public { "public" } else { "personal" };
    let asked = invite.requests;
    format!(
        "{}  {kind}  until {}  {state}  {asked} asked\n  {}",
        short(&invite.link_id),
        time::minutes(invite.expires_ms),
        invite.link
    )
}

pub fn nothing(what: &str) -> String {
    format!("No {what} yet.")
}

pub fn withdrawn() -> String {
    "Withdrawn: nobody can ask through it any more.".to_owned()
}

pub fn contact_added(style: Style, change: &v1::ContactChange, name: &str) -> String {
    match change.state() {
        v1::ContactState::Accepted => format!("{} You can talk now.", style.good("Connected.")),
        _ => format!(
            "{} You can write already; it is shown to {} when they accept.",
            style.good("Asked."),
            style.bold(&safe(name, false))
        ),
    }
}

pub fn contact_changed(style: Style, change: &v1::ContactChange) -> String {
    format!("{}  {}", short(&change.contact), contact_state(style, change.state()))
}

/// A safety number in three rows of four groups.
pub fn safety(style: Style, safety: &v1::Safety, asked: bool) -> String {
    let groups: Vec<&str> = safety.safety_number.split(' ').collect();
    let rows: Vec<String> = groups.chunks(4).map(|row| format!("  {}", row.join(" "))).collect();
    let mark = if safety.verified { style.good("verified") } else { style.dim("not verified") };
    let mut out = format!("{}\n\n  {mark}", style.bold(&rows.join("\n")));
    if safety.new_device {
        out.push_str(&format!("\n  {}", style.bad(NEW_DEVICE)));
    }
    if !asked {
        out.push_str(VERIFY_NEXT);
    }
    out
}

pub fn renamed(name: &str) -> String {
    format!("Now called {}.", safe(name, false))
}

pub fn contact_row(style: Style, contact: &v1::Contact) -> String {
    let mut out = format!(
        "{}  {}  {}",
        short(&contact.contact),
        style.bold(&safe(&contact.name, false)),
        contact_state(style, contact.state())
    );
    if contact.verified {
        out.push_str("  verified");
    }
    if contact.ambiguous {
        out.push_str(&style.dim("  (another contact has this name: use the id)"));
    }
    if contact.old_link {
        out.push_str(&style.dim("\n  asked through a public invitation that you have replaced"));
    }
    if contact.new_device {
        out.push_str(&format!("\n  {}", style.bad(NEW_DEVICE)));
    }
    if !contact.hello.is_empty() {
        out.push_str(&format!("\n  “{}”", safe(&contact.hello, false)));
    }
    if !contact.problem.is_empty() {
        out.push_str(&format!("\n  {}", style.bad(&door_trouble(&contact.problem))));
    }
    out
}

/// What is wrong with the door through which somebody is asked, and what to do.
fn door_trouble(why: &str) -> String {
    match why {
        "withdrawn" => "the invitation was withdrawn; ask them for another link and `murre contact add` it",
        "full" => "all places of the invitation are taken for now; it is tried again by itself",
        "not-found" => "nothing is stored under the invitation yet; it is looked for again by itself",
        "invalid" => "what is stored under the invitation is not valid; it is looked for again by itself",
        other => return format!("the request is not placed: {}", safe(other, false)),
    }
    .to_owned()
}

fn contact_state(style: Style, state: v1::ContactState) -> String {
    match state {
        v1::ContactState::Requested => style.dim("asked, no answer yet"),
        v1::ContactState::Incoming => style.good("wants to talk: `murre accept` or `murre block`"),
        v1::ContactState::Accepted => style.good("contact"),
        v1::ContactState::Blocked => style.bad("blocked"),
        v1::ContactState::Unspecified => style.dim("unknown"),
    }
}

// --- chats and messages -------------------------------------------------------------------------------------

/// What a message's state looks like. It never says more than a signature shows.
pub fn tick(style: Style, state: v1::MessageState) -> String {
    match state {
        v1::MessageState::Queued => style.dim("○"),
        v1::MessageState::Sent => style.dim("✓"),
        v1::MessageState::Stored => "✓".to_owned(),
        v1::MessageState::Delivered => "✓✓".to_owned(),
        v1::MessageState::Read => style.filled("✔✔"),
        v1::MessageState::Failed => style.bad("✗"),
        v1::MessageState::Unspecified => style.dim("?"),
    }
}

pub fn chat_row(style: Style, chat: &v1::Chat) -> String {
    let unread = if chat.unread > 0 { style.good(&format!("  {} new", chat.unread)) } else { String::new() };
    let last = chat.last.as_ref().map(|m| format!("\n  {}", first_line(&words(m)))).unwrap_or_default();
    format!("{}  {}{unread}{last}", short(&chat.chat), style.bold(&safe(&chat.title, false)))
}

pub fn message_row(style: Style, message: &v1::Message) -> String {
    let tick = if message.own { format!(" {}", tick(style, message.state())) } else { String::new() };
    let reply = if message.reply_to.is_empty() {
        String::new()
    } else {
        style.dim(&format!(" ↩ {}", short(&message.reply_to)))
    };
    format!(
        "{} {}{reply}{tick}  {}\n{}",
        style.dim(&time::minutes(message.time_ms)),
        style.bold(&safe(&message.from_name, false)),
        style.dim(short(&message.message)),
        indent(&words(message))
    )
}

fn words(message: &v1::Message) -> String {
    let files = message.files.iter().map(|file| file_row(Style::none(), file));
    let text = text_of(message);
    files.chain((!text.is_empty()).then_some(text)).collect::<Vec<_>>().join("\n")
}

fn text_of(message: &v1::Message) -> String {
    message.text.as_deref().map_or_else(|| "(needs a newer version)".to_owned(), |text| safe(text, true))
}

/// One file: what it is called and how it stands.
pub fn file_row(style: Style, file: &v1::FileInfo) -> String {
    use v1::{FileState as S, FileTheirs as T};
    let here = match file.state() {
        S::Complete => String::new(),
        S::Offered => "  offered: `murre file save` fetches it".to_owned(),
        S::Fetching if file.live_only => {
            format!("  {} here; it comes while both are online", size(file.here))
        }
        S::Fetching => format!("  {} here", size(file.here)),
        S::Cancelled => "  given up".to_owned(),
        S::Gone | S::Unspecified => style.bad("  gone: its sender has it no more"),
    };
    let there = match file.theirs() {
        T::Unspecified => "",
        T::Waiting if file.live_only => "  goes over while both are online",
        T::Waiting => "  on its way",
        T::Has => "  they have it",
        T::Declined => "  they do not want it",
        T::Withdrawn => "  no longer offered",
    };
    format!("📎 {} ({}){here}{}", safe(&file.name, false), size(file.size), style.dim(there))
}

/// A number of bytes in words.
fn size(bytes: u64) -> String {
    crate::amount::words(bytes)
}

pub fn saved(style: Style, path: &Path, bytes: u64) -> String {
    format!("{} {} ({})", style.good("Saved:"), path.display(), size(bytes))
}

pub fn is_directory(path: &Path) -> String {
    format!("{} is a directory", path.display())
}

pub fn sent(style: Style, message: &str) -> String {
    format!("{} {}", tick(style, v1::MessageState::Queued), message)
}

pub fn all_read() -> String {
    "Read.".to_owned()
}

pub fn receipts(setting: &v1::ReceiptsSetting) -> String {
    let state = if setting.on {
        "Read receipts are on: others see what you have read, and you see what they have."
    } else {
        "Read receipts are off: nobody sees what you read from now on, and you do not see what others read."
    };
    match (setting.chat.is_empty(), setting.own) {
        (false, false) => format!("{state} This chat goes by the home."),
        (false, true) => format!("{state} This chat has a setting of its own."),
        (true, _) => state.to_owned(),
    }
}

pub fn status(style: Style, status: &v1::MessageStatus) -> String {
    let state = status.state();
    let mut out = format!("{} {}", tick(style, state), state.word());
    if status.stored_by > 0 {
        out.push_str(&style.dim(&format!("  {} custodians signed for it", status.stored_by)));
    }
    for device in &status.devices {
        out.push_str(&format!("\n  device {}  {}", short(&device.device), device.state().word()));
    }
    if !status.why.is_empty() {
        out.push_str(&format!("\n  {}", status.why));
    }
    out
}

/// None for what this version does not know.
pub fn event(style: Style, event: &v1::Event) -> Option<String> {
    use v1::event::What;
    Some(match event.what.as_ref()? {
        What::MessageArrived(m) => m.message.as_ref().map(|m| message_row(style, m))?,
        What::MessageSent(m) => m.message.as_ref().map(|m| message_row(style, m))?,
        What::MessageMoved(m) => {
            let ids: Vec<&str> = m.messages.iter().map(|id| short(id)).collect();
            format!("{} {}  {}", tick(style, m.state()), m.state().word(), style.dim(&ids.join(" ")))
        }
        What::Contact(c) => contact_changed(style, c),
        What::InvitePublished(i) => format!("invitation {} is stored", short(&i.link_id)),
        What::DoorTrouble(d) => format!("the request to {}: {}", short(&d.contact), door_trouble(&d.why)),
        What::FileMoved(f) => format!("file {} of {}: {}", f.index, short(&f.message), safe(&f.step, false)),
        What::FileProgress(f) => style.dim(&format!(
            "file {} of {}: {}, {} of {} bytes",
            f.index,
            short(&f.message),
            safe(&f.kind, false),
            f.bytes,
            f.size
        )),
        What::Gap(gap) => format!("messages of chat {} are missing", short(&gap.chat)),
        What::Warning(w) => style.bad(&format!("warning in chat {}: {}", short(&w.chat), w.what)),
        What::NewDevice(d) => style.bad(&format!("{}: {NEW_DEVICE}", short(&d.contact))),
        What::Request(r) if r.placed => format!("the request to {} is at its door", short(&r.contact)),
        What::Request(r) => style.dim(&format!(
            "the request to {} costs a puzzle of about {} tries; it is being solved",
            short(&r.contact),
            r.tries
        )),
        What::Verified(v) if v.verified => style.good(&format!("{} is verified", short(&v.contact))),
        What::Verified(v) => format!("{} is no longer marked as verified", short(&v.contact)),
        What::Skipped(s) => style.dim(&format!("{} older events are no longer kept", s.events)),
    })
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(72).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// The part of an id that people see.
pub fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_looks_different() {
        use v1::MessageState as S;
        let all = [S::Queued, S::Stored, S::Delivered, S::Read, S::Failed];
        let ticks: Vec<String> = all.map(|s| tick(Style::plain(), s)).to_vec();
        for (n, one) in ticks.iter().enumerate() {
            assert!(!ticks.iter().skip(n + 1).any(|other| other == one), "{one}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(first_line("ab\ncd"), "ab…");
        assert_eq!(first_line(&"é".repeat(100)).chars().count(), 73);
        assert_eq!(first_line("ab"), "ab");
    }
}
