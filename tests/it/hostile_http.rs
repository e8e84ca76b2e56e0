//! Requests that no honest client sends: refused or understood in one way only, and the next honest one is
//! served.

use super::support::http::{Connection, Request, send_http2};
use super::support::scene::{Plan, Scene, TYPE};

/// Sends octets, which may be refused before their end, and gives the status of each answer until the connection
/// is closed: by the last request, or because it can't go on.
fn statuses(scene: &Scene, octets: &[u8]) -> Vec<u16> {
    let mut connection = Connection::open(scene.bridge.public());
    // It may be closed under us.
    let _ = connection.try_send(octets);
    answers(&mut connection)
}

fn answers(connection: &mut Connection) -> Vec<u16> {
    let mut statuses = Vec::new();
    while let Some(answer) = connection.answer_or_end() {
        assert_ne!(answer.status, 500, "{answer:?}");
        statuses.push(answer.status);
    }
    statuses
}

/// A genuine event after which the connection is closed.
fn last_event(scene: &Scene, id: &str) -> Request {
    scene.event(id).header("connection", "close")
}

/// Every one of these is refused, or the connection is closed without a word.
fn all_refused(scene: &Scene, requests: &[(&str, Vec<u8>)]) {
    for (what, octets) in requests {
        let mut connection = Connection::open(scene.bridge.public());
        // It may be closed under us.
        let _ = connection.try_send(octets);
        // Whoever waits for more learns that there is none.
        connection.end_sending();
        let statuses = answers(&mut connection);
        assert!(statuses.iter().all(|status| (400..500).contains(status)), "{what}: {statuses:?}");
        assert!(statuses.len() <= 1, "{what}: {statuses:?}");
    }
    scene.bridge.wait_until_idle();
    scene.assert_nothing_else_landed();
}

#[test]
fn heads_that_are_no_heads() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    let with = |line: &[u8]| {
        let (request_line, rest) = split_after_line(event.octets());
        [request_line.as_slice(), line, &rest].concat()
    };
    let many = "x-many: 1\r\n".repeat(101);
    let requests = [
        ("a folded header", with(b"x-folded: a\r\n b\r\n")),
        ("a folded header by a tab", with(b"x-folded: a\r\n\tb\r\n")),
        ("a space before the colon", with(b"x-space : a\r\n")),
        ("no name", with(b": a\r\n")),
        ("no colon", with(b"x-nothing\r\n")),
        ("NUL in a value", with(b"x-nul: a\0b\r\n")),
        ("NUL in a name", with(b"x-\0: a\r\n")),
        ("CR alone", with(b"x-cr: a\rb: c\r\n")),
        ("101 headers", with(many.as_bytes())),
        ("100 KiB of a header", with(format!("x-long: {}\r\n", "a".repeat(100 * 1024)).as_bytes())),
        ("100 KiB of a target", Request::new("POST", &format!("/{}", "a".repeat(100 * 1024))).octets()),
        ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("nothing but lines", b"\r\n\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"POST /\r\n\r\n".to_vec()),
        ("HTTP/3.0", b"POST / HTTP/3.0\r\nhost: x\r\n\r\n".to_vec()),
        ("a space in the target", Request::new("POST", "/webhooks /x").octets()),
    ];
    all_refused(&scene, &requests);
}

#[test]
fn an_http2_preface_and_no_http2() {
    let scene = Plan::of("svix").start();
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    connection.send(&scene.event("msg_1").octets());
    let said = connection.rest();
    assert!(!said.starts_with(b"HTTP/1.1 2"), "{said:?}");
    scene.bridge.wait_until_idle();
    scene.assert_nothing_else_landed();
}

fn split_after_line(octets: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let end = octets.iter().position(|octet| *octet == b'\n').expect("a line") + 1;
    (octets[..end].to_vec(), octets[end..].to_vec())
}

