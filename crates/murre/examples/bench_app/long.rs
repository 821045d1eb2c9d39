//! Rows of one home with many messages: start, the first page, events, calls, search.

use super::Sizes;
use super::past::{Made, RARE, word};
use super::proc::Proc;
use super::table::{Result, Table, percentile};
use futures::StreamExt;
use murre::{Client, v1};
use std::path::Path;
use std::time::Instant;

/// Calls that wait for their answer at the same time, where many are made.
const AT_ONCE: usize = 64;

pub(super) async fn chat(murre: &Path, home: &Path, table: &mut Table, sizes: &Sizes) -> Result<()> {
    let made = Made::new(home, sizes.chat)?;
    let (mut starts, mut opens) = (Vec::new(), Vec::new());
    for last in (0..sizes.starts).rev() {
        let began = Instant::now();
        let mut proc = up(murre, home).await?;
        starts.push(began.elapsed());
        let client = Client::connect(home).await?;
        let began = Instant::now();
        let page = client.history(&made.chat, 50, None).await?;
        opens.push(began.elapsed());
        if page.len() != 50 {
            return Err(format!("a page of {} messages", page.len()).into());
        }
        if last == 0 {
            events(&client, &made, table).await?;
            calls(&client, &made, table, sizes.calls).await?;
        }
        proc.stop().await?;
    }
    let n = sizes.starts;
    let store = made.says();
    let method = format!("start of `murre up` to its ready line, no network to join, {store}; median");
    table.row("start_100k_ms", percentile(&mut starts, 50), "ms", n, &method)?;
    let method = format!("first Chats.History of 50 after a start, chat of {}, {store}; median", sizes.chat);
    table.row("open_chat_100k_ms", percentile(&mut opens, 50), "ms", n, &method)
}

/// All events that are kept, each with its message, over one stream.
async fn events(client: &Client, made: &Made, table: &mut Table) -> Result<()> {
    let newest = made.events();
    let began = Instant::now();
    let (mut watch, mut texts, mut cursor) = (client.watch(Some(0)).await?, 0usize, 0);
    while cursor < newest {
        let event = watch.next().await.ok_or("the stream of events ended")??;
        cursor = event.cursor;
        let message = match event.what {
            Some(v1::event::What::MessageArrived(arrived)) => arrived.message,
            Some(v1::event::What::MessageSent(sent)) => sent.message,
            _ => None,
        };
        texts += usize::from(message.is_some_and(|message| message.text.is_some()));
    }
    let took = began.elapsed().as_secs_f64();
    if texts as u64 != newest.min(murre_device::limits::MAX_NOTICES) {
        return Err(format!("{texts} events with a text, the newest has cursor {newest}").into());
    }
    let method = "Events.Watch from the beginning: stored events read back, each with its message of 100 B, one stream";
    table.row("events_per_s", texts as f64 / took, "per s", texts, method)
}

/// A small call that reads the store.
async fn calls(client: &Client, made: &Made, table: &mut Table, n: usize) -> Result<()> {
    let mut times = Vec::with_capacity(n);
    for _ in 0..n {
        let began = Instant::now();
        client.status(&made.newest).await?;
        times.push(began.elapsed());
    }
    let began = Instant::now();
    let answers = futures::stream::iter(0..n).map(|_| client.status(&made.newest)).buffered(AT_ONCE);
    let answers: Vec<_> = answers.collect().await;
    let rate = n as f64 / began.elapsed().as_secs_f64();
    answers.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
    let method = format!(
        "Chats.Status of one message, one call at a time; p99 {:.3}; {AT_ONCE} at a time {rate:.0} calls/s",
        percentile(&mut times, 99)
    );
    table.row("api_unary_p50_ms", percentile(&mut times, 50), "ms", n, &method)
}

pub(super) async fn searches(murre: &Path, home: &Path, table: &mut Table, sizes: &Sizes) -> Result<()> {
    let made = Made::new(home, sizes.search)?;
    let mut proc = up(murre, home).await?;
    let client = Client::connect(home).await?;
    let small = client.chats().await?.into_iter().find(|chat| chat.chat != made.chat).ok_or("one chat")?.chat;
    let rare = sizes.search / RARE;
    // What is asked, in which chat, and the fewest hits it must have.
    let kinds: [(&str, Box<dyn Fn(u64) -> String>, &str, usize); 5] = [
        (
            "a word that occurs once",
            Box::new(move |i| format!("rare{}x", i % rare.max(1))),
            "",
            usize::from(rare > 0),
        ),
        ("a common word", Box::new(|i| word(i % 20)), "", 1),
        ("two common words", Box::new(|i| format!("{} {}", word(i % 20), word(20 + i % 20))), "", 0),
        ("one letter", Box::new(|i| char::from(b'a' + (i % 20) as u8).into()), "", 0),
        ("a common word in a chat of 10", Box::new(|i| word(i % 20)), &small, 0),
    ];
    let (mut slowest, mut said) = (0.0_f64, Vec::new());
    for (name, typed, chat, fewest) in &kinds {
        let mut times = Vec::new();
        for i in 0..sizes.searches {
            let request = v1::SearchRequest {
                query: typed(i as u64),
                chat: (*chat).to_owned(),
                limit: 50,
                before: String::new(),
            };
            let began = Instant::now();
            let found = client.search(request).await?;
            times.push(began.elapsed());
            if found.len() < *fewest {
                return Err(format!("{name}: {} hits for {:?}", found.len(), typed(i as u64)).into());
            }
        }
        let took = percentile(&mut times, 50);
        slowest = slowest.max(took);
        said.push(format!("{name} {took:.2}"));
    }
    proc.stop().await?;
    let method = format!(
        "Chats.Search, limit 50, {}; median of the slowest kind; medians in ms: {}",
        made.says(),
        said.join(", ")
    );
    table.row("search_1m_ms", slowest, "ms", sizes.searches * kinds.len(), &method)
}

/// Runs the home, which joins no network.
async fn up(murre: &Path, home: &Path) -> Result<Proc> {
    let args = ["--home", &home.to_string_lossy(), "up", "--no-web"];
    Ok(Proc::start(murre, &args, &home.with_extension("log")).await?.0)
}
