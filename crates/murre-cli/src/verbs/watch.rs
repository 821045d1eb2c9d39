//! `watch`: events as they happen.

use super::{Session, asked_to_stop, refused};
use crate::args::Watch;
use crate::failure::{Done, Failure};
use crate::{json, text};
use tokio_stream::StreamExt;

pub(super) async fn run(session: &Session, args: Watch) -> Done {
    let client = session.client().await?;
    // Lines of a person's terminal are for what happened; a program may draw a bar.
    let events = if session.out.json {
        client.watch_with_progress(args.since).await
    } else {
        client.watch(args.since).await
    };
    let mut events = events.map_err(refused)?;
    let stop = asked_to_stop(false);
    tokio::pin!(stop);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut stop => return Ok(()),
        };
        match event {
            Some(Ok(event)) => {
                if let Some(line) = json::Event::new(&event) {
                    let words = |style| text::event(style, &event).unwrap_or_default();
                    session.out.show(&line, words)?;
                }
            }
            Some(Err(error)) => return Err(Failure { hint: text::HINT_WATCH.into(), ..refused(error) }),
            None => return Err(Failure::environment(text::WATCH_ENDED, text::HINT_WATCH)),
        }
    }
}
