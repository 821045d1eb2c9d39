//! Service `Events`.

use super::convert;
use super::status::status;
use crate::handle::Handle;
use crate::v1::{self, events_server};
use futures::stream::{self, BoxStream, StreamExt};
use tonic::{Request, Response, Status};

pub(super) struct Events(pub Handle);

#[tonic::async_trait]
impl events_server::Events for Events {
    type WatchStream = BoxStream<'static, Result<v1::Event, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        // The place to begin is fixed before the answer's head is sent: nothing after that can be missed.
        let v1::WatchRequest { since, progress } = request.into_inner();
        let events =
            if progress { self.0.events_with_progress(since).await } else { self.0.events(since).await };
        let events = events.map_err(status)?;
        let stream = stream::unfold(Some(events), |events| async move {
            let mut events = events?;
            match events.next().await {
                Ok(page) => Some((Ok(convert::event(page)), Some(events))),
                Err(error) => Some((Err(status(error)), None)),
            }
        });
        Ok(Response::new(stream.boxed()))
    }
}
