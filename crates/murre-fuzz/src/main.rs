//! What `cargo xtask fuzz` runs.
//!
//! ```text
//! murre-fuzz list                     names of the targets
//! murre-fuzz seeds CORPUS             writes the seeds into CORPUS/NAME/
//! murre-fuzz replay NAME FILE...      runs inputs through one target
//! murre-fuzz mutate NAME ROUNDS SEED  mutation without coverage, for a machine without libFuzzer
//! ```

use anyhow::{Context, Result, bail};
use murre_fuzz::mutate::Mutator;
use murre_fuzz::{TARGETS, Target, check, memory, seeds, target};
use std::path::Path;

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["list"] => TARGETS.iter().for_each(|target| println!("{}", target.name)),
        ["seeds", corpus] => write(Path::new(corpus))?,
        ["replay", name, files @ ..] => replay(named(name)?, files)?,
        ["mutate", name, rounds, seed] => mutate(named(name)?, rounds.parse()?, seed.parse()?),
        _ => bail!("list | seeds CORPUS | replay NAME FILE... | mutate NAME ROUNDS SEED"),
    }
    Ok(())
}

fn named(name: &str) -> Result<&'static Target> {
    target(name).with_context(|| format!("there is no target {name}"))
}

fn write(corpus: &Path) -> Result<()> {
    for target in TARGETS {
        let folder = corpus.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for old in std::fs::read_dir(&folder)? {
            let old = old?;
            // What a fuzzer found has another name and stays.
            if old.file_name().to_string_lossy().starts_with("seed-") {
                std::fs::remove_file(old.path())?;
            }
        }
        for bytes in seeds::of(target.name) {
            let name = hex::encode(blake3::hash(bytes).as_bytes().split_at(6).0);
            std::fs::write(folder.join(format!("seed-{name}")), bytes)?;
        }
    }
    Ok(())
}

fn replay(target: &Target, files: &[&str]) -> Result<()> {
    for file in files {
        let accepted = check(target, &std::fs::read(file).with_context(|| (*file).to_owned())?);
        println!("{file}: {}", if accepted { "accepted" } else { "refused" });
    }
    Ok(())
}

fn mutate(target: &Target, rounds: usize, seed: u64) {
    let mut mutator = Mutator::new(seed, seeds::of(target.name));
    let mut accepted = 0;
    for _ in 0..rounds {
        accepted += usize::from(check(target, &mutator.next_input()));
    }
    println!("{}: {rounds} inputs, {accepted} accepted", target.name);
}
