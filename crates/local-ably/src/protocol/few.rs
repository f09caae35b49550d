//! Lists that are not read to their end where they are too long.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// At most so many items. A list that is longer is refused as soon as that shows: an item takes up to hundreds of times as many
/// bytes in memory as on the wire.
#[derive(Debug)]
pub(crate) struct Few<T, const MAX: usize>(pub(crate) Vec<T>);

impl<T, const MAX: usize> Few<T, MAX> {
    /// Reads the items of a list.
    ///
    /// # Errors
    /// That of an item, or that there are too many.
    pub(crate) fn read<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error>
    where
        T: Deserialize<'de>,
    {
        let mut few = Vec::new();
        while let Some(item) = items.next_element()? {
            if few.len() >= MAX {
                return Err(A::Error::custom(format_args!("a list has over {MAX} items")));
            }
            few.push(item);
        }
        Ok(Self(few))
    }
}

impl<T, const MAX: usize> Default for Few<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Few<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = Few<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Few::read(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Format, decode};

    #[test]
    fn a_list_has_as_many_items_as_it_may_and_no_more() {
        let read = |bytes: &[u8]| decode::<Few<u8, 3>>(Format::Msgpack, bytes).map(|Few(items)| items);
        assert_eq!(read(&[0x93, 1, 2, 3]), Ok(vec![1, 2, 3]));
        assert_eq!(read(&[0x90]), Ok(vec![]));
        assert!(read(&[0x94, 1, 2, 3, 4]).unwrap_err().contains("over 3 items"));
        // The rest is not looked at: it is not even there.
        assert!(read(&[0xdd, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).unwrap_err().contains("over 3 items"));
        assert!(decode::<Few<u8, 3>>(Format::Json, b"[1,2,3,4]").unwrap_err().contains("over 3 items"));
    }
}
