//! The node in numbers, for Prometheus: text over HTTP, on loopback unless the operator says otherwise.
//!
//! ```text
//!  GET /metrics -->  ask the machine  -->  # HELP, # TYPE, name{label="..."} value
//! ```
//! Sums and states only: there is no locator, no id and no address in it. The sums are exact, so whoever may read them
//! learns how much happens here and roughly when; one page serves everybody for [`PAGE_LIFE`], so that nobody learns
//! each moment, and asking often costs no turns. HTTP is hyper's; what is ours are the bounds: [`MAX_CONNECTIONS`], one
//! request on each, [`MAX_HEAD`] and [`REQUEST_LIMIT`].

use super::NodeError;
use crate::driver::{Counts, Driver};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use murre_custodian::{Answer, Command, Custodian, NodeStatus, Tally};
use std::convert::Infallible;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};

/// Connections at once; a further one is closed unread.
pub const MAX_CONNECTIONS: usize = 8;
/// Longest request line with headers, bytes. A body is never read.
pub const MAX_HEAD: usize = 8 << 10;
/// Longest life of a connection.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(4);
/// How long a page serves whoever asks.
pub const PAGE_LIFE: Duration = Duration::from_secs(10);

/// One metric: its name, its type, its label if it has one, and what it says.
pub type Metric = (&'static str, &'static str, &'static str, &'static str);

/// Every metric, in the order in which they are printed.
pub const TABLE: [Metric; 28] = [
    ("murre_node_info", "gauge", "version", "Always 1; the label names the program's version"),
    ("murre_node_uptime_seconds", "gauge", "", "Seconds since the node was started"),
    ("murre_node_boxes", "gauge", "", "Sealed boxes held"),
    ("murre_node_bytes", "gauge", "", "Bytes of boxes and owner objects held"),
    ("murre_node_used_bytes", "gauge", "", "Bytes in use, rows reckoned in: what the price follows"),
    ("murre_node_capacity_bytes", "gauge", "", "Bytes the node may hold"),
    ("murre_node_price_factor", "gauge", "", "How many times the network's price a block of space costs"),
    (
        "murre_node_room",
        "gauge",
        "",
        "1 while the disk has room to write, 0 while puts are refused for want of it",
    ),
    ("murre_node_leaving", "gauge", "", "1 while the node is being stopped"),
    ("murre_node_joined", "gauge", "", "1 once the join puzzle is solved"),
    ("murre_node_places", "gauge", "", "Mailboxes with anything here in one epoch"),
    ("murre_node_directory_nodes", "gauge", "", "Nodes known, this one included"),
    ("murre_node_links", "gauge", "", "Links up"),
    ("murre_node_waiting_lists", "gauge", "", "Lists that wait for something new"),
    ("murre_node_coordinating", "gauge", "", "Requests under way for an asker at other nodes"),
    ("murre_node_puts_total", "counter", "outcome", "Puts of boxes and owner objects at this node"),
    (
        "murre_node_puts_unpaid_total",
        "counter",
        "price",
        "Puts refused because they were not paid, by the price asked",
    ),
    ("murre_node_lists_total", "counter", "outcome", "Lists"),
    ("murre_node_gets_total", "counter", "outcome", "Gets of boxes and owner objects"),
    ("murre_node_coordinated_total", "counter", "", "Requests worked on for an asker at all custodians"),
    (
        "murre_node_refused_leaving_total",
        "counter",
        "",
        "Requests refused because the node was being stopped",
    ),
    ("murre_node_repair_fetched_total", "counter", "", "Things that neighbours handed over"),
    ("murre_node_repair_stored_total", "counter", "", "Those of them that were missing here and taken in"),
    ("murre_node_sweeps_total", "counter", "", "Sweeps of what has expired"),
    ("murre_node_swept_rows_total", "counter", "", "Rows that sweeps removed"),
    ("murre_node_commits_total", "counter", "", "Transactions made durable"),
    ("murre_node_turns_total", "counter", "", "Turns of the machine"),
    ("murre_node_store_failures_total", "counter", "", "Transactions that failed and left nothing"),
];

