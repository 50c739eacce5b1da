//! A counterexample in words: who does what, where that leads, the Lease, the fence.

use super::facts::Facts;
use super::world::{Action, Lease, Version, World};
use singletrack::lease::Ask;

pub(super) fn table<const N: usize>(way: Vec<(World<N>, Option<Action>)>) -> String {
    let mut text = format!(
        "{:>3}  {:<4} {:<46} {:<14} {:<44} {}\n",
        "", "who", "what", "then", "Lease", "store"
    );
    for (number, pair) in way.windows(2).enumerate() {
        let [(before, Some(action)), (after, _)] = pair else { continue };
        let (who, what) = before.describe(*action);
        let then = who.map(|who| format!("{:?}", after.processes[usize::from(who)].at));
        let then = then.unwrap_or_default();
        text.push_str(&format!(
            "{:>3}  {:<4} {:<46} {:<14} {:<44} {}\n",
            number + 1,
            who.map(|who| format!("P{who}")).unwrap_or_default(),
            what,
            then.split('(').next().unwrap_or_default(),
            after.describe_lease(),
            after.describe_store()
        ));
    }
    text
}

impl<const N: usize> World<N> {
    fn describe(&self, action: Action) -> (Option<u8>, String) {
        let ask = |who: u8| name(&self.processes[usize::from(who)].ask);
        match action {
            Action::Answer(who) => (Some(who), ask(who)),
            Action::Look(who, facts) => (Some(who), format!("Get{}", describe_facts(facts))),
            Action::LostAfter(who) => (Some(who), format!("{}, done, answer lost", ask(who))),
            Action::LostBefore(who) => (Some(who), format!("{}, on its way, no answer", ask(who))),
            Action::Expire(who) => (Some(who), "gives up: no call has succeeded".to_owned()),
            Action::Work(who) => (Some(who), format!("its run: {}", self.describe_work(who))),
            Action::Quit(who) => (Some(who), "its run ends without a record".to_owned()),
            Action::Crash(who) => (Some(who), "crashes, comes back in its pod".to_owned()),
            Action::Replace(who) => (Some(who), "crashes, comes back in another pod".to_owned()),
            Action::Arrive(index) => {
                let write = format!("{:?}", self.late[usize::from(index)]);
                let write = write.split('(').next().unwrap_or_default().to_owned();
                (None, format!("arrives late: {write}"))
            }
            Action::Delete => (None, "the Lease is deleted".to_owned()),
            Action::Unlock => (None, "the Lease is freed by hand".to_owned()),
            Action::Scribble => (None, "a holder is written by hand".to_owned()),
            Action::Pause => (None, "paused".to_owned()),
            Action::Resume => (None, "resumed".to_owned()),
            Action::Cancel(request) => (None, format!("request {request} is cancelled")),
            Action::Restore => (None, "the store is emptied".to_owned()),
        }
    }

    fn describe_work(&self, who: u8) -> &'static str {
        let wrote = self.processes[usize::from(who)].run.is_some_and(|run| run.has_written);
        if wrote { "writes its record" } else { "writes data" }
    }

    fn describe_lease(&self) -> String {
        let Some(Lease { version: Version(uid, version), holder, paused, .. }) = self.lease else {
            return "none".to_owned();
        };
        let holder = holder.map_or("free".to_owned(), |holder| format!("of {}", holder.text()));
        format!("{uid}.{version} {holder}{}", if paused { ", paused" } else { "" })
    }

    fn describe_store(&self) -> String {
        format!("active {}, tickets {}, newest write {}", self.active.0, self.seq, self.wrote)
    }
}

fn name<V: std::fmt::Debug>(ask: &Ask<V, u8>) -> String {
    let text = format!("{ask:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

fn describe_facts(facts: Facts) -> String {
    if facts == Facts::FRESH {
        return String::new();
    }
    let Facts { silence, clock, pod } = facts;
    format!(" ({silence:?}, clock {clock:?}, pod {pod:?})")
}
