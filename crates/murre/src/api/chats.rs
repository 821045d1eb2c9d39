//! Service `Chats`.

use super::convert;
use super::status::status;
use crate::handle::{CallError, DEFAULT_PAGE, Handle};
use crate::v1::{self, chats_server};
use murre_device::limits::MAX_PAGE;
use tonic::{Request, Response, Status};

pub(super) struct Chats(pub Handle);

/// On the wire an absent text is an empty one.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
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
        let v1::HistoryRequest { chat, limit, before } = request.into_inner();
        let limit = match limit as usize {
            0 => DEFAULT_PAGE,
            limit if limit > MAX_PAGE => {
                return Err(status(CallError::BadField { field: "limit", why: "at most 1,000 at once" }));
            }
            limit => limit,
        };
        let page = self.0.history(chat, given(before), limit).await.map_err(status)?;
        Ok(Response::new(v1::MessageList { messages: page.into_iter().map(convert::message).collect() }))
    }

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::MessageStatus>, Status> {
        let info = self.0.status(request.into_inner().message).await.map_err(status)?;
        Ok(Response::new(convert::message_status(info)))
    }

    async fn read(&self, request: Request<v1::ReadRequest>) -> Result<Response<v1::Done>, Status> {
        self.0.mark_read(request.into_inner().chat).await.map_err(status)?;
        Ok(Response::new(v1::Done {}))
    }
}
