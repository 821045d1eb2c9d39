//! The one canonical encoding: strict DAG-CBOR.
//!
//! Everything that is signed, hashed, stored or sent is a Rust type encoded by [`encode`]. [`decode`] accepts
//! exactly what `encode` would have produced: it decodes, encodes again and compares, so that there are no two
//! byte strings for one value. Types derive `Deserialize` with `deny_unknown_fields`; field names are short,
//! because they travel (DAG-CBOR maps, keys ordered by length, then bytes).
//!
//! Memory is bounded by the caller's `limit`, checked before decoding starts.

use serde::{Serialize, de::DeserializeOwned};

/// Why bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Longer than the limit for this kind of value.
    #[error("{len} bytes where at most {limit} are allowed")]
    TooLong {
        /// Length that was offered.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// Not this type: truncated, trailing bytes, unknown or missing fields, wrong shapes.
    #[error("malformed: {what}")]
    Malformed {
        /// The decoder's words, for a log; never shown to the other side.
        what: String,
    },
    /// A value of this type, but not in the one form it may have.
    #[error("not in canonical form")]
    NotCanonical,
}

/// Encodes canonically.
///
/// Our types cannot fail to encode: they hold no floats and no maps with foreign keys. Should one ever do so,
/// the result is empty, which no decoder accepts, so the fault shows at the first test and not as a panic.
#[must_use]
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).unwrap_or_default()
}

/// Decodes what [`encode`] produced, and nothing else.
///
/// # Errors
/// [`CodecError`] for input over `limit`, not of this type, or not canonical.
// spec: M-24, M-25
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, CodecError> {
    if bytes.len() > limit {
        return Err(CodecError::TooLong { len: bytes.len(), limit });
    }
    let value: T =
        serde_ipld_dagcbor::from_slice(bytes).map_err(|e| CodecError::Malformed { what: e.to_string() })?;
    let mut same = Same { rest: bytes };
    match serde_ipld_dagcbor::to_writer(&mut same, &value) {
        Ok(()) if same.rest.is_empty() => Ok(value),
        _ => Err(CodecError::NotCanonical),
    }
}

/// A writer that takes only what stands in `rest`: the second encoding is compared where it arises, and never kept.
struct Same<'a> {
    rest: &'a [u8],
}

impl std::io::Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                Ok(bytes.len())
            }
            None => Err(std::io::ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Encodes a stored row: one version byte, then the value.
#[must_use]
pub fn encode_row<T: Serialize + ?Sized>(version: u8, value: &T) -> Vec<u8> {
    let mut out = vec![version];
    out.extend_from_slice(&encode(value));
    out
}

/// Decodes a stored row of exactly this version.
///
/// Rows are our own, so the canonical check is skipped; formats are free until the first release, so an unknown
/// version is damage, not an old file.
///
/// # Errors
/// [`CodecError::Malformed`] for another version or a damaged row.
pub fn decode_row<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((v, rest)) if *v == version => {
            serde_ipld_dagcbor::from_slice(rest).map_err(|e| CodecError::Malformed { what: e.to_string() })
        }
        _ => Err(CodecError::Malformed { what: "row of another version".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Point {
        x: u64,
        y: u64,
    }

    #[test]
    fn only_the_canonical_form_is_accepted() {
        let bytes = encode(&Point { x: 1, y: 300 });
        assert_eq!(decode::<Point>(&bytes, 64), Ok(Point { x: 1, y: 300 }));
        // y before x: same map, other bytes.
        let swapped = [0xa2, 0x61, b'y', 0x19, 0x01, 0x2c, 0x61, b'x', 0x01];
        assert!(decode::<Point>(&swapped, 64).is_err());
        // x as a two-byte integer.
        let long = [0xa2, 0x61, b'x', 0x18, 0x01, 0x61, b'y', 0x19, 0x01, 0x2c];
        assert!(decode::<Point>(&long, 64).is_err());
        let mut trailing = bytes.clone();
        trailing.push(0);
        assert!(decode::<Point>(&trailing, 64).is_err());
        assert_eq!(decode::<Point>(&bytes, 3), Err(CodecError::TooLong { len: bytes.len(), limit: 3 }));
        for cut in 0..bytes.len() {
            assert!(decode::<Point>(&bytes[..cut], 64).is_err());
        }
    }
}
