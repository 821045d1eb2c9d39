//! The shell around Murre's machines, and the way in for programs.
//!
//! Everything that decides is in `murre-device` and `murre-custodian`. What is here opens files and sockets, reads
//! clocks, and obeys: [`driver`] runs a machine on one thread and keeps the rule that nothing leaves before it is
//! durable; [`home`] keeps the files; [`api`] serves the local API; [`Client`] speaks it.
//!
//! | entry | for |
//! |---|---|
//! | [`init`] | making a home |
//! | [`up`] | running a home: device, network, local API |
//! | [`node::run`] | running a node that holds other people's sealed mail |
//! | [`Client`] | everybody who talks to a running home |

pub mod driver;
pub mod home;
