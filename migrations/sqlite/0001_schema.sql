-- All models of the site. The PostgreSQL twin has the same number, name, tables and columns.
-- Times are microseconds since 1970 UTC. `autoincrement`: an id is never given to a second row.

create table users (
    id              integer primary key autoincrement,
    username        text    not null,
    username_folded text    not null unique,
    email           text    not null,
    email_folded    text    not null unique,
    password_hash   text    not null,
    first_name      text    not null default '',
    last_name       text    not null default '',
    bio             text    not null default '',
    avatar          text,
    role            text    not null default 'user' check (role in ('admin', 'moderator', 'user')),
    is_active       boolean not null default true,
    totp_enabled    boolean not null default false,
    last_seen_at    bigint,
    created_at      bigint  not null,
    updated_at      bigint  not null
);
create index users_role on users (role, id);
create index users_is_active on users (is_active, id);
create index users_last_seen_at on users (last_seen_at, id);
create index users_created_at on users (created_at, id);

-- `last_message_at` and `member_count` are kept by the acts that change them, so that a list of rooms is one
-- walk of an index. `direct_key` is `<lower user id>:<higher user id>`: one direct room a pair.
create table rooms (
    id              integer primary key autoincrement,
    kind            text    not null check (kind in ('public', 'group', 'direct')),
    name            text    not null default '',
    name_folded     text    not null default '',
    description     text    not null default '',
    created_by      bigint  references users (id) on delete set null,
    direct_key      text    unique,
    member_count    bigint  not null default 0,
    last_seq        bigint  not null default 0,
    last_rev        bigint  not null default 0,
    last_message_at bigint  not null,
    created_at      bigint  not null,
    updated_at      bigint  not null
);
create unique index rooms_public_name on rooms (name_folded) where kind = 'public';
create index rooms_kind_newest on rooms (kind, last_message_at, id);
create index rooms_name_folded on rooms (name_folded, id);
create index rooms_created_by on rooms (created_by, id);
create index rooms_created_at on rooms (created_at, id);

create table memberships (
    id            integer primary key autoincrement,
    room_id       bigint  not null references rooms (id) on delete cascade,
    user_id       bigint  not null references users (id) on delete cascade,
    role          text    not null default 'member' check (role in ('owner', 'member')),
    last_read_seq bigint  not null default 0,
    muted         boolean not null default false,
    joined_at     bigint  not null,
    unique (room_id, user_id)
);
create index memberships_user on memberships (user_id, room_id);
create index memberships_joined_at on memberships (joined_at, id);

create table messages (
    id         integer primary key autoincrement,
    room_id    bigint  not null references rooms (id) on delete cascade,
    seq        bigint  not null,
    rev        bigint  not null,
    sender_id  bigint  references users (id) on delete set null,
    content    text    not null,
    html       text    not null,
    client_id  text,
    reply_to   bigint  references messages (id) on delete set null,
    edited_at  bigint,
    deleted_at bigint,
    created_at bigint  not null,
    unique (room_id, seq),
    unique (room_id, rev)
);
create unique index messages_client_id on messages (room_id, sender_id, client_id) where client_id is not null;
create index messages_sender on messages (sender_id, id);
create index messages_reply_to on messages (reply_to) where reply_to is not null;
create index messages_created_at on messages (created_at, id);

create table attachments (
    id           integer primary key autoincrement,
    message_id   bigint  not null references messages (id) on delete cascade,
    uploader_id  bigint  references users (id) on delete set null,
    filename     text    not null,
    content_type text    not null,
    size         bigint  not null,
    sha256       text    not null,
    width        bigint,
    height       bigint,
    created_at   bigint  not null
);
create index attachments_message on attachments (message_id, id);
create index attachments_uploader on attachments (uploader_id, id);
create index attachments_sha256 on attachments (sha256);
create index attachments_created_at on attachments (created_at, id);

create table reactions (
    id         integer primary key autoincrement,
    message_id bigint  not null references messages (id) on delete cascade,
    user_id    bigint  not null references users (id) on delete cascade,
    emoji      text    not null,
    created_at bigint  not null,
    unique (message_id, user_id, emoji)
);
create index reactions_user on reactions (user_id, id);
create index reactions_created_at on reactions (created_at, id);

create table interests (
    id           integer primary key autoincrement,
    sender_id    bigint  not null references users (id) on delete cascade,
    recipient_id bigint  not null references users (id) on delete cascade,
    note         text    not null default '',
    status       text    not null default 'pending'
                 check (status in ('pending', 'accepted', 'rejected', 'cancelled')),
    created_at   bigint  not null,
    decided_at   bigint
);
create unique index interests_open on interests (sender_id, recipient_id) where status in ('pending', 'accepted');
create index interests_sender on interests (sender_id, id);
create index interests_recipient on interests (recipient_id, status, id);
create index interests_status on interests (status, id);
create index interests_created_at on interests (created_at, id);

