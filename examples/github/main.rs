//! Serves a stand-in for GitHub's REST API, for the demo and for trying things out.

mod stand_in;

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use stand_in::{Sizes, StandIn, World};
use tokio::signal::unix::{SignalKind, signal};

/// Serves a stand-in for GitHub's REST API until SIGTERM or SIGINT.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,

    /// How many repositories to make: acme/widgets-0 and so on.
    #[arg(long, default_value_t = 3)]
    repositories: usize,

    /// How many issues each of them gets; a quarter are pull requests.
    #[arg(long, default_value_t = 250)]
    issues: usize,

    /// How many workflows each repository gets.
    #[arg(long, default_value_t = Sizes::default().workflows)]
    workflows: usize,

    /// How many finished runs each repository gets.
    #[arg(long, default_value_t = Sizes::default().runs)]
    runs: usize,

    /// How many releases each repository gets.
    #[arg(long, default_value_t = Sizes::default().releases)]
    releases: usize,

    /// How many commits each repository gets; without any, it is empty.
    #[arg(long, default_value_t = Sizes::default().commits)]
    commits: usize,

    /// How many packages the owner gets.
    #[arg(long, default_value_t = Sizes::default().packages)]
    packages: usize,

    /// The same seed always makes the same world.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The only token that is let in; without one, everybody is.
    #[arg(long, env = "STAND_IN_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// How many milliseconds each answer takes.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,

    /// A folder with github-objects.jsonl.gz, whose objects become the repository recorded/objects.
    #[arg(long, value_name = "FOLDER")]
    recordings: Option<PathBuf>,

    /// What the URLs in answers begin with, if clients come by another way than the address.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// Link the pages of issue lists by cursor and not by number.
    #[arg(long)]
    cursor_links: bool,

    /// Stop when the standard input ends, as it does when the process that started this one does.
    #[arg(long)]
    until_stdin_closes: bool,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let until_stdin_closes = args.until_stdin_closes;
    // From before the address is told, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stand_in = start(args).await?;
    println!("listening on {}", stand_in.base_url());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_closed(), if until_stdin_closes => {}
    }
    stand_in.stop().await;
    Ok(())
}

async fn start(args: Args) -> io::Result<StandIn> {
    let Args { workflows, runs, releases, commits, packages, .. } = args;
    let sizes = Sizes { workflows, runs, releases, commits, packages };
    let mut world = World::generate_with(args.seed, args.repositories, args.issues, sizes);
    if let Some(folder) = args.recordings {
        world.load_recordings(&folder)?;
        world.load_recorded_automation(&folder)?;
    }
    world.token = args.token;
    world.latency = (args.latency_ms > 0).then(|| Duration::from_millis(args.latency_ms));
    world.cursor_links = args.cursor_links;
    let stand_in = StandIn::start_at(world, args.address).await?;
    if let Some(base_url) = args.base_url {
        stand_in.world(|world| world.set_base_url(&base_url));
    }
    Ok(stand_in)
}

async fn stdin_closed() {
    let (closed, told) = tokio::sync::oneshot::channel();
    // A thread of its own, since a read that waits would keep the runtime from ending.
    std::thread::spawn(move || {
        // However the reading ends, nothing more will come.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // If nobody listens any more, the process is ending anyway.
        let _ = closed.send(());
    });
    // An error means that the thread is gone, and with it the input.
    let _ = told.await;
}
