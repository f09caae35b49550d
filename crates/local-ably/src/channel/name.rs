//! Channel names, and the qualifier in brackets that may stand before them.

use std::collections::BTreeMap;

use ably::ErrorInfo;

/// The longest name, in bytes. Ably names no limit; this one bounds memory.
const LENGTH_MAX: usize = 2_048;

/// A channel as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelName {
    canonical: String,
    params: BTreeMap<String, String>,
}

impl ChannelName {
    /// Reads a name. `[?rewind=1]a` is the channel `a` with parameters; `[meta]a` is a channel of its own.
    ///
    /// # Errors
    /// 40010.
    pub(crate) fn parse(sent: &str) -> Result<Self, ErrorInfo> {
        if sent.len() > LENGTH_MAX || sent.contains(['\n', '\r']) {
            return Err(invalid());
        }
        let Some(rest) = sent.strip_prefix('[') else {
            return Ok(Self { canonical: plain(sent)?.to_owned(), params: BTreeMap::new() });
        };
        let (inside, name) = rest.split_once(']').ok_or_else(invalid)?;
        let name = plain(name)?;
        let (qualifier, query) = match inside.split_once('?') {
            Some((qualifier, query)) => (qualifier, Some(query)),
            None => (inside, None),
        };
        let canonical = match (qualifier, query) {
            ("meta", _) => format!("[meta]{name}"),
            ("", Some(_)) => name.to_owned(),
            (filter, _) if filter.starts_with("filter=") => {
                return Err(ErrorInfo::new(40010, 400, "the local Ably has no subscription filters"));
            }
            _ => return Err(invalid()),
        };
        let params = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Ok(Self { canonical, params: params.into_owned().collect() })
    }

    /// The channel itself, whatever the parameters.
    pub(crate) fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The parameters in the qualifier.
    pub(crate) fn params(&self) -> &BTreeMap<String, String> {
        &self.params
    }
}

fn plain(name: &str) -> Result<&str, ErrorInfo> {
    match name.chars().next() {
        None | Some(':' | ',' | '[') => Err(invalid()),
        Some(first) if first.is_whitespace() => Err(invalid()),
        Some(_) => Ok(name),
    }
}

fn invalid() -> ErrorInfo {
    ErrorInfo::new(
        40010,
        400,
        "a channel name is not empty, does not begin with `:`, `,`, `[` or a blank, and has no line break",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_ably_takes() {
        for (sent, canonical) in [
            ("a", "a"),
            ("a:b,c [d]", "a:b,c [d]"),
            ("é", "é"),
            ("*", "*"),
            ("[meta]log", "[meta]log"),
            ("[meta?rewind=1]log", "[meta]log"),
            ("[?rewind=1]a:b", "a:b"),
        ] {
            assert_eq!(ChannelName::parse(sent).unwrap().canonical(), canonical, "{sent}");
        }
        let long = "x".repeat(LENGTH_MAX + 1);
        for bad in [
            "", ":a", ",a", " a", "\ta", "[a", "[]a", "[x]a", "[meta]", "[?a=b]", "a\nb", "a\r", "[?x=1][a",
            &long,
        ] {
            assert_eq!(ChannelName::parse(bad).map_err(|error| error.code), Err(40010), "{bad}");
        }
    }

    #[test]
    fn parameters_stand_in_the_qualifier() {
        let name = ChannelName::parse("[?rewind=1m&modes=subscribe%2Cpresence]a").unwrap();
        assert_eq!(name.params()["rewind"], "1m");
        assert_eq!(name.params()["modes"], "subscribe,presence");
    }
}
