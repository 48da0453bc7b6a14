//! The spelling of ids, prefixes and checksums.

use proptest::prelude::*;
use stem_hash::{Algorithm, Checksum, IdError, IdPrefix, ObjectId};

const DIGITS: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn an_id_has_one_spelling() {
    let id: ObjectId = DIGITS.parse().unwrap();
    assert_eq!(id.to_string(), DIGITS);
    assert_eq!(id.hex().as_str(), DIGITS);
    assert_eq!(id.short(), "ba7816bf");
    assert_eq!(id.shard(), (DIGITS[..2].to_owned(), DIGITS[2..].to_owned()));
    assert_eq!(id.hex().shard(), (&DIGITS[..2], &DIGITS[2..]));
    assert_eq!(format!("{id:?}"), format!("ObjectId({DIGITS})"));

    let cases: [(&[u8], IdError); 8] = [
        (b"", IdError::Length { found: 0, expected: 64 }),
        (&DIGITS.as_bytes()[..63], IdError::Length { found: 63, expected: 64 }),
        (&[b'0'; 65], IdError::Length { found: 65, expected: 64 }),
        (&[b'F'; 64], IdError::UpperCase { position: 0 }),
        (&[b'/'; 64], IdError::NotHex { position: 0, byte: b'/' }),
        (&[0xff; 64], IdError::NotHex { position: 0, byte: 0xff }),
        (&[0; 64], IdError::NotHex { position: 0, byte: 0 }),
        (&[b' '; 64], IdError::NotHex { position: 0, byte: b' ' }),
    ];
    for (text, error) in cases {
        assert_eq!(ObjectId::parse_bytes(text), Err(error));
    }
    let mut text = DIGITS.as_bytes().to_vec();
    text[63] = b'G';
    assert_eq!(ObjectId::parse_bytes(&text), Err(IdError::NotHex { position: 63, byte: b'G' }));
}

#[test]
fn messages_say_what_and_where() {
    let message = |text: &str| text.parse::<ObjectId>().unwrap_err().to_string();
    assert_eq!(message("ba78"), "4 characters where 64 hexadecimal digits belong");
    assert_eq!(
        message(&DIGITS.to_uppercase()),
        "upper-case digit at position 0: hexadecimal digits are written in lower case"
    );
    assert_eq!(message(&DIGITS.replace("78", "7x")), "byte 0x78 at position 3 is not a hexadecimal digit");
    assert_eq!(
        "md5".parse::<Algorithm>().unwrap_err().to_string(),
        "unknown hash algorithm \"md5\": expected sha256 or blake3"
    );
}

#[test]
fn algorithms_have_names() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
    }
    assert!("SHA256".parse::<Algorithm>().is_err());
    assert_eq!(Algorithm::default(), Algorithm::Sha256);
}

#[test]
fn json_is_text() {
    let id: ObjectId = DIGITS.parse().unwrap();
    let json = format!("\"{DIGITS}\"");
    assert_eq!(serde_json::to_string(&id).unwrap(), json);
    assert_eq!(serde_json::from_str::<ObjectId>(&json).unwrap(), id);
    assert!(serde_json::from_str::<ObjectId>(&json.to_uppercase()).is_err());
    assert!(serde_json::from_str::<ObjectId>("7").is_err());
    let checksum = Checksum::of(b"");
    assert_eq!(serde_json::to_string(&checksum).unwrap(), "\"99aa06d3014798d86001c324468d497f\"");
    assert_eq!(serde_json::from_str::<Algorithm>("\"blake3\"").unwrap(), Algorithm::Blake3);
}

#[test]
fn a_checksum_has_one_spelling() {
    let text = "00000000000000000000000000000abc";
    assert_eq!(text.parse(), Ok(Checksum::from_u128(0xabc)));
    assert_eq!(Checksum::from_u128(0xabc).to_string(), text);
    assert_eq!("abc".parse::<Checksum>(), Err(IdError::Length { found: 3, expected: 32 }));
    assert!(text.to_uppercase().parse::<Checksum>().is_err());
}

#[test]
fn prefixes_are_bounded() {
    assert_eq!("".parse(), Ok(IdPrefix::ALL));
    assert_eq!(IdPrefix::parse_bytes(&[b'0'; 65]), Err(IdError::Length { found: 65, expected: 64 }));
    assert_eq!(IdPrefix::parse_bytes(&[b'0'; 1000]), Err(IdError::Length { found: 1000, expected: 64 }));
    assert_eq!("A".parse::<IdPrefix>(), Err(IdError::UpperCase { position: 0 }));
    assert_eq!("0g".parse::<IdPrefix>(), Err(IdError::NotHex { position: 1, byte: b'g' }));
    let b: IdPrefix = "b".parse().unwrap();
    assert_eq!(b.first_bytes(), 0xb0..=0xbf);
    assert_eq!(IdPrefix::ALL.first_bytes(), 0..=255);
    assert_eq!("ba7".parse::<IdPrefix>().unwrap().first_bytes(), 0xba..=0xba);
}

proptest! {
    #[test]
    fn ids_round_trip_and_order(a: [u8; 32], b: [u8; 32]) {
        let (a, b) = (ObjectId::from_bytes(a), ObjectId::from_bytes(b));
        prop_assert_eq!(a.to_string().parse(), Ok(a));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn prefixes_match_as_text_does(id: [u8; 32], other: [u8; 32], digits in 0usize..=64) {
        let (id, other) = (ObjectId::from_bytes(id), ObjectId::from_bytes(other));
        let text = id.to_string();
        let prefix: IdPrefix = text[..digits].parse().unwrap();
        prop_assert_eq!(prefix.to_string(), &text[..digits]);
        prop_assert_eq!(prefix.digits(), digits);
        prop_assert!(prefix.matches(&id));
        prop_assert!(prefix.range().contains(&id));
        prop_assert_eq!(prefix.matches(&other), other.to_string().starts_with(&text[..digits]));
        prop_assert_eq!(prefix.matches(&other), prefix.range().contains(&other));
        prop_assert_eq!(prefix.full(), (digits == 64).then_some(id));
    }

    #[test]
    fn parsing_never_panics(text: Vec<u8>) {
        let _ = ObjectId::parse_bytes(&text);
        let _ = IdPrefix::parse_bytes(&text);
        let _ = Checksum::parse_bytes(&text);
    }
}
