//! Downloads, against a server on this machine.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::sets::{Place, Small, mnist, mnist_at, open};
use crate::download::Patience;
use crate::error::Error;
use crate::fetch::{Fetched, fetch_set, missing};
use crate::{Attempt, Lookup, Network};

const IMAGES: &str = "train-images-idx3-ubyte.gz";
const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), idle: Duration::from_millis(300) };

/// Serves the small MNIST under `/` with every archive answered this way.
fn serve(answer: impl Fn(&str, Vec<u8>) -> Option<Answer>) -> Server {
    let archives = mnist().archives();
    let answers = archives.into_iter().filter_map(|(name, bytes)| Some((format!("/{name}"), answer(name, bytes)?)));
    Server::start(answers.collect())
}

fn good() -> Server {
    serve(|_, bytes| Some(Answer::File(bytes)))
}

fn online(place: &Place) -> Lookup {
    Lookup { network: Network::Allowed, ..place.lookup() }
}

fn bring(small: &Small, lookup: &Lookup) -> Result<(), Error> {
    missing(small.set, lookup, &PATIENCE, &mut |_| {}).map(|_| ())
}

fn attempts(error: &Error) -> &[Attempt] {
    match error {
        Error::Missing { attempts, .. } => attempts,
        other => panic!("{other}"),
    }
}

