//! Whether the declarations fit the database: asked at every start, and by a test on both engines. A declared column
//! that isn't there, or a sort or filter without its index, stops the start rather than a page.

use std::collections::{BTreeMap, BTreeSet};

use super::resource::{Column, Kind, Resource, Search, Typed};
use super::sql::{Read, Sql};
use super::{RESOURCES, find};
use crate::db::{Conn, Engine};
use crate::error::{Error, Result};

/// What the database says of itself.
pub struct Schema {
    columns: BTreeMap<String, BTreeSet<String>>,
    /// By table: each index as its list of columns and expressions, without spaces, quotes and casts.
    indexes: BTreeMap<String, Vec<Vec<String>>>,
}

impl Schema {
    /// Reads the catalogue. Cost: 2 queries.
    pub async fn read(conn: &mut Conn) -> Result<Self> {
        let (columns, indexes) = match conn.engine() {
            Engine::Sqlite(_) => (
                "select m.name, c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table'",
                // Indexes that a `unique` made have no text: theirs is put together.
                "select m.tbl_name, coalesce(m.sql, 'on x (' || (select group_concat(i.name) from pragma_index_info(m.name) i) || ')')
                 from sqlite_master m where m.type = 'index'",
            ),
            Engine::Postgres(_) => (
                "select table_name::text, column_name::text from information_schema.columns
                 where table_schema = current_schema()",
                "select tablename::text, indexdef from pg_indexes where schemaname = current_schema()",
            ),
        };
        let mut schema = Self { columns: BTreeMap::new(), indexes: BTreeMap::new() };
        for row in Sql::new(columns).rows(conn, &[Read::Text, Read::Text]).await? {
            schema.columns.entry(row[0].plain()).or_default().insert(row[1].plain());
        }
        for row in Sql::new(indexes).rows(conn, &[Read::Text, Read::Text]).await? {
            schema.indexes.entry(row[0].plain()).or_default().push(keys_of(&row[1].plain()));
        }
        Ok(schema)
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// Whether an index begins with these keys.
    fn is_indexed(&self, table: &str, keys: &[&str]) -> bool {
        let fits =
            |index: &Vec<String>| keys.len() <= index.len() && keys.iter().zip(index).all(|(key, own)| key == own);
        self.indexes.get(table).is_some_and(|indexes| indexes.iter().any(fits))
    }
}

/// The keys of an index, from its definition: what stands in the first brackets, parted by commas outside others.
fn keys_of(definition: &str) -> Vec<String> {
    let Some((_, list)) = definition.split_once('(') else { return Vec::new() };
    let (mut keys, mut key, mut depth) = (Vec::new(), String::new(), 0);
    for letter in list.chars() {
        match letter {
            ')' if depth == 0 => break,
            ',' if depth == 0 => keys.push(std::mem::take(&mut key)),
            _ => {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                key.push(letter);
            }
        }
    }
    keys.push(key);
    keys.into_iter().map(|key| plain(&key)).collect()
}

/// An expression as both engines would write it: PostgreSQL adds casts and brackets to what was declared.
fn plain(expression: &str) -> String {
    let text = expression.to_lowercase().replace("::bigint", "").replace("::text", "").replace("(0)", "0");
    text.chars().filter(|letter| !letter.is_whitespace() && *letter != '"').collect()
}

/// Everything that doesn't fit, one sentence each. Cost: no query.
pub fn faults(schema: &Schema) -> Vec<String> {
    let mut faults = Vec::new();
    let mut slugs = BTreeSet::new();
    for resource in RESOURCES {
        if !slugs.insert(resource.slug) {
            faults.push(format!("two models have the slug {}", resource.slug));
        }
        check(schema, resource, &mut faults);
    }
    faults
}

/// Errors: [`Error::Startup`] with what doesn't fit. Cost: 2 queries.
pub async fn check_all(conn: &mut Conn) -> Result<()> {
    let faults = faults(&Schema::read(conn).await?);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::startup(format!("The backoffice doesn't fit the database: {}.", faults.join("; "))))
    }
}

