//! Which pages may call the service from another origin, as the settings say it.

use thiserror::Error;

/// Why a text is not a list of origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "origins are listed exactly as browsers send them: scheme://host or scheme://host:port, in lower case, without path; no `*` and no `null`"
)]
pub struct OriginsError;

/// The origins whose pages may call the service: an exact list, and none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Parses origins separated by commas or blanks.
    ///
    /// # Errors
    /// [`OriginsError`] where one of them is not an origin as browsers write it, since it would never match.
    pub fn parse(list: &str) -> Result<Self, OriginsError> {
        let origins = list.split([',', ' ']).filter(|origin| !origin.is_empty());
        origins
            .map(|origin| is_origin(origin).then(|| origin.to_owned()).ok_or(OriginsError))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether an origin is in the list.
    pub fn contain(&self, origin: &str) -> bool {
        self.0.iter().any(|listed| listed == origin)
    }

    /// The origins themselves.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// Why a text is not a list of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("headers are listed by their names, separated by commas or blanks; no `*`")]
pub struct RequestHeadersError;

/// Request headers that pages may send besides those that every page may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHeaders(Vec<String>);

impl RequestHeaders {
    /// Parses names separated by commas or blanks.
    ///
    /// # Errors
    /// [`RequestHeadersError`] where one of them is not a header's name (RFC 9110, 5.1), or is `*`, which is none in a request
    /// with credentials.
    pub fn parse(list: &str) -> Result<Self, RequestHeadersError> {
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b);
        let names = list.split([',', ' ']).filter(|name| !name.is_empty());
        names
            .map(|name| {
                name.bytes().all(is_token).then(|| name.to_ascii_lowercase()).ok_or(RequestHeadersError)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Their names, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The pages, and what they may send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pages {
    /// Where they come from (`CORS_ORIGINS`).
    pub origins: Origins,
    /// The request headers that they may send besides those that every page may (`CORS_HEADERS`).
    pub headers: RequestHeaders,
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let scheme_is_valid = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_is_valid = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|inner| {
            inner.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b':')) && !inner.is_empty()
        }),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
        }
    };
    // A browser leaves out the default port, so an entry that names it would never match.
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => "",
    };
    let port_is_valid = port.is_none_or(|port| {
        port != default_port
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok()
            && port.bytes().all(|b| b.is_ascii_digit())
    });
    scheme_is_valid && host_is_valid && port_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_listed_as_browsers_send_them() {
        let origins = Origins::parse(
            "https://app.example.com, http://localhost:3000 capacitor://localhost,http://[::1]:3000",
        )
        .unwrap();
        assert_eq!(origins.as_slice().len(), 4);
        assert_eq!(Origins::parse(" ").unwrap(), Origins::default());
        for bad in [
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://App.example.com",
            "https://app.example.com/",
            "https://*.example.com",
            "https://app.example.com:443",
            "http://a:80",
            "https://a:0",
            "https://a:99999",
            "https://a:+1",
            "https://a?b",
            "https://user@a",
            "https://é.com",
            "://a",
            "1a://b",
            "http://[]",
            "http://[g]",
        ] {
            assert_eq!(Origins::parse(bad), Err(OriginsError), "{bad}");
        }
    }
}
