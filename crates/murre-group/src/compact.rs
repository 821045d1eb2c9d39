//! The compact row codec: postcard's wire format, written by our own serializer.
//!
//! OpenMLS hands its state to a storage provider as serde values. Any self-describing format would store field
//! names and base64 and triple the size; postcard stores neither. Reading is plain `postcard::from_bytes`. Writing
//! is done here instead of by postcard for one reason each:
//!
//! - **No clock in a row.** OpenMLS stamps `MessageSecrets` with the system time in a field named `added_at`, only
//!   to expire past epochs, which we do not keep. It is written as `None`, so that one seed gives one row.
//! - **No iteration order in a row.** Entries of a map are sorted by the bytes of their keys, whatever order a hash
//!   map has today.
//!
//! ```text
//!  bool, u8, i8   1 byte            str, bytes   length (varint) || bytes
//!  u16..u128      LEB128 varint     option       0x00 | 0x01 || value
//!  i16..i128      zigzag varint     enum         variant index (varint) || fields
//!  f32, f64       4, 8 bytes LE     seq          length (varint) || items
//!  map            length (varint) || (key || value), sorted by key bytes
//!  struct, tuple  fields in order, no names, no count
//! ```
//!
//! This module does not split public tree nodes out of a row: each state keeps its own copy.

use serde::{Deserialize, Serialize, de::DeserializeOwned, ser};
use std::fmt;

/// The one field that holds a wall clock time.
const CLOCK_FIELD: &str = "added_at";

/// Why a value could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row codec: {0}")]
pub(crate) struct CompactError(String);

impl ser::Error for CompactError {
    fn custom<T: fmt::Display>(msg: T) -> Self {
        Self(msg.to_string())
    }
}

/// Writes a value.
pub(crate) fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CompactError> {
    let mut writer = Writer { out: Vec::new() };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// Reads a value and requires that nothing is left over.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CompactError> {
    let mut de = postcard::Deserializer::from_bytes(bytes);
    let value = T::deserialize(&mut de).map_err(|e| CompactError(e.to_string()))?;
    match de.finalize() {
        Ok([]) => Ok(value),
        Ok(_) => Err(CompactError("bytes left over".to_owned())),
        Err(e) => Err(CompactError(e.to_string())),
    }
}

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn varint(&mut self, mut v: u128) {
        while v >= 0x80 {
            self.out.push((v & 0x7f) as u8 | 0x80);
            v >>= 7;
        }
        self.out.push(v as u8);
    }

    fn zigzag(&mut self, v: i128) {
        self.varint(((v << 1) ^ (v >> 127)) as u128);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u128);
        self.out.extend_from_slice(bytes);
    }
}

macro_rules! unsigned {
    ($($name:ident $ty:ty;)*) => {$(
        fn $name(self, v: $ty) -> Result<(), CompactError> {
            self.varint(u128::from(v));
            Ok(())
        }
    )*};
}

macro_rules! signed {
    ($($name:ident $ty:ty;)*) => {$(
        fn $name(self, v: $ty) -> Result<(), CompactError> {
            self.zigzag(i128::from(v));
            Ok(())
        }
    )*};
}

impl<'w> ser::Serializer for &'w mut Writer {
    type Ok = ();
    type Error = CompactError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = MapWriter<'w>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    unsigned! { serialize_u16 u16; serialize_u32 u32; serialize_u64 u64; serialize_u128 u128; }
    signed! { serialize_i16 i16; serialize_i32 i32; serialize_i64 i64; serialize_i128 i128; }

