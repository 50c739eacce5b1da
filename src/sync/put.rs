//! Writes a page; where the database refuses a row, row by row.

use super::run::{Failure, Run};
use crate::store::{
    self, Completion, Counts, IssueRow, PageWrite, PullRow, Reached, Resume, SeenPage, SetAside,
};

/// Writes the page. If the database refuses a row, each is written alone, and what is still refused
/// is set aside.
pub(super) async fn put(run: &Run, page: PageWrite) -> Result<Counts, Failure> {
    let counts = match run.store.put_page(&run.tenure, &page).await {
        Err(store::Error::Refused { .. }) => one_by_one(run, page).await?,
        other => other?,
    };
    run.stored();
    Ok(counts)
}

async fn one_by_one(run: &Run, page: PageWrite) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let (seen, reached) = (page.seen, page.reached);
    let rest =
        PageWrite { issues: vec![], pulls: vec![], seen: None, reached: Reached::Nothing, ..page };
    let mut set_aside = rest.set_aside.clone();
    let singles = page.issues.iter().map(Single::Issue).chain(page.pulls.iter().map(Single::Pull));
    for single in singles {
        let alone = single.alone(&rest);
        match run.store.put_page(&run.tenure, &alone).await {
            Err(error @ store::Error::Refused { .. }) => set_aside.push(single.aside(&error)),
            other => counts += other?,
        }
    }
    let seen = seen.map(|seen| SeenPage { etag: String::new(), ..seen });
    let reached = with_changes(reached, counts.changed());
    let last = PageWrite { set_aside, seen, reached, ..rest };
    counts += run.store.put_page(&run.tenure, &last).await?;
    Ok(counts)
}

/// The same, if rows written before it have changed.
fn with_changes(reached: Reached, also: bool) -> Reached {
    match reached {
        Reached::Nothing => Reached::Nothing,
        Reached::Page(at) => Reached::Page(Resume { changed: at.changed || also, ..at }),
        Reached::End(end) => Reached::End(Completion { changed: end.changed || also, ..end }),
    }
}

/// One row that is written alone.
enum Single<'a> {
    Issue(&'a IssueRow),
    Pull(&'a PullRow),
}

impl Single<'_> {
    fn alone(&self, rest: &PageWrite) -> PageWrite {
        let mut page = PageWrite { set_aside: Vec::new(), ..rest.clone() };
        match self {
            Self::Issue(row) => page.issues.push((*row).clone()),
            Self::Pull(row) => page.pulls.push((*row).clone()),
        }
        page
    }

    fn aside(&self, error: &store::Error) -> SetAside {
        let (number, raw) = match self {
            Self::Issue(row) => (row.number, serde_json::to_string(row)),
            Self::Pull(row) => (row.number, serde_json::to_string(row)),
        };
        SetAside {
            item_key: Some(number.to_string()),
            error: store::chain(error),
            raw: raw.unwrap_or_else(|_| "null".to_owned()),
        }
    }
}
