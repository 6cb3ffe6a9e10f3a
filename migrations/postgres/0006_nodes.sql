-- What several nodes share: whose turn it is to do what has to be done once, and until when (microseconds since 1970).
create table leases (
    job    text   primary key not null,
    holder text   not null,
    until  bigint not null
);