    fn is_human_readable(&self) -> bool {
        false
    }
    fn serialize_bool(self, v: bool) -> Result<(), CompactError> {
        self.out.push(u8::from(v));
        Ok(())
    }
    fn serialize_u8(self, v: u8) -> Result<(), CompactError> {
        self.out.push(v);
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Result<(), CompactError> {
        self.out.extend_from_slice(&v.to_le_bytes());
        Ok(())
    }
    fn serialize_f32(self, v: f32) -> Result<(), CompactError> {
        self.out.extend_from_slice(&v.to_le_bytes());
        Ok(())
    }
    fn serialize_f64(self, v: f64) -> Result<(), CompactError> {
        self.out.extend_from_slice(&v.to_le_bytes());
        Ok(())
    }
    fn serialize_char(self, v: char) -> Result<(), CompactError> {
        self.raw(v.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Result<(), CompactError> {
        self.raw(v.as_bytes());
        Ok(())
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), CompactError> {
        self.raw(v);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), CompactError> {
        self.out.push(0);
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CompactError> {
        self.out.push(1);
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), CompactError> {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CompactError> {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, i: u32, _: &'static str) -> Result<(), CompactError> {
        self.varint(u128::from(i));
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), CompactError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        i: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), CompactError> {
        self.varint(u128::from(i));
        value.serialize(self)
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Self, CompactError> {
        let len = len.ok_or_else(|| CompactError("sequence of unknown length".to_owned()))?;
        self.varint(len as u128);
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, CompactError> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, CompactError> {
        Ok(self)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        i: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, CompactError> {
        self.varint(u128::from(i));
        Ok(self)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<MapWriter<'w>, CompactError> {
        Ok(MapWriter { writer: self, key: Vec::new(), entries: Vec::new() })
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, CompactError> {
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        i: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, CompactError> {
        self.varint(u128::from(i));
        Ok(self)
    }
}

/// Collects the entries of a map, to write them sorted.
struct MapWriter<'w> {
    writer: &'w mut Writer,
    key: Vec<u8>,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl ser::SerializeMap for MapWriter<'_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CompactError> {
        self.key = to_bytes(key)?;
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CompactError> {
        self.entries.push((std::mem::take(&mut self.key), to_bytes(value)?));
        Ok(())
    }
    fn end(mut self) -> Result<(), CompactError> {
        self.entries.sort();
        self.writer.varint(self.entries.len() as u128);
        for (key, value) in self.entries {
            self.writer.out.extend_from_slice(&key);
            self.writer.out.extend_from_slice(&value);
        }
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident $method:ident;)*) => {$(
        impl ser::$trait for &mut Writer {
            type Ok = ();
            type Error = CompactError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CompactError> {
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), CompactError> {
                Ok(())
            }
        }
    )*};
}

items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! named_fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for &mut Writer {
            type Ok = ();
            type Error = CompactError;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), CompactError> {
                if key == CLOCK_FIELD {
                    self.out.push(0);
                    return Ok(());
                }
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), CompactError> {
                Ok(())
            }
        }
    )*};
}

named_fields! { SerializeStruct SerializeStructVariant }

/// A short list of values under byte keys, kept in the order of their keys: the form of the entities that OpenMLS
/// stores one by one (key pairs by public key or epoch).
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Keyed(Vec<(Vec<u8>, Vec<u8>)>);

impl Keyed {
    /// The value under a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_slice())
    }

    /// Inserts or replaces.
    pub(crate) fn set(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.remove(&key);
        let at = self.0.partition_point(|(k, _)| *k < key);
        self.0.insert(at, (key, value));
    }

    /// Removes, if present.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.0.retain(|(k, _)| k != key);
    }

    /// All entries in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Unit,
        New(i64),
        Tuple(u8, i16),
        Struct { a: Option<u32>, b: Vec<u8> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        flag: bool,
        small: (i8, u8, i16, u16),
        wide: (i32, u32, i64, u64, i128, u128),
        real: (f32, f64),
        text: String,
        letter: char,
        shapes: Vec<Shape>,
        unit: (),
    }

    prop_compose! {
        fn shape()(kind in 0u8..4, n in any::<i64>(), a in any::<Option<u32>>(), b in any::<Vec<u8>>()) -> Shape {
            match kind {
                0 => Shape::Unit,
                1 => Shape::New(n),
                2 => Shape::Tuple(n as u8, n as i16),
                _ => Shape::Struct { a, b },
            }
        }
    }

    proptest! {
        #[test]
        fn every_shape_is_written_as_postcard_writes_it(
            flag in any::<bool>(), n in any::<i128>(), m in any::<u128>(),
            real in (-1e9f32..1e9, -1e9f64..1e9),
            text in ".{0,12}", letter in any::<char>(), shapes in proptest::collection::vec(shape(), 0..6),
        ) {
            let value = All {
                flag, small: (n as i8, m as u8, n as i16, m as u16),
                wide: (n as i32, m as u32, n as i64, m as u64, n, m), real, text, letter, shapes, unit: (),
            };
            let ours = to_bytes(&value).unwrap();
            prop_assert_eq!(&ours, &postcard::to_allocvec(&value).unwrap());
            prop_assert_eq!(from_bytes::<All>(&ours).unwrap(), value);
        }

        #[test]
        fn damaged_rows_are_errors_and_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = from_bytes::<All>(&bytes);
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = to_bytes(&7u32).unwrap();
        bytes.push(0);
        assert!(from_bytes::<u32>(&bytes).is_err());
    }

    #[test]
    fn the_clock_field_is_written_as_none() {
        #[derive(Serialize, Deserialize)]
        struct Stamped {
            a: u8,
            added_at: Option<u64>,
        }
        let bytes = to_bytes(&Stamped { a: 1, added_at: Some(99) }).unwrap();
        assert_eq!(bytes, [1, 0]);
        assert_eq!(from_bytes::<Stamped>(&bytes).unwrap().added_at, None);
    }

    #[test]
    #[allow(clippy::disallowed_types, reason = "that its order differs is what is tested")]
    fn maps_are_sorted_by_their_keys_and_read_back() {
        use std::collections::HashMap;
        let entries: Vec<(u16, u8)> = (0..300).map(|n| (n * 7, n as u8)).collect();
        let one: HashMap<u16, u8> = entries.iter().copied().collect();
        let two: HashMap<u16, u8> = entries.iter().rev().copied().collect();
        let bytes = to_bytes(&one).unwrap();
        assert_eq!(bytes, to_bytes(&two).unwrap());
        assert_eq!(from_bytes::<HashMap<u16, u8>>(&bytes).unwrap(), one);
    }

    #[test]
    fn a_keyed_list_does_not_remember_the_order_of_writes() {
        let mut one = Keyed::default();
        let mut two = Keyed::default();
        for k in [3u8, 1, 2] {
            one.set(vec![k], vec![k]);
        }
        for k in [2u8, 3, 1, 2] {
            two.set(vec![k], vec![k]);
        }
        assert_eq!(to_bytes(&one).unwrap(), to_bytes(&two).unwrap());
        two.remove(&[2]);
        assert_eq!(two.get(&[2]), None);
        assert_eq!(two.get(&[3]), Some(&[3u8][..]));
    }
}
