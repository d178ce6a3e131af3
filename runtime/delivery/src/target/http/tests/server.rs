//! A server that reads requests and then does as its script says.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a server does once it has read a request.
#[derive(Clone, Copy)]
pub(super) enum Then {
    /// Writes this, and keeps the connection.
    Answer(&'static str),
    /// Answers 204 with so many header lines of so many bytes, and keeps the connection.
    Headers(usize, usize),
    /// Writes this, and closes the connection.
    AnswerAndClose(&'static str),
    /// Closes the connection.
    Close,
    /// Nothing.
    Hang,
}

pub(super) struct Server {
    pub(super) url: String,
    /// Each request as it came, and the number of the connection it came on.
    pub(super) requests: UnboundedReceiver<(usize, String)>,
}

impl Server {
    pub(super) async fn start(then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (told, requests) = unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                tokio::spawn(serve(stream, number, then, told.clone()));
            }
        });
        Self { url, requests }
    }

    pub(super) async fn request(&mut self) -> String {
        self.requests.recv().await.unwrap().1
    }
}

async fn serve(
    mut stream: TcpStream,
    number: usize,
    then: Then,
    told: UnboundedSender<(usize, String)>,
) {
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |n| n.parse().unwrap());
        if body.len() < length {
            continue;
        }
        read.clear();
        let _ = told.send((number, text));
        match then {
            Then::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Then::Headers(lines, bytes) => {
                let line = format!("x-line: {}\r\n", "x".repeat(bytes - "x-line: \r\n".len()));
                let answer = format!("HTTP/1.1 204 No Content\r\n{}\r\n", line.repeat(lines));
                // Who stops reading closes the connection.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            Then::AnswerAndClose(answer) => {
                return stream.write_all(answer.as_bytes()).await.unwrap();
            }
            Then::Close => return,
            Then::Hang => {}
        }
    }
}
