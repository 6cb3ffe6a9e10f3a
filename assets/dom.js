// The page.
export const $ = (id) => document.getElementById(id);
export const page = document.body.dataset;
export const room = +page.room || null;
export const me = +page.user;
export const past = "past" in page;
export const form = $("composer");
export const [log, stream] = [$("log"), $("stream")];

// randomUUID is missing on plain http.
export const rename = () => { form.client_id.value = Date.now().toString(36) + Math.random().toString(36).slice(2); };
export const make = (name, className = "", textContent = "", more) =>
  Object.assign(document.createElement(name), { className, textContent, ...more });
export const parse = (text) => new DOMParser().parseFromString(text, "text/html");

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
  if (!answer.ok) throw new Error(words(parse(text)));
  return text;
};
export const words = (other) => other.querySelector(".error:not([hidden]), main p")?.textContent.trim() || "That didn't work.";
