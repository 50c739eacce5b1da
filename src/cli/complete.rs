//! What may stand next on a command line, in the form in which kubectl asks its plugins: a word a
//! line, then what the shell may add.

use std::time::Duration;

use clap::{Arg, Args, Command, CommandFactory, ValueHint};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::time::timeout;

use super::{Cli, Exit, Failure, connect, print};
use crate::api::SyncRequest;

/// Nobody waits longer for a word.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
pub(super) struct CompleteArgs {
    /// The words, the unfinished one last.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// What stands next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// One of these.
    Words(Vec<String>),
    /// The name of a request, after this much of it.
    Request(&'static str),
    File,
    /// Something that only the person knows.
    Anything,
}

pub(super) async fn complete(args: CompleteArgs) -> Result<Exit, Failure> {
    let (last, before) =
        args.words.split_last().map_or(("", &[][..]), |(last, before)| (last, before));
    let mut cli = Cli::command();
    cli.build();
    let next = next(&cli, before, last);
    let words = match &next {
        Next::Words(words) => words.clone(),
        Next::Request(kind) => {
            let names = timeout(PATIENCE, names(namespace(before))).await;
            names.unwrap_or_default().iter().map(|name| format!("{kind}{name}")).collect()
        }
        Next::File | Next::Anything => Vec::new(),
    };
    let lines: Vec<_> = words
        .iter()
        .filter(|word| word.starts_with(last))
        .map(|word| format!("{word}\n"))
        .collect();
    // 4: the shell is not to offer files in their place.
    let directive = if next == Next::File { ":0\n" } else { ":4\n" };
    print::text(&(lines.concat() + directive))?;
    Ok(Exit::Succeeded)
}

fn next(cli: &Command, before: &[String], last: &str) -> Next {
    let mut command = cli;
    let mut value_of = None;
    let mut positionals = 0;
    for word in before {
        if value_of.take().is_some() {
            continue;
        }
        if word.starts_with('-') {
            value_of = flag(command, word).filter(|flag| takes_a_word(flag) && !word.contains('='));
        } else if let Some(sub) = command.find_subcommand(word) {
            command = sub;
        } else {
            positionals += 1;
        }
    }
    if let Some(flag) = value_of {
        return value(flag);
    }
    if last.starts_with('-') {
        return Next::Words(flags(command));
    }
    if command.has_subcommands() {
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        return Next::Words(shown.map(|sub| sub.get_name().to_owned()).collect());
    }
    let mut arguments = command.get_positionals();
    let argument = arguments.nth(positionals).or_else(|| {
        let last = command.get_positionals().last();
        last.filter(|it| it.get_num_args().is_some_and(|number| number.max_values() > 1))
    });
    argument.map_or(Next::Anything, value)
}

fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or_default();
    command.get_arguments().find(|arg| {
        let long = arg.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long));
        long || arg.get_short().is_some_and(|short| name == format!("-{short}"))
    })
}

fn takes_a_word(flag: &Arg) -> bool {
    flag.get_action().takes_values() && !flag.is_require_equals_set()
}

fn flags(command: &Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    shown.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect()
}

fn value(arg: &Arg) -> Next {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        return Next::Words(possible.iter().map(|value| value.get_name().to_owned()).collect());
    }
    match (arg.get_id().as_str(), arg.get_value_hint()) {
        ("from", _) => Next::Request("syncrequest/"),
        // Of wait, and of cancel.
        ("name" | "names", _) if arg.is_positional() => Next::Request(""),
        (_, ValueHint::FilePath | ValueHint::AnyPath | ValueHint::DirPath) => Next::File,
        _ => Next::Anything,
    }
}

/// The namespace that the line has named.
fn namespace(before: &[String]) -> Option<String> {
    let at = before.iter().position(|word| word == "-n" || word == "--namespace");
    let apart = at.and_then(|at| before.get(at + 1)).cloned();
    let joined = before.iter().find_map(|word| word.strip_prefix("--namespace="));
    apart.or_else(|| joined.map(str::to_owned))
}

/// The names of the requests that are there. Without an answer there are none.
async fn names(namespace: Option<String>) -> Vec<String> {
    let Ok((client, default)) = connect().await else { return Vec::new() };
    let requests: Api<SyncRequest> =
        Api::namespaced(client, namespace.as_deref().unwrap_or(&default));
    let list = requests.list_metadata(&ListParams::default()).await;
    list.map(|list| list.items.iter().map(ResourceExt::name_any).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(line: &str) -> Next {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (last, before) = words.split_last().unwrap();
        let mut cli = Cli::command();
        cli.build();
        next(&cli, before, last)
    }

    fn words(line: &str) -> Vec<String> {
        match after(line) {
            Next::Words(words) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_flags_and_values_are_known() {
        assert!(words("").contains(&"wait".to_owned()));
        assert!(!words("").contains(&"__complete".to_owned()));
        assert!(words("run --").contains(&"--ignore-already-exists".to_owned()));
        assert_eq!(words("run --policy "), ["queue", "coalesce", "reject"]);
        assert_eq!(words("run --full -n tools "), ["manual", "scheduled", "automation"]);
        assert_eq!(words("--log debug completion k").len(), 6);
    }

    #[test]
    fn names_of_requests_stand_where_they_are_asked_for() {
        assert_eq!(after("wait "), Next::Request(""));
        assert_eq!(after("cancel one two "), Next::Request(""));
        assert_eq!(after("run --from "), Next::Request("syncrequest/"));
        assert_eq!(after("run manual "), Next::Anything);
        assert_eq!(after("wait --timeout "), Next::Anything);
        assert_eq!(after("query --config "), Next::File);
        let line = ["wait", "-n", "tools"].map(str::to_owned);
        assert_eq!(namespace(&line).as_deref(), Some("tools"));
        assert_eq!(namespace(&["--namespace=b".to_owned()]).as_deref(), Some("b"));
    }
}
