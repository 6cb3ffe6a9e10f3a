// What is done to a message: each act is a form of its page.
import { $, form, log, me, post } from "./dom.js";
import { byId } from "./log.js";
import { aim, edit, wrong } from "./composer.js";

const menu = $("menu");
let item;
const act = (name, fields) => post(`/chat/messages/${item.dataset.id}/${name}`, fields).catch((error) => wrong(error.message));

const open = (link) => {
  if (form.inert) return;
  item = link.closest(".message");
  menu.classList.toggle("mine", +item.dataset.user === me);
  menu.classList.toggle("pinned", document.querySelector(`#pins [data-to="${item.dataset.id}"]`));
  $("details").href = link.href;
  menu.showPopover();
  menu.style.top = Math.min(link.getBoundingClientRect().bottom, innerHeight - menu.offsetHeight - 8) + "px";
  menu.querySelector("button").focus();
};
const choose = ({ target: { name, value } }) => {
  if (name || !value) return;
  menu.hidePopover();
  if (value === "reply") aim(item);
  else if (value === "edit") edit(item);
  else if (value !== "delete" || confirm("Delete this message?")) act(value);
};
const react = (event) => {
  event.preventDefault();
  const own = event.target.parentElement === menu;
  if (!own) item = event.target.parentElement;
  const emoji = (event.submitter ?? event.target.emoji).value;
  if (emoji) act("react", { emoji });
  if (own) { menu.hidePopover(); event.target.reset(); }
};
const click = (event) => {
  const link = event.target.closest(".more, [data-to]");
  const there = link?.dataset.to ? byId(link.dataset.to) : menu && link;
  if (!there) return;
  event.preventDefault();
  if (link === there) open(link); else location.hash = there.id;
};
if (log) document.onclick = click;
if (form) {
  log.onsubmit = menu.onsubmit = react;
  menu.onclick = choose;
}
