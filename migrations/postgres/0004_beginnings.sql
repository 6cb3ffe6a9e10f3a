-- Words that are only begun are found by the index of messages as it is; SQLite's is made anew for them.

select 1;