/// Samples of one metric: the value of its label, and the number.
type Samples = Vec<(String, u64)>;

/// The page.
#[must_use]
pub fn page(status: &NodeStatus, counts: &Counts, uptime: Duration) -> String {
    let mut out = String::with_capacity(8 << 10);
    for (name, kind, label, help) in TABLE {
        // Writing to a string does not fail.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (value, number) in samples(name, status, counts, uptime) {
            let _ = if label.is_empty() {
                writeln!(out, "{name} {number}")
            } else {
                writeln!(out, "{name}{{{label}=\"{value}\"}} {number}")
            };
        }
    }
    out
}

fn samples(name: &str, s: &NodeStatus, counts: &Counts, uptime: Duration) -> Samples {
    let t = &s.tally;
    let one = |number: u64| vec![(String::new(), number)];
    match name {
        "murre_node_info" => vec![(env!("CARGO_PKG_VERSION").to_owned(), 1)],
        "murre_node_uptime_seconds" => one(uptime.as_secs()),
        "murre_node_boxes" => one(s.boxes),
        "murre_node_bytes" => one(s.bytes),
        "murre_node_used_bytes" => one(s.used),
        "murre_node_capacity_bytes" => one(s.capacity),
        "murre_node_price_factor" => one(s.factor.into()),
        "murre_node_room" => one((!s.without_room).into()),
        "murre_node_leaving" => one(s.leaving.into()),
        "murre_node_joined" => one(s.joined.into()),
        "murre_node_places" => one(s.locators),
        "murre_node_directory_nodes" => one(s.nodes),
        "murre_node_links" => one(s.links),
        "murre_node_waiting_lists" => one(s.waiting),
        "murre_node_coordinating" => one(s.coordinating),
        "murre_node_puts_total" => puts(t),
        "murre_node_puts_unpaid_total" => {
            t.put_unpaid.iter().enumerate().map(|(n, count)| ((1u64 << n).to_string(), *count)).collect()
        }
        "murre_node_lists_total" => {
            named(&[("answered", t.list_answered), ("waited", t.list_waited), ("refused", t.list_refused)])
        }
        "murre_node_gets_total" => named(&[("answered", t.get_answered), ("refused", t.get_refused)]),
        "murre_node_coordinated_total" => one(t.coordinated),
        "murre_node_refused_leaving_total" => one(t.leaving),
        "murre_node_repair_fetched_total" => one(t.repair_fetched),
        "murre_node_repair_stored_total" => one(t.repair_stored),
        "murre_node_sweeps_total" => one(t.sweeps),
        "murre_node_swept_rows_total" => one(t.swept),
        "murre_node_commits_total" => one(counts.commits),
        "murre_node_turns_total" => one(counts.turns),
        "murre_node_store_failures_total" => one(counts.failures),
        _ => Samples::new(),
    }
}

fn puts(t: &Tally) -> Samples {
    named(&[
        ("stored", t.put_stored),
        ("known", t.put_known),
        ("unpaid", t.put_unpaid.iter().sum()),
        ("quota", t.put_quota),
        ("not_mine", t.put_not_mine),
        ("expired", t.put_expired),
        ("conflict", t.put_conflict),
        ("no_room", t.put_no_room),
        ("busy", t.put_busy),
        ("invalid", t.put_invalid),
    ])
}

fn named(counts: &[(&str, u64)]) -> Samples {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// Where the numbers are to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Where to listen.
    pub addr: SocketAddr,
    /// Also where others can reach it.
    pub public: bool,
    /// How long a page serves whoever asks: [`PAGE_LIFE`] unless a test has no time.
    pub life: Duration,
}

impl MetricsConfig {
    /// There, on loopback only unless `public`.
    #[must_use]
    pub const fn at(addr: SocketAddr, public: bool) -> Self {
        Self { addr, public, life: PAGE_LIFE }
    }
}

