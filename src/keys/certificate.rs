//! When a certificate is valid.
//!
//! Takes an X.509 certificate in DER. Gives the two dates in it. Who signed it is not looked at: it was got over TLS
//! from a host that the provider's file pins.
//!
//! Source: RFC 5280, sections 4.1 and 4.1.2.5.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spki::der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use spki::der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};

/// When a certificate is valid, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: SystemTime,
    /// The last instant.
    pub not_after: SystemTime,
}

impl Validity {
    /// Reads it from a certificate in DER.
    ///
    /// # Errors
    /// A sentence.
    pub fn of(certificate: &[u8]) -> Result<Self, String> {
        read(certificate).map_err(|_| "the certificate's dates can't be read".to_owned())
    }

    /// Whether `now` is within.
    #[must_use]
    pub fn contains(&self, now: SystemTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

fn read(certificate: &[u8]) -> Result<Validity, spki::der::Error> {
    let outer = AnyRef::from_der(certificate)?;
    let signed = AnyRef::decode(&mut SliceReader::new(outer.value())?)?;
    let mut fields = SliceReader::new(signed.value())?;
    let first = AnyRef::decode(&mut fields)?;
    // The version is absent from certificates of the first one.
    let before_issuer = if first.tag() == Tag::Integer { 1 } else { 2 };
    // The serial number, unless it was the first; the signature's algorithm; the issuer.
    for _ in 0..=before_issuer {
        AnyRef::decode(&mut fields)?;
    }
    let validity = AnyRef::decode(&mut fields)?;
    let mut dates = SliceReader::new(validity.value())?;
    let dates = (date(&mut dates)?, date(&mut dates)?);
    Ok(Validity { not_before: UNIX_EPOCH + dates.0, not_after: UNIX_EPOCH + dates.1 })
}

fn date(dates: &mut SliceReader<'_>) -> Result<Duration, spki::der::Error> {
    Ok(match dates.peek_byte() {
        // GeneralizedTime, from 2050 on.
        Some(0x18) => GeneralizedTime::decode(dates)?.to_unix_duration(),
        _ => UtcTime::decode(dates)?.to_unix_duration(),
    })
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;
    use crate::config::units::show_instant;

    #[test]
    fn the_dates_are_read() {
        let vectors = std::fs::read_to_string("tests/vectors/paypal.json").unwrap();
        let vectors: serde_json::Value = serde_json::from_str(&vectors).unwrap();
        let pem = vectors["fetched_keys"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
        let validity = Validity::of(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        assert_eq!(show_instant(validity.not_before), "2025-01-01T00:00:00Z");
        assert_eq!(show_instant(validity.not_after), "2035-01-01T00:00:00Z");
        let moment = Duration::from_secs(1);
        assert!(validity.contains(validity.not_before) && validity.contains(validity.not_after));
        assert!(!validity.contains(validity.not_before - moment));
        assert!(!validity.contains(validity.not_after + moment));
        // After 2050 it is written otherwise.
        let pem = std::fs::read("tests/tls/server.pem").unwrap();
        let validity = Validity::of(&CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        assert!(validity.contains(SystemTime::now()));
        assert!(Validity::of(b"").is_err() && Validity::of(&[0x30, 0]).is_err());
    }
}
