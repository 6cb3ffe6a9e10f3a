-- What proves who somebody is, and what is sent to them: tokens that rotate, second factors, devices known, addresses to
-- be confirmed, invitations, people about to go, and leases for who delivers a mail.

alter table emails add column leased_until bigint;
-- From when on a mail is worthless (its link has run out): it isn't sent any more.
alter table emails add column expires_at bigint;

-- When somebody first signed in to the account: that time nobody is written to.
alter table users add column signed_in_at bigint;

alter table revocations add column api_token_id bigint;
-- Which personal tokens have just run out is asked twice a second.
create index api_tokens_expires_at on api_tokens (expires_at) where expires_at is not null;

-- The tokens that a program's session was renewed by. The session is the chain: it ends when one is used twice.
create table refresh_tokens (
    id         integer primary key autoincrement,
    session_id bigint not null references sessions (id) on delete cascade,
    token_hash text   not null unique,
    created_at bigint not null,
    used_at    bigint
);
create index refresh_tokens_session on refresh_tokens (session_id, id);

-- The secret is sealed with a key derived from SECRET_KEY. Not confirmed: being set up, and not asked for yet.
-- `last_step` is the last time step a code was taken of: no code works twice.
create table two_factors (
    user_id      bigint primary key not null references users (id) on delete cascade,
    secret       text   not null,
    last_step    bigint not null default 0,
    confirmed_at bigint,
    created_at   bigint not null
);

create table recovery_codes (
    id        integer primary key autoincrement,
    user_id   bigint not null references users (id) on delete cascade,
    code_hash text   not null,
    used_at   bigint,
    unique (user_id, code_hash)
);

-- Browsers and addresses that somebody signed in from. `token_hash` is that of a browser's cookie; of an address and a
-- program's name where there is none.
create table known_devices (
    id           integer primary key autoincrement,
    user_id      bigint not null references users (id) on delete cascade,
    token_hash   text   not null,
    ip           text   not null,
    created_at   bigint not null,
    last_seen_at bigint not null,
    unique (user_id, token_hash)
);
create index known_devices_token on known_devices (token_hash);
create index known_devices_ip on known_devices (user_id, ip);
create index known_devices_last_seen_at on known_devices (last_seen_at, id);

-- An address that waits for its owner to confirm it, one a person.
create table email_changes (
    user_id    bigint primary key not null references users (id) on delete cascade,
    email      text   not null,
    token_hash text   not null unique,
    created_at bigint not null,
    expires_at bigint not null
);

create table invitations (
    id         integer primary key autoincrement,
    email      text   not null,
    token_hash text   not null unique,
    invited_by bigint references users (id) on delete set null,
    user_id    bigint references users (id) on delete set null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at    bigint
);
create index invitations_email on invitations (lower(email));
create index invitations_invited_by on invitations (invited_by, created_at, id);
create index invitations_user on invitations (user_id);
create index invitations_created_at on invitations (created_at, id);
create index invitations_expires_at on invitations (expires_at, id);

-- People who asked that all they wrote be erased before their account is deleted.
create table departures (
    user_id      bigint primary key not null references users (id) on delete cascade,
    leased_until bigint,
    created_at   bigint not null
);
