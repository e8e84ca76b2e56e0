//! Many events at once: as many receipts as records, each ID exactly once (P2).

use std::collections::HashSet;
use std::thread;

use super::support::http::Connection;
use super::support::murmur2::partition_of;
use super::support::scene::Plan;

const CONNECTIONS: usize = 16;
const EVENTS_EACH: usize = 250;
const PARTITIONS: i32 = 6;

#[test]
fn thousands_of_events_land_once_each() {
    let scene = Plan::of("svix").partitions(PARTITIONS).start();
    let received: usize = thread::scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|sender| {
                let scene = &scene;
                scope.spawn(move || {
                    let mut connection = Connection::open(scene.bridge.public());
                    let events = (0..EVENTS_EACH).map(|event| scene.event(&format!("msg_{sender}_{event}")));
                    events.filter(|event| connection.exchange(event).status == 200).count()
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender")).sum()
    });
    assert_eq!(received, CONNECTIONS * EVENTS_EACH);
    let records = scene.records();
    assert_eq!(records.len(), received);
    let keys: HashSet<&str> = records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys.len(), received, "each once");
    for record in &records {
        assert_eq!(record.partition, partition_of(record.key.as_bytes(), PARTITIONS));
        assert!(scene.signer.verifies(record));
    }
    let sent = scene.bridge.metric("messaging_client_sent_messages_total", &[&scene.topic]);
    assert_eq!(sent, Some(received as f64));
    scene.bridge.wait_until_idle();
}
