//! Downloads one archive from one address into one file, and resumes a broken transfer.
//!
//! Bytes are appended to `<archive>.part`. If a transfer breaks, the bytes received so far stay, and the next request
//! asks for the rest with `Range`. A server that ignores `Range` sends everything, and the file starts over. The same
//! server is asked again as long as every request brings something. There is no limit on the total time, only on the
//! time without a byte.
//!
//! Nothing here verifies the content: two servers may compress it differently, and only the digest reveals a `.part`
//! made of both. The caller verifies it and asks for a fresh start.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a name, and then for a connection with its TLS handshake.
    pub(crate) connect: Duration,
    /// For the next byte.
    pub(crate) idle: Duration,
}

/// The timeouts of every download.
pub(crate) const PATIENCE: Patience = Patience { connect: Duration::from_secs(10), idle: Duration::from_secs(60) };

/// Most requests to one server for one archive: ends a server that sends a few bytes per request.
const REQUESTS: usize = 200;

/// The length of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// This long, by the catalog.
    Exactly(u64),
    /// At most this long: a user's own archive.
    AtMost(u64),
}

/// Called with the bytes so far and, where known, the bytes in all.
pub(crate) type Step<'a> = dyn FnMut(u64, Option<u64>) + 'a;

/// Why a request ended early.
enum Broken {
    /// The file is longer than before: worth another request.
    Midway(String),
    /// It brought nothing new, timed out, or can never succeed.
    Final(String),
}

/// Downloads `address` into `part`, resuming an earlier transfer.
///
/// # Errors
/// The reason in one line. The bytes received so far stay in `part`.
pub(crate) fn transfer(
    address: &str,
    part: &Path,
    length: Length,
    patience: &Patience,
    step: &mut Step<'_>,
) -> Result<(), String> {
    let agent = agent(address, patience);
    let mut reason = String::new();
    for _ in 0..REQUESTS {
        match request(&agent, address, part, length, patience, step) {
            Ok(()) => return Ok(()),
            Err(Broken::Final(reason)) => return Err(reason),
            Err(Broken::Midway(broken)) => reason = broken,
        }
    }
    Err(format!("the transfer broke off {REQUESTS} times, last: {reason}"))
}

fn agent(address: &str, patience: &Patience) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("rivalry/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_send_request(Some(patience.idle))
        .timeout_recv_response(Some(patience.idle))
        .timeout_per_read(Some(patience.idle));
    // The library reads HTTPS_PROXY and similar variables. No proxy can reach this machine's loopback address.
    if is_loopback(address) {
        config = config.proxy(None);
    }
    config.build().into()
}

fn is_loopback(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
        host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':') || rest.starts_with('/'))
    })
}

fn request(
    agent: &Agent,
    address: &str,
    part: &Path,
    length: Length,
    patience: &Patience,
    step: &mut Step<'_>,
) -> Result<(), Broken> {
    let disk = |error: std::io::Error| Broken::Final(format!("cannot write {}: {error}", part.display()));
    let before = fs::metadata(part).map_or(0, |found| found.len());
    let (Length::Exactly(limit) | Length::AtMost(limit)) = length;
    if length == Length::Exactly(before) {
        return Ok(());
    }
    let (response, start) = respond(agent, address, if before > limit { 0 } else { before })?;
    let total = response.body().content_length().map(|rest| start + rest);
    match (length, total) {
        (Length::Exactly(exactly), Some(total)) if total != exactly => {
            return Err(Broken::Final(format!("the file has {total} bytes, not {exactly}")));
        }
        (Length::AtMost(limit), Some(total)) if total > limit => {
            return Err(Broken::Final(format!("the file has {total} bytes, at most {limit} are allowed")));
        }
        _ => {}
    }

    let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(disk)?;
    file.set_len(start).map_err(disk)?;
    let received = receive(response, &mut file, start, limit, &mut |done| step(done, total));
    let have = file.metadata().map_err(disk)?.len();
    let broken = |reason| if have > before { Broken::Midway(reason) } else { Broken::Final(reason) };
    match received {
        // A server that gives no length can end early without an error.
        Ok(()) if matches!(length, Length::Exactly(exactly) if have != exactly) => {
            Err(broken(format!("the transfer ended after {have} of {limit} bytes")))
        }
        Ok(()) => Ok(()),
        Err(Failed::Disk(error)) => Err(disk(error)),
        Err(Failed::Line(error)) if error.kind() == ErrorKind::TimedOut => {
            Err(Broken::Final(format!("no byte came for {} s, after {have} bytes", patience.idle.as_secs_f32())))
        }
        Err(Failed::Line(error)) => Err(broken(error.to_string())),
        Err(Failed::TooLong) => Err(Broken::Final(format!("the file has more than {limit} bytes"))),
    }
}

/// Asks for everything after the first `have` bytes, and returns the response and the offset it starts at.
fn respond(agent: &Agent, address: &str, have: u64) -> Result<(Response<Body>, u64), Broken> {
    let response = ask(agent, address, have)?;
    match response.status() {
        StatusCode::OK => Ok((response, 0)),
        StatusCode::PARTIAL_CONTENT if have > 0 && range_start(&response) == Some(have) => Ok((response, have)),
        StatusCode::PARTIAL_CONTENT => {
            Err(Broken::Final("the server sent another range than the one asked for".into()))
        }
        // Nothing follows these bytes, so they belong to a longer file.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => respond(agent, address, 0),
        status => Err(Broken::Final(format!("the server answered {status}"))),
    }
}

fn ask(agent: &Agent, address: &str, have: u64) -> Result<Response<Body>, Broken> {
    let mut request = agent.get(address);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    request.call().map_err(|error| Broken::Final(error.to_string()))
}

/// The first byte of a partial response.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

enum Failed {
    Disk(std::io::Error),
    Line(std::io::Error),
    TooLong,
}

fn receive(
    response: Response<Body>,
    file: &mut File,
    mut have: u64,
    limit: u64,
    step: &mut dyn FnMut(u64),
) -> Result<(), Failed> {
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    step(have);
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::Line(error)),
        };
        if have + read as u64 > limit {
            return Err(Failed::TooLong);
        }
        file.write_all(&buffer[..read]).map_err(Failed::Disk)?;
        have += read as u64;
        step(have);
    }
}
