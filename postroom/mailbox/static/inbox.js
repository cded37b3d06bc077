// Asks for this very page again and again, cheaply, and swaps the list when it changed.
const PAUSE = 1500;
const CLEAR = document.getElementById("clear");
let tag = null;

function ids(region) {
  return new Set(Array.from(region.querySelectorAll("li[data-id]"), (row) => row.dataset.id));
}

function say(region, well) {
  const live = region.querySelector(".live");
  live.hidden = false;
  live.classList.toggle("lost", !well);
  live.textContent = well ? "live" : "not answering";
}

function show(text) {
  const present = document.getElementById("mail");
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const next = document.adoptNode(fresh.getElementById("mail"));
  const known = ids(present);
  const focused = present.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  for (const row of next.querySelectorAll("li[data-id]")) {
    row.classList.toggle("fresh", !known.has(row.dataset.id));
  }
  present.replaceWith(next);
  document.title = fresh.title;
  if (focused) next.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
    if (answer.status === 200) {
      if (tag !== null) show(await answer.text());
      tag = answer.headers.get("ETag");
    }
    settle(answer.status === 200 || answer.status === 304);
  } catch {
    settle(false);
  }
}

function settle(well) {
  const region = document.getElementById("mail");
  say(region, well);
  CLEAR.hidden = region.dataset.total === "0";
}

async function watch() {
  await look();
  setTimeout(watch, PAUSE);
}

CLEAR.addEventListener("click", async () => {
  if (!confirm("Clear the list and let every text go? What was accepted stays on record.")) return;
  await fetch("/api/messages", { method: "DELETE" });
  await look();
});

document.addEventListener("visibilitychange", look);
if (document.getElementById("mail").dataset.live === "yes") watch();
else settle(true);
