//! The kinds of fault.

/// The database of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Sqlite,
    Postgres,
}

/// What a kind happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Processes,
    /// The API server as one replica sees it.
    Api,
    /// The API server and etcd themselves.
    Cluster,
    /// What people may do to the Lease and to requests.
    People,
    GitHub,
    Disk,
    Store,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `kill -9` of the holder, whose pod starts it again.
    HolderKilled,
    /// The same, and another pod comes in its place.
    HolderReplaced,
    /// `kill -9` of one that runs nothing.
    OtherKilled,
    /// SIGTERM for the holder, and a new one.
    HolderStopped,
    /// All of them, one after another.
    RollingRestart,
    /// The holder sleeps until another has taken over.
    HolderPaused,
    /// It sleeps for less than three heartbeats.
    HolderStutters,
    /// The holder reaches the database and GitHub, but not the API server, until another took over.
    HolderCutOff,
    /// The holder's writes at the API server are done, and nobody answers.
    AnswersLost,
    /// Its writes of the Lease are done late.
    LeaseWritesLate,
    /// The API server answers 500.
    ApiErrors,
    /// The API server answers 429.
    ApiBusy,
    /// Its answers break off.
    ApiAnswersCut,
    /// Its answers are slow.
    ApiSlow,
    /// One replica sees nothing new for a while.
    WatchesFrozen,
    /// The same, and then everybody must list again.
    WatchesExpired,
    /// The API server of the operators stands still.
    ApiPaused,
    /// It is killed and starts again.
    ApiRestarted,
    /// etcd stands still.
    EtcdPaused,
    /// Somebody deletes the Lease.
    LeaseDeleted,
    /// Somebody takes the holder out of the Lease.
    LeaseFreed,
    /// Somebody writes himself into the Lease.
    LeaseTaken,
    /// The request that runs is cancelled.
    RunCancelled,
    /// It is deleted.
    RunDeleted,
    /// It is deleted, and another of the same name is created.
    RunRecreated,
    /// It is suspended, and goes on later.
    RunSuspended,
    /// GitHub answers 502.
    GitHubErrors,
    /// GitHub breaks connections.
    GitHubResets,
    /// GitHub is slow.
    GitHubSlow,
    /// Somebody else writes, and keeps all others waiting.
    StoreLocked,
    /// The holder dies in a write of the file.
    StoreWriteKilled,
    /// The disk is full for a while.
    DiskFull,
    /// The disk is slow.
    DiskSlow,
    /// The server loses its power.
    StoreCrashed,
    /// Nobody may write.
    StoreReadOnly,
    /// All connections are cut.
    StoreCut,
    /// Nothing comes through, and nothing says so.
    StoreSilent,
    /// Commits are done, and nobody hears of it.
    CommitsUnheard,
}

impl Kind {
    const EVERYWHERE: [Self; 29] = [
        Self::HolderKilled,
        Self::HolderReplaced,
        Self::OtherKilled,
        Self::HolderStopped,
        Self::RollingRestart,
        Self::HolderPaused,
        Self::HolderStutters,
        Self::HolderCutOff,
        Self::AnswersLost,
        Self::LeaseWritesLate,
        Self::ApiErrors,
        Self::ApiBusy,
        Self::ApiAnswersCut,
        Self::ApiSlow,
        Self::WatchesFrozen,
        Self::WatchesExpired,
        Self::ApiPaused,
        Self::ApiRestarted,
        Self::EtcdPaused,
        Self::LeaseDeleted,
        Self::LeaseFreed,
        Self::LeaseTaken,
        Self::RunCancelled,
        Self::RunDeleted,
        Self::RunRecreated,
        Self::RunSuspended,
        Self::GitHubErrors,
        Self::GitHubResets,
        Self::GitHubSlow,
    ];
    const OF_SQLITE: [Self; 4] =
        [Self::StoreLocked, Self::StoreWriteKilled, Self::DiskFull, Self::DiskSlow];
    const OF_POSTGRES: [Self; 6] = [
        Self::StoreLocked,
        Self::StoreCrashed,
        Self::StoreReadOnly,
        Self::StoreCut,
        Self::StoreSilent,
        Self::CommitsUnheard,
    ];

    /// Those that can happen to operators with this database. `alone`: no other test uses the control
    /// plane, so that etcd may stand still.
    pub(super) fn of(base: Base, alone: bool) -> Vec<Self> {
        let own: &[Self] = match base {
            Base::Sqlite => &Self::OF_SQLITE,
            Base::Postgres => &Self::OF_POSTGRES,
        };
        let mut kinds: Vec<_> = Self::EVERYWHERE.iter().chain(own).copied().collect();
        kinds.retain(|kind| alone || *kind != Self::EtcdPaused);
        if !crate::plans::has_strace() {
            println!("there is no strace: nothing happens to the disk");
            kinds.retain(|kind| kind.group() != Group::Disk);
        }
        kinds
    }

    pub(super) fn group(self) -> Group {
        match self {
            Self::HolderKilled
            | Self::HolderReplaced
            | Self::OtherKilled
            | Self::HolderStopped
            | Self::RollingRestart
            | Self::HolderPaused
            | Self::HolderStutters => Group::Processes,
            Self::HolderCutOff
            | Self::AnswersLost
            | Self::LeaseWritesLate
            | Self::ApiErrors
            | Self::ApiBusy
            | Self::ApiAnswersCut
            | Self::ApiSlow
            | Self::WatchesFrozen
            | Self::WatchesExpired => Group::Api,
            Self::ApiPaused | Self::ApiRestarted | Self::EtcdPaused => Group::Cluster,
            Self::LeaseDeleted
            | Self::LeaseFreed
            | Self::LeaseTaken
            | Self::RunCancelled
            | Self::RunDeleted
            | Self::RunRecreated
            | Self::RunSuspended => Group::People,
            Self::GitHubErrors | Self::GitHubResets | Self::GitHubSlow => Group::GitHub,
            Self::StoreWriteKilled | Self::DiskFull | Self::DiskSlow => Group::Disk,
            Self::StoreLocked
            | Self::StoreCrashed
            | Self::StoreReadOnly
            | Self::StoreCut
            | Self::StoreSilent
            | Self::CommitsUnheard => Group::Store,
        }
    }

    /// Whether a replica may decide by what is not so any more, which is no fault of the queue.
    pub(super) fn makes_views_old(self) -> bool {
        self == Self::HolderPaused || matches!(self.group(), Group::Api | Group::Cluster)
    }
}
