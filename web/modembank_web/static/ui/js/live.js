// One stream for each page. The box names what changed; whatever shows it (data-live-on="topic …") fetches itself again.
(() => {
  const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  let source = null;
  let failures = 0;
  let timer = 0;
  let hadLost = false;

  const tell = (state, words) => {
    const shown = document.getElementById("live-state");
    if (shown && shown.dataset.state !== state) {
      shown.dataset.state = state;
      shown.textContent = words;
    }
    const offline = document.getElementById("offline");
    if (offline) offline.hidden = state !== "lost";
  };

  const filledIn = (part) => {
    const field = document.activeElement;
    return part.contains(field) && field.matches("input, select, textarea");
  };

  // What somebody is filling in stays as it is until they leave it.
  const refresh = (topics) => {
    for (const part of document.querySelectorAll("[data-live-on]")) {
      const wants = part.dataset.liveOn.split(" ");
      if (topics !== null && !topics.some((topic) => wants.includes(topic))) continue;
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
    source.addEventListener("ended", () => { location.reload(); });
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
  window.addEventListener("pagehide", close);
  document.addEventListener("DOMContentLoaded", open);
})();
