//! Service `Files`.

use super::convert;
use super::status::status;
use crate::handle::{CallError, Handle};
use crate::v1::{self, files_server};
use futures::{Stream, StreamExt};
use murre_log::chunk::CHUNK;
use std::pin::Pin;
use tonic::{Request, Response, Status};

/// Largest request, bytes: a piece, and room.
pub const MAX_PIECE_REQUEST: usize = CHUNK + (4 << 10);

pub(super) struct Files(pub Handle);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Reads the name of an upload.
pub(super) fn upload(given: &str) -> Result<u64, Status> {
    let bad = || status(CallError::BadField { field: "upload", why: "not one that `Open` has given" });
    u64::from_str_radix(given, 16).map_err(|_| bad())
}

fn index(given: u32) -> Result<u16, Status> {
    u16::try_from(given)
        .map_err(|_| status(CallError::BadField { field: "index", why: "no message has so many" }))
}

#[tonic::async_trait]
impl files_server::Files for Files {
    type WatchStream = Answers<v1::FileInfo>;
    type SaveStream = Answers<v1::FilePart>;

    async fn open(&self, request: Request<v1::FileOpenRequest>) -> Result<Response<v1::FileUpload>, Status> {
        let v1::FileOpenRequest { chat, name, mime } = request.into_inner();
        let upload = self.0.open_upload(chat, name, mime).await.map_err(status)?;
        Ok(Response::new(v1::FileUpload { upload: format!("{upload:016x}"), piece_bytes: CHUNK as u32 }))
    }

    async fn piece(&self, request: Request<v1::FilePieceRequest>) -> Result<Response<v1::Done>, Status> {
        let v1::FilePieceRequest { upload: given, offset, bytes, last } = request.into_inner();
        self.0.piece(upload(&given)?, offset, bytes, last).await.map_err(status)?;
        Ok(Response::new(v1::Done {}))
    }

    async fn info(&self, request: Request<v1::FileRequest>) -> Result<Response<v1::FileInfo>, Status> {
        let v1::FileRequest { message, index: at } = request.into_inner();
        let info = self.0.file(message, index(at)?).await.map_err(status)?;
        Ok(Response::new(convert::file(info)))
    }

    async fn watch(&self, request: Request<v1::FileRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let v1::FileRequest { message, index: at } = request.into_inner();
        let infos = self.0.watch_file(message, index(at)?).await.map_err(status)?;
        Ok(Response::new(Box::pin(infos.map(|info| info.map(convert::file).map_err(status)))))
    }

    async fn fetch(&self, request: Request<v1::FileRequest>) -> Result<Response<v1::Done>, Status> {
        let v1::FileRequest { message, index: at } = request.into_inner();
        self.0.fetch(message, index(at)?).await.map_err(status)?;
        Ok(Response::new(v1::Done {}))
    }

    async fn cancel(&self, request: Request<v1::FileRequest>) -> Result<Response<v1::Done>, Status> {
        let v1::FileRequest { message, index: at } = request.into_inner();
        self.0.cancel_file(message, index(at)?).await.map_err(status)?;
        Ok(Response::new(v1::Done {}))
    }

    async fn save(&self, request: Request<v1::FileRequest>) -> Result<Response<Self::SaveStream>, Status> {
        let v1::FileRequest { message, index: at } = request.into_inner();
        let parts = self.0.file_parts(message, index(at)?).await.map_err(status)?;
        let parts = parts.map(|part| part.map(|bytes| v1::FilePart { bytes }).map_err(status));
        Ok(Response::new(Box::pin(parts)))
    }
}
