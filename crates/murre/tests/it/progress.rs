//! How files go on, through the local API: told to whoever asks, between the events, and kept by nobody.

use crate::people::{Person, befriend, devnet_node, until};
use futures::StreamExt;
use murre::v1::{self, event::What};

fn moved(message: &str, step: &str) -> impl Fn(What) -> Option<()> {
    move |what| match what {
        What::FileMoved(file) if file.message == message && file.step == step => Some(()),
        _ => None,
    }
}

async fn send(from: &Person, chat: &str, bytes: &[u8]) -> String {
    let upload = from.client.upload(chat, "film", "", bytes, |_| {}).await.unwrap_or_else(|e| panic!("{e}"));
    let request = v1::SendRequest { chat: chat.to_owned(), uploads: vec![upload], ..Default::default() };
    from.client.send(request).await.unwrap().message
}

// spec: A-22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_of_a_file_hear_how_it_goes_on_if_they_ask_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = devnet_node(dir.path()).await;
    let bootstrap = node.ready().listen.clone();
    let alice = Person::new("Alice", &bootstrap).await;
    let mut bob = Person::new("Bob", &bootstrap).await;
    let (chat, _) = befriend(&alice, &bob).await;
    bob.stop().await;

    // Too large for mailboxes, and for being fetched unasked; and nobody is there.
    let mut at_alice = alice.client.watch_with_progress(None).await.unwrap();
    let mut events = alice.client.watch(None).await.unwrap();
    let bytes: Vec<u8> = (0..68_000_000_u32).map(|i| (i >> 3) as u8).collect();
    let message = send(&alice, &chat, &bytes).await;
    let told = loop {
        let event = at_alice.next().await.unwrap().unwrap();
        if let Some(What::FileProgress(told)) = event.what {
            let kept = alice.client.watch(Some(event.cursor)).await;
            assert!(kept.is_ok(), "it bears the cursor of an event");
            break told;
        }
    };
    assert_eq!((told.message.as_str(), told.kind.as_str(), told.bytes), (message.as_str(), "waiting", 0));
    assert_eq!(told.size, bytes.len() as u64);

    bob.restart().await;
    let mut at_bob = bob.client.watch_with_progress(Some(0)).await.unwrap();
    until(&mut at_bob, moved(&message, "offered")).await;
    bob.client.fetch_file(&message, 0).await.unwrap();
    // A file that is through within the time between two of them may be told of only at its end.
    let size = bytes.len() as u64;
    for (events, kind, step) in
        [(&mut at_bob, "receiving", "complete"), (&mut at_alice, "sending", "delivered")]
    {
        let ended = moved(&message, step);
        let told = std::sync::Mutex::new(Vec::new());
        let end = until(events, |what| match what {
            What::FileProgress(file) if file.message == message => {
                told.lock().unwrap().push((file.kind, file.bytes));
                None
            }
            what => ended(what),
        });
        end.await;
        let told = told.into_inner().unwrap();
        let moves: Vec<u64> = told.iter().filter(|(k, _)| k == kind).map(|(_, bytes)| *bytes).collect();
        assert!(told.iter().all(|(k, bytes)| k == kind && *bytes > 0 || k == "waiting"), "{told:?}");
        assert!(moves.is_sorted() && moves.iter().all(|bytes| *bytes <= size), "{told:?}");
    }

    // Whoever did not ask hears nothing of it, and nothing of it is kept.
    let ended = moved(&message, "delivered");
    let none = until(&mut events, |what| match what {
        What::FileProgress(told) => Some(Some(told)),
        what => ended(what).map(|()| None),
    });
    assert_eq!(none.await, None);
    let mut again = alice.client.watch_with_progress(Some(0)).await.unwrap();
    let ended = moved(&message, "delivered");
    let kept = until(&mut again, |what| match what {
        What::FileProgress(told) => Some(Some(told)),
        what => ended(what).map(|()| None),
    });
    assert_eq!(kept.await, None);
}
