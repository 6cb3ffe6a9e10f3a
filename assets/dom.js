// The page.
export const $ = (id) => document.getElementById(id);
export const page = document.body.dataset;
export const room = +page.room || null;
export const me = +page.user;
export const past = "past" in page;
export const form = $("composer");
export const [log, stream] = [$("log"), $("stream")];

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
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  if (answer.type !== "opaqueredirect" && !answer.ok) throw new Error(words(parse(await answer.text())));
  return answer;
};
export const words = (other) => other.querySelector(".error:not([hidden]), main p")?.textContent.trim() || "That didn't work.";
