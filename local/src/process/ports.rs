//! Free ports for functions that cannot choose their own.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

/// Where ports are drawn from: below 32768, from where on Linux gives ports to outgoing connections.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// How many ports are tried before the answer is that there is none.
const TRIES: usize = 200;

/// A port on 127.0.0.1 that nobody listened on a moment ago. Somebody else may take it before the function does: then
/// the function exits, and its next start draws another one.
///
/// # Errors
/// When no free port was found.
pub(super) fn free() -> io::Result<u16> {
    for _ in 0..TRIES {
        let port = fastrand::u16(RANGE);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("no free port in {}..{}", RANGE.start, RANGE.end),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free().unwrap();
        assert!(RANGE.contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
