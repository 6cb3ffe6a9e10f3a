-- What the backoffice needs: an index for each way to filter and sort its lists, the full text of messages, history
-- that knows a form sent twice, saved lists, and when a password was last asked for again.

alter table sessions add column confirmed_at bigint;
alter table audit_entries add column form_token text;
create unique index audit_entries_form_token on audit_entries (form_token) where form_token is not null;

-- Names as they are searched by; SQL's own `lower` knows fewer letters than people have.
alter table users add column first_name_folded text not null default '';
alter table users add column last_name_folded text not null default '';
update users set first_name_folded = lower(first_name), last_name_folded = lower(last_name);

-- A person's name for the query of a list.
create table bookmarks (
    id         integer primary key autoincrement,
    user_id    bigint not null references users (id) on delete cascade,
    model      text   not null,
    name       text   not null,
    query      text   not null,
    created_at bigint not null,
    unique (user_id, model, name)
);

-- Filters with the default order, newest first. Where a time may be missing it counts as 0.
drop index users_role;
drop index users_is_active;
drop index users_last_seen_at;
create index users_role on users (role, created_at, id);
create index users_role_username on users (role, username_folded, id);
create index users_is_active on users (is_active, created_at, id);
create index users_totp_enabled on users (totp_enabled, created_at, id);
create index users_last_seen_at on users (coalesce(last_seen_at, 0), id);
create index users_first_name on users (first_name_folded);
create index users_last_name on users (last_name_folded);

drop index rooms_created_by;
create index rooms_created_by on rooms (created_by, created_at, id);
create index rooms_kind_created_at on rooms (kind, created_at, id);
create index rooms_member_count on rooms (member_count, id);
create index rooms_last_seq on rooms (last_seq, id);
create index rooms_last_message_at on rooms (last_message_at, id);

create index memberships_room_joined_at on memberships (room_id, joined_at, id);
create index memberships_user_joined_at on memberships (user_id, joined_at, id);
create index memberships_role on memberships (role, joined_at, id);
create index memberships_muted on memberships (muted, joined_at, id);

drop index messages_sender;
create index messages_sender on messages (sender_id, created_at, id);
create index messages_room_created_at on messages (room_id, created_at, id);
create index messages_edited_at on messages (coalesce(edited_at, 0), id);
create index messages_deleted_at on messages (coalesce(deleted_at, 0), id);

drop index attachments_uploader;
create index attachments_uploader on attachments (uploader_id, created_at, id);
create index attachments_message_created_at on attachments (message_id, created_at, id);
create index attachments_size on attachments (size, id);
create index attachments_filename on attachments (lower(filename));

drop index reactions_user;
create index reactions_user on reactions (user_id, created_at, id);
create index reactions_message_created_at on reactions (message_id, created_at, id);

drop index interests_sender;
drop index interests_status;
create index interests_sender on interests (sender_id, created_at, id);
create index interests_recipient_created_at on interests (recipient_id, created_at, id);
create index interests_status on interests (status, created_at, id);

drop index notifications_actor;
create index notifications_user_created_at on notifications (user_id, created_at, id);
create index notifications_kind on notifications (kind, created_at, id);
create index notifications_actor on notifications (actor_id, created_at, id);

drop index password_reset_tokens_user;
create index password_reset_tokens_user on password_reset_tokens (user_id, created_at, id);

drop index sessions_user;
create index sessions_user on sessions (user_id, created_at, id);

drop index api_tokens_user;
create index api_tokens_user on api_tokens (user_id, created_at, id);

drop index emails_to;
create index emails_to on emails (lower("to"));
create index emails_status on emails (status, created_at, id);
create index emails_attempts on emails (attempts, id);

drop index reports_reporter;
drop index reports_handled_by;
drop index reports_status;
create index reports_message_created_at on reports (message_id, created_at, id);
create index reports_reporter on reports (reporter_id, created_at, id);
create index reports_handled_by on reports (handled_by, created_at, id);
create index reports_status on reports (status, created_at, id);

drop index audit_entries_actor;
drop index audit_entries_action;
create index audit_entries_actor on audit_entries (actor_id, created_at, id);
create index audit_entries_action on audit_entries (action, created_at, id);
create index audit_entries_model on audit_entries (model, created_at, id);
create index audit_entries_object_label on audit_entries (lower(object_label));

-- The words of messages. `tags` holds `r<room id>` and `s<sender id>`, so that a common word in a small room is found
-- by the shorter of the two lists. The index keeps no text of its own.
create virtual table messages_text using fts5 (
    content, tags, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0'
);
insert into messages_text (rowid, content, tags)
    select id, content, 'r' || room_id || coalesce(' s' || sender_id, '') from messages where deleted_at is null;
create trigger messages_text_insert after insert on messages begin
    insert into messages_text (rowid, content, tags)
    values (new.id, new.content, 'r' || new.room_id || coalesce(' s' || new.sender_id, ''));
end;
create trigger messages_text_update after update of content on messages begin
    delete from messages_text where rowid = old.id;
    insert into messages_text (rowid, content, tags)
    values (new.id, new.content, 'r' || new.room_id || coalesce(' s' || new.sender_id, ''));
end;
create trigger messages_text_delete after delete on messages begin
    delete from messages_text where rowid = old.id;
end;
