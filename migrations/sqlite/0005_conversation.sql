-- What a conversation has besides its messages: pins, earlier texts, who blocks whom, what each is told of in a room and
-- how, and the browsers that are told when nobody looks.

create table pins (
    id         integer primary key autoincrement,
    message_id bigint not null unique references messages (id) on delete cascade,
    room_id    bigint not null references rooms (id) on delete cascade,
    pinned_by  bigint references users (id) on delete set null,
    created_at bigint not null
);
create index pins_message on pins (message_id, created_at, id);
create index pins_room on pins (room_id, created_at, id);
create index pins_pinned_by on pins (pinned_by, created_at, id);
create index pins_created_at on pins (created_at, id);

-- What a message said before it was edited or deleted, for staff. It goes when the message's row goes.
create table message_edits (
    id         integer primary key autoincrement,
    message_id bigint not null references messages (id) on delete cascade,
    user_id    bigint references users (id) on delete set null,
    content    text   not null,
    created_at bigint not null
);
create index message_edits_message on message_edits (message_id, created_at, id);
create index message_edits_user on message_edits (user_id, created_at, id);
create index message_edits_created_at on message_edits (created_at, id);

create table blocks (
    id         integer primary key autoincrement,
    user_id    bigint not null references users (id) on delete cascade,
    blocked_id bigint not null references users (id) on delete cascade,
    created_at bigint not null,
    unique (user_id, blocked_id)
);
create index blocks_user on blocks (user_id, created_at, id);
create index blocks_blocked on blocks (blocked_id, created_at, id);
create index blocks_created_at on blocks (created_at, id);

-- What a member is told of: nothing when `muted`, every message when `notify_all`, else mentions and replies.
alter table memberships add column notify_all boolean not null default false;
update memberships set notify_all = true where room_id in (select id from rooms where kind = 'direct');
create index memberships_notify_all on memberships (room_id, user_id) where notify_all;

-- Mails that sum up what one missed: how often, and when the last was.
alter table users add column digest text not null default 'never' check (digest in ('never', 'hourly', 'daily'));
alter table users add column digested_at bigint;
create index users_digest on users (digested_at, id) where digest <> 'never';

-- Browsers that are told when no page is open (RFC 8030); each goes with the session that it was made in.
create table push_subscriptions (
    id           integer primary key autoincrement,
    user_id      bigint not null references users (id) on delete cascade,
    session_id   bigint not null references sessions (id) on delete cascade,
    endpoint     text   not null unique,
    p256dh       text   not null,
    auth         text   not null,
    created_at   bigint not null,
    last_used_at bigint
);
create index push_subscriptions_user on push_subscriptions (user_id, id);
create index push_subscriptions_session on push_subscriptions (session_id);

-- The site's name to push services (RFC 8292), one row; the private key is sealed with a key derived from SECRET_KEY.
create table push_keys (
    id         bigint primary key not null check (id = 1),
    sealed     text   not null,
    public_key text   not null,
    created_at bigint not null
);

-- The words of messages can be looked for among days. Besides the room and the sender the tags hold the day of a message,
-- `d` and its number from 1970, and the 32 and the 1024 days that it is in, `e` and `f`: a stretch of days is some dozens
-- of these, and a search of it reads nothing else.
drop table messages_text;
create virtual table messages_text using fts5 (
    content, tags, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0', prefix = '3 4'
);
insert into messages_text (rowid, content, tags)
    select id, content, 'r' || room_id || coalesce(' s' || sender_id, '')
        || ' d' || (created_at / 86400000000) || ' e' || (created_at / 2764800000000)
        || ' f' || (created_at / 88473600000000)
    from messages where deleted_at is null;
drop trigger messages_text_insert;
drop trigger messages_text_update;
create trigger messages_text_insert after insert on messages begin
    insert into messages_text (rowid, content, tags)
    values (new.id, new.content, 'r' || new.room_id || coalesce(' s' || new.sender_id, '')
        || ' d' || (new.created_at / 86400000000) || ' e' || (new.created_at / 2764800000000)
        || ' f' || (new.created_at / 88473600000000));
end;
create trigger messages_text_update after update of content on messages begin
    delete from messages_text where rowid = old.id;
    insert into messages_text (rowid, content, tags)
    values (new.id, new.content, 'r' || new.room_id || coalesce(' s' || new.sender_id, '')
        || ' d' || (new.created_at / 86400000000) || ' e' || (new.created_at / 2764800000000)
        || ' f' || (new.created_at / 88473600000000));
end;
