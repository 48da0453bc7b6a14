//! SHA-256 of one or two messages with the SHA extensions of x86-64.
//!
//! The streams are interleaved group by group (four rounds), so that while one waits for its
//! `sha256rnds2` the other issues. Each block also asks for the line 4 KiB further on: the compression is
//! too slow for the hardware's own prefetcher to run far ahead, which shows on pages that are mapped but
//! not in the cache.

#![expect(unsafe_code, reason = "vector loads, and calls that need instructions found at run time")]

use std::arch::x86_64::{
    __m128i, _MM_HINT_T0, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_loadu_si128, _mm_prefetch,
    _mm_set_epi8, _mm_set_epi32, _mm_setr_epi32, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32,
    _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::{Block, State};

/// How far ahead of the block in work the memory is asked for.
const AHEAD: usize = 4096;

/// The round constants (FIPS 180-4, 4.2.2), four to a group.
#[rustfmt::skip]
const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// Takes the blocks of `N` messages, equally many of each (of longer slices only the beginning).
///
/// Returns false, and has done nothing, where the processor lacks the instructions.
pub(super) fn compress<const N: usize>(states: [&mut State; N], blocks: [&[Block]; N]) -> bool {
    let present = std::arch::is_x86_feature_detected!("sha")
        && std::arch::is_x86_feature_detected!("sse4.1")
        && std::arch::is_x86_feature_detected!("ssse3");
    if present {
        // SAFETY: the three features that the function enables were found just above.
        unsafe { compress_sha(states, blocks) };
    }
    present
}

/// Four rounds of every stream. `$i` is the group; the message words lie in `$m[s][$i % 4]`.
macro_rules! group {
    ($i:literal, $m:ident, $abef:ident, $cdgh:ident, $n:ident) => {{
        let k = K[$i];
        let k =
            _mm_setr_epi32(k[0].cast_signed(), k[1].cast_signed(), k[2].cast_signed(), k[3].cast_signed());
        for s in 0..$n {
            if $i >= 4 {
                let [w0, w1, w2, w3] =
                    [$m[s][$i % 4], $m[s][($i + 1) % 4], $m[s][($i + 2) % 4], $m[s][($i + 3) % 4]];
                let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
                $m[s][$i % 4] = _mm_sha256msg2_epu32(sum, w3);
            }
            let words = _mm_add_epi32($m[s][$i % 4], k);
            $cdgh[s] = _mm_sha256rnds2_epu32($cdgh[s], $abef[s], words);
            $abef[s] = _mm_sha256rnds2_epu32($abef[s], $cdgh[s], _mm_shuffle_epi32::<0x0e>(words));
        }
    }};
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress_sha<const N: usize>(states: [&mut State; N], blocks: [&[Block]; N]) {
    let big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    // The instructions want the words as (a, b, e, f) and (c, d, g, h), the first in the highest place.
    let four = |a: u32, b: u32, c: u32, d: u32| {
        _mm_set_epi32(a.cast_signed(), b.cast_signed(), c.cast_signed(), d.cast_signed())
    };
    let mut abef: [__m128i; N] = std::array::from_fn(|s| {
        let state = &states[s];
        four(state[0], state[1], state[4], state[5])
    });
    let mut cdgh: [__m128i; N] = std::array::from_fn(|s| {
        let state = &states[s];
        four(state[2], state[3], state[6], state[7])
    });

    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    let blocks: [&[Block]; N] = blocks.map(|blocks| &blocks[..count]);
    #[expect(clippy::needless_range_loop, reason = "the index runs over all streams at once")]
    for block in 0..count {
        let before = (abef, cdgh);
        let mut m: [[__m128i; 4]; N] = std::array::from_fn(|s| {
            let bytes = &blocks[s][block];
            // A prefetch may name any address; beyond the end of the slice it does nothing.
            _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(AHEAD).cast());
            std::array::from_fn(|word| {
                let bytes = &bytes.as_chunks::<16>().0[word];
                // SAFETY: `bytes` is 16 readable bytes, and the load asks for no alignment.
                let words = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
                _mm_shuffle_epi8(words, big_endian)
            })
        });
        group!(0, m, abef, cdgh, N);
        group!(1, m, abef, cdgh, N);
        group!(2, m, abef, cdgh, N);
        group!(3, m, abef, cdgh, N);
        group!(4, m, abef, cdgh, N);
        group!(5, m, abef, cdgh, N);
        group!(6, m, abef, cdgh, N);
        group!(7, m, abef, cdgh, N);
        group!(8, m, abef, cdgh, N);
        group!(9, m, abef, cdgh, N);
        group!(10, m, abef, cdgh, N);
        group!(11, m, abef, cdgh, N);
        group!(12, m, abef, cdgh, N);
        group!(13, m, abef, cdgh, N);
        group!(14, m, abef, cdgh, N);
        group!(15, m, abef, cdgh, N);
        for s in 0..N {
            abef[s] = _mm_add_epi32(abef[s], before.0[s]);
            cdgh[s] = _mm_add_epi32(cdgh[s], before.1[s]);
        }
    }

    for (s, state) in states.into_iter().enumerate() {
        *state = [
            _mm_extract_epi32::<3>(abef[s]).cast_unsigned(),
            _mm_extract_epi32::<2>(abef[s]).cast_unsigned(),
            _mm_extract_epi32::<3>(cdgh[s]).cast_unsigned(),
            _mm_extract_epi32::<2>(cdgh[s]).cast_unsigned(),
            _mm_extract_epi32::<1>(abef[s]).cast_unsigned(),
            _mm_extract_epi32::<0>(abef[s]).cast_unsigned(),
            _mm_extract_epi32::<1>(cdgh[s]).cast_unsigned(),
            _mm_extract_epi32::<0>(cdgh[s]).cast_unsigned(),
        ];
    }
}
