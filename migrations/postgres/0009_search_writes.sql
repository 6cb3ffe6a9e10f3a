-- SQLite's index alone is made another way: its twin says how.

select 1;
