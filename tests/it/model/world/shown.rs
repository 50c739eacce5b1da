//! The world in words, for the table of a counterexample.

use super::{Action, Lease, Nonce, Version, World};

impl World {
    pub(in crate::model) fn describe(&self, action: Action) -> String {
        match action {
            Action::Answer { who, silent } => {
                let ask = format!("{:?}", self.processes[usize::from(who)].ask);
                let ask = ask.split('(').next().unwrap_or_default();
                format!("P{who} {ask}{}", if silent { " (silent)" } else { "" })
            }
            other => format!("{other:?}"),
        }
    }

    pub(in crate::model) fn describe_lease(&self) -> String {
        match self.lease {
            None => "no Lease".to_owned(),
            Some(Lease { version: Version(uid, version), holder: None }) => {
                format!("Lease {uid}.{version} free")
            }
            Some(Lease { version: Version(uid, version), holder: Some(Nonce(pod, boot, n)) }) => {
                format!("Lease {uid}.{version} of P{pod}, boot {boot}, attempt {n}")
            }
        }
    }

    pub(in crate::model) fn describe_fence(&self) -> String {
        format!("active {}, tickets {}, newest write {}", self.active.0, self.seq, self.wrote)
    }
}
