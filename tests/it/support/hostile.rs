//! Something at a collector's address that is none: it answers as a test tells it to, and counts who comes.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is done about a connection.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// These octets, once something was asked.
    Octets(Vec<u8>),
    /// A success whose body has no end.
    Endless,
    /// A success whose body comes an octet at a time, and has no end.
    Trickle,
    /// Nothing, while the connection stays open.
    Never,
}

/// A listener that is no collector.
pub(crate) struct Hostile {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<u8>>>,
}

impl Answer {
    /// A whole answer in HTTP/1.1.
    pub(crate) fn http(head: &str, body: &[u8]) -> Answer {
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        Answer::Octets([head.into_bytes(), body.to_vec()].concat())
    }
}

impl Hostile {
    /// Listens as long as the process lives.
    pub(crate) fn start(answer: Answer) -> Hostile {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let address = listener.local_addr().expect("an address");
        let (connections, asked) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (counted, noted) = (Arc::clone(&connections), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                let (answer, noted) = (answer.clone(), Arc::clone(&noted));
                thread::spawn(move || serve(stream, &answer, &noted));
            }
        });
        Hostile { address, connections, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What was asked first, as far as it has come in one piece.
    pub(crate) fn asked(&self) -> String {
        String::from_utf8_lossy(&self.asked.lock().expect("what was asked")).into_owned()
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, noted: &Mutex<Vec<u8>>) {
    let mut octets = vec![0; 256 * 1024];
    let Ok(count) = stream.read(&mut octets) else { return };
    let mut first = noted.lock().expect("what was asked");
    if first.is_empty() {
        first.extend_from_slice(&octets[..count]);
    }
    drop(first);
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n";
    match answer {
        Answer::Octets(octets) => drop(stream.write_all(octets)),
        Answer::Endless => {
            let _ = stream.write_all(head);
            while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
        }
        Answer::Trickle => {
            let _ = stream.write_all(head);
            // The pause is what it is about, not something that is waited for.
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        }
        Answer::Never => while stream.read(&mut octets).is_ok_and(|count| count > 0) {},
    }
}
