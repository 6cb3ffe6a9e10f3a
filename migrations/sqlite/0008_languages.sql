-- The language that somebody chose (BCP 47); empty: as their browser asks.

alter table users add column language text not null default '';
