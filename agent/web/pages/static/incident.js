import { renew } from "./dialog.js";
import { refresh } from "./parts.js";

const live = document.getElementById("live");
const status = document.getElementById("status");
const now = document.getElementById("now");
const said = document.getElementById("said");
const SETTLES_MS = 120;
let timer = 0;

function soon() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    try {
      const page = await refresh();
      document.title = page.title;
      await renew();
    } catch {
      now.textContent = "The page couldn't be brought up to date; reload it";
      status.hidden = false;
    }
  }, SETTLES_MS);
}

document.getElementById("problem")?.focus();

if (live && !("over" in live.dataset)) {
  const events = new EventSource(live.dataset.stream);
  events.addEventListener("status", (event) => {
    now.textContent = JSON.parse(event.data).now;
  });
  events.addEventListener("told", (event) => {
    said.textContent = JSON.parse(event.data).text;
    soon();
  });
  events.addEventListener("over", () => {
    events.close();
    soon();
  });
  window.addEventListener("pagehide", () => events.close());
}
