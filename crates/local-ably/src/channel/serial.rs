//! Serials: opaque to clients, and in lexical order of publishing.

use std::fmt;

use crate::clock::Millis;

/// The place of a publish in a channel's log: `<14-digit ms>-<3-digit counter>@<series>` once the series is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial {
    millis: Millis,
    counter: u16,
}

impl Serial {
    /// The first of a channel.
    pub(crate) fn first(now: Millis) -> Self {
        Self { millis: now, counter: 0 }
    }

    /// The next after this one, however the clock moves.
    pub(crate) fn next(self, now: Millis) -> Self {
        if now > self.millis {
            Self { millis: now, counter: 0 }
        } else if self.counter < 999 {
            Self { millis: self.millis, counter: self.counter + 1 }
        } else {
            Self { millis: self.millis + 1, counter: 0 }
        }
    }

    /// As clients see it.
    pub(crate) fn in_series(self, series: &str) -> String {
        format!("{self}@{series}")
    }

    /// Reads the serial of an item in a series: its publication's, and its index.
    pub(crate) fn parse_item(text: &str, series: &str) -> Option<(Self, usize)> {
        let (_, index) = text.rsplit_once(':')?;
        if index.len() != 3 || !index.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some((Self::parse(text, series)?, index.parse().ok()?))
    }

    /// Reads a serial of a series: that of a publish, or that of one of its messages.
    pub(crate) fn parse(text: &str, series: &str) -> Option<Self> {
        let (place, rest) = text.split_once('@')?;
        let its_series = rest.split_once(':').map_or(rest, |(its_series, _)| its_series);
        let (millis, counter) = place.split_once('-')?;
        let digits =
            |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        if its_series != series || !digits(millis, 14) || !digits(counter, 3) {
            return None;
        }
        Some(Self { millis: millis.parse().ok()?, counter: counter.parse().ok()? })
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}-{:03}", self.millis, self.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_grow_in_number_and_as_text_however_the_clock_moves() {
        let mut last = Serial::first(1_000);
        for now in std::iter::repeat_n(1_000, 2_500).chain([999, 0, 5_000, 4_000]) {
            let next = last.next(now);
            assert!(next > last && next.in_series("s") > last.in_series("s"));
            last = next;
        }
    }

    #[test]
    fn a_serial_is_read_back_in_its_series_alone() {
        let serial = Serial { millis: 1_700_000_000_000, counter: 7 };
        let text = serial.in_series("abc");
        assert_eq!(text, "01700000000000-007@abc");
        assert_eq!(Serial::parse(&text, "abc"), Some(serial));
        assert_eq!(Serial::parse(&format!("{text}:003"), "abc"), Some(serial));
        assert_eq!(Serial::parse_item(&format!("{text}:003"), "abc"), Some((serial, 3)));
        for bad in [&text, &format!("{text}:"), &format!("{text}:3"), &format!("{text}:+03")] {
            assert_eq!(Serial::parse_item(bad, "abc"), None, "{bad}");
        }
        for bad in
            ["", "@", "-@abc", "1-1@abc", "01700000000000-007@abd", "+1700000000000-007@abc", "é-é@abc"]
        {
            assert_eq!(Serial::parse(bad, "abc"), None, "{bad}");
        }
    }
}