create table notifications (
    id         integer primary key autoincrement,
    user_id    bigint  not null references users (id) on delete cascade,
    kind       text    not null check (kind in ('mention', 'interest', 'reply', 'added')),
    message_id bigint  references messages (id) on delete cascade,
    room_id    bigint  references rooms (id) on delete cascade,
    actor_id   bigint  references users (id) on delete set null,
    read_at    bigint,
    created_at bigint  not null
);
create index notifications_user on notifications (user_id, id);
create index notifications_unread on notifications (user_id, id) where read_at is null;
create index notifications_message on notifications (message_id) where message_id is not null;
create index notifications_room on notifications (room_id) where room_id is not null;
create index notifications_actor on notifications (actor_id) where actor_id is not null;
create index notifications_created_at on notifications (created_at, id);

create table password_reset_tokens (
    id         integer primary key autoincrement,
    user_id    bigint  not null references users (id) on delete cascade,
    token_hash text    not null unique,
    created_at bigint  not null,
    expires_at bigint  not null,
    used_at    bigint
);
create index password_reset_tokens_user on password_reset_tokens (user_id, id);
create index password_reset_tokens_created_at on password_reset_tokens (created_at, id);
create index password_reset_tokens_expires_at on password_reset_tokens (expires_at, id);

-- Who is signed in. A browser's cookie names a row of `tower_sessions`, which names the row here; without
-- this row the cookie is worth nothing, so ending a session is deleting one row.
create table sessions (
    id           integer primary key autoincrement,
    user_id      bigint  not null references users (id) on delete cascade,
    ip           text    not null default '',
    user_agent   text    not null default '',
    created_at   bigint  not null,
    last_seen_at bigint  not null,
    expires_at   bigint  not null
);
create index sessions_user on sessions (user_id, id);
create index sessions_created_at on sessions (created_at, id);
create index sessions_last_seen_at on sessions (last_seen_at, id);
create index sessions_expires_at on sessions (expires_at, id);

create table api_tokens (
    id           integer primary key autoincrement,
    user_id      bigint  not null references users (id) on delete cascade,
    name         text    not null,
    token_hash   text    not null unique,
    created_at   bigint  not null,
    last_used_at bigint,
    expires_at   bigint,
    revoked_at   bigint
);
create index api_tokens_user on api_tokens (user_id, id);
create index api_tokens_created_at on api_tokens (created_at, id);

create table emails (
    id              integer primary key autoincrement,
    "to"            text    not null,
    subject         text    not null,
    text            text    not null,
    html            text    not null default '',
    status          text    not null default 'queued' check (status in ('queued', 'sent', 'failed')),
    attempts        bigint  not null default 0,
    last_error      text,
    next_attempt_at bigint,
    sent_at         bigint,
    created_at      bigint  not null
);
create index emails_due on emails (status, next_attempt_at, id);
create index emails_to on emails ("to", id);
create index emails_created_at on emails (created_at, id);

create table reports (
    id          integer primary key autoincrement,
    message_id  bigint  not null references messages (id) on delete cascade,
    reporter_id bigint  references users (id) on delete set null,
    reason      text    not null,
    status      text    not null default 'open' check (status in ('open', 'resolved', 'dismissed')),
    handled_by  bigint  references users (id) on delete set null,
    created_at  bigint  not null
);
create index reports_message on reports (message_id, id);
create index reports_reporter on reports (reporter_id, id);
create index reports_handled_by on reports (handled_by, id);
create index reports_status on reports (status, id);
create index reports_created_at on reports (created_at, id);

-- History outlives what it tells of: no references but to the actor.
create table audit_entries (
    id           integer primary key autoincrement,
    actor_id     bigint  references users (id) on delete set null,
    action       text    not null,
    model        text    not null,
    object_id    text    not null,
    object_label text    not null,
    changes      text    not null default '{}',
    ip           text    not null default '',
    created_at   bigint  not null
);
create index audit_entries_actor on audit_entries (actor_id, id);
create index audit_entries_object on audit_entries (model, object_id, id);
create index audit_entries_action on audit_entries (action, id);
create index audit_entries_created_at on audit_entries (created_at, id);

create table settings (
    key        text   primary key not null,
    value      text   not null,
    updated_at bigint not null
);
insert into settings (key, value, updated_at) values
    ('site_name', 'Switchboard', 0),
    ('registration', 'open', 0),
    ('room_creation', 'anyone', 0),
    ('direct_chat', 'anyone', 0),
    ('retention_days', '', 0),
    ('upload_types', '*', 0),
    ('staff_two_factor', 'optional', 0);

-- What must end at once on every node and from every process (the command line too): each row says whose
-- sockets close. Rows are read by polling and swept after a day.
create table revocations (
    id         integer primary key autoincrement,
    user_id    bigint not null,
    session_id bigint,
    room_id    bigint,
    created_at bigint not null
);
create index revocations_created_at on revocations (created_at, id);

-- The session store's own table, with the index it lacks.
create table tower_sessions (
    id          text primary key not null,
    data        blob not null,
    expiry_date integer not null
);
create index tower_sessions_expiry on tower_sessions (expiry_date);
