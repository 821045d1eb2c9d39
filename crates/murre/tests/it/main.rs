//! The shell from outside: homes, the driver under failures, and whole processes' worth of parts on loopback.

mod driver;
mod home;
mod people;
mod running;
mod toy;
