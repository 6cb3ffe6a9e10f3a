//! The declarations of every model against both databases: nothing is missing, and whatever they say a list can be
//! narrowed, sorted and searched by works.

use switchboard::admin::RESOURCES;
use switchboard::admin::resource::{Column, Kind, Search};
use switchboard::admin::schema::{Schema, faults};

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};
use crate::support::office::office;

both! {
    async fn every_declaration_fits_the_database(engine: Engine) {
        let site = Site::new(engine).await;
        let schema = Schema::read(&mut site.app.db.read().await.unwrap()).await.unwrap();
        assert_eq!(faults(&schema), Vec::<String>::new());
    }
}

/// Queries that fit a column, as an address has them, and some that can't be read.
fn queries(column: &Column) -> (Vec<String>, Vec<String>) {
    let name = column.name;
    let mut fit: Vec<String> = match column.kind {
        Kind::Time => {
            ["2026", "2026-02", "2026-02-03", "2026-02-03T04:05:06Z"].map(|date| format!("{name}={date}")).into()
        }
        Kind::Flag => vec![format!("{name}=true"), format!("{name}=false")],
        Kind::Choice(choices) => choices.iter().map(|(word, _)| format!("{name}={word}")).collect(),
        Kind::Reference(_) => vec![format!("{name}=1"), format!("{name}=9223372036854775807")],
        Kind::Int | Kind::Count(..) => {
            vec![format!("{name}=3"), format!("{name}.from=-1&{name}.to=9"), format!("{name}.to=0")]
        }
        Kind::Text | Kind::Long | Kind::Changes => vec![format!("{name}=rooms"), format!("{name}=%25_%F0%9F%98%80")],
    };
    if column.kind == Kind::Time {
        fit.extend([
            format!("{name}.from=2020-01-01&{name}.to=2030"),
            format!("{name}.from=0001"),
            format!("{name}.to=1969-12-31"),
        ]);
    }
    if column.nullable {
        fit.extend([format!("{name}.empty=true"), format!("{name}.empty=false")]);
    }
    let mut unfit = vec![format!("{name}.empty=perhaps")];
    match column.kind {
        Kind::Text | Kind::Long | Kind::Changes => {}
        _ => unfit.extend(["9999999999999999999999", "%00", "🦊", "1' or 1=1"].map(|value| format!("{name}={value}"))),
    }
    (fit, unfit)
}

/// Walks along a list and back; every row comes once, whatever the order.
async fn walk(ann: &Visitor, list: &str, total: usize) {
    let mut seen = Vec::new();
    let mut page = ann.get(list).await;
    for _ in 0..=total {
        seen.extend(page.keys());
        let Some(next) = page.rel("next") else { break };
        page = ann.get(&format!("{}{next}", list.split('?').next().unwrap())).await;
    }
    assert_eq!(seen.len(), total, "{list}: {seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), total, "{list} shows some twice");
}

both! {
    async fn every_declared_filter_order_and_search_of_every_model_works(engine: Engine) {
        let (site, ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        site.furnish().await;
        site.furnish_again().await;
        for resource in RESOURCES {
            let list = format!("/admin/{}/", resource.slug);
            let rows = site.number(&format!("select count(*) from {}", resource.table)).await;
            assert!(rows > 1, "{list} has few rows");
            assert_eq!(ann.get(&list).await.total(), rows.to_string());
            for column in resource.columns.iter().filter(|column| column.filtered) {
                let (fit, unfit) = queries(column);
                for query in fit {
                    let page = ann.get(&format!("{list}?{query}")).await;
                    assert!(page.total().parse::<i64>().unwrap() <= rows && !page.says("role=\"alert\""), "{list}?{query}");
                }
                for query in unfit {
                    let page = ann.get(&format!("{list}?{query}")).await;
                    page.is(200, "The list isn't narrowed by it.");
                    assert_eq!(page.total(), rows.to_string(), "{list}?{query}");
                }
            }
            for column in resource.columns.iter().filter(|column| !column.filtered) {
                ann.get(&format!("{list}?{}=1", column.name)).await.is(400, column.name);
            }
            for column in resource.columns {
                for sign in ["", "-"] {
                    let sorted = format!("{list}?sort={sign}{}", column.name);
                    if column.sorted {
                        walk(&ann, &format!("{sorted}&per=1"), rows.try_into().unwrap()).await;
                    } else {
                        ann.get(&sorted).await.is(400, column.name);
                    }
                }
            }
            for q in ["a", "ann", "\"the quick\"", "1", "%25", "_", "%00", "%27", "%F0%9F%98%80", "a%20b%20c", "%22"] {
                let page = ann.get(&format!("{list}?q={q}")).await;
                assert_eq!(page.status, 200, "{list}?q={q}");
                assert_eq!(page.says("can't be searched"), resource.search == Search::None);
                assert_eq!(ann.get(&format!("{list}lookup?q={q}")).await.status, 200, "{list}lookup?q={q}");
            }
            for field in ["nope", "id%00", "%F0%9F%98%80", ""] {
                ann.get(&format!("{list}?{field}=1")).await.is(400, "have no field “");
                ann.get(&format!("{list}?sort=-{field}")).await.is(400, "have no field “");
            }
        }
    }
}
