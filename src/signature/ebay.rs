//! What eBay puts into its header: JSON in base64, with the signature and the name of its key.
//!
//! Takes the header's value. Gives the two texts that count. `alg` and `digest` are passed over: the algorithm comes
//! from the scheme, never from the request.
//!
//! Source: eBay, "Notification API: validate the payload", and its SDK `event-notification-nodejs-sdk`.

use std::borrow::Cow;

use serde::Deserialize;

use super::error::SignatureError;
use super::presented::SignatureEncoding;

/// What of the header counts.
#[derive(Debug, Deserialize)]
pub struct Header<'a> {
    /// The name of the key.
    #[serde(borrow)]
    pub kid: Cow<'a, str>,
    /// The signature, in base64.
    #[serde(borrow)]
    pub signature: Cow<'a, str>,
}

/// Reads the header's value.
///
/// # Errors
/// [`SignatureError::Malformed`].
pub fn read(value: &[u8]) -> Result<Header<'static>, SignatureError> {
    let malformed =
        || SignatureError::Malformed("the signature header is no JSON in base64 with `kid` and `signature`");
    let json = SignatureEncoding::Base64.decode(value).ok_or_else(malformed)?;
    let header: Header<'_> = serde_json::from_slice(&json).map_err(|_| malformed())?;
    Ok(Header {
        kid: Cow::Owned(header.kid.into_owned()),
        signature: Cow::Owned(header.signature.into_owned()),
    })
}
