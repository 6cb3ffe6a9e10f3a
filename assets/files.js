// Files of a message: picked, pasted or dropped.
import { $, form, make, refusal, rename, say, stream } from "./dom.js";

const [input, list] = [$("file"), $("chosen")];
let files = [];
export const count = () => files.length;
const draw = () => list.replaceChildren(...files.map((file) => {
  const item = make("li", "", file.name);
  const onclick = () => { files = files.filter((other) => other !== file); draw(); form.content.focus(); };
  item.append(make("button", "quiet", "×", { type: "button", ariaLabel: say("Remove {}", file.name), onclick }));
  return item;
}));
const add = (more) => { files = [...files, ...more].slice(0, 10); input.value = ""; draw(); };

// What is refused stays chosen.
export const upload = (fields) => new Promise((done, failed) => {
  const [body, request, bar] = [new FormData(), new XMLHttpRequest(), make("progress", "", "", { value: 0, ariaLabel: say("Sending files") })];
  for (const name in fields) body.append(name, fields[name] ?? "");
  files.forEach((file) => body.append("file", file));
  list.append(bar);
  request.open("POST", form.action);
  request.setRequestHeader("x-js", 1);
  request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
  request.onloadend = () => {
    const stored = request.status === 204;
    if (stored) files = [];
    if (request.status) rename();
    draw();
    stored ? done() : failed(refusal(request.responseText));
  };
  request.send(body);
});
if (form) {
  input.onchange = () => add(input.files);
  const take = ({ files }) => { add(files); return !files.length; };
  form.onpaste = ({ clipboardData: data }) => data.types.includes("text/plain") || take(data);
  for (const place of [stream, form]) {
    place.ondragover = () => false;
    place.ondrop = (event) => take(event.dataTransfer);
  }
}
