//! Names into addresses, of which only public ones are connected to.
//!
//! Takes a host's name. Gives the addresses that are connected to, and no others: what was checked is what is used,
//! so that a name that changes its address between two questions (DNS rebinding) gains nothing.
//!
//! Sources: the IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890).

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// The one port that is connected to.
const PORT: u16 = 443;

type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Asks for addresses, and lets only some of them through.
#[derive(Clone)]
pub struct Resolver {
    ask: Arc<dyn Fn(String) -> Answer + Send + Sync>,
    is_allowed: fn(IpAddr) -> bool,
}

impl Resolver {
    /// The system's resolver, of whose answers only public addresses count.
    #[must_use]
    pub fn public() -> Self {
        Self::asking(|name| async move {
            tokio::net::lookup_host((name.as_str(), PORT)).await.map(Iterator::collect)
        })
    }

    /// One that asks otherwise. Only public addresses count here too.
    pub(crate) fn asking<F>(ask: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self { ask: Arc::new(move |name| Box::pin(ask(name))), is_allowed: is_public }
    }

    /// For tests alone, whose servers are on loopback.
    #[cfg(test)]
    pub(crate) fn of_loopback(address: SocketAddr) -> Self {
        Self::of_loopback_by(move || vec![address])
    }

    /// The same, with an answer for each question.
    #[cfg(test)]
    pub(crate) fn of_loopback_by(answer: impl Fn() -> Vec<SocketAddr> + Send + Sync + 'static) -> Self {
        let resolver = Self::asking(move |_| std::future::ready(Ok(answer())));
        Self { is_allowed: |address| address.is_loopback(), ..resolver }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let answer = (self.ask)(name.as_str().to_owned());
        let is_allowed = self.is_allowed;
        Box::pin(async move {
            let mut addresses = answer.await?;
            addresses.retain(|address| is_allowed(address.ip()));
            match addresses.is_empty() {
                true => Err(io::Error::other(format!("`{name}` has no public address"))),
                false => Ok(addresses.into_iter()),
            }
        })
    }
}

/// Whether an address is one of the internet's. What is not known to be one is not.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        // This network, private, shared (CGNAT), loopback, link-local.
        (0 | 10 | 127, ..) | (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _)
            // Protocol assignments, documentation, relays, benchmarks.
            | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113)
            // Multicast, reserved, broadcast.
            | (224..=255, ..)
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, ..] = address.segments();
    // What stands for an IPv4 address in networks that have only IPv6 (NAT64, RFC 6052).
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        let [.., w, x, y, z] = address.octets();
        return is_public_v4(Ipv4Addr::new(w, x, y, z));
    }
    // Global unicast is 2000::/3. Loopback, v4-mapped, unique-local, link-local and multicast are outside.
    let global = a & 0xe000 == 0x2000;
    // Within it: protocol assignments and Teredo (2001::/23), documentation, 6to4, which holds any IPv4 address.
    let special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_connected_to() {
        for address in [
            "8.8.8.8",
            "52.94.5.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "2a00:1450:4001::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn what_is_not_public_is_left_out_and_nothing_left_is_an_error() {
        let of = |addresses: &[&str]| {
            let addresses: Vec<SocketAddr> =
                addresses.iter().map(|address| address.parse().unwrap()).collect();
            let mut resolver = Resolver::asking(move |_| {
                let addresses = addresses.clone();
                async move { Ok(addresses) }
            });
            async move { resolver.call("keys.example.com".parse().unwrap()).await.map(Vec::from_iter) }
        };
        let some = of(&["10.0.0.1:443", "8.8.8.8:443", "[::1]:443"]).await.unwrap();
        assert_eq!(some, ["8.8.8.8:443".parse().unwrap()]);
        let none = of(&["10.0.0.1:443", "[fd00::1]:443"]).await.unwrap_err();
        assert!(none.to_string().contains("no public address"), "{none}");
        assert!(of(&[]).await.is_err());
    }
}
