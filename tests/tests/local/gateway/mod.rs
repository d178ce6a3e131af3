//! The gateway, called as clients call the one of OpenFaaS.

mod access;
mod asynchronous;
mod calls;
mod deployments;
mod logs;
mod scale;
mod secrets;
mod streams;