#[test]
fn lengths_that_contradict_themselves() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    let with = |framing: &str, body: &[u8]| {
        [event.open_head(), format!("{framing}\r\n\r\n").into_bytes(), body.to_vec()].concat()
    };
    let length = event.body.len();
    let whole = event.body.as_slice();
    let requests = [
        ("two lengths", with(&format!("content-length: {length}\r\ncontent-length: 2"), whole)),
        ("two lengths in one", with(&format!("content-length: {length}, 2"), whole)),
        ("a signed length", with(&format!("content-length: +{length}"), whole)),
        ("a negative length", with("content-length: -1", whole)),
        ("a length in hexadecimal", with("content-length: 0x10", whole)),
        ("an empty length", with("content-length: ", whole)),
        ("an unknown encoding", with("transfer-encoding: gzip", whole)),
        ("chunked, and then another", with("transfer-encoding: chunked, gzip", whole)),
        ("chunked, disguised", with("transfer-encoding: xchunked", whole)),
        ("chunks that are none", with("transfer-encoding: chunked", b"hello")),
        ("a chunk with a bad size", with("transfer-encoding: chunked", b"5g\r\n")),
        (
            "a chunk with a huge size",
            with("transfer-encoding: chunked", b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ),
        ("a chunk that is too short", with("transfer-encoding: chunked", b"ff\r\n{}\r\n0\r\n\r\n")),
        ("a chunk that is too long", with("transfer-encoding: chunked", b"1\r\n{}\r\n0\r\n\r\n")),
        ("no last chunk", with("transfer-encoding: chunked", b"2\r\n{}\r\n")),
        ("a body that is too short", with(&format!("content-length: {}", length + 1), whole)),
    ];
    all_refused(&scene, &requests);
}

/// RFC 9112, section 6.1: such a request is refused, or understood as chunked and the connection closed. What
/// matters is that nothing that follows is ever taken for a request.
#[test]
fn a_length_beside_chunks_smuggles_nothing() {
    let scene = Plan::of("svix").start();
    let chunked = scene.event("msg_outer");
    let inner = last_event(&scene, "msg_inner").octets();
    for (number, framing) in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "transfer-encoding: chunked\r\nContent-Length: 100000",
    ]
    .into_iter()
    .enumerate()
    {
        let chunks = [
            format!("{:x}\r\n", chunked.body.len()).into_bytes(),
            chunked.body.clone(),
            b"\r\n0\r\n\r\n".to_vec(),
        ]
        .concat();
        let octets =
            [chunked.open_head(), format!("{framing}\r\n\r\n").into_bytes(), chunks, inner.clone()].concat();
        let statuses = statuses(&scene, &octets);
        assert!([&[200][..], &[400]].contains(&statuses.as_slice()), "{number}: {statuses:?}");
    }
    for record in scene.records() {
        assert_eq!(record.key, "msg_outer");
        assert_eq!(record.value, chunked.body);
    }
    scene.send(&scene.event("msg_after")).assert_received();
}

#[test]
fn targets_that_are_nearly_a_path() {
    let scene = Plan::of("svix").start();
    let source = scene.source.clone();
    let event = last_event(&scene, "msg_1");
    for target in [
        format!("//webhooks/{source}"),
        format!("/webhooks//{source}"),
        format!("/webhooks/{source}/"),
        format!("/webhooks/./{source}"),
        format!("/webhooks/%2e/{source}"),
        format!("/webhooks/../webhooks/{source}"),
        format!("/webhooks/%2e%2e/webhooks/{source}"),
        format!("/webhooks%2f{source}"),
        format!("/webhooks/{source}%00"),
        format!("/webhooks/{source}%20"),
        format!("/webhooks/{source};v=1"),
        format!("/webhooks/%{:02x}{}", source.as_bytes()[0], &source[1..]),
        format!("/WEBHOOKS/{source}"),
        format!("/webhooks/{}", source.to_uppercase()),
        format!("/?/webhooks/{source}"),
        "*".to_owned(),
    ] {
        let statuses = statuses(&scene, &Request { target: target.clone(), ..event.clone() }.octets());
        assert!([&[404][..], &[400]].contains(&statuses.as_slice()), "{target}: {statuses:?}");
    }
    // What proxies and senders add on their own changes nothing.
    let query = format!("/webhooks/{source}?a=/../b&c=%2e");
    scene.send(&Request { target: query, ..scene.event("msg_query") }).assert_received();
    // The form that only proxies are sent (RFC 9112, section 3.2.2) must be understood.
    let absolute = format!("http://elsewhere.example/webhooks/{source}");
    scene.send(&Request { target: absolute, ..scene.event("msg_absolute") }).assert_received();
    let records = scene.records();
    let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["msg_query", "msg_absolute"]);
    let path = scene.path();
    assert!(records.iter().all(|record| record.header("ce_source") == Some(&path)));
    assert_eq!(scene.dead_letters().len(), 0);
}

