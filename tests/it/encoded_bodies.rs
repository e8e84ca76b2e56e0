//! Bodies with a content-encoding: verified as they were sent, kept so, and read all the same.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::support::http::Request;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::topics::Record;

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).expect("write to memory");
    encoder.finish().expect("write to memory")
}

fn zlib(octets: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).expect("write to memory");
    encoder.finish().expect("write to memory")
}

/// A genuine request, signed over the octets as they are sent.
fn encoded(scene: &Scene, id: &str, encoding: &str, body: &[u8]) -> Request {
    scene.request(id, body).header("content-encoding", encoding)
}

#[track_caller]
fn only(records: Vec<Record>) -> Record {
    let [record] = <[Record; 1]>::try_from(records).expect("one record");
    record
}

#[test]
fn what_was_signed_is_kept_and_goes_to_the_topic_of_its_type() {
    let plan = Plan::of("svix");
    let mapped = format!("topics: {{ {TYPE}: webhooks.{} }}", plan.name());
    let scene = plan.option(&mapped).option("unmapped: reject").start();
    let body = scene.signer.body("", TYPE);
    for (number, (encoding, sent)) in
        [("gzip", gzip(&body)), ("X-GZip", gzip(&body)), ("deflate", zlib(&body))].into_iter().enumerate()
    {
        let id = format!("msg_{number}");
        scene.send(&encoded(&scene, &id, encoding, &sent)).assert_received();
        let record = scene.records().pop().expect("a record");
        assert_eq!((record.key.as_str(), &record.value), (id.as_str(), &sent));
        assert_eq!(record.header("content-encoding"), Some(encoding));
        assert_eq!(record.header("ce_type"), Some(TYPE));
        assert_eq!(record.header("hookbridge_decoded"), None);
        assert!(scene.signer.verifies(&record), "{record:?}");
    }
    assert_eq!((scene.records().len(), scene.dead_letters().len()), (3, 0));
}

#[test]
fn a_signature_is_over_what_was_sent_and_nothing_else() {
    let scene = Plan::of("svix").start();
    let body = scene.signer.body("", TYPE);
    let signed_before = Request { body: gzip(&body), ..scene.request("msg_1", &body) };
    assert_eq!(scene.send(&signed_before.header("content-encoding", "gzip")).status, 401);
    let altered = Request { body: gzip(b"{}"), ..encoded(&scene, "msg_1", "gzip", &gzip(&body)) };
    assert_eq!(scene.send(&altered).status, 401);
    scene.assert_nothing_else_landed();
}

#[test]
fn decompress_publishes_what_it_says() {
    let scene = Plan::of("svix").option("decompress: true").start();
    let body = scene.signer.body("", TYPE);
    scene.send(&encoded(&scene, "msg_1", "gzip", &gzip(&body))).assert_received();
    let record = only(scene.records());
    assert_eq!(record.value, body);
    assert_eq!(record.header("hookbridge_decoded"), Some("gzip"));
    assert_eq!(record.header("content-encoding"), None);
    // What has none is as it always is.
    scene.send(&scene.event("msg_2")).assert_received();
    let record = scene.records().pop().expect("a record");
    assert_eq!((record.header("hookbridge_decoded"), record.header("content-encoding")), (None, None));
    assert!(scene.signer.verifies(&record));
}

#[test]
fn elements_of_a_batch_are_without_it() {
    let scene = Plan::of("generic-hex").option("split: /events").start();
    let sent = gzip(br#"{"events":[{"id":"a","type":"t"}, {"id":"b","type":"t"}]}"#);
    scene.send(&encoded(&scene, "", "gzip", &sent)).assert_received();
    let records = scene.records();
    let values: Vec<&[u8]> = records.iter().map(|record| record.value.as_slice()).collect();
    assert_eq!(values, [&br#"{"id":"a","type":"t"}"#[..], br#"{"id":"b","type":"t"}"#]);
    for record in &records {
        assert_eq!(record.header("hookbridge_decoded"), Some("gzip"));
        assert_eq!(record.header("content-encoding"), None);
    }
}

/// It would be refused again however often it is sent (P8).
#[test]
fn what_can_not_be_undone_is_a_dead_letter() {
    let scene = Plan::of("svix").option("max_body_bytes: 100KiB").start();
    let body = scene.signer.body("", TYPE);
    let bomb = gzip(&[&body[..], &vec![b' '; 50 * 1024 * 1024]].concat());
    assert!(bomb.len() < 100 * 1024, "{}", bomb.len());
    for (encoding, sent) in [
        ("gzip", bomb),
        ("gzip", body.clone()),
        ("gzip", gzip(&body)[..20].to_vec()),
        ("br", b"\x0b\x02\x80{}\x03".to_vec()),
        ("gzip, gzip", gzip(&gzip(&body))),
        ("nonsense", body.clone()),
    ] {
        let before = scene.dead_letters().len();
        scene.send(&encoded(&scene, "msg_1", encoding, &sent)).assert_received();
        let mut records = scene.dead_letters();
        assert_eq!(records.len(), before + 1, "{encoding}");
        let record = records.pop().expect("a record");
        assert_eq!((record.key.as_str(), &record.value), ("msg_1", &sent));
        assert_eq!(record.header("hookbridge_reason"), Some("undecodable_body"));
        assert_eq!(record.header("content-encoding"), Some(encoding));
        assert!(scene.signer.verifies(&record));
    }
    assert_eq!(scene.records().len(), 0);
    scene.bridge.wait_until_idle();
}

/// 503 would have it sent again and again, and there will never be more room than that.
#[test]
fn what_there_can_never_be_room_for_is_a_dead_letter() {
    let scene = Plan::of("svix").server("max_in_flight_bytes: 64KiB").option("max_body_bytes: 64KiB").start();
    let body = scene.signer.body("", TYPE);
    let sent = gzip(&[&body[..], &vec![b' '; 64 * 1024 - body.len()]].concat());
    scene.send(&encoded(&scene, "msg_1", "gzip", &sent)).assert_received();
    let record = only(scene.dead_letters());
    assert_eq!((record.header("hookbridge_reason"), &record.value), (Some("undecodable_body"), &sent));
    scene.bridge.wait_until_idle();
}

/// Where ID and type stand in headers, nobody needs to read the body.
#[test]
fn what_need_not_be_read_need_not_be_undone() {
    let headers_alone = "message_id: { header: webhook-id }, event_type: { header: x-type }";
    let scene = Plan::of("standard-webhooks").extended(headers_alone).start();
    let request = encoded(&scene, "msg_1", "br", b"whatever").header("x-type", TYPE);
    scene.send(&request).assert_received();
    let record = only(scene.records());
    assert_eq!((record.header("content-encoding"), record.header("ce_type")), (Some("br"), Some(TYPE)));
}
