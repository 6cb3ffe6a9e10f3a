// Tells what is pushed while no page is open.
self.addEventListener("push", (event) => {
  const { title, body, url, tag } = event.data?.json() ?? { title: "Something new" };
  event.waitUntil(self.registration.showNotification(title, { body, tag, data: url }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data ?? "/chat", location.origin).href;
  event.waitUntil(self.clients.matchAll({ type: "window" }).then((pages) => {
    const open = pages.find((page) => page.url.split("#")[0] === url.split("#")[0]);
    return open ? open.focus() : self.clients.openWindow(url);
  }));
});
