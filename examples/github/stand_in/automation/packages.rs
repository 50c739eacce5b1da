//! The packages of an owner and their versions.

use std::{cmp::Reverse, collections::BTreeSet};

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::{
    answer::{Answer, Ask},
    repository::Repository,
    world::{World, owner_id},
};
use super::{page, refused, shapes};

/// The types that packages have.
const TYPES: [&str; 6] = ["npm", "maven", "rubygems", "docker", "nuget", "container"];

/// A package of an owner.
#[derive(Clone, Debug)]
pub struct Package {
    /// Unique in the world.
    pub id: u64,
    /// The login of whose it is.
    pub owner: String,
    /// `container`, `npm` and so on.
    pub kind: String,
    /// Unique among the owner's of its type.
    pub name: String,
    /// The id of the repository that it belongs to, if to one.
    pub repository: Option<u64>,
    /// `public` or `private`.
    pub visibility: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When a version last came.
    pub updated_at: DateTime<Utc>,
    /// The oldest first.
    pub versions: Vec<Version>,
    /// Fields that replace whatever the answer would say.
    pub patch: Map<String, Value>,
}

/// A version of a package.
#[derive(Clone, Debug)]
pub struct Version {
    /// Unique in the world.
    pub id: u64,
    /// A number, or for a container its digest.
    pub name: String,
    /// What a container is called.
    pub tags: Vec<String>,
    /// When it was published.
    pub created_at: DateTime<Utc>,
}

/// All packages, and who is told nothing of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packages {
    all: Vec<Package>,
    refused: BTreeSet<String>,
    ids: u64,
}

impl Packages {
    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        800_000_000 + self.ids
    }
}

impl World {
    /// Adds a package without versions now.
    ///
    /// # Panics
    ///
    /// If GitHub has no packages of this type.
    pub fn add_package(&mut self, owner: &str, kind: &str, name: &str) -> &mut Package {
        assert!(TYPES.contains(&kind), "there are no packages of type {kind:?}");
        let (id, now) = (self.packages.next_id(), self.now());
        self.packages.all.push(Package {
            id,
            owner: owner.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            repository: None,
            visibility: "public".to_owned(),
            created_at: now,
            updated_at: now,
            versions: Vec::new(),
            patch: Map::new(),
        });
        self.packages.all.last_mut().expect("it was just put there")
    }

    /// Publishes a version of a package now, which is made if need be; a container's version is a
    /// digest, and the name is its tag.
    pub fn publish_version(&mut self, owner: &str, kind: &str, name: &str, version: &str) {
        if self.package_mut(owner, kind, name).is_none() {
            self.add_package(owner, kind, name);
        }
        let (id, now) = (self.packages.next_id(), self.now());
        let package = self.package_mut(owner, kind, name).expect("it was just made");
        let digest = || {
            let (one, two) = (super::sha(version), super::sha(name));
            format!("sha256:{one}{}", &two[..24])
        };
        let (name, tags) = match kind {
            "container" | "docker" => (digest(), vec![version.to_owned()]),
            _ => (version.to_owned(), Vec::new()),
        };
        package.versions.push(Version { id, name, tags, created_at: now });
        package.updated_at = now;
    }

    /// All packages, in the order in which they were made.
    pub fn packages(&self) -> &[Package] {
        &self.packages.all
    }

    /// A package, to change it.
    pub fn package_mut(&mut self, owner: &str, kind: &str, name: &str) -> Option<&mut Package> {
        let mut all = self.packages.all.iter_mut();
        all.find(|one| is_of(one, owner, kind) && one.name == name)
    }

    /// Deletes a package and its versions.
    pub fn delete_package(&mut self, owner: &str, kind: &str, name: &str) {
        self.packages.all.retain(|one| !(is_of(one, owner, kind) && one.name == name));
    }

    /// Refuses an owner's packages from now on: 403.
    pub fn refuse_packages(&mut self, owner: &str) {
        self.packages.refused.insert(owner.to_ascii_lowercase());
    }

    /// Refuses an owner's packages no more.
    pub fn allow_packages(&mut self, owner: &str) {
        self.packages.refused.remove(&owner.to_ascii_lowercase());
    }
}

fn is_of(package: &Package, owner: &str, kind: &str) -> bool {
    package.owner.eq_ignore_ascii_case(owner) && package.kind == kind
}

/// Whether this is a path of packages, which Apps are refused.
pub(crate) fn is_about_packages(path: &str) -> bool {
    let mut parts = path.trim_matches('/').split('/');
    matches!(parts.next(), Some("orgs" | "users" | "organizations" | "user"))
        && parts.nth(1) == Some("packages")
}

/// Answers what is asked of an owner's packages; the owner is a login, or in links an id.
pub(crate) fn answer(world: &World, segments: &[&str], ask: &Ask) -> Answer {
    let [kind @ ("orgs" | "users" | "organizations" | "user"), owner, "packages", rest @ ..] =
        segments
    else {
        return Answer::not_found();
    };
    let by_id = matches!(*kind, "organizations" | "user");
    let known = world.repositories().map(Repository::owner).find(|login| match by_id {
        true => owner.parse() == Ok(owner_id(login)),
        false => login.eq_ignore_ascii_case(owner),
    });
    let is_user = kind.starts_with("user");
    let Some(login) = known.filter(|login| world.is_person(login) == is_user) else {
        return Answer::not_found();
    };
    if world.packages.refused.contains(&login.to_ascii_lowercase()) {
        return refused();
    }
    let place = if is_user { "user" } else { "organizations" };
    let url = format!("{}/{place}/{}/packages", world.base_url(), owner_id(login));
    match rest {
        [] => list(world, login, &url, ask),
        [kind, name, "versions"] => versions(world, (login, kind, name), &url, ask),
        _ => Answer::not_found(),
    }
}

fn list(world: &World, owner: &str, url: &str, ask: &Ask) -> Answer {
    let invalid = |message| Answer::error(StatusCode::UNPROCESSABLE_ENTITY, message);
    let Some(kind) = ask.parameter("package_type") else {
        return invalid("Invalid request.\n\n\"package_type\" wasn't supplied.");
    };
    if !TYPES.contains(&kind) {
        return invalid("Invalid request.\n\n\"package_type\" is not a type of packages.");
    }
    let packages: Vec<&Package> =
        world.packages().iter().filter(|one| is_of(one, owner, kind)).collect();
    page(ask, url, &packages, None, |one| shapes::package(one, world))
}

fn versions(
    world: &World,
    (owner, kind, name): (&str, &str, &str),
    url: &str,
    ask: &Ask,
) -> Answer {
    let mut all = world.packages().iter();
    let Some(package) = all.find(|one| is_of(one, owner, kind) && one.name == name) else {
        return Answer::error(StatusCode::NOT_FOUND, "Package not found.");
    };
    let mut versions: Vec<&Version> = package.versions.iter().collect();
    versions.sort_by_key(|one| Reverse((one.created_at, one.id)));
    let name = shapes::segment(name);
    let url = format!("{url}/{kind}/{name}/versions");
    page(ask, &url, &versions, None, |one| shapes::version(one, package, world))
}
