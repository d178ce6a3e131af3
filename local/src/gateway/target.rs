//! Which function a URL means.

use http::Uri;

/// A function and what it is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Its name as written: `NAME` or `NAME.NAMESPACE`.
    pub(super) name: &'a str,
    /// What follows it, beginning with a slash, with the query as it came.
    pub(super) path_and_query: String,
}

impl<'a> Target<'a> {
    /// The function of a URL below `prefix`. None when it names none.
    pub(super) fn below(prefix: &str, uri: &'a Uri) -> Option<Self> {
        let rest = uri.path().strip_prefix(prefix)?;
        let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || !name.bytes().all(allowed) {
            return None;
        }
        let path = if path.is_empty() { "/" } else { path };
        let path_and_query = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        Some(Self {
            name,
            path_and_query,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &'static str) -> Option<(String, String)> {
        let uri = Uri::from_static(uri);
        Target::below("/function/", &uri)
            .map(|target| (target.name.to_owned(), target.path_and_query))
    }

    #[test]
    fn the_name_is_taken_off_and_the_rest_stays_as_it_came() {
        let is = |name: &str, rest: &str| Some((name.to_owned(), rest.to_owned()));
        assert_eq!(target("/function/order"), is("order", "/"));
        assert_eq!(
            target("/function/order.openfaas-fn?a=%2F"),
            is("order.openfaas-fn", "/?a=%2F")
        );
        assert_eq!(
            target("/function/order/a%20b//c?d"),
            is("order", "/a%20b//c?d")
        );
        assert_eq!(target("/function/"), None);
        assert_eq!(target("/function/a%20b"), None);
    }
}
