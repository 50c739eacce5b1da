//! `singletrack adopt`: hands the database over to this operator.

use clap::Args;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};

use super::ask::confirmed;
use super::local::OWNER;
use super::{ConfigArgs, Exit, Failure, NamespaceArgs, connect, print};
use crate::store::{Database, RunState, Store, chain};

#[derive(Args, Debug)]
#[command(after_help = "\
A database belongs to one operator, known by the uid of its namespace. Stop the operator that had it
first: two of them on one database would take turns in interrupting each other's runs.

Examples:
  kubectl exec -it deploy/singletrack -- /singletrack adopt
  singletrack adopt --local --database issues.db")]
pub(super) struct AdoptArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// Hand it over to `singletrack local`, and not to the operator of the namespace.
    #[arg(long, conflicts_with = "namespace")]
    local: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn adopt(args: AdoptArgs) -> Result<Exit, Failure> {
    let config = args.config.read()?;
    let shown = config.database.existing()?.shown();
    let (heir, owner) = match args.local {
        true => ("`singletrack local`".to_owned(), OWNER.to_owned()),
        false => namespace(args.namespace).await?,
    };
    let store = &config.store;
    let failed = |error| {
        let why = chain(&error);
        Failure::plain(format!(
            "{shown} was not handed over: {why}; see what is wrong with: singletrack doctor"
        ))
    };
    let before = store.inspect().await.map_err(failed)?.owner;
    if before.as_ref() == Some(&owner) {
        print::line(&format!("{shown} belongs to {heir} already"))?;
        return Ok(Exit::Succeeded);
    }
    if let Some(before) = &before
        && !args.yes
        && !confirmed(&question(store, before, &heir).await?)?
    {
        return Ok(Exit::Cancelled);
    }
    let before = store.adopt(&owner).await.map_err(failed)?;
    store.close().await;
    let before = before.map_or("nobody".to_owned(), |before| print::plain(&before));
    print::line(&format!("{shown} belongs to {heir} now (owner {owner}); before: {before}"))?;
    Ok(Exit::Succeeded)
}

/// The operator of a namespace, in words and as the owner of a store.
async fn namespace(args: NamespaceArgs) -> Result<(String, String), Failure> {
    let (client, default) = connect().await?;
    let name = args.namespace.unwrap_or(default);
    let spaces: Api<Namespace> = Api::all(client);
    let space = spaces.get_opt(&name).await;
    let space = space.map_err(|error| Failure::kube("the namespace cannot be read", &error))?;
    let uid = space.and_then(|space| space.uid()).ok_or_else(|| {
        Failure::plain(format!(
            "there is no namespace {name}: name the operator's with -n; for no cluster use --local"
        ))
    })?;
    Ok((format!("the operator of namespace {name}"), uid))
}

async fn question(store: &Database, before: &str, heir: &str) -> Result<String, Failure> {
    let newest = store.history(1).await;
    let newest = newest.map_err(|error| {
        Failure::of("it cannot be looked into", &error, "try: singletrack doctor")
    })?;
    let running = newest.first().filter(|run| run.state == RunState::Running);
    let running = running.map(|run| format!(" Its run {} has not ended.", run.number));
    Ok(format!(
        "The database belongs to the operator with owner {}.{} Is that operator stopped, and shall \
         {heir} have it?",
        print::plain(before),
        running.unwrap_or_default()
    ))
}
