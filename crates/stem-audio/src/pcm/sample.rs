//! One sample as bytes and as a number, for every container there is.

/// A sample of `N` bytes. `load` is a bijection between the bytes and the integers of `8 * N` bits, `store` its inverse.
pub(super) trait Sample<const N: usize> {
    fn load(bytes: [u8; N]) -> i32;
    fn store(value: i32) -> [u8; N];
}

/// 8 bits around 128.
pub(super) struct Offset8;
/// 8 bits of two's complement.
pub(super) struct Signed8;
/// 16 bits, least significant byte first.
pub(super) struct Le16;
/// 16 bits, most significant byte first.
pub(super) struct Be16;
/// 24 bits, least significant byte first.
pub(super) struct Le24;
/// 24 bits, most significant byte first.
pub(super) struct Be24;
/// 32 bits, or the bits of a float, least significant byte first.
pub(super) struct Le32;
/// 32 bits, or the bits of a float, most significant byte first.
pub(super) struct Be32;

impl Sample<1> for Offset8 {
    #[inline]
    fn load([byte]: [u8; 1]) -> i32 {
        i32::from(byte) - 128
    }
    #[inline]
    fn store(value: i32) -> [u8; 1] {
        let [byte, ..] = value.wrapping_add(128).to_le_bytes();
        [byte]
    }
}

impl Sample<1> for Signed8 {
    #[inline]
    fn load(bytes: [u8; 1]) -> i32 {
        i32::from(i8::from_le_bytes(bytes))
    }
    #[inline]
    fn store(value: i32) -> [u8; 1] {
        let [byte, ..] = value.to_le_bytes();
        [byte]
    }
}

impl Sample<2> for Le16 {
    #[inline]
    fn load(bytes: [u8; 2]) -> i32 {
        i32::from(i16::from_le_bytes(bytes))
    }
    #[inline]
    fn store(value: i32) -> [u8; 2] {
        let [a, b, ..] = value.to_le_bytes();
        [a, b]
    }
}

impl Sample<2> for Be16 {
    #[inline]
    fn load(bytes: [u8; 2]) -> i32 {
        i32::from(i16::from_be_bytes(bytes))
    }
    #[inline]
    fn store(value: i32) -> [u8; 2] {
        let [a, b, ..] = value.to_le_bytes();
        [b, a]
    }
}

impl Sample<3> for Le24 {
    #[inline]
    fn load([a, b, c]: [u8; 3]) -> i32 {
        i32::from_le_bytes([0, a, b, c]) >> 8
    }
    #[inline]
    fn store(value: i32) -> [u8; 3] {
        let [a, b, c, _] = value.to_le_bytes();
        [a, b, c]
    }
}

impl Sample<3> for Be24 {
    #[inline]
    fn load([a, b, c]: [u8; 3]) -> i32 {
        i32::from_be_bytes([a, b, c, 0]) >> 8
    }
    #[inline]
    fn store(value: i32) -> [u8; 3] {
        let [a, b, c, _] = value.to_le_bytes();
        [c, b, a]
    }
}

impl Sample<4> for Le32 {
    #[inline]
    fn load(bytes: [u8; 4]) -> i32 {
        i32::from_le_bytes(bytes)
    }
    #[inline]
    fn store(value: i32) -> [u8; 4] {
        value.to_le_bytes()
    }
}

impl Sample<4> for Be32 {
    #[inline]
    fn load(bytes: [u8; 4]) -> i32 {
        i32::from_be_bytes(bytes)
    }
    #[inline]
    fn store(value: i32) -> [u8; 4] {
        value.to_be_bytes()
    }
}
