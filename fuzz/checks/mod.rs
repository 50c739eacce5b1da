//! What must hold whatever comes in: once for the fuzz targets and for the test that plays the
//! seeds. Each check panics when something does not hold. Pure.

#![allow(unreachable_pub, reason = "it is a library for one of the two that include it")]

mod headers;
mod lease;
mod links;
mod names;
mod objects;

pub use headers::headers;
pub use lease::lease;
pub use links::links;
pub use names::names;
pub use objects::objects;

/// A check of one input.
pub type Check = fn(&[u8]);

/// Every target with its check.
pub const TARGETS: [(&str, Check); 5] = [
    ("objects", objects),
    ("headers", headers),
    ("links", links),
    ("names", names),
    ("lease", lease),
];
