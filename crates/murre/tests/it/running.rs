//! Running homes and nodes: what is refused at start, and what the local API promises.

use crate::people::{LOOPBACK, Person, arrived, befriend, devnet_node, new_home, start, until};
use futures::StreamExt;
use murre::v1::{self, event::What};
use murre::{
    Client, ClientError, HomeError, InitConfig, NodeConfig, NodeError, Shield, StopReason, UpConfig, UpError,
    node,
};
use murre_core::{ErrorKind, HasKind};
use murre_net::NetError;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn config(home: &Path) -> UpConfig {
    UpConfig { home: home.to_owned(), ..UpConfig::default() }
}

fn send(chat: &str, text: &str, client_id: &str) -> v1::SendRequest {
    v1::SendRequest {
        chat: chat.to_owned(),
        text: text.to_owned(),
        client_id: client_id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_runs_once_and_says_so_when_it_does_not() {
    let (_dir, home) = new_home("Ann");
    let absent = Client::connect(&home).await.unwrap_err();
    assert_eq!(absent, ClientError::NotRunning { home: home.clone() });
    assert!(absent.hint().contains("murre up"));

    let (up, client) = start(&home, &[]).await;
    assert_eq!(std::fs::metadata(&up.ready().socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(up.ready().listen.iter().all(|addr| addr.contains("/p2p/")));
    let me = client.me().await.unwrap();
    assert_eq!((me.name.as_str(), me.account.len(), me.network.as_str()), ("Ann", 64, ""));
    match murre::up(config(&home)).await {
        Err(UpError::Home(HomeError::AlreadyRunning { pid })) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    let again = murre::init(InitConfig {
        home: home.clone(),
        name: "Ann".into(),
        shield: Shield::KeyFile,
        phrase: None,
    });
    assert!(again.unwrap_err().hint().contains("murre up"));

    let mut events = client.watch(None).await.unwrap();
    up.shutdown().await;
    match events.next().await {
        Some(Err(ClientError::Refused { code, .. })) => assert_eq!(code, "stopped"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(client.me().await, Err(ClientError::Lost)));
    assert!(matches!(Client::connect(&home).await, Err(ClientError::NotRunning { .. })));
    let (up, _) = start(&home, &[]).await;
    up.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_run_is_refused_by_its_own_name() {
    let (_dir, home) = new_home("Ann");
    let profile = UpConfig { profile: Some("strong".into()), ..config(&home) };
    assert!(matches!(murre::up(profile).await, Err(UpError::UnknownProfile { name }) if name == "strong"));
    let bootstrap = UpConfig { bootstrap: vec!["/ip4/127.0.0.1/tcp/4001".into()], ..config(&home) };
    assert!(matches!(murre::up(bootstrap).await, Err(UpError::BadBootstrap { .. })));
    let listen = UpConfig { listen: vec!["localhost:80".into()], ..config(&home) };
    assert!(matches!(murre::up(listen).await, Err(UpError::Net(NetError::BadAddr { .. }))));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    let busy = murre::up(UpConfig { listen: vec![port], ..config(&home) }).await.unwrap_err();
    assert!(matches!(busy, UpError::Net(NetError::AddrInUse { .. })));
    assert!(busy.hint().contains("another port"));
    // Every refusal has given the home back.
    let (up, client) = start(&home, &[]).await;

    let code = |error: ClientError| match error {
        ClientError::Refused { code, hint, .. } if !hint.is_empty() => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(client.history("Bob", 0, None).await.unwrap_err()), "unknown-chat");
    assert_eq!(code(client.accept("Bob").await.unwrap_err()), "unknown-contact");
    assert_eq!(code(client.status("abcd").await.unwrap_err()), "unknown-message");
    assert_eq!(code(client.contact_add("murre:invite/AAAA", "").await.unwrap_err()), "link-checksum");
    assert_eq!(code(client.history("Bob", 5_000, None).await.unwrap_err()), "bad-field");
    assert_eq!(code(client.watch(Some(1)).await.unwrap_err()), "cursor-ahead");
    assert_eq!(client.status("abcd").await.unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!(code(client.invite_within(None, 0).await.unwrap_err()), "no-network");
    up.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_home_has_a_socket_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("d".repeat(90)).join("home");
    let init = InitConfig { home: home.clone(), name: "Deep".into(), shield: Shield::KeyFile, phrase: None };
    murre::init(init).unwrap();
    let (up, client) = start(&home, &[]).await;
    assert_eq!(client.me().await.unwrap().name, "Deep");
    let doctor = client.doctor().await.unwrap();
    assert_eq!((doctor.protection.as_str(), doctor.protected_at_rest), ("key-file", false));
    assert_eq!(doctor.profile, "direct");
    assert!(doctor.counters.iter().any(|c| c.name == "machine.commits" && c.value > 0));
    up.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_keeps_its_name_and_its_directory_to_itself() {
    let dir = tempfile::tempdir().unwrap();
    let node = devnet_node(dir.path()).await;
    let peer = node.ready().peer.clone();
    assert!(node.ready().listen[0].ends_with(&format!("/p2p/{peer}")));
    node.status().await.unwrap();
    let second = node::run(NodeConfig::devnet(dir.path().join("node"))).await;
    assert!(matches!(second, Err(NodeError::Dir(HomeError::AlreadyRunning { .. }))));
    node.shutdown().await;

    let again = devnet_node(dir.path()).await;
    assert_eq!(again.ready().peer, peer);
    again.shutdown().await;

    std::fs::remove_file(dir.path().join("node/node.key")).unwrap();
    let lost = node::run(NodeConfig::devnet(dir.path().join("node"))).await;
    assert!(matches!(lost, Err(NodeError::Dir(HomeError::KeyMissing { .. }))));

    let bad =
        NodeConfig { bootstrap: vec!["nowhere".into()], ..NodeConfig::devnet(dir.path().join("other")) };
    assert!(matches!(node::run(bad).await, Err(NodeError::BadAddr { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_and_one_node_exchange_a_message_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    let node = devnet_node(dir.path()).await;
    let bootstrap = node.ready().listen.clone();
    let mut alice = Person::new("Alice", &bootstrap).await;
    let mut bob = Person::new("Bob", &bootstrap).await;
    let (chat, same) = befriend(&alice, &bob).await;
    assert_eq!(chat, same);

    let mut at_bob = bob.client.watch(None).await.unwrap();
    let sent = alice.client.send(send("Bob", "first", "id-1")).await.unwrap();
    let again = alice.client.send(send(&chat[..8], "first", "id-1")).await.unwrap();
    assert_eq!(again.message, sent.message, "one client id, one message");
    let got = until(&mut at_bob, arrived).await;
    assert_eq!((got.message.as_str(), got.text.as_deref()), (sent.message.as_str(), Some("first")));
    assert_eq!(got.from_name, "Alice");

    // Read your writes: the answer came after the COMMIT, so the reader sees it.
    let sent = alice.client.send(send(&chat, "second", "")).await.unwrap();
    let page = alice.client.history(&chat, 0, None).await.unwrap();
    let texts: Vec<_> = page.iter().filter_map(|m| m.text.as_deref()).collect();
    assert_eq!(texts, ["first", "second"]);
    assert_eq!(page[1].message, sent.message);
    until(&mut at_bob, arrived).await;
    bob.client.read(&chat).await.unwrap();

    // Delivered is shown by a device of the recipient, whatever the way.
    let mut at_alice = alice.client.watch(Some(0)).await.unwrap();
    let message = sent.message.clone();
    until(&mut at_alice, move |what| match what {
        What::MessageMoved(moved) if moved.state() >= v1::MessageState::Delivered => {
            moved.messages.contains(&message).then_some(())
        }
        _ => None,
    })
    .await;
    let status = alice.client.status(&sent.message[..12]).await.unwrap();
    assert!(status.state() >= v1::MessageState::Delivered);

    // Bob is away; the message waits at the node.
    bob.stop().await;
    alice.client.send(send(&chat, "third", "")).await.unwrap();
    let message = alice.client.history(&chat, 1, None).await.unwrap()[0].message.clone();
    until(&mut at_alice, move |what| match what {
        What::MessageMoved(moved) if moved.state() == v1::MessageState::Stored => {
            moved.messages.contains(&message).then_some(())
        }
        _ => None,
    })
    .await;
    alice.stop().await;
    bob.restart().await;
    let mut at_bob = bob.client.watch(Some(0)).await.unwrap();
    let mut texts = Vec::new();
    while texts.len() < 3 {
        texts.push(until(&mut at_bob, arrived).await.text.unwrap_or_default());
    }
    assert_eq!(texts, ["first", "second", "third"]);
    bob.stop().await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_replayed_exactly_once_over_reconnects() {
    let dir = tempfile::tempdir().unwrap();
    let node = devnet_node(dir.path()).await;
    let bootstrap = node.ready().listen.clone();
    let mut alice = Person::new("Alice", &bootstrap).await;
    let mut bob = Person::new("Bob", &bootstrap).await;
    let (chat, _) = befriend(&alice, &bob).await;

    // A listener that leaves after every other event, while sixty messages are written behind its back.
    let writer = alice.client.clone();
    let to = chat.clone();
    let writing = tokio::spawn(async move {
        for n in 0..60 {
            writer.send(send(&to, &format!("text {n}"), &format!("{n}"))).await.unwrap();
        }
    });
    let (mut cursor, mut seen, mut cursors) = (0, Vec::new(), Vec::new());
    while seen.len() < 60 {
        let mut events = alice.client.watch(Some(cursor)).await.unwrap();
        for event in [events.next().await, events.next().await].into_iter().flatten() {
            let event = event.unwrap();
            assert_eq!(event.cursor, cursor + 1, "dense and in order");
            cursor = event.cursor;
            cursors.push(cursor);
            if let Some(What::MessageSent(v1::MessageSent { message: Some(m) })) = event.what {
                seen.push(m.text.unwrap_or_default());
            }
        }
    }
    writing.await.unwrap();
    assert_eq!(seen, (0..60).map(|n| format!("text {n}")).collect::<Vec<_>>());

    // And over a restart of the home itself.
    alice.restart().await;
    let mut events = alice.client.watch(Some(0)).await.unwrap();
    for want in cursors {
        assert_eq!(events.next().await.unwrap().unwrap().cursor, want);
    }
    alice.stop().await;
    bob.stop().await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listening_nowhere_is_allowed() {
    let (_dir, home) = new_home("Quiet");
    let up = murre::up(config(&home)).await.unwrap();
    assert!(up.ready().listen.is_empty());
    up.shutdown().await;
    let up = murre::up(UpConfig { listen: vec![LOOPBACK.into()], ..config(&home) }).await.unwrap();
    assert_eq!(up.ready().listen.len(), 1);
    up.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_are_answered_and_arrive_once() {
    let dir = tempfile::tempdir().unwrap();
    let node = devnet_node(dir.path()).await;
    let bootstrap = node.ready().listen.clone();
    let mut alice = Person::new("Alice", &bootstrap).await;
    let mut bob = Person::new("Bob", &bootstrap).await;
    let (chat, _) = befriend(&alice, &bob).await;
    let mut at_bob = bob.client.watch(None).await.unwrap();

    let before = alice.client.doctor().await.unwrap();
    let mut calls = Vec::new();
    for n in 0..1_000 {
        let (client, chat) = (alice.client.clone(), chat.clone());
        calls.push(tokio::spawn(async move { client.send(send(&chat, &format!("text {n}"), "")).await }));
    }
    let mut sent = std::collections::BTreeMap::new();
    for call in calls {
        let answer = call.await.unwrap().unwrap_or_else(|e| panic!("{e:?}"));
        assert!(sent.insert(answer.message, 0).is_none(), "each has its own id");
    }
    let after = alice.client.doctor().await.unwrap();
    let grown = |name: &str| {
        let value = |doctor: &v1::Doctor| doctor.counters.iter().find(|c| c.name == name).unwrap().value;
        value(&after) - value(&before)
    };
    // Solutions of puzzles are commands as well.
    assert!(grown("machine.commands") >= 1_000);
    for n in 0..1_000 {
        let message = until(&mut at_bob, arrived).await;
        let times =
            sent.get_mut(&message.message).unwrap_or_else(|| panic!("{n}: {message:?} was never sent"));
        *times += 1;
        assert_eq!(*times, 1, "{n}: {message:?} arrived again");
    }
    alice.stop().await;
    bob.stop().await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_that_is_told_to_wipe_itself_is_gone() {
    let (_dir, home) = new_home("Ann");
    let (up, client) = start(&home, &[]).await;
    let mut events = client.watch(None).await.unwrap();
    client.wipe().await.unwrap();
    assert!(!home.join("key").exists(), "answered means destroyed");
    assert_eq!(up.stopped().await, StopReason::Wiped);
    up.shutdown().await;
    assert!(matches!(events.next().await, Some(Err(ClientError::Refused { code, .. })) if code == "stopped"));
    assert!(!home.exists());
    assert!(matches!(murre::wipe(&home).await, Err(HomeError::NoHome { .. })));
    assert!(matches!(murre::up(config(&home)).await, Err(UpError::Home(HomeError::NoHome { .. }))));
}
