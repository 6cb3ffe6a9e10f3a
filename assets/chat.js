// The live part of the chat pages, which work without it.
const $ = (id) => document.getElementById(id);
const page = document.body.dataset;
const room = +page.room || null;
const me = +page.user;
const [log, stream, form, state] = [$("log"), $("stream"), $("composer"), $("state")];
const title = document.title;
const past = "past" in page;
let rev = +page.rev || 0;
let seq = +page.seq || 0;
let socket, timer, heard = 0, asked = 0, tries = 0, synced = false, over = false;

const make = (name, className = "", textContent = "", more) =>
  Object.assign(document.createElement(name), { className, textContent, ...more });
const say = (name, text) => {
  state.dataset.state = name;
  state.textContent = text;
};

// The log.
const atEnd = () => stream.scrollHeight - stream.scrollTop - stream.clientHeight < 80;
const toEnd = () => { stream.scrollTop = stream.scrollHeight; };
const local = (root) => root.querySelectorAll("time").forEach((time) => {
  const at = new Date(time.dateTime);
  time.textContent = time.closest(".day")
    ? at.toLocaleDateString([], { dateStyle: "long", timeZone: "UTC" })
    : at.toLocaleTimeString([], { timeStyle: "short" });
});

const line = (user, name, at) => {
  const item = make("li", "message");
  item.dataset.user = user ?? "";
  item.dataset.at = at;
  const avatar = make("span", "avatar hue-" + (user ?? 0) % 8, (name || "?")[0], { ariaHidden: "true" });
  const head = make("p", "head");
  head.append(make("span", "author", name || "Deleted account"), " ", make("time", "", "", { dateTime: at }));
  item.append(avatar, head, make("div", "text"));
  return item;
};

const fill = (item, message) => {
  const text = item.querySelector(".text");
  // Sanitised on the server, when it was written.
  text.innerHTML = message.html ?? "";
  message.attachments?.forEach(({ id, filename }) => {
    text.append(make("a", "file", filename, { href: "/chat/attachments/" + id }));
  });
};
// Puts a message at its number: once, however often it comes.
const show = (message) => {
  rev = Math.max(rev, message.rev);
  settle(message);
  const there = $("m" + message.seq);
  if (there) return fill(there, message);
  if (past) return;
  if (message.seq < +log.querySelector("[data-seq]")?.dataset.seq) return;
  const follow = atEnd();
  const item = line(message.user_id, message.username, message.timestamp);
  item.id = "m" + message.seq;
  item.dataset.seq = message.seq;
  fill(item, message);
  let above = log.lastElementChild;
  while (above && !(+above.dataset.seq < message.seq)) above = above.previousElementSibling;
  const day = message.timestamp.slice(0, 10);
  const parts = [item];
  if (!above || above.dataset.at.slice(0, 10) !== day) {
    const mark = make("li", "day");
    mark.append(make("time", "", "", { dateTime: day }));
    parts.unshift(mark);
  } else if (above.dataset.user === item.dataset.user && new Date(message.timestamp) - new Date(above.dataset.at) < 3e5) {
    item.classList.add("again");
  }
  above ? above.after(...parts) : log.prepend(...parts);
  parts.forEach(local);
  $("empty")?.remove();
  seq = Math.max(seq, message.seq);
  if (follow || message.user_id === me) toEnd();
  read();
  badge();
  // Weeks old: afresh.
  if (document.hidden && log.children.length > 2000 && !unsent.length && !form?.content.value) location.reload();
};

const note = (text) => {
  const follow = atEnd();
  log.querySelector(".note")?.remove();
  log.append(make("li", "note", text));
  if (follow) toEnd();
};

// What the server renders.
const fetched = async (address) => {
  const answer = await fetch(address);
  if (answer.redirected) location.reload();
  if (!answer.ok || answer.redirected) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};
