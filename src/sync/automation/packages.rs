//! The packages of an owner, by type. GitHub shows them to few tokens: where it does not, there are
//! none, and that is said once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc;

use super::rows;
use crate::github::model::{Package, PackageVersion};
use crate::github::{self, Source, decode_list};
use crate::store::{Counts, KnownPackage, PageWrite, Reached, Row, SeenPage, SetAside, Vanished};
use crate::sync::put::put;
use crate::sync::reader::{Page, Reader};
use crate::sync::run::{Failure, Run};

/// All types that GitHub has: each is a list of its own.
const TYPES: [&str; 6] = ["npm", "maven", "rubygems", "docker", "nuget", "container"];

/// What came of the packages of one owner.
#[derive(Clone, Debug, Default)]
pub struct OwnerRecord {
    pub owner: String,
    pub counts: Counts,
    /// Why there is nothing, if GitHub does not show them.
    pub refused: Option<String>,
}

/// Reads and stores the packages of all types.
async fn read(run: &Run, owner: &str, record: &mut OwnerRecord) -> Result<(), Failure> {
    let source = run.source.for_owner(owner);
    for package_type in TYPES {
        let of_type = OfType { run, source: &source, owner, package_type };
        match of_type.read(&mut record.counts).await {
            Err(Failure::GitHub(
                error @ (github::Error::Forbidden { .. } | github::Error::NotFound { .. }),
            )) => {
                record.refused = Some(error.to_string());
                return Ok(());
            }
            done => done?,
        }
    }
    Ok(())
}

/// As [`read`], with what was counted also when it fails.
pub(in crate::sync) async fn of_owner(run: &Run, owner: &str) -> (OwnerRecord, Option<Failure>) {
    let mut record = OwnerRecord { owner: owner.to_owned(), ..OwnerRecord::default() };
    let failure = read(run, owner, &mut record).await.err();
    if let Some(why) = record.refused.as_deref().filter(|_| run.discovery.says_first(owner)) {
        tracing::warn!(owner, why, "no packages are read");
    }
    (record, failure)
}

/// The packages of one type.
struct OfType<'a> {
    run: &'a Run,
    source: &'a Source,
    owner: &'a str,
    package_type: &'static str,
}

impl OfType<'_> {
    /// Whether the owner is an organisation is found out by asking, and remembered.
    async fn read(&self, counts: &mut Counts) -> Result<(), Failure> {
        let discovery = &self.run.discovery;
        let kinds = discovery.kind_of(self.owner).map_or(vec!["orgs", "users"], |kind| vec![kind]);
        let mut done = Ok(());
        for kind in kinds {
            done = self.read_from(&format!("/{kind}/{}/packages", self.owner), counts).await;
            if !matches!(&done, Err(Failure::GitHub(github::Error::NotFound { .. }))) {
                if done.is_ok() {
                    discovery.is_of_kind(self.owner, kind);
                }
                break;
            }
        }
        done
    }

    /// Reads the list to its end.
    async fn read_from(&self, what: &str, counts: &mut Counts) -> Result<(), Failure> {
        let (to_writer, mut from_reader) = mpsc::channel(1);
        let (run, source) = (self.run, self.source);
        let reader = Reader { run, source, identity: source.identity(), what, in_hand: 1 };
        let path = format!("{what}?package_type={}&per_page=100", self.package_type);
        let write = async {
            // The ids of all, unless one cannot be read.
            let mut met = Some(Vec::new());
            while let Some(page) = from_reader.recv().await {
                let ids = self.store(what, page, counts).await?;
                met = met.zip(ids).map(|(met, ids)| [met, ids].concat());
            }
            Ok::<_, Failure>(met)
        };
        let (read, written) = tokio::join!(reader.read(&path, false, to_writer), write);
        let met = written?;
        read?;
        if let Some(ids) = met {
            let (owner, package_type) = (self.owner.to_owned(), self.package_type);
            let which = Vanished::PackagesBut { owner, package_type, ids };
            counts.removed += run.vanish(&which).await?;
        }
        Ok(())
    }

    /// Stores a page, and gives the ids that are on it, unless one cannot be read.
    async fn store(
        &self,
        what: &str,
        page: Page,
        counts: &mut Counts,
    ) -> Result<Option<Vec<i64>>, Failure> {
        let Some(body) = page.body else {
            counts.unchanged += i64::try_from(page.seen.numbers.len()).unwrap_or(i64::MAX);
            return Ok(Some(page.seen.numbers));
        };
        let decoded = decode_list::<Package>(&body, None).map_err(|problem| {
            let (what, expected) = (what.to_owned(), "a list of packages");
            github::Error::Unreadable { what, expected, problem }
        })?;
        self.run.met(decoded.items.len());
        let readable = decoded.items.iter().map(|package| Some(package.id));
        let ids: Option<Vec<i64>> = readable.chain(decoded.bad.iter().map(|bad| bad.id)).collect();
        let set_aside: Vec<SetAside> = decoded.bad.into_iter().map(SetAside::from).collect();
        let etag = if set_aside.is_empty() { page.seen.etag } else { String::new() };
        let numbers = ids.clone().unwrap_or_default();
        let write = PageWrite {
            repository_id: None,
            resource: "packages",
            at: self.run.clock.now(),
            rows: self.rows(what, decoded.items).await?,
            head: None,
            set_aside,
            seen: Some(SeenPage { etag, numbers, ..page.seen }),
            reached: Reached::Nothing,
        };
        *counts += put(self.run, write).await?;
        Ok(ids)
    }

    /// The rows, with the newest version of those that are new or have changed.
    async fn rows(&self, what: &str, packages: Vec<Package>) -> Result<Vec<Row>, Failure> {
        let ids: Vec<i64> = packages.iter().map(|package| package.id).collect();
        let known = self.run.store.known_packages(&ids).await?;
        let known: HashMap<i64, KnownPackage> = known.into_iter().map(|it| (it.id, it)).collect();
        let mut rows = Vec::with_capacity(packages.len());
        for package in packages {
            let same = |known: &&KnownPackage| {
                let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp());
                known.version_count == package.version_count
                    && seconds(known.updated_at) == seconds(package.updated_at)
                    && !self.run.full
            };
            let tag = match known.get(&package.id).filter(same) {
                Some(known) => known.latest_tag.clone(),
                None => self.newest_tag(what, &package).await?,
            };
            rows.push(Row::Package(Box::new(rows::package(package, self.owner, tag))));
        }
        Ok(rows)
    }

    /// The tag of the newest version: of a container image one that points to it, of any other
    /// package the version itself.
    async fn newest_tag(&self, what: &str, package: &Package) -> Result<Option<String>, Failure> {
        let name = utf8_percent_encode(&package.name, NON_ALPHANUMERIC);
        let path = format!("{what}/{}/{name}/versions?per_page=1", self.package_type);
        let body = match self.run.until_stopped(self.source.get(&path, None)).await? {
            Err(github::Error::NotFound { .. } | github::Error::Forbidden { .. }) => {
                return Ok(None);
            }
            answer => answer?.into_json(),
        };
        // It is one column: what cannot be read is no reason to set the package aside.
        let versions = decode_list::<PackageVersion>(&body, None);
        let newest = versions.ok().and_then(|versions| versions.items.into_iter().next());
        Ok(newest.and_then(PackageVersion::tag))
    }
}
