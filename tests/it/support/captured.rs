//! Captured requests for `explain`, and a sender that signs anything in any way: with nothing of `src/`.
//!
//! Every answer is searched for secrets, keys and signatures, right and wrong, in every encoding.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Sha256, Sha512};
use tempfile::TempDir;

use super::command::{Done, run};

/// When every request is signed, and received.
pub(crate) const T: &str = "1767225600";

/// The secret of `shop` as Svix shows it, and its octets.
pub(crate) const SHOP: &str = "whsec_c2hvcC1zZWNyZXQtb2Ytc29tZS1sZW5ndGg=";
pub(crate) const SHOP_KEY: &[u8] = b"shop-secret-of-some-length";
/// The same of `crm`.
pub(crate) const CRM: &str = "whsec_Y3JtLXNlY3JldC1vZi1zb21lLWxlbmd0aA==";
pub(crate) const CRM_KEY: &[u8] = b"crm-secret-of-some-length";
/// The secret of the sources that take its text as the key.
pub(crate) const TEXT: &str = "sk_live_51H8xyz-plain-text-secret";
/// The seed of the private key of `keyed`.
const SEED: [u8; 32] = [7; 32];

const CONFIG: &str = "\
kafka: { bootstrap.servers: 'kafka.invalid:9092' }
sources:
  shop: { provider: svix, secrets: [{ env: SHOP }], topics: { order.paid: orders, '*': others } }
  crm: { provider: svix, secrets: [{ env: CRM }] }
  hex: { provider: generic-hex, secrets: [{ env: TEXT }], unmapped: reject, topics: { order.paid: orders } }
  prefixed: { provider: generic-sha256, secrets: [{ env: TEXT }] }
  shadow: { provider: generic-hex, secrets: [{ env: TEXT }], verification: report_only, report_only_topic: unverified }
  quoted: { provider: generic-hex, secrets: [{ env: QUOTED }] }
  twice: { provider: generic-hex, secrets: [{ env: TWICE }] }
  lost: { provider: generic-hex, secrets: [{ env: SHOP }] }
  keyed: { provider: svix, secrets: [{ env: PUBLIC }] }
  windowed: { provider: generic-hex, secrets: [{ env: CRM, name: new }, { env: TEXT, name: old, not_after: '2025-01-01T00:00:00Z' }] }
  batched: { provider: generic-hex, secrets: [{ env: TEXT }], split: /events }
  asked: { provider: okta, secrets: [{ env: TEXT }] }
  open: { provider: generic-hex, danger_accept_unsigned: true }
  off: { provider: svix, enabled: false, secrets: [{ env: NOT_SET }] }
  listed:
    provider:
      signature: { header: X-Sig, algorithm: hmac-sha256, encoding: hex, prefix: 'v1=', separator: ',', content: '{timestamp}.{body}' }
      timestamp: { prefix: 't=', unit: ms }
    secrets: [{ env: TEXT }]
  called:
    provider:
      signature: { header: X-Sig, algorithm: hmac-sha256, encoding: base64, content: '{url}{body}' }
    public_url: https://hooks.example.com/in/called
    secrets: [{ env: TEXT }]
  phoned:
    provider: { extends: twilio, signature: { algorithm: hmac-sha256 } }
    public_url: https://hooks.example.com/in/phoned
    secrets: [{ env: TEXT }]
  token:
    provider:
      signature: { header: X-Token, algorithm: token }
    secrets: [{ env: TEXT }]
";

/// A request as somebody has captured it.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    pub(crate) source: &'static str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) arguments: Vec<String>,
}

