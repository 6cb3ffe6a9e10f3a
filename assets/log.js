// The talk on the page: messages at their numbers, reactions, who has seen them.
import { $, fetched, log, make, me, one, page, past, say, stream } from "./dom.js";

const { lang } = document.documentElement;
const own = navigator.language.startsWith(lang) ? [] : lang + "-u-nu-latn";
const blank = $("blank")?.content.firstElementChild;
export const last = { rev: +page.rev || 0, seq: +page.seq || 0 };
export const atEnd = () => stream.scrollHeight - stream.scrollTop - stream.clientHeight < 80;
export const toEnd = () => { stream.scrollTop = stream.scrollHeight; };
export const local = (root) => root.querySelectorAll("time").forEach((time) => {
  const shape = time.closest(".day") ? { dateStyle: "long", timeZone: "UTC" } : { timeStyle: "short" };
  time.textContent = new Date(time.dateTime).toLocaleString(own, shape);
});
export const byId = (id) => one(`[data-id="${id}"]`, log);
const still = (change) => { const follow = atEnd(); change(); if (follow) toEnd(); };

export const line = ({ id, seq, user_id, username, timestamp, content, html, reply_to, edited_at, deleted_at, attachments = [], reactions = [] }) => {
  const item = blank.cloneNode(true);
  const part = (which) => one("." + which, item);
  const nobody = part("author").textContent, name = username ?? nobody;
  item.id = "m" + seq;
  Object.assign(item.dataset, { id, seq, user: user_id ?? "", at: timestamp });
  Object.assign(part("avatar"), { className: "avatar hue-" + user_id % 8, textContent: name[0] });
  part("author").textContent = name;
  one("time", item).dateTime = timestamp;
  const more = part("more");
  more.ariaLabel = more.ariaLabel.replace(nobody, name);
  more.href = "/chat/messages/" + id;
  if (!edited_at) part("edited").remove();
  // Sanitised on the server.
  if (!deleted_at) part("text").innerHTML = html;
  item.classList.toggle("long", content.length > 1500 || content.split("\n").length > 20);
  part("files").append(...attachments.map(file));
  reply_to ? quote(part("quote"), reply_to) : part("quote").remove();
  react(item, reactions);
  local(item);
  return item;
};
const quote = (link, id) => {
  link.href = "/chat/messages/" + id;
  link.dataset.to = id;
  const there = byId(id);
  if (!there) return;
  link.firstChild.textContent = one(".author", there).textContent;
  link.lastChild.textContent = one(".text", there).textContent.trim().slice(0, 120);
};
const file = ({ id, filename, width, height }) => {
  const [item, link] = [make("li"), make("a", width ? "" : "file", "", { href: "/chat/attachments/" + id })];
  item.append(link);
  if (width) {
    const scale = Math.min(1, 480 / width, 360 / height);
    const onerror = () => { link.textContent = filename; };
    link.append(make("img", "", "", { src: link.href + "/thumbnail", alt: filename, width: width * scale, height: height * scale, onerror }));
  } else link.append(make("bdi", "", filename));
  return item;
};
export const react = (item, reactions) => {
  let chips = one(".reactions", item);
  if (!chips) one(".more", item).before(chips = one(".reactions", blank).cloneNode());
  chips.action = `/chat/messages/${item.dataset.id}/react`;
  const name = (id) => one(`[data-user="${id}"] .author`, log)?.textContent ?? "…";
  chips.replaceChildren(...reactions.map(({ emoji, count, user_ids }) =>
    make("button", "", `${emoji} ${count}`, { name: "emoji", value: emoji, ariaPressed: user_ids.includes(me), title: user_ids.map(name) })));
};
export const reacted = (frame) => {
  last.rev = frame.rev;
  const item = byId(frame.message_id);
  if (item) still(() => react(item, frame.reactions));
};
export const deleted = ({ id, rev }) => {
  last.rev = rev;
  byId(id)?.querySelector(".text").replaceChildren(one(".gone", blank).cloneNode(true));
  for (const link of log.querySelectorAll(`[data-to="${id}"]`)) link.lastChild.textContent = "…";
};

// Puts a message at its number, once. Says whether it is new here.
export const show = (message) => {
  last.rev = Math.max(last.rev, message.rev);
  const there = $("m" + message.seq);
  if (!there && (past || message.seq < one("[data-seq]", log)?.dataset.seq)) return;
  const item = line(message);
  if (there) {
    item.classList.toggle("again", there.matches(".again"));
    return still(() => there.replaceWith(item));
  }
  const follow = atEnd();
  let above = log.lastElementChild;
  while (above && !(+above.dataset.seq < message.seq)) above = above.previousElementSibling;
  const [day, parts] = [message.timestamp.slice(0, 10), [item]];
  if (!above?.dataset.at.startsWith(day)) {
    parts.unshift(make("li", "day"));
    parts[0].append(make("time", "", "", { dateTime: day }));
    local(parts[0]);
  } else if (above.dataset.user === item.dataset.user && !message.reply_to && !/^\/me /.test(message.content) && Date.parse(message.timestamp) - Date.parse(above.dataset.at) < 3e5) {
    item.classList.add("again");
  }
  if (document.hidden && !$("new")) parts.splice(-1, 0, make("li", "new", say("New"), { id: "new" }));
  above ? above.after(...parts) : log.prepend(...parts);
  $("empty")?.remove();
  last.seq = Math.max(last.seq, message.seq);
  seen(message);
  if (follow || message.user_id === me) toEnd();
  return true;
};
// Who has read to the end.
export const seen = ({ user_id, seq }) => {
  const names = [...$("seen")?.children ?? []];
  for (const name of names) {
    if (+name.dataset.user === user_id) name.dataset.seq = Math.max(seq, name.dataset.seq);
    name.hidden = name.dataset.seq < last.seq;
  }
  if (names[0]) $("seen").hidden = names.every((name) => name.hidden);
};
export const note = (text) => still(() => {
  one(".note", log)?.remove();
  log.append(make("li", "note", text));
});

export const older = async () => {
  const link = $("older");
  if (!link || link.hidden) return;
  link.hidden = true;
  try {
    const other = await fetched(link.href);
    const items = [...other.querySelectorAll("#log > li:not(.new)")];
    const [next, mark, height] = [other.getElementById("older"), one(".day time", log), stream.scrollHeight];
    if (next) link.href = next.href; else link.remove();
    if (items.at(-1)?.dataset.at.startsWith(mark?.dateTime)) mark.parentElement.remove();
    // Not to be read out.
    stream.ariaLive = "off";
    log.prepend(...items);
    local(log);
    stream.scrollTop += stream.scrollHeight - height;
    setTimeout(() => { stream.ariaLive = null; }, 500);
  } catch { }
  link.hidden = false;
};
