//! The rules of labels, and the windows of lists.

#[path = "../../src/sync/rules.rs"]
mod rules;
#[path = "../../src/sync/window.rs"]
mod window;
