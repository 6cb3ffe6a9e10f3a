// What the socket brings to the chat pages, which work without it.
import { $, fetched, form, log, me, make, one, page, past, room, say, stream } from "./dom.js";
import { atEnd, deleted, last, local, note, older, reacted, seen, show } from "./log.js";
import { close, connect, live, send, state, tell } from "./socket.js";
import { drop, next, refused } from "./composer.js";
import "./acts.js";

const title = document.title;
// From pages that mark nothing as read.
const refresh = async (id, address) => {
  try { $(id).replaceWith((await fetched(address)).getElementById(id)); } catch { }
};
const rooms = () => refresh("rooms", "/chat?room_id=" + (room || 0));

const notify = (title, body, url, tag) => {
  if (!document.hidden || self.Notification?.permission !== "granted") return;
  const shown = new Notification(title, { body, tag });
  shown.onclick = () => { focus(); shown.close(); location = url; };
};
const noticed = async ({ id, room_id }) => {
  if (room && room_id === room && !document.hidden) return;
  const count = $("notices");
  mark(count, +count.firstElementChild.textContent + 1);
  try {
    const item = one(`[data-id="${id}"]`, await fetched("/notifications"));
    notify(one(".what", item).textContent, "", one("a", item).href, "n" + id);
  } catch { /* read by now */ }
};

// Read marks and badges.
let told = +page.read || 0, marking;
const read = () => {
  if (document.hidden || past || !("member" in page) || last.seq <= told || !atEnd()) return;
  clearTimeout(marking);
  marking = setTimeout(() => {
    if (send({ type: "read", room_id: room, seq: last.seq })) told = last.seq;
    $("unseen")?.remove();
    badge();
  }, 400);
};
const mark = (badge, count) => { badge.firstElementChild.textContent = count; badge.hidden = !count; };
const badge = () => {
  let count = document.hidden ? Math.max(0, last.seq - told) : 0;
  for (const other of document.querySelectorAll("#rooms .badge:not([hidden]) .count")) count += +other.textContent;
  document.title = (count ? `(${count}) ` : "") + title;
};
const unread = ({ room_id, count, last_seq }) => {
  if (!count && !$("notices").hidden) refresh("notices", "/chat");
  if (room_id === room) { if (!count) told = Math.max(told, last_seq); return badge(); }
  const link = one(`#rooms a[data-room="${room_id}"]`);
  if (!link) return rooms();
  if (count && "all" in link.dataset) notify(one(".name", link).textContent, say("New messages"), link.href, "r" + room_id);
  mark(one(".badge", link), count);
  if (count) $("rooms").prepend(link.parentElement);
  badge();
};
const said = (message) => {
  if (message.user_id === me) drop(message.client_id);
  if (show(message) && message.user_id !== me && "all" in page) notify(message.username, message.content, "#end", "r" + room);
  read();
  badge();
};
const end = (why) => {
  state.over = true;
  if (form) form.inert = true;
  tell("over", why);
};
const begin = () => { live(); next(); read(); };
const frames = {
  connected(frame) {
    if (frame.room_id) return;
    if (state.missed) rooms();
    room && !past ? send({ type: "subscribe", room_id: room, after: last.rev }) : begin();
  },
  synced({ rev }) { last.rev = rev; begin(); },
  gap() { location.reload(); },
  message: said,
  message_edited: show,
  message_deleted: deleted,
  reaction: reacted,
  pins: () => setTimeout(refresh, Math.random() * 2000, "pins", location.pathname + "?before=1"),
  read: seen,
  users_list(frame) {
    $("here").replaceChildren(...frame.users.map((name) => make("li", "", name)));
    $("here-count").textContent = frame.count;
  },
  system({ event, username: who }) {
    if (who !== page.name) note(event === "join" ? say("{} joined the room", who) : say("{} left the room", who));
  },
  typing({ users }) {
    const names = users.filter((name) => name !== page.name).slice(0, 3);
    $("typing").textContent = names[1] ? say("{} are typing…", names.join(", ")) : names[0] ? say("{} is typing…", names) : "";
  },
  unread,
  notification: noticed,
  room_added: rooms,
  room_deleted: (frame) => frame.room_id === room ? end(frame.message) : rooms(),
  error(frame) { if (frame.client_id) refused(frame); else if (!state.synced && frame.room_id === room) frame.code === "not_found" ? end(frame.content) : close(); },
};
const take = (frame) => {
  if (!frame.room_id || frame.room_id === room || /^(unread|room_|notif)/.test(frame.type)) frames[frame.type]?.(frame);
};
ononline = document.onvisibilitychange = () => { connect(); read(); badge(); };

if (log) {
  local(log);
  if (!/^#m/.test(location.hash)) ($("new") ?? $("end")).scrollIntoView({ block: "center" });
  stream.onscroll = () => { if (stream.scrollTop < 200) older(); read(); };
}
badge();
Object.assign(state, { take, end });
connect();
