//! An OAuth 2 server that issues tokens to one client (client credentials), over HTTP on loopback.
//!
//! Takes the `openssl` command, for its key and its signatures. Gives tokens (RS256) for the subject `hookbridge` and the
//! audience `kafka`, and a file with its public key (JWKS) for a broker. It can be told to be away.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::secure_kafka::openssl;
use super::unix_millis;

/// The one client's secret, which must be in no log.
pub(crate) const CLIENT_SECRET: &str = "client-secret-of-the-issuer";

/// A running issuer.
pub(crate) struct TokenIssuer {
    url: String,
    jwks: PathBuf,
    away: Arc<AtomicBool>,
    issued: Arc<AtomicUsize>,
}

impl TokenIssuer {
    /// Starts it, with its files in `dir`. It ends with the process.
    pub(super) fn start(dir: &Path) -> TokenIssuer {
        openssl(
            dir,
            &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "issuer.key"],
        );
        let modulus = openssl(dir, &["rsa", "-in", "issuer.key", "-noout", "-modulus"]);
        let modulus = String::from_utf8(modulus).expect("text");
        let modulus = hex::decode(modulus.trim().trim_start_matches("Modulus=")).expect("hexadecimal");
        let jwks = dir.join("jwks.json");
        let n = URL_SAFE_NO_PAD.encode(modulus);
        let key = format!(r#"{{"kty":"RSA","kid":"one","alg":"RS256","use":"sig","n":"{n}","e":"AQAB"}}"#);
        fs::write(&jwks, format!(r#"{{"keys":[{key}]}}"#)).expect("write the JWKS");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/token", listener.local_addr().expect("its address"));
        let issuer = TokenIssuer { url, jwks, away: Arc::default(), issued: Arc::default() };
        let (dir, away, issued) = (dir.to_owned(), Arc::clone(&issuer.away), Arc::clone(&issuer.issued));
        thread::spawn(move || serve(&listener, &dir, &away, &issued));
        issuer
    }

    /// Where tokens are asked for.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn jwks(&self) -> &Path {
        &self.jwks
    }

    /// From now on it answers nobody who asks for the scope `short`, or everybody again: other tests ask for none.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// How many tokens it has issued.
    pub(crate) fn issued(&self) -> usize {
        self.issued.load(Ordering::Relaxed)
    }
}

/// How long a token is good for, in seconds, if the client asks for the scope `short`.
pub(crate) const SHORT_LIFE: u64 = 20;

fn serve(listener: &TcpListener, dir: &Path, away: &AtomicBool, issued: &AtomicUsize) {
    let wanted = STANDARD.encode(format!("hookbridge:{CLIENT_SECRET}"));
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let (mut genuine, mut length) = (false, 0);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
            let (name, value) = line.split_once(':').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "authorization" => genuine = value.trim() == format!("Basic {wanted}"),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
            line.clear();
        }
        let mut body = vec![0; length];
        // A client that is gone needs no answer.
        let _ = reader.read_exact(&mut body);
        let short = String::from_utf8_lossy(&body).contains("scope=short");
        if short && away.load(Ordering::Relaxed) {
            continue;
        }
        let life = if short { SHORT_LIFE } else { 3600 };
        let (status, answer) = match genuine {
            true => {
                issued.fetch_add(1, Ordering::Relaxed);
                let token = token(dir, life);
                (
                    "200 OK",
                    format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{life}}}"#),
                )
            }
            false => ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned()),
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
    }
}

fn token(dir: &Path, life: u64) -> String {
    let now = unix_millis() / 1000;
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT","kid":"one"}"#);
    let claims =
        format!(r#"{{"sub":"hookbridge","aud":"kafka","scope":"kafka","iat":{now},"exp":{}}}"#, now + life);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    fs::write(dir.join("token"), &signed).expect("write what is signed");
    let signature = openssl(dir, &["dgst", "-sha256", "-sign", "issuer.key", "token"]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
