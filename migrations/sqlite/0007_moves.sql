-- What came from elsewhere: each place that rows were taken in from, and which row of ours is which of theirs, so that taking
-- in again makes no doubles and one that was cut off goes on.

create table import_sources (
    id         integer primary key autoincrement,
    name       text    not null unique,
    created_at bigint  not null
);

-- No references to the rows themselves: one that is deleted here stays deleted when it comes again.
create table imported (
    source_id bigint not null references import_sources (id) on delete cascade,
    model     text   not null,
    theirs    text   not null,
    ours      bigint not null,
    primary key (source_id, model, theirs)
) without rowid;
