//! Numbers of bytes as people write them.

use crate::text::node;

const UNITS: [(&str, u32); 8] =
    [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("K", 10), ("M", 20), ("G", 30), ("T", 40)];

/// Reads `123`, `10GiB` or `10G`; both units are powers of 1,024.
///
/// # Errors
/// Words for the user.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) =
        UNITS.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((text, 0));
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number = if plain { digits.parse::<u64>().ok() } else { None };
    number.and_then(|n| n.checked_mul(1 << shift)).ok_or_else(|| node::NOT_AN_AMOUNT.to_owned())
}

/// Writes it in the largest unit that divides it to one decimal.
pub fn words(bytes: u64) -> String {
    let (unit, shift) = match bytes {
        0..=0x3ff => return format!("{bytes} bytes"),
        0x400..=0xf_ffff => ("KiB", 10),
        0x10_0000..=0x3fff_ffff => ("MiB", 20),
        0x4000_0000..=0xff_ffff_ffff => ("GiB", 30),
        _ => ("TiB", 40),
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them_and_nothing_else_is() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("1048576"), Ok(1 << 20));
        assert_eq!((bytes("20GiB"), bytes("20G")), (Ok(20 << 30), Ok(20 << 30)));
        assert_eq!((bytes("3K"), bytes("2MiB"), bytes("1T")), (Ok(3 << 10), Ok(2 << 20), Ok(1 << 40)));
        for bad in
            ["", "G", "-1", "+1", "1.5G", "1 G", "10GB", "0x10", "18446744073709551616", "99999999T", "٣"]
        {
            assert!(bytes(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn amounts_are_told_in_a_unit_that_fits() {
        assert_eq!(words(999), "999 bytes");
        assert_eq!(words(1 << 20), "1.0 MiB");
        assert_eq!(words((10 << 30) + (512 << 20)), "10.5 GiB");
        assert_eq!(words(u64::MAX), "16777215.9 TiB");
    }
}
