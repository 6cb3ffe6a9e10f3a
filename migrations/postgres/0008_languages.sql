-- The language that somebody chose: the SQLite twin says it.

alter table users add column language text not null default '';
