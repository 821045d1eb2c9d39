//! What `doctor` says.

use crate::out::Style;
use murre::v1;
use std::path::Path;

pub fn offline(
    style: Style,
    version: &str,
    home: &Path,
    exists: bool,
    protection: Option<(&str, bool)>,
) -> String {
    let state = if exists {
        "there is an account; `murre up` starts it"
    } else {
        "no account: `murre init` makes one"
    };
    let mut out = vec![row("version", version), row("home", &format!("{} ({state})", home.display()))];
    out.extend(protection.map(|(by, at_rest)| row("key", &format!("{by}, {}", rest(style, at_rest)))));
    out.push(row("running", &style.dim("no")));
    out.join("\n")
}

/// Whether a copy of the home stays shut.
pub fn rest(style: Style, at_rest: bool) -> String {
    if at_rest { style.good("protected at rest") } else { style.bad("not protected at rest") }
}

pub fn running(style: Style, d: &v1::Doctor) -> String {
    let rest = rest(style, d.protected_at_rest);
    let network = if d.network.is_empty() { style.dim("none known yet") } else { d.network.clone() };
    let small = if d.small_network { style.dim("  small network") } else { String::new() };
    let reach = if d.reachable { style.good("reachable") } else { style.bad("no node answers") };
    let mut out = vec![
        row("version", &d.version),
        row("home", &d.home),
        row("key", &format!("{}, {rest}", d.protection)),
        row("profile", &d.profile),
        row("network", &format!("{network}  {reach}{small}")),
        row("nodes", &format!("{} known, {} hold mail", d.nodes_known, d.nodes_eligible)),
        row("links", &d.links.to_string()),
    ];
    out.extend(d.listen.iter().map(|addr| row("listening", addr)));
    out.extend(
        d.quotas.iter().map(|q| row(&format!("limit {}", q.name), &format!("{} of {}", q.used, q.limit))),
    );
    out.extend(d.counters.iter().map(|counter| row(&counter.name, &counter.value.to_string())));
    out.join("\n")
}

fn row(name: &str, value: &str) -> String {
    format!("{name:<24} {value}")
}
