//! A request, as far as a scheme may read it.
//!
//! Takes what arrived, borrowed. Gives the one value of a header, of a query parameter or of a place in the body:
//! two of them, even if equal, are refused, since what one reader takes for signed another may not.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use super::error::SignatureError;
use crate::json::{self, Pointer, Value};

/// What a scheme can read of a request. The method is always POST.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The headers, repeats included.
    pub headers: &'a HeaderMap,
    /// What follows `?` in the target, undecoded.
    pub query: Option<&'a str>,
    /// The exact octets of the body.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The value of the one header among `names`. Where a scheme knows its headers by two families of names
    /// (`svix-*` and `webhook-*`), all must be of the `family` of the first that was read.
    ///
    /// # Errors
    /// [`SignatureError::Missing`], [`SignatureError::Repeated`].
    pub fn header(
        &self,
        names: &[HeaderName],
        family: &mut Option<usize>,
    ) -> Result<&'a [u8], SignatureError> {
        match (at_most_one_header(self.headers, names)?, names.first()) {
            (Some((index, value)), _) => {
                if names.len() > 1 && *family.get_or_insert(index) != index {
                    return Err(SignatureError::Repeated(header_place(&names[index])));
                }
                Ok(value)
            }
            (None, Some(name)) => Err(SignatureError::Missing(header_place(name))),
            (None, None) => Err(SignatureError::Malformed("the scheme names no header")),
        }
    }

    /// The decoded value of the one query parameter `name`.
    ///
    /// # Errors
    /// [`SignatureError::Missing`], [`SignatureError::Repeated`].
    pub fn query_value(&self, name: &str) -> Result<Cow<'a, str>, SignatureError> {
        let query = self.query.unwrap_or_default().as_bytes();
        let mut values = form_urlencoded::parse(query).filter(|(key, _)| key == name);
        let place = || format!("the query parameter `{name}`");
        let (_, value) = values.next().ok_or_else(|| SignatureError::Missing(place()))?;
        match values.next() {
            None => Ok(value),
            Some(_) => Err(SignatureError::Repeated(place())),
        }
    }

    /// What stands at the pointers, in their order, as text: strings unescaped, numbers as they are written.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] if the body is not JSON, names a value twice, or has something else there.
    pub fn json(&self, pointers: &[&Pointer]) -> Result<Vec<Option<Cow<'a, str>>>, SignatureError> {
        let mut found = json::scan(self.body, pointers)
            .map_err(|_| SignatureError::Malformed("the body is not JSON, or names a signed value twice"))?;
        let text = |slot: &mut Option<Value<'a>>| match slot.take() {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(Cow::Borrowed(number))),
            Some(Value::Other) => {
                Err(SignatureError::Malformed("a signed value in the body is neither text nor a number"))
            }
        };
        found.iter_mut().take(pointers.len()).map(text).collect()
    }
}

/// How a header is called in a message.
pub(super) fn header_place(name: &HeaderName) -> String {
    format!("the header `{name}`")
}

/// How a place in the body is called in a message.
pub(super) fn json_place(pointer: &Pointer) -> String {
    format!("the value at `{pointer}` in the body")
}

/// The value of the one header among `names`, and which name it has, if it is there.
///
/// # Errors
/// [`SignatureError::Repeated`].
pub fn at_most_one_header<'a>(
    headers: &'a HeaderMap,
    names: &[HeaderName],
) -> Result<Option<(usize, &'a [u8])>, SignatureError> {
    let mut found = None;
    for (index, name) in names.iter().enumerate() {
        for value in headers.get_all(name) {
            if found.replace((index, value.as_bytes())).is_some() {
                return Err(SignatureError::Repeated(header_place(name)));
            }
        }
    }
    Ok(found)
}
