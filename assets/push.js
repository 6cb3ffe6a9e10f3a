// On the settings page: this browser's subscription, so that it is told while no page is open.
import { $, post, say } from "./dom.js";

const granted = () => Notification.permission === "granted";
const [section, button, state] = [$("notices"), $("push"), $("push-state")];
const plain = (key) => btoa(String.fromCharCode(...new Uint8Array(key))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const tell = (text, label) => Object.assign(state, { textContent: text, hidden: false }) && Object.assign(button, { textContent: label, hidden: !label });
const look = async () => {
  if (!self.isSecureContext || !navigator.serviceWorker || !self.PushManager) return tell(say("This browser can't be told of messages here. It needs https."));
  if (Notification.permission === "denied") return tell(say("This browser doesn't let the site tell you. You can change that in its settings."));
  const worker = await navigator.serviceWorker.register("/sw.js");
  const own = await worker.pushManager.getSubscription();
  if (own && granted()) { await keep(own); tell(say("This browser tells you of messages, also while no page is open."), say("Stop telling me here")); } else tell(say("This browser doesn't tell you of messages."), say("Tell me in this browser"));
  button.onclick = () => change(worker, own).catch((error) => tell(error.message, button.textContent));
};
const keep = (own) => post("/settings/push", { endpoint: own.endpoint, p256dh: plain(own.getKey("p256dh")), auth: plain(own.getKey("auth")) });
const change = async (worker, own) => {
  if (own && granted()) {
    await post("/settings/push/remove", { endpoint: own.endpoint });
    await own.unsubscribe();
  } else if (await Notification.requestPermission() === "granted") {
    await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: section.dataset.key });
  }
  await look();
};
if (section) look().catch((error) => tell(error.message));
