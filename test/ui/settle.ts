/**
 * Brings Chromium's own start to an end, as it is for a person whose browser has been open for a while. Until a page came to rest, or for
 * a minute, it leaves updates of service workers lying; VS Code's webviews, from the second one on, wait for such an update.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";

/** Resolves when Chromium has updated a service worker: that of a page without anything else in it. */
export async function settle(page: Page): Promise<void> {
  const server = createServer(({ url }, response) => {
    response.setHeader("content-type", url === "/worker.js" ? "text/javascript" : "text/html");
    response.end(url === "/worker.js" ? "// does nothing" : "<title>at rest</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.register("/worker.js");
      await navigator.serviceWorker.ready;
      await registration.update();
      await registration.unregister();
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