let fetching = false;
const older = async () => {
  const link = $("older");
  if (!link || fetching) return;
  fetching = true;
  try {
    const other = await fetched(link.href);
    const items = [...other.querySelectorAll("#log > li")];
    const next = other.getElementById("older");
    const mark = log.querySelector(".day time");
    const height = stream.scrollHeight;
    if (next) link.href = next.href; else link.remove();
    if (items.some((item) => item.querySelector(".day time")?.dateTime === mark?.dateTime)) mark?.parentElement.remove();
    // Not to be read out.
    stream.ariaLive = "off";
    log.prepend(...items);
    local(log);
    stream.scrollTop += stream.scrollHeight - height;
    setTimeout(() => { stream.ariaLive = null; }, 500);
  } catch { /* offline */ }
  fetching = false;
};
// From a page whose opening marks nothing as read.
const rooms = async () => {
  try { $("rooms").replaceWith((await fetched("/chat")).getElementById("rooms")); } catch { return; /* offline */ }
  const own = room && document.querySelector(`#rooms a[data-room="${room}"]`);
  if (own) { own.ariaCurrent = "page"; own.querySelector(".badge").hidden = true; }
};

// Read marks and badges.
let told = seq, marking;
const read = () => {
  if (document.hidden || past || !("member" in page) || seq <= told || !atEnd()) return;
  clearTimeout(marking);
  marking = setTimeout(() => { if (send({ type: "read", room_id: room, seq })) told = seq; badge(); }, 400);
};
const badge = () => {
  let count = document.hidden ? Math.max(0, seq - told) : 0;
  document.querySelectorAll(".badge:not([hidden]) .count").forEach((other) => { count += +other.textContent; });
  document.title = count ? `(${count}) ${title}` : title;
};
const unread = (frame) => {
  if (frame.room_id === room) { if (!frame.count) told = Math.max(told, frame.last_seq); return badge(); }
  const link = document.querySelector(`#rooms a[data-room="${frame.room_id}"]`);
  if (!link) return rooms();
  const mark = link.querySelector(".badge");
  mark.firstElementChild.textContent = frame.count;
  mark.hidden = !frame.count;
  if (frame.count) $("rooms").prepend(link.parentElement);
  badge();
};

// Writing: in order, kept until acknowledged.
const shelf = `unsent-${room}-${me}`;
let unsent = [], waiting = null;
const keep = () => sessionStorage.setItem(shelf, JSON.stringify(unsent));
const draw = (entry) => {
  const item = line(me, page.name, new Date().toISOString());
  item.classList.add("sending");
  item.dataset.client = entry.client_id;
  item.querySelector(".text").append(make("p", "", entry.content));
  local(item);
  log.append(item);
  toEnd();
};
const undraw = (entry) => log.querySelector(`[data-client="${entry.client_id}"]`)?.remove();
const next = () => {
  if (waiting || !synced || !unsent.length) return;
  if (send({ type: "message", room_id: room, ...unsent[0] })) waiting = unsent[0].client_id;
};
const settle = (message) => {
  if (message.user_id !== me || !message.client_id) return;
  const found = unsent.findIndex((entry) => entry.client_id === message.client_id);
  if (found < 0) return;
  unsent.splice(found, 1);
  keep();
  undraw(message);
  if (waiting === message.client_id) waiting = null;
  setTimeout(next);
};
const refused = (frame) => {
  if (!frame.client_id || frame.client_id !== waiting) return;
  if (frame.code === "throttled" || frame.code === "unavailable") {
    say("waiting", frame.content);
    setTimeout(() => { waiting = null; if (synced) say("live", "Connected"); next(); }, frame.retry_after_ms || 2000);
    return;
  }
  const entry = unsent.shift();
  waiting = null;
  keep();
  undraw(entry);
  wrong(frame.content);
  form.content.value = [entry.content, form.content.value].filter(Boolean).join("\n");
  next();
};
const wrong = (text) => {
  Object.assign($("content-error"), { textContent: text, hidden: !text });
  form.content.ariaInvalid = Boolean(text);
};
const grow = () => { form.content.rows = Math.min(8, form.content.value.split("\n").length); };
let typed = 0;
const typing = (is) => {
  const now = Date.now();
  if (is ? now - typed > 3000 : typed) { send({ type: "typing", room_id: room, is_typing: is }); typed = is ? now : 0; }
};
const submit = (event) => {
  event.preventDefault();
  const content = form.content.value.trim().toWellFormed();
  const length = [...content].length;
  if (!length || over) return;
  if (length > 4000) return wrong(`A message has at most 4000 characters; this one has ${length}.`);
  // Unique among one's own is enough; randomUUID is missing on plain http.
  const entry = { content, client_id: Date.now().toString(36) + Math.random().toString(36).slice(2) };
  unsent.push(entry);
  keep();
  draw(entry);
  form.content.value = "";
  wrong("");
  typed = 0;
  grow();
  next();
};

