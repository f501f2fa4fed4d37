// Small comforts; every page works without them.

// Times: the server's words age, so they are renewed; the exact time in the title becomes local.
function ago(moment) {
  const seconds = (Date.now() - moment) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return seconds >= 0 ? "just now" : "in a moment";
  let words = `${Math.round(size / 86400)} d`;
  if (size < 90 * 60) words = `${Math.max(1, Math.round(size / 60))} min`;
  else if (size < 36 * 3600) words = `${Math.round(size / 3600)} h`;
  return seconds >= 0 ? `${words} ago` : `in ${words}`;
}

function renewTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    time.textContent = ago(moment);
    time.title = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}

document.addEventListener("DOMContentLoaded", renewTimes);
setInterval(renewTimes, 15000);

// What the reader has opened stays open when a live page fetches itself again.
const opened = new Set();
document.addEventListener("toggle", (event) => {
  if (!event.target.id) return;
  if (event.target.open) opened.add(event.target.id);
  else opened.delete(event.target.id);
}, true);
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  renewTimes();
});

// Whether the page is live stands in its head.
for (const [name, state] of [["htmx:sseOpen", "on"], ["htmx:sseError", "off"]]) {
  document.addEventListener(name, () => {
    const mark = document.getElementById("live");
    if (!mark) return;
    mark.dataset.state = state;
    mark.textContent = state === "on" ? "Live" : "Reconnecting …";
  });
}

// Buttons that copy what stands in another element; without this script there are none.
function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // where the page came by plain http
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done ? Promise.resolve() : Promise.reject(new Error("not copied"));
}

function showCopyButtons() {
  for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
}

document.addEventListener("DOMContentLoaded", showCopyButtons);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  copied(document.getElementById(button.dataset.copy).textContent).then(
    () => { button.textContent = "Copied"; },
    () => { button.textContent = "Select and copy it"; },
  );
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});
