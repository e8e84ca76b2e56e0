//! A Kafka that asks who is there: TLS with client certificates, and SASL over TLS.
//!
//! Takes the `openssl` command, for certificates made anew. Gives one broker for all tests, with a listener without
//! security (on which tests create and read topics), one for mTLS and one for SASL: PLAIN, SCRAM and OAUTHBEARER.
//! Everybody may do everything, but where [`SecureKafka::acl`] says otherwise. Its certificate is for `localhost` alone.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::kafka::{Kafka, More, free_ports, java};
use super::token_issuer::TokenIssuer;

/// The password of the user `hookbridge`, which must be in no log.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";

/// The broker, and what its clients need.
pub(crate) struct SecureKafka {
    kafka: Kafka,
    ssl: u16,
    sasl: u16,
    dir: TempDir,
    pub(crate) issuer: TokenIssuer,
}

impl SecureKafka {
    /// Started once.
    pub(crate) fn shared() -> &'static SecureKafka {
        static SHARED: OnceLock<SecureKafka> = OnceLock::new();
        SHARED.get_or_init(SecureKafka::start)
    }

    /// A broker of one's own, for access lists that are about everything.
    pub(crate) fn start() -> SecureKafka {
        // Nobody drops what is shared, so it is left where builds leave theirs.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for certificates");
        let at = dir.path();
        authority(at, "ca");
        authority(at, "other-ca");
        certificate(at, "ca", "broker", "localhost", 30);
        certificate(at, "ca", "client", "hookbridge", 30);
        certificate(at, "ca", "expired", "hookbridge", -1);
        certificate(at, "other-ca", "stranger", "hookbridge", 30);
        let both =
            [fs::read(at.join("broker.key")), fs::read(at.join("broker.crt"))].map(Result::unwrap).concat();
        fs::write(at.join("broker.pem"), both).expect("write the broker's key and certificate");
        let issuer = TokenIssuer::start(at);
        let (ports, [ssl, sasl]) = (free_ports(), free_ports());
        let jwks = format!("file://{}", issuer.jwks().display());
        let more = More {
            properties: properties(at, ports, ssl, sasl, &jwks),
            format: ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                .into_iter()
                .flat_map(|mechanism| {
                    let user = format!("{mechanism}=[name=hookbridge,password={PASSWORD}]");
                    ["--add-scram".to_owned(), user]
                })
                .collect(),
            java: format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={jwks}"),
        };
        SecureKafka { kafka: Kafka::start_with(ports, more), ssl, sasl, dir, issuer }
    }

    /// The listener without security.
    pub(crate) fn plaintext(&self) -> &str {
        self.kafka.bootstrap()
    }

    /// The listener that asks for a client's certificate, under the name that its own is for.
    pub(crate) fn ssl(&self) -> String {
        format!("localhost:{}", self.ssl)
    }

    /// The listener that asks for a password or token.
    pub(crate) fn sasl(&self) -> String {
        format!("localhost:{}", self.sasl)
    }

    /// One of the files, such as `ca.crt`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Changes an access list, with the arguments of Kafka's own command.
    pub(crate) fn acl(&self, arguments: &[&str]) {
        let java = java("org.apache.kafka.tools.AclCommand");
        let output = Command::new(&java[0])
            .args(&java[1..])
            .args(["--bootstrap-server", self.plaintext(), "--force"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("run java");
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&text));
    }
}

fn properties(dir: &Path, [plaintext, controller]: [u16; 2], ssl: u16, sasl: u16, jwks: &str) -> String {
    let dir = dir.display();
    let listeners =
        format!("PLAINTEXT://127.0.0.1:{plaintext},SSL://localhost:{ssl},SASL_SSL://localhost:{sasl}");
    let modules = "org.apache.kafka.common.security";
    let mut text = String::new();
    for (name, value) in [
        ("listeners", format!("{listeners},CONTROLLER://127.0.0.1:{controller}")),
        ("advertised.listeners", listeners),
        (
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT".to_owned(),
        ),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", format!("{dir}/broker.pem")),
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.location", format!("{dir}/ca.crt")),
        ("listener.name.ssl.ssl.client.auth", "required".to_owned()),
        (
            "listener.name.sasl_ssl.sasl.enabled.mechanisms",
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
        ),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned()),
        ("allow.everyone.if.no.acl.found", "true".to_owned()),
        ("super.users", "User:ANONYMOUS".to_owned()),
    ] {
        writeln!(text, "{name}={value}").expect("write to a string");
    }
    let sasl = "listener.name.sasl_ssl";
    for (mechanism, module) in [
        ("plain", format!("plain.PlainLoginModule required user_hookbridge=\"{PASSWORD}\"")),
        ("scram-sha-256", "scram.ScramLoginModule required".to_owned()),
        ("scram-sha-512", "scram.ScramLoginModule required".to_owned()),
        ("oauthbearer", "oauthbearer.OAuthBearerLoginModule required".to_owned()),
    ] {
        writeln!(text, "{sasl}.{mechanism}.sasl.jaas.config={modules}.{module};").expect("write to a string");
    }
    write!(
        text,
        "{sasl}.oauthbearer.sasl.server.callback.handler.class={modules}.oauthbearer.OAuthBearerValidatorCallbackHandler\n\
         {sasl}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={jwks}\n\
         {sasl}.oauthbearer.sasl.oauthbearer.expected.audience=kafka\n\
         {sasl}.oauthbearer.connections.max.reauth.ms=3600000\n"
    )
    .expect("write to a string");
    text
}

/// Runs openssl. Gives what it says.
pub(super) fn openssl(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).current_dir(dir).stdin(Stdio::null()).output();
    let output = output.expect("run openssl");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A key and a certificate of an authority's own.
pub(crate) fn authority(dir: &Path, name: &str) {
    let (key, crt, subject) = (format!("{name}.key"), format!("{name}.crt"), format!("/CN={name}"));
    openssl(
        dir,
        &[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", &subject, "-keyout",
            &key, "-out", &crt,
        ],
    );
}

/// A key and a certificate for `common_name` that is good for so many days, which may be over.
pub(crate) fn certificate(dir: &Path, authority: &str, name: &str, common_name: &str, days: i32) {
    let file = |ending: &str| format!("{name}.{ending}");
    let (key, csr, crt, ext) = (file("key"), file("csr"), file("crt"), file("ext"));
    let subject = format!("/CN={common_name}");
    openssl(dir, &["req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &csr]);
    fs::write(dir.join(&ext), format!("subjectAltName=DNS:{common_name}\n")).expect("write extensions");
    let (ca, ca_key, days) = (format!("{authority}.crt"), format!("{authority}.key"), days.to_string());
    openssl(
        dir,
        &[
            "x509",
            "-req",
            "-in",
            &csr,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            &days,
            "-extfile",
            &ext,
            "-out",
            &crt,
        ],
    );
}
