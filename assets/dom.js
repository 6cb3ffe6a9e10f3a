// The page.
export const $ = (id) => document.getElementById(id);
export const one = (which, root = document) => root.querySelector(which);
export const page = document.body.dataset;
export const room = +page.room || null;
export const me = +page.user;
export const past = "past" in page;
export const form = $("composer");
export const [log, stream] = [$("log"), $("stream")];

// In the page's language.
const said = JSON.parse($("words")?.text ?? "{}");
export const say = (english, value) => (said[english] ?? english).replace("{}", () => value);

// randomUUID is missing on plain http.
export const rename = () => { form.client_id.value = Date.now().toString(36) + Math.random().toString(36).slice(2); };
export const make = (name, className = "", textContent = "", more) =>
  Object.assign(document.createElement(name), { className, textContent, ...more });
const parse = (text) => new DOMParser().parseFromString(text, "text/html");

export const fetched = async (address) => {
  const answer = await fetch(address);
  if (/\/login/.test(answer.url)) location.reload();
  if (!answer.ok) throw new Error(answer.status);
  return parse(await answer.text());
};
// Posts as a form would; a refusal is thrown in the page's words.
export const post = async (address, fields) => {
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields), headers: { "x-js": 1 } });
  const text = await answer.text();
  if (!answer.ok) throw refusal(text);
  return text;
};
export const refusal = (text) => new Error(one(".error:not([hidden]), main p", parse(text))?.textContent.trim() || say("That didn't work."));
