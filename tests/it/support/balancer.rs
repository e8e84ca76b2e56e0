//! A plain TCP balancer, as a cloud's network load balancer or kube-proxy is one.
//!
//! Takes replicas by their addresses. Gives one address: a connection to it is one to a replica whose `/readyz` said 200
//! the last time it was asked, in turn. It knows nothing of HTTP and heals nothing: what a replica does to a
//! connection, the client sees.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::bridge::Bridge;
use super::http;

/// How often each replica is asked; Kubernetes' own news take about as long.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// A balancer, until it is dropped.
pub(crate) struct Balancer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    replicas: Mutex<Vec<Replica>>,
    turn: AtomicUsize,
    ended: AtomicBool,
}

#[derive(Clone, Copy, PartialEq)]
struct Replica {
    public: SocketAddr,
    admin: SocketAddr,
    ready: bool,
}

impl Shared {
    /// A replica that is ready, in turn.
    fn next(&self) -> Option<SocketAddr> {
        let replicas = self.replicas.lock().expect("the replicas");
        let ready: Vec<_> = replicas.iter().filter(|replica| replica.ready).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        (!ready.is_empty()).then(|| ready[turn % ready.len()].public)
    }

    fn probe(&self) {
        while !self.ended.load(Ordering::Relaxed) {
            let replicas = self.replicas.lock().expect("the replicas").clone();
            for replica in replicas {
                let ready = http::get(replica.admin, "/readyz").is_ok_and(|answer| answer.status == 200);
                let mut replicas = self.replicas.lock().expect("the replicas");
                if let Some(known) = replicas.iter_mut().find(|known| known.public == replica.public) {
                    known.ready = ready;
                }
            }
            thread::sleep(PROBE_INTERVAL);
        }
    }
}

impl Balancer {
    pub(crate) fn start() -> Balancer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("the port's number");
        let shared = Arc::new(Shared::default());
        let (accepting, probing) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::spawn(move || probing.probe());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Some(replica)) = (client, accepting.next()) else { continue };
                thread::spawn(move || join(client, replica));
            }
        });
        Balancer { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this replica is asked whether it is ready.
    pub(crate) fn add(&self, bridge: &Bridge) {
        let replica = Replica { public: bridge.public(), admin: bridge.admin(), ready: false };
        self.shared.replicas.lock().expect("the replicas").push(replica);
    }

    /// Forgets a replica that has ended.
    pub(crate) fn remove(&self, public: SocketAddr) {
        self.shared.replicas.lock().expect("the replicas").retain(|replica| replica.public != public);
    }

    /// Whether connections go to this replica.
    pub(crate) fn sends_to(&self, public: SocketAddr) -> bool {
        let replicas = self.shared.replicas.lock().expect("the replicas");
        replicas.iter().any(|replica| replica.public == public && replica.ready)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

/// Copies both ways until both have ended.
fn join(client: TcpStream, replica: SocketAddr) {
    // A client whose replica can't be reached is closed, and sees it.
    let Ok(server) = TcpStream::connect(replica) else { return };
    let copies = [(&client, &server), (&server, &client)];
    thread::scope(|scope| {
        for (from, to) in copies {
            scope.spawn(move || {
                let (mut from, mut to) = (from, to);
                let _ = to.set_nodelay(true);
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    });
}
