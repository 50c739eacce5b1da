//! The newest commit of the default branch; an empty repository has none.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::rows;
use crate::github::model::Commit;
use crate::github::{self, decode_list};
use crate::store::{Completion, Reached, Row, SeenPage, SetAside};
use crate::sync::pass::Tally;
use crate::sync::put::put;
use crate::sync::reader::Reader;
use crate::sync::run::Failure;
use crate::sync::subject::Subject;

pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let what = format!("/repos/{}/commits", subject.name);
    let branch = subject.default_branch.as_deref();
    let branch = branch.map(|name| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string());
    let branch = branch.map(|name| format!("sha={name}&")).unwrap_or_default();
    let path = format!("{what}?{branch}per_page=1");
    let end = Completion {
        source: subject.run.source.base_url().to_owned(),
        cursor: None,
        changed: false,
        horizon: None,
    };
    let mut write = subject.page("commits", Reached::End(end));
    // An ETag is of use only while the row says what the page said: an empty repository, another
    // branch or another token may have changed it since. So the page is remembered under both.
    let under = |head: Option<&str>| format!("{} {}", subject.identity, head.unwrap_or_default());
    let identity = under(subject.run.store.latest_commit(subject.id).await?.as_deref());
    let reader = Reader { identity: &identity, ..subject.reader(&what) };
    match reader.ask(&path, false).await {
        // As GitHub answers for an empty repository.
        Err(Failure::GitHub(github::Error::Refused { status: 409, .. })) => {
            write.head = Some(None);
        }
        asked => {
            let (body, seen, _) = asked?;
            if let Some(body) = body {
                let decoded = decode_list::<Commit>(&body, None).map_err(|problem| {
                    github::Error::Unreadable { what, expected: "a list of commits", problem }
                })?;
                subject.run.met(decoded.items.len());
                let newest = decoded.items.into_iter().next();
                write.set_aside = decoded.bad.into_iter().map(SetAside::from).collect();
                let bad = !write.set_aside.is_empty();
                let etag = if bad { String::new() } else { seen.etag };
                let identity = under(newest.as_ref().map(|commit| commit.sha.as_str()));
                write.seen = Some(SeenPage { identity, etag, next_url: None, ..seen });
                // A commit that cannot be read does not make the branch an empty one.
                if newest.is_some() || !bad {
                    write.head = Some(newest.as_ref().map(|commit| commit.sha.clone()));
                }
                let row = |commit| Row::Commit(Box::new(rows::commit(commit, subject.id)));
                write.rows = newest.map(row).into_iter().collect();
            } else {
                tally.counts.unchanged += 1;
            }
        }
    }
    tally.pages += 1;
    tally.counts += put(subject.run, write).await?;
    Ok(())
}
