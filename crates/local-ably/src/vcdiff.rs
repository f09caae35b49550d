//! Deltas in VCDIFF (RFC 3284), as Ably's SDKs decode them: the default code table, one window over the whole base, neither
//! checksum nor secondary compression.
//!
//! No crate writes it that fits: one binds C++, the others bring ten thousand lines of xdelta, or only the writer below a
//! matcher. What is needed of it is this file.

/// The magic bytes, the version, and that no compressor or code table of one's own follows (section 4.1).
const HEADER: [u8; 5] = [0xD6, 0xC3, 0xC4, 0x00, 0x00];
/// `VCD_SOURCE`: what is copied comes from the base (section 4.2).
const FROM_BASE: u8 = 0x01;
/// The shortest match that is looked for, in bytes.
const MATCH_MIN: usize = 4;
/// How many places of the base are tried at most for one place of the target, so that a base of one repeated byte costs no more
/// than another.
const TRIES: usize = 16;

/// What turns `base` into `target`: a whole VCDIFF file. It may be longer than `target` where they have little in common.
pub(crate) fn encode(base: &[u8], target: &[u8]) -> Vec<u8> {
    let index = Index::of(base);
    let mut window = Window::default();
    // Where the bytes that nothing in the base matched begin.
    let mut unmatched = 0;
    let mut position = 0;
    // Where the base goes on, if target and base differ only by bytes in place of others.
    let mut abreast = 0;
    while position < target.len() {
        match index.longest_match(target, position, abreast).filter(|found| found.is_worth_it()) {
            Some(found) => {
                window.add(target.get(unmatched..position).unwrap_or_default());
                window.copy(found);
                position += found.length;
                abreast = found.from + found.length;
                unmatched = position;
            }
            None => {
                position += 1;
                abreast += 1;
            }
        }
    }
    window.add(target.get(unmatched..).unwrap_or_default());
    window.close(base.len(), target.len())
}

/// Bytes of the target that the base has too.
#[derive(Debug, Clone, Copy)]
struct Match {
    /// Where they begin in the base.
    from: usize,
    /// How many, in bytes.
    length: usize,
}

impl Match {
    /// Whether to copy takes fewer bytes than to write them out: an instruction, the address, and the instruction that the bytes
    /// after it need because it stands between.
    fn is_worth_it(self) -> bool {
        self.length > 2 + integer(self.from).count()
    }
}

/// Where each four bytes of the base stand: chains of places with the same hash, the first place first.
struct Index<'a> {
    base: &'a [u8],
    bits: u32,
    /// By hash, the first place.
    first: Vec<Option<u32>>,
    /// By place, the next one.
    next: Vec<Option<u32>>,
}

impl<'a> Index<'a> {
    fn of(base: &'a [u8]) -> Self {
        let bits = (usize::BITS - base.len().leading_zeros()).clamp(4, 16);
        let mut first = vec![None; 1 << bits];
        let mut next = vec![None; base.len()];
        for (place, bytes) in base.windows(MATCH_MIN).enumerate().rev() {
            let slots = (first.get_mut(hash(bytes, bits)), next.get_mut(place), u32::try_from(place));
            if let (Some(first), Some(next), Ok(place)) = slots {
                *next = first.replace(place);
            }
        }
        Self { base, bits, first, next }
    }

    /// The longest match for what stands at a position of the target, of those that are tried: the place `abreast`, then those
    /// that the index knows. Of several as long, the first.
    fn longest_match(&self, target: &[u8], position: usize, abreast: usize) -> Option<Match> {
        let wanted = target.get(position..)?;
        let start = wanted.get(..MATCH_MIN)?;
        let place = |slot: &Option<u32>| slot.and_then(|place| usize::try_from(place).ok());
        let known = self.first.get(hash(start, self.bits)).and_then(place);
        let known = std::iter::successors(known, |&at| self.next.get(at).and_then(place)).take(TRIES);
        let mut best: Option<Match> = None;
        for from in std::iter::once(abreast).chain(known) {
            let rest = self.base.get(from..).unwrap_or_default();
            let length = rest.iter().zip(wanted).take_while(|(one, other)| one == other).count();
            if length >= MATCH_MIN && best.is_none_or(|best| length > best.length) {
                best = Some(Match { from, length });
            }
        }
        best
    }
}

/// Of [`MATCH_MIN`] bytes, a number of so many bits (Knuth's multiplicative hash).
fn hash(bytes: &[u8], bits: u32) -> usize {
    let number = bytes.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    (number.wrapping_mul(0x9E37_79B1) >> (u32::BITS - bits)) as usize
}

/// The three sections of a window (section 4.3).
#[derive(Debug, Default)]
struct Window {
    data: Vec<u8>,
    instructions: Vec<u8>,
    addresses: Vec<u8>,
}