fn check(schema: &Schema, resource: &Resource, faults: &mut Vec<String>) {
    let (slug, table) = (resource.slug, resource.table);
    let mut missing = |name: &str| {
        if !schema.has(table, name) {
            faults.push(format!("{slug} declares {name}, which {table} doesn't have"));
        }
    };
    missing(resource.key);
    resource.stored().for_each(|column| missing(column.name));
    resource.columns.iter().filter(|column| !column.sort_by.is_empty()).for_each(|column| missing(column.sort_by));
    resource.secrets.iter().for_each(|secret| missing(secret.name()));
    let order = resource.order.trim_start_matches('-');
    match resource.column(order) {
        Some(column) if column.sorted => {}
        _ => faults.push(format!("{slug} is ordered by {order}, which it isn't sorted by")),
    }
    for column in resource.columns {
        check_column(schema, resource, column, order, faults);
    }
    check_search(schema, resource, faults);
    let named = resource.sections.iter().flat_map(|(_, names)| names.iter());
    named
        .filter(|name| resource.column(name).is_none())
        .for_each(|name| faults.push(format!("{slug} has no {name} for its form")));
    for inline in resource.inlines {
        let refers = find(inline.slug)
            .and_then(|other| other.column(inline.column))
            .map(|column| (column.kind, column.filtered));
        if refers != Some((Kind::Reference(slug), true)) {
            faults.push(format!(
                "{slug} shows {}, whose {} isn't a filtered reference to it",
                inline.slug, inline.column
            ));
        }
    }
}

fn check_column(schema: &Schema, resource: &Resource, column: &Column, order: &str, faults: &mut Vec<String>) {
    let (slug, table, name) = (resource.slug, resource.table, column.name);
    let expression = plain(&column.sort_expression());
    let is_key = name == resource.key;
    if column.sorted && !is_key && !schema.is_indexed(table, &[expression.as_str()]) {
        faults.push(format!("{slug} can be sorted by {name}, which has no index"));
    }
    let is_range = matches!(column.kind, Kind::Time | Kind::Int);
    let own: &[&str] = if is_range { &[expression.as_str()] } else { &[name, order] };
    if column.filtered && !schema.is_indexed(table, own) {
        faults.push(format!("{slug} can be narrowed by {name}, which has no index on ({})", own.join(", ")));
    }
    match column.kind {
        Kind::Reference(other) if find(other).is_none() => {
            faults.push(format!("{slug} refers to {other}, which is no model"))
        }
        Kind::Count(other, reference) => match find(other) {
            Some(other) if schema.is_indexed(other.table, &[reference]) => {}
            _ => faults.push(format!("{slug} counts {other}, whose {reference} has no index")),
        },
        _ => {}
    }
    if column.typed != Typed::Never && resource.create.is_none() && resource.update.is_none() {
        faults.push(format!("{slug} has a form field {name}, but nothing that would store it"));
    }
}

