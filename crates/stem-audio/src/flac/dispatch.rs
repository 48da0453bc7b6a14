//! The same code for several generations of vectors.
//!
//! Everything that a block goes through is `#[inline(always)]`, so that it is compiled once per function here, each time
//! for the instructions which that function declares. One choice per block costs nothing, where one per
//! kernel would keep the compiler from seeing across them. AVX-512 was measured (an AMD EPYC): encoding gained 2 %, and the
//! compiler's idea of a vectorised restoring cost decoding a third. Nowhere in it does an instruction set change a result.

#![expect(unsafe_code, reason = "calls that need instructions found at run time")]

use super::decode::{DecodeError, Frame};
use super::encode::{Block, Encoder};

macro_rules! dispatched {
    ($name:ident ( $($argument:ident : $type:ty),* ) -> $result:ty, $portable:expr) => {
        pub(super) fn $name($($argument: $type),*) -> $result {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx,avx2,bmi1,bmi2,lzcnt,popcnt")]
                fn v3($($argument: $type),*) -> $result {
                    $portable
                }
                let present = std::arch::is_x86_feature_detected!("avx")
                    && std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("bmi1")
                    && std::arch::is_x86_feature_detected!("bmi2")
                    && std::arch::is_x86_feature_detected!("lzcnt")
                    && std::arch::is_x86_feature_detected!("popcnt");
                if present {
                    // SAFETY: the features that the function enables were found just above.
                    return unsafe { v3($($argument),*) };
                }
            }
            $portable
        }
    };
}

dispatched!(encode_block(encoder: &mut Encoder, block: &Block<'_>, out: &mut Vec<u8>) -> Result<(), usize>,
    encoder.encode_block(block, out));
dispatched!(decode_frame(frame: &mut Frame<'_, '_>) -> Result<(), DecodeError>, frame.decode());
