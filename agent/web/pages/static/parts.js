// Replaces the parts of a page that its newer self has differently; what somebody types in or has opened stays.

async function fetched(url) {
  const answer = await fetch(url, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function replace(old, fresh) {
  if (old.outerHTML === fresh.outerHTML) return;
  const open = new Set([...old.querySelectorAll("details[open][id]")].map((one) => one.id));
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  for (const one of fresh.querySelectorAll("details[id]")) one.open = open.has(one.id);
  old.replaceWith(document.importNode(fresh, true));
  if (focused) document.getElementById(focused)?.focus();
}

export async function refresh(url = location.href) {
  const page = await fetched(url);
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const old = document.getElementById(fresh.id);
    if (old) replace(old, fresh);
  }
  for (const fresh of page.querySelectorAll("[data-hides]")) {
    const old = document.getElementById(fresh.id);
    if (old) old.hidden = fresh.hidden;
  }
  return page;
}

export async function content(url) {
  return (await fetched(url)).getElementById("content");
}