// The socket.
const send = (frame) => {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(frame));
  return true;
};
const live = () => { synced = true; tries = 0; say("live", "Connected"); next(); read(); };
const end = (why) => {
  over = true;
  if (form) form.content.readOnly = form.querySelector("button").hidden = true;
  say("over", why);
};
const frames = {
  connected(frame) {
    if (frame.room_id) return;
    if (room && !past) send({ type: "subscribe", room_id: room, after: rev }); else live();
  },
  synced(frame) { rev = frame.rev; live(); },
  gap() { location.reload(); },
  message: show,
  message_edited: show,
  message_deleted: (frame) => $("m" + frame.seq) && show(frame),
  users_list(frame) {
    $("here").replaceChildren(...frame.users.map((name) => make("li", "", name)));
    $("here-count").textContent = frame.count;
  },
  system(frame) { if (frame.username !== page.name) note(frame.content); },
  typing(frame) {
    const names = frame.users.filter((name) => name !== page.name);
    const who = names.length > 3 ? "Several people" : names.join(", ");
    $("typing").textContent = who && `${who} ${names.length > 1 ? "are" : "is"} typing…`;
  },
  unread,
  room_added: rooms,
  room_deleted: (frame) => frame.room_id === room ? end(frame.message) : rooms(),
  error(frame) { if (frame.client_id) refused(frame); else if (!synced && frame.room_id === room) frame.code === "not_found" ? end(frame.content) : socket.close(); },
};
const connect = () => {
  clearTimeout(timer);
  say("connecting", "Connecting…");
  asked = 0;
  const own = socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
  own.onmessage = (event) => {
    heard = Date.now();
    const frame = JSON.parse(event.data);
    if (!frame.room_id || frame.room_id === room || /^(unread|room_)/.test(frame.type)) frames[frame.type]?.(frame);
  };
  own.onclose = (event) => { if (own === socket) lost(event.code); };
};
// Half a second, doubling to fifteen, jittered: a thousand don't come back at once.
const lost = (code) => {
  socket = null;
  synced = false;
  waiting = null;
  if (over) return;
  if (code === 4401) return location.reload();
  if (code === 4403) return end("You are no longer in this room.");
  const delay = Math.min(15000, 500 * 2 ** tries++) * (0.5 + Math.random() / 2);
  // Logged out meanwhile, this leads to the log-in.
  if (tries > 1) fetched("/chat").catch(() => {});
  say("lost", "Connection lost. Trying again…");
  timer = setTimeout(connect, delay);
};
setInterval(() => {
  if (!socket) return;
  // The last question is still unanswered.
  if (asked > heard) { const own = socket; socket = null; own.close(); lost(0); } else if (send({ type: "ping" })) asked = Date.now();
}, 20000);
const revive = () => { if (!socket && !over) connect(); read(); badge(); };
addEventListener("online", revive);
addEventListener("visibilitychange", revive);

if (log) {
  local(log);
  toEnd();
  stream.addEventListener("scroll", () => { if (stream.scrollTop < 200) older(); read(); });
}
// On a page of the past the form posts as it would without this file, and leads to the newest.
if (form && !past) {
  unsent = JSON.parse(sessionStorage.getItem(shelf)) || [];
  unsent.forEach(draw);
  form.addEventListener("submit", submit);
  form.content.addEventListener("input", () => { grow(); typing(form.content.value !== ""); });
  form.content.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  if (matchMedia("(min-width: 700px)").matches) form.content.focus();
}
badge();
connect();
