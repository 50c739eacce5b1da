//! Makes worlds that look like life from a seed: the same seed always gives the same world. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    automation::{self, Sizes},
    issue::{Issue, Label, PullRequest, User},
    repository::Repository,
    world::World,
};

const WORDS: [&str; 40] = [
    "the",
    "widget",
    "when",
    "a",
    "request",
    "fails",
    "after",
    "restart",
    "cache",
    "does",
    "not",
    "update",
    "with",
    "timeout",
    "and",
    "error",
    "handler",
    "returns",
    "empty",
    "list",
    "should",
    "retry",
    "connection",
    "parser",
    "drops",
    "last",
    "line",
    "config",
    "option",
    "missing",
    "docs",
    "for",
    "release",
    "build",
    "on",
    "windows",
    "naïve",
    "größe",
    "日本語",
    "🚀",
];

const LABELS: [&str; 12] = [
    "bug",
    "enhancement",
    "documentation",
    "good first issue",
    "status/backlog",
    "status/in-progress",
    "status/review",
    "status/done",
    "agent/triage",
    "priority/high",
    "area/parser",
    "wontfix",
];

/// How long bodies are, as the share of issues up to it and the length in characters.
const BODY_LENGTHS: [(f64, f64); 6] =
    [(0.08, 1.0), (0.50, 70.0), (0.75, 320.0), (0.90, 1_450.0), (0.99, 9_900.0), (1.0, 30_000.0)];

impl World {
    /// A world of `repositories` repositories, `acme/widgets-0` and so on, with as many issues each.
    ///
    /// A quarter of the issues are pull requests and more than half are closed; sizes are those
    /// of real issues. There is a little automation: see [`Sizes`].
    pub fn generate(seed: u64, repositories: usize, issues_per_repository: usize) -> Self {
        Self::generate_with(seed, repositories, issues_per_repository, Sizes::default())
    }

    /// The same world with as much automation as `sizes` says, which changes no issue.
    pub fn generate_with(seed: u64, repositories: usize, issues: usize, sizes: Sizes) -> Self {
        let mut world = Self::empty();
        let mut dice = Dice(seed);
        let mut dice_of_automation = Dice(mix(seed ^ 0x5eed));
        let mut first = None;
        for index in 0..repositories {
            let repository = world.add_repository(&format!("acme/widgets-{index}"));
            fill(repository, issues, &mut dice);
            automation::fill(repository, sizes, beginning(), &mut dice_of_automation);
            first = first.or(Some(repository.id()));
        }
        if let Some(first) = first {
            let dice = &mut dice_of_automation;
            automation::fill_owner(&mut world, first, sizes, beginning(), dice);
        }
        world
    }
}

/// The first issue of a generated repository is opened then.
fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_672_531_200, 0).expect("2023 has begun")
}

fn fill(repository: &mut Repository, issues: usize, dice: &mut Dice) {
    let begin = beginning();
    repository.created_at = begin;
    repository.updated_at = begin + TimeDelta::days(1_000);
    repository.pushed_at = repository.updated_at;
    let count = u64::try_from(issues).expect("it fits");
    // The issues are spread over a thousand days.
    let step = 86_400_000 / count.max(1);
    for number in 1..=count {
        let opened_after = (number - 1) * step + dice.below(step.max(1));
        let created_at = begin + seconds(opened_after);
        let id = repository.issue_id(number);
        repository.put_issue(issue(id, number, created_at, dice));
    }
}

fn issue(id: u64, number: u64, created_at: DateTime<Utc>, dice: &mut Dice) -> Issue {
    let words = 3 + dice.below(8);
    let mut issue = Issue::new(id, number, &sentence(words, dice), created_at);
    issue.user = person(dice);
    issue.body = body(dice);
    issue.labels = labels(dice);
    issue.comments = dice.below(6) * dice.below(4);
    issue.updated_at = created_at + seconds(dice.below(30 * 86_400));
    if dice.one_in(4) {
        let draft = dice.one_in(8);
        issue.pull_request = Some(PullRequest { draft, ..PullRequest::default() });
    }
    if dice.one_in(25) {
        issue.assignees.push(person(dice));
    }
    if dice.below(100) < 55 {
        issue.close(created_at + seconds(dice.below(60 * 86_400)));
        if let Some(pull_request) = &mut issue.pull_request
            && !dice.one_in(4)
        {
            pull_request.draft = false;
            pull_request.merged_at = issue.closed_at;
        }
    }
    issue
}

fn seconds(count: u64) -> TimeDelta {
    TimeDelta::seconds(i64::try_from(count).expect("it fits"))
}

pub(super) fn person(dice: &mut Dice) -> User {
    User::named(&format!("maker-{}", dice.below(200)))
}

fn labels(dice: &mut Dice) -> Vec<Label> {
    let count = match dice.below(100) {
        0..65 => 0,
        65..90 => 1,
        90..93 => 2,
        93..98 => 3,
        98..99 => 4,
        _ => 5,
    };
    let first = dice.below(LABELS.len() as u64);
    // Five is prime to the number of labels, so no label comes twice.
    let names = (0..count).map(|n| LABELS[index(first + 5 * n, LABELS.len())]);
    names.map(Label::named).collect()
}

/// A body whose length is distributed as in life, in lines; a third of the long ones end in CRLF.
fn body(dice: &mut Dice) -> Option<String> {
    let length = body_length(dice.share())?;
    let end_of_line = if length > 40 && dice.below(100) < 35 { "\r\n" } else { "\n" };
    let mut body = String::with_capacity(length + 16);
    let mut characters = 0;
    while characters < length {
        let words = 4 + dice.below(10);
        let line = if characters == 0 && length > 40 {
            format!("## Steps{end_of_line}")
        } else {
            format!("{}.{end_of_line}", sentence(words, dice))
        };
        let left = length - characters;
        characters += line.chars().count().min(left);
        body.extend(line.chars().take(left));
    }
    Some(body)
}

/// The length at this share of all bodies; the shortest are none at all.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 30,000")]
fn body_length(share: f64) -> Option<usize> {
    let above = BODY_LENGTHS.iter().position(|(until, _)| share < *until)?;
    let (from, shortest) = BODY_LENGTHS[above.checked_sub(1)?];
    let (until, longest) = BODY_LENGTHS[above];
    // Lengths are even on a logarithmic scale.
    let part = (share - from) / (until - from);
    Some((shortest * (longest / shortest).powf(part)) as usize)
}

pub(super) fn sentence(words: u64, dice: &mut Dice) -> String {
    let words: Vec<&str> = (0..words)
        // The last words are not ASCII, which is rarer in life than the others.
        .map(|_| if dice.one_in(30) { 36 + dice.below(4) } else { dice.below(36) })
        .map(|word| WORDS[index(word, WORDS.len())])
        .collect();
    words.join(" ")
}

fn index(number: u64, len: usize) -> usize {
    usize::try_from(number).expect("it fits") % len
}

/// A row of numbers that look random and are always the same: splitmix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A number from 0 to just under 1.
    fn share(&mut self) -> f64 {
        let twenty_four_bits = u32::try_from(self.roll() >> 40).expect("24 bits fit");
        f64::from(twenty_four_bits) / f64::from(1 << 24)
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A hash that is the same in every build.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| mix(hash ^ u64::from(*byte)))
}