fn check_search(schema: &Schema, resource: &Resource, faults: &mut Vec<String>) {
    let slug = resource.slug;
    match resource.search {
        Search::None => {}
        Search::Prefix(expressions) => {
            for expression in expressions.iter().map(|expression| plain(expression)) {
                if !schema.is_indexed(resource.table, &[expression.as_str()]) {
                    faults.push(format!("{slug} is searched by {expression}, which has no index"));
                }
            }
        }
        Search::Through(columns) => {
            for name in columns {
                if resource
                    .column(name)
                    .is_none_or(|column| !column.filtered || !matches!(column.kind, Kind::Reference(_)))
                {
                    faults.push(format!("{slug} is searched through {name}, which isn't a filtered reference"));
                }
            }
        }
        Search::FullText(index) => {
            if !schema.columns.contains_key(index.table) {
                faults.push(format!("{slug} is searched in {}, which isn't there", index.table));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resource::{Inline, Secret};
    use super::*;

    const GOOD: Resource = Resource {
        slug: "things",
        table: "things",
        columns: &[
            Column::text("name").listed().sorted_by("name_folded"),
            Column::choice("kind", &[]).filtered(),
            Column::time("seen_at").filtered().sorted().nullable(),
            Column::time("created_at").filtered().sorted(),
        ],
        secrets: &[Secret::new("hash")],
        search: Search::Prefix(&["lower(name)"]),
        sections: &[("Thing", &["name"])],
        ..Resource::DEFAULT
    };

    /// What is wrong with a declaration for a table that fits [`GOOD`].
    fn faults_of(resource: &Resource) -> String {
        let columns = ["id", "name", "name_folded", "kind", "seen_at", "created_at", "hash"].map(str::to_owned);
        let indexes = [
            "create index a on things (name_folded, id)",
            "CREATE INDEX b ON t1.things USING btree (kind, created_at, id)",
            "create index c on things (coalesce(\"seen_at\", 0), id)",
            "CREATE INDEX d ON t1.things USING btree (created_at, id)",
            "CREATE INDEX e ON t1.things USING btree (lower(name))",
        ];
        let indexes: Vec<_> = indexes.into_iter().map(keys_of).collect();
        let schema = Schema {
            columns: BTreeMap::from([("things".to_owned(), columns.into())]),
            indexes: BTreeMap::from([("things".to_owned(), indexes)]),
        };
        let mut faults = Vec::new();
        check(&schema, resource, &mut faults);
        faults.join("; ")
    }

    #[test]
    fn a_declaration_that_fits_has_no_fault() {
        assert_eq!(faults_of(&GOOD), "");
    }

    const CREATED: Column = Column::time("created_at").filtered().sorted();
    const NAME: Column = Column::text("name");

    const COLUMNS: &[(&[Column], &str)] = &[
        (&[NAME, Column::text("colour"), CREATED], "declares colour"),
        (&[NAME.sorted_by("colour"), CREATED], "declares colour"),
        (&[NAME.sorted(), CREATED], "sorted by name, which has no index"),
        (&[NAME.filtered(), CREATED], "narrowed by name, which has no index on (name, created_at)"),
        (&[NAME, Column::time("seen_at").sorted(), CREATED], "sorted by seen_at"),
        (&[NAME, Column::time("created_at")], "ordered by created_at, which it isn't sorted by"),
        (&[NAME, Column::reference("kind", "nothing"), CREATED], "refers to nothing"),
        (&[NAME, Column::count("others", "nothing", "thing_id"), CREATED], "counts nothing"),
        (&[NAME, Column::count("others", "users", "thing_id"), CREATED], "counts users"),
        (&[NAME.typed(), CREATED], "nothing that would store it"),
        (&[CREATED], "has no name for its form"),
    ];

    const RESOURCES: &[(Resource, &str)] = &[
        (Resource { table: "nowhere", ..GOOD }, "which nowhere doesn't have"),
        (Resource { key: "code", ..GOOD }, "declares code"),
        (Resource { order: "-kind", ..GOOD }, "ordered by kind"),
        (Resource { secrets: &[Secret::new("token")], ..GOOD }, "declares token"),
        (Resource { search: Search::Prefix(&["lower(kind)"]), ..GOOD }, "searched by lower(kind)"),
        (Resource { search: Search::Through(&["kind"]), ..GOOD }, "searched through kind"),
        (Resource { inlines: &[Inline::new("users", "role")], ..GOOD }, "shows users, whose role"),
    ];

    #[test]
    fn each_fault_is_found() {
        for (columns, says) in COLUMNS {
            let faults = faults_of(&Resource { columns, ..GOOD });
            assert!(faults.contains(says), "{says}: {faults}");
        }
        for (resource, says) in RESOURCES {
            let faults = faults_of(resource);
            assert!(faults.contains(says), "{says}: {faults}");
        }
    }
}
