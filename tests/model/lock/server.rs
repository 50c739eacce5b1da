//! The other side of each call: compare-and-swap at the API server, transactions in the store.

use singletrack::lease::{Got, RunNumber};
use singletrack::reconcile::floor;

use super::Mutant;
use super::process::ABSENT;
use super::world::{Bad, Lease, Nonce, Version, World, Write};
use crate::coverage::Seen;

impl<const N: usize> World<N> {
    /// The server's side of a write.
    pub(super) fn done(&mut self, write: Write, late: bool) -> Got<Version, u8> {
        match write {
            Write::Create if self.lease.is_some() => Got::Conflict,
            Write::Create => self.create(None, 0, 0),
            Write::Ticket(floor) => self.ticket(floor),
            Write::Grant(over, number, me, pod) => self.grant(over, (number, me, pod), late),
            Write::Renew(over) => match self.swappable(over) {
                Ok(lease) => self.put(lease),
                Err(got) => got,
            },
            Write::Release(over) => match self.swappable(over) {
                Ok(lease) => self.put(Lease { holder: None, ..lease }),
                Err(got) => got,
            },
            Write::Activate(number, me, request) => self.activate(number, me, request),
            Write::Commit(number, me) => self.commit(number, me),
            Write::Record(number, me, request) => {
                let got = self.commit(number, me);
                if got == Got::Activated {
                    if late {
                        self.see(Seen::LateRecord);
                    }
                    self.record(number, request);
                }
                got
            }
        }
    }

    fn create(&mut self, holder: Option<Nonce>, pod: u8, number: u8) -> Got<Version, u8> {
        self.uids += 1;
        self.see(Seen::Recreated);
        let version = Version(self.uids, 0);
        self.put(Lease { version, holder, pod, number, paused: false })
    }

    fn ticket(&mut self, noted: u8) -> Got<Version, u8> {
        let newest = self.active.0;
        let number = |it: u8| RunNumber(i64::from(it));
        let floor = match self.mutant {
            Some(Mutant::NoFloor) => newest,
            _ => floor(number(newest), number(noted), number(0))
                .map_or(newest, |floor| u8::try_from(floor.0).unwrap_or(u8::MAX)),
        };
        if floor > self.seq.max(newest) {
            self.see(Seen::Floor);
        }
        self.seq = self.seq.max(floor) + 1;
        Got::Ticket(self.seq)
    }

    fn grant(
        &mut self,
        over: Version,
        (number, me, pod): (u8, Nonce, u8),
        late: bool,
    ) -> Got<Version, u8> {
        let lease = match self.swappable(over) {
            Ok(lease) => Some(lease),
            Err(Got::Gone) if over == ABSENT => None,
            Err(got) => return got,
        };
        if number <= self.granted {
            self.breaks(Bad::OutOfOrder);
        }
        self.granted = self.granted.max(number);
        if late {
            self.see(Seen::LateGrant);
        }
        let Some(lease) = lease else { return self.create(Some(me), pod, number) };
        if lease.holder.is_some() {
            self.see(Seen::TakenOver);
        }
        self.put(Lease { holder: Some(me), pod, number, ..lease })
    }

    /// The Lease, if it is still this version.
    fn swappable(&self, over: Version) -> Result<Lease, Got<Version, u8>> {
        let lease = self.lease.ok_or(Got::Gone)?;
        let same = lease.version == over || self.mutant == Some(Mutant::BlindWrites);
        if same { Ok(lease) } else { Err(Got::Conflict) }
    }

    pub(super) fn put(&mut self, lease: Lease) -> Got<Version, u8> {
        self.versions += 1;
        let version = Version(lease.version.0, self.versions);
        self.lease = Some(Lease { version, ..lease });
        Got::Stored(version)
    }

    fn activate(&mut self, number: u8, me: Nonce, request: u8) -> Got<Version, u8> {
        let newer = self.active.0 < number || self.mutant == Some(Mutant::ActivatesAny);
        if !newer && self.active != (number, Some(me)) {
            return self.refuse(number, me);
        }
        if self.recorded[usize::from(request)] > 0 && self.mutant != Some(Mutant::RunsAgain) {
            self.see(Seen::HasRun);
            return Got::Refused;
        }
        self.active = (number, Some(me));
        Got::Activated
    }

    /// A transaction of a run: refused unless it is the active one.
    fn commit(&mut self, number: u8, me: Nonce) -> Got<Version, u8> {
        if self.active != (number, Some(me)) && self.mutant != Some(Mutant::Unfenced) {
            return self.refuse(number, me);
        }
        if number < self.wrote {
            self.breaks(Bad::OldAfterNew);
        }
        self.wrote = self.wrote.max(number);
        Got::Activated
    }

    fn record(&mut self, number: u8, request: u8) {
        let recorded = &mut self.recorded[usize::from(request)];
        let before = std::mem::replace(recorded, number);
        if before > 0 && before != number {
            self.breaks(Bad::Twice);
        }
    }

    fn refuse(&mut self, number: u8, me: Nonce) -> Got<Version, u8> {
        self.see(Seen::Refused);
        let holds = self.lease.is_some_and(|lease| lease.holder == Some(me));
        // A store that was emptied refuses all; only a higher number shuts somebody out.
        if holds && number == self.granted && self.active.0 >= number {
            self.breaks(Bad::ShutOut);
        }
        Got::Refused
    }
}
