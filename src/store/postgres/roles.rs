//! What roles that only read may see: the public tables and views, and no others.

use sqlx::{AssertSqlSafe, PgConnection};

use super::Address;
use crate::store::{Error, PRIVATE};

/// Lets the reader roles of `address` see what is public, and what will be. A role that is taken
/// out of the configuration keeps what it has.
pub(super) async fn let_read(
    connection: &mut PgConnection,
    address: &Address,
    doing: &'static str,
) -> Result<(), Error> {
    let failed = |source| Error::of(doing, source);
    let schema = &address.schema;
    let relations: Vec<(String,)> = sqlx::query_as(
        "SELECT relname::text FROM pg_class \
         WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p', 'v', 'm') ORDER BY relname",
    )
    .persistent(false)
    .bind(format!("\"{schema}\""))
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let names = |private: bool| {
        let of_kind = |name: &&str| (name.starts_with('_') || PRIVATE.contains(name)) == private;
        let names = relations.iter().map(|(name,)| name.as_str()).filter(of_kind);
        names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    };
    let (public, private) = (names(false), names(true));
    for role in &address.reader_roles {
        let found: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM pg_roles WHERE rolname = $1")
            .persistent(false)
            .bind(role)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
        if found.is_none() {
            return Err(Error::NoRole { role: role.clone() });
        }
        let sql = format!(
            "GRANT USAGE ON SCHEMA \"{schema}\" TO \"{role}\"; \
             GRANT SELECT ON {public} TO \"{role}\"; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA \"{schema}\" GRANT SELECT ON TABLES TO \"{role}\"; \
             REVOKE ALL ON {private} FROM \"{role}\""
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}
