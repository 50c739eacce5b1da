//! The other side of each call: compare-and-swap at the API server, transactions in the store.

use singletrack::lease::Got;

use super::{Lease, Mutant, Nonce, Seen, Version, World, Write};

impl World {
    /// The server's side of a write: compare-and-swap, or a transaction.
    pub(super) fn done(&mut self, write: Write, late: bool) -> Got<Version, u8> {
        match write {
            Write::Create if self.lease.is_some() => Got::Conflict,
            Write::Create => {
                self.uids += 1;
                self.see(Seen::Recreated);
                self.put(self.uids, None)
            }
            Write::Ticket => {
                self.seq = self.seq.max(self.active.0) + 1;
                Got::Ticket(self.seq)
            }
            Write::Grant(over, number, me) => self.grant(over, number, me, late),
            Write::Renew(over) => match self.swappable(over) {
                Ok(lease) => self.put(over.0, lease.holder),
                Err(got) => got,
            },
            Write::Release(over) => match self.swappable(over) {
                Ok(_) => self.put(over.0, None),
                Err(got) => got,
            },
            Write::Activate(number, me) => {
                if self.active.0 < number || self.active == (number, Some(me)) {
                    self.active = (number, Some(me));
                    Got::Activated
                } else {
                    self.refused(number, me);
                    Got::Refused
                }
            }
            Write::Commit(number, me) => {
                self.write(number, me);
                Got::Activated
            }
        }
    }

    fn grant(&mut self, over: Version, number: u8, me: Nonce, late: bool) -> Got<Version, u8> {
        let lease = match self.swappable(over) {
            Ok(lease) => lease,
            Err(got) => return got,
        };
        if number <= self.granted {
            self.see(Seen::OutOfOrder);
        }
        self.granted = self.granted.max(number);
        if late {
            self.see(Seen::LateGrant);
        }
        if lease.holder.is_some() {
            self.see(Seen::TakenOver);
        }
        self.put(over.0, Some(me))
    }

    /// The Lease, if it is still this version.
    fn swappable(&self, over: Version) -> Result<Lease, Got<Version, u8>> {
        let lease = self.lease.ok_or(Got::Gone)?;
        let same = lease.version == over || self.mutant == Some(Mutant::BlindWrite);
        if same { Ok(lease) } else { Err(Got::Conflict) }
    }

    fn put(&mut self, uid: u8, holder: Option<Nonce>) -> Got<Version, u8> {
        self.versions += 1;
        let version = Version(uid, self.versions);
        self.lease = Some(Lease { version, holder });
        Got::Stored(version)
    }

    pub(super) fn commit(&mut self, who: u8) {
        let me = self.me(who);
        if let Some((number, commits)) = &mut self.processes[usize::from(who)].run {
            *commits += 1;
            let number = *number;
            self.write(number, me);
        }
    }

    /// A transaction of a run: refused unless it is the active one.
    fn write(&mut self, number: u8, me: Nonce) {
        if self.active != (number, Some(me)) && self.mutant != Some(Mutant::Unfenced) {
            self.refused(number, me);
            return;
        }
        if number < self.wrote {
            self.see(Seen::OldAfterNew);
        }
        self.wrote = self.wrote.max(number);
    }

    fn refused(&mut self, number: u8, me: Nonce) {
        self.see(Seen::Refused);
        let holds = self.lease.is_some_and(|lease| lease.holder == Some(me));
        if holds && number == self.granted {
            self.see(Seen::ShutOut);
        }
    }
}
