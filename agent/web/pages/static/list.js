import { refresh } from "./parts.js";

const EVERY_MS = 10_000;

setInterval(() => {
  if (document.visibilityState === "visible") refresh().catch(() => {});
}, EVERY_MS);
