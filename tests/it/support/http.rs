//! An HTTP/1.1 client that sends exactly the octets it is given, and HTTP/2 with prior knowledge.
//!
//! Blocking, over a plain socket: a test sees when the connection is closed, when nothing comes, and can
//! stop in the middle of anything.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;

/// Longer than any answer takes; past it a test fails rather than hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A request that is not sent yet.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Request {
        Request { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn post(target: &str, body: &[u8]) -> Request {
        Request { body: body.to_vec(), ..Request::new("POST", target) }
    }

    /// Adds a header, beside those of the same name.
    pub(crate) fn header(self, name: &str, value: &str) -> Request {
        self.raw_header(name, value.as_bytes())
    }

    pub(crate) fn raw_header(mut self, name: &str, value: &[u8]) -> Request {
        self.headers.push((name.to_owned(), value.to_vec()));
        self
    }

    /// Takes a header away.
    pub(crate) fn without(mut self, name: &str) -> Request {
        let before = self.headers.len();
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        assert!(self.headers.len() < before, "there is no header {name} to take away");
        self
    }

    /// Puts another value in the place of a header's.
    pub(crate) fn with(self, name: &str, value: &str) -> Request {
        self.without(name).header(name, value)
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        let (_, value) = header.unwrap_or_else(|| panic!("there is no header {name}"));
        std::str::from_utf8(value).expect("a header in UTF-8")
    }

    /// The head, without anything that says how long the body is, and without the empty line at its end.
    pub(crate) fn open_head(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: localhost\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head
    }

    /// The whole head, with a Content-Length.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = self.open_head();
        head.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        head
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }

    /// The same, its body in chunks of `size`.
    pub(crate) fn chunked_octets(&self, size: usize) -> Vec<u8> {
        let mut octets = [self.open_head(), b"transfer-encoding: chunked\r\n\r\n".to_vec()].concat();
        for chunk in self.body.chunks(size) {
            octets.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            octets.extend_from_slice(chunk);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(b"0\r\n\r\n");
        octets
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("an answer in UTF-8")
    }

    /// Fails unless it is the receipt.
    #[track_caller]
    pub(crate) fn assert_received(&self) {
        assert_eq!((self.status, self.text().as_str()), (200, r#"{"status":"received"}"#), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Connection {
        Connection::try_open(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"))
    }

    pub(crate) fn try_open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, read: Vec::new() })
    }

    #[track_caller]
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.try_send(octets).expect("send to the bridge");
    }

    /// For those whose connection may be closed under them.
    pub(crate) fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)
    }

    /// Nothing more will be sent; an answer can still come.
    pub(crate) fn end_sending(&self) {
        // The other side may have closed it already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    #[track_caller]
    pub(crate) fn exchange(&mut self, request: &Request) -> Answer {
        self.send(&request.octets());
        self.answer_to(&request.method)
    }

    /// The next answer.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("POST")
    }

    #[track_caller]
    fn answer_to(&mut self, method: &str) -> Answer {
        match self.try_answer(method) {
            Ok(Some(answer)) => answer,
            Ok(None) => panic!("the connection was closed without an answer"),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// The next answer, or `None` if the connection is closed instead.
    pub(crate) fn answer_or_end(&mut self) -> Option<Answer> {
        self.try_answer("POST").unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => None,
            _ => panic!("no answer: {error}"),
        })
    }

    /// How long the next read waits.
    pub(crate) fn set_patience(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("a timeout");
    }

    /// The answer, if it has come.
    pub(crate) fn answer_if_any(&mut self) -> Option<Answer> {
        match self.try_answer("POST") {
            Ok(answer) => Some(answer.expect("an answer before the end")),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    fn try_answer(&mut self, method: &str) -> io::Result<Option<Answer>> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.read_more()? {
                assert!(self.read.is_empty(), "half an answer: {:?}", String::from_utf8_lossy(&self.read));
                return Ok(None);
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).expect("a head in UTF-8");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').expect("a header");
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut answer = Answer { status: status.expect("a status line"), headers, body: Vec::new() };
        assert_eq!(answer.header("transfer-encoding"), None, "answers are short and have a length");
        let length = answer.header("content-length").map_or(0, |text| text.parse().expect("a length"));
        if method != "HEAD" && answer.status >= 200 {
            while self.read.len() < length {
                assert!(self.read_more()?, "the answer ends early: {answer:?}");
            }
            answer.body = self.read.drain(..length).collect();
        }
        Ok(Some(answer))
    }

    /// False at the end of the stream.
    fn read_more(&mut self) -> io::Result<bool> {
        let mut room = [0; 16 * 1024];
        let count = self.stream.read(&mut room)?;
        self.read.extend_from_slice(&room[..count]);
        Ok(count > 0)
    }

    /// Everything that comes until the other side closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read_more().unwrap_or_else(|error| {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "the connection stays open");
            false
        }) {}
        std::mem::take(&mut self.read)
    }

    /// Waits until the other side closes the connection, with nothing more to say.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self) {
        match self.read_more() {
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Ok(true) => panic!("something came instead: {:?}", String::from_utf8_lossy(&self.read)),
            Err(error) => panic!("the connection stays open: {error}"),
        }
        assert!(self.read.is_empty(), "unread: {:?}", String::from_utf8_lossy(&self.read));
    }
}

/// One request on a connection of its own.
#[track_caller]
pub(crate) fn send(address: SocketAddr, request: &Request) -> Answer {
    Connection::open(address).exchange(request)
}

/// A GET on a connection of its own, or why there was none.
pub(crate) fn get(address: SocketAddr, target: &str) -> io::Result<Answer> {
    let mut connection = Connection::try_open(address)?;
    connection.try_send(&Request::new("GET", target).octets())?;
    connection.try_answer("GET")?.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
}

/// All of `requests` at once over one HTTP/2 connection, without TLS and without an upgrade.
pub(crate) fn send_http2(address: SocketAddr, requests: &[Request]) -> Vec<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client: HyperClient<_, Full<Bytes>> =
        HyperClient::builder(TokioExecutor::new()).http2_only(true).build_http();
    let exchange = |request: &Request| {
        let mut builder = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("http://{address}{}", request.target));
        for (name, value) in &request.headers {
            builder = builder.header(name.as_str(), value.as_slice());
        }
        let request = builder.body(Full::new(Bytes::from(request.body.clone()))).expect("a request");
        let response = client.request(request);
        async move {
            let (head, body) = response.await.expect("an answer over HTTP/2").into_parts();
            assert_eq!(head.version, http::Version::HTTP_2);
            let text = |value: &http::HeaderValue| value.to_str().expect("a readable header").to_owned();
            let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
            let headers = headers.collect();
            let body = body.collect().await.expect("a body over HTTP/2").to_bytes().to_vec();
            Answer { status: head.status.as_u16(), headers, body }
        }
    };
    runtime.block_on(async {
        let tasks: Vec<_> = requests.iter().map(|request| tokio::spawn(exchange(request))).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.expect("a task that does not panic"));
        }
        answers
    })
}
