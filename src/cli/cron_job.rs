//! What a CronJob of ours asks for, read from its command line. Pure.

use clap::{Args, Parser};
use k8s_openapi::api::batch::v1::CronJob;

use super::LogArgs;
use super::manifest::{Origin, SpecArgs};

/// The command line of a container, from the word after `run`: what it asks for, and the rest.
#[derive(Parser, Debug)]
#[command(no_binary_name = true)]
pub(super) struct Line {
    #[command(flatten)]
    pub(super) spec: SpecArgs,
    #[arg(long)]
    pub(super) from: Option<Origin>,
    #[command(flatten)]
    rest: Rest,
}

/// What is about that one command and not about the request. Nothing of it is checked: `$(JOB_NAME)`
/// is a name only in the pod.
#[derive(Args, Debug)]
struct Rest {
    #[command(flatten)]
    log: LogArgs,
    #[arg(long)]
    name: Option<String>,
    #[arg(short, long)]
    namespace: Option<String>,
    #[arg(long)]
    label: Vec<String>,
    #[arg(long)]
    ignore_already_exists: bool,
    #[arg(long)]
    dry_run: Option<String>,
    #[arg(short, long)]
    wait: bool,
    #[arg(long)]
    timeout: Option<String>,
    #[arg(short, long)]
    output: Option<String>,
}

/// The request that the CronJob makes: what stands after the word `run` in the command or the
/// arguments of its first container that has this word.
///
/// # Errors
///
/// No container has the word, or what follows is not what `singletrack run` understands.
pub(super) fn of_cron_job(job: &CronJob) -> Result<Line, String> {
    let pod = job.spec.as_ref().and_then(|spec| spec.job_template.spec.as_ref());
    let pod = pod.and_then(|job| job.template.spec.as_ref());
    let containers = pod.map(|pod| pod.containers.as_slice()).unwrap_or_default();
    let line = containers.iter().find_map(|container| {
        let words = container.command.iter().flatten().chain(container.args.iter().flatten());
        let mut words = words.skip_while(|word| *word != "run");
        words.next().map(|_| words.cloned().collect::<Vec<_>>())
    });
    let line = line.ok_or("none of its containers runs `singletrack run …`")?;
    Line::try_parse_from(line).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        format!("its arguments are not understood: {}", first.trim_start_matches("error: "))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use serde_json::json;

    use super::*;
    use crate::api::{ConcurrencyPolicy, RunType};
    use crate::cli::Cli;

    fn cron_job(command: serde_json::Value, args: serde_json::Value) -> CronJob {
        let containers = json!([{"name": "sidecar", "args": ["serve"]},
            {"name": "c", "command": command, "args": args}]);
        let spec = json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec":
            {"containers": containers}}}}});
        serde_json::from_value(json!({"spec": spec})).unwrap()
    }

    #[test]
    fn a_cron_job_is_read_by_what_follows_the_word_run() {
        let args = json!(["run", "scheduled", "--policy", "coalesce", "--wait"]);
        for (command, args) in [
            (json!(null), args.clone()),
            (json!(["singletrack"]), args.clone()),
            (json!(["/singletrack", "--log", "info"]), args.clone()),
            (json!(["singletrack", "run", "scheduled"]), json!(["--policy=coalesce"])),
        ] {
            let spec = of_cron_job(&cron_job(command, args)).unwrap().spec.over(None);
            assert_eq!(spec.type_, RunType::Scheduled);
            assert_eq!(spec.concurrency_policy, ConcurrencyPolicy::Coalesce);
        }
    }

    #[test]
    fn a_cron_job_of_another_kind_is_told_so() {
        let error = |args| of_cron_job(&cron_job(json!(null), args)).unwrap_err();
        assert!(error(json!(["sh", "-c", "singletrack run"])).contains("singletrack run"));
        assert!(error(json!(["run", "--sooner"])).contains("--sooner"));
        assert!(of_cron_job(&CronJob::default()).is_err());
    }

    #[test]
    fn what_is_about_the_one_command_is_left_out_and_nothing_else() {
        let args = "--ttl 90 scheduled --name $(JOB_NAME) --label singletrack.dev/schedule=nightly \
                    --label=x=$(Y) --ignore-already-exists -n $(NAMESPACE) --log debug -o name \
                    --priority 7 --wait --timeout 1h --dry-run=none -r acme/*";
        let args: Vec<_> = args.split_whitespace().collect();
        let line = of_cron_job(&cron_job(json!(["/singletrack", "run"]), json!(args))).unwrap();
        let asked = json!(line.spec.over(None));
        assert_eq!(asked["type"], "scheduled");
        assert_eq!(
            (&asked["ttlSecondsAfterFinished"], &asked["priority"]),
            (&json!(90), &json!(7))
        );
        assert_eq!(asked["repositories"], json!(["acme/*"]));
    }

    #[test]
    fn every_flag_of_run_is_known_here() {
        let mut cli = Cli::command();
        cli.build();
        let run = cli.find_subcommand("run").unwrap();
        let line = Line::command();
        for flag in run
            .get_arguments()
            .filter(|flag| !["help", "version"].contains(&flag.get_id().as_str()))
        {
            let same = |it: &&clap::Arg| it.get_id() == flag.get_id();
            let here = line.get_arguments().find(same);
            let here = here.unwrap_or_else(|| panic!("{} is not known", flag.get_id()));
            assert_eq!(here.get_long(), flag.get_long());
            assert_eq!(here.get_short(), flag.get_short());
            assert_eq!(here.get_action().takes_values(), flag.get_action().takes_values());
        }
    }
}
