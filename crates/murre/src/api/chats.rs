//! Service `Chats`.

use super::convert;
use super::status::status;
use crate::handle::{CallError, DEFAULT_PAGE, Handle, Place};
use crate::v1::{self, chats_server};
use murre_device::limits::MAX_PAGE;
use tonic::{Request, Response, Status};

pub(super) struct Chats(pub Handle);

/// On the wire an absent text is an empty one.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// How many messages an answer may hold.
fn page_size(limit: u32) -> Result<usize, Status> {
    match limit as usize {
        0 => Ok(DEFAULT_PAGE),
        limit if limit > MAX_PAGE => {
            Err(status(CallError::BadField { field: "limit", why: "at most 1,000 at once" }))
        }
        limit => Ok(limit),
    }
}

#[tonic::async_trait]
impl chats_server::Chats for Chats {
    async fn list(&self, _: Request<v1::ChatsRequest>) -> Result<Response<v1::ChatList>, Status> {
        let chats = self.0.chats().await.map_err(status)?;
        Ok(Response::new(v1::ChatList { chats: chats.into_iter().map(convert::chat).collect() }))
    }

    async fn send(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::Sent>, Status> {
        let v1::SendRequest { chat, text, reply_to, client_id, uploads } = request.into_inner();
        let files = uploads.iter().map(|given| super::files::upload(given)).collect::<Result<_, _>>()?;
        let sent = self.0.send(chat, text, given(reply_to), given(client_id), files).await.map_err(status)?;
        Ok(Response::new(v1::Sent { message: sent.to_string() }))
    }

    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::MessageList>, Status> {
        let v1::HistoryRequest { chat, limit, before, after } = request.into_inner();
        let place = match (given(before), given(after)) {
            (None, None) => Place::Newest,
            (Some(before), None) => Place::Before(before),
            (None, Some(after)) => Place::After(after),
            (Some(_), Some(_)) => {
                return Err(status(CallError::BadField { field: "after", why: "not together with before" }));
            }
        };
        let page = self.0.history(chat, place, page_size(limit)?).await.map_err(status)?;
        Ok(Response::new(v1::MessageList { messages: page.into_iter().map(convert::message).collect() }))
    }

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::MessageStatus>, Status> {
        let info = self.0.status(request.into_inner().message).await.map_err(status)?;
        Ok(Response::new(convert::message_status(info)))
    }

    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::MessageList>, Status> {
        let v1::SearchRequest { query, chat, limit, before } = request.into_inner();
        let found =
            self.0.search(query, given(chat), given(before), page_size(limit)?).await.map_err(status)?;
        Ok(Response::new(v1::MessageList { messages: found.into_iter().map(convert::message).collect() }))
    }

    async fn read(&self, request: Request<v1::ReadRequest>) -> Result<Response<v1::Done>, Status> {
        let v1::ReadRequest { chat, upto } = request.into_inner();
        self.0.mark_read(chat, given(upto)).await.map_err(status)?;
        Ok(Response::new(v1::Done {}))
    }

    async fn receipts(
        &self,
        request: Request<v1::ReceiptsRequest>,
    ) -> Result<Response<v1::ReceiptsSetting>, Status> {
        let request = request.into_inner();
        let set = match request.set() {
            v1::Switch::Unspecified => None,
            v1::Switch::On => Some(Some(true)),
            v1::Switch::Off => Some(Some(false)),
            v1::Switch::Default => Some(None),
        };
        let info = self.0.receipts(given(request.chat), set).await.map_err(status)?;
        let chat = info.chat.map(|chat| chat.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ReceiptsSetting { chat, on: info.on, own: info.own.is_some() }))
    }
}