impl Window {
    /// ADD: bytes that the target has alone. Codes 2 to 18 of the table say 1 to 17 of them, code 1 that their number follows.
    fn add(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(0) => {}
            Ok(length @ 1..=17) => self.instructions.push(length + 1),
            _ => self.long(1, bytes.len()),
        }
        self.data.extend_from_slice(bytes);
    }

    /// COPY by an address counted from the start of the base (mode 0). Codes 20 to 34 say 4 to 18 bytes, code 19 that their number
    /// follows.
    fn copy(&mut self, found: Match) {
        match u8::try_from(found.length) {
            Ok(length @ 4..=18) => self.instructions.push(length + 16),
            _ => self.long(19, found.length),
        }
        self.addresses.extend(integer(found.from));
    }

    fn long(&mut self, code: u8, length: usize) {
        self.instructions.push(code);
        self.instructions.extend(integer(length));
    }

    fn close(self, base: usize, target: usize) -> Vec<u8> {
        // After the length of the target, a zero: no section is compressed.
        let mut body: Vec<u8> = integer(target).chain([0]).collect();
        let sections = [self.data, self.instructions, self.addresses];
        body.extend(sections.iter().flat_map(|section| integer(section.len())));
        body.extend(sections.iter().flatten());
        let mut file = HEADER.to_vec();
        file.push(FROM_BASE);
        file.extend(integer(base));
        file.extend(integer(0));
        file.extend(integer(body.len()));
        file.extend(body);
        file
    }
}

/// An integer in base 128, the highest digit first, each but the last with its top bit set (section 2).
fn integer(value: usize) -> impl Iterator<Item = u8> {
    let digits = (usize::BITS - value.leading_zeros()).div_ceil(7).max(1);
    (0..digits).rev().map(move |digit| {
        let more = if digit > 0 { 0x80 } else { 0 };
        (value >> (7 * digit) & 0x7F) as u8 | more
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn decode(base: &[u8], delta: &[u8]) -> Vec<u8> {
        let mut target = Vec::new();
        vcdiff_decoder::apply_patch(&mut Cursor::new(delta), Some(&mut Cursor::new(base)), &mut target)
            .unwrap();
        target
    }

    fn length(base: &[u8], target: &[u8]) -> usize {
        let delta = encode(base, target);
        // The decoder does not bear a window without contents; nor is one ever sent, being longer than nothing.
        if !target.is_empty() {
            assert_eq!(decode(base, &delta), target);
        }
        delta.len()
    }

    #[test]
    fn integers_are_in_base_128() {
        for (value, bytes) in [
            (0, vec![0]),
            (127, vec![127]),
            (128, vec![0x81, 0]),
            (123_456_789, vec![0xBA, 0xEF, 0x9A, 0x15]),
        ] {
            assert_eq!(integer(value).collect::<Vec<_>>(), bytes, "{value}");
        }
    }

    #[test]
    fn a_delta_is_made_of_what_both_have_and_what_the_target_has_alone() {
        assert_eq!(
            encode(b"one two three", b"one six three"),
            [
                &HEADER[..],
                &[FROM_BASE, 13, 0, 13], // the whole base, and the length of what follows
                &[13, 0, 3, 3, 2],
                b"six",
                &[20, 4, 22], // COPY 4, ADD 3, COPY 6
                &[0, 7],
            ]
            .concat()
        );
    }

    #[test]
    fn a_small_change_of_a_long_text_is_a_short_delta() {
        let base: String = (0..2_000).map(|number| format!("{{\"row\":{number}}},")).collect();
        assert!(length(base.as_bytes(), base.as_bytes()) < 30, "none at all");
        assert!(length(base.as_bytes(), base.replace(":1000}", ":x}").as_bytes()) < 40, "in the middle");
        assert!(length(base.as_bytes(), format!("new{base}").as_bytes()) < 40, "in front");
        assert!(length(base.as_bytes(), base.split_at(9_000).1.as_bytes()) < 40, "the start is gone");
        let (start, end) = base.split_at(9_000);
        assert!(length(base.as_bytes(), format!("{end}{start}").as_bytes()) < 40, "the halves are exchanged");
    }

    #[test]
    fn what_has_nothing_in_common_is_written_out() {
        for (base, target) in [("", ""), ("", "abcdef"), ("abcdef", ""), ("abc", "abc"), ("aaaa", "bbbbbbbb")]
        {
            assert!(length(base.as_bytes(), target.as_bytes()) >= target.len(), "{base:?} {target:?}");
        }
    }

    #[test]
    fn a_single_byte_a_hundred_thousand_times_is_soon_encoded() {
        let base = vec![b'a'; 100_000];
        assert!(length(&base, &[&base[..50_000], b"b", &base[50_000..]].concat()) < 50);
    }

    /// What has few different bytes matches often, at all lengths.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            prop::collection::vec(0u8..3, 0..600),
            prop::collection::vec(prop::sample::select(b"{\"a\":1,}".to_vec()), 0..3_000),
        ]
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(base in bytes(), target in bytes()) {
            length(&base, &target);
        }

        #[test]
        fn an_edited_base_is_decoded(
            base in bytes(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, bytes()), 0..8),
        ) {
            let mut target = base.clone();
            for (place, removed, inserted) in edits {
                let start = place.index(target.len() + 1);
                let end = (start + removed).min(target.len());
                target.splice(start..end, inserted.into_iter().take(200));
            }
            length(&base, &target);
        }
    }
}
