//! The checker, without what records a history.

#[cfg(test)]
#[path = "../it/history/broken.rs"]
mod broken;
#[cfg(test)]
#[path = "../it/history/good.rs"]
mod good;
#[path = "../it/history/kept.rs"]
mod kept;
#[path = "../it/history/rules.rs"]
mod rules;
#[path = "../it/history/shown.rs"]
mod shown;

pub(crate) use kept::{
    Accepted, BY_HAND, Floor, History, Kept, Lease, Request, Rule, Run, Times, Uid, Violation,
};
