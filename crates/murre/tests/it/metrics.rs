//! The numbers of a node, scraped as Prometheus does, and by those who would rather hold them up.

use crate::bare::{Bare, Mailbox, Said, said, takes_part};
use murre::node::metrics::{MAX_CONNECTIONS, MAX_HEAD, PAGE_LIFE, TABLE};
use murre::{MetricsConfig, NodeConfig, NodeError, node};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(60);

fn config(dir: &std::path::Path, addr: &str, public: bool) -> NodeConfig {
    let metrics =
        Some(MetricsConfig { life: Duration::ZERO, ..MetricsConfig::at(addr.parse().unwrap(), public) });
    NodeConfig { metrics, ..NodeConfig::devnet(dir.join("node")) }
}

/// Sends these bytes and reads whatever comes until the end.
async fn http(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // Who sends too much is cut off in the middle of it.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("an answer or an end");
    String::from_utf8(answer).unwrap()
}

/// Every sample of the page, each line judged by the grammar of the text format.
async fn scrape(addr: SocketAddr) -> BTreeMap<String, u64> {
    let answer = http(addr, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").await;
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut samples = BTreeMap::new();
    let mut typed = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            typed = name.to_owned();
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(name, typed, "a sample stands under its type");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
            if let Some(label) = series.strip_prefix(name).filter(|l| !l.is_empty()) {
                let inner = label.strip_prefix('{').and_then(|l| l.strip_suffix("\"}")).unwrap();
                assert_eq!(inner.split("=\"").count(), 2, "{line}");
            }
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} twice");
        }
    }
    assert!(TABLE.iter().all(|m| samples.keys().any(|s| s.split('{').next() == Some(m.0))));
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_move_with_what_is_done_and_name_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let node = node::run(config(dir.path(), "127.0.0.1:0", false)).await.unwrap_or_else(|e| panic!("{e}"));
    takes_part(&node).await;
    let at = node.ready().metrics.unwrap();
    let before = scrape(at).await;
    let (mailbox, mut bare) = (Mailbox::new(1), Bare::new(&node.ready().listen[0], 1).await);
    let b = mailbox.boxed(1, 100);
    for _ in 0..2 {
        let reply = bare.ask(mailbox.put(&b, false)).await.unwrap();
        assert_eq!(said(reply, &b), Said::Receipts(1));
    }
    let unpaid = Mailbox::new(2).boxed(1, 100);
    let no_proof = murre_mailbox::Request::Put { b: unpaid.wire().to_vec().into(), proof: None, fan: false };
    assert!(matches!(said(bare.ask(no_proof).await.unwrap(), &unpaid), Said::Refused(_)));
    bare.ask(mailbox.get(vec![b.id()])).await.unwrap();
    bare.ask(mailbox.list(0)).await.unwrap();
    let after = scrape(at).await;
    let grown = |name: &str| after[name] - before[name];
    assert_eq!(grown("murre_node_boxes"), 1);
    assert_eq!(grown("murre_node_bytes"), b.wire().len() as u64);
    assert_eq!(grown("murre_node_puts_total{outcome=\"stored\"}"), 1);
    assert_eq!(grown("murre_node_puts_total{outcome=\"known\"}"), 1);
    assert_eq!(grown("murre_node_puts_total{outcome=\"unpaid\"}"), 1);
    assert_eq!(grown("murre_node_puts_unpaid_total{price=\"1\"}"), 1);
    assert_eq!(grown("murre_node_gets_total{outcome=\"answered\"}"), 1);
    assert_eq!(grown("murre_node_lists_total{outcome=\"answered\"}"), 1);
    assert!(grown("murre_node_commits_total") >= 1);
    assert_eq!((after["murre_node_links"], after["murre_node_room"]), (1, 1));
    assert_eq!(after["murre_node_capacity_bytes"], node.ready().capacity);

    let page = http(at, b"GET /metrics HTTP/1.0\r\n\r\n").await;
    let secrets =
        [node.ready().peer.clone(), hex::encode(b.id().as_bytes()), hex::encode(b.locator().as_bytes())];
    assert!(page.contains("murre_node_boxes 1\n"), "or its silence would say nothing: {page}");
    assert!(secrets.iter().all(|s| !page.contains(s.as_str())) && !page.contains("127.0.0.1"));
    node.shutdown().await;
    assert!(TcpStream::connect(at).await.is_err(), "the numbers end with the node");
}

// spec: K-46
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_page_serves_whoever_asks_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Some(MetricsConfig::at("127.0.0.1:0".parse().unwrap(), false));
    let config = NodeConfig { metrics, ..NodeConfig::devnet(dir.path().join("node")) };
    let node = node::run(config).await.unwrap_or_else(|e| panic!("{e}"));
    let at = node.ready().metrics.unwrap();
    let began = std::time::Instant::now();
    let first = scrape(at).await;
    takes_part(&node).await;
    let second = scrape(at).await;
    // On a machine so busy that the page grew old meanwhile nothing is shown.
    if began.elapsed() < PAGE_LIFE {
        assert_eq!(first, second, "the turns since then are not in it");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_huge_and_too_many_requests_cost_little_and_end() {
    let dir = tempfile::tempdir().unwrap();
    let node = node::run(config(dir.path(), "127.0.0.1:0", false)).await.unwrap_or_else(|e| panic!("{e}"));
    let at = node.ready().metrics.unwrap();
    assert!(http(at, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 404"));
    let post = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nxx";
    assert!(http(at, post).await.starts_with("HTTP/1.1 405"));
    let mut huge = b"GET /metrics HTTP/1.1\r\nHost: ".to_vec();
    huge.resize(2 * MAX_HEAD, b'x');
    assert!(!http(at, &huge).await.contains("murre_node"));
    assert!(!http(at, b"\x16\x03\x01 no HTTP at all\r\n\r\n").await.contains("murre_node"));

    let mut slow = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(b"GET /metr").await.unwrap();
        slow.push(stream);
    }
    // All places are taken: even a whole request is closed unread.
    assert_eq!(http(at, b"GET /metrics HTTP/1.0\r\n\r\n").await, "");
    for mut stream in slow {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        let _ = ended.expect("a slow one is cut off");
    }
    scrape(at).await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_for_this_machine_unless_the_operator_says_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9187"] {
        match node::run(config(dir.path(), addr, false)).await {
            Err(error @ NodeError::MetricsPublic { .. }) => {
                assert!(error.hint().contains("--metrics-public"))
            }
            other => panic!("{other:?}"),
        }
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = taken.local_addr().unwrap().to_string();
    assert!(matches!(node::run(config(dir.path(), &busy, false)).await, Err(NodeError::Metrics { .. })));
    let little = NodeConfig { capacity: Some(1), ..NodeConfig::devnet(dir.path().join("node")) };
    assert!(matches!(node::run(little).await, Err(NodeError::Capacity { asked: 1 })));
    // Every refusal has given everything back.
    let node = node::run(config(dir.path(), "0.0.0.0:0", true)).await.unwrap_or_else(|e| panic!("{e}"));
    let port = node.ready().metrics.unwrap().port();
    scrape(SocketAddr::from(([127, 0, 0, 1], port))).await;
    node.shutdown().await;
}
