//! A rolling update under load: every replica is replaced by another, one after the other, as a Deployment with
//! `maxUnavailable: 0` does it, and no sender sees anything of it.
//!
//! The senders try nothing again: an answer that is not the receipt, and a connection that ends without an answer, fails
//! the test. They keep their connections until an answer closes them, as providers and ingresses do.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;

use super::support::balancer::Balancer;
use super::support::bridge::Bridge;
use super::support::http::{Connection, send_http2};
use super::support::scene::{Plan, Scene};
use super::support::wait::{SOON, eventually};

const SENDERS: usize = 6;
const REPLACED: usize = 4;

/// What the senders did.
#[derive(Default)]
struct Sent {
    stop: AtomicBool,
    received: AtomicUsize,
    /// Connections that an answer has closed.
    moved: AtomicUsize,
}

/// Sends events over kept connections until it is told to stop.
fn http1_sender(scene: &Scene, balancer: &Balancer, sent: &Sent, sender: usize) -> HashSet<String> {
    let mut ids = HashSet::new();
    let mut connection = Connection::open(balancer.address());
    while !sent.stop.load(Ordering::Relaxed) {
        let id = format!("msg_{sender}_{}", ids.len());
        let answer = connection.exchange(&scene.event(&id));
        answer.assert_received();
        ids.insert(id);
        sent.received.fetch_add(1, Ordering::Relaxed);
        if answer.header("connection") == Some("close") {
            sent.moved.fetch_add(1, Ordering::Relaxed);
            connection.assert_closed();
            connection = Connection::open(balancer.address());
        }
    }
    ids
}

/// The same over HTTP/2, with a client that keeps one connection until it is told to go away.
fn http2_sender(scene: &Scene, balancer: &Balancer, sent: &Sent) -> HashSet<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client: HyperClient<_, Full<Bytes>> = HyperClient::builder(TokioExecutor::new())
        .http2_only(true)
        .retry_canceled_requests(false)
        .build_http();
    let mut ids = HashSet::new();
    while !sent.stop.load(Ordering::Relaxed) {
        let id = format!("msg_http2_{}", ids.len());
        let event = scene.event(&id);
        let mut request = http::Request::builder().method("POST").uri(format!(
            "http://{}{}",
            balancer.address(),
            event.target
        ));
        for (name, value) in &event.headers {
            request = request.header(name.as_str(), value.as_slice());
        }
        let request = request.body(Full::new(Bytes::from(event.body.clone()))).expect("a request");
        let answer = runtime.block_on(client.request(request)).expect("an answer over HTTP/2");
        assert_eq!(answer.status(), 200, "{id}");
        ids.insert(id);
        sent.received.fetch_add(1, Ordering::Relaxed);
    }
    ids
}

/// Ends when many more events have been received than at the call.
fn wait_for_traffic(sent: &Sent) {
    let before = sent.received.load(Ordering::Relaxed);
    eventually(SOON, "events are received", || {
        (sent.received.load(Ordering::Relaxed) > before + 200).then_some(())
    });
}

/// One more of the scene's bridge.
fn replica(scene: &Scene) -> Bridge {
    let env = scene.bridge.env().into_iter();
    let env: Vec<_> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Bridge::start_from(scene.bridge.file(), &env)
}

fn replace(scene: &Scene, balancer: &Balancer, replicas: &mut Vec<Bridge>, sent: &Sent) {
    let next = replica(scene);
    balancer.add(&next);
    eventually(SOON, "the new replica is sent to", || balancer.sends_to(next.public()).then_some(()));
    replicas.push(next);
    wait_for_traffic(sent);
    let mut leaving = replicas.remove(0);
    leaving.signal("TERM");
    assert_eq!(leaving.wait_for_end(SOON).code(), Some(0));
    balancer.remove(leaving.public());
}

#[test]
fn a_rolling_update_under_load_drops_no_request() {
    let scene = Plan::of("svix").partitions(3).server("shutdown_delay: 1500ms").start();
    let balancer = Balancer::start();
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let replica = replica(&scene);
        balancer.add(&replica);
        eventually(SOON, "a replica is sent to", || balancer.sends_to(replica.public()).then_some(()));
        replicas.push(replica);
    }
    let sent = Sent::default();
    let ids: HashSet<String> = thread::scope(|scope| {
        let (scene, balancer, sent, replicas) = (&scene, &balancer, &sent, &mut replicas);
        let mut senders: Vec<_> = (0..SENDERS)
            .map(|sender| scope.spawn(move || http1_sender(scene, balancer, sent, sender)))
            .collect();
        senders.push(scope.spawn(move || http2_sender(scene, balancer, sent)));
        let updated = thread::Builder::new().spawn_scoped(scope, move || {
            wait_for_traffic(sent);
            for _ in 0..REPLACED {
                replace(scene, balancer, replicas, sent);
            }
            wait_for_traffic(sent);
        });
        let updated = updated.expect("a thread").join();
        // Whatever became of it: the senders must end.
        sent.stop.store(true, Ordering::Relaxed);
        let ids = senders
            .into_iter()
            .flat_map(|sender| sender.join().expect("a sender that saw nothing"))
            .collect();
        updated.expect("the update");
        ids
    });
    assert!(sent.moved.load(Ordering::Relaxed) >= SENDERS, "connections were given up by answers");
    let records = scene.records();
    let keys: HashSet<String> = records.iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys, ids);
    assert_eq!(records.len(), ids.len(), "nothing was sent twice, so nothing is there twice");
}

#[test]
fn requests_are_taken_while_load_balancers_have_not_noticed_yet() {
    let mut scene = Plan::of("svix").server("shutdown_delay: 10m").start();
    let mut kept = Connection::open(scene.bridge.public());
    kept.exchange(&scene.event("msg_before")).assert_received();
    scene.bridge.signal("TERM");
    eventually(SOON, "/readyz says 503", || (scene.bridge.readyz()? == 503).then_some(()));
    assert!(scene.bridge.get_admin("/readyz").text().contains("shutting down"));
    for (mut connection, id) in [(kept, "msg_kept"), (Connection::open(scene.bridge.public()), "msg_new")] {
        let answer = connection.exchange(&scene.event(id));
        answer.assert_received();
        assert_eq!(answer.header("connection"), Some("close"));
        connection.assert_closed();
    }
    let answers = send_http2(scene.bridge.public(), &[scene.event("msg_http2")]);
    answers[0].assert_received();
    assert_eq!(answers[0].header("connection"), None, "HTTP/2 has no such header");
    // Whoever asks twice does not want to wait.
    scene.bridge.signal("TERM");
    assert_eq!(scene.bridge.wait_for_end(SOON).code(), Some(143));
    assert_eq!(scene.records().len(), 4);
}
