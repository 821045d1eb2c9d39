//! The shell from outside: homes, the driver under failures, and whole processes' worth of parts on loopback.

mod bare;
mod driver;
mod home;
mod metrics;
mod people;
mod progress;
mod room;
mod running;
mod skip;
mod toy;
