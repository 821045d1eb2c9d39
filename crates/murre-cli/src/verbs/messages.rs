//! `chat list`, `send`, `history`, `search`, `status`, `read`, `receipts`

use super::Session;
use crate::args::{History, Read, Receipts, Search, Send, Status, Switch};
use crate::failure::{Done, Failure};
use crate::{json, text};
use clap::ValueEnum;
use murre::v1;
use std::ffi::OsString;
use std::io::Read as _;

/// Longest text of one message, bytes (`proto/murre/v1/murre.proto`, `SendRequest`). The local API refuses more too,
/// but it takes no request that is very much larger, and then could not say why.
const MAX_TEXT: usize = 64 << 10;
/// What is read of standard input at most, so that a refusal can name the length of a text that is too long.
const MAX_INPUT: usize = 16 << 20;

pub(super) async fn chats(session: &Session) -> Done {
    let chats = session.call(|client| async move { client.chats().await }).await?;
    for chat in &chats {
        session.out.show(&json::Chat::from(chat), |style| text::chat_row(style, chat))?;
    }
    if chats.is_empty() {
        session.out.words(|_| text::nothing("chats"))?;
    }
    Ok(())
}

pub(super) async fn send(session: &Session, args: Send) -> Done {
    let text = args.text.map(message_text).transpose()?.unwrap_or_default();
    let client = session.client().await?;
    let uploads = super::files::hand_over(session, &client, &args.chat, &args.file).await?;
    let (chat, reply_to, client_id) = (args.chat, args.reply_to, args.client_id);
    let request = v1::SendRequest { chat, text, reply_to, client_id, uploads };
    let sent = client.send(request).await.map_err(super::refused)?;
    session.out.show(&json::Sent { message: &sent.message }, |style| text::sent(style, &sent.message))
}

/// The text as given, or standard input to its end, unchanged.
fn message_text(given: OsString) -> Result<String, Failure> {
    let bytes = if given == "-" { stdin()? } else { given.into_encoded_bytes() };
    if bytes.len() > MAX_TEXT {
        return Err(too_long(bytes.len()));
    }
    String::from_utf8(bytes).map_err(|_| Failure::caller(text::TEXT_NOT_UTF8, text::HINT_NOT_UTF8))
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_INPUT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::environment(error.to_string(), text::HINT_FILE))?;
    Ok(bytes)
}

/// The same refusal as the local API's, code included.
fn too_long(len: usize) -> Failure {
    let message = text::text_too_long(len, len > MAX_INPUT, MAX_TEXT);
    Failure { code: "text-too-long".to_owned(), ..Failure::caller(message, text::HINT_TOO_LONG) }
}

pub(super) async fn history(session: &Session, args: History) -> Done {
    let (before, after) = (args.before.unwrap_or_default(), args.after.unwrap_or_default());
    let request = v1::HistoryRequest { chat: args.chat, limit: args.limit, before, after };
    let page = session.call(|client| async move { client.history_page(request).await }).await?;
    show(session, &page)
}

pub(super) async fn search(session: &Session, args: Search) -> Done {
    let (chat, before) = (args.chat.unwrap_or_default(), args.before.unwrap_or_default());
    let request = v1::SearchRequest { query: args.query, chat, limit: args.limit, before };
    let found = session.call(|client| async move { client.search(request).await }).await?;
    show(session, &found)
}

fn show(session: &Session, messages: &[v1::Message]) -> Done {
    for message in messages {
        session.out.show(&json::Message::from(message), |style| text::message_row(style, message))?;
    }
    if messages.is_empty() {
        session.out.words(|_| text::nothing("messages"))?;
    }
    Ok(())
}

pub(super) async fn status(session: &Session, args: Status) -> Done {
    let status = session.call(|client| async move { client.status(&args.message).await }).await?;
    session.out.show(&json::Status::from(&status), |style| text::status(style, &status))
}

pub(super) async fn read(session: &Session, args: Read) -> Done {
    let last = session
        .call(|client| async move {
            // Asked first: whatever arrives between the two calls is not named, though it is read.
            let last = match &args.upto {
                None => client.history(&args.chat, 1, None).await?.pop().map(|newest| newest.message),
                Some(upto) => Some(client.status(upto).await?.message),
            };
            client.read_upto(&args.chat, args.upto.as_deref().unwrap_or_default()).await?;
            Ok(last)
        })
        .await?;
    session.out.show(&json::ReadUpTo { message: last }, |_| text::all_read())
}

pub(super) async fn receipts(session: &Session, args: Receipts) -> Done {
    // A single word that is a setting is one: a chat of that name goes by its id.
    let (chat, set) = match (args.chat, args.set) {
        (Some(word), None) => match Switch::from_str(&word, false) {
            Ok(set) => (None, Some(set)),
            Err(_) => (Some(word), None),
        },
        both => both,
    };
    let mut request = v1::ReceiptsRequest { chat: chat.unwrap_or_default(), ..Default::default() };
    if let Some(set) = set {
        request.set_set(match set {
            Switch::On => v1::Switch::On,
            Switch::Off => v1::Switch::Off,
            Switch::Default => v1::Switch::Default,
        });
    }
    let setting = session.call(|client| async move { client.receipts(request).await }).await?;
    session.out.show(&json::Receipts::from(&setting), |_| text::receipts(&setting))
}
