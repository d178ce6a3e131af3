//! The local runner, as its users meet it: over its gateway, by its commands, through the real faas-cli, and as a process
//! among processes.

mod bus;
mod faas_cli;
mod gateway;
mod mistakes;
mod packages;
mod probe;
mod run;
mod trial;
