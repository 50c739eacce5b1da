//! A counterexample, a line a step: who does what, where that leads, the Lease, the fence.

use stateright::Path;

use super::world::{Action, World};

pub(super) fn table(path: Path<World, Action>) -> String {
    let steps = path.into_vec();
    let mut text = String::new();
    for (number, pair) in steps.windows(2).enumerate() {
        let [(before, Some(action)), (after, _)] = pair else { continue };
        text.push_str(&format!(
            "  {:>2} {:<28} {:<34} {}\n",
            number + 1,
            before.describe(*action),
            after.describe_lease(),
            after.describe_fence()
        ));
    }
    text
}
