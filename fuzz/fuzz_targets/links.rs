//! See `checks::links`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| singletrack_fuzz::links(input));
