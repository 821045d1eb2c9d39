//! toxcore beside the rows that it has, too.

use super::table::{Result, Table};
use super::toxcore::Figures;
use std::path::Path;

pub(super) async fn toxcore(table: &mut Table, program: &Path, smoke: bool) -> Result<()> {
    let found = Figures::measure(program, "e2e", smoke).await?;
    let get = |name| found.get(name);
    let how = format!(
        "both start at once, each told the other's address and key; until both see the other; median of {}",
        get("connects")?
    );
    found.beside(table, "connect_ms", "connect_ms", how);
    for (row, p) in [("direct_p50_ms", "p50"), ("direct_p99_ms", "p99")] {
        let of = |name: &str| found.get(&format!("{name}_{p}_ms"));
        let how = format!(
            "one way, iterated each 1 ms, stored nowhere; round trip {:.2}; at its own interval (50 ms) one way {:.2}, \
             round trip {:.2}",
            of("tight_round_trip")?,
            of("default_one_way")?,
            of("default_round_trip")?
        );
        found.beside(table, row, &format!("tight_one_way_{p}_ms"), how);
    }
    let how = "one at a time, iterated each 1 ms, all that went over lo, IP level; stored nowhere";
    found.beside(table, "wire_bytes_per_100b", "wire_bytes", how.into());
    let how = format!(
        "first call to the last text at the receiver, iterated each 1 ms, stored nowhere; to the sender's last receipt \
         {:.0}",
        get("sustained_receipted_per_s")?
    );
    found.beside(table, "direct_sustained_per_s", "sustained_per_s", how);
    let how = format!("{} bytes, iterated each 1 ms, not stored at the receiver", get("file_bytes")?);
    found.beside(table, "file_mb_per_s", "file_mb_per_s", how);
    Ok(())
}
