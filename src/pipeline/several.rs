//! What a request holds: one of a kind, or several.
//!
//! Most requests hold one event, and it costs no allocation; the elements of a batch are as many as they are.

/// One, or any number. The one stands here itself: a box would cost every request that holds one an allocation.
#[derive(Debug)]
pub enum Several<T> {
    /// The request holds one.
    One(T),
    /// The request is a batch, in its order; it may be empty, or hold one.
    Many(Vec<T>),
}

impl<T> Several<T> {
    /// All of them, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// All of them, as a list.
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }

    /// What `each` makes of them.
    pub fn map<U>(self, mut each: impl FnMut(T) -> U) -> Several<U> {
        match self {
            Self::One(one) => Several::One(each(one)),
            Self::Many(many) => Several::Many(many.into_iter().map(each).collect()),
        }
    }
}
