//! Another database under the same requests: of the other kind, or an older copy of the same.

use singletrack::api::Phase;
use singletrack::store::{RunRecord, RunState};

use crate::requests::{github, open_issues};
use crate::stand_in::StandIn;
use crate::support::{Home, Namespace, Operator, awaited, operator, phase_of};

/// One operator at a time, which is told where its data is.
struct Track {
    space: Namespace,
    github: StandIn,
}

impl Track {
    async fn new(purpose: &str) -> Self {
        Self { space: Namespace::new(purpose).await, github: github(2, 20).await }
    }

    fn start(&self, home: &Home) -> Operator {
        home.keep(operator(&self.space, &self.github, home.folder())).start()
    }

    /// Runs a request to its end. Gives the number of its run.
    async fn run(&self, name: &str) -> i64 {
        self.space.manual(name).await;
        self.succeeds(name).await
    }

    async fn succeeds(&self, name: &str) -> i64 {
        let request = self.space.finished(name).await;
        assert_eq!(phase_of(&request), Phase::Succeeded, "{request:?}");
        request.status.unwrap().run_number.unwrap()
    }

    /// Kills the operator in the middle of a run of this new request. Gives the run's number.
    async fn tear(&self, mut operator: Operator, name: &str) -> i64 {
        let gate = self.github.hold(open_issues());
        self.space.manual(name).await;
        awaited("a page is held", gate.arrived()).await;
        let running = self.space.in_phase(name, Phase::Running).await;
        operator.kill();
        running.status.unwrap().run_number.unwrap()
    }
}

async fn stop(mut operator: Operator) {
    assert!(operator.terminate().await.success());
}

/// What a history tells, briefly.
fn told(runs: &[RunRecord]) -> Vec<(i64, &str, RunState)> {
    let brief = |run: &RunRecord| (run.number.0, run.state);
    let names = runs.iter().map(|run| run.name.as_deref().unwrap_or_default());
    runs.iter().map(brief).zip(names).map(|((number, state), name)| (number, name, state)).collect()
}

const DONE: RunState = RunState::Succeeded;
const CUT: RunState = RunState::Interrupted;

#[tokio::test]
async fn an_interrupted_request_goes_on_in_the_other_database_and_back() {
    let track = Track::new("switch").await;
    let (file, server) = (Home::sqlite(), Home::postgres().await);
    let first = track.start(&file);
    assert_eq!(track.run("one").await, 1);
    assert_eq!(track.tear(first, "torn").await, 2);
    track.space.manual("waits").await;

    let second = track.start(&server);
    assert_eq!((track.succeeds("torn").await, track.succeeds("waits").await), (3, 4));
    track.space.event("torn", "Interrupted").await;
    assert_eq!(track.run("five").await, 5);
    assert_eq!(track.tear(second, "torn-again").await, 6);
    let on_server = [(3, "torn", DONE), (4, "waits", DONE), (5, "five", DONE)];
    assert_eq!(told(&server.history().await)[..3], on_server);

    let third = track.start(&file);
    assert_eq!((track.succeeds("torn-again").await, track.run("eight").await), (7, 8));
    stop(third).await;
    let on_file = [(1, "one", DONE), (2, "torn", CUT), (7, "torn-again", DONE), (8, "eight", DONE)];
    assert_eq!(told(&file.history().await), on_file);

    // What is on the server has a run that never ended; the next one closes it.
    let fourth = track.start(&server);
    assert_eq!(track.run("nine").await, 9);
    stop(fourth).await;
    let rest = [(6, "torn-again", CUT), (9, "nine", DONE)];
    assert_eq!(told(&server.history().await)[3..], rest);
}

#[tokio::test]
async fn an_older_copy_of_a_file_does_not_turn_back_the_numbers() {
    older_copy(&Home::sqlite()).await;
}

#[tokio::test]
async fn an_older_copy_of_a_servers_database_does_not_turn_back_the_numbers() {
    older_copy(&Home::postgres().await).await;
}

async fn older_copy(home: &Home) {
    let track = Track::new("copy").await;
    let first = track.start(home);
    assert_eq!(track.run("kept").await, 1);
    stop(first).await;
    home.back_up().await;

    let second = track.start(home);
    assert_eq!((track.run("lost").await, track.run("lost-too").await), (2, 3));
    assert_eq!(track.tear(second, "torn").await, 4);
    home.put_back().await;
    assert_eq!(told(&home.history().await), [(1, "kept", DONE)]);

    let third = track.start(home);
    assert_eq!(track.succeeds("torn").await, 5);
    track.space.event("torn", "Interrupted").await;
    assert_eq!(track.run("after").await, 6);
    stop(third).await;
    // Those whose runs are lost have ended all the same.
    let runs = home.history().await;
    assert_eq!(told(&runs), [(1, "kept", DONE), (5, "torn", DONE), (6, "after", DONE)]);
    assert_eq!((track.succeeds("lost").await, track.succeeds("lost-too").await), (2, 3));
    let torn = track.space.get("torn").await.status.unwrap();
    assert_eq!(torn.attempts, Some(1), "no attempt is counted of which nothing is known");
}
