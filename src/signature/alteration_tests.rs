//! Genuine requests of every preset, altered at random: none is accepted.
//!
//! A run alters some thousands; `HOOKBRIDGE_ALTERATIONS=1000000` alters a million. A failure names the seed, which
//! `HOOKBRIDGE_ALTERATION_SEED` repeats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::presented::{Label, SignatureEncoding};
use super::scheme::{Proof, Scheme, SignaturePlace};
use super::timestamp::TimestampPlace;
use super::vectors::{Case, folder, headers, read};
use super::{Key, Message, UnixSeconds};
use crate::config::{catalogue, preset};

const ALTERATIONS: u64 = 20_000;

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// A genuine request and what proves it.
struct Genuine {
    place: String,
    scheme: Scheme,
    keys: Vec<Key>,
    now: UnixSeconds,
    case: Case,
    body: Vec<u8>,
}

/// Where an octet can be altered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Covered {
    Body,
    Query,
    Header(HeaderName),
}

fn genuine() -> Vec<Genuine> {
    let mut all = Vec::new();
    for name in preset::names().chain(["standard-webhooks-v1a"]) {
        let vectors = read(&folder().join(format!("{name}.json")));
        let (account, now) = (vectors.account(), UnixSeconds(vectors.now));
        for case in vectors.cases.into_iter().filter(is_plain) {
            let scheme = catalogue::for_account(&vectors.provider, &account).unwrap().scheme.unwrap();
            let keys = case.secrets.iter().map(|secret| scheme.key(secret).unwrap()).collect();
            let body = STANDARD.decode(&case.body_base64).unwrap();
            let place = format!("{name}: {}", case.name);
            all.push(Genuine { place, scheme, keys, now, case, body });
        }
    }
    all
}

/// With one signature alone: of several, one may be altered and the other still be right.
fn is_plain(case: &Case) -> bool {
    let plain = ["plain", "body-unicode", "body-escapes-and-crlf", "secrets-second-matches"];
    case.verdict == "accept" && (plain.contains(&case.name.as_str()) || case.name.starts_with("valid"))
}

impl Genuine {
    /// What the signature covers, and the signature itself.
    fn covered(&self) -> Vec<Covered> {
        let coverage = &self.scheme.coverage;
        let mut covered = Vec::new();
        let is_form = matches!(&self.scheme.proof, Proof::Native(super::native::Native::Twilio { .. }));
        if (coverage.body || is_form) && !self.body.is_empty() {
            covered.push(Covered::Body);
        }
        let signed_query = matches!(self.scheme.place, SignaturePlace::Query(_)) || coverage.url || is_form;
        if signed_query && self.case.query.is_some() {
            covered.push(Covered::Query);
        }
        let mut names = coverage.headers.clone();
        if let SignaturePlace::Header(signatures) | SignaturePlace::Headers(signatures) = &self.scheme.place {
            names.extend(signatures.iter().cloned());
        }
        let present = headers(&self.case);
        covered.extend(names.into_iter().filter(|name| present.contains_key(name)).map(Covered::Header));
        covered
    }

    /// Alters a request, and verifies it. None if what comes of it cannot be sent, or means the same.
    fn altered(&self, covered: &[Covered], random: &mut Random) -> Option<bool> {
        let place = covered.get(random.below(covered.len()))?;
        let mut sent =
            Sent { headers: headers(&self.case), query: self.case.query.clone(), body: self.body.clone() };
        let original = sent.octets(place)?;
        let mut octets = original.clone();
        // Mostly an octet is altered where it stands; at times some move from one place to another, over the border that
        // the signed content has between them.
        let other = covered.get(random.below(covered.len())).filter(|other| *other != place);
        match other.filter(|_| random.below(4) == 0) {
            Some(other) => {
                let mut others = sent.octets(other)?;
                move_octets(&mut octets, &mut others, random);
                sent.put(other, others)?;
            }
            None => alter(&mut octets, random),
        }
        if self.means_the_same(place, &original, &octets) {
            return None;
        }
        sent.put(place, octets)?;
        let message = Message { headers: &sent.headers, query: sent.query.as_deref(), body: &sent.body };
        Some(self.scheme.verify(self.keys.iter(), &message, self.now).is_ok())
    }

