//! From the device's types to the wire's.

use crate::handle::{Change, EventPage};
use crate::v1;
use murre_device::query::{
    ChatInfo, ContactInfo, FileInfo, FileState, InviteInfo, MessageInfo, SafetyInfo, StatusInfo, Theirs,
};
use murre_device::{
    Check, ContactState, DoorProblem, FileStep, MessageState, Notice, Progress, ProgressKind, Warning,
};

fn text(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

pub(super) const fn contact_state(state: ContactState) -> v1::ContactState {
    match state {
        ContactState::Requested => v1::ContactState::Requested,
        ContactState::Incoming => v1::ContactState::Incoming,
        ContactState::Accepted => v1::ContactState::Accepted,
        ContactState::Blocked => v1::ContactState::Blocked,
    }
}

pub(super) const fn message_state(state: MessageState) -> v1::MessageState {
    match state {
        MessageState::Queued => v1::MessageState::Queued,
        MessageState::Sent => v1::MessageState::Sent,
        MessageState::Stored => v1::MessageState::Stored,
        MessageState::Delivered => v1::MessageState::Delivered,
        MessageState::Read => v1::MessageState::Read,
        MessageState::Failed => v1::MessageState::Failed,
    }
}

const fn door_problem(why: DoorProblem) -> &'static str {
    match why {
        DoorProblem::NotFound => "not-found",
        DoorProblem::Full => "full",
        DoorProblem::Invalid => "invalid",
        DoorProblem::Withdrawn => "withdrawn",
    }
}

pub(super) fn contact(info: ContactInfo) -> v1::Contact {
    v1::Contact {
        contact: info.account.to_string(),
        name: info.name,
        state: contact_state(info.state).into(),
        hello: info.hello,
        chat: text(info.chat),
        verified: info.verified,
        new_device: info.new_device,
        ambiguous: info.ambiguous,
        old_link: info.old_link,
        problem: info.problem.map(door_problem).unwrap_or_default().to_owned(),
    }
}

pub(super) fn change(change: Change) -> v1::ContactChange {
    v1::ContactChange {
        contact: change.account.to_string(),
        chat: text(change.chat),
        state: contact_state(change.state).into(),
    }
}

pub(super) fn safety(info: SafetyInfo) -> v1::Safety {
    v1::Safety {
        contact: info.account.to_string(),
        safety_number: info.number,
        code: info.code,
        verified: info.verified,
        new_device: info.new_device,
    }
}

pub(super) fn check(check: v1::verify_request::Check) -> Option<Check> {
    use v1::verify_request::Check as Wire;
    match check {
        Wire::Number(number) => Some(Check::Number(number)),
        Wire::Code(code) => Some(Check::Code(code)),
        Wire::Clear(true) => Some(Check::Clear),
        Wire::Clear(false) => None,
    }
}

pub(super) fn invite(info: InviteInfo) -> v1::Invite {
    v1::Invite {
        link: info.link.to_string(),
        link_id: info.link.id().to_string(),
        expires_ms: info.expires.0,
        published: info.published,
        withdrawn: info.withdrawn,
        public: info.link.public,
        replaced: info.replaced,
        requests: info.requests,
        qr: info.link.to_qr_text(),
    }
}

pub(super) fn chat(info: ChatInfo) -> v1::Chat {
    v1::Chat {
        chat: info.chat.to_string(),
        with: info.with.to_string(),
        title: info.title,
        kind: v1::ChatKind::Direct.into(),
        unread: info.unread,
        last: info.last.map(message),
    }
}

pub(super) fn message(info: MessageInfo) -> v1::Message {
    v1::Message {
        message: info.id.to_string(),
        chat: info.chat.to_string(),
        from: info.from.to_string(),
        from_name: info.from_name,
        own: info.own,
        text: info.text,
        time_ms: info.time.0,
        reply_to: text(info.reply_to),
        state: message_state(info.state).into(),
        files: info.files.into_iter().map(file).collect(),
    }
}

pub(super) fn file(info: FileInfo) -> v1::FileInfo {
    let state = match info.state {
        FileState::Offered => v1::FileState::Offered,
        FileState::Wanted => v1::FileState::Fetching,
        FileState::Complete => v1::FileState::Complete,
        FileState::Cancelled => v1::FileState::Cancelled,
        FileState::Loading | FileState::Gone => v1::FileState::Gone,
    };
    let theirs = match info.theirs {
        None => v1::FileTheirs::Unspecified,
        Some(Theirs::Waiting) => v1::FileTheirs::Waiting,
        Some(Theirs::Has) => v1::FileTheirs::Has,
        Some(Theirs::Declined) => v1::FileTheirs::Declined,
        Some(Theirs::Withdrawn) => v1::FileTheirs::Withdrawn,
    };
    v1::FileInfo {
        name: info.name,
        mime: info.mime,
        size: info.size,
        state: state.into(),
        here: info.here,
        theirs: theirs.into(),
        live_only: info.live_only,
    }
}