/// What is said of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Captured {
    pub(crate) fn new(source: &'static str, headers: &[(&str, &str)], body: &[u8]) -> Captured {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Captured {
            source,
            headers: headers.iter().map(owned).collect(),
            body: body.to_vec(),
            arguments: vec!["--at".to_owned(), T.to_owned()],
        }
    }

    /// Signed as Svix signs, with `key`.
    pub(crate) fn svix(source: &'static str, key: &[u8], body: &[u8]) -> Captured {
        let signature = format!("v1,{}", STANDARD.encode(standard(key, "msg_1", T, body)));
        let headers = [("svix-id", "msg_1"), ("svix-timestamp", T), ("svix-signature", &signature)];
        Captured::new(source, &headers, body)
    }

    /// Signed with the plain text secret, in hexadecimal.
    pub(crate) fn hex(source: &'static str, body: &[u8]) -> Captured {
        let signature = hex::encode(mac(TEXT.as_bytes(), &[body]));
        Captured::new(source, &[("X-Webhook-Signature", &signature)], body)
    }

    /// With another body than the one that was signed.
    pub(crate) fn arrived(mut self, body: impl AsRef<[u8]>) -> Captured {
        self.body = body.as_ref().to_vec();
        self
    }

    /// With a header in place of all that have its name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Captured {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Captured {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn value(&self, name: &str) -> String {
        let header = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    pub(crate) fn at(mut self, arguments: &[&str]) -> Captured {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    /// The headers, one a line.
    pub(crate) fn head(&self) -> String {
        self.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    /// Runs `explain` for people, and for machines.
    pub(crate) fn explained(&self) -> Told {
        self.explained_from(&self.head())
    }

    /// The same, with the head in a form of its own.
    pub(crate) fn explained_from(&self, head: &str) -> Told {
        let text = self.run(head, &[]);
        let json = self.run(head, &["--json"]);
        assert_eq!(text.code, json.code, "{text:?} {json:?}");
        assert_eq!((text.stderr.as_str(), json.stderr.as_str()), ("", ""));
        Told { code: text.code, text: text.stdout, json: serde_json::from_str(&json.stdout).expect("JSON") }
    }

    fn run(&self, head: &str, more: &[&str]) -> Done {
        self.run_instead(head, more, &[])
    }

    /// Runs `explain` with `more` in the place of the arguments that are `replaced`.
    pub(crate) fn run_instead(&self, head: &str, more: &[&str], replaced: &[&str]) -> Done {
        let (_dir, config, headers, body) = self.files(head);
        let (config, headers, body) = (text(&config), text(&headers), text(&body));
        let files =
            [["--config", &config], ["--headers", &headers], ["--body", &body], ["--source", self.source]];
        let files: Vec<&str> =
            files.iter().filter(|[name, _]| !replaced.contains(name)).flatten().copied().collect();
        let own: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let public = format!("whpk_{}", STANDARD.encode(public_key()));
        let quoted = format!("\"{TEXT}\"");
        let twice = STANDARD.encode(TEXT);
        let env = [
            ("SHOP", SHOP),
            ("CRM", CRM),
            ("TEXT", TEXT),
            ("QUOTED", quoted.as_str()),
            ("TWICE", twice.as_str()),
            ("PUBLIC", public.as_str()),
        ];
        let done = run(&[&["explain"], files.as_slice(), own.as_slice(), more].concat(), &env);
        let said = format!("{}{}", done.stdout, done.stderr);
        assert_eq!(self.secret_in(&said), None, "is told:\n{said}");
        done
    }

    fn files(&self, head: &str) -> (TempDir, PathBuf, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, octets: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, octets).expect("write a file");
            path
        };
        let paths = (
            write("hookbridge.yaml", CONFIG.as_bytes()),
            write("head", head.as_bytes()),
            write("body", &self.body),
        );
        (dir, paths.0, paths.1, paths.2)
    }

    /// The beginning of a secret that is told: of any configured one, of any signature that would be right, or of the
    /// one that was sent.
    pub(crate) fn secret_in(&self, said: &str) -> Option<String> {
        let mut octets: Vec<Vec<u8>> = Vec::new();
        for key in [SHOP_KEY, CRM_KEY, TEXT.as_bytes(), SHOP.as_bytes(), CRM.as_bytes()] {
            octets.push(key.to_vec());
            octets.push(mac(key, &[&self.body]));
            octets.push(mac_sha512(key, &self.body));
            for id in ["msg_1", &self.value("svix-id"), &self.value("webhook-id")] {
                for time in [T, &self.value("svix-timestamp"), &self.value("webhook-timestamp")] {
                    octets.push(standard(key, id, time, &self.body));
                }
            }
            octets.push(mac(key, &[T.as_bytes(), b".", &self.body]));
        }
        let mut forbidden =
            vec![SHOP.to_owned(), CRM.to_owned(), TEXT.to_owned(), SHOP[6..].to_owned(), CRM[6..].to_owned()];
        for octets in &octets {
            forbidden.extend([hex::encode(octets), hex::encode_upper(octets), STANDARD.encode(octets)]);
            forbidden.extend([URL_SAFE.encode(octets), URL_SAFE_NO_PAD.encode(octets)]);
            forbidden.extend(String::from_utf8(octets.clone()));
        }
        for (name, value) in &self.headers {
            if name.to_lowercase().contains("sig") || name.to_lowercase().contains("token") {
                forbidden.extend(
                    value.split([',', ' ', '=', '"']).filter(|part| part.len() > 16).map(str::to_owned),
                );
            }
        }
        // A part is as good as the whole for whoever looks for it.
        let mut parts = forbidden.iter().map(|secret| secret.chars().take(16).collect::<String>());
        parts.find(|part| said.contains(part))
    }
}

fn text(path: &std::path::Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// HMAC-SHA256.
pub(crate) fn mac(key: &[u8], content: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    content.iter().for_each(|octets| mac.update(octets));
    mac.finalize().into_bytes().to_vec()
}

/// HMAC-SHA512.
pub(crate) fn mac_sha512(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("a key of any length");
    mac.update(content);
    mac.finalize().into_bytes().to_vec()
}

/// The MAC of Standard Webhooks.
pub(crate) fn standard(key: &[u8], id: &str, time: &str, body: &[u8]) -> Vec<u8> {
    mac(key, &[id.as_bytes(), b".", time.as_bytes(), b".", body])
}

/// The Ed25519 signature of Standard Webhooks.
pub(crate) fn standard_ed25519(id: &str, time: &str, body: &[u8]) -> Vec<u8> {
    let content = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
    key_pair().sign(&content).as_ref().to_vec()
}

fn key_pair() -> ring::signature::Ed25519KeyPair {
    ring::signature::Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a seed")
}

fn public_key() -> Vec<u8> {
    use ring::signature::KeyPair as _;
    key_pair().public_key().as_ref().to_vec()
}
