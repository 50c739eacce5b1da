//! Writes a page; where the database refuses a row, row by row.

use super::run::{Failure, Run};
use crate::store::{self, Completion, Counts, PageWrite, Reached, Resume, Row, SeenPage, SetAside};

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
    let (rows, seen, reached) = (page.rows, page.seen, page.reached);
    let rest = PageWrite { rows: vec![], seen: None, reached: Reached::Nothing, ..page };
    let mut set_aside = rest.set_aside.clone();
    for row in rows {
        let alone = PageWrite { rows: vec![row], set_aside: vec![], head: None, ..rest.clone() };
        match run.store.put_page(&run.tenure, &alone).await {
            Err(error @ store::Error::Refused { .. }) => {
                set_aside.extend(alone.rows.iter().map(|row| aside(row, &error)));
            }
            other => counts += other?,
        }
    }
    let seen = seen.map(|seen| SeenPage { etag: String::new(), ..seen });
    let reached = with_changes(reached, counts.changed());
    let last = PageWrite { set_aside, seen, reached, ..rest };
    counts += run.store.put_page(&run.tenure, &last).await?;
    Ok(counts)
}

fn aside(row: &Row, error: &store::Error) -> SetAside {
    SetAside {
        item_key: Some(row.item_key()),
        error: store::chain(error),
        raw: serde_json::to_string(row).unwrap_or_else(|_| "null".to_owned()),
    }
}

/// The same, if rows written before it have changed.
pub(super) fn with_changes(reached: Reached, also: bool) -> Reached {
    match reached {
        Reached::Nothing => Reached::Nothing,
        Reached::Page(at) => Reached::Page(Resume { changed: at.changed || also, ..at }),
        Reached::End(end) => Reached::End(Completion { changed: end.changed || also, ..end }),
    }
}
