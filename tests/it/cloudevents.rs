//! Records as CloudEvents: attributes in both modes, by the specification's words.

use serde_json::{Value, json};

use super::support::http::Request;
use super::support::scene::{Plan, TYPE};
use super::support::unix_millis;

fn is_recent(time: &str) -> bool {
    let time = humantime::parse_rfc3339(time).expect("RFC 3339");
    let since = time.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    u128::from(unix_millis()).abs_diff(since) < 120_000
}

#[test]
fn the_time_is_the_events_own_where_it_is_known() {
    let scene = Plan::of("svix").start();
    let own = "2026-01-01T12:00:00.250+02:00";
    for (number, (timestamp, expected)) in [
        (format!("\"{own}\""), Some(own)),
        ("1767225600".to_owned(), Some("2026-01-01T00:00:00Z")),
        ("1767225600123".to_owned(), Some("2026-01-01T00:00:00.123Z")),
        ("\"yesterday\"".to_owned(), None),
        ("{}".to_owned(), None),
        ("null".to_owned(), None),
        ("-1".to_owned(), None),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#"{{"type":"{TYPE}","timestamp":{timestamp}}}"#);
        scene.send(&scene.request(&format!("msg_{number}"), body.as_bytes())).assert_received();
        let record = scene.records().pop().expect("a record");
        let time = record.header("ce_time").expect("a time");
        match expected {
            Some(expected) => assert_eq!(time, expected),
            None => assert_eq!(Some(time), record.header("hookbridge_received_at"), "{timestamp}"),
        }
        assert!(is_recent(record.header("hookbridge_received_at").expect("a time")));
        assert!(unix_millis().abs_diff(u64::try_from(record.timestamp_ms).expect("a time")) < 120_000);
    }
    // Which of two times it is nobody can tell; the event is one all the same.
    let body = format!(r#"{{"type":"{TYPE}","timestamp":"{own}","timestamp":1767225600}}"#);
    scene.send(&scene.request("msg_twice", body.as_bytes())).assert_received();
    let record = scene.records().pop().expect("a record");
    assert_eq!(
        (record.key.as_str(), record.header("ce_time")),
        ("msg_twice", record.header("hookbridge_received_at"))
    );
    assert_eq!(scene.dead_letters().len(), 0);
}

#[test]
fn a_subject_is_what_the_event_is_about() {
    let of = "event_time: { header: x-time }, subject: [{ json: /about }, { header: x-about }]";
    let scene = Plan::of("standard-webhooks").extended(of).start();
    let send = |id: &str, about: &str, more: &[(&str, &str)]| {
        let request = scene.request(id, format!(r#"{{"type":"{TYPE}"{about}}}"#).as_bytes());
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, value));
        scene.send(&request).assert_received();
        let record = scene.records().pop().expect("a record");
        let header = |name| record.header(name).map(str::to_owned);
        (header("ce_subject"), header("hookbridge_unsigned"))
    };
    assert_eq!(send("msg_1", ",\"about\":\"größe\"", &[]), (Some("größe".into()), None));
    assert_eq!(send("msg_2", r#","about":17"#, &[]), (Some("17".into()), None));
    assert_eq!(send("msg_3", r#","about":{}"#, &[]), (None, None));
    assert_eq!(send("msg_4", r#","about":"a\u0007b""#, &[]), (None, None));
    let (subject, unsigned) = send("msg_5", "", &[("x-about", "a"), ("x-time", "2026-01-01T00:00:00Z")]);
    assert_eq!((subject.as_deref(), unsigned.as_deref()), (Some("a"), Some("event_time,subject")));
}

#[test]
fn structured_mode_holds_the_event_in_one_piece() {
    let scene = Plan::of("svix").option("cloudevents: structured").start();
    // No reader and writer of JSON would leave it so.
    let body = format!("{{ \"type\":\"{TYPE}\",  \"n\": 1.000, \"deep\": [1e999999, \"\\u00e9\"] }}\n");
    scene.send(&scene.request("msg_1", body.as_bytes())).assert_received();
    let record = scene.records().pop().expect("a record");
    assert_eq!(record.key, "msg_1");
    assert_eq!(record.header("content-type"), Some("application/cloudevents+json; charset=UTF-8"));
    let text = std::str::from_utf8(&record.value).expect("UTF-8");
    assert!(text.ends_with(&format!("\"data\":{body}}}")), "{text}");
    let readable = text.replace("1e999999", "1");
    let event: Value = serde_json::from_str(&readable).expect("JSON");
    assert_eq!(
        event,
        json!({
            "specversion": "1.0",
            "id": "msg_1",
            "source": scene.path(),
            "type": TYPE,
            "time": record.header("ce_time"),
            "datacontenttype": "application/json",
            "data": { "type": TYPE, "n": 1.000, "deep": [1, "é"] },
        })
    );
    // Who routes by headers need not open it.
    assert_eq!((record.header("ce_id"), record.header("ce_type")), (Some("msg_1"), Some(TYPE)));
    // What can't be read is kept as it came.
    scene.send(&scene.request("msg_2", b"no JSON")).assert_received();
    let dead = scene.dead_letters().pop().expect("a record");
    assert_eq!(
        (dead.value.as_slice(), dead.header("content-type")),
        (&b"no JSON"[..], Some("application/json"))
    );
}

#[test]
fn a_cloud_event_that_is_sent_in_one_piece_gets_no_second_envelope() {
    let scene = Plan::of("standard-webhooks").option("cloudevents: structured").start();
    let body = br#"{"specversion":"1.0","id":"1","source":"/a","type":"a","data":1}"#;
    let own = Request::with(scene.request("msg_1", body), "content-type", "application/cloudevents+json");
    scene.send(&own).assert_received();
    let record = scene.records().pop().expect("a record");
    assert_eq!(record.value, body);
    assert_eq!(record.header("content-type"), Some("application/cloudevents+json"));
    assert!(scene.signer.verifies(&record));
}
