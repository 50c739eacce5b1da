//! Rows that PostgreSQL cannot hold, and exact counts while others write.

use std::sync::Arc;

use singletrack::store::{Counts, Database, Error, IssueRow, PageWrite, SetAside, Store};
use tokio::task::JoinSet;

use crate::store_contract::{OWNER, active, issue, page, repository, seen};
use crate::support::{awaited, database, dump, rows};

#[tokio::test]
async fn what_postgresql_cannot_hold_is_refused_and_is_no_trouble_of_the_database() {
    let database = database().await;
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    let tenure = active(&store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let reader = Database::Postgres(database.store());
    let before = dump(&reader).await;
    let far = chrono::DateTime::from_timestamp(4_000_000_000_000, 0);
    assert!(far.is_some());
    let refused = [
        IssueRow { title: Some("a\0b".into()), ..issue(1, 1, "") },
        IssueRow { labels: vec!["a\0b".into()], ..issue(1, 1, "") },
        IssueRow { created_at: far, ..issue(1, 1, "") },
    ];
    let twice = vec![issue(1, 1, "one"), issue(1, 1, "two")];
    let pages = refused.into_iter().map(|row| vec![issue(1, 2, "fine"), row]).chain([twice]);
    for issues in pages {
        let error = store.put_page(&tenure, &page(1, issues)).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }) && !error.is_passing(), "{error:?}");
        assert_eq!(dump(&reader).await, before);
    }
}

#[tokio::test]
async fn what_is_set_aside_is_kept_whatever_it_is() {
    let database = database().await;
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    let tenure = active(&store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    let raws = [r#"{"a":"\u0000"}"#, r#"{"a":"\ud800"}"#, "1e400", "no JSON\0", &deep, &long];
    let set_aside = raws.iter().enumerate().map(|(number, raw)| SetAside {
        item_key: Some(number.to_string()),
        error: "no".into(),
        raw: (*raw).to_owned(),
    });
    let write = PageWrite { set_aside: set_aside.collect(), ..page(1, Vec::new()) };
    let counts = store.put_page(&tenure, &write).await.unwrap();
    assert_eq!(counts, Counts { quarantined: 6, ..Counts::default() });
    assert_eq!(store.set_aside(1, "issues").await.unwrap().len(), 6);
    // An index holds no URL that is so long.
    let mut seen = seen();
    seen.url = format!("https://x/{}", "y".repeat(9000));
    store.put_repository(&tenure, &repository(1), Some(&seen)).await.unwrap();
    assert_eq!(store.seen_page(&seen.url, &seen.identity).await.unwrap(), None);
}

#[tokio::test]
async fn counts_are_exact_when_the_same_rows_are_written_at_once() {
    let database = database().await;
    let store = Arc::new(database.store());
    store.prepare(OWNER).await.unwrap();
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let mut all = Counts::default();
    for round in 0..5 {
        let mut tasks = JoinSet::new();
        for writer in 0..6 {
            let (store, tenure) = (Arc::clone(&store), tenure.clone());
            // Each in another order, which must not lock them out.
            let mut numbers: Vec<i64> = (1..=40).map(|number| round * 20 + number).collect();
            numbers.rotate_left(writer * 7);
            let title = format!("round {round}");
            let issues = numbers.into_iter().map(|number| issue(1, number, &title)).collect();
            tasks.spawn(async move {
                let page = page(1, issues);
                // PostgreSQL may come upon another writer's row by its id before it looks for its
                // number. Then it refuses the page, and whoever has written it does so again.
                loop {
                    match store.put_page(&tenure, &page).await {
                        Err(Error::Refused { .. }) => {}
                        written => return written.unwrap(),
                    }
                }
            });
        }
        for counts in awaited("all are written", tasks.join_all()).await {
            all += counts;
        }
    }
    // 120 numbers; half of each round but the first was there, with another title.
    let written = Counts { created: 120, updated: 80, unchanged: 1000, ..Counts::default() };
    assert_eq!(all, written);
    let reader = Database::Postgres(database.store());
    assert_eq!(rows(&reader, "SELECT count(*) FROM issues").await, [["120"]]);
}