#[test]
fn methods_that_are_no_post() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    for method in ["GET", "PUT", "OPTIONS", "DELETE", "PATCH", "TRACE", "post", "X"] {
        let request = Request { method: method.to_owned(), ..event.clone() };
        assert_eq!(scene.send(&request).status, 405, "{method}");
    }
    let connect = b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n\r\n".to_vec();
    let all = b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    all_refused(&scene, &[("CONNECT", connect), ("OPTIONS *", all)]);
}

#[test]
fn an_upgrade_is_not_taken() {
    let scene = Plan::of("svix").start();
    for (id, upgrade) in [("msg_h2c", "h2c"), ("msg_ws", "websocket")] {
        let request = scene
            .event(id)
            .header("connection", "Upgrade, HTTP2-Settings")
            .header("upgrade", upgrade)
            .header("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA");
        let mut connection = Connection::open(scene.bridge.public());
        connection.exchange(&request).assert_received();
        // It goes on as HTTP/1.1.
        connection.exchange(&scene.event(&format!("{id}_next"))).assert_received();
    }
    assert_eq!(scene.records().len(), 4);
}

#[test]
fn the_rules_are_the_same_over_http2() {
    let scene = Plan::of("svix").option("max_body_bytes: 1KiB").start();
    let event = scene.event("msg_1");
    let cases = [
        (405, Request { method: "GET".to_owned(), ..event.clone() }),
        (404, Request { target: format!("/{}", event.target), ..event.clone() }),
        (413, scene.request("msg_1", &[b' '; 1025])),
        (413, scene.request("msg_1", &[b' '; 600_000])),
        (400, event.clone().header("svix-id", "msg_1")),
        (401, event.clone().without("svix-id")),
        (401, Request { body: b"{}".to_vec(), ..event }),
    ];
    // Each on a connection of its own, and then all on one.
    for (status, request) in &cases {
        let answers = send_http2(scene.bridge.public(), std::slice::from_ref(request));
        assert_eq!(answers[0].status, *status, "{}", answers[0].text());
    }
    let (statuses, requests): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answers = send_http2(scene.bridge.public(), &requests);
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), statuses);
    scene.bridge.wait_until_idle();
    scene.assert_nothing_else_landed();
}

#[test]
fn requests_in_one_go_are_answered_in_their_order() {
    let scene = Plan::of("svix").start();
    let forged = scene.event("msg_forged").with("svix-id", "msg_x");
    let octets =
        [scene.event("msg_1"), forged, last_event(&scene, "msg_2")].map(|request| request.octets()).concat();
    assert_eq!(statuses(&scene, &octets), [200, 401, 200]);
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_1", "msg_2"]);
}

#[test]
fn an_old_client_is_served() {
    let scene = Plan::of("svix").start();
    let octets = String::from_utf8(scene.event("msg_old").octets()).expect("text");
    let old = octets.replacen("HTTP/1.1", "HTTP/1.0", 1).replacen("host: localhost\r\n", "", 1);
    assert_eq!(statuses(&scene, old.as_bytes()), [200]);
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn who_goes_early_takes_nothing_along() {
    let scene = Plan::of("svix").start();
    let octets = scene.event_of(TYPE, "msg_1").octets();
    for keep in (0..octets.len() - 1).step_by(octets.len() / 12) {
        let mut connection = Connection::open(scene.bridge.public());
        connection.send(&octets[..keep]);
        drop(connection);
    }
    scene.bridge.wait_until_idle();
    scene.assert_nothing_else_landed();
}

/// hyper's own default would drop the request as soon as its sender closes one side.
#[test]
fn who_has_said_everything_may_close_its_side_and_is_answered() {
    let scene = Plan::of("svix").start();
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(&scene.event("msg_half_closed").octets());
    connection.end_sending();
    connection.answer().assert_received();
    assert_eq!(scene.records().len(), 1);
}
