import { grow } from "./conversation.js";
import { renew } from "./dialog.js";
import { refresh } from "./parts.js";

const live = document.getElementById("live");
const status = document.getElementById("status");
const now = document.getElementById("now");
const said = document.getElementById("said");
const SETTLES_MS = 120;
const RETRIES_MS = 5000;
let timer = 0;
let events = null;
let last = live.dataset.after;
let over = "over" in live.dataset;
let lost = false;

function trouble(words) {
  now.textContent = words;
  status.hidden = false;
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    try {
      const page = await refresh();
      document.title = page.title;
      await renew();
    } catch {
      trouble("The page couldn't be brought up to date; reload it");
    }
  }, SETTLES_MS);
}

function found() {
  if (!lost) return;
  lost = false;
  now.textContent = "Looking";
  soon();
}

function connect() {
  if (over || events) return;
  events = new EventSource(`${live.dataset.stream}?after=${last}`);
  events.addEventListener("status", (event) => {
    last = event.lastEventId;
    now.textContent = JSON.parse(event.data).now;
  });
  events.addEventListener("told", (event) => {
    last = event.lastEventId;
    said.textContent = JSON.parse(event.data).text;
    soon();
  });
  events.addEventListener("reply-text", (event) => grow(event.lastEventId, JSON.parse(event.data)));
  events.addEventListener("away", () => {
    lost = true;
    trouble("The database doesn't answer at the moment. Nothing is lost; this page goes on by itself when it does");
  });
  events.addEventListener("back", found);
  events.addEventListener("over", () => {
    over = true;
    disconnect();
    soon();
  });
  events.addEventListener("open", found);
  events.addEventListener("error", () => {
    lost = true;
    trouble("Not connected to the service at the moment; trying again");
    if (events?.readyState !== EventSource.CLOSED) return;
    // It was refused, as while the database is away; a browser doesn't try again then.
    disconnect();
    setTimeout(() => document.visibilityState === "visible" && connect(), RETRIES_MS);
  });
}

function disconnect() {
  events?.close();
  events = null;
}

// A browser opens few connections to one server: a page that nobody sees keeps none, so that more of them can be open.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connect();
  else disconnect();
});
window.addEventListener("pagehide", disconnect);

document.getElementById("problem")?.focus();
if (document.visibilityState === "visible") connect();
