// Completion of @names: a listbox that the keyboard walks.
import { $, form, make, room } from "./dom.js";

const [field, list] = [form?.content, $("names")];
let chosen = 0, asked = 0;
const close = () => {
  list.hidden = true;
  field.ariaExpanded = "false";
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
  field.dispatchEvent(new Event("input"));
};
export const complete = async () => {
  const typed = /(?:^|[^\w@])@([\w.-]{0,32})$/.exec(field.value.slice(0, field.selectionStart));
  const turn = ++asked;
  let names = [];
  if (typed) try { names = await (await fetch(`/chat/rooms/${room}/names?q=${typed[1]}`)).json(); } catch { /* offline */ }
  if (turn !== asked) return;
  list.replaceChildren(...names.map((name, at) => make("li", "", name, { id: "name-" + at, role: "option", onpointerdown() { chosen = at; take(); return false; } })));
  if (!names.length) return close();
  list.hidden = false;
  field.ariaExpanded = "true";
  mark(0);
};
export const walk = ({ key }) => {
  const act = list.hidden ? null : { ArrowDown: () => mark(chosen + 1), ArrowUp: () => mark(chosen - 1), Enter: take, Tab: take, Escape: close }[key];
  act?.();
  return act;
};
if (form) field.onblur = close;
