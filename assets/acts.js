// What is done to a message: each act is a form of its page.
import { $, form, log, me, one, post, say } from "./dom.js";
import { byId } from "./log.js";
import { aim, edit, wrong } from "./composer.js";

const menu = $("menu");
let item;
const act = (name, fields) => post(`/chat/messages/${item.dataset.id}/${name}`, fields).catch(({ message }) => wrong(message));

const open = (link) => {
  if (form.inert) return;
  item = link.closest(".message");
  menu.classList.toggle("mine", +item.dataset.user === me);
  menu.classList.toggle("pinned", one(`#pins [data-to="${item.dataset.id}"]`));
  $("details").href = link.href;
  menu.showPopover();
  menu.style.top = Math.min(link.getBoundingClientRect().bottom, innerHeight - menu.offsetHeight - 8) + "px";
  one("button", menu).focus();
};
const choose = ({ target: { name, value } }) => {
  if (name || !value) return;
  menu.hidePopover();
  if (value === "reply") aim(item);
  else if (value === "edit") edit(item);
  else if (value !== "delete" || confirm(say("Delete this message?"))) act(value);
};
const react = ({ target, submitter }) => {
  const place = target.parentElement;
  const emoji = (submitter ?? target.emoji).value;
  if (place === menu) { menu.hidePopover(); target.reset(); } else item = place;
  if (emoji) act("react", { emoji });
  return false;
};
const click = ({ target }) => {
  const link = target.closest(".more, [data-to]");
  const there = link?.dataset.to ? byId(link.dataset.to) : menu && link;
  if (!there) return;
  if (link === there) open(link); else location.hash = there.id;
  return false;
};
if (log) document.onclick = click;
if (form) {
  log.onsubmit = menu.onsubmit = react;
  menu.onclick = choose;
}
