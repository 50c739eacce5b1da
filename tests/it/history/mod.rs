//! What has happened, and whether it may have: the end of every end-to-end test.
//!
//! Two orders are known for certain: that of etcd, in which the versions of the Lease and of the
//! requests came to be, and that of the database, in which writes were accepted. The rules of
//! [`rules`] hold both against the protocol; none looks at what the operators think.

mod broken;
mod displaced;
mod fresh;
mod good;
mod kept;
mod late;
mod live;
mod record;
mod rules;
mod scene;
mod shown;

pub(crate) use kept::{
    Accepted, BY_HAND, FORGED, Floor, History, Kept, Lease, Request, Rule, Run, Times, Uid,
    Violation,
};
pub(crate) use record::Recorder;
