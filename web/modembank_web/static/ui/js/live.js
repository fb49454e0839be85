// One stream for each page. The box names what changed; whatever shows it (data-live-on="topic …") fetches itself again.
(() => {
  const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  const FULL_MS = 60_000;
  let source = null;
  let failures = 0;
  let timer = 0;
  let hadLost = false;
  let typed = false;
  let touchedAt = Date.now();
  const KEEPS_MS = 60_000;

  const tell = (state, words) => {
    const shown = document.getElementById("live-state");
    if (shown && shown.dataset.state !== state) {
      shown.dataset.state = state;
      shown.textContent = words;
    }
    for (const banner of document.querySelectorAll("[data-shown-when]")) banner.hidden = banner.dataset.shownWhen !== state;
  };

  const filledIn = (part) => {
    const field = document.activeElement;
    return part.contains(field) && field.matches("input, select, textarea");
  };

  // Whoever asked for more of a list reads on: it stands still from then on, and leads to what is new.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const list = event.target.closest("tr.more") && event.target.closest("[data-live-on]");
    if (list) list.dataset.still = "";
  });
  const standsStill = (part) => {
    if (!("still" in part.dataset)) return false;
    if (part.dataset.still) return true;
    part.dataset.still = "told";
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Something changed. Show the newest";
    const told = document.createElement("p");
    told.className = "row small";
    told.setAttribute("role", "status");
    told.append(link);
    part.prepend(told);
    return true;
  };

  // What somebody is filling in stays as it is until they leave it.
  const refresh = (topics) => {
    for (const part of document.querySelectorAll("[data-live-on]")) {
      const wants = part.dataset.liveOn.split(" ");
      if (topics !== null && !topics.some((topic) => wants.includes(topic))) continue;
      if (standsStill(part) || part.querySelector(".uploading")) continue; // what takes its place shows what changed
      if (filledIn(part)) part.addEventListener("focusout", () => setTimeout(refresh, 0, wants), { once: true });
      else window.htmx.trigger(part, "live");
    }
  };

  const close = () => {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
  };

  const open = () => {
    const path = document.body.dataset.live;
    if (!path || source || document.hidden) return;
    source = new EventSource(path);
    source.addEventListener("hello", () => {
      if (hadLost) refresh(null);
      hadLost = false;
      failures = 0;
      tell("live", "live");
    });
    source.addEventListener("changed", (event) => refresh(event.data.split(" ")));
    source.addEventListener("ended", () => {
      close();
      if (!typed) location.reload(); // leads to the login, and from there back
      else tell("ended", "logged out");
    });
    source.addEventListener("full", () => {
      close();
      hadLost = true;
      tell("full", "not live: too many pages are open");
      timer = setTimeout(open, FULL_MS);
    });
    source.onerror = () => {
      close();
      hadLost = true;
      failures += 1;
      if (failures > 1) tell("lost", "connection lost");
      else tell("waiting", "connecting again");
      timer = setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length) - 1]);
    };
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
      hadLost = true;
    } else {
      open();
    }
  });
  // A session lasts for as long as somebody is there: what a page asks by itself keeps none.
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => { touchedAt = Date.now(); }, true);
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.triggeringEvent?.type === "live" && Date.now() - touchedAt > KEEPS_MS) event.detail.headers["X-Live"] = "true";
  });
  document.addEventListener("input", () => { typed = true; });

  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    hadLost = true;
    open();
  });
  document.addEventListener("DOMContentLoaded", open);
})();