    /// The same signature in its other spelling: hexadecimal in the other case, a space round an entry of a list, the
    /// padding of URL-safe base64, the name of an authentication scheme in the other case.
    fn means_the_same(&self, place: &Covered, value: &[u8], altered: &[u8]) -> bool {
        let Covered::Header(name) = place else {
            // `+` and a space are one in a query's value.
            let plain = |octets: &[u8]| form_urlencoded::parse(octets).into_owned().collect::<Vec<_>>();
            return !self.scheme.coverage.url && plain(value) == plain(altered);
        };
        let is_timestamp = match self.scheme.timestamp.as_ref().map(|rule| &rule.place) {
            Some(TimestampPlace::Header(names)) => names.contains(name),
            _ => false,
        };
        let presented = &self.scheme.variants[0].presented;
        if let (true, Label::Prefix(prefix)) = (*name == http::header::AUTHORIZATION, &presented.label)
            && value.get(prefix.len()..) == altered.get(prefix.len()..)
        {
            return value.eq_ignore_ascii_case(altered);
        }
        let spelling = |octets: &[u8]| {
            // What stands before `/SHA256/` only names a key, and one separator is as good as another.
            let entries = presented.entries(octets).unwrap_or_else(|_| std::iter::once(octets).collect());
            let entries =
                entries.iter().filter(|entry| !entry.is_empty()).map(|entry| match presented.label {
                    Label::After(_) => presented.unlabelled(entry).unwrap_or(entry),
                    Label::Prefix(_) => entry,
                });
            let mut octets = entries.collect::<Vec<_>>().join(&b'\n');
            if matches!(self.scheme.proof, Proof::Basic)
                || matches!(presented.encoding, SignatureEncoding::Hex | SignatureEncoding::HexUpper)
                    && matches!(self.scheme.proof, Proof::Content(_) | Proof::Native(_))
            {
                octets.make_ascii_lowercase();
            }
            if presented.encoding == SignatureEncoding::Base64Url {
                octets.retain(|octet| *octet != b'=');
            }
            octets
        };
        !is_timestamp && !self.scheme.id_headers.contains(name) && spelling(value) == spelling(altered)
    }
}

/// A request as it is sent.
struct Sent {
    headers: HeaderMap,
    query: Option<String>,
    body: Vec<u8>,
}

impl Sent {
    fn octets(&self, place: &Covered) -> Option<Vec<u8>> {
        Some(match place {
            Covered::Body => self.body.clone(),
            Covered::Query => self.query.clone()?.into_bytes(),
            Covered::Header(name) => self.headers.get(name)?.as_bytes().to_vec(),
        })
    }

    /// What neither a request line nor a header can hold never arrives.
    fn put(&mut self, place: &Covered, octets: Vec<u8>) -> Option<()> {
        match place {
            Covered::Body => self.body = octets,
            Covered::Query => {
                let query = String::from_utf8(octets).ok()?;
                format!("/?{query}").parse::<http::Uri>().ok()?;
                self.query = Some(query);
            }
            Covered::Header(name) => {
                self.headers.insert(name.clone(), HeaderValue::from_bytes(&octets).ok()?);
            }
        }
        Some(())
    }
}

/// Some octets of one end of `from` become the other's.
fn move_octets(from: &mut Vec<u8>, to: &mut Vec<u8>, random: &mut Random) {
    let count = random.below(from.len().min(40)) + 1;
    let count = count.min(from.len());
    if random.below(2) == 0 {
        let end = from.split_off(from.len() - count);
        to.splice(..0, end);
    } else {
        to.extend(from.drain(..count));
    }
}

fn alter(octets: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(octets.len());
    match random.below(8) {
        0 => octets.insert(at, u8::try_from(random.below(256)).unwrap()),
        1 if !octets.is_empty() => {
            octets.remove(at);
        }
        2 => octets.push(u8::try_from(random.below(256)).unwrap()),
        _ if !octets.is_empty() => octets[at] ^= u8::try_from(1 + random.below(255)).unwrap(),
        _ => octets.push(b'x'),
    }
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn no_altered_request_is_accepted() {
    let wanted = from_env("HOOKBRIDGE_ALTERATIONS").unwrap_or(ALTERATIONS);
    let seed = from_env("HOOKBRIDGE_ALTERATION_SEED").unwrap_or(0x686f_6f6b);
    let genuine = genuine();
    let providers = genuine
        .iter()
        .map(|request| request.place.split(':').next())
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(providers.len(), preset::names().count() + 1, "every preset has a request to alter");
    let mut random = Random(seed);
    let (mut tried, mut accepted) = (0, Vec::new());
    while tried < wanted {
        let request = &genuine[random.below(genuine.len())];
        let covered = request.covered();
        assert!(
            !covered.is_empty() || matches!(request.scheme.place, SignaturePlace::Json(_)),
            "{}",
            request.place
        );
        let before = random.0;
        match request.altered(&covered, &mut random) {
            Some(true) => accepted.push(format!("{} at {before:#x}", request.place)),
            Some(false) => {}
            None => continue,
        }
        tried += 1;
    }
    assert!(
        accepted.is_empty(),
        "seed {seed}: {} of {tried} accepted:\n{}",
        accepted.len(),
        accepted.join("\n")
    );
}
