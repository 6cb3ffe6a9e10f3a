// The socket, opened again when lost.
import { $, fetched, say } from "./dom.js";

let socket, timer, heard = 0, asked = 0, tries = 0;
// `take` gets frames, `end` why no more come.
export const state = {};
export const tell = (name, text) => { Object.assign($("state"), { textContent: text }).dataset.state = name; };
export const send = (frame) => {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(frame));
  return true;
};
export const live = () => { state.synced = true; tries = 0; tell("live", say("Connected")); };
export const close = () => socket.close();
export const connect = () => {
  clearTimeout(timer);
  if (socket || state.over) return;
  tell("connecting", say("Connecting…"));
  asked = 0;
  const own = socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
  own.onmessage = (event) => { heard = Date.now(); state.take(JSON.parse(event.data)); };
  own.onclose = (event) => { if (own === socket) lost(event.code); };
};
const lost = (code) => {
  socket = null;
  state.synced = state.waiting = null;
  state.missed = true;
  if (state.over) return;
  if (code === 4401) return location.reload();
  if (code === 4403) return state.end(say("You are no longer in this room."));
  // Logged out?
  if (tries) fetched("/chat").catch(() => {});
  tell("lost", say("Connection lost. Trying again…"));
  // Spread. 1012: another is there.
  const [part, step] = [Math.random(), Math.min(15000, 250 * 2 ** tries++)];
  timer = setTimeout(connect, code === 1012 ? 1400 * part : step * (1 + part));
};
setInterval(() => {
  if (!socket) return;
  if (asked > heard) { const own = socket; lost(0); own.close(); } else if (send({ type: "ping" })) asked = Date.now();
}, 20000);