const fn file_step(step: FileStep) -> &'static str {
    match step {
        FileStep::Offered => "offered",
        FileStep::Complete => "complete",
        FileStep::Delivered => "delivered",
        FileStep::Declined => "declined",
        FileStep::Gone => "gone",
        FileStep::Cancelled => "cancelled",
    }
}

fn file_progress(progress: Progress) -> v1::FileProgress {
    let kind = match progress.kind {
        ProgressKind::Receiving => "receiving",
        ProgressKind::Sending => "sending",
        ProgressKind::Storing => "storing",
        ProgressKind::Waiting => "waiting",
    };
    v1::FileProgress {
        chat: progress.chat.to_string(),
        message: progress.message.to_string(),
        index: progress.index.into(),
        kind: kind.to_owned(),
        bytes: progress.bytes,
        size: progress.size,
    }
}

pub(super) fn message_status(info: StatusInfo) -> v1::MessageStatus {
    v1::MessageStatus {
        message: info.id.to_string(),
        state: message_state(info.state).into(),
        stored_by: u32::try_from(info.stored_by).unwrap_or(u32::MAX),
        devices: info
            .devices
            .into_iter()
            .map(|(device, state)| v1::DeviceStatus {
                device: device.to_string(),
                state: message_state(state).into(),
            })
            .collect(),
        why: info.why.to_owned(),
    }
}

pub(super) fn event(page: EventPage) -> v1::Event {
    let cursor = page.cursor();
    let what = match page {
        EventPage::Skipped { events, .. } => v1::event::What::Skipped(v1::Skipped { events }),
        EventPage::Notice { notice, message, .. } => notice_of(notice, message),
        EventPage::Progress { progress, .. } => v1::event::What::FileProgress(file_progress(progress)),
    };
    v1::Event { cursor, what: Some(what) }
}

fn notice_of(notice: Notice, info: Option<MessageInfo>) -> v1::event::What {
    use v1::event::What;
    // A message that is gone by now is named without its content.
    let whole = |chat: murre_core::id::LogId, id: murre_core::id::MessageId| {
        let bare = v1::Message { message: id.to_string(), chat: chat.to_string(), ..Default::default() };
        Some(info.map_or(bare, message))
    };
    match notice {
        Notice::MessageArrived { chat, message } => {
            What::MessageArrived(v1::MessageArrived { message: whole(chat, message) })
        }
        Notice::MessageSent { chat, message } => {
            What::MessageSent(v1::MessageSent { message: whole(chat, message) })
        }
        Notice::MessageState { chat, messages, state } => What::MessageMoved(v1::MessageMoved {
            chat: chat.to_string(),
            messages: messages.iter().map(ToString::to_string).collect(),
            state: message_state(state).into(),
        }),
        Notice::Contact { account, state } => What::Contact(v1::ContactChange {
            contact: account.to_string(),
            chat: String::new(),
            state: contact_state(state).into(),
        }),
        Notice::InvitePublished { link } => {
            What::InvitePublished(v1::InvitePublished { link_id: link.to_string() })
        }
        Notice::DoorProblem { account, why } => {
            let (contact, why) = (account.to_string(), door_problem(why).to_owned());
            What::DoorTrouble(v1::DoorTrouble { contact, why })
        }
        Notice::File { chat, message, index, step } => What::FileMoved(v1::FileMoved {
            chat: chat.to_string(),
            message: message.to_string(),
            index: index.into(),
            step: file_step(step).to_owned(),
        }),
        Notice::NewDevice { account, device, verified } => What::NewDevice(v1::NewDevice {
            contact: account.to_string(),
            device: device.to_string(),
            verified,
        }),
        Notice::Paying { account, tries } => {
            What::Request(v1::RequestProgress { contact: account.to_string(), placed: false, tries })
        }
        Notice::Placed { account } => {
            What::Request(v1::RequestProgress { contact: account.to_string(), placed: true, tries: 0 })
        }
        Notice::Verified { account, verified } => {
            What::Verified(v1::Verified { contact: account.to_string(), verified })
        }
        Notice::Gap { chat } => What::Gap(v1::Gap { chat: chat.to_string() }),
        Notice::Warning { chat, what } => {
            let what = match what {
                Warning::Equivocation => "equivocation",
                Warning::Unreadable => "unreadable",
                Warning::RolledBack => "rolled-back",
            };
            What::Warning(v1::Warning { chat: chat.to_string(), what: what.to_owned() })
        }
    }
}
