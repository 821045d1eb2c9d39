//! A virtual network with real machines, oracles and sabotage.

pub mod agenda;
pub mod campaign;
pub mod cast;
pub mod dice;
pub mod liar;
pub mod machine;
pub mod model;
pub mod net;
pub mod node;
pub mod oracle;
pub mod person;
pub mod plan;
pub mod run;
pub mod sabotage;
pub mod shell;
pub mod stranger;
pub mod totals;
pub mod trace;
