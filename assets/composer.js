// Writing: sent in order, kept until acknowledged; drafts too.
import { $, fetched, form, log, make, me, one, page, past, post, rename, room, say } from "./dom.js";
import { line, toEnd } from "./log.js";
import { live, send, state, tell } from "./socket.js";
import { count, upload } from "./files.js";

const [shelf, desk] = [`unsent-${room}-${me}`, `draft-${room}-${me}`];
const [field, list] = [form?.content, $("names")];
let unsent = [], chosen = 0, asked = 0, edited = null, typed = 0, looking;
const keep = () => { sessionStorage[shelf] = JSON.stringify(unsent); };
const draw = (entry) => {
  const item = line({ user_id: me, username: page.name, timestamp: new Date().toJSON(), html: "", ...entry });
  item.classList.add("sending");
  one(".text", item).textContent = entry.content;
  item.id = "sending-" + entry.client_id;
  delete item.dataset.seq;
  log.append(item);
  toEnd();
};
export const next = () => {
  if (!state.waiting && state.synced && unsent.length && send({ type: "message", room_id: room, ...unsent[0] })) state.waiting = unsent[0].client_id;
};
export const drop = (client_id) => {
  const entry = unsent.find((other) => other.client_id === client_id);
  if (!entry) return;
  $("sending-" + client_id)?.remove();
  if (state.waiting === client_id) state.waiting = null;
  unsent = unsent.filter((other) => other !== entry);
  keep();
  setTimeout(next);
  return entry;
};
export const refused = (frame) => {
  if (frame.client_id !== state.waiting) return;
  if (/throttled|unavailable/.test(frame.code)) {
    tell("waiting", frame.content);
    return setTimeout(() => { state.waiting = null; if (state.synced) live(); next(); }, frame.retry_after_ms || 2000);
  }
  wrong(frame.content);
  const draft = [drop(state.waiting)?.content, edited ? localStorage[desk] : field.value].filter(Boolean).join("\n");
  if (edited) localStorage[desk] = draft; else write(draft);
};
export const wrong = (text) => {
  Object.assign($("content-error"), { textContent: text, hidden: !text });
  field.ariaInvalid = !!text;
};
const write = (text) => { field.value = text; changed(); };
const typing = () => {
  if (Date.now() - typed > 3000 && send({ type: "typing", room_id: room, is_typing: true })) typed = Date.now();
};
const changed = () => {
  field.rows = Math.min(8, field.value.split("\n").length);
  if (!edited) localStorage[desk] = field.value;
  clearTimeout(looking);
  looking = setTimeout(preview, 300);
};
const preview = async () => {
  const shown = $("previewing").checked && field.value.trim();
  $("preview").hidden = !shown;
  if (shown) try { $("preview").innerHTML = await post("/chat/preview", { content: shown }); } catch { }
};
// What is written next answers or replaces a message, or neither.
const aimed = (text, id = "") => {
  $("aim").hidden = !text;
  $("aim").firstElementChild.textContent = text;
  form.reply_to.value = id;
  field.focus();
};
export const aim = (item) => { free(); aimed(say("Replying to {}", one(".author", item).textContent), item.dataset.id); };
export const edit = async (item) => {
  try {
    const other = await fetched("/chat/messages/" + item.dataset.id);
    aimed(say("Editing a message"));
    edited = item.dataset.id;
    write(one("[name=content]", other).value);
  } catch ({ message }) { wrong(message); }
};
const free = () => {
  const was = edited;
  edited = null;
  if (was) write(localStorage[desk] ?? "");
  aimed("");
};
// Completion of @names.
const shut = () => {
  list.hidden = true;
  field.removeAttribute("aria-activedescendant");
};
const mark = (index) => {
  const all = [...list.children];
  chosen = (index + all.length) % all.length;
  for (const option of all) option.ariaSelected = option === all[chosen];
  field.setAttribute("aria-activedescendant", "name-" + chosen);
};
const take = () => {
  const end = field.selectionStart;
  field.setRangeText(list.children[chosen].textContent + " ", field.value.lastIndexOf("@", end - 1) + 1, end, "end");
  field.oninput();
};
const complete = async () => {
  const typed = /(?:^|[^\w@])@([\w.-]{0,32})$/.exec(field.value.slice(0, field.selectionStart));
  const turn = ++asked;
  let names = [];
  if (typed) try { names = await (await fetch(`/chat/rooms/${room}/names?q=${typed[1]}`)).json(); } catch { }
  if (turn !== asked) return;
  list.replaceChildren(...names.map((name, at) => make("li", "", name, { id: "name-" + at, role: "option", onpointerdown() { chosen = at; take(); return false; } })));
  if (!names.length) return shut();
  list.hidden = false;
  mark(0);
};
const walk = ({ key }) => {
  const act = list.hidden ? null : { ArrowDown: () => mark(chosen + 1), ArrowUp: () => mark(chosen - 1), Enter: take, Tab: take, Escape: shut }[key];
  act?.();
  return act;
};
const submit = async (event) => {
  event.preventDefault();
  const content = field.value.trim().toWellFormed();
  if (state.over || (!content && !count() && !edited)) return;
  if (content === "/help") { write(""); return open("/help"); }
  typed = 0;
  wrong("");
  const entry = { content, client_id: form.client_id.value, reply_to: +form.reply_to.value || undefined };
  const was = edited;
  if (was || count()) {
    form.inert = true;
    try { await (was ? post(`/chat/messages/${was}/edit`, { content }) : upload(entry)); } catch ({ message }) { return wrong(message); } finally { form.inert = false; }
  } else { unsent.push(entry); keep(); draw(entry); }
  rename();
  if (!was) write("");
  free();
  next();
};
const keys = (event) => {
  const { key } = event;
  if (event.isComposing) return;
  if (walk(event)) return false;
  if (key === "Escape") free();
  const own = key === "ArrowUp" && !field.value && [...log.querySelectorAll(`[data-user="${me}"][data-seq]:not(:has(.gone))`)].at(-1);
  if (own) edit(own);
  const sends = key === "Enter" && !event.shiftKey;
  sends && form.requestSubmit();
  return !own && !sends;
};
// A page of the past posts without this.
if (form && !past) {
  unsent = JSON.parse(sessionStorage[shelf] ?? "[]");
  unsent.forEach(draw);
  rename(), form.onsubmit = submit;
  field.oninput = () => { changed(); if (field.value) typing(); complete(); };
  field.onkeydown = keys;
  field.onblur = shut;
  $("cancel").onclick = () => { free(); return false; };
  $("previews").hidden = false;
  $("previewing").onchange = preview;
  if (!field.value) write(localStorage[desk] ?? "");
  if (matchMedia("(min-width: 700px)").matches) field.focus();
}
