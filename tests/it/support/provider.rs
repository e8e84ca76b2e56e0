//! The providers: they sign as their documentation says, with nothing of `src/`.
//!
//! The signed content is written out by hand, so that a template that is misread in `src/` is not misread here
//! too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::http::Request;
use super::topics::Record;
use super::unix_millis;

/// The presets of the first systems, which are signed here by hand. The others have vectors.
pub(crate) const PRESETS: [&str; 7] =
    ["standard-webhooks", "svix", "allfly", "eventsair", "wristband", "generic-hex", "generic-sha256"];

/// How a provider writes its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `{prefix}-id`, `{prefix}-timestamp` and `{prefix}-signature: v1,base64`.
    Standard(&'static str),
    /// `X-Webhook-Signature: {prefix}hex`.
    Generic(&'static str),
}

/// One provider with one secret.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    form: Form,
    key: Vec<u8>,
    secret: String,
}

impl Signer {
    /// The provider behind a preset, with a secret that is the same for the same `seed`.
    pub(crate) fn new(preset: &str, seed: &str) -> Signer {
        let octets = Sha256::digest(format!("{preset} {seed}"));
        let form = match preset {
            "standard-webhooks" | "eventsair" => Form::Standard("webhook"),
            "svix" | "allfly" | "wristband" => Form::Standard("svix"),
            "generic-hex" => Form::Generic(""),
            "generic-sha256" => Form::Generic("sha256="),
            other => panic!("there is no signer for {other}"),
        };
        match form {
            Form::Standard(_) => {
                let secret = format!("whsec_{}", STANDARD.encode(octets));
                Signer { form, key: octets.to_vec(), secret }
            }
            Form::Generic(_) => {
                let secret = format!("sk_{}", hex::encode(octets));
                Signer { form, key: secret.clone().into_bytes(), secret }
            }
        }
    }

    /// The same, with `webhook-*` headers, as Svix sends for customers who want no brand.
    pub(crate) fn unbranded(self) -> Signer {
        Signer { form: Form::Standard("webhook"), ..self }
    }

    /// The secret, as the provider shows it to its customer.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether the message ID is a header, or else a field of the body.
    pub(crate) fn has_id_header(&self) -> bool {
        matches!(self.form, Form::Standard(_))
    }

    /// An event as this provider writes it.
    pub(crate) fn body(&self, id: &str, event_type: &str) -> Vec<u8> {
        match self.form {
            Form::Standard(_) => format!(r#"{{"type":"{event_type}","data":{{"n":1}}}}"#),
            Form::Generic(_) => format!(r#"{{"id":"{id}","type":"{event_type}","data":{{"n":1}}}}"#),
        }
        .into_bytes()
    }

    /// A genuine request with an event of its own body.
    pub(crate) fn event(&self, path: &str, id: &str, event_type: &str) -> Request {
        self.request(path, id, &self.body(id, event_type))
    }

    /// A genuine request with `body`, signed now.
    pub(crate) fn request(&self, path: &str, id: &str, body: &[u8]) -> Request {
        self.request_at(path, id, unix_millis() / 1000, body)
    }

    /// A genuine request with `body`, signed at `timestamp`.
    pub(crate) fn request_at(&self, path: &str, id: &str, timestamp: u64, body: &[u8]) -> Request {
        let mut request = Request::post(path, body).header("content-type", "application/json");
        for (name, value) in self.headers(id, timestamp, body) {
            request = request.header(&name, &value);
        }
        request
    }

    /// The headers that a signature takes.
    pub(crate) fn headers(&self, id: &str, timestamp: u64, body: &[u8]) -> Vec<(String, String)> {
        match self.form {
            Form::Standard(prefix) => vec![
                (format!("{prefix}-id"), id.to_owned()),
                (format!("{prefix}-timestamp"), timestamp.to_string()),
                (format!("{prefix}-signature"), self.signature(id, &timestamp.to_string(), body)),
            ],
            Form::Generic(_) => vec![("X-Webhook-Signature".to_owned(), self.signature("", "", body))],
        }
    }

    /// The name of the header with the signature.
    pub(crate) fn signature_header(&self) -> String {
        match self.form {
            Form::Standard(prefix) => format!("{prefix}-signature"),
            Form::Generic(_) => "x-webhook-signature".to_owned(),
        }
    }

    /// The signature, as it stands in its header.
    pub(crate) fn signature(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length");
        if let Form::Standard(_) = self.form {
            mac.update(id.as_bytes());
            mac.update(b".");
            mac.update(timestamp.as_bytes());
            mac.update(b".");
        }
        mac.update(body);
        let octets = mac.finalize().into_bytes();
        match self.form {
            Form::Standard(_) => format!("v1,{}", STANDARD.encode(octets)),
            Form::Generic(prefix) => format!("{prefix}{}", hex::encode(octets)),
        }
    }

    /// Whether a consumer who has the secret, and nothing but the record, finds it genuine.
    pub(crate) fn verifies(&self, record: &Record) -> bool {
        let (id, timestamp) = match self.form {
            Form::Standard(prefix) => {
                (record.header(&format!("{prefix}-id")), record.header(&format!("{prefix}-timestamp")))
            }
            Form::Generic(_) => (Some(""), Some("")),
        };
        let (Some(id), Some(timestamp), Some(presented)) =
            (id, timestamp, record.header(&self.signature_header()))
        else {
            return false;
        };
        let expected = self.signature(id, timestamp, &record.value);
        presented.split(' ').any(|presented| presented == expected)
    }
}

/// The SHA-256 of a body in hexadecimal: the key where the provider gives no ID.
pub(crate) fn sha256_hex(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}