#[test]
fn a_missing_set_is_downloaded_once_and_then_found() {
    let server = good();
    let (small, place) = (mnist_at(&[&server.address]), Place::new());
    let (data, steps) = open(&small, &online(&place));
    assert_eq!(data.unwrap().train.samples(), 20);
    assert!(steps.contains(&format!("downloading {IMAGES}")), "{steps:?}");
    assert_eq!(server.requests().len(), 4);
    let published: Vec<_> = place.files("cache").into_iter().filter(|path| path.starts_with("mnist/")).collect();
    assert_eq!(published.len(), 4, "{published:?}");
    assert!(place.files("cache").iter().all(|path| !path.contains("part")), "{:?}", place.files("cache"));

    let (data, steps) = open(&small, &place.lookup());
    assert!(data.is_ok() && steps.is_empty(), "found and unpacked, without the network: {steps:?}");
    let fetched = fetch_set(small.set, &online(&place), &mut |_| {}).unwrap();
    assert_eq!(fetched, Fetched::Present { directory: place.path("cache/mnist") });
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn fetch_says_what_it_did() {
    let server = good();
    let (small, place) = (mnist_at(&[&server.address]), Place::new());
    let fetched = fetch_set(small.set, &online(&place), &mut |_| {}).unwrap();
    assert_eq!(fetched, Fetched::Downloaded { directory: place.path("cache/mnist") });
    let synthetic = crate::fetch(crate::Name::Synthetic, &place.lookup(), &mut |_| {}).unwrap();
    assert_eq!(synthetic, Fetched::BuiltIn);
}

#[test]
fn offline_asks_nobody() {
    let server = good();
    let (small, place) = (mnist_at(&[&server.address]), Place::new());
    let error = open(&small, &place.lookup()).0.unwrap_err();
    assert!(error.is_missing() && attempts(&error).is_empty(), "{error}");
    let from = Lookup { from: Some(server.address.clone()), ..place.lookup() };
    let error = open(&small, &from).0.unwrap_err();
    assert_eq!(attempts(&error)[0].reason, "downloads are off");
    assert!(server.requests().is_empty() && place.files("cache").is_empty());
}

#[test]
fn the_next_mirror_is_tried_and_every_failure_named() {
    let (empty, other, server) = (
        Server::start(HashMap::new()),
        serve(|name, bytes| {
            Some(if name == IMAGES { Answer::File(vec![0; bytes.len()]) } else { Answer::File(bytes) })
        }),
        good(),
    );
    let mirrors = [&empty.address[..], &other.address, &server.address];
    let place = Place::new();
    bring(&mnist_at(&mirrors), &online(&place)).unwrap();
    assert_eq!(server.requests(), [format!("/{IMAGES}")], "the second mirror had the other three");

    let place = Place::new();
    let error = bring(&mnist_at(&[mirrors[0], mirrors[1], "http://127.0.0.1:1/"]), &online(&place)).unwrap_err();
    assert!(error.is_missing());
    let reasons: Vec<&str> = attempts(&error).iter().map(|attempt| attempt.reason.as_str()).collect();
    assert!(reasons[0].contains("404"), "{reasons:?}");
    assert!(reasons[1].contains("its SHA-256 is"), "{reasons:?}");
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    let line = error.to_string();
    assert!(mirrors[..2].iter().all(|mirror| line.contains(mirror)) && !line.contains('\n'), "{line}");
    assert!(place.files("cache").iter().all(|path| !path.starts_with("mnist")), "nothing half-written is found later");
}

#[test]
fn a_wrong_length_is_refused_before_it_is_read() {
    let server = serve(|_, bytes| Some(Answer::File([&bytes[..], &[0]].concat())));
    let error = bring(&mnist_at(&[&server.address]), &online(&Place::new())).unwrap_err();
    let reason = &attempts(&error)[0].reason;
    assert!(reason.starts_with("the file has ") && reason.contains(" bytes, not "), "{reason}");
}

#[test]
fn a_transfer_that_breaks_off_is_resumed() {
    let server = serve(|_, bytes| Some(Answer::BreaksOff(bytes, 20)));
    let place = Place::new();
    let small = mnist_at(&[&server.address]);
    bring(&small, &online(&place)).unwrap();
    let requests = server.requests();
    assert_eq!(requests[..3], [format!("/{IMAGES}"), format!("/{IMAGES} from 20"), format!("/{IMAGES} from 40")]);
    assert!(open(&small, &place.lookup()).0.is_ok());
}

/// A `.part` of an earlier run, as far as it got.
fn leave_part(place: &Place, bytes: &[u8]) {
    fs::create_dir_all(place.path("cache/downloads/mnist")).unwrap();
    fs::write(place.path("cache/downloads/mnist").join(format!("{IMAGES}.part")), bytes).unwrap();
}

#[test]
fn an_earlier_run_is_gone_on_with() {
    let server = good();
    let archive = mnist().archives().remove(0).1;
    let place = Place::new();
    leave_part(&place, &archive[..30]);
    bring(&mnist_at(&[&server.address]), &online(&place)).unwrap();
    assert_eq!(server.requests()[0], format!("/{IMAGES} from 30"));

    // Whole but for its name.
    let place = Place::new();
    leave_part(&place, &archive);
    bring(&mnist_at(&[&server.address]), &online(&place)).unwrap();
    assert_eq!(server.requests().len(), 4 + 3);

    // Of another file: found out by its digest, and begun again at the same mirror.
    let place = Place::new();
    leave_part(&place, b"bytes of something else altogether");
    bring(&mnist_at(&[&server.address]), &online(&place)).unwrap();
    let requests = server.requests();
    assert_eq!(requests[7..9], [format!("/{IMAGES} from 34"), format!("/{IMAGES}")]);

    // Longer than the file.
    let place = Place::new();
    leave_part(&place, &[7; 5000]);
    bring(&mnist_at(&[&server.address]), &online(&place)).unwrap();
}

#[test]
fn servers_without_ranges_start_over() {
    let archive = mnist().archives().remove(0).1;
    for server in [serve(|_, bytes| Some(Answer::NoRanges(bytes))), serve(|_, bytes| Some(Answer::NoLength(bytes)))] {
        let place = Place::new();
        leave_part(&place, &archive[..30]);
        bring(&mnist_at(&[&server.address]), &online(&place)).unwrap();
    }
    let server = serve(|_, bytes| Some(Answer::WrongRange(bytes)));
    let place = Place::new();
    leave_part(&place, &archive[..30]);
    let error = bring(&mnist_at(&[&server.address]), &online(&place)).unwrap_err();
    assert!(attempts(&error)[0].reason.contains("another range"), "{error}");
}

#[test]
fn an_end_without_a_length_is_noticed() {
    let server = serve(|_, bytes| Some(Answer::NoLength(bytes[..30].to_vec())));
    let error = bring(&mnist_at(&[&server.address]), &online(&Place::new())).unwrap_err();
    assert!(attempts(&error)[0].reason.contains("after 30 of"), "{error}");
}

#[test]
fn silence_ends_a_transfer() {
    let silent = serve(|_, bytes| Some(Answer::Stalls(bytes, 0)));
    let stalls = serve(|_, bytes| Some(Answer::Stalls(bytes, 10)));
    let server = good();
    let mirrors = [&silent.address[..], &stalls.address];
    let start = Instant::now();
    let error = bring(&mnist_at(&mirrors), &online(&Place::new())).unwrap_err();
    assert_eq!(attempts(&error).len(), 2, "{error}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let place = Place::new();
    bring(&mnist_at(&[&stalls.address, &server.address]), &online(&place)).unwrap();
    assert!(server.requests()[0].ends_with("from 10"), "the next mirror goes on: {:?}", server.requests());
}

#[test]
fn redirects_are_followed() {
    let server = good();
    let address = server.address.clone();
    let redirects = serve(move |name, _| Some(Answer::Redirect(format!("{address}{name}"))));
    bring(&mnist_at(&[&redirects.address]), &online(&Place::new())).unwrap();
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn from_an_address_takes_any_packing_and_the_content_decides() {
    // Stored, not deflated: another length and digest than the catalog's.
    let stored = |content: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        std::io::Write::write_all(&mut encoder, content).unwrap();
        encoder.finish().unwrap()
    };
    let small = mnist();
    let archives = small.set.archives.iter().zip(&small.contents);
    let answers: HashMap<_, _> = archives
        .map(|(archive, content)| (format!("/copies/mnist/{}", archive.name), Answer::File(stored(content))))
        .collect();
    let server = Server::start(answers.clone());
    for base in [format!("{}copies", server.address), format!("{}copies/mnist/", server.address)] {
        let place = Place::new();
        let lookup = Lookup { from: Some(base), ..online(&place) };
        bring(&small, &lookup).unwrap();
        assert!(open(&small, &place.lookup()).0.is_ok());
    }
    let bad = answers.into_keys().map(|path| (path, Answer::File(stored(b"other content"))));
    let server = Server::start(bad.collect());
    let place = Place::new();
    let lookup = Lookup { from: Some(format!("{}copies", server.address)), ..online(&place) };
    let error = bring(&small, &lookup).unwrap_err();
    assert!(error.is_missing() && attempts(&error)[1].reason.contains("bytes, not"), "{error}");
    assert!(place.files("cache").iter().all(|path| !path.starts_with("mnist")));
}

#[test]
fn from_a_directory_copies_and_checks() {
    let small = mnist();
    let source = Place::new();
    let folder = small.write_archives(&source.path("copies"));
    for from in [source.path("copies"), folder.clone()] {
        let place = Place::new();
        let lookup = Lookup { from: Some(from.display().to_string()), ..place.lookup() };
        leave_part(&place, b"left by a download");
        assert!(open(&small, &lookup).0.is_ok(), "no network is needed");
        assert!(open(&small, &place.lookup()).0.is_ok(), "it stays");
        let kept: Vec<_> = place.files("cache").into_iter().filter(|path| path.starts_with("mnist/")).collect();
        assert_eq!(kept.len(), 4, "{kept:?}");
    }
    assert_eq!(source.files("copies").len(), 4, "the source keeps its files");

    let place = Place::new();
    let nowhere = Lookup { from: Some(source.path("empty").display().to_string()), ..place.lookup() };
    let error = open(&small, &nowhere).0.unwrap_err();
    assert_eq!((error.is_missing(), attempts(&error)[0].reason.as_str()), (true, "it is not a directory"));

    fs::write(folder.join(IMAGES), "bad").unwrap();
    let bad = Lookup { from: Some(folder.display().to_string()), ..place.lookup() };
    let error = open(&small, &bad).0.unwrap_err();
    assert!(!error.is_missing(), "a bad file in a directory the user names is an error: {error}");
    assert!(place.files("cache").iter().all(|path| !path.starts_with("mnist")));
}

#[test]
fn what_is_there_is_never_replaced() {
    let server = good();
    let (small, place) = (mnist_at(&[&server.address]), Place::new());
    let folder = small.write_archives(&place.path("a"));
    fs::write(folder.join(IMAGES), "bad").unwrap();
    let error = open(&small, &online(&place)).0.unwrap_err();
    assert!(!error.is_missing());
    fs::remove_file(folder.join(IMAGES)).unwrap();
    let error = open(&small, &online(&place)).0.unwrap_err();
    assert!(matches!(error, Error::Incomplete { .. }) && !error.is_missing(), "{error}");
    assert!(fetch_set(small.set, &online(&place), &mut |_| {}).is_err());
    assert!(server.requests().is_empty());
}

#[test]
fn a_cache_that_cannot_be_written_counts_as_missing() {
    let server = good();
    let (small, place) = (mnist_at(&[&server.address]), Place::new());
    fs::write(place.path("cache"), "in the way").unwrap();
    let error = open(&small, &online(&place)).0.unwrap_err();
    assert!(error.is_missing() && attempts(&error)[0].reason.contains("not writable"), "{error}");
}

/// Files of other kinds already in the folder where the set goes.
#[test]
fn a_folder_with_other_files_is_filled() {
    let server = good();
    let (small, place) = (mnist_at(&[&server.address]), Place::new());
    fs::create_dir_all(place.path("cache/mnist")).unwrap();
    fs::write(place.path("cache/mnist/notes.txt"), "mine").unwrap();
    bring(&small, &online(&place)).unwrap();
    assert_eq!(fs::read_to_string(place.path("cache/mnist/notes.txt")).unwrap(), "mine");
    assert!(open(&small, &place.lookup()).0.is_ok());
}

#[test]
fn two_runs_at_once_download_once() {
    let server = good();
    let (small, place) = (mnist_at(&[&server.address]), Place::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| bring(&small, &online(&place)).unwrap());
        }
    });
    assert_eq!(server.requests().len(), 4);
}

/// How the server answers for one address.
#[derive(Clone)]
enum Answer {
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
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves these paths; every other is answered with 404.
    fn start(answers: HashMap<String, Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (Arc::new(answers), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, seen) = (answers.clone(), seen.clone());
                // A client that has gone away is no concern of the server's.
                thread::spawn(move || drop(answer_request(&stream.unwrap(), &answers, &seen)));
            }
        });
        Self { address, requests }
    }

    /// The requests so far: a path, and the range where one was asked for.
    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer_request(
    mut stream: &TcpStream,
    answers: &HashMap<String, Answer>,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
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
