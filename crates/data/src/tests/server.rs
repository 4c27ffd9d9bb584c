//! A small HTTP server on this machine, as good or as bad as a test wants it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does with one address.
#[derive(Clone)]
pub(super) enum Answer {
    /// Sends the file, or the part of it that is asked for.
    File(Vec<u8>),
    /// As `File`, but breaks off every answer after this many bytes.
    BreaksOff(Vec<u8>, usize),
    /// Sends the whole file whatever is asked for.
    NoRanges(Vec<u8>),
    /// As `NoRanges`, without saying how long it is, and closes.
    NoLength(Vec<u8>),
    /// Sends this many bytes, then nothing.
    Stalls(Vec<u8>, usize),
    /// Sends to another path.
    Redirect(String),
    /// Sends a range that was not asked for.
    WrongRange(Vec<u8>),
}

/// A running server; it ends with the test program.
pub(super) struct Server {
    pub(super) address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves these paths; every other is answered with 404.
    pub(super) fn start(answers: HashMap<String, Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (Arc::new(answers), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, seen) = (answers.clone(), seen.clone());
                // A client that has gone away is no concern of the server's.
                thread::spawn(move || drop(serve(&stream.unwrap(), &answers, &seen)));
            }
        });
        Self { address, requests }
    }

    /// The requests so far: a path, and the range where one was asked for.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, answers: &HashMap<String, Answer>, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or("/").to_string();
    let mut start = None;
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse::<usize>().ok();
        }
    }
    seen.lock().unwrap().push(match start {
        None => path.clone(),
        Some(start) => format!("{path} from {start}"),
    });
    let mut send = |status: &str, header: &str, body: &[u8]| {
        write!(stream, "HTTP/1.1 {status}\r\n{header}connection: close\r\n\r\n")?;
        stream.write_all(body)
    };
    let length = |bytes: &[u8]| format!("content-length: {}\r\n", bytes.len());
    match answers.get(&path) {
        None => send("404 Not Found", "content-length: 0\r\n", b""),
        Some(Answer::Redirect(to)) => send("302 Found", &format!("location: {to}\r\ncontent-length: 0\r\n"), b""),
        Some(Answer::NoRanges(file)) => send("200 OK", &length(file), file),
        Some(Answer::NoLength(file)) => send("200 OK", "", file),
        Some(Answer::Stalls(file, after)) => {
            send("200 OK", &length(file), &file[..*after])?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Some(Answer::WrongRange(file)) if start.is_some() => {
            let header = format!("content-range: bytes 0-{}/{}\r\n{}", file.len() - 1, file.len(), length(file));
            send("206 Partial Content", &header, file)
        }
        Some(Answer::File(file) | Answer::BreaksOff(file, _) | Answer::WrongRange(file)) => {
            let most = match answers.get(&path) {
                Some(Answer::BreaksOff(_, most)) => *most,
                _ => usize::MAX,
            };
            let start_at = start.unwrap_or(0);
            if start_at >= file.len() {
                return send("416 Range Not Satisfiable", "content-length: 0\r\n", b"");
            }
            let rest = &file[start_at..];
            let sent = &rest[..rest.len().min(most)];
            match start {
                None => send("200 OK", &length(rest), sent),
                Some(_) => {
                    let range = format!("content-range: bytes {start_at}-{}/{}\r\n", file.len() - 1, file.len());
                    send("206 Partial Content", &(range + &length(rest)), sent)
                }
            }
        }
    }
}
