//! See `checks::names`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| singletrack_fuzz::names(input));