/// Binds the address.
///
/// # Errors
/// It is not loopback and nobody said that it may be, or the system refuses.
// spec: K-46
pub(super) async fn bind(config: MetricsConfig) -> Result<TcpListener, NodeError> {
    let MetricsConfig { addr, public, .. } = config;
    if !addr.ip().is_loopback() && !public {
        return Err(NodeError::MetricsPublic { addr });
    }
    TcpListener::bind(addr).await.map_err(|source| NodeError::Metrics { addr, source })
}

/// The listening task. Ends, with everything it serves, when dropped.
#[derive(Debug)]
pub(super) struct Serving(JoinHandle<()>);

impl Serving {
    /// Stops serving; when this returns the address is free.
    pub async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves until the result is dropped.
pub(super) fn serve(listener: TcpListener, driver: Driver<Custodian>, life: Duration) -> Serving {
    let pages = Arc::new(Pages { driver, life, began: Instant::now(), last: Mutex::new(None) });
    Serving(tokio::spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = open.join_next() => continue,
            };
            match accepted {
                // Dropped at once: whoever holds all connections holds up only the numbers.
                Ok(_) if open.len() >= MAX_CONNECTIONS => {}
                Ok((stream, _)) => {
                    open.spawn(one_request(TokioIo::new(stream), pages.clone()));
                }
                // Out of descriptors, for example: it passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }))
}

/// The page that was made last.
struct Pages {
    driver: Driver<Custodian>,
    life: Duration,
    began: Instant,
    last: Mutex<Option<(Instant, String)>>,
}

impl Pages {
    /// The page of this moment, or of one at most `life` ago. Whoever asks while one is made waits for that one.
    // spec: K-46
    async fn page(&self) -> Option<String> {
        let mut last = self.last.lock().await;
        if let Some((_, page)) = last.as_ref().filter(|(made, _)| made.elapsed() < self.life) {
            return Some(page.clone());
        }
        let Ok(Answer::Status(status)) = self.driver.ask(Command::Status).await else { return None };
        let page = page(&status, &self.driver.counts(), self.began.elapsed());
        *last = Some((Instant::now(), page.clone()));
        Some(page)
    }
}

async fn one_request(io: TokioIo<tokio::net::TcpStream>, pages: Arc<Pages>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = pages.clone();
        async move { Ok::<_, Infallible>(answer(&request, &pages).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_LIMIT / 2);
    http.keep_alive(false).max_buf_size(MAX_HEAD);
    // Errors are the other side's: too slow, too much, no HTTP. It gets no answer, or hyper's.
    let _ = tokio::time::timeout(REQUEST_LIMIT, http.serve_connection(io, service)).await;
}

async fn answer(request: &Request<Incoming>, pages: &Pages) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "the numbers are at /metrics\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match pages.page().await {
        Some(page) => plain(StatusCode::OK, page),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "the node does not answer now\n"),
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_samples_and_every_line_its_form() {
        let page = page(&NodeStatus::default(), &Counts::default(), Duration::from_secs(7));
        assert!(page.contains("murre_node_uptime_seconds 7\n"));
        assert!(page.contains("murre_node_room 1\n"));
        for (name, kind, label, _) in TABLE {
            let lines: Vec<&str> =
                page.lines().filter(|l| l.split([' ', '{']).next() == Some(name)).collect();
            assert!(!lines.is_empty(), "{name}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            for line in lines {
                assert_eq!(line.contains('{'), !label.is_empty(), "{line}");
                assert!(line.rsplit(' ').next().unwrap().parse::<u64>().is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn the_operators_handbook_lists_exactly_these_metrics() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
        let book = std::fs::read_to_string(book).unwrap();
        let told: Vec<(&str, &str, &str)> = book
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| `murre_node_")?.split('|').map(str::trim);
                Some((cells.next()?.trim_end_matches('`'), cells.next()?, cells.next()?))
            })
            .collect();
        let ours: Vec<(&str, &str, &str)> = TABLE
            .iter()
            .map(|(name, kind, label, _)| (name.trim_start_matches("murre_node_"), *kind, *label))
            .collect();
        assert_eq!(told, ours);
    }
}
