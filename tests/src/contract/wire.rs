//! HTTP/1.1 as bytes, so that a test can send what no client would, and sees what came and nothing else.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long a test waits for an answer that has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// What was read and belongs to the next answer.
    read: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole, chunks put together.
    pub body: String,
}

impl Socket {
    /// Connects to that port of this machine.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Sends bytes as they are. That the other side has closed already shows when its answer is read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Reads one answer to its end; `None` where the connection ends or breaks before there is a whole one.
    pub fn reply(&mut self) -> Option<Reply> {
        let (status, headers) = self.head()?;
        let find = |name: &str| {
            headers
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.as_str())
        };
        let body = match (status, find("transfer-encoding"), find("content-length")) {
            (100..=199 | 204 | 304, _, _) => Vec::new(),
            (_, Some("chunked"), _) => self.chunked()?,
            (_, _, Some(length)) => self.take(length.parse().ok()?)?,
            _ => {
                self.stream.read_to_end(&mut self.read).ok()?;
                std::mem::take(&mut self.read)
            }
        };
        Some(Reply {
            status,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// Reads the head of an answer; its body is left where it is.
    pub fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let head = self.until(b"\r\n\r\n")?;
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some((status, headers))
    }

    /// The next chunk of a chunked body; `None` at its end and where it breaks off.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(self.until(b"\r\n")?.trim(), 16).ok()?;
        let chunk = self.take(length)?;
        self.until(b"\r\n")?;
        (length > 0).then_some(chunk)
    }

    /// Whether the other side has closed the connection, or does so by now; whatever it still says is thrown away.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = [0; 4096];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// Waits no longer than this for what comes next.
    pub fn patience(&mut self, patience: Duration) -> &mut Self {
        self.stream
            .set_read_timeout(Some(patience))
            .expect("a patience above nought");
        self
    }

    fn chunked(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(self.until(b"\r\n")?.trim(), 16).ok()?;
            body.extend(self.take(length)?);
            self.until(b"\r\n")?;
            if length == 0 {
                return Some(body);
            }
        }
    }

    /// So many bytes of a body; `None` where it breaks off.
    pub fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            self.more()?;
        }
        let rest = self.read.split_off(length);
        Some(std::mem::replace(&mut self.read, rest))
    }

    fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = self
                .read
                .windows(end.len())
                .position(|window| window == end)
            {
                let text = self.take(at + end.len())?;
                return String::from_utf8(text).ok();
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        let length = self
            .stream
            .read(&mut buffer)
            .ok()
            .filter(|length| *length > 0)?;
        self.read.extend_from_slice(&buffer[..length]);
        Some(())
    }
}

impl Reply {
    /// The first header of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// `status body`, what most tests ask.
    pub fn summary(&self) -> String {
        format!("{} {:?}", self.status, self.body)
    }
}
